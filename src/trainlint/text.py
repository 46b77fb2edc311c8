"""Source text, places in it, and edits of it. Offsets are code points into `SourceText.text` (the BOM is not part of it)."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

MAX_BYTES = 1_000_000
"""A training configuration is small; a larger file is a log or a data set that was passed by mistake."""
MAX_NOTEBOOK_BYTES = 10_000_000
"""A notebook holds its outputs, too: pictures, mostly."""


def most_bytes(path: str) -> int:
    """How large a file of this name may be."""
    return MAX_NOTEBOOK_BYTES if path.endswith(".ipynb") else MAX_BYTES


class Unreadable(Exception):
    """The bytes are no text that a trainer could read. `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points, `start <= end`."""

    start: int
    end: int

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, both from 1; the column counts code points."""

    line: int
    column: int


@dataclass(frozen=True, eq=False)
class SourceText:
    """The text of one file. `path` is what the user called it; `file` is where it lies, or None for stdin.

    `place` is for a text that no file holds yet, because a script writes it: where in the script a span of it stands.
    """

    path: str
    text: str
    file: Path | None = None
    bom: bool = field(default=False)
    place: Callable[[Span], Location] | None = None

    @classmethod
    def load(cls, file: Path, path: str | None = None) -> SourceText:
        """Read a file. Raises `Unreadable` for what is no text, `OSError` for what cannot be opened."""
        with file.open("rb") as stream:
            data = stream.read(most_bytes(file.name) + 1)
        return cls.decode(data, path or str(file), file)

    @classmethod
    def decode(cls, data: bytes, path: str, file: Path | None = None) -> SourceText:
        if len(data) > (most := most_bytes(path)):
            raise Unreadable(f"larger than {most:,} bytes, which no training configuration is")
        bom = data.startswith(codecs.BOM_UTF8)
        body = data[len(codecs.BOM_UTF8) :] if bom else data
        if b"\0" in body:
            raise Unreadable("a binary file (it contains NUL bytes)", *_position_in_bytes(body, body.index(b"\0")))
        try:
            return cls(path, body.decode("utf-8"), file, bom)
        except UnicodeDecodeError as error:
            raise Unreadable(
                f"not valid UTF-8: byte 0x{body[error.start]:02x} {error.reason}",
                *_position_in_bytes(body, error.start),
            ) from None

    def encode(self, text: str) -> bytes:
        """A text as the bytes of this file: `encode(self.text)` is what was read."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode("utf-8")

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(i + 1 for i, char in enumerate(self.text) if char == "\n")]

    @property
    def line_count(self) -> int:
        return len(self._line_starts)

    def position(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def offset(self, line: int, column: int = 1) -> int:
        """The inverse of `position`, clamped to the text."""
        start = self._line_starts[min(max(line, 1), self.line_count) - 1]
        return min(start + column - 1, len(self.text))

    def line_span(self, line: int) -> Span:
        """The line without its line break."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] if line < self.line_count else len(self.text)
        return Span(start, start + len(self.text[start:end].rstrip("\r\n")))

    def line(self, line: int) -> str:
        return self[self.line_span(line)]

    def __getitem__(self, span: Span) -> str:
        return self.text[span.start : span.end]


def _position_in_bytes(data: bytes, at: int) -> tuple[int, int]:
    before = data[:at]
    start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[start:].decode("utf-8", "replace")) + 1


@dataclass(frozen=True, slots=True)
class Location:
    """A span of a source."""

    source: SourceText
    span: Span

    @property
    def start(self) -> Position:
        return self.source.position(self.span.start)

    @property
    def end(self) -> Position:
        return self.source.position(self.span.end)

    @property
    def text(self) -> str:
        return self.source[self.span]

    @property
    def on_disk(self) -> Location:
        """Itself, or for a text that a script writes, its place in the script."""
        return self if self.source.place is None else self.source.place(self.span)


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `at` by `text`; an insertion has an empty span."""

    at: Location
    text: str


def apply(text: str, edits: Iterable[tuple[Span, str]]) -> str:
    """Splice non-overlapping edits into a text; everything outside stays as it is. Raises ValueError where two overlap."""
    ordered = sorted(edits, key=lambda edit: edit[0])
    pieces, at = [], 0
    for span, replacement in ordered:
        if span.start < at:
            raise ValueError("overlapping edits")
        pieces += [text[at : span.start], replacement]
        at = span.end
    return "".join([*pieces, text[at:]])
