"""Writing suppressions for findings: what `trainlint lint --add-ignores` does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trainlint import readers
from trainlint.document import Document, Node
from trainlint.findings import ALSO, Finding
from trainlint.suppress import pointers
from trainlint.suppress.comments import BY_NAME_ONLY, Directive, parse, write
from trainlint.suppress.scope import Scopes
from trainlint.text import Edit, Location, SourceText, Span, apply

_TRIAL = "# trainlint: ignore[trial/trial]"
_LINE_OF_CODE = re.compile(r'(?:[^"\\ ]|\\[^nr]| +(?! |\\[nr]|"))*')
"""The rest of a line of code in a JSON string, up to its blanks at the end, `\\n` or the quote."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A suppression for the configuration: a file that has no comments, and the value in it."""

    path: str
    pointer: str
    rules: tuple[str, ...]
    reason: str

    def toml(self, table: str = "ignores") -> str:
        """The lines for `trainlint.toml`; in `pyproject.toml` the table is `tool.trainlint.ignores`."""
        values = {"path": self.path, "pointer": self.pointer, "rules": list(self.rules), "reason": self.reason}
        # TOML's basic strings are JSON's, as long as there are only strings and lists of them
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        return "\n".join([f"[[{table}]]", *lines]).replace("\x7f", "\\u007f") + "\n"


@dataclass(frozen=True, slots=True)
class Added:
    """The comments to write, the entries to paste into the configuration, and the findings that neither can hide."""

    edits: tuple[Edit, ...]
    entries: tuple[Entry, ...]
    left: tuple[Finding, ...]


def add(document: Document, findings: Iterable[Finding], reason: str, *, base: Path | None = None) -> Added:
    """Suppress findings of one document, each as narrowly as its place allows.

    A comment goes to the end of the line, or above the command where the line is continued, or into the suppression that is
    there already; in a notebook into the cell, whose text the JSON holds line by line or in one. No edit changes what the file
    says. JSON has no comments, so its findings become entries, with paths relative to `base` (the configuration's directory;
    else the working directory). A finding that lies in another file is left, as is one about a suppression.
    """
    ours: list[Finding] = []
    left: list[Finding] = []
    for finding in findings:
        outside = finding.at.source is not document.source
        beyond = finding.rule in BY_NAME_ONLY or finding.rule.startswith("suppressions/")
        (left if outside or beyond else ours).append(finding)
    if document.format == "json":
        return Added((), tuple(_entries(document, ours, reason, base or Path.cwd())), tuple(left))
    writer = _Writer(document)
    for finding in ours:
        placed = [writer.place(each) for each in _everywhere(finding)]
        left += [finding] if not all(placed) else []
    return Added(tuple(writer.edits(reason)), (), tuple(left))


def _everywhere(finding: Finding) -> list[Finding]:
    """The finding at each of its places: runs that share it are suppressed one by one."""
    places = [place.at for place in finding.related if place.message == ALSO and place.at.source is finding.at.source]
    return [finding, *(replace(finding, at=at) for at in places)]


