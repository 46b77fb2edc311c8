"""What each kind of statement does to the paths through a script: a table from tree-sitter's node types to handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell import commands
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.code import Code, walk
from trainlint.readers.shell.conditions import DoubleBracket
from trainlint.readers.shell.glob import Undecidable
from trainlint.readers.shell.lexer import Lexer, Range, Unclosed
from trainlint.readers.shell.state import State, States, Variable, merge, text_of

if TYPE_CHECKING:
    from trainlint.readers.shell.interpret import Interpreter

MOST_ITERATIONS = 32

Handler = Callable[["Interpreter", Code, Node, States], States]


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
    states = run.sequence(code, [body], states) if body is not None else states
    return _after_heredoc(run, code, node, states)


def _after_heredoc(run: Interpreter, code: Code, node: Node, states: States) -> States:
    """What stands behind `<<EOF` on its line: `&& next`, `| next`."""
    for redirect in node.children:
        if redirect.type == "heredoc_redirect":
            rest = [child for child in redirect.children if child.type in HANDLERS]
            if rest:
                run.on_copies(code, rest, states)
    return states


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
    for stage in node.children:
        if stage.is_named:
            run.on_copies(code, [stage], states)
    return with_status(states, None)


def _subshell(run: Interpreter, code: Code, node: Node, states: States) -> States:
    run.on_copies(code, node.children, states)
    return with_status(states, None)


def with_status(states: Iterable[State], status: bool | None) -> States:
    states = list(states)
    for state in states:
        state.status = status
    return states


def _negated(run: Interpreter, code: Code, node: Node, states: States) -> States:
    return _flipped(run.sequence(code, node.children[1:], states))


def _flipped(states: States) -> States:
    for state in states:
        state.status = None if state.status is None else not state.status
    return states


def _compound(run: Interpreter, code: Code, node: Node, states: States) -> States:
    if node.children and node.children[0].type == "((":
        start, end = code.end(node.children[0]), code.end(node) - 2
        for state in states:
            state.status = _arithmetic_status(run, code, node, (start, end), state)
        return states
    return run.sequence(code, node.children, states)


def _arithmetic_status(run: Interpreter, code: Code, node: Node, where: Range, state: State) -> bool | None:
    try:
        return bool(run.expander(code, state).arithmetic(where))
    except Undetermined:
        state.forget(assigned(code, node), "set by arithmetic on unknown values")
        return None


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
    subject = node.child_by_field_name("value")
    items = [child for child in node.children if child.type == "case_item"]
    done: States = []
    for state in states:
        expander = run.expander(code, state)
        text = None
        if subject is not None:
            word = expander.lexer.word(code.start(subject), code.end(subject))
            text = text_of(expander.value(word.pieces))
        open_state: State | None = state
        for item in items:
            if open_state is None:
                break
            matched = _item_matches(run, code, item, text, open_state)
            if matched is False:
                continue
            inside = open_state if matched else open_state.copy()
            patterns = item.children_by_field_name("value")
            body = [child for child in item.children if child not in patterns]
            done += run.sequence(code, body, [inside])
            open_state = None if matched else open_state
        if open_state is not None:
            done.append(open_state)
    return done


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


def _for(run: Interpreter, code: Code, node: Node, states: States) -> States:
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
                each.set(name, Variable(commands.assigned_parts(name, word.parts)))
            current, left = _round(run, code, node, number, current)
            done += left
        done += current
    return _behind(done)


def _round(run: Interpreter, code: Code, node: Node, number: int, states: States) -> tuple[States, States]:
    """One turn of a loop's body, as a run of its own: the states that go on looping, and those that leave the loop."""
    body = node.child_by_field_name("body")
    with run.at_path(code.span(code.start(node), code.start(node)), number):
        states = run.run(code, body, states) if body is not None else states
    left = [each for each in states if each.leaving in ("break", "return")]
    going = [each for each in states if each.leaving not in ("break", "return")]
    for each in going:
        each.leaving = None
    return (merge(going) if len(going) > 1 else going), left


def _behind(states: States) -> States:
    """After a loop: `break` has had its effect, `return` has not."""
    for state in states:
        state.leaving = None if state.leaving == "break" else state.leaving
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


def _c_style_for(run: Interpreter, code: Code, node: Node, states: States) -> States:
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
        return _arithmetic_status(run, code, node, condition, state) if code.text[slice(*condition)].strip() else True

    done: States = []
    for state in states:
        _arithmetic_status(run, code, node, initial, state)
        done += _loop(run, code, node, state, lambda state: _tested(state, test), update)
    return _behind(done)


def _tested(state: State, test: Callable[[State], bool | None]) -> States:
    state.status = test(state)
    return [state]


def _while(run: Interpreter, code: Code, node: Node, states: States) -> States:
    conditions = [child for child in node.children_by_field_name("condition") if child.is_named]
    until = node.children[0].type == "until"

    def test(state: State) -> States:
        after = run.sequence(code, conditions, [state])
        return _flipped(after) if until else after

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
                _arithmetic_status(run, code, node, update or (0, 0), each)
        return None

    with run.unrecorded():
        ends = follow(state.copy()) is not None
    followed = follow(state) if ends else None
    if followed is not None:
        return followed
    return _unknown_loop(run, code, node, [state], f"assigned inside a {node.children[0].type} loop")


def _unknown_loop(run: Interpreter, code: Code, node: Node, states: States, reason: str) -> States:
    """A loop that runs nobody knows how often: look at its commands once, then know nothing of what it assigns."""
    names = assigned(code, node)
    for state in states:
        inside = state.copy()
        inside.forget(names, reason)
        if "shift" in names:
            inside.positional = None
        before = dict(inside.variables)
        for child in (*node.children_by_field_name("condition"), node.child_by_field_name("body")):
            if child is not None and child.is_named:
                for after in run.run(code, child, [inside.copy()]):
                    names |= {name for name, value in after.variables.items() if before.get(name) != value}
                    if after.directory != state.directory:
                        state.directory = None
    return forgotten_names(states, names, reason)


def forgotten(code: Code, node: Node, states: States, reason: str) -> States:
    return forgotten_names(states, assigned(code, node), reason)


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
    return {name for name in names if name.isidentifier()}


def _function(run: Interpreter, code: Code, node: Node, states: States) -> States:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is not None and body is not None:
        for state in states:
            state.functions = {**state.functions, code.of(name): (code, body)}
    return states


SIMPLE = {"command", "declaration_command", "unset_command", "variable_assignment", "variable_assignments"}

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
    "for_statement": _for,
    "c_style_for_statement": _c_style_for,
    "while_statement": _while,
    "function_definition": _function,
    "ERROR": _children,
    "program": _children,
}
