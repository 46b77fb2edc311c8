"""What is wrong with a script as text: syntax errors, placeholders, and continuation lines that do not continue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainlint.document import Problem
from trainlint.readers.shell import continuations, syntax
from trainlint.readers.shell.code import SIMPLE, Code, walk
from trainlint.readers.shell.lexer import Lexer, RawCommand, Unclosed, Unfilled


def find(code: Code) -> list[Problem]:
    commands = _simple_commands(code)
    return [*syntax.errors(code, commands), *_placeholders(code, commands), *continuations.broken(code, commands)]


def _simple_commands(code: Code) -> list[RawCommand]:
    """The commands as bash would cut them, which in a broken script is not always as the grammar does."""
    lexer, read_to = Lexer(code.text), -1
    found: list[RawCommand] = []
    for node in walk(code.tree.root_node):
        single = node.type == "test_command" and node.children[0].type == "["
        if (node.type in SIMPLE or single) and code.start(node) >= read_to:
            try:
                several = lexer.commands(code.start(node), code.end(node))
            except Unclosed:
                continue
            found += [raw for raw in several if raw.words]
            read_to = several[-1].end
    return found


def _placeholders(code: Code, commands: Sequence[RawCommand]) -> Iterator[Problem]:
    for command in commands:
        for word in command.words:
            for piece in word.pieces:
                if isinstance(piece, Unfilled):
                    text = code.text[piece.start : piece.end]
                    message = f"{text} is a placeholder that is not filled in; to bash it is a redirection"
                    yield Problem("launch/placeholder", message, code.at(piece.start, piece.end))