def _entries(document: Document, findings: list[Finding], reason: str, base: Path) -> Iterator[Entry]:
    by_pointer: dict[str, set[str]] = {}
    for finding in findings:
        for place in _everywhere(finding):
            # what is absent is shown at the first key, which has nothing to do with it
            pointer = pointers.of(document.root, place.at.span.start) if finding.argument else ""
            by_pointer.setdefault(pointer, set()).add(finding.rule)
    file = document.source.file
    name = os.path.relpath(file, base) if file is not None else document.source.path
    # a pattern as in .gitignore: with a slash in front it means this very file
    pattern = "/" + re.sub(r"([\\*?\[])", r"\\\1", name.replace(os.sep, "/"))
    for pointer, rules in sorted(by_pointer.items()):
        yield Entry(pattern, pointer, tuple(sorted(rules)), " ".join(reason.split()))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a suppression goes: into an existing one (`into`), to the end of a line, or on a line of its own (`above`)."""

    at: int
    above: bool = False
    into: Directive | None = None


class _Writer:
    def __init__(self, document: Document) -> None:
        self.document, self.source = document, document.source
        self.scopes = Scopes(document)
        self.directives = [found for found in parse(document) if isinstance(found, Directive) and not found.whole_file]
        self.newline = "\r\n" if "\r\n" in self.source.text else "\n"
        self._names: dict[_Place, set[str]] = {}
        self._found: dict[int, _Place | None] = {}
        self._meaning = _meaning(readers.read(self.source, document.format))

    def place(self, finding: Finding) -> bool:
        """Take the finding up; False where no comment can hide it."""
        line = finding.at.start.line
        if line not in self._found:
            self._found[line] = self._choose(line, finding.at.span.start)
        place = self._found[line]
        if place is None:
            return False
        self._names.setdefault(place, set()).add(finding.rule)
        return True

    def edits(self, reason: str) -> Iterator[Edit]:
        for place, rules in sorted(self._names.items(), key=lambda item: item[0].at):
            if place.into is not None:
                named = [name.text for name in place.into.names]
                names = [*named, *sorted(rules - set(named))]
                yield Edit(Location(self.source, place.into.list), ", ".join(names))
            else:
                at = Location(self.source, Span(place.at, place.at))
                yield Edit(at, self._text(place, write("ignore", sorted(rules), reason)))

    def _choose(self, line: int, offset: int) -> _Place | None:
        """By line: whatever stands on one line shares a comment."""
        for directive in reversed(self.directives):
            if line in self.scopes.of(directive):
                return _Place(directive.span.start, into=directive)
        if line == 1 and self.source.text.startswith("#!"):
            return None
        above = self.source.line_span(self.scopes.line_above(offset)).start
        choices = [_Place(self._end(line, offset)), _Place(above, above=True)]
        return next((place for place in choices if self._works(place, line)), None)

    def _works(self, place: _Place, line: int) -> bool:
        """Whether the reader would see a suppression of `line` there, and otherwise the same file."""
        if not place.above and not self.scopes.takes_comment(line):
            return False
        text = apply(self.source.text, [(Span(place.at, place.at), self._text(place, _TRIAL))])
        trial = readers.read(
            SourceText(self.source.path, text, self.source.file, self.source.bom), self.document.format
        )
        scopes = Scopes(trial)
        seen = [
            found
            for found in parse(trial)
            if isinstance(found, Directive)
            and trial.source[found.span] == _TRIAL
            and scopes.stands_alone(found) is place.above
        ]
        return len(seen) == 1 and line + place.above in scopes.of(seen[0]) and _meaning(trial) == self._meaning

    def _end(self, line: int, offset: int) -> int:
        """Where a comment at the end of a line goes."""
        if self.document.format == "notebook":
            code = _LINE_OF_CODE.match(self.source.text, offset)
            return code.end() if code is not None else offset
        span = self.source.line_span(line)
        return span.start + len(self.source[span].rstrip())

    def _text(self, place: _Place, comment: str) -> str:
        line = self.source.line(self.source.position(place.at).line)
        blanks, end = " \t", self.newline
        if self.document.format == "notebook":
            comment = json.dumps(comment, ensure_ascii=self.source.text.isascii())[1:-1]
            blanks, end = ' \t"', f'\\n",{self.newline}'  # a line of code is a JSON string
        return f"{line[: len(line) - len(line.lstrip(blanks))]}{comment}{end}" if place.above else f"  {comment}"


def _meaning(document: Document) -> object:
    """What a document says, without where it says it."""
    commands = [
        [
            ([word.text for word in command.words], {name: word.text for name, word in command.environment.items()})
            for command in invocation.alternatives
        ]
        for invocation in document.invocations
    ]
    problems = [(problem.kind, problem.message) for problem in document.problems]
    calls = [(call.function.path, sorted(call.keywords)) for call in document.calls]
    return _values(document.root), commands, calls, problems, [text for text, _ in document.headers]


def _values(node: Node | None) -> object:
    if node is None:
        return None
    entries = [(_values(entry.key), _values(entry.value)) for entry in node.entries]
    return node.kind, node.text, node.style, node.tag, entries, [_values(element) for element in node.elements]
