"""YAML as PyYAML reads it: its event stream, and our own nodes with exact spans.

`yaml.compose` would be shorter, but it recurses (30,000 nested `[` end the process), keeps duplicate keys silent and gives
an alias the place of its anchor.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from trainlint.document import Document, Entry, Node, Problem, repeated_key
from trainlint.readers.scalars import resolve
from trainlint.text import Location, SourceText, Span

MAX_DEPTH = 200
MAX_ALIASED = 100_000
"""How many values all aliases of a document may stand for together, so that whoever walks the tree need not fear bombs."""

_JUDGE = yaml.SafeLoader
"""The parser behind `yaml.safe_load`, which is what trainers call."""
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, twenty times faster. It takes some texts that the judge refuses, all of which contain `_DISPUTED`."""
_DISPUTED = re.compile(r"[\t?\ufeff]|[|>][-+0-9]*#|(?<![^\s\[{,])!")
# PyYAML's line breaks and blanks; `\s` knows more of them, for instance the ideographic space
_COMMENT = re.compile(r"(?:(?<=[ \t\n\r\x85\u2028\u2029])|\A)#[^\n\r\x85\u2028\u2029]*")
_BLANKS = r"[ \t\n\r\x85\u2028\u2029]*"
_PROPERTIES = re.compile(rf"(?:(?:&[\w-]+|!<[^>\s]*>|![^\s,\[\]{{}}]*){_BLANKS}(?:#[^\n]*\n{_BLANKS})*)*")
_GLUED_KEY = re.compile(r" *(?:- +)*([\w.-]+:)(?=[^\s:/])")
_MERGE = "tag:yaml.org,2002:merge"


def read(source: SourceText) -> Document:
    """The first document of the file that is not empty, as a tree. Never raises.

    A text that PyYAML refuses gives a `file/syntax-error` and no root; so do more than 200 nested levels, and aliases that
    stand for more than 100,000 values or for a value they are part of. Keys that appear twice are `file/duplicate-key`;
    all of them stay in `entries`, in order. The entries that `<<` brings come first, without those that are overridden.
    An alias has its own span and its anchor's content. A scalar's span has its quotes but neither anchor nor tag.
    """
    if not _DISPUTED.search(source.text):
        try:
            return _read(source, _FAST)
        except (yaml.YAMLError, UnicodeEncodeError):
            pass  # the judge says why, in the words of the trainer
    return _read(source, _JUDGE)


