"""Walks the statements of a script along every path that it may take, and records the commands it would run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tree_sitter import Node

from trainlint.document import Command, Invocation, Word
from trainlint.readers.caller import Caller
from trainlint.readers.shell import files
from trainlint.readers.shell.code import SIMPLE, Code, Value
from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.lexer import Lexer, RawCommand, Substitution, Unclosed
from trainlint.readers.shell.loops import assigned, forgotten_names
from trainlint.readers.shell.state import State, States, files_of, merge, same_text, text_of, with_status
from trainlint.readers.shell.statements import HANDLERS
from trainlint.text import Span

_MOST_STEPS = 10_000
_DEEPEST_CALL = 20
_STEPS_OF_A_COMMAND = 5
_STEPS_OF_A_TEXT = 20
_PARTS_OF_A_STEP = 10
_CONTENT = re.compile(r"\s*<\s*([^\s;&|<>()]+)\s*")
"""`$(< file)`."""

Site = tuple[Span, tuple[object, ...], int]


class Interpreter:
    """Runs code in states. `invocations` is what it found."""

    def __init__(self, caller: Caller) -> None:
        self.initial = State.initial(caller)
        self.sourced: dict[Path, None] = {}
        self._sites: dict[Site, list[Command]] = {}
        self._path: tuple[object, ...] = ()
        self._unrecorded = 0
        self._steps = 0
        self._depth = 0
        self._commands: dict[tuple[int, int], list[RawCommand]] = {}
        self._assigned: dict[tuple[int, int, int], set[str]] = {}
        self._kept: list[Code] = []
        self._substituted: dict[tuple[int, int], Code] = {}
        self.ended: States = []
        """The states in which the script, or the subshell that runs, has ended."""

    def run_file(self, code: Code) -> None:
        self.run_code(code, [self.initial])

    def invocations(self) -> list[Invocation]:
        """The commands by place, in the order of the text; those of one place in the order they run."""
        ordered = sorted(self._sites.items(), key=lambda site: site[0][0].start)
        return [Invocation(span, tuple(found)) for (span, *_), found in ordered]

    def record(self, command: Command, start: int) -> None:
        """Note a command. `start` tells those apart that stand at one place of the script, because it sources them."""
        if self._unrecorded:
            return
        found = self._sites.setdefault((command.span, self._path, start), [])
        self.spend(_STEPS_OF_A_COMMAND + len(found))
        if not any(_same(command, other) for other in found):
            found.append(command)

    # ------------------------------------------------------------------------------------------ running things

    def run_code(self, code: Code, states: States) -> States:
        self._kept.append(code)
        return self.sequence(code, code.tree.root_node.children, states)

    def nested(self, code: Code, states: States) -> States:
        """Text that runs as part of a command: `eval`, `bash -c`."""
        if self._depth >= _DEEPEST_CALL:
            return states
        if self.exhausted:
            for state in states:
                state.forget_world("set by commands that are not followed so far")
            return states
        self.spend(_STEPS_OF_A_TEXT)
        self._depth += 1
        try:
            return self.run_code(code, states)
        finally:
            self._depth -= 1

    def sequence(self, code: Code, nodes: Sequence[Node], states: States) -> States:
        read_to = -1
        for number, node in enumerate(nodes):
            if not node.is_named or code.start(node) < read_to:
                continue
            following = nodes[number + 1] if number + 1 < len(nodes) else None
            if following is not None and following.type == "&":
                for state in states:
                    self.apart(state, None, partial(self._one, code, node))
            else:
                states = self.run(code, node, states)
            if node.type in SIMPLE:
                read_to = self.simple(code, node)[-1].end
        return states

    def _one(self, code: Code, node: Node, state: State) -> States:
        return self.run(code, node, [state])

    def run(self, code: Code, node: Node, states: States) -> States:
        """The states after one statement. Paths that are leaving a loop or function pass it by."""
        live = [state for state in states if state.leaving is None]
        away = [state for state in states if state.leaving is not None]
        if not live:
            return away
        self.spend(len(live))
        handler = HANDLERS.get(node.type)
        if self._steps > 2 * _MOST_STEPS:
            live = [after for state in live for after in self._forgotten(code, node, state, "not followed so far")]
        elif handler is not None:
            try:
                live = handler(self, code, node, live)
            except Unclosed:  # a syntax error, reported as such; the statement is passed over
                live = with_status(live, None)
        if len(live) + len(away) > 1:
            return merge(live + away)
        return live + away

    def apart(self, state: State, given: Value | None, body: Callable[[State], States]) -> Value | None:
        """What is printed where nothing but the files written gets out: in a subshell, a pipeline, `$(…)`."""
        outer, self.ended = self.ended, []
        inside = state.copy()
        inside.output, inside.input = (), given
        ends = body(inside) + self.ended
        self.ended = outer
        if not ends:
            return None
        state.files = files_of(ends)
        return ends[0].output if all(same_text(end.output, ends[0].output) for end in ends) else None

    def output(self, expander: Expander, piece: Substitution) -> Value | None:
        """What `$(…)` or `<(…)` prints, as far as that is known; the commands in it are recorded."""
        start, end = piece.inner
        text = expander.code.text
        if self._depth >= _DEEPEST_CALL or (text[piece.start] == "`" and "\\" in text[start:end]):
            return None
        key = (id(expander.code), start)
        if key not in self._substituted:
            self._substituted[key] = expander.code.of_parts(expander.code.parts(start, end))
            self._kept.append(expander.code)
        inner, state = self._substituted[key], expander.state
        if (match := _CONTENT.fullmatch(inner.text)) is not None:
            name = text_of(expander.range((start + match.start(1), start + match.end(1)), "argument"))
            return files.content(state, name)
        return self.apart(state, state.input, lambda inside: self.nested(inner, [inside]))

    def simple(self, code: Code, node: Node) -> list[RawCommand]:
        key = (id(code), node.start_byte)
        if key not in self._commands:
            start = code.start(node)
            try:
                self._commands[key] = Lexer(code.text).commands(start, code.end(node))
            except Unclosed:
                self._commands[key] = [RawCommand(start, code.end(node))]
        return self._commands[key]

    def expander(self, code: Code, state: State) -> Expander:
        return Expander(code, state, self.output)

    @property
    def exhausted(self) -> bool:
        """Whether loops and calls have taken so many steps that the rest is only looked at, not followed."""
        return self._steps > _MOST_STEPS

    def spend(self, steps: int, parts: int = 0) -> None:
        """Count what was done: a step for each path of each statement, and more where values have many parts."""
        self._steps += steps + parts // _PARTS_OF_A_STEP

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Inside, commands are followed for what they do to the state only."""
        self._unrecorded += 1
        try:
            yield
        finally:
            self._unrecorded -= 1

    def _forgotten(self, code: Code, node: Node, state: State, reason: str) -> States:
        state.forget_world(reason)
        return forgotten_names([state], self.assigned(code, node), reason)

    def assigned(self, code: Code, node: Node) -> set[str]:
        key = (id(code), node.start_byte, node.end_byte)
        if key not in self._assigned:
            self._assigned[key] = assigned(code, node)
        return set(self._assigned[key])

    def at_path(self, *steps: object) -> _Path:
        return _Path(self, steps)

    def call(self, name: str, arguments: tuple[Word, ...], span: Span, state: State) -> States:
        """Run a function of the script."""
        code, body = state.functions[name]
        if self._depth >= _DEEPEST_CALL or self.exhausted:
            return self._forgotten(code, body, state, f"assigned in the function {name}")
        outer, outer_saved = state.positional, state.saved
        state.positional, state.saved = arguments, (*state.saved, {})
        self._depth += 1
        try:
            with self.at_path(span, name):
                states = self.run(code, body, [state])
        finally:
            self._depth -= 1
        for after in states:
            for variable, value in (after.saved[-1] if after.saved else {}).items():
                if value is None:
                    after.variables.pop(variable, None)
                else:
                    after.variables[variable] = value
            after.saved, after.positional = outer_saved, outer
            after.leaving = None if after.leaving == "return" else after.leaving
        return merge(states)


class _Path:
    """Inside, commands are recorded as of their own run: one loop iteration, one call."""

    def __init__(self, interpreter: Interpreter, steps: tuple[object, ...]) -> None:
        self._interpreter, self._steps = interpreter, steps

    def __enter__(self) -> None:
        self._outer = self._interpreter._path
        self._interpreter._path = (*self._outer, *self._steps)

    def __exit__(self, *_: object) -> None:
        self._interpreter._path = self._outer


def _same(one: Command, other: Command) -> bool:
    def content(command: Command) -> object:
        words = [(word.several, tuple(part.text for part in word.parts)) for word in command.words]
        return words, {name: word.text for name, word in command.environment.items()}, command.directory

    return one.files == other.files and (one.words == other.words or content(one) == content(other))
