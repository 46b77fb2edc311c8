"""Edits of Python and notebooks: another literal, or another keyword of a call, tried on a copy that is read again.

Of all that the calls are given, only the one value may have changed.
"""

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
LABELS = frozenset({"print"})
"""Functions that only say what a run is: they may say the new value."""
_REST = re.compile(r",[ \t]*(?:#[^\n]*)?(?=\r?\n)")


def replace(parse: Parse, document: Document, argument: Argument, text: str) -> Edit | None:
    """Write another literal in the place of the one that an argument is, if nothing else takes it from there."""
    literal = argument.origin.literal
    if literal is None:
        return None
    for origin in argument.origin.chain():
        # what is not followed (a method, a comprehension) may use the name as well
        if origin.kind == "expansion" and len(re.findall(_use(origin.text), document.source.text)) != 1:
            return None
    edit = Edit(literal, _spelled(text, literal.text, document))
    return edit if _changes(parse, document, edit) == [(argument.name, meaning(text))] else None


def insert(
    parse: Parse, document: Document, call: Call, name: str, text: str, neighbours: Sequence[str]
) -> Edit | None:
    """Add a keyword to a call behind one of its `neighbours`: on a line of its own where they have one."""
    inside = call.whole.span
    own = {
        key: given for key, given in call.keywords.items() if given.key.span.start in inside and given.key.text == key
    }
    beside = next((own[key] for key in neighbours if key in own), None)
    if beside is None:
        return None
    edit = _insertion(document, beside, name, _spelled(text, "", document))
    return edit if _changes(parse, document, edit) == [(name, meaning(text))] else None


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


def _changes(parse: Parse, document: Document, edit: Edit) -> list[tuple[Any, Any]]:
    """The arguments that differ after an edit, by name; a name of None where more has changed than a value."""
    source = document.source
    after = parse(copy_with(source, text=apply(source.text, [(edit.at.span, edit.text)])))
    old, new = list(_values(document)), list(_values(after))
    if len(old) != len(new) or len(after.problems) > len(document.problems):
        return [(None, None)]
    return [
        (key, after.get(key))
        for before, after in zip(old, new, strict=True)
        for key in {**before, **after}
        if key not in before or key not in after or not _equal(before[key], after[key])
    ]


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _values(document: Document) -> Iterator[dict[Any, Any]]:
    numbers = {id(call): number for number, call in enumerate(document.calls)}
    for call in document.calls:
        if call.function.name in LABELS:
            continue
        given = {number: _value(value, numbers) for number, value in enumerate(call.positional)}
        named = {name: _value(keyword.value, numbers) for name, keyword in call.keywords.items()}
        yield {**given, **named, None: (call.function, call.open is None)}


def _value(value: Value, numbers: dict[int, int]) -> Any:
    """What a value is, without where it stands."""
    inner = value.value
    if value.unknown is not None:
        return ("unknown",)
    if isinstance(inner, Call):
        return ("call", numbers.get(id(inner)))
    if isinstance(inner, Items):
        return [_value(each, numbers) for each in inner.elements], inner.open is None
    if isinstance(inner, Table):
        return {key: _value(each.value, numbers) for key, each in inner.entries.items()}, inner.open is None
    return tuple(_value(each, numbers) for each in inner) if isinstance(inner, tuple) else inner
