"""The commands of bash itself: each changes what the shell knows. None: the call is recorded like that of any program."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell import files, pure
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.assignments import NAME, assigned_parts
from trainlint.readers.shell.conditions import simple_test
from trainlint.readers.shell.reading import mapfile, read
from trainlint.readers.shell.state import State, Variable, reason_of

if TYPE_CHECKING:
    from trainlint.readers.shell.commands import Call

Builtin = Callable[["Call"], "list[State] | None"]


def _done(call: Call, status: bool | None = True) -> list[State]:
    call.state.status = status
    return [call.state]


def _unset(call: Call) -> list[State]:
    functions = "-f" in call.texts
    for text in call.texts[1:]:
        if text is None or text.startswith("-"):
            continue
        name, bracket, key = text.partition("[")
        if functions:
            call.state.functions.pop(name, None)
        elif bracket:
            _unset_element(call.state, call.state.aimed(name), key.removesuffix("]"))
        else:
            call.state.variables[call.state.aimed(name)] = Variable(unset=True)
    return _done(call)


def _unset_element(state: State, name: str, key: str) -> None:
    variable = state.variables.get(name)
    known = variable is not None and variable.elements is not None and (variable.associative or key.isdigit())
    if variable is None or variable.elements is None or not known or any(w.several for _, w in variable.elements):
        state.forget([name], "an element of it is unset")
        return
    kept = tuple((each, word) for each, word in variable.elements if str(each) != key)
    state.variables[name] = Variable(elements=kept, exported=variable.exported, associative=variable.associative)


def _set(call: Call) -> list[State]:
    texts = call.texts[1:]
    before = texts[: texts.index("--")] if "--" in texts else texts
    for sign, option in zip(before, [*before[1:], None], strict=False):
        if sign and (re.fullmatch(r"[-+][a-z]*a[a-z]*", sign) or (sign in ("-o", "+o") and option == "allexport")):
            call.state.exporting = sign[0] == "-"
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
    if target == "-" or call.texts[0] != "cd":
        call.state.print(None)
    # a `cd` that fails inside of `$(cd … && pwd)` leaves nothing to go on with
    return _done(call, True if call.state.output is not None else None)


def _popd(call: Call) -> list[State]:
    call.state.directory = None
    call.state.print(None)
    return _done(call, None)


def _pwd(call: Call) -> list[State]:
    directory = call.state.directory
    absolute = directory is not None and posixpath.isabs(directory)
    call.state.print((Part(f"{directory}\n", Origin("computed", "pwd")),) if absolute else None)
    return _done(call)


def _getopts(call: Call) -> list[State]:
    names = [text for text in call.texts[2:3] if text]
    call.state.forget([*names, "OPTARG", "OPTIND"], "set by getopts from the arguments of the script")
    return _done(call, None)


def _source(call: Call) -> list[State] | None:
    states = files.source(call)
    if states is None:
        call.state.unset_is_empty = False  # that file may set it
        name = call.words[1].parts if len(call.words) > 1 else ()
        if name and all(part.text is None for part in name):
            # somebody hands the script its settings; a name with a known part is an environment's in practice
            call.state.forget_all(
                f"a file that is sourced may set it, and nobody knows which: {reason_of(tuple(name))}"
            )
    return states


def _eval(call: Call) -> list[State]:
    parts: list[Part] = []
    for word in call.words[1:]:
        if parts:
            parts.append(Part(" ", Origin("literal", " ")))
        parts += word.parts
    code = call.code.of_parts(tuple(parts))
    if code.assigns_unknown:
        call.state.forget_all(f"eval may set it: {reason_of(tuple(parts))}")
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


def _exit(call: Call) -> list[State]:
    call.run.ended.append(call.state)
    return []


def _return(call: Call) -> list[State]:
    if len(call.words) > 1:
        text = call.texts[1]
        call.state.status = None if text is None or not text.isdigit() else int(text) == 0
    call.state.leaving = "return"
    return [call.state]


def _leaving(kind: str) -> Builtin:
    def handler(call: Call) -> list[State]:
        levels = call.texts[1] if len(call.words) > 1 else "1"
        call.state.leaving, call.state.levels = kind, int(levels) if levels and levels.isdigit() else 1
        return [call.state]

    return handler


def _printf(call: Call) -> list[State] | None:
    texts = call.texts
    if len(texts) < 3 or texts[1] != "-v":
        return None
    name, known = texts[2], [text for text in texts[3:] if text is not None]
    if name is None:
        call.state.forget_all(f"printf -v may set it: {call.words[2].unknown}")
        return _done(call)
    text = pure.printed(["printf", *known]) if len(known) == len(texts) - 3 else None
    if text is None or not NAME.fullmatch(name):
        call.state.forget([name.partition("[")[0]], "set by printf -v")
    else:
        call.state.set(name, Variable(assigned_parts(name, (Part(text, Origin("computed", text)),))))
    return _done(call)


BUILTINS: dict[str, Builtin] = {
    ":": _done,
    "true": _done,
    "false": lambda call: _done(call, False),
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "cd": _cd,
    "pushd": _cd,
    "popd": _popd,
    "pwd": _pwd,
    "read": read,
    "mapfile": mapfile,
    "readarray": mapfile,
    "getopts": _getopts,
    "eval": _eval,
    "source": _source,
    ".": _source,
    "let": _let,
    "[": _test,
    "test": _test,
    "exit": _exit,
    "return": _return,
    "break": _leaving("break"),
    "continue": _leaving("continue"),
    "printf": _printf,
}
