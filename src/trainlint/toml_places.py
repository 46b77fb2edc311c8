"""Where the keys of a TOML text stand. `tomli` says what they hold; tree-sitter says where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import tomli
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Key = tuple[str | int, ...]
"""The way to a value: keys of tables, indices of arrays."""


class Place(NamedTuple):
    """Line and column, both from 1; the column counts code points."""

    line: int
    column: int


def places(text: str) -> dict[Key, Place]:
    """The place of every key and array element of a text that `tomli` accepts."""
    data = text.encode()
    lines = data.split(b"\n")
    tree = Parser(Language(tree_sitter_toml.language())).parse(data)
    found: dict[Key, Place] = {}

    def note(key: Key, node: Node) -> None:
        row, column = node.start_point
        # of a key in several tables ([a.b] and [a.c] both speak of a) the first is shown
        found.setdefault(key, Place(row + 1, len(lines[row][:column].decode("utf-8", "replace")) + 1))

    def visit(node: Node, prefix: Key) -> None:
        match node.type:
            case "pair":
                key_node, value = node.named_children[0], node.named_children[-1]
                visit(value, mark(key_node, prefix))
            case "array":
                for index, element in enumerate(child for child in node.named_children if child.type != "comment"):
                    note((*prefix, index), element)
                    visit(element, (*prefix, index))
            case "inline_table":
                for child in node.named_children:
                    visit(child, prefix)

    def mark(key_node: Node, prefix: Key) -> Key:
        for part in _parts(key_node):
            prefix = (*prefix, part)
            note(prefix, key_node)
        return prefix

    counts: dict[Key, int] = {}
    for child in tree.root_node.named_children:
        prefix: Key = ()
        pairs = [child]
        if child.type in ("table", "table_array_element"):
            header, *pairs = child.named_children
            for part in _parts(header):
                prefix = (*prefix, part)
                note(prefix, header)
                if prefix in counts and not (child.type == "table_array_element" and prefix == _parts(header)):
                    prefix = (*prefix, counts[prefix] - 1)
            if child.type == "table_array_element":
                index = counts.get(prefix, 0)
                counts[prefix] = index + 1
                prefix = (*prefix, index)
                note(prefix, header)
        for pair in pairs:
            visit(pair, prefix)
    return found


def _parts(key: Node) -> Key:
    """The names of a bare, quoted or dotted key."""
    return tuple(_names(tomli.loads((key.text or b"").decode() + " = 0")))


def _names(table: Any) -> Iterator[str]:
    while isinstance(table, dict):
        ((name, table),) = table.items()
        yield name
