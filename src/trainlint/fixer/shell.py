"""Edits of a script. Each is tried on a copy that is read again, and only the one argument may have changed.

So a variable that is used elsewhere with another meaning, text that several commands share, a quoted command and a branch
need no cases of their own: the edit that would change more than was asked for is refused.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace as copy_with
from itertools import groupby
from pathlib import PurePosixPath

from trainlint.dialects.launchers import Started
from trainlint.document import Command, Document, Origin, Word
from trainlint.facts import Argument
from trainlint.text import Edit, Location, SourceText, Span, apply

Parse = Callable[[SourceText], Document]
Words = tuple[str, ...]
Expected = Callable[[Words, Words], bool]
"""Whether the words after an edit are what it should make of those before."""

LABELS = frozenset({"echo", "printf"})
"""Commands that only say what a run is: they may say the new value."""
PROGRAM = re.compile(r"(ba|da|k|z)?sh|source|\.|sbatch|srun|python[\d.]*|torchrun|accelerate|deepspeed|.*\.(sh|py)")
"""Commands that may read an exported variable."""
_BEFORE = re.compile(r"(?:[ \t]|\\\n)*\Z")
_REST_OF_LINE = re.compile(r"[ \t]*\\\n")
_UNRESOLVED = "\0"


def replace(parse: Parse, document: Document, started: Started, argument: Argument, text: str) -> Edit | None:
    """Give an argument another value where the literal stands that decides it, if that decides nothing else."""
    literal = argument.origin.literal
    if literal is None or literal.text == text:
        return None
    flags = {argument.key.text, argument.name, f"--{argument.name}"}

    def expected(before: Words, after: Words) -> bool:
        changed = [i for i, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        if len(changed) != 1:
            return False
        at = changed[0]
        if after[at] == text:
            return at > 0 and before[at - 1] in flags
        flag = after[at].removesuffix(f"={text}")
        return flag != after[at] and flag in flags and before[at].startswith(f"{flag}=")

    return _tried(parse, document, started, Edit(literal, text), expected, _variables(argument.origin))


def insert(parse: Parse, document: Document, started: Started, flag: str, text: str) -> Edit | None:
    """Add a flag: a continuation line of its own with the script's indentation, or at the end of a command of one line."""
    words = (flag, text)

    def expected(before: Words, after: Words) -> bool:
        given = {_named(word) for word in before}
        at = next((i for i in range(len(after) - 1) if after[i : i + 2] == words), None)
        return at is not None and _named(flag) not in given and (*after[:at], *after[at + 2 :]) == before

    source = document.source
    for at, line in _boundaries(source, started):
        edit = Edit(Location(source, Span(at, at)), f"{line}{flag} {shlex.quote(text)}")
        if tried := _tried(parse, document, started, edit, expected, frozenset()):
            return tried
    return None


def remove(parse: Parse, document: Document, started: Started, argument: Argument) -> Edit | None:
    """Take a flag and its value away, with the continuation line if it has one of its own."""
    source = document.source
    text, start = source.text, argument.key.span.start
    end = max(argument.at.span.end, argument.key.span.end)
    line = text.rfind("\n", 0, start) + 1
    before = _BEFORE.search(text, 0, start)
    rest = _REST_OF_LINE.match(text, end)
    if not text[line:start].strip() and rest:
        span = Span(line, rest.end())
    elif not text[line:start].strip() and (blanks := re.compile(r"[ \t]+(?=[^\s\\#;|&<>])").match(text, end)):
        span = Span(start, blanks.end())
    else:
        span = Span(before.start() if before is not None else start, end)

    def expected(old: Words, new: Words) -> bool:
        gone = len(old) - len(new)
        places = range(len(new) + 1)
        return gone > 0 and any(
            (*old[:at], *old[at + gone :]) == new and _named(old[at]) == _named(argument.key.text) for at in places
        )

    return _tried(parse, document, started, Edit(Location(source, span), ""), expected, frozenset())


# ---------------------------------------------------------------------------------------------------- places for flags


