"""TOML as `tomli` reads it, with the place of every key and value.

`tomli` judges, because the grammar takes keys twice; tree-sitter only says where things stand in a text that passed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property, lru_cache

import tomli
import tree_sitter_toml
from tree_sitter import Language, Parser
from tree_sitter import Node as Part

from trainlint.document import Document, Entry, Node, Problem
from trainlint.text import SourceText, Span

MAX_DEPTH = 200


def read(source: SourceText) -> Document:
    """The tables of the file as a tree. Never raises.

    What `tomli` refuses is a `file/syntax-error` with its message and no root; so are a byte order mark and more than 200
    nested brackets. A table's span reaches from its header to its last value, one without a header from its first key. A
    string's text has its quotes and escapes resolved; every other scalar keeps its own, for `scalars.resolve`.
    """
    document = Document(source, "toml")
    if source.bom:
        document.problems.append(_problem(document, "Invalid statement: a byte order mark", Span(0, 0)))
    try:
        tomli.loads(source.text)
    except tomli.TOMLDecodeError as error:
        # the position is counted in a text whose line ends are `\n`
        at = source.offset(error.lineno, error.colno)
        document.problems.append(_problem(document, error.msg, Span(at, min(at + 1, len(source.text)))))
        return document
    except RecursionError:
        document.problems.append(_problem(document, f"nested more than {MAX_DEPTH} levels deep", source.line_span(1)))
        return document
    except ValueError as error:
        # a date that is in no calendar, an integer of more digits than Python converts
        document.problems.append(_problem(document, str(error), source.line_span(1)))
        return document
    walker = _Walker(source)
    document.root = walker.root()
    if document.root is None:
        document.problems.append(_problem(document, f"nested more than {MAX_DEPTH} levels deep", source.line_span(1)))
    document.comments = walker.comments
    return document


def _problem(document: Document, message: str, span: Span) -> Problem:
    return Problem("file/syntax-error", message, document.at(span))


@lru_cache(maxsize=1)
def _parser() -> Parser:
    return Parser(Language(tree_sitter_toml.language()))


class _Walker:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.comments: list[Span] = []
        self._root = Node("mapping", Span(0, len(source.text)))

    @cached_property
    def _starts(self) -> list[int] | None:
        """The byte at which each character begins; None where every character is one byte."""
        if self.source.text.isascii():
            return None
        starts, at = [], 0
        for char in self.source.text:
            starts.append(at)
            at += len(char.encode())
        return [*starts, at]

    def _span(self, part: Part) -> Span:
        if self._starts is None:
            return Span(part.start_byte, part.end_byte)
        return Span(bisect_left(self._starts, part.start_byte), bisect_left(self._starts, part.end_byte))

    def root(self) -> Node | None:
        """The whole tree; None where it is nested too deeply to be followed."""
        tree = _parser().parse(self.source.text.encode())
        if self._too_deep(tree.root_node):
            return None
        for part in tree.root_node.named_children:
            if part.type == "pair":
                self._pair(self._root, part)
            elif part.type in ("table", "table_array_element"):
                self._table(part)
        return self._root

    def _too_deep(self, root: Part) -> bool:
        stack = [(root, 0)]
        while stack:
            part, depth = stack.pop()
            if depth > MAX_DEPTH:
                return True
            if part.type == "comment":
                self.comments.append(self._span(part))
            stack += [(child, depth + 1) for child in reversed(part.named_children)]
        return False

    # ------------------------------------------------------------------------------------------------------- tables

    def _table(self, part: Part) -> None:
        header, *pairs = [child for child in part.named_children if child.type != "comment"]
        *outer, last = self._keys(header)
        table = self._root
        span = self._span(part)
        for key in outer:
            table = self._inner(table, key, span.start)
        if part.type == "table":
            node = self._inner(table, last, span.start)
        else:
            entry = _find(table, last.text)
            if entry is None:
                entry = Entry(last, Node("sequence", span))
                table.entries.append(entry)
            node = Node("mapping", Span(span.start, self._span(header).end))
            entry.value.elements.append(node)
        for pair in pairs:
            self._pair(node, pair)
        node.span = Span(node.span.start, max(node.span.end, self._span(pairs[-1] if pairs else header).end))

    def _inner(self, table: Node, key: Node, start: int) -> Node:
        """The table under a key, made where there is none; of an array of tables the last."""
        entry = _find(table, key.text)
        if entry is None:
            entry = Entry(key, Node("mapping", Span(start, key.span.end)))
            table.entries.append(entry)
        return entry.value.elements[-1] if entry.value.kind == "sequence" else entry.value

    def _pair(self, table: Node, part: Part) -> None:
        key, value = [child for child in part.named_children if child.type != "comment"]
        *outer, last = self._keys(key)
        node = self._value(value)
        for name in outer:
            table = self._inner(table, name, name.span.start)
            table.span = Span(table.span.start, max(table.span.end, node.span.end))
        table.entries.append(Entry(last, node))

    def _keys(self, part: Part) -> list[Node]:
        """The names of a bare, quoted or dotted key, each where it stands."""
        if part.type == "dotted_key":
            return [key for child in part.named_children for key in self._keys(child)]
        text = (part.text or b"").decode()
        if part.type == "quoted_key":
            (text,) = tomli.loads(f"{text} = 0")
            return [Node("scalar", self._span(part), text, "quoted")]
        return [Node("scalar", self._span(part), text)]

    # ------------------------------------------------------------------------------------------------------- values

    def _value(self, part: Part) -> Node:
        span = self._span(part)
        if part.type == "array":
            return Node("sequence", span, elements=[self._value(child) for child in _contents(part)])
        if part.type == "inline_table":
            table = Node("mapping", span)
            for pair in _contents(part):
                self._pair(table, pair)
            return table
        text = (part.text or b"").decode()
        if part.type == "string":
            return Node("scalar", span, tomli.loads(f"x = {text}")["x"], "quoted")
        return Node("scalar", span, text, "number" if part.type in ("integer", "float") else "literal")


def _contents(part: Part) -> Iterator[Part]:
    return (child for child in part.named_children if child.type != "comment")


def _find(table: Node, name: str) -> Entry | None:
    return next((entry for entry in table.entries if entry.key.text == name), None)
