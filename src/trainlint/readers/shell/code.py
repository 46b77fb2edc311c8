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

SIMPLE = frozenset({"command", "declaration_command", "unset_command", "variable_assignment", "variable_assignments"})
"""The grammar's names of what the lexer reads by itself."""

_HOLE = "\ufffc"
"""Stands for an unknown part in text that is made of parts."""
_ASSIGNED_HOLE = re.compile(rf"(?:^|[\s;&|(\"'])\w*{_HOLE}[\w{_HOLE}]*\+?=")

_MENDED = re.compile(
    r"(?P<end>\\(?:\n[ \t]*)?\Z)"  # the grammar sees an error in a continuation into nothing
    r"|(?P<escape>\\[\s\S])"
    r"|(?P<remark>`[ \t]*#[^`\n]*`)"  # an empty command substitution used as a comment
    r"|(?P<expansion>\$\{[^{}()'\"`\n\\]+\}"  # ${A:$N+1}, ${that s}
    r"|\$\{\w+:?[-=+]\[(?:[^{}'\"`\n\\$]|\"[^\"`\n\\$]*\"|'[^'\n]*')*\})"  # ${A:-["x"]}
    r"|(?P<nothing>\$\([ \t]*\))"
    rf"|(?P<placeholder>{PLACEHOLDER.pattern})"
    r"|(?P<return>\r)"  # an ordinary character to bash
    r"|(?<![^\s;&|(])(?P<flag>--\w+)="  # at the start of a command, the grammar takes it for an assignment
)


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NEIGHBOURS = re.compile(
    r"(?<![\w$])(?P<first>[A-Za-z_]\w*\+?=(?:[^\s;&|()<>'\"`\\]|\"[^\"\n]*\"|'[^'\n]*'|\$\([^()\n]*\))*)"
    r"(?P<blanks>[ \t]+)(?=[A-Za-z_]\w*\+?=(?P<array>\()?)",
    re.ASCII,
)
"""After two assignments on a line, the grammar takes the `else` or `[[` below for the command they belong to."""


_LISTS = re.compile(r"\bfor[ \t]*\(\((?=[^()\n;]*,|[^()\n]*;[^()\n;]*,)(?P<header>[^()\n]*)\)\)")
"""`for ((i=0, j=9; i<j; i++, j--))`: the grammar knows no commas there."""


def _without_lists(match: re.Match[str]) -> str:
    return match[0].replace(match["header"], re.sub(r"[^;]", "x", match["header"]))


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
    if match["flag"]:
        return match["flag"] + "."
    return "." * len(text)


@lru_cache(maxsize=1)
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


_REDIRECTIONS = re.compile(
    rb"((?:[ \t]*\d*(?:&>>?|>>|[<>]&|>\||[<>])[ \t]*[^\s;&|()<>'\"`\\]+)+)[ \t]*(?=[\n;|&)#]|\Z)",
)
"""After `A=$(b)`, and no command after them: the grammar wants one and takes whatever comes for it."""


def _without_redirections(tree: Tree, text: bytes) -> bytes:
    for node in walk(tree.root_node):
        if node.type == "variable_assignment" and (match := _REDIRECTIONS.match(text, node.end_byte)):
            text = text[: match.start()] + b" " * (match.end() - match.start()) + text[match.end() :]
    return text


class Code:
    """Shell text: a whole file, or the text that `eval` gets.

    The tree is made of an ASCII copy of equal length in which the known gaps of the grammar are papered over: one byte for
    each code point, so that the offsets of the nodes are ours. The tree only says where statements are; words are read from
    the text itself.

    `sourced` is the place in the script from which another file's text is read: there, to the script, its commands stand.
    `called` is the script that `$0` names, where it is not the one that was read first.
    """

    def __init__(
        self,
        source: SourceText,
        text: str,
        parts: Value | None = None,
        sourced: Location | None = None,
        called: SourceText | None = None,
    ) -> None:
        self.source, self.text, self._parts, self.sourced = source, text, parts, sourced
        self.called = called or self.script

    @classmethod
    def of_file(cls, source: SourceText, sourced: Location | None = None, called: SourceText | None = None) -> Code:
        return cls(source, source.text, None, sourced, called)

    def of_parts(self, parts: Value) -> Code:
        """Text that this code makes."""
        text = "".join(_HOLE if part.text is None else part.text for part in parts)
        return Code(self.source, text, parts, self.sourced, self.called)

    @property
    def assigns_unknown(self) -> bool:
        """Whether it sets a variable whose name is not known: `$key=$value`."""
        return _ASSIGNED_HOLE.search(self.text) is not None

    @property
    def script(self) -> SourceText:
        """The script that was read first, whichever file this code is of."""
        return self.sourced.source if self.sourced is not None else self.source

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

    def span(self, start: int, end: int) -> Span:
        """Where the characters stand in the script."""
        return self.sourced.span if self.sourced is not None else self.at(start, end).span

    @cached_property
    def _mended(self) -> bytes:
        # Others are ordinary characters to the shell, and the grammar's scanner crashes on some of them
        text = _MENDED.sub(_mend, _LISTS.sub(_without_lists, _NEIGHBOURS.sub(_separate, self.text)))
        return _NOT_ASCII.sub(".", text).encode("ascii")

    @cached_property
    def tree(self) -> Tree:
        text = self._mended
        tree = _parser().parse(text)
        while tree.root_node.has_error and (mended := _without_redirections(tree, text)) != text:
            text = mended
            tree = _parser().parse(text)
        return tree

    def start(self, node: Node) -> int:
        return node.start_byte

    def end(self, node: Node) -> int:
        return node.end_byte

    def of(self, node: Node) -> str:
        return self.text[self.start(node) : self.end(node)]


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))