def _boundaries(source: SourceText, started: Started) -> Iterator[tuple[int, str]]:
    """Where a flag may be added, best first: behind the last word, else behind an earlier one, never beside an unknown."""
    groups = [(span, list(words)) for span, words in groupby(started.command.words, key=lambda word: word.span)]
    first_line = source.position(groups[0][0].start).line
    following: list[Word] | None = None
    for span, words in reversed(groups):
        settled = all(word.text is not None and not word.several for word in words)
        fits = following is None or (following[0].text or "").startswith("-")
        if settled and fits and "\r" not in source[span]:
            line_number = source.position(span.start).line
            line = source.line(line_number)
            indent = line[: len(line) - len(line.lstrip())]
            last_on_line = following is None or source.position(following[0].span.start).line > line_number
            own_line = line_number > first_line and last_on_line
            yield span.end, f" \\\n{indent}" if own_line else " "
        if span.start <= started.program.span.start:
            return
        following = words if settled else [copy_with(words[0], parts=())]


def _named(flag: str) -> str:
    return flag.partition("=")[0].replace("-", "_")


# --------------------------------------------------------------------------------------------------- trying an edit


def _tried(
    parse: Parse, document: Document, started: Started, edit: Edit, expected: Expected, variables: frozenset[str]
) -> Edit | None:
    """The edit, if the script that it makes runs the same commands but for what is expected of the one that was started."""
    source, at = document.source, edit.at.span
    after = parse(copy_with(source, text=apply(source.text, [(at, edit.text)])))
    if len(after.invocations) != len(document.invocations) or _kinds(after) - _kinds(document):
        return None
    target = started.command.span
    for old, new in zip(document.invocations, after.invocations, strict=True):
        if len(old.alternatives) != len(new.alternatives):
            return None
        for was, now in zip(old.alternatives, new.alternatives, strict=True):
            if was.span == target:
                if not (_unread(was, variables) and _hits(was, now, expected, variables)):
                    return None
            elif not _spared(was, now, at, variables):
                return None
    return edit


def _hits(was: Command, now: Command, expected: Expected, variables: frozenset[str]) -> bool:
    before, after = _texts(was), _texts(now)
    try:
        return _environment_changes(was, now) <= variables and expected(before, after)
    except ValueError:  # more or fewer words than a new value can make
        return False


def _spared(was: Command, now: Command, at: Span, variables: frozenset[str]) -> bool:
    """Whether another command stays what it was. One that holds the edited text (`bash -c '…'`) is the same command."""
    if was.span.start <= at.start and at.end <= was.span.end:
        return True
    name = PurePosixPath(was.words[0].text or "").name if was.words else ""
    if name in LABELS:
        return True
    environment = _environment_changes(was, now)
    if environment - variables or (environment and PROGRAM.fullmatch(name)):
        return False
    return _texts(was) == _texts(now) and was.directory == now.directory and _unread(was, variables)


def _unread(command: Command, variables: frozenset[str]) -> bool:
    """Whether no part that only a run could tell (`$(calc $lr)`) reads one of the variables."""
    unknown = [part.origin.text for word in command.words for part in word.parts if part.text is None]
    return not any(re.search(rf"\$\{{?[#!]?{name}\b", text) for name in variables for text in unknown)


def _environment_changes(was: Command, now: Command) -> set[str]:
    names = {*was.environment, *now.environment}
    texts = [{name: _text(word) for name, word in command.environment.items()} for command in (was, now)]
    return {name for name in names if texts[0].get(name) != texts[1].get(name)}


def _texts(command: Command) -> Words:
    return tuple(_text(word) for word in command.words)


def _text(word: Word) -> str:
    """The word as text in which an unknown part stands as it is written."""
    return "".join(part.text if part.text is not None else _UNRESOLVED + part.origin.text for part in word.parts)


def _variables(origin: Origin) -> frozenset[str]:
    """The variables that a value passed through."""
    return frozenset(hop.text.partition("=")[0] for hop in origin.chain() if hop.kind == "assignment")


def _kinds(document: Document) -> Counter[str]:
    return Counter(problem.kind for problem in document.problems)
