"""What bash cannot parse. The grammar takes more than bash does, and says less of where an error is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from tree_sitter import Node

from trainlint.document import Problem
from trainlint.readers.shell.code import Code, walk
from trainlint.readers.shell.lexer import Lexer, RawCommand, Unclosed
from trainlint.text import Location

_OPENING = {
    "do_group": ("do",),
    "if_statement": ("then",),
    "elif_clause": ("then",),
    "else_clause": ("else",),
    "compound_statement": ("{",),
    "subshell": ("(",),
}
_CLOSES = ("fi", "done", "esac", "}", ")")
_CLOSING = ("done", "fi", "}", ")")
_RESERVED = ("then", "do", "done", "elif", "else", "esac", "fi", "}")


def errors(code: Code, commands: Sequence[RawCommand]) -> Iterator[Problem]:
    root = code.tree.root_node
    if not root.has_error:
        yield from islice(chain(_empty_bodies(code), _misplaced(code, commands)), 1)
        return
    if quote := _unclosed(code):
        yield quote
        return
    for node in walk(root):
        parent = node.parent
        if node.is_missing and node.type in _CLOSES and parent is not None:
            opening = parent.children[0]
            message = (
                f"bash cannot parse this script: `{node.type}` is missing for the `{opening.type}` that opens here"
            )
            yield Problem("file/syntax-error", message, code.at(code.start(opening), code.end(opening)))
            return
        if node.is_missing or node.is_error:
            start, end = code.start(node), code.end(node)
            yield Problem("file/syntax-error", _message(code, node), _visible(code, start, end))
            return


def _misplaced(code: Code, commands: Sequence[RawCommand]) -> Iterator[Problem]:
    """`fi` without `if`, `name (…)`: commands to the grammar, errors to bash."""
    for command in commands:
        word = command.words[0]
        name = code.text[word.start : word.end]
        if name in _RESERVED:
            message = f"bash cannot parse this script: unexpected `{name}`"
            yield Problem("file/syntax-error", message, code.at(word.start, word.end))
        bracket = re.compile(r"[ \t]*\(").match(code.text, command.end)
        if bracket and code.text[command.end - 1] not in "?*+@!":
            message = "bash cannot parse this script: unexpected `(`; quote it if it is part of an argument"
            yield Problem("file/syntax-error", message, code.at(bracket.end() - 1, bracket.end()))


def _empty_bodies(code: Code) -> Iterator[Problem]:
    """`do` directly followed by `done`: the grammar takes it, bash does not."""
    for node in walk(code.tree.root_node):
        opening: Node | None = None
        for child in node.children:
            if child.type in _OPENING.get(node.type, ()):
                opening = child
            elif child.type in _CLOSING or child.type in ("elif_clause", "else_clause"):
                if opening is not None and not node.has_error:
                    first = child.children[0] if child.children else child
                    message = f"bash cannot parse this script: no command between `{opening.type}` and `{first.type}`"
                    yield Problem("file/syntax-error", message, _visible(code, code.start(first), code.end(first)))
                    return
            elif child.is_named and child.type != "comment":
                opening = None
        if opening is not None:
            message = f"bash cannot parse this script: no command after `{opening.type}`"
            yield Problem("file/syntax-error", message, _visible(code, code.start(opening), code.end(opening)))
            return


def _visible(code: Code, start: int, end: int) -> Location:
    line_end = code.text.find("\n", start)
    line_end = len(code.text) if line_end < 0 else line_end
    return code.at(start, min(max(end, start + 1), max(line_end, start)))


def _message(code: Code, node: Node) -> str:
    if node.is_missing:
        return f"bash cannot parse this script: `{node.type}` is missing here"
    text = code.of(node).strip().splitlines()
    shown = text[0][:60] if text else "the end of the file"
    if "\r\n" in code.text:
        return f"bash cannot parse this script: its lines end in carriage returns (CRLF), near {shown!r}"
    return f"bash cannot parse this script: unexpected {shown!r}"


def _unclosed(code: Code) -> Problem | None:
    """A quote or bracket that is open at the end of the file, at its opening."""
    lexer, at, text = Lexer(code.text), 0, code.text
    while at < len(text):
        try:
            command = lexer.command(at)
        except Unclosed as error:
            what = text[error.at]
            return Problem(
                "file/syntax-error", f"the {what} that opens here is never closed", code.at(error.at, error.at + 1)
            )
        at = max(command.end, at)
        for operator, _ in command.redirects:
            if operator.startswith("<<") and operator != "<<<":
                return None  # where the here-document ends, only the tree could say
        if at < len(text) and text[at] == "#":
            line = text.find("\n", at)
            at = len(text) if line < 0 else line
        else:
            at += 1
    return None
