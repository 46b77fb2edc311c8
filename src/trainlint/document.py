"""What a reader makes of a text: a located tree of raw values, or the commands that a shell script runs.

Nothing here knows a framework. Scalars keep their text and style, because `1e-4` is a string to PyYAML and a number to
OmegaConf: the dialect resolves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from trainlint.text import Location, SourceText, Span

Format = Literal["shell", "yaml", "json", "toml", "python", "notebook"]
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. `text` is how a person would point at it; `parents` are the values it was made of.

    A chain with one parent at every hop ends in the literal that a fix may change.
    """

    kind: Literal[
        "literal",  # written in a file
        "expansion",  # ${lr}
        "assignment",  # lr=2e-5
        "default-value",  # the d of ${lr:-d}
        "computed",  # made of its parents: "a${x}", $((a * b)), a derived fact
        "environment",  # an environment variable, known or not
        "positional",  # $1
        "option",  # said on our command line
        "framework-default",  # what the trainer does when nothing is said
        "catalogue",  # what our catalogue says of a model
        "model-file",  # the config.json of a model
        "unresolved",  # $(date), $RANDOM
    ]
    text: str
    at: Location | None = None
    parents: tuple[Origin, ...] = ()

    def chain(self) -> Iterator[Origin]:
        """This origin and what it came from, outermost first, as long as every hop has one parent."""
        origin = self
        yield origin
        while len(origin.parents) == 1:
            origin = origin.parents[0]
            yield origin

    @property
    def literal(self) -> Location | None:
        """The literal that alone is this value, if there is one. A product or a concatenation has none."""
        for origin in self.chain():
            if origin.kind == "literal":
                return origin.at
            if origin.kind == "computed":
                return None
        return None

    @property
    def written(self) -> str | None:
        """The text with the environment's variables left as they are; None where anything else decides about it.

        Two values that are written alike are equal, whatever the variables hold.
        """
        if self.kind == "environment":
            variable = _VARIABLE.fullmatch(self.text)
            return f"${variable[1]}" if variable is not None else None
        if self.kind == "literal":
            return self.text
        joined = self.kind == "computed" and self.text == "".join(parent.text for parent in self.parents)
        handed_on = self.kind in ("expansion", "assignment", "default-value") and len(self.parents) == 1
        texts = [parent.written for parent in self.parents] if joined or handed_on else [None]
        return "".join(text for text in texts if text is not None) if None not in texts else None

    def walk(self) -> Iterator[Origin]:
        yield self
        for parent in self.parents:
            yield from parent.walk()


# ---------------------------------------------------------------------------------------------- trees (YAML, JSON, TOML)


@dataclass(slots=True)
class Node:
    """One value of a data file. A scalar's `text` has its quotes and escapes resolved; its type is the dialect's business."""

    kind: Literal["mapping", "sequence", "scalar"]
    span: Span
    text: str = ""
    style: Literal["plain", "quoted", "block", "number", "literal"] = "plain"
    """YAML: plain, quoted, block. JSON: quoted, number, literal (true, false, null, NaN). TOML likewise (true, a date)."""
    tag: str | None = None
    entries: list[Entry] = field(default_factory=list)
    elements: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A key and its value. `merged`: it came through `<<` and stands elsewhere in the file."""

    key: Node
    value: Node
    merged: bool = False


# ---------------------------------------------------------------------------------------------------------- shell


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a shell word: its text, or None and the reason in `unknown`."""

    text: str | None
    origin: Origin
    unknown: str | None = None

    def slice(self, start: int, end: int) -> Part:
        """Some characters of a known part. A literal that stands verbatim in the file keeps an exact place."""
        text = (self.text or "")[start:end]
        at = self.origin.literal
        if at is None or at.text != self.text:
            return self if text == self.text else Part(text, Origin("computed", text, None, (self.origin,)))
        origin = Origin("literal", text, Location(at.source, Span(at.span.start + start, at.span.start + end)))
        for hop in reversed([*self.origin.chain()][:-1]):
            origin = Origin(hop.kind, hop.text, hop.at, (origin,))
        return Part(text, origin)


