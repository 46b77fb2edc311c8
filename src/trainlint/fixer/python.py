"""Edits of Python and notebooks: another literal where nothing else takes it, or another keyword of a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as copy_with
from typing import Any

from trainlint.document import Call, Document, Items, Keyword, Table, Value
from trainlint.facts import Argument
from trainlint.fixer.tree import meaning
from trainlint.text import Edit, Location, SourceText, Span, apply

Parse = Callable[[SourceText], Document]
_REST = re.compile(r",[ \t]*(?:#[^\n]*)?(?=\r?\n)")


def replace(document: Document, argument: Argument, text: str) -> Edit | None:
    """Write another literal in the place of the one that an argument is, if nothing else takes it from there."""
    literal = argument.origin.literal
    if literal is None:
        return None
    for origin in argument.origin.chain():
        # what is not followed (a method, a comprehension) may use the name as well
        if origin.kind == "expansion" and len(re.findall(_use(origin.text), document.source.text)) != 1:
            return None
    # a dict may be handed to several calls
    if sum(at == literal for call in document.calls for value in _given(call) for at in _literals(value)) != 1:
        return None
    return Edit(literal, _spelled(text, literal.text, document))


def insert(
    parse: Parse, document: Document, call: Call, name: str, text: str, neighbours: Sequence[str]
) -> Edit | None:
    """Add a keyword to a call behind one of its `neighbours`: on a line of its own where they have one.

    The edit is tried on a copy that is read again, and nothing else that is given may have changed.
    """
    inside = call.whole.span
    own = {
        key: given for key, given in call.keywords.items() if given.key.span.start in inside and given.key.text == key
    }
    beside = next((own[key] for key in neighbours if key in own), None)
    if beside is None:
        return None
    edit = _insertion(document, beside, name, _spelled(text, "", document))
    source = document.source
    after = parse(copy_with(source, text=apply(source.text, [(edit.at.span, edit.text)])))
    wanted = [[*_names(each), name] if each is call else _names(each) for each in document.calls]
    if [sorted(names) for names in wanted] != [sorted(_names(each)) for each in after.calls]:
        return None
    added = after.calls[document.calls.index(call)].keywords[name].value
    return edit if added.unknown is None and added.value == meaning(text) else None


def _insertion(document: Document, beside: Keyword, name: str, text: str) -> Edit:
    source, start, end = document.source, beside.key.span.start, beside.at.span.end
    equals = source.text[beside.key.span.end : beside.at.span.start]
    line = source.line_span(source.position(start).line).start
    indent = source.text[line:start]
    rest = _REST.match(source.text, end)
    if document.format == "python" and not indent.strip() and rest is not None:
        newline = "\r\n" if "\r\n" in source.text else "\n"
        return Edit(Location(source, Span(rest.end(), rest.end())), f"{newline}{indent}{name}{equals}{text},")
    return Edit(Location(source, Span(end, end)), f", {name}{equals}{text}")


def _use(name: str) -> str:
    """The uses of a name: not where it is assigned, nor a keyword."""
    return rf"(?<![\w.]){re.escape(name)}\b(?!\s*=(?!=))"


def _spelled(text: str, old: str, document: Document) -> str:
    """A value as Python writes it, in the quotes that are there."""
    value = meaning(text)
    if not isinstance(value, str):
        return text if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
    quote = "'" if document.format == "notebook" or old.startswith("'") else '"'
    return f"{quote}{text}{quote}"


def _names(call: Call) -> list[str]:
    return [call.function.path, *call.keywords]


def _given(call: Call) -> Iterator[Value]:
    yield from call.positional
    yield from (keyword.value for keyword in call.keywords.values())


def _literals(value: Value, levels: int = 6) -> Iterator[Any]:
    """Where the literals stand that a value is or holds; a list may hold itself."""
    inner = value.value
    yield value.origin.literal
    if isinstance(inner, Table):
        inner = [entry.value for entry in inner.entries.values()]
    elif isinstance(inner, Items):
        inner = inner.elements
    if isinstance(inner, list | tuple) and levels:
        for each in inner:
            yield from _literals(each, levels - 1)
