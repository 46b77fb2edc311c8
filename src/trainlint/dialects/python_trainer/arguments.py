"""Keywords of a call as the arguments of a run: a value as plain data, judged as the class will use it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.convert import Rejected, from_loaded
from trainlint.dialects.python_trainer.setup import Setup
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Call, Keyword, Symbol, Table, Value
from trainlint.facts import Argument, ArgumentIssue, Arguments
from trainlint.readers.python import NotPlain, plain

ENUMS = re.compile(
    r"transformers\..*(IntervalStrategy|SchedulerType|OptimizerNames|HubStrategy|SaveStrategy)\.[A-Z_0-9]+$"
)


def _from_python(edition: Edition, value: Any) -> Any:
    """Judge a value as the class will use it: nothing is converted on the way. Raises `Rejected`."""
    numeric = edition.types & {"int", "float"}
    if isinstance(value, str) and numeric and not edition.limits(value) and not edition.admits(value):
        raise Rejected("type", f"{value!r} is text, where a number is needed")
    if type(value) is int and value in (0, 1) and "bool" in edition.types:
        return bool(value)
    if isinstance(value, bool) and edition.choices is not None and "bool" not in edition.types:
        raise Rejected("choice", f"{value!r} is none of {', '.join(map(str, edition.choices[:8]))}")
    return from_loaded(edition, list(value) if isinstance(value, tuple) else value)


def data(value: Value) -> Any:
    """A value as plain data; `torch.bfloat16` and the members of the frameworks' enumerations are text. Raises `NotPlain`."""
    symbol = value.value
    if isinstance(symbol, Symbol) and value.unknown is None:
        if re.fullmatch(r"torch\.\w+", symbol.path):
            return symbol.name
        if ENUMS.match(symbol.path):
            return symbol.name.lower()
        if ".TaskType." in symbol.path:
            return symbol.name
    return plain(value)


def _told(value: Value) -> tuple[Any, str | None]:
    """A value as plain data, or why there is none."""
    try:
        return data(value), None
    except NotPlain as missing:
        return None, str(missing)


def arguments(
    setup: Setup, keywords: Mapping[str, Keyword], schema: Schema, opened: str | None, *, closed: bool
) -> Arguments:
    """Keywords as arguments. `closed`: the class takes no other names than those of the schema."""
    found = Arguments(open=opened)
    for name, keyword in keywords.items():
        given = setup.picked(keyword.value)
        value, unknown = _told(given)
        if name not in schema:
            # an attribute that is set later may be any
            issue = unknown_argument(name, keyword.key, schema, closed) if keyword.key.text == name else None
            found.issues += [issue] if issue is not None else []
        elif unknown is None:
            try:
                value = _from_python(schema.edition(name), value)
            except Rejected as rejected:
                value, unknown = None, rejected.message
                message, advice = (
                    f"{name}: {rejected.message}",
                    f"give {name} a value that {schema[name].package} takes",
                )
                found.issues.append(ArgumentIssue(rejected.kind, name, message, keyword.at, advice, rejected.certain))
        parts = _parts(setup, given, name) if unknown is None else {}
        found.given[name] = Argument(name, value, given.origin, keyword.key, keyword.at, unknown, parts)
    return found


def _parts(setup: Setup, block: Value, name: str) -> dict[str, Argument]:
    """The entries of a dict of plain data, each with its own place."""
    found = {}
    for key, keyword in block.value.entries.items() if isinstance(block.value, Table) else ():
        given = setup.picked(keyword.value)
        value, unknown = _told(given)
        inner = _parts(setup, given, f"{name}.{key}") if unknown is None else {}
        found[str(key)] = Argument(f"{name}.{key}", value, given.origin, keyword.key, keyword.at, unknown, inner)
    return found


def of_call(setup: Setup, call: Call, schema: Schema, first: str, *, closed: bool) -> Arguments:
    """The arguments of a call; its first positional one is called `first`."""
    opened = call.open
    keywords = dict(call.keywords)
    for number, value in enumerate(call.positional):
        if number == 0 and value.origin.at is not None:
            keywords.setdefault(first, Keyword(value.origin.at, value.origin.at, value))
        else:
            opened = opened or "arguments are given by their position"
    return arguments(setup, keywords, schema, opened, closed=closed)


def own(call: Call, *packages: str) -> bool:
    """Is the class certainly that of the framework, and not one of the file or of another project?"""
    return call.function.source == "imported" and call.function.path.partition(".")[0] in packages


def dotted(value: Value, section: str = "") -> Iterator[tuple[str, Keyword]]:
    """The entries of a dict and of those in it, by dotted name; DeepSpeed's own nest three deep."""
    if section.count(".") < 5 and isinstance(value.value, Table) and value.unknown is None:
        for key, entry in value.value.entries.items():
            yield f"{section}{key}", entry
            yield from dotted(entry.value, f"{section}{key}.")