@dataclass(frozen=True, slots=True)
class Word:
    """One word that bash passes to a command. `span` is where it stands in the command (the expansion, not its value).

    `several`: an unresolved unquoted word; bash may make no word of it, one, or many.
    """

    parts: tuple[Part, ...]
    span: Span
    several: bool = False

    @property
    def text(self) -> str | None:
        """The whole word, or None when any part of it is unknown."""
        texts = [part.text for part in self.parts]
        return None if None in texts else "".join(text for text in texts if text is not None)

    @property
    def known_prefix(self) -> str:
        """The text up to the first unknown part."""
        prefix = []
        for part in self.parts:
            if part.text is None:
                break
            prefix.append(part.text)
        return "".join(prefix)

    @property
    def known_suffix(self) -> str:
        """The text from the last unknown part on."""
        start = max((at for at, part in enumerate(self.parts, 1) if part.text is None), default=0)
        return "".join(part.text or "" for part in self.parts[start:])

    @property
    def unknown(self) -> str | None:
        return next((part.unknown for part in self.parts if part.text is None), None)

    @property
    def origin(self) -> Origin:
        if len(self.parts) == 1:
            return self.parts[0].origin
        text = "".join(part.origin.text for part in self.parts)
        return Origin("computed", text, None, tuple(part.origin for part in self.parts))

    def after(self, count: int) -> Word:
        """The word without its first `count` (known) characters: the value of `--flag=value`."""
        parts = list(self.parts)
        start = self.span.start
        while parts and count:
            first = parts[0]
            text = first.text or ""
            if len(text) <= count:
                parts.pop(0)
                count -= len(text)
                at = first.origin.at
                if at is not None and self.span.start <= at.span.start and at.span.end <= self.span.end:
                    start = at.span.end
            else:
                parts[0] = first.slice(count, len(text))
                at = parts[0].origin.literal
                start = at.span.start if at is not None and at.span.start in self.span else start
                count = 0
        if not parts:
            parts = [Part("", Origin("literal", "", None))]
        return Word(tuple(parts), Span(start, self.span.end))


@dataclass(frozen=True, slots=True)
class Written:
    """What a script leaves in a file: its text, None where only a run could tell it, and the command that writes it."""

    text: str | None
    parts: tuple[Part, ...] = field(compare=False)
    at: Location = field(compare=False)

    def place(self, span: Span) -> Location:
        """Where the script has these characters, else the command."""
        start = 0
        for part in self.parts:
            end = start + len(part.text or "")
            if start <= span.start and span.end <= end:
                piece = part.slice(span.start - start, span.end - start)
                found = piece.origin.literal
                return found if found is not None and found.text == piece.text else self.at
            start = end
        return self.at


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command as bash would run it.

    `environment` holds the assignments before the command and the exported variables at that moment.
    `directory` is the working directory relative to the script's own start (None: unknown after a `cd`).
    `files` are those that the script has written by then, by path.
    """

    words: tuple[Word, ...]
    span: Span
    environment: dict[str, Word] = field(default_factory=dict)
    directory: str | None = ""
    files: Mapping[str, Written] = field(default_factory=dict)

    @property
    def name(self) -> Word:
        return self.words[0]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One place in a script where a command runs: one alternative for each way that the branches before it may go."""

    span: Span
    alternatives: tuple[Command, ...]


# --------------------------------------------------------------------------------------------------------- Python


@dataclass(frozen=True, slots=True)
class Value:
    """What a Python expression is, as far as reading it tells; `unknown` is the reason why nobody can tell.

    `value` is a scalar, a tuple of Values, or `Items`, a `Table`, a `Symbol` or a `Call`. Where a branch decides between
    values that are known each, the value is unknown and `either` holds them.
    """

    value: Any
    origin: Origin
    unknown: str | None = None
    either: Either | None = None

    def unclear(self, reason: str) -> Value:
        """The same where nobody can tell any longer what it is."""
        return replace(self, unknown=reason, either=None)

    def possible(self) -> Iterator[Value]:
        """The value itself, or all that it is one of."""
        if self.either is None:
            yield self
        else:
            for each in self.either.values:
                yield from each.possible()


