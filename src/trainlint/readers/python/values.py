"""What the value of an expression is taken for: plain data, one of several, or a list or dict that others may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from trainlint.document import Either, Items, Origin, Symbol, Table, Value
from trainlint.readers.python import operations
from trainlint.readers.python.operations import Refused
from trainlint.text import Location

DEEPEST = 60
MOST_WAYS = 8
"""Of more values than these a value is not either: it is just unknown."""
SCALARS = (bool, int, float, str, bytes, type(None))


class NotPlain(Exception):
    """A value that is not known, or is no plain data."""


def plain(value: Value) -> Any:
    """A value as Python's own scalars, lists, tuples and dicts. Raises `NotPlain` with the reason where it is none."""
    return _plain(value, iter(range(operations.LONGEST)), DEEPEST)


def _plain(value: Value, left: Iterator[int], levels: int) -> Any:
    """`left` and `levels` bound what may hold itself, or the same list many times over."""
    inner = value.value
    if value.unknown is not None:
        raise NotPlain(value.unknown)
    if isinstance(inner, SCALARS):
        return inner
    if next(left, None) is None or not levels:
        raise NotPlain("it is too large to be followed")
    if isinstance(inner, tuple):
        return tuple(_plain(element, left, levels - 1) for element in inner)
    if isinstance(inner, Items | Table) and inner.open is not None:
        raise NotPlain(inner.open)
    if isinstance(inner, Items):
        return [_plain(element, left, levels - 1) for element in inner.elements]
    if isinstance(inner, Table):
        return {key: _plain(entry.value, left, levels - 1) for key, entry in inner.entries.items()}
    raise NotPlain(f"{value.origin.text} is known only when it runs")


def decided(ways: Sequence[Value], unknown: Value, at: Location) -> Value:
    """What a branch leaves of a value: what all ways agree on, else `unknown`, which is either of them where each is known."""
    first, *others = ways
    if all(same(first, other) for other in others):
        return first
    known = all(way.unknown is None or way.either is not None for way in ways)
    few = sum(1 for way in ways for _ in way.possible()) <= MOST_WAYS
    return replace(unknown, either=Either(at, tuple(ways)) if known and few else None)


def reopen(value: Value, reason: str) -> None:
    """A list or dict of which nobody can tell any longer what it holds."""
    for each in value.possible():
        if isinstance(each.value, Items | Table):
            each.value.open = reason


def handed(value: Value) -> Value:
    """A list or dict as it is now, for a function that may then change the one that a name stands for."""
    inner = value.value
    if value.either is not None:
        reopen(value, "a function that it is handed to may change it")
    if not isinstance(inner, Items | Table) or value.origin.kind != "expansion":
        return value
    now = Items([*inner.elements], inner.open) if isinstance(inner, Items) else Table({**inner.entries}, inner.open)
    inner.open = inner.open or "a function that it is handed to may change it"
    return replace(value, value=now)


def boxed(value: Any, origin: Origin) -> Any:
    """A computed list or tuple with its elements as Values."""
    if isinstance(value, list):
        return Items([Value(boxed(each, origin), origin) for each in value])
    if isinstance(value, tuple):
        return tuple(each if isinstance(each, Value) else Value(boxed(each, origin), origin) for each in value)
    if isinstance(value, dict):
        raise Refused("it is a dict")
    return value


def truth(value: Value) -> bool:
    """The truth of a value. Raises `NotPlain` where nobody can tell."""
    return bool(plain(value))


def _same(one: Value, other: Value) -> bool:
    try:
        return type(plain(one)) is type(plain(other)) and bool(plain(one) == plain(other))
    except NotPlain:
        return one.value is other.value


def same(one: Value, other: Value) -> bool:
    """Are two values known to be equal?"""
    if one is other:
        return True
    if isinstance(one.value, Symbol):
        return one.unknown is None and other.unknown is None and one.value == other.value
    return one.unknown is None and other.unknown is None and _same(one, other)
