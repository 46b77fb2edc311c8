"""Where the keys of a TOML text stand."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Node
from trainlint.readers import toml
from trainlint.text import Position, SourceText

Key = tuple[str | int, ...]
"""The way to a value: keys of tables, indices of arrays."""


def places(text: str) -> dict[Key, Position]:
    """The place of every key and array element of a text that `tomli` accepts."""
    source = SourceText("", text)
    root = toml.read(source).root
    return {key: source.position(offset) for key, offset in _walk(root, ())} if root is not None else {}


def _walk(node: Node, key: Key) -> Iterator[tuple[Key, int]]:
    for entry in node.entries:
        below: Key = (*key, entry.key.text)
        yield below, entry.key.span.start
        yield from _walk(entry.value, below)
    for index, element in enumerate(node.elements):
        below = (*key, index)
        yield below, element.span.start
        yield from _walk(element, below)
