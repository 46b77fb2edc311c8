"""JSON pointers (RFC 6901): how the configuration names a value of a file that has no comments."""

from __future__ import annotations

from trainlint.document import Entry, Node
from trainlint.text import Span


def find(root: Node | None, pointer: str) -> list[Span]:
    """The places that a pointer names, each with its key; more than one where a key stands twice, none where it is absent."""
    if root is None:
        return []
    places = [(root.span, root)]
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        places = [below for _, node in places for below in _children(node, name)]
    return [span for span, _ in places]


def _children(node: Node, name: str) -> list[tuple[Span, Node]]:
    if node.kind == "sequence":
        index = int(name) if name.isascii() and name.isdigit() else len(node.elements)
        return [(element.span, element) for element in node.elements[index : index + 1]]
    return [(_whole(entry), entry.value) for entry in node.entries if entry.key.text == name]


def _whole(entry: Entry) -> Span:
    return Span(entry.key.span.start, entry.value.span.end)


def of(root: Node | None, offset: int) -> str:
    """The pointer to the innermost value at `offset`, or to the whole document."""
    pointer = ""
    node = root
    while node is not None:
        steps = [(entry.key.text, _whole(entry), entry.value) for entry in node.entries]
        steps += [(str(index), element.span, element) for index, element in enumerate(node.elements)]
        inside = next((step for step in steps if offset in step[1]), None)
        if inside is None:
            break
        name, _, node = inside
        pointer += "/" + name.replace("~", "~0").replace("/", "~1")
    return pointer
