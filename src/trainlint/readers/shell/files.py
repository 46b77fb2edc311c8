"""What goes into and comes out of commands: redirections, here-documents, files that a script writes, `source FILE`."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tree_sitter import Node

from trainlint.document import Origin, Part, Written
from trainlint.places import starts
from trainlint.readers.shell import pure
from trainlint.readers.shell.code import Code, Value
from trainlint.readers.shell.lexer import RawCommand, Substitution
from trainlint.readers.shell.state import State, States, text_of
from trainlint.text import Location, SourceText, Unreadable

if TYPE_CHECKING:
    from trainlint.readers.shell.commands import Call
    from trainlint.readers.shell.interpret import Interpreter

_WRITES = (">", ">|", ">>", "&>", "&>>", ">&")
_IN_PLACE = {
    "sed": r"-[nErs]*i.*|--in-place.*",
    "perl": r"-\w*i.*",
    "yq": r"-\w*i\w*|--inplace",
    "dos2unix": r"(?!-).*",
}
"""Programs that change the files they name, and the option with which they do."""
_COPIES = ("cp", "install", "ln", "mv", "rsync")


def redirected(
    run: Interpreter, code: Code, node: Node, raw: RawCommand, state: State, body: Callable[[State], States]
) -> States:
    """Run something whose input and output `raw.redirects` lead elsewhere."""
    if not raw.redirects:
        return body(state)
    outer, left = state.output, state.input
    given = _given(run, code, node, raw, state)
    state.output, state.input = (), given
    states = body(state)
    for after in states:
        printed, after.output = after.output, outer
        if any(operator[0] == "<" for operator, _ in raw.redirects):
            after.input = left
        _deliver(run, code, raw, after, printed)
    return states


def _given(run: Interpreter, code: Code, node: Node, raw: RawCommand, state: State) -> Value | None:
    """What the standard input holds."""
    expander, found = run.expander(code, state), state.input
    for operator, target in raw.redirects:
        if operator == "<<<":
            found = (*expander.value(target.pieces), Part("\n", Origin("literal", "\n")))
        elif operator in ("<<", "<<-"):
            found = _heredoc(run, code, node, state, operator == "<<-")
        elif operator == "<":
            process = target.pieces[0] if len(target.pieces) == 1 else None
            if isinstance(process, Substitution):
                found = run.output(expander, process)
            else:
                found = content(state, text_of(expander.value(target.pieces)))
        elif operator == "<&":
            found = None
    return found


def _heredoc(run: Interpreter, code: Code, node: Node, state: State, indented: bool) -> Value | None:
    """The expanded text of the here-document of a command, or of the statement around it."""
    around = node if node.type == "redirected_statement" else node.parent
    redirect = next((c for c in (around.children if around else ()) if c.type == "heredoc_redirect"), None)
    body = next((c for c in (redirect.children if redirect else ()) if c.type == "heredoc_body"), None)
    if redirect is None or body is None:
        return None
    start, end = code.start(body), code.end(body)
    mark = next((code.of(c) for c in redirect.children if c.type == "heredoc_start"), "")
    if re.search(r"['\"\\]", mark):
        value = code.parts(start, end)
    else:
        value = run.expander(code, state).range((start, end), "heredoc")
    if not indented:
        return value
    text = text_of(value)
    return None if text is None else _made(re.sub(r"^\t+", "", text, flags=re.MULTILINE))


def _made(text: str) -> Value:
    return (Part(text, Origin("computed", text)),)


def _path(state: State, name: str | None) -> str | None:
    """How a file is called in `State.files`; None where that depends on an unknown directory."""
    if not name or (state.directory is None and not posixpath.isabs(name)):
        return None
    return posixpath.normpath(posixpath.join(state.directory or "", name))


def content(state: State, name: str | None) -> Value | None:
    """What a file holds that the script wrote."""
    path = _path(state, name)
    if name == "/dev/null":
        return ()
    written = state.files.get(path) if path is not None else None
    return None if written is None or written.text is None else written.parts


def _deliver(run: Interpreter, code: Code, raw: RawCommand, state: State, printed: Value | None) -> None:
    """Put what was printed into the files that it goes to, else to where the output of the script goes there."""
    expander, caught = run.expander(code, state), True
    for operator, target in raw.redirects:
        name = text_of(expander.value(target.pieces))
        if operator not in _WRITES or (operator == ">&" and name == "1") or name == "/dev/stdout":
            continue
        caught = False
        if name is not None and not re.fullmatch(r"/dev/.*|\d+|-", name):
            _write(state, name, printed, operator.endswith(">>"), Location(code.script, code.span(raw.start, raw.end)))
    if caught:
        state.print(printed)


def _write(state: State, name: str, value: Value | None, append: bool, at: Location) -> None:
    path = _path(state, name)
    if path is None:
        return
    if append:
        before = content(state, name)  # what lies on the disk is not the script's to say
        value = (*before, *value) if before is not None and value is not None else None
    text = text_of(value) if value is not None else None
    state.files = {**state.files, path: Written(text, value or (), at)}


def edit(call: Call) -> None:
    """What programs do to the files that they name: `tee`, `sed -i`, `cp`."""
    texts = [text for text in call.texts if text is not None]
    name, at = posixpath.basename(texts[0]) if texts else "", Location(call.code.script, call.span)
    named = [text for text in texts[1:] if not text.startswith("-")]
    if name == "tee":
        for file in named:
            _write(call.state, file, call.state.input, "-a" in texts or "--append" in texts, at)
    elif name in _IN_PLACE and any(re.fullmatch(_IN_PLACE[name], text) for text in texts[1:]):
        for file in named:
            if _path(call.state, file) in call.state.files or "." in posixpath.basename(file):
                _write(call.state, file, None, False, at)
    elif name in _COPIES and len(named) > 1:
        for file in _targets(named):
            _write(call.state, file, content(call.state, named[0]) if file == named[1] else None, False, at)


def _targets(named: list[str]) -> Iterator[str]:
    """The files that a copy may write: its target may be a directory."""
    *sources, target = named
    if "." in posixpath.basename(target) and len(sources) == 1 and not target.endswith("/"):
        yield target
    yield from (posixpath.join(target, posixpath.basename(source)) for source in sources)


def printed(call: Call) -> Value | None:
    """What a command prints; None where only a run could tell."""
    texts = [text for text in call.texts if text is not None]
    if len(texts) < len(call.words):
        return _echoed(call) if texts and texts[0] == "echo" else None
    name, given = texts[0], call.state.input
    if name == "cat":
        return _concatenated(call.state, texts[1:])
    if name == "tee":
        return given
    if name == "bc":
        text = text_of(given) if given is not None else None
        answer = None if text is None else pure.calculated(texts[1:], text)
        return None if answer is None else _made(answer)
    if name == "echo" and (value := _echoed(call)) is not None:
        return value
    text = pure.printed(texts)
    return None if text is None else _made(text)


def _echoed(call: Call) -> Value | None:
    """What `echo` prints of words whose origins are kept; a part of them may be unknown."""
    words = call.words[1:]
    first = words[0].text if words else ""
    if any(word.several for word in words) or first is None or re.fullmatch(r"-[neE]+", first):
        return None
    blank = Part(" ", Origin("literal", " "))
    parts = [part for word in words for part in (blank, *word.parts)][1:]
    return (*parts, Part("\n", Origin("literal", "\n")))


def _concatenated(state: State, names: list[str]) -> Value | None:
    found = [state.input if name == "-" else content(state, name) for name in names or ["-"]]
    return None if None in found else tuple(part for value in found for part in value or ())


# ---------------------------------------------------------------------------------------------------------- sourcing


def source(call: Call) -> States | None:
    """The states after `source FILE …`; None where the file is not on this machine."""
    name = call.texts[1] if len(call.words) > 1 else None
    code = code_of(call, name, call.code.called) if name else None
    if code is None:
        return None
    state, arguments = call.state, tuple(call.words[2:])
    outer = state.positional
    state.positional = arguments or outer
    states = call.run.nested(code, [state])
    for after in states:
        after.positional = outer if arguments else after.positional
        after.leaving = None if after.leaving == "return" else after.leaving
    return states


def code_of(call: Call, name: str, called: SourceText | None = None) -> Code | None:
    """The text of a file; `called` is the script that runs it, by default the file itself."""
    path = _path(call.state, name)
    if path is not None and path in call.state.files:
        value = content(call.state, name)
        return None if value is None else call.code.of_parts(value)
    found = _load(call.code.script, name, call.state.directory)
    if found is None or (called is None and found.file == call.code.called.file):  # a job that starts itself anew
        return None
    if found.file is not None:
        call.run.sourced[found.file] = None
    return Code.of_file(found, Location(call.code.script, call.span), called or found)


def _load(script: SourceText, name: str, directory: str | None) -> SourceText | None:
    if script.file is None:
        return None
    for start in starts(script, "" if directory is None and posixpath.isabs(name) else directory):
        file = start / name
        try:
            if file.is_file():
                beside = posixpath.join(posixpath.dirname(script.path), os.path.relpath(file, script.file.parent))
                return SourceText.load(file, posixpath.normpath(beside))
        except (Unreadable, OSError, ValueError):
            return None
    return None