def _read(source: SourceText, loader: Any) -> Document:
    document = Document(source, "yaml")
    builder = _Builder(document)
    try:
        builder.build(loader)
        document.root = builder.root
    except _Refused as refusal:
        document.problems.append(refusal.problem)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        if loader is not _JUDGE:
            raise
        document.problems.append(builder.syntax_error(error))
    document.problems.sort(key=lambda problem: problem.at.span)
    document.comments = list(_comments(source.text, builder.opaque))
    return document


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A value under construction, and later what its anchor stands for. `size` and `height` count with aliases expanded."""

    node: Node
    anchor: str | None = None
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 0


class _Builder:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.source.text
        self.root: Node | None = None
        self.opaque: list[Span] = []
        """Where a `#` is no comment."""
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Open] = {}
        self._aliased = 0

    def build(self, loader: Any) -> None:
        """Raises what PyYAML raises, and `_Refused`."""
        # libyaml does not count a leading BOM; the pure parser does
        body = self.text.lstrip("\ufeff")
        self._shift = len(self.text) - len(body)
        for event in yaml.parse(body, Loader=loader):
            self._take(event)

    # ------------------------------------------------------------------------------------------------- the events

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._add(_Open(self._scalar(event), event.anchor))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._anchors = {}

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        span = self._span(event)
        # both parsers say None or "" for a plain scalar
        style = "plain" if not event.style else "quoted" if event.style in "'\"" else "block"
        if style == "quoted" and "#" in self.text[span.start : span.end]:
            self.opaque.append(span)
        elif style == "block":
            header = self.text.find("\n", span.start, span.end)
            self.opaque.append(Span(header if header >= 0 else span.end, span.end))
        return Node("scalar", span, event.value, style, event.tag)  # type: ignore[arg-type]

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        node = Node(kind, self._span(event), tag=event.tag)  # type: ignore[arg-type]
        if len(self._stack) >= MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} levels deep", node.span.start - self._shift)
        self._stack.append(_Open(node, event.anchor, height=1))
        self._declare(self._stack[-1])

    def _close(self, event: yaml.Event) -> None:
        done = self._stack.pop()
        node = done.node
        # only `]` and `}` have a width; a block ends with its last value, not before the next token
        start, end = self._offsets(event)
        if end > start:
            node.span = Span(node.span.start, end)
        if node.kind == "mapping":
            self._finish_mapping(done)
        self._add(done, declared=True)

    def _alias(self, event: yaml.AliasEvent) -> None:
        span = self._span(event)
        target = self._anchors.get(event.anchor or "")
        if target is None:
            raise self._refused(f"found undefined alias {event.anchor!r}", span.start - self._shift, span)
        if any(open_ is target for open_ in self._stack):
            raise self._refused(f"alias {event.anchor!r} stands for a value it is part of", 0, span)
        self._aliased += target.size
        if self._aliased > MAX_ALIASED:
            raise self._refused(f"the aliases stand for more than {MAX_ALIASED:,} values", 0, span)
        if len(self._stack) + target.height > MAX_DEPTH:
            raise self._refused(f"nested more than {MAX_DEPTH} levels deep", 0, span)
        node = replace(target.node, span=span)
        self._add(_Open(node, size=target.size, height=target.height), declared=True)

    def _declare(self, value: _Open) -> None:
        if value.anchor is None:
            return
        if (first := self._anchors.get(value.anchor)) is not None:
            raise self._refused(
                f"found duplicate anchor {value.anchor!r}",
                0,
                value.node.span,
                (("first occurrence", Location(self.document.source, first.node.span)),),
            )
        self._anchors[value.anchor] = value

    def _add(self, value: _Open, declared: bool = False) -> None:
        """Put a finished value where it belongs."""
        node = value.node
        if not declared:
            self._declare(value)
        if not self._stack:
            if self.root is None and not _is_empty(node):
                self.root = node
            return
        parent = self._stack[-1]
        parent.size += value.size
        parent.height = max(parent.height, value.height + 1)
        if parent.node.span.end < node.span.end:
            parent.node.span = Span(parent.node.span.start, node.span.end)
        if parent.node.kind == "sequence":
            parent.node.elements.append(node)
        elif parent.key is None:
            parent.key = node
        elif _is_merge(parent.key):
            parent.merges.append(node)
            parent.key = None
        else:
            parent.node.entries.append(Entry(parent.key, node))
            parent.key = None

    # ------------------------------------------------------------------------------------------------ the mappings

    def _finish_mapping(self, mapping: _Open) -> None:
        seen: dict[Hashable, Entry] = {}
        entries = []
        for entry in mapping.node.entries:
            if entry.key.kind != "scalar":
                self._problem(
                    "file/syntax-error",
                    "found unhashable key: a mapping or a list cannot be a key" + self._template_hint(mapping.node),
                    entry.key.span,
                )
                continue
            entries.append(entry)
            name = resolve(entry.key, "pyyaml")
            if (first := seen.setdefault(name, entry)) is not entry:
                self.document.problems.append(repeated_key(self.document.source, first, entry, "PyYAML"))
        if mapping.merges:
            inherited: dict[object, Entry] = {}
            for place in mapping.merges:
                for origin in self._merged_mappings(place):
                    for entry in origin.entries:
                        name = resolve(entry.key, "pyyaml")
                        if name not in seen:
                            inherited[name] = Entry(entry.key, entry.value, merged=True)
            entries = [*inherited.values(), *entries]
        mapping.node.entries[:] = entries

    def _merged_mappings(self, value: Node) -> Iterator[Node]:
        """The mappings that `<<: value` names, those that win last."""
        nodes = value.elements[::-1] if value.kind == "sequence" else [value]
        for node in nodes:
            if node.kind == "mapping":
                yield node
            else:
                wanted = "a mapping" if value.kind == "sequence" else "a mapping or list of mappings"
                self._problem("file/syntax-error", f"expected {wanted} for merging, but found {node.kind}", node.span)

    def _template_hint(self, node: Node) -> str:
        is_template = self.text.startswith("{{", node.span.start)
        return " (is this a template? `{{ … }}` is a mapping to YAML)" if is_template else ""

    # -------------------------------------------------------------------------------------------------- the places

    def _offsets(self, event: yaml.Event) -> tuple[int, int]:
        assert event.start_mark is not None  # optional to the type stubs only
        assert event.end_mark is not None
        return event.start_mark.index + self._shift, event.end_mark.index + self._shift

    def _span(self, event: yaml.Event) -> Span:
        """Where the value itself stands, without the anchor and the tag before it."""
        start, end = self._offsets(event)
        if start < end and self.text[start] in "&!" and (match := _PROPERTIES.match(self.text, start)):
            start = match.end()
            if not isinstance(event, yaml.ScalarEvent):
                end = max(start, end)
        return Span(min(start, end), end)

    def _problem(self, kind: str, message: str, span: Span, related: tuple[tuple[str, Location], ...] = ()) -> None:
        self.document.problems.append(Problem(kind, message, Location(self.document.source, span), related))

    def _refused(
        self, message: str, at: int, span: Span | None = None, related: tuple[tuple[str, Location], ...] = ()
    ) -> _Refused:
        """`at` is an offset as PyYAML counts; `span` is ours, and goes first."""
        location = Location(self.document.source, span or self._character(at))
        return _Refused(Problem("file/syntax-error", message, location, related))

    def _character(self, at: int) -> Span:
        start = min(at + self._shift, len(self.text))
        return Span(start, min(start + 1, len(self.text)))

    # -------------------------------------------------------------------------------------------- the syntax errors

    def syntax_error(self, error: yaml.MarkedYAMLError | yaml.reader.ReaderError) -> Problem:
        """PyYAML's message, at the place where a person would look: an unclosed quote, not the end of the file."""
        source = self.document.source
        if isinstance(error, yaml.reader.ReaderError):
            place = self._character(error.position)
            message = f"unacceptable character U+{ord(source[place] or ' '):04X}: {error.reason}"
            return Problem("file/syntax-error", message, Location(source, place))
        problem, context = str(error.problem), error.context or ""
        mark = error.problem_mark or error.context_mark
        found = place = self._character(mark.index if mark else 0)
        begin = self._character(error.context_mark.index) if error.context_mark else found
        message = f"{problem} ({context})" if context else problem
        edits: tuple[tuple[Span, str], ...] = ()
        if "mapping values" in problem or "expected ':'" in problem:
            if glued := self._glued_key(begin, found):
                place = glued
                message += f"; write a space after `{source[glued]}`"
                edits = ((Span(glued.end, glued.end), " "),)
            elif "expected ':'" in problem:
                place = begin
        elif "quoted scalar" in context and "unexpected" in problem:
            place = begin
        elif "parsing a flow" in context:
            place = self._unclosed(found) or found
        elif source[found] == "\t":
            message += "; YAML is indented with spaces, never with tabs"
        elif self.text.startswith(("{%", "{{"), max(found.start - 1, 0)):
            message += "; a template is no YAML before it is rendered"
        related = () if place is found else (("noticed here", Location(source, found)),)
        return Problem("file/syntax-error", message, Location(source, place), related, edits)

    def _glued_key(self, *spans: Span) -> Span | None:
        """The `lr:` of a `lr:1e-4` in the lines of these places or the line before: to YAML that is one word."""
        lines = [self.document.source.position(span.start).line for span in spans]
        for line in (*lines, max(lines[-1] - 1, 1)):
            start = self.document.source.line_span(line).start
            if match := _GLUED_KEY.match(self.document.source.line(line)):
                return Span(start + match.start(1), start + match.end(1))
        return None

    def _unclosed(self, found: Span) -> Span | None:
        """The bracket left open, if what does not fit stands no deeper than the line of the bracket."""
        source = self.document.source
        starts = (value.node.span.start for value in reversed(self._stack))
        start = next((start for start in starts if self.text[start : start + 1] in ("[", "{")), None)
        if start is None:
            return None
        first, last = (source.line(source.position(at).line) for at in (start, found.start))
        left_open = not source[found] or (first != last and _indent(last) <= _indent(first))
        return Span(start, start + 1) if left_open else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_empty(node: Node) -> bool:
    return node.kind == "scalar" and node.style == "plain" and not node.text and node.tag is None


def _is_merge(key: Node) -> bool:
    # PyYAML resolves by its text what is plain, and what is tagged `!` even if it is quoted
    return key.tag == _MERGE or (key.text == "<<" and (key.tag or "!" if key.style == "plain" else key.tag) == "!")


def _comments(text: str, opaque: list[Span]) -> Iterator[Span]:
    at = 0
    for gap in [*opaque, Span(len(text), len(text))]:
        for match in _COMMENT.finditer(text, at, gap.start):
            yield Span(*match.span())
        at = gap.end
