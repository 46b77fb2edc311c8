"""`read` and `mapfile`: what they take from a here-document, a `<<<` or a file that the script wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell.assignments import NAME, assigned_parts
from trainlint.readers.shell.code import Value
from trainlint.readers.shell.state import BLANKS, State, Variable, text_of

if TYPE_CHECKING:
    from trainlint.readers.shell.commands import Call

_INPUT = "read from the input when the script runs"
_MOST_LINES = 1000


def read(call: Call) -> list[State]:
    """`read -r a b`, `read -ra LIST`, `read -r -d '' CMD <<EOF`."""
    state, options = call.state, ""
    words = call.words[1:]
    while words and re.fullmatch(r"-[a-zA-Z]+", text := words[0].text or ""):
        words = words[1:]
        if text[-1] in "dpinNtu" and words:
            whole = text[-1] == "d" and words[0].text == ""
            text = text[:-1] + "0" if whole else text
            words = words[1:]
        options += text[1:]
    if any(word.text is None for word in words):
        state.forget_all(f"read may set it: {next(word.unknown for word in words if word.text is None)}")
        return _status(state, None)
    names = [word.text for word in words if word.text and NAME.fullmatch(word.text)] or ["REPLY"]
    line, state.input, ended = _line(None if set(options) - set("rasp0") else state.input, whole="0" in options)
    call.run.spend(0, len(line or ()) + len(state.input or ()))
    characters = text_of(line) if line is not None else None
    separators = state.separators()
    if line is not None and "0" in options and len(names) == 1 and separators == BLANKS:
        state.set(names[0], Variable(assigned_parts(names[0], _stripped(line))))  # whatever unknown parts it has
        return _status(state, False)
    plain = characters is not None and ("r" in options or "\\" not in characters)
    spans = _fields(characters or "", separators, _MOST_LINES if "a" in options else len(names)) if plain else None
    if line is None or spans is None:
        state.forget(names, _INPUT)
        return _status(state, ended)
    code = call.code.of_parts(line)
    values = [assigned_parts(names[0], code.parts(*span)) or (Part("", Origin("literal", "")),) for span in spans]
    if "a" in options:
        elements = tuple((number, Word(value, call.span)) for number, value in enumerate(values))
        state.set(names[0], Variable(elements=elements))
        return _status(state, ended)
    for name in names:
        state.set(name, Variable(values.pop(0) if values else (Part("", Origin("literal", "")),)))
    return _status(state, ended)


def _status(state: State, status: bool | None) -> list[State]:
    state.status = status
    return [state]


def _line(value: Value | None, whole: bool = False) -> tuple[Value | None, Value | None, bool | None]:
    """The first line, what follows it, and whether it ends as a line does."""
    if value is None:
        return None, None, None
    if whole:
        return value, (), False
    for number, part in enumerate(value):
        if part.text is None:
            return None, None, None
        end = part.text.find("\n")
        if end >= 0:
            rest = (part.slice(end + 1, len(part.text)), *value[number + 1 :])
            return (*value[:number], part.slice(0, end)), tuple(p for p in rest if p.text != ""), True
    return value, (), False


def _fields(text: str, separators: str | None, most: int) -> list[tuple[int, int]] | None:
    """Where the fields of a line are; the last of `most` takes what is left. None where that is not known."""
    if separators is None:
        return None
    blanks = "".join(char for char in separators if char in BLANKS)
    hard = separators.strip(BLANKS)
    start, end = len(text) - len(text.lstrip(blanks)), len(text.rstrip(blanks))
    if hard and text[:end].endswith(tuple(hard)):
        return None
    around = f"[{blanks}]*" if blanks else ""
    between = "|".join([f"{around}[{re.escape(hard)}]{around}"] * bool(hard) + [f"[{blanks}]+"] * bool(blanks))
    found: list[tuple[int, int]] = []
    while start < end:
        match = re.compile(between).search(text, start, end) if between and len(found) < most - 1 else None
        found.append((start, match.start() if match else end))
        start = match.end() if match else end
    return found


def _stripped(value: Value) -> Value:
    """Without the blanks at both ends, as `read` drops them."""
    parts = list(value)
    while parts and parts[0].text is not None and (kept := parts[0].text.lstrip(BLANKS)) != parts[0].text:
        text = parts[0].text
        parts[0] = parts[0].slice(len(text) - len(kept), len(text))
        if kept:
            break
        parts.pop(0)
    while parts and parts[-1].text is not None and (kept := parts[-1].text.rstrip(BLANKS)) != parts[-1].text:
        parts[-1] = parts[-1].slice(0, len(kept))
        if kept:
            break
        parts.pop()
    return tuple(parts)


def mapfile(call: Call) -> list[State]:
    """`mapfile -t LINES < <(…)`."""
    state = call.state
    options = [text for text in call.texts[1:] if text is None or text.startswith("-")]
    names = [text for text in call.texts[1:] if text is not None and NAME.fullmatch(text)] or ["MAPFILE"]
    left, state.input = state.input, None if options not in ([], ["-t"]) else state.input
    words: list[Word] = []
    while state.input and len(words) < _MOST_LINES:
        line, state.input, ended = _line(state.input)
        if line is None:
            break
        if ended and not options:
            line = (*line, Part("\n", Origin("literal", "\n")))
        words.append(Word(assigned_parts(names[0], line) or (Part("", Origin("literal", "")),), call.span))
    if None in call.texts:
        state.forget_all("mapfile may set it")
    elif left is None or state.input is None or state.input:
        state.forget(names, _INPUT)
    else:
        state.set(names[0], Variable(elements=tuple(enumerate(words))))
    return _status(state, True)
