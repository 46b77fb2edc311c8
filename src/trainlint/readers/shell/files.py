"""Files that a script reads and writes itself: `source FILE`, here-documents, and what `cat > FILE <<EOF` leaves."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from trainlint.document import Origin, Part, Written
from trainlint.places import starts
from trainlint.readers.shell import pure
from trainlint.readers.shell.code import Code, Value
from trainlint.readers.shell.state import State, text_of
from trainlint.text import Location, SourceText, Unreadable

if TYPE_CHECKING:
    from trainlint.readers.shell.commands import Call

_WRITES = (">", ">|", ">>", "&>", "&>>")


def source(call: Call) -> list[State] | None:
    """The states after `source FILE …`; None where the file is not on this machine."""
    name = call.texts[1] if len(call.words) > 1 else None
    found = _load(call.code.script, name, call.state.directory) if name else None
    if found is None:
        return None
    if found.file is not None:
        call.run.sourced[found.file] = None
    state, arguments = call.state, tuple(call.words[2:])
    outer = state.positional
    state.positional = arguments or outer
    states = call.run.nested(Code.of_file(found, Location(call.code.script, call.span)), [state])
    for after in states:
        after.positional = outer if arguments else after.positional
        after.leaving = None if after.leaving == "return" else after.leaving
    return states


def _load(script: SourceText, name: str, directory: str | None) -> SourceText | None:
    if script.file is None:
        return None
    for start in starts(script, "" if directory is None and posixpath.isabs(name) else directory):
        file = start / name
        try:
            if file.is_file():
                return SourceText.load(file, posixpath.normpath(posixpath.join(posixpath.dirname(script.path), name)))
        except (Unreadable, OSError, ValueError):
            return None
    return None


def heredoc(call: Call) -> Value | None:
    """The expanded text of the command's here-document, if it has one."""
    parent = call.node.parent
    for redirect in parent.children if parent is not None else ():
        if redirect.type != "heredoc_redirect":
            continue
        body = next((child for child in redirect.children if child.type == "heredoc_body"), None)
        if body is None:
            return None
        start, end = call.code.start(body), call.code.end(body)
        mark = next((call.code.of(c) for c in redirect.children if c.type == "heredoc_start"), "")
        if re.search(r"['\"\\]", mark):
            return call.code.parts(start, end)
        return call.run.expander(call.code, call.state).range((start, end), "heredoc")
    return None


def write(call: Call) -> None:
    """Note what a command leaves in the files that its output goes to."""
    state, expander = call.state, call.run.expander(call.code, call.state)
    for operator, target in call.raw.redirects:
        name = text_of(expander.value(target.pieces))
        if operator not in _WRITES or not name or name.startswith("/dev/") or state.directory is None:
            continue
        path = posixpath.normpath(posixpath.join(state.directory, name))
        after = _output(call)
        if operator.endswith(">>"):
            before = state.files.get(path)  # what lies on the disk is not the script's to say
            after = (
                (*before.parts, *after)
                if before is not None and before.text is not None and after is not None
                else None
            )
        text = text_of(after) if after is not None else None
        written = Written(text, after or (), Location(call.code.script, call.span))
        state.files = {**state.files, path: written}


def _output(call: Call) -> Value | None:
    """What a command prints; None where only a run could tell."""
    texts = [text for text in call.texts if text is not None]
    if len(texts) < len(call.words):
        return None
    if texts == ["cat"]:
        parts = heredoc(call)
        if parts is None or not any(operator == "<<-" for operator, _ in call.raw.redirects):
            return parts
        text = text_of(parts)
        return None if text is None else _made(re.sub(r"^\t+", "", text, flags=re.MULTILINE))
    text = pure.printed(texts) if texts[0] in ("echo", "printf") else None
    if text is None:
        return None
    verbatim = call.words[1].parts if len(texts) == 2 else ()
    return (*verbatim, *_made("\n")) if text == f"{text_of(verbatim)}\n" else _made(text)


def _made(text: str) -> Value:
    return (Part(text, Origin("computed", text)),)
