"""Simple commands: assignments and the builtins that change what the shell knows; all else is recorded."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.document import Command, Origin, Part, Word
from trainlint.readers.shell import files
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.code import Code, Value
from trainlint.readers.shell.conditions import simple_test
from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.lexer import Lexer, RawAssignment, RawCommand, RawWord
from trainlint.readers.shell.state import State, Variable, bounded, reason_of, wrapped
from trainlint.text import Span

if TYPE_CHECKING:
    from trainlint.readers.shell.interpret import Interpreter

_DECLARING = ("export", "declare", "local", "readonly", "typeset")
_TRANSPARENT = ("command", "builtin", "exec", "nohup", "time")
_SHELL = re.compile(r"(.*/)?(ba|z|da|k)?sh")
_DASH_C = re.compile(r"-[a-zA-Z]*c")


class Call:
    """One simple command about to run in one state."""

    def __init__(
        self, run: Interpreter, code: Code, node: Node, raw: RawCommand, state: State, words: list[Word]
    ) -> None:
        self.run, self.code, self.node, self.raw, self.state, self.words = run, code, node, raw, state, words
        self.span = code.span(raw.start, raw.end)

    @property
    def texts(self) -> list[str | None]:
        return [None if word.several else word.text for word in self.words]


def execute(run: Interpreter, code: Code, node: Node, raw: RawCommand, state: State) -> list[State]:
    """The states after a simple command; more than one where a function or `eval` branches, none after `exit`."""
    expander = run.expander(code, state)
    assignments: list[RawAssignment] = []
    rest = list(raw.words)
    while rest and (assignment := expander.lexer.assignment(rest[0])):
        assignments.append(assignment)
        rest.pop(0)
    if not rest:
        for assignment in assignments:
            assign(expander, assignment)
        state.status = None if any("$(" in code.text[w.start : w.end] for w in raw.words) else True
        return [state]
    state.forget(raw.descriptors, "a file descriptor that the shell chooses")
    first = code.text[rest[0].start : rest[0].end]
    if first in _DECLARING:
        _declare(expander, first, rest[1:])
        state.status = True
        return [state]
    words = [word for each in rest for word in expander.words(each)]
    environment = {a.name: Word(expander.value(a.value.pieces), _span(code, a.value)) for a in assignments}
    leaves = False
    while words and words[0].text in _TRANSPARENT and not words[0].several:
        if len(words) > 1 and (words[1].text or "").startswith("-"):
            break
        leaves = leaves or words[0].text == "exec"
        words = words[1:]
    if not words:
        return [state]
    call = Call(run, code, node, raw, state, words)
    name = call.texts[0]
    if name in state.functions and name is not None:
        return run.call(name, tuple(words[1:]), call.span, state)
    handler = _BUILTINS.get(name or "")
    if handler is not None:
        return handler(call)
    record(call, environment)
    state.status = None
    return [] if leaves else [state]


def assigns(lexer: Lexer, raw: RawCommand) -> set[str]:
    """The names that a command may assign, wherever it runs; `shift` for the positional arguments."""
    texts = [lexer.text[word.start : word.end] for word in raw.words] or [""]
    names = {found.name for word in raw.words if (found := lexer.assignment(word))}
    if texts[0] in ("read", "mapfile", "readarray", "getopts", "let"):
        names |= {re.split(r"[-+*/%|&^<>]*=", text.strip("'\""))[0] for text in texts[1:]}
    return names | ({"shift"} if texts[0] in ("shift", "set") else set())


def _span(code: Code, raw: RawWord) -> Span:
    return code.span(raw.start, raw.end)


def record(call: Call, environment: dict[str, Word]) -> None:
    state = call.state
    exported = {
        name: Word(variable.scalar(), call.span) for name, variable in state.variables.items() if variable.exported
    }
    command = Command(tuple(call.words), call.span, {**exported, **environment}, state.directory, state.files)
    call.run.record(command, call.raw.start if call.code.sourced else 0)
    files.write(call)
    _run_shell_text(call, {**environment})


def _run_shell_text(call: Call, environment: dict[str, Word]) -> None:
    """`bash -c 'text'`, also behind `srun`, `ssh` and the like: the text runs with the exported variables."""
    texts = call.texts
    for at in range(len(texts) - 2):
        shell, option = texts[at], texts[at + 1]
        if shell and option and _SHELL.fullmatch(shell) and _DASH_C.fullmatch(option):
            inner = State(
                {
                    name: variable if variable.exported else Variable(unset=True)
                    for name, variable in call.state.variables.items()
                },
                directory=call.state.directory,
                positional=tuple(call.words[at + 4 :]),
                unset_is_empty=call.state.unset_is_empty,
                files=call.state.files,
            )
            for name, word in environment.items():
                inner.set(name, Variable(word.parts, exported=True))
            call.run.nested(call.code.of_parts(call.words[at + 2].parts), [inner])
            return


# ------------------------------------------------------------------------------------------------------ assignment


def assigned_parts(name: str, value: Value) -> Value:
    """A value as a variable holds it: each part remembers the assignment."""
    whole = "".join(part.origin.text for part in value)
    text = f"{name}={' '.join(whole.split())[:80]}"
    found = []
    for part in value:
        at = part.origin.at
        found.append(wrapped(part, Origin("assignment", text, at)))
    return bounded(tuple(found))


def assign(expander: Expander, raw: RawAssignment, export: bool = False, unknown: str | None = None) -> None:
    """Carry out `NAME=value`, `NAME+=value`, `NAME[i]=value`, `NAME=( … )`."""
    state, name = expander.state, raw.name
    old = state.variables.get(name)
    export = export or (old is not None and old.exported)
    if raw.value.elements is not None:
        new = expander.elements(raw.value.elements)
        if raw.append and old is not None:
            kept = (
                old.elements if old.elements is not None else ((0, Word(old.value, _span(expander.code, raw.value))),)
            )
            shift = max((key for key, _ in kept if isinstance(key, int)), default=-1) + 1
            moved = [(key + shift if isinstance(key, int) else key, word) for key, word in new]
            new = [*kept, *moved]
        state.set(name, Variable(elements=tuple(new), exported=export))
        return
    span = _span(expander.code, raw.value)
    if unknown is not None:
        value: Value = (Part(None, Origin("unresolved", name), unknown),)
    else:
        value = expander.value(raw.value.pieces) or (
            Part("", Origin("literal", "", expander.code.at(span.start, span.start))),
        )
        value = assigned_parts(name, value)
    if raw.subscript is not None:
        _assign_element(expander, raw, old, value, span)
        return
    if raw.append:
        if old is None and state.silent(name):
            reason = f"environment variable {name} is not set in this script"
            value = (Part(None, Origin("environment", name), reason), *value)
        elif old is not None and old.elements is not None:
            elements = dict(old.elements)
            elements[0] = Word((*elements[0].parts, *value) if 0 in elements else value, span)
            state.set(name, Variable(elements=tuple(elements.items()), exported=export))
            return
        else:
            value = bounded((*(old.value if old is not None else ()), *value))
    state.set(name, Variable(value, exported=export))


def _assign_element(expander: Expander, raw: RawAssignment, old: Variable | None, value: Value, span: Span) -> None:
    elements = dict(old.elements or ()) if old is not None else {}
    if old is not None and old.elements is None and old.value:
        elements[0] = Word(old.value, span)
    try:
        key = expander.subscript(raw.subscript or (0, 0), any(isinstance(key, str) for key in elements))
    except Undetermined as error:
        expander.state.forget([raw.name], error.reason)
        return
    if raw.append and key in elements:
        value = (*elements[key].parts, *value)
    elements[key] = Word(value, span)
    ordered = sorted(
        elements.items(), key=lambda item: (isinstance(item[0], str), item[0] if isinstance(item[0], int) else 0)
    )
    expander.state.set(raw.name, Variable(elements=tuple(ordered)))


def _declare(expander: Expander, command: str, rest: Sequence[RawWord]) -> None:
    state, options = expander.state, ""
    text = expander.code.text
    for raw in rest:
        assignment = expander.lexer.assignment(raw)
        spelling = text[raw.start : raw.end]
        if assignment is None and re.fullmatch(r"[-+][a-zA-Z]+", spelling):
            options += spelling
            continue
        names = [assignment.name] if assignment else [word.text or "" for word in expander.words(raw)]
        for name in names:
            if command == "local" or (command in ("declare", "typeset") and state.saved and "g" not in options):
                if state.saved and name not in state.saved[-1]:
                    state.saved[-1][name] = state.variables.get(name)
                if assignment is None:
                    state.set(name, Variable(unset=True))
        export = command == "export" or "x" in options
        if assignment is not None:
            special = re.search(r"[ilun]", options)
            if "A" in options and assignment.value.elements is None:
                state.set(assignment.name, Variable(elements=()))
            assign(expander, assignment, export, f"declared with {options}" if special else None)
            continue
        for name in names:
            old = state.variables.get(name)
            if "n" in options and command == "export" and old is not None:
                state.variables[name] = replace(old, exported=False)
            elif export and old is not None:
                state.variables[name] = replace(old, exported=True)
            elif "a" in options.lower() and old is None:
                state.set(name, Variable(elements=()))


# -------------------------------------------------------------------------------------------------------- builtins


def _done(call: Call, status: bool | None = True) -> list[State]:
    call.state.status = status
    return [call.state]


def _recorded(call: Call) -> list[State]:
    record(call, {})
    return _done(call, None)


def _unset(call: Call) -> list[State]:
    for text in call.texts[1:]:
        if text is None or text.startswith("-"):
            continue
        name, bracket, _ = text.partition("[")
        if bracket:
            call.state.forget([name], "an element of it is unset")
        else:
            call.state.variables[name] = Variable(unset=True)
    return _done(call)


def _set(call: Call) -> list[State]:
    texts = call.texts[1:]
    if "--" in texts:
        call.state.positional = tuple(call.words[texts.index("--") + 2 :])
    elif any(text is None for text in texts):
        call.state.positional = None
    elif texts and not str(texts[0]).startswith(("-", "+")):
        call.state.positional = tuple(call.words[1:])
    return _done(call)


def _shift(call: Call) -> list[State]:
    count = call.texts[1] if len(call.words) > 1 else "1"
    positional = call.state.positional
    if positional is None or count is None or not count.isdigit() or any(w.several for w in positional[: int(count)]):
        call.state.positional = None
        return _done(call, None)
    if int(count) > len(positional):
        return _done(call, False)
    call.state.positional = positional[int(count) :]
    return _done(call)


def _cd(call: Call) -> list[State]:
    texts = [text for text in call.texts[1:] if text is None or text == "-" or not text.startswith("-")]
    target = texts[0] if len(texts) == 1 else None
    here = call.state.directory
    if target is None or target == "-" or target.startswith("~"):
        call.state.directory = None
    elif target.startswith("/"):
        call.state.directory = posixpath.normpath(target)
    elif here is not None:
        joined = posixpath.normpath(posixpath.join(here, target))
        call.state.directory = "" if joined == "." else joined
    return _done(call, None)


def _forgetting(reason: str) -> Callable[[Call], list[State]]:
    def handler(call: Call) -> list[State]:
        names = [text for text in call.texts[1:] if text and re.fullmatch(r"[A-Za-z_]\w*", text)]
        call.state.forget(names, reason)
        return _done(call, None)

    return handler


def _read(call: Call) -> list[State]:
    """`read -r -d '' CMD <<EOF` keeps the whole document; all other reads are input."""
    texts = call.texts[1:]
    names = [text for text in texts if text and re.fullmatch(r"[A-Za-z_]\w*", text)]
    document = files.heredoc(call)
    if document is not None and len(names) == 1 and "" in texts and any(re.fullmatch(r"-r?d", t or "") for t in texts):
        call.state.set(names[0], Variable(assigned_parts(names[0], _stripped(document))))
        return _done(call, False)
    call.state.forget(names or ["REPLY"], "read from the input when the script runs")
    return _done(call, None)


def _stripped(value: Value) -> Value:
    """Without the blanks at both ends, as `read` drops them."""
    parts = list(value)
    while parts and parts[0].text is not None and (kept := parts[0].text.lstrip(" \t\n")) != parts[0].text:
        text = parts[0].text
        parts[0] = parts[0].slice(len(text) - len(kept), len(text))
        if kept:
            break
        parts.pop(0)
    while parts and parts[-1].text is not None and (kept := parts[-1].text.rstrip(" \t\n")) != parts[-1].text:
        parts[-1] = parts[-1].slice(0, len(kept))
        if kept:
            break
        parts.pop()
    return tuple(parts)


def _source(call: Call) -> list[State]:
    states = files.source(call)
    return _recorded(call) if states is None else states


def _eval(call: Call) -> list[State]:
    parts: list[Part] = []
    for word in call.words[1:]:
        if parts:
            parts.append(Part(" ", Origin("literal", " ")))
        parts += word.parts
    code = call.code.of_parts(tuple(parts))
    return call.run.nested(code, [call.state])


def _let(call: Call) -> list[State]:
    status: bool | None = True
    for word in call.words[1:]:
        status = _let_one(call, word)
    return _done(call, status)


def _let_one(call: Call, word: Word) -> bool | None:
    try:
        if word.text is None:
            raise Undetermined(reason_of(word.parts))
        return bool(call.run.expander(call.code, call.state).evaluator(list(word.parts)).evaluate(word.text))
    except Undetermined as error:
        call.state.forget([word.known_prefix.partition("=")[0].rstrip("+-*/%")], error.reason)
        return None


def _test(call: Call) -> list[State]:
    words = call.words[1:]
    if call.texts[0] == "[":
        if not words or words[-1].text != "]":
            return _done(call, None)
        words = words[:-1]
    return _done(call, simple_test(words))


def _exit(_: Call) -> list[State]:
    return []


def _leaving(kind: str) -> Callable[[Call], list[State]]:
    def handler(call: Call) -> list[State]:
        call.state.leaving = kind
        return [call.state]

    return handler


def _printf(call: Call) -> list[State]:
    texts = call.texts
    if len(texts) > 2 and texts[1] == "-v" and texts[2]:
        call.state.forget([texts[2]], "set by printf -v")
        return _done(call)
    return _recorded(call)


_BUILTINS: dict[str, Callable[[Call], list[State]]] = {
    ":": _done,
    "true": _done,
    "false": lambda call: _done(call, False),
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "cd": _cd,
    "pushd": _cd,
    "popd": lambda call: _cd(Call(call.run, call.code, call.node, call.raw, call.state, call.words[:1])),
    "read": _read,
    "mapfile": _forgetting("read from the input when the script runs"),
    "readarray": _forgetting("read from the input when the script runs"),
    "getopts": _forgetting("set by getopts from the arguments of the script"),
    "eval": _eval,
    "source": _source,
    ".": _source,
    "let": _let,
    "[": _test,
    "test": _test,
    "exit": _exit,
    "return": _leaving("return"),
    "break": _leaving("break"),
    "continue": _leaving("continue"),
    "printf": _printf,
}
