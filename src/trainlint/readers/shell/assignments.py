"""Assignments: `NAME=value`, `NAME+=value`, `NAME[i]=value`, `NAME=( … )`, and what `declare` and its kin do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.code import Value
from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.lexer import RawAssignment, RawWord
from trainlint.readers.shell.state import Elements, State, Variable, bounded, bounded_words, short, text_of, wrapped
from trainlint.text import Span

DECLARING = ("export", "declare", "local", "readonly", "typeset")
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def assigned_parts(name: str, value: Value) -> Value:
    """A value as a variable holds it: each part remembers the assignment."""
    whole = "".join(part.origin.text for part in value)
    text = f"{name}={' '.join(whole.split())[:80]}"
    return bounded(tuple(wrapped(part, Origin("assignment", text, part.origin.at)) for part in value))


def assign(expander: Expander, raw: RawAssignment, export: bool = False, unknown: str | None = None) -> None:
    """Carry out an assignment. `unknown`: why the variable does not hold the value as it is written."""
    state, name = expander.state, expander.state.aimed(raw.name)
    old = state.variables.get(name)
    span = expander.code.span(raw.value.start, raw.value.end)
    if raw.value.elements is not None:
        try:
            state.set(name, _array(expander, raw, old, span, export))
        except Undetermined as error:
            state.forget([name], error.reason)
        return
    if unknown is not None:
        value: Value = (Part(None, Origin("unresolved", name), unknown),)
    else:
        value = expander.value(raw.value.pieces) or (
            Part("", Origin("literal", "", expander.code.at(span.start, span.start))),
        )
        value = assigned_parts(name, value)
    if raw.subscript is not None:
        _assign_element(expander, name, raw, old, value, span)
    elif raw.append and old is None and state.silent(name):
        reason = f"environment variable {name} is not set in this script"
        state.set(name, Variable((Part(None, Origin("environment", name), reason), *value), exported=export))
    elif old is not None and old.elements is not None:
        elements = dict(old.elements)
        key = "0" if old.associative else 0
        elements[key] = Word((*elements[key].parts, *value) if raw.append and key in elements else value, span)
        state.set(name, replace(old, elements=_ordered(elements)))
    else:
        kept = old.value if raw.append and old is not None else ()
        state.set(name, Variable(bounded((*kept, *value)), exported=export))


def _array(expander: Expander, raw: RawAssignment, old: Variable | None, span: Span, export: bool) -> Variable:
    associative = old is not None and old.associative
    new = expander.elements(raw.value.elements or (), associative)
    if raw.append and old is not None:
        kept = old.elements if old.elements is not None else ((0, Word(old.value, span)),)
        shift = max((key for key, _ in kept if isinstance(key, int)), default=-1) + 1
        moved = [(key + shift if isinstance(key, int) else key, word) for key, word in new]
        new = [*dict([*kept, *moved]).items()] if associative else [*kept, *moved]
    words = [word for _, word in new]
    if (fewer := bounded_words(words)) != tuple(words):
        new = [*enumerate(fewer)]
    return Variable(elements=tuple(new), exported=export, associative=associative)


def _assign_element(
    expander: Expander, name: str, raw: RawAssignment, old: Variable | None, value: Value, span: Span
) -> None:
    elements = dict(old.elements or ()) if old is not None else {}
    if old is not None and old.elements is None and old.value:
        elements[0] = Word(old.value, span)
    associative = old is not None and old.associative
    try:
        key = expander.subscript(raw.subscript or (0, 0), associative)
    except Undetermined as error:
        expander.state.forget([name], error.reason)
        return
    if raw.append and key in elements:
        value = (*elements[key].parts, *value)
    elements[key] = Word(value, span)
    expander.state.set(name, Variable(elements=_ordered(elements), associative=associative))


def _ordered(elements: dict[int | str, Word]) -> Elements:
    return tuple(sorted(elements.items(), key=lambda item: item[0] if isinstance(item[0], int) else -1))


def declare(expander: Expander, command: str, rest: Sequence[RawWord]) -> None:
    """`export`, `declare`, `local`, `readonly`, `typeset`."""
    text, options = expander.code.text, ""
    for raw in rest:
        assignment = expander.lexer.assignment(raw)
        spelling = text[raw.start : raw.end]
        if assignment is None and re.fullmatch(r"[-+][a-zA-Z]+", spelling):
            options += spelling
        elif assignment is not None:
            _localize(expander.state, command, options, assignment.name)
            _declare_value(expander, command, options, assignment)
        else:
            for word in expander.words(raw):
                _declare_word(expander.state, command, options, word, short(f"{command} {spelling}"))
    if "p" in options:
        expander.state.print(None)


def _localize(state: State, command: str, options: str, name: str) -> None:
    local = command == "local" or (command in ("declare", "typeset") and "g" not in options)
    if local and state.saved:
        if name not in state.saved[-1]:
            state.saved[-1][name] = state.variables.get(name)
        state.variables[name] = Variable(unset=True)


def _declare_value(expander: Expander, command: str, options: str, assignment: RawAssignment) -> None:
    state, name = expander.state, assignment.name
    if "n" in options and command != "export":
        target = text_of(expander.value(assignment.value.pieces))
        _refer(state, name, target, expander.code.text[assignment.value.start : assignment.value.end])
        return
    if "A" in options:
        state.set(name, Variable(elements=(), associative=True))
    changed = f"declared with {options}" if re.search(r"[ilu]", options) else None
    assign(expander, assignment, command == "export" or "x" in options, changed)


def _refer(state: State, name: str, target: str | None, spelling: str) -> None:
    if target is None or not NAME.fullmatch(target) or target == name:
        state.forget_all(f"{name} may be another name of it, as {short(spelling)} says")
        state.forget([name], f"which variable {short(spelling)} is another name of")
    else:
        state.variables[name] = Variable(reference=target)


def _declare_word(state: State, command: str, options: str, word: Word, source: str) -> None:
    """`declare NAME`, and `export "$name=$value"`, whose name is made of others."""
    name, equals, _ = word.known_prefix.partition("=")
    if (equals or word.text is not None) and not NAME.fullmatch(name.removesuffix("+")):
        return
    if not equals and word.text is None:
        state.forget_all(f"{source} may set it")
        return
    _localize(state, command, options, name)
    export = command == "export" or "x" in options
    if equals and name.endswith("+"):
        state.forget([name[:-1]], source)
    elif equals:
        state.set(name, Variable(assigned_parts(name, word.after(len(name) + 1).parts), exported=export))
    elif "n" in options and command == "export":
        if old := state.variables.get(name):
            state.variables[name] = replace(old, exported=False)
    elif "a" in options.lower() and (name not in state.variables or state.variables[name].unset):
        state.set(name, Variable(elements=(), associative="A" in options))
    elif export and (old := state.variables.get(state.aimed(name))) is not None:
        state.variables[state.aimed(name)] = replace(old, exported=True)
