"""Continuation lines that do not continue: flags that bash runs as a command of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainlint.document import Problem
from trainlint.readers.shell.code import Code
from trainlint.readers.shell.lexer import RawCommand
from trainlint.text import Span

_FLAG = re.compile(r"--?[A-Za-z]|[+~]{0,2}[A-Za-z_]\w*(?:[./@][\w.-]+)+=")
_BLANKS = re.compile(r"[ \t\r\n]*(?:#[^\n]*\n?[ \t\r\n]*|\\\n[ \t\r\n]*)*")
Edits = tuple[tuple[Span, str], ...]


@dataclass(frozen=True)
class _Break:
    """Where a command ends although its author wrote on."""

    at: Span
    why: str
    edits: Edits


def broken(code: Code, commands: Sequence[RawCommand]) -> Iterator[Problem]:
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
