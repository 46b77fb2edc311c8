"""Jupyter notebooks: the Python cells, in order, as one program whose places are those of the notebook's JSON text."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from trainlint.document import Document, Node
from trainlint.readers import json
from trainlint.readers.python import comments, newer, problem
from trainlint.readers.python.code import Code
from trainlint.readers.python.interpret import Interpreter
from trainlint.text import SourceText, Span

_PIECE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+")
_OTHER_LANGUAGE = re.compile(r"\s*%%(?!capture|time|timeit|prun|skip|debug)")
"""Cell magics after which the rest of the cell is no Python, or is not run."""
_MAGIC = re.compile(r"[ \t]*[%!?]|.*\?[ \t]*$")
_ASSIGNED = re.compile(r"([\w.,\s]+=\s*)([%!].*)$")

_TRAINS = re.compile(r"Train(?:er|ingArguments)\s*\(|[a-z]Config\s*\(")
_LEFT_OUT = re.compile(r"[(,]\s*\.\.\.\s*[,)]")
"""`Trainer(model=model, ...)`: documentation leaves out what it is not about."""


class Cell(Code):
    """The text of one code cell. `pieces` say where its characters stand in the notebook."""

    def __init__(self, source: SourceText, nodes: list[Node], number: int) -> None:
        self.cell = number
        self._starts: list[int] = []
        self._places: list[tuple[int, bool]] = []
        super().__init__(source, "".join(self._read(source, nodes)))

    def _read(self, source: SourceText, nodes: list[Node]) -> Iterator[str]:
        length = 0
        for node in nodes:
            raw = source.text[node.span.start + 1 : node.span.end - 1]
            found = 0
            for match in _PIECE.finditer(raw):
                self._starts.append(length + found)
                verbatim = not match[0].startswith("\\")
                self._places.append((node.span.start + 1 + match.start(), verbatim))
                found += len(match[0]) if verbatim else 1
            yield node.text
            length += len(node.text)
            self._end = node.span.end - 1

    def place(self, span: Span) -> Span:
        start = self._place(span.start)
        # behind the last character, not before the one that follows: a line may end in between
        return Span(start, max(start, self._place(span.end - 1, 1) if span.end > span.start else start))

    def _place(self, offset: int, more: int = 0) -> int:
        index = bisect_right(self._starts, offset) - 1
        if index < 0:
            return self._end
        at, verbatim = self._places[index]
        if verbatim:
            return min(at + offset - self._starts[index] + more, self._end)
        match = _PIECE.match(self.source.text, at)
        assert match is not None
        return match.end() if more or offset > self._starts[index] else at


def read(source: SourceText, defines: Mapping[str, str] = MappingProxyType({})) -> Document:
    """The calls of a notebook's cells, run from the first to the last. A cell that is no Python is passed over.

    What does not parse is passed over, too, where nothing is trained: a bare `pip install x` is a command to IPython, and
    a notebook is read cell by cell. Where a cell seems to train, it is a `file/syntax-error`.
    """
    tree = json.read(source)
    document = Document(
        source, "notebook", problems=[each for each in tree.problems if each.kind == "file/syntax-error"]
    )
    trees: list[tuple[Code, ast.Module]] = []
    for cell in _cells(source, tree.root):
        try:
            trees.append((cell, _parse(cell)))
        except SyntaxError as error:
            if _TRAINS.search(cell.text) and not _LEFT_OUT.search(cell.text) and not newer(error):
                document.problems.append(problem(document, cell, error))
        else:
            document.comments += comments(cell)
    document.calls = Interpreter(trees, defines).run()
    return document


def _cells(source: SourceText, root: Node | None) -> Iterator[Cell]:
    for number, cell in enumerate(_get(_get(root, "cells"), None), 1):
        kind, text = _get(cell, "cell_type"), _get(cell, "source")
        if not kind or kind[0].text != "code" or not text:
            continue
        nodes = text[0].elements if text[0].kind == "sequence" else text
        found = Cell(source, [node for node in nodes if node.style == "quoted"], number)
        if not _OTHER_LANGUAGE.match(found.text):
            yield found


def _get(node: Node | list[Node] | None, name: str | None) -> list[Node]:
    """The value of a key as a list of one, or the elements of such a value."""
    if isinstance(node, list):
        return [element for each in node for element in each.elements]
    return [entry.value for entry in node.entries if entry.key.text == name] if node is not None else []


def _parse(cell: Cell) -> ast.Module:
    try:
        return cell.parse()
    except SyntaxError:
        cell.text = _masked(cell.text)
        return cell.parse()


def _masked(text: str) -> str:
    """The text with IPython's own lines (`%magic`, `!command`, `help?`) as expressions of the same length."""
    lines, continued = [], False
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        indent = len(body) - len(body.lstrip(" \t"))
        if continued:
            masked = " " * len(body)
        elif _MAGIC.match(body):
            masked = body[:indent] + "0".ljust(len(body) - indent)
        elif assigned := _ASSIGNED.match(body):
            masked = assigned[1] + "_".ljust(len(assigned[2]))
        else:
            masked = body
        continued = masked != body and body.endswith("\\")
        lines.append(masked + line[len(body) :])
    return "".join(lines)