@dataclass(frozen=True, slots=True)
class Either:
    """The values of the ways that a branch may go, in their order; `at` is the branch, the same for all that it decides."""

    at: Location
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword of a call or a key of a dict, and what it is given."""

    key: Location
    at: Location
    value: Value


@dataclass(slots=True, eq=False)
class Items:
    """A list (or a set); `open` is the reason why nobody can tell what it holds."""

    elements: list[Value]
    open: str | None = None


@dataclass(slots=True, eq=False)
class Table:
    """A dict; `open` is the reason why nobody can tell which keys it has."""

    entries: dict[Any, Keyword]
    open: str | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something with a name: `torch.bfloat16`, with the names that imports give resolved.

    `source`: the file imports it, defines it, extends it (`path` is the base class), or says nothing of where it comes from.
    """

    path: str
    source: Literal["imported", "local", "extended", "free"] = "imported"

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(slots=True, eq=False)
class Call:
    """A call, and what it makes: later assignments to an attribute of it (`args.learning_rate = …`) are `keywords` too.

    `at` is the function's name there, `whole` the call with its arguments, `cell` the number of the notebook's cell, from 1.
    `open` is the reason why there may be other keywords; `methods` are the calls of methods of the result.
    """

    function: Symbol
    at: Location
    whole: Location
    positional: list[Value]
    keywords: dict[str, Keyword]
    open: str | None = None
    cell: int | None = None
    methods: list[Call] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the file as such, found while reading it.

    `kind` is the rule that reports it, for instance `file/syntax-error`.
    """

    kind: str
    message: str
    at: Location
    related: tuple[tuple[str, Location], ...] = ()
    edits: tuple[tuple[Span, str], ...] = ()
    harmless: bool = False
    """It changes nothing as the file stands: a key that stands twice with the same value."""


def repeated_key(source: SourceText, first: Entry, again: Entry, reader: str) -> Problem:
    """The problem of a key that stands twice in one mapping."""
    places = [Location(source, entry.value.span) for entry in (first, again)]
    same = places[0].text == places[1].text
    values = [place.text for place in places if place.text and len(place.text) <= 40 and "\n" not in place.text]
    said = ", both times with the same value" if same else f", as {values[0]} and as {values[1]}" if values[1:] else ""
    return Problem(
        "file/duplicate-key",
        f"key {again.key.text!r} stands twice{said}: {reader} silently takes the last one",
        Location(source, again.key.span),
        (("first given here", Location(source, first.key.span)),),
        harmless=same,
    )


@dataclass(slots=True)
class Document:
    """A file as read: a tree (`root`) for data formats, `invocations` for scripts, `calls` for Python."""

    source: SourceText
    format: Format
    root: Node | None = None
    invocations: list[Invocation] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    headers: list[tuple[str, Location]] = field(default_factory=list)
    """`#SBATCH` lines of a script: the text after `#SBATCH`, and where it stands."""
    sourced: list[Path] = field(default_factory=list)
    """Shell files that were read as parts of a script."""
    problems: list[Problem] = field(default_factory=list)
    comments: list[Span] = field(default_factory=list)

    @property
    def written(self) -> dict[str, Written]:
        """What the commands that name a file find in it, of those that the script writes."""
        found: dict[str, Written] = {}
        for command in (command for invocation in self.invocations for command in invocation.alternatives):
            for path, written in command.files.items():
                name = path.rpartition("/")[2]
                if (
                    any(name in (word.text or "") for word in command.words)
                    and found.setdefault(path, written) != written
                ):
                    found[path] = Written(None, (), written.at)
        return found

    def at(self, span: Span) -> Location:
        return Location(self.source, span)
