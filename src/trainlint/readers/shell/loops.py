"""Loops: turn by turn, each a run of its own, where it is known how often; else looked at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell import commands
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.assignments import assigned_parts
from trainlint.readers.shell.code import SIMPLE, Code, walk
from trainlint.readers.shell.lexer import Lexer, Range, Unclosed
from trainlint.readers.shell.state import State, States, Variable, files_of, flipped, merge, same_text, with_status

if TYPE_CHECKING:
    from trainlint.readers.shell.interpret import Interpreter

MOST_ITERATIONS = 32
_HEADER = re.compile(r"for[ \t]*\(\([^\n]*")
_SET = re.compile(r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))|(?:\+\+|--)([A-Za-z_]\w*)", re.ASCII)


def over_words(run: Interpreter, code: Code, node: Node, states: States) -> States:
    variable = node.child_by_field_name("variable")
    if variable is None:
        return states
    if node.children[0].type == "select":
        return _unknown_loop(run, code, node, states, "chosen in a select menu")
    name = code.of(variable)
    values = node.children_by_field_name("value")
    done: States = []
    for state in states:
        words = _loop_words(run, code, node, values, state)
        if any(word.several for word in words) or len(words) > MOST_ITERATIONS or run.exhausted:
            done += _unknown_loop(run, code, node, [state], "set by a for loop over values that are not known")
            continue
        current = [state]
        for number, word in enumerate(words):
            for each in current:
                each.set(name, Variable(assigned_parts(name, word.parts)))
            current, left = _round(run, code, node, number, current)
            done += left
        done += current
    return _behind(done)


def _round(run: Interpreter, code: Code, node: Node, number: int, states: States) -> tuple[States, States]:
    """One turn of a loop's body, as a run of its own: the states that go on looping, and those that leave the loop."""
    body = node.child_by_field_name("body")
    run.spend(1)
    with run.at_path(code.span(code.start(node), code.start(node)), number):
        states = run.run(code, body, states) if body is not None else states
    for each in states:
        if each.leaving == "continue" and each.levels == 1:
            each.leaving = None
    going = [each for each in states if each.leaving is None]
    left = [each for each in states if each.leaving is not None]
    return (merge(going) if len(going) > 1 else going), left


def _behind(states: States) -> States:
    """After a loop: `break` and `continue` have had their effect on it, though not on those around it; `return` has not."""
    for state in states:
        if state.leaving in ("break", "continue"):
            state.leaving = state.leaving if state.levels > 1 else None
            state.levels = max(state.levels - 1, 1)
    return states


def _loop_words(run: Interpreter, code: Code, node: Node, values: Sequence[Node], state: State) -> list[Word]:
    expander = run.expander(code, state)
    if not any(child.type == "in" for child in node.children):
        if state.positional is not None:
            return list(state.positional)
        part = Part(None, Origin("positional", "$@"), "the arguments that the script is called with")
        return [Word((part,), code.span(code.start(node), code.end(node)), several=True)]
    if not values:
        return []
    try:
        raw = expander.lexer.command(code.start(values[0]))
        return [word for each in raw.words for word in expander.words(each)]
    except Unclosed:
        return []


def counted(run: Interpreter, code: Code, node: Node, states: States) -> States:
    opening = next((child for child in node.children if child.type == "(("), None)
    closing = next((child for child in node.children if child.type == "))"), None)
    if opening is None or closing is None:
        return states
    cuts = [at for at in range(code.end(opening), code.start(closing)) if code.text[at] == ";"]
    if len(cuts) != 2:
        return _unknown_loop(run, code, node, states, "assigned inside a for loop")
    initial, condition, update = (
        (code.end(opening), cuts[0]),
        (cuts[0] + 1, cuts[1]),
        (cuts[1] + 1, code.start(closing)),
    )

    def test(state: State) -> bool | None:
        return arithmetic_status(run, code, node, condition, state) if code.text[slice(*condition)].strip() else True

    done: States = []
    for state in states:
        arithmetic_status(run, code, node, initial, state)
        done += _loop(run, code, node, state, lambda state: _tested(state, test), update)
    return _behind(done)


