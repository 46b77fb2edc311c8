"""Edits of YAML, JSON and TOML: a scalar in its own quotes, or a key after its neighbour, tried on a copy that is read again.

All values but the one that is set must come out as they were, and that one as the type that is meant: `no` is written `"no"`
where the loader would make `False` of it, and `1e-4` as `1.0e-4` where it would stay text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace as copy_with

from trainlint.dialects.tree import Loader
from trainlint.document import Document, Entry, Node
from trainlint.readers.scalars import resolve
from trainlint.text import Edit, Location, SourceText, Span, apply

Parse = Callable[[SourceText], Document]
Path = tuple[object, ...]
PLAIN = ("pyyaml", "omegaconf")
"""The loaders that take text without quotes."""
_LINE = {"yaml": "{}: {}", "json": '"{}": {}', "toml": "{} = {}"}
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(?:[eE]([-+]?)(\d+))?")
_WORD = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_ANCHOR = r"&{}(?=[\s,\]}}])(?:\s+![^\s,\[\]{{}}]*)*\s+"
_REST = re.compile(r"(?P<comma>[ \t]*,)?(?P<rest>[ \t]*(?://[^\n]*|#[^\n]*)?)(?=\r?\n|\Z)")


def replace(
    parse: Parse, document: Document, loader: Loader, span: Span, text: str, known: Collection[str]
) -> Edit | None:
    """Give the scalar at `span` another value. `known`: the top-level keys that mean something to the framework.

    A value that stands behind an alias or a merge is changed where it is written, if nothing else takes it from there.
    """
    nodes = dict(_walk(document.root))
    paths = {path for path, node in nodes.items() if node.span == span}
    if document.source[span].startswith("*"):
        span = _anchored(document, span, nodes) or span
        holders = {path for path, node in nodes.items() if node.span == span} - paths
        if not holders or any(len(path) == 1 and path[0] in known for path in holders):
            return None
        paths |= holders
    # two: where it is written, and where an alias or a merge brings it
    if not 1 <= len(paths) <= 2 or sum(len(path) == 1 for path in paths if path[0] in known) > 1:
        return None
    node = nodes[min(paths, key=len)]
    if node.kind != "scalar" or node.style == "block":
        return None
    for spelling, value in _spellings(text, loader, _quotes(document, node, span, text)):
        edit = Edit(Location(document.source, span), spelling)
        if spelling == document.source[span]:
            return None
        if _tried(parse, document, loader, edit, dict.fromkeys(paths, value)):
            return edit
    return None


def insert(
    parse: Parse, document: Document, loader: Loader, path: Sequence[str], text: str, neighbours: Sequence[str]
) -> Edit | None:
    """Add a key behind one of the `neighbours`, or behind the first scalar. The mapping above it must be there."""
    parent = document.root
    for name in path[:-1]:
        entry = next((e for e in parent.entries if e.key.text == name and not e.merged), None) if parent else None
        parent = entry.value if entry is not None else None
    if parent is None or parent.kind != "mapping" or document.source[parent.span].startswith("*"):
        return None
    for spelling, value in _spellings(text, loader, ""):
        edit = _insertion(document.source, parent, neighbours, _LINE[document.format].format(path[-1], spelling))
        if edit is not None and _tried(parse, document, loader, edit, {tuple(path): value}):
            return edit
    return None


# --------------------------------------------------------------------------------------------------------- spelling


def _spellings(text: str, loader: Loader, quote: str) -> Iterator[tuple[str, object]]:
    """Ways to write a value and what it then is, the plainest first. `quote`: the quotes that the old value stands in."""
    if quote:
        inner = json.dumps(text, ensure_ascii=False)[1:-1] if quote == '"' else text.replace("'", "''")
        yield quote + inner + quote, text
        yield json.dumps(text, ensure_ascii=False), text
        return
    value = meaning(text)
    candidates = [text]
    if (number := _NUMBER.fullmatch(text)) and not isinstance(value, str):
        candidates.append(_dotted(number))
    quoted = json.dumps(text, ensure_ascii=False)
    # other forms may look like a date or a `=`, which PyYAML refuses to construct
    bare = loader in PLAIN and _WORD.fullmatch(text)
    for candidate in candidates:
        found = resolve(Node("scalar", Span(0, 0), candidate, "plain"), loader)
        if type(found) is type(value) and found == value and (not isinstance(value, str) or bare):
            yield candidate, value
    if isinstance(value, str):
        yield quoted, value


def meaning(text: str) -> object:
    """What is meant by a fix's text: a number, true, false or null, else text."""
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    if _NUMBER.fullmatch(text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return text


def _dotted(number: re.Match[str]) -> str:
    """`1e-4` as `1.0e-4` and `1e5` as `1.0e+5`, which every loader takes for a number."""
    mantissa, sign, exponent = number.groups()
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0" if exponent else mantissa
    mantissa = re.sub(r"\.$", ".0", re.sub(r"^([-+]?)\.", r"\g<1>0.", mantissa))
    return f"{mantissa}e{sign or '+'}{exponent}" if exponent else mantissa


def _quotes(document: Document, node: Node, span: Span, text: str) -> str:
    """The quotes to keep: those around text that is replaced by text, or around a number that is replaced by a number."""
    if node.style != "quoted":
        return ""
    meant, was = meaning(text), meaning(node.text)
    return document.source[span][:1] if isinstance(meant, str) or not isinstance(was, str) else ""


# ---------------------------------------------------------------------------------------------------------- places


def _insertion(source: SourceText, parent: Node, neighbours: Sequence[str], line: str) -> Edit | None:
    flow = source[parent.span].startswith("{")
    own = [entry for entry in parent.entries if not entry.merged]
    if not own:
        return _into_empty(source, parent, line) if flow and not parent.entries else None
    entry = _neighbour(own, neighbours)
    newline = "\r\n" if "\r\n" in source.text else "\n"
    if entry is None:
        first = own[0].key.span.start
        separator = ", " if flow else newline + " " * (source.position(first).column - 1)
        return Edit(Location(source, Span(first, first)), f"{line}{separator}")
    if flow:
        return _behind(source, entry, line, newline)
    at = source.line_span(source.position(entry.value.span.end).line).end
    indent = " " * (source.position(entry.key.span.start).column - 1)
    return Edit(Location(source, Span(at, at)), f"{newline}{indent}{line}")


def _behind(source: SourceText, entry: Entry, line: str, newline: str) -> Edit:
    """Behind an entry in braces: on a line of its own if the entry has one, with the comma where it belongs."""
    end = entry.value.span.end
    start = source.line_span(source.position(entry.key.span.start).line).start
    indent = source.text[start : entry.key.span.start]
    rest = _REST.match(source.text, end)
    if indent.strip() or rest is None:
        lead = " " if indent.strip() or start == 0 else newline + indent
        return Edit(Location(source, Span(end, end)), f",{lead}{line}")
    if rest["comma"]:
        return Edit(Location(source, Span(rest.end(), rest.end())), f"{newline}{indent}{line},")
    return Edit(Location(source, Span(end, rest.end())), f",{rest['rest']}{newline}{indent}{line}")


def _into_empty(source: SourceText, parent: Node, line: str) -> Edit:
    """Into `{}`: on one line if it is on one."""
    at = parent.span.start + 1
    inner = source.text[at : parent.span.end - 1]
    if "\n" not in inner:
        return Edit(Location(source, Span(at, at)), line)
    above = source.line(source.position(parent.span.start).line)
    indent = above[: len(above) - len(above.lstrip())]
    newline = "\r\n" if "\r\n" in source.text else "\n"
    return Edit(Location(source, Span(at, at)), f"{newline}{indent}  {line}")


def _neighbour(entries: Sequence[Entry], wanted: Sequence[str]) -> Entry | None:
    scalars = {
        entry.key.text: entry
        for entry in entries
        if entry.value.kind == "scalar"
        and entry.value.style != "block"
        and entry.value.span.end > entry.value.span.start
    }
    return next((scalars[name] for name in wanted if name in scalars), next(iter(scalars.values()), None))


def _anchored(document: Document, alias: Span, nodes: dict[Path, Node]) -> Span | None:
    """Where the scalar stands that an alias names, if one anchor of the file has this name."""
    name = document.source[alias][1:]
    ends = [match.end() for match in re.finditer(_ANCHOR.format(re.escape(name)), document.source.text)]
    if len(ends) != 1:
        return None
    return next((node.span for node in nodes.values() if node.span.start == ends[0] and node.kind == "scalar"), None)


# --------------------------------------------------------------------------------------------------- trying an edit


def _tried(parse: Parse, document: Document, loader: Loader, edit: Edit, wanted: dict[Path, object]) -> bool:
    """Whether the text that an edit makes has the old values, but the wanted ones at their places."""
    source = document.source
    after = parse(copy_with(source, text=apply(source.text, [(edit.at.span, edit.text)])))
    if after.root is None or len(after.problems) > len(document.problems):
        return False
    old, new = ({path: _value(node, loader) for path, node in _walk(d.root)} for d in (document, after))
    return {**old, **{path: (type(value), value) for path, value in wanted.items()}} == new


def _value(node: Node, loader: Loader) -> tuple[object, object]:
    if node.kind != "scalar":
        return node.kind, len(node.elements)
    value = resolve(node, loader)
    return type(value), "nan" if value != value else value


def _walk(node: Node | None, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """All values by path; of two equal keys the last one counts, as for the loaders."""
    if node is None:
        return
    yield path, node
    for entry in node.entries:
        yield from _walk(entry.value, (*path, entry.key.text))
    for number, element in enumerate(node.elements):
        yield from _walk(element, (*path, number))
