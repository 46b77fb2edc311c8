"""Simple commands: assignments, functions and builtins change what the shell knows; all else is recorded."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.document import Command, Word
from trainlint.readers.shell import files, pure
from trainlint.readers.shell.assignments import DECLARING, assign, declare
from trainlint.readers.shell.builtins import BUILTINS
from trainlint.readers.shell.code import Code
from trainlint.readers.shell.lexer import Lexer, RawAssignment, RawCommand
from trainlint.readers.shell.state import State, States, Variable, bounded_words

if TYPE_CHECKING:
    from trainlint.readers.shell.interpret import Interpreter

_TRANSPARENT = ("command", "builtin", "exec", "nohup", "time")
_SHELL = re.compile(r"(.*/)?(ba|z|da|k)?sh")
_READS_SCRIPT = re.compile(r"(.*/)?((ba|z|da|k)?sh|sbatch)")
"""What runs the script that it gets from its input."""
_READS_ALL = ("docker", "kubectl", "mpirun", "srun", "ssh")
"""What hands its whole input on, so that a loop around it has no more to read."""
_ELSEWHERE = ("docker", "kubectl", "nerdctl", "pdsh", "podman", "ssh", "sudo")
"""What runs a command where the variables of the script may not be."""
_GIVEN = re.compile(r"([A-Za-z_]\w*)=")
"""`docker run -e LR=1`."""
_SAYS = (":", "echo", "printf")
_TAKES_TEXT = ("pdsh", "ssh", "tmux")
"""What has a shell run the text that is one of its words."""
_SCRIPT = re.compile(r".*\.(sh|bash|sbatch|slurm)")
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


def execute(run: Interpreter, code: Code, node: Node, raw: RawCommand, state: State) -> States:
    """The states after a simple command; more than one where a function or `eval` branches, none after `exit`."""
    lexer = run.expander(code, state).lexer
    assignments: list[RawAssignment] = []
    rest = list(raw.words)
    while rest and (assignment := lexer.assignment(rest[0])):
        assignments.append(assignment)
        rest.pop(0)
    command = RawCommand(raw.start, raw.end, rest, raw.redirects, raw.descriptors)
    if rest:
        state.forget(raw.descriptors, "a file descriptor that the shell chooses")
        return files.redirected(
            run, code, node, raw, state, lambda inside: _run(run, code, node, command, assignments, inside)
        )
    for assignment in assignments:
        assign(run.expander(code, state), assignment)
        run.spend(0, state.size(assignment.name))
    state.status = None if any("$(" in code.text[w.start : w.end] for w in raw.words) else True
    return files.redirected(run, code, node, raw, state, lambda inside: [inside])


def _run(
    run: Interpreter, code: Code, node: Node, raw: RawCommand, assignments: list[RawAssignment], state: State
) -> States:
    expander = run.expander(code, state)
    first = code.text[raw.words[0].start : raw.words[0].end]
    if first in DECLARING:
        declare(expander, first, raw.words[1:])
        state.status = True
        return [state]
    if first in pure.OF_PATHS:
        expander = expander.knowing_the_script()
    words = list(bounded_words([word for each in raw.words for word in expander.words(each)]))
    run.spend(0, sum(len(word.parts) for word in words))
    environment = {a.name: Word(expander.value(a.value.pieces), code.span(*a.value.extent)) for a in assignments}
    leaves = False
    while words and words[0].text in _TRANSPARENT and not words[0].several:
        if len(words) > 1 and (words[1].text or "").startswith("-"):
            break
        leaves = leaves or words[0].text == "exec"
        words = words[1:]
    if not words:
        state.output = None if leaves else state.output
        return [state]
    call = Call(run, code, node, raw, state, words)
    name = call.texts[0] or ""
    if name in state.functions:
        return _with(environment, state, lambda: run.call(name, tuple(words[1:]), call.span, state)) or []
    done = _with(environment, state, lambda: BUILTINS[name](call)) if name in BUILTINS else None
    if done is not None:
        return done
    _record(call, environment)
    if leaves:
        run.ended.append(state)
        return []
    state.status = None
    return [state]


def _with(environment: dict[str, Word], state: State, body: Callable[[], States | None]) -> States | None:
    """Run a function or builtin behind assignments, which hold for it alone."""
    outer = {name: state.variables.get(name) for name in environment}
    for name, word in environment.items():
        state.set(name, Variable(word.parts, exported=True))
    after = body()
    for each in after or [state]:
        for name, variable in outer.items():
            if variable is None:
                each.variables.pop(name, None)
            else:
                each.variables[name] = variable
    return after


def assigns(lexer: Lexer, raw: RawCommand) -> set[str]:
    """The names that a command may assign, wherever it runs; `shift` for the positional arguments."""
    names = {found.name for word in raw.words if (found := lexer.assignment(word))}
    texts = [lexer.text[word.start : word.end] for word in raw.words if lexer.assignment(word) is None] or [""]
    if texts[0] in ("read", "mapfile", "readarray", "getopts", "let"):
        names |= {re.split(r"[-+*/%|&^<>]*=", text.strip("'\""))[0] for text in texts[1:]}
    return names | ({"shift"} if texts[0] in ("shift", "set") else set())


def _record(call: Call, environment: dict[str, Word]) -> None:
    state = call.state
    exported = {
        name: Word(variable.scalar(), call.span) for name, variable in state.variables.items() if variable.exported
    }
    command = Command(tuple(call.words), call.span, {**exported, **environment}, state.directory, state.files)
    state.print(files.printed(call))
    files.edit(call)
    started = _run_shell_text(call, environment)
    if started is None or started.source is call.code.source:  # else what that file runs is recorded in its place
        call.run.record(command, call.raw.start if call.code.sourced else 0)
    if any(text in _READS_ALL for text in call.texts):
        state.input = None


def _run_shell_text(call: Call, environment: dict[str, Word]) -> Code | None:
    """`bash -c 'text'`, also behind `srun`, `ssh` and the like, and scripts from the input or a file."""
    found = _shell_text(call)
    if found is None:
        return None
    text, arguments = found
    inner = _inner(call, environment)
    inner.positional = arguments
    after = call.run.apart(inner, None, lambda inside: call.run.nested(text, [inside]))
    call.state.files = inner.files
    if after is not None and call.state.output is not None and _SHELL.fullmatch(call.texts[0] or ""):
        call.state.print(after)
    return text


def _inner(call: Call, environment: dict[str, Word]) -> State:
    """What a shell knows that a command starts: the exported variables, or none that is sure where it runs elsewhere."""
    outer = call.state
    if call.texts[0] in _ELSEWHERE:
        state = State(directory=outer.directory, files=outer.files)
        exported = [name for name, variable in outer.variables.items() if variable.exported]
        given = [match[1] for text in call.texts if (match := _GIVEN.match(text or ""))]
        state.forget([*exported, *environment, *given], "it may be another one where the script runs")
        return state
    passed = {
        name: variable if variable.exported else Variable(unset=True) for name, variable in outer.variables.items()
    }
    state = State(passed, directory=outer.directory, unset_is_empty=outer.unset_is_empty, files=outer.files)
    for name, word in environment.items():
        state.set(name, Variable(word.parts, exported=True))
    return state


def _shell_text(call: Call) -> tuple[Code, tuple[Word, ...]] | None:
    """The text that a shell runs, and its arguments."""
    texts = call.texts
    if texts[0] in _SAYS:
        return None
    for at, shell in enumerate(texts):
        if shell is None or not _READS_SCRIPT.fullmatch(shell):
            continue
        if at + 2 < len(texts) and _SHELL.fullmatch(shell) and _DASH_C.fullmatch(texts[at + 1] or ""):
            return call.code.of_parts(call.words[at + 2].parts), tuple(call.words[at + 4 :])
        named = any(not (text or "-").startswith("-") for text in texts[at + 1 :])
        if not named and None not in texts[at:] and call.state.input:
            return call.code.of_parts(call.state.input), ()
    file = _started(call)
    name = call.texts[file] if file is not None else None
    code = files.code_of(call, name) if name else None
    if code is not None and file is not None:
        return code, tuple(call.words[file + 1 :])
    handed = _handed(call)
    return (call.code.of_parts(handed.parts), ()) if handed is not None else None


def _started(call: Call) -> int | None:
    """Which word of a command names the script that it starts."""
    for at, text in enumerate(call.texts):
        words = list(enumerate(call.texts[at + 1 :], at + 1))
        if text is None:
            continue
        if at == 0 and _SCRIPT.fullmatch(text) and "/" in text:
            return at
        if posixpath.basename(text) == "sbatch":  # a job that queues another has limits of its own
            queued = "#SBATCH" in call.code.script.text
            return None if queued else next((n for n, word in words if _SCRIPT.fullmatch(word or "")), None)
        if _SHELL.fullmatch(text) or (text == "srun" and at == 0):
            return next((n for n, word in words if not (word or "").startswith("-")), None)
    return None


def _handed(call: Call) -> Word | None:
    """The text that `ssh host "text"` and `sbatch --wrap="text"` hand to a shell."""
    if call.texts[0] == "sbatch":
        for at, word in enumerate(call.words):
            if word.known_prefix.startswith("--wrap="):
                return word.after(len("--wrap="))
            if word.text == "--wrap" and at + 1 < len(call.words):
                return call.words[at + 1]
    if call.texts[0] in _TAKES_TEXT:
        return next((word for word in call.words if any(" " in (part.text or "") for part in word.parts)), None)
    return None