def _tested(state: State, test: Callable[[State], bool | None]) -> States:
    state.status = test(state)
    return [state]


def conditional(run: Interpreter, code: Code, node: Node, states: States) -> States:
    conditions = [child for child in node.children_by_field_name("condition") if child.is_named]
    until = node.children[0].type == "until"

    def test(state: State) -> States:
        after = run.sequence(code, conditions, [state])
        return flipped(after) if until else after

    done: States = []
    for state in states:
        done += _loop(run, code, node, state, test)
    return _behind(done)


def _loop(
    run: Interpreter,
    code: Code,
    node: Node,
    state: State,
    test: Callable[[State], States],
    update: Range | None = None,
) -> States:
    """A loop that goes on as long as a test says. It is followed only where that is known for every turn."""

    def follow(state: State) -> States | None:
        done: States = []
        current = [state]
        for number in range(MOST_ITERATIONS + 1):
            current = [after for each in current for after in test(each)]
            if run.exhausted or any(each.status is None for each in current):
                return None
            done += [each for each in current if each.status is False or each.leaving is not None]
            current = [each for each in current if each.status and each.leaving is None]
            if not current:
                return with_status(done, True)
            current, left = _round(run, code, node, number, current)
            done += left
            for each in current if update is not None else ():
                arithmetic_status(run, code, node, update or (0, 0), each)
        return None

    with run.unrecorded():
        ends = follow(state.copy()) is not None
    followed = follow(state) if ends else None
    if followed is not None:
        return followed
    return _unknown_loop(run, code, node, [state], f"assigned inside a {node.children[0].type} loop")


def _unknown_loop(run: Interpreter, code: Code, node: Node, states: States, reason: str) -> States:
    """A loop that runs nobody knows how often: look at its commands once, then know nothing of what it assigns."""
    names = run.assigned(code, node)
    for state in states:
        inside = state.copy()
        inside.forget(names, reason)
        if "shift" in names:
            inside.positional = None
        before, ends = dict(inside.variables), [state]
        for child in (*node.children_by_field_name("condition"), node.child_by_field_name("body")):
            if child is not None and child.is_named:
                for after in run.run(code, child, [inside.copy()]):
                    names |= {name for name, value in after.variables.items() if before.get(name) != value}
                    ends.append(after)
        if any(after.directory != state.directory for after in ends):
            state.directory = None
        state.files = files_of(ends)
        state.unset_is_empty = all(after.unset_is_empty for after in ends)
        state.input = None
        if not all(same_text(after.output, state.output) for after in ends):
            state.output = None
    return forgotten_names(states, names, reason)


def arithmetic_status(run: Interpreter, code: Code, node: Node, where: Range, state: State) -> bool | None:
    try:
        return bool(run.expander(code, state).arithmetic(where))
    except Undetermined:
        state.forget(run.assigned(code, node), "set by arithmetic on unknown values")
        return None


def forgotten_names(states: States, names: Iterable[str], reason: str) -> States:
    names = set(names)
    for state in states:
        state.forget(sorted(names - {"shift"}), reason)
        if "shift" in names:
            state.positional = None
        state.status = None
    return states


def assigned(code: Code, node: Node) -> set[str]:
    """Every variable that is assigned anywhere below a node; `shift` stands for the positional arguments."""
    names = set()
    lexer = Lexer(code.text)
    for inner in walk(node):
        if inner.type in SIMPLE:
            try:
                simple = lexer.commands(code.start(inner), code.end(inner))
            except Unclosed:
                continue
            names |= {name for raw in simple for name in commands.assigns(lexer, raw)}
        elif inner.type in ("for_statement", "binary_expression", "postfix_expression", "unary_expression"):
            operands = [child for child in inner.children if child.type in ("variable_name", "word", "subscript")]
            names |= {code.of(child).partition("[")[0] for child in operands[:1]}
        elif inner.type == "c_style_for_statement" and (header := _HEADER.match(code.text, code.start(inner))):
            names |= {name for match in _SET.finditer(header[0]) for name in match.groups() if name}
    return {name for name in names if name.isidentifier()}
