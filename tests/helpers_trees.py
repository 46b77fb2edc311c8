"""Trees that readers make, against the values that the loaders make of the same text."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Node


def nodes(node: Node | None) -> Iterator[Node]:
    """A node and all below it, keys included."""
    if node is None:
        return
    yield node
    for entry in node.entries:
        yield from nodes(entry.key)
        yield from nodes(entry.value)
    for element in node.elements:
        yield from nodes(element)


def same(left: object, right: object) -> bool:
    return left == right or repr(left) == repr(right)  # NaN
