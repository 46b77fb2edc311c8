"""What each kind of statement does to the paths through a script: a table from tree-sitter's node types to handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.readers.shell import commands, files, loops
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.code import SIMPLE, Code
from trainlint.readers.shell.conditions import DoubleBracket
from trainlint.readers.shell.glob import Undecidable
from trainlint.readers.shell.state import State, States, flipped, text_of, with_status

if TYPE_CHECKING:
    from trainlint.readers.shell.interpret import Interpreter

Handler = Callable[["Interpreter", Code, Node, States], States]
Stage = Callable[[State], States]


def split(states: States) -> tuple[States, States]:
    """The states in which the last command succeeded, and those in which it failed; both where nobody knows."""
    yes = [state.copy() if state.status is None else state for state in states if state.status is not False]
    no = [state for state in states if state.status is not True]
    return yes, no


def _simple(run: Interpreter, code: Code, node: Node, states: States) -> States:
    for raw in run.simple(code, node):
        states = [after for state in states for after in commands.execute(run, code, node, raw, state)]
    return states


def _children(run: Interpreter, code: Code, node: Node, states: States) -> States:
    return run.sequence(code, node.children, states)


def _redirected(run: Interpreter, code: Code, node: Node, states: States) -> States:
    body = node.child_by_field_name("body")

    def inner(state: State) -> States:
        return run.sequence(code, [body] if body is not None else [], [state])

    def whole(state: State) -> States:
        first = next((child for child in node.children if child.type.endswith("_redirect")), None)
        if first is None or body is None or body.type in SIMPLE:  # a simple command sees to its own
            return inner(state)
        raw = run.expander(code, state).lexer.command(code.start(first))
        return files.redirected(run, code, node, raw, state, inner)

    # what stands behind `<<EOF` on its line: `| next`, `&& next`
    here = [child for child in node.children if child.type == "heredoc_redirect"]
    behind = [child for redirect in here for child in redirect.children]
    following = [child for child in behind if child.type in HANDLERS]
    pipe = next((child for child in following if child.type == "pipeline"), None)
    if pipe is not None:
        for state in states:
            _piped(run, state, [whole, *_stages(run, code, pipe)])
        return with_status(states, None)
    states = [after for state in states for after in whole(state)]
    if any(child.type == "||" for child in behind):
        for state in states:
            run.apart(state, state.input, lambda inside: run.sequence(code, following, [inside]))
        return states
    return run.sequence(code, following, states)


def _list(run: Interpreter, code: Code, node: Node, states: States) -> States:
    left, operator, right = node.children[0], node.children[1].type, node.children[-1]
    after = run.run(code, left, states)
    away = [state for state in after if state.leaving is not None]
    yes, no = split([state for state in after if state.leaving is None])
    going, staying = (yes, no) if operator == "&&" else (no, yes)
    for state in going:
        state.status = operator == "&&"
    for state in staying:
        state.status = operator != "&&"
    if going:
        going = run.run(code, right, going)
    return going + staying + away


def _pipeline(run: Interpreter, code: Code, node: Node, states: States) -> States:
    for state in states:
        _piped(run, state, _stages(run, code, node))
    return with_status(states, None)


def _stages(run: Interpreter, code: Code, node: Node) -> list[Stage]:
    def stage(inner: Node) -> Stage:
        return lambda state: run.sequence(code, [inner], [state])

    return [stage(child) for child in node.children if child.is_named]


def _piped(run: Interpreter, state: State, stages: Sequence[Stage]) -> None:
    """Each stage reads what the one before it prints."""
    text = state.input
    for stage in stages:
        text = run.apart(state, text, stage)
    state.print(text)


def _subshell(run: Interpreter, code: Code, node: Node, states: States) -> States:
    for state in states:
        state.print(run.apart(state, state.input, lambda inside: run.sequence(code, node.children, [inside])))
    return with_status(states, None)


def _negated(run: Interpreter, code: Code, node: Node, states: States) -> States:
    return flipped(run.sequence(code, node.children[1:], states))


def _compound(run: Interpreter, code: Code, node: Node, states: States) -> States:
    if node.children and node.children[0].type == "((":
        start, end = code.end(node.children[0]), code.end(node) - 2
        for state in states:
            state.status = loops.arithmetic_status(run, code, node, (start, end), state)
        return states
    return run.sequence(code, node.children, states)


def _test(run: Interpreter, code: Code, node: Node, states: States) -> States:
    opening = node.children[0].type
    if opening == "[[":
        start, end = code.end(node.children[0]), code.start(node.children[-1])
        for state in states:
            state.status = DoubleBracket(run.expander(code, state), start, end).decide()
        return states
    return _compound(run, code, node, states) if opening == "((" else _simple(run, code, node, states)


def _if(run: Interpreter, code: Code, node: Node, states: States) -> States:
    done: States = []
    condition: list[Node] = []
    body: list[Node] = []
    target: list[Node] = condition
    for child in node.children:
        if child.type == "then":
            target = body
        elif child.type in ("elif_clause", "else_clause", "fi"):
            if condition:
                finished, states = _branch(run, code, condition, body, states)
                done += finished
                condition, body, target = [], [], condition
            if child.type == "elif_clause":
                then = next((i for i, inner in enumerate(child.children) if inner.type == "then"), 1)
                finished, states = _branch(run, code, child.children[1:then], child.children[then + 1 :], states)
                done += finished
            elif child.type == "else_clause" and states:
                done += run.sequence(code, child.children[1:], states)
                states = []
        elif child.type != "if":
            target.append(child)
    if condition:
        finished, states = _branch(run, code, condition, body, states)
        done += finished
    return done + with_status(states, True)


def _branch(
    run: Interpreter, code: Code, condition: Sequence[Node], body: Sequence[Node], states: States
) -> tuple[States, States]:
    """The states that went through the body, and those that go on to the next branch."""
    after = run.sequence(code, condition, states)
    away = [state for state in after if state.leaving is not None]
    yes, no = split([state for state in after if state.leaving is None])
    return away + (run.sequence(code, body, yes) if yes else []), no


def _case(run: Interpreter, code: Code, node: Node, states: States) -> States:
    return [after for state in states for after in _case_in(run, code, node, state)]


def _case_in(run: Interpreter, code: Code, node: Node, state: State) -> States:
    subject = node.child_by_field_name("value")
    expander, text = run.expander(code, state), None
    if subject is not None:
        text = text_of(expander.value(expander.lexer.word(code.start(subject), code.end(subject)).pieces))
    done: States = []
    trying: States = [state]
    falling: States = []
    for item in (child for child in node.children if child.type == "case_item"):
        entering, left = falling, list[State]()
        for each in trying:
            matched = _item_matches(run, code, item, text, each)
            entering += [each if matched else each.copy()] if matched is not False else []
            left += [] if matched else [each]
        trying, falling = left, []
        if not entering:
            continue
        patterns = item.children_by_field_name("value")
        after = run.sequence(code, [child for child in item.children if child not in patterns], entering)
        ending = item.children[-1].type
        if ending == ";&":
            falling = after
        elif ending == ";;&":
            trying = [*trying, *after]
        else:
            done += after
    return done + trying + falling


def _item_matches(run: Interpreter, code: Code, item: Node, text: str | None, state: State) -> bool | None:
    patterns = item.children_by_field_name("value")
    verdicts: list[bool | None] = []
    expander = run.expander(code, state)
    for node in patterns:
        if code.of(node) == "*":
            return True
        try:
            word = expander.lexer.word(code.start(node), code.end(node))
            pattern = expander.pattern(word.pieces)
            verdicts.append(None if text is None or word.end < code.end(node) else pattern.matches(text))
        except (Undecidable, Undetermined):
            verdicts.append(None)
    return True if True in verdicts else None if None in verdicts else False


def _function(run: Interpreter, code: Code, node: Node, states: States) -> States:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is not None and body is not None:
        for state in states:
            state.functions = {**state.functions, code.of(name): (code, body)}
    return states


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(SIMPLE, _simple),
    "redirected_statement": _redirected,
    "list": _list,
    "pipeline": _pipeline,
    "subshell": _subshell,
    "negated_command": _negated,
    "compound_statement": _compound,
    "do_group": _children,
    "test_command": _test,
    "if_statement": _if,
    "case_statement": _case,
    "for_statement": loops.over_words,
    "c_style_for_statement": loops.counted,
    "while_statement": loops.conditional,
    "function_definition": _function,
    "ERROR": _children,
    "program": _children,
}
