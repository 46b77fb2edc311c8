"""What is wrong with a script as text: syntax errors, placeholders, and continuation lines that do not continue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from tree_sitter import Node

from trainlint.document import Problem
from trainlint.readers.shell.code import Code, walk
from trainlint.readers.shell.lexer import Lexer, RawCommand, Unclosed, Unfilled
from trainlint.text import Location, Span

_SIMPLE = (
    "command",
    "declaration_command",
    "variable_assignment",
    "variable_assignments",
    "unset_command",
    "test_command",
)
_FLAG = re.compile(r"--?[A-Za-z]|[+~]{0,2}[A-Za-z_]\w*(?:[./@][\w.-]+)+=")
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
_BLANKS = re.compile(r"[ \t\r\n]*(?:#[^\n]*\n?[ \t\r\n]*|\\\n[ \t\r\n]*)*")
Edits = tuple[tuple[Span, str], ...]


def find(code: Code) -> list[Problem]:
    placeholders = list(_placeholders(code))
    return [*_syntax_errors(code), *placeholders, *_broken_continuations(code)]


# --------------------------------------------------------------------------------------------------- continuations


@dataclass(frozen=True)
class _Break:
    """Where a command ends although its author wrote on."""

    at: Span
    why: str
    edits: Edits


def _simple_commands(code: Code) -> list[RawCommand]:
    lexer, read_to = Lexer(code.text), -1
    found: list[RawCommand] = []
    for node in walk(code.tree.root_node):
        double = node.type == "test_command" and node.children[0].type != "["
        if node.type in _SIMPLE and not double and code.start(node) >= read_to:
            try:
                several = lexer.commands(code.start(node), code.end(node))
            except Unclosed:
                continue
            found += [raw for raw in several if raw.words]
            read_to = several[-1].end
    return found


def _broken_continuations(code: Code) -> Iterator[Problem]:
    commands = _simple_commands(code)
    at = 0
    while at < len(commands):
        command = commands[at]
        breaks: list[_Break] = []
        lost: list[RawCommand] = []
        while at + 1 < len(commands) and (found := _break_between(code, commands[at], commands[at + 1])):
            breaks.append(found)
            lost.append(commands[at + 1])
            at += 1
        at += 1
        if breaks:
            yield _problem(code, breaks, lost)
        elif stray := _stray(code, command):
            yield Problem(
                "launch/broken-continuation", stray.why, code.at(stray.at.start, stray.at.end), (), stray.edits
            )


def _problem(code: Code, breaks: list[_Break], lost: list[RawCommand]) -> Problem:
    words = [code.text[word.start : word.end] for command in lost for word in command.words]
    flags = [word.partition("=")[0] for word in words if _FLAG.match(word)]
    names = ", ".join(flags[:3]) + (", …" if len(flags) > 3 else "")
    how_many = f"the {len(flags)} flags" if len(flags) != 1 else "the flag"
    as_what = "as a separate command" if len(lost) == 1 else "as separate commands"
    message = f"the command ends here: {breaks[0].why}, so bash runs {how_many} below ({names}) {as_what}"
    related = tuple(
        ("never reaches the command above", code.at(command.start, max(command.end, command.start))) for command in lost
    )
    edits = () if any(not found.edits for found in breaks) else tuple(edit for found in breaks for edit in found.edits)
    return Problem("launch/broken-continuation", message, code.at(breaks[0].at.start, breaks[0].at.end), related, edits)


def _break_between(code: Code, command: RawCommand, following: RawCommand) -> _Break | None:
    """How the continuation between two commands broke, if the second one is flags of the first."""
    text = code.text
    first = following.words[0]
    if not _FLAG.match(text, first.start, first.end):
        return None
    if stray := _stray(code, command):
        return stray
    gap = text[command.end : following.start]
    if not _BLANKS.fullmatch(gap):
        return _unfixable(code, command, gap)
    before = text[: command.end].rpartition("\n")[2]
    continued = re.match(r"[ \t]*\\\n", gap)
    comment = re.search(r"(?m)^[ \t]*#[^\n]*\n", gap)
    trailing = re.match(r"[ \t]*(#[^\n]*)\n", gap)
    start = command.end
    if continued and comment:
        at = Span(start + comment.end() - len(comment[0].lstrip(" \t")), start + comment.end() - 1)
        keep = continued.end()
        end = start + len(gap.rstrip(" \t"))
        return _Break(at, "a comment line cannot stand inside a continued command", ((Span(start + keep, end), ""),))
    if continued:
        slash = start + continued[0].index("\\")
        end = start + len(gap.rstrip(" \t"))
        why = "the line after this backslash is blank"
        return _Break(Span(slash, slash + 1), why, ((Span(start + continued.end(), end), ""),))
    last = command.words[-1]
    if trailing:
        return _Break(
            Span(start + trailing.start(1), start + trailing.end(1)), "the line has no backslash at its end", ()
        )
    if not before.strip():
        return None
    end = start + len(gap.rstrip(" \t"))
    edits: Edits = ((Span(start, end), " \\\n"),) if command.end == last.end else ()
    return _Break(Span(last.start, last.end), "the line has no backslash at its end", edits)


def _unfixable(code: Code, command: RawCommand, gap: str) -> _Break | None:
    """A redirection, `| tee` or `&` in between: the flags are lost, but where they belong nobody can tell."""
    if not re.fullmatch(r"[ \t]*&?[ \t]*\n[ \t\n]*", gap):
        return None
    last = command.words[-1]
    return _Break(Span(last.start, last.end), "the line has no backslash at its end", ())


def _stray(code: Code, command: RawCommand) -> _Break | None:
    """A backslash before a blank: bash passes the blank on as an argument, and the line ends there."""
    text = code.text
    for word in command.words:
        raw = text[word.start : word.end]
        line_end = text.find("\n", word.start)
        line_end = len(text) if line_end < 0 else line_end
        rest = text[word.start : line_end]
        match = re.match(r"\\(?:(?P<cr>\r)|(?P<comment>[ \t]+#.*)|(?P<blank>[ \t]+\r?))$", rest)
        if not match or raw[:1] != "\\" or word.start == command.start:
            continue
        at = Span(word.start, word.start + 1)
        edits = ((Span(word.start + 1, line_end), ""),)
        if match["cr"]:
            return _Break(at, "the carriage return after this backslash is passed on as an argument", edits)
        if match["comment"]:
            return _Break(
                at, "the backslash quotes the blank after it, and a comment cannot follow a continuation", edits
            )
        return _Break(at, "the backslash quotes the blank after it instead of the line break", edits)
    return None


# ---------------------------------------------------------------------------------------------------- placeholders


def _placeholders(code: Code) -> Iterator[Problem]:
    for command in _simple_commands(code):
        for word in command.words:
            for piece in word.pieces:
                if isinstance(piece, Unfilled):
                    text = code.text[piece.start : piece.end]
                    message = f"{text} is a placeholder that is not filled in; to bash it is a redirection"
                    yield Problem("launch/placeholder", message, code.at(piece.start, piece.end))


# --------------------------------------------------------------------------------------------------- syntax errors


def _syntax_errors(code: Code) -> Iterator[Problem]:
    root = code.tree.root_node
    if not root.has_error:
        yield from islice(chain(_empty_bodies(code), _misplaced(code)), 1)
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


def _misplaced(code: Code) -> Iterator[Problem]:
    """`fi` without `if`, `name (…)`: commands to the grammar, errors to bash."""
    for command in _simple_commands(code):
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
