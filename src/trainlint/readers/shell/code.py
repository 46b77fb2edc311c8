"""Shell text, the tree that tree-sitter makes of it, and where each character of it stands in the file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser, Tree

from trainlint.document import Origin, Part
from trainlint.text import Location, SourceText, Span

Value = tuple[Part, ...]

PLACEHOLDER = re.compile(r"<(?=[^\W\d])(?:[^<>|;&()\n\"'`$\\]*[^<>|;&()\s\"'`$\\])?(?<!\s\d)>(?=[\s\\/]|\Z)")
"""`<path to model>`: to bash a redirection from `path` and one into whatever comes next."""

_HOLE = "\ufffc"
"""Stands for an unknown part in text that is made of parts."""

_MENDED = re.compile(
    r"(?P<end>\\\n?\Z)"  # the grammar sees an error in a continuation into nothing
    r"|(?P<escape>\\[\s\S])"
    r"|(?P<remark>`[ \t]*#[^`\n]*`)"  # an empty command substitution used as a comment
    r"|(?P<expansion>\$\{[^{}()'\"`\n\\]+\})"  # ${A:$N+1}, ${that s}
    r"|(?P<nothing>\$\([ \t]*\))"
    rf"|(?P<placeholder>{PLACEHOLDER.pattern})"
    r"|(?P<return>\r)"  # an ordinary character to bash
)


_NEIGHBOURS = re.compile(
    r"(?<![\w$])(?P<first>[A-Za-z_]\w*\+?=(?:[^\s;&|()<>'\"`\\]|\"[^\"\n]*\"|'[^'\n]*'|\$\([^()\n]*\))*)"
    r"(?P<blanks>[ \t]+)(?=[A-Za-z_]\w*\+?=(?P<array>\()?)",
    re.ASCII,
)
"""After two assignments on a line, the grammar takes the `else` or `[[` below for the command they belong to."""


def _separate(match: re.Match[str]) -> str:
    blanks = len(match["blanks"])
    return match["first"] + (";".ljust(blanks) if match["array"] else "." * blanks)


def _mend(match: re.Match[str]) -> str:
    text = match[0]
    if match["escape"]:
        return "\\." if text[1] in " \t\r" else text
    if match["end"]:
        return " " + text[1:]
    if match["expansion"]:
        return "${" + "x" * (len(text) - 3) + "}"
    return "." * len(text)


@lru_cache(maxsize=1)
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


class Code:
    """Shell text: a whole file, or the text that `eval` gets.

    The tree is made of a copy of equal length in which the known gaps of the grammar are papered over, so its nodes only
    say where statements are. Words are read from the text itself.
    """

    def __init__(self, source: SourceText, text: str, parts: Value | None = None) -> None:
        self.source, self.text, self._parts = source, text, parts

    @classmethod
    def of_file(cls, source: SourceText) -> Code:
        return cls(source, source.text)

    @classmethod
    def of_parts(cls, source: SourceText, parts: Value) -> Code:
        return cls(source, "".join(_HOLE if part.text is None else part.text for part in parts), parts)

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for part in self._parts or ():
            starts.append(at)
            at += 1 if part.text is None else len(part.text)
        return starts

    def parts(self, start: int, end: int) -> Value:
        """The characters as parts of a word, with their origins."""
        if self._parts is None:
            return (Part(self.text[start:end], Origin("literal", self.text[start:end], self.at(start, end))),)
        found, index = [], max(bisect_right(self._starts, start) - 1, 0)
        while index < len(self._parts) and self._starts[index] < end:
            part, offset = self._parts[index], self._starts[index]
            if part.text is None:
                found.append(part)
            elif (low := max(start - offset, 0)) < (high := min(end - offset, len(part.text))):
                found.append(part.slice(low, high))
            index += 1
        return tuple(found)

    def at(self, start: int, end: int) -> Location:
        """Where the characters stand in the file, as exactly as that can be said."""
        if self._parts is None:
            return Location(self.source, Span(start, end))
        places = []
        for part in self.parts(start, max(end, start + 1)):
            at = part.origin.literal or next((origin.at for origin in part.origin.chain() if origin.at), None)
            if at is not None and at.source is self.source:
                places.append(at.span)
        if not places:
            return Location(self.source, Span(0, 0))
        return Location(self.source, Span(places[0].start, max(places[0].end, places[-1].end)))

    @cached_property
    def _mended(self) -> bytes:
        text = _NEIGHBOURS.sub(_separate, self.text)
        return _MENDED.sub(_mend, text).encode("utf-8", "surrogatepass")

    @cached_property
    def tree(self) -> Tree:
        return _parser().parse(self._mended)

    @cached_property
    def _byte_starts(self) -> list[int] | None:
        """The byte where each code point starts, or None where all are one byte long."""
        data = self._mended
        if len(data) == len(self.text):
            return None
        return [i for i, byte in enumerate(data) if byte & 0xC0 != 0x80]

    def offset(self, byte: int) -> int:
        starts = self._byte_starts
        return byte if starts is None else bisect_right(starts, byte - 1) if byte else 0

    def start(self, node: Node) -> int:
        return self.offset(node.start_byte)

    def end(self, node: Node) -> int:
        return self.offset(node.end_byte)

    def of(self, node: Node) -> str:
        return self.text[self.start(node) : self.end(node)]


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))
