"""Python text as syntax trees with the places of their nodes. Nothing is executed."""

from __future__ import annotations

import ast
import re
import warnings
from functools import cached_property

from trainlint.text import Location, SourceText, Span

LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Code:
    """A piece of Python: a whole file, or one cell of a notebook, whose subclass knows where its text stands there."""

    cell: int | None = None

    def __init__(self, source: SourceText, text: str) -> None:
        self.source, self.text = source, text

    def parse(self) -> ast.Module:
        """The tree of the text. Raises `SyntaxError`, as Python would."""
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = compile(self.text, "<text>", "exec", flags, dont_inherit=True)
            except (RecursionError, MemoryError):
                raise SyntaxError("nested too deeply") from None
            except ValueError as error:
                raise SyntaxError(str(error)) from None
        assert isinstance(tree, ast.Module)
        return tree

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in LINE_BREAK.finditer(self.text))]

    def line_start(self, line: int) -> int:
        return self._line_starts[min(line, len(self._line_starts)) - 1]

    def offset(self, line: int, column: int) -> int:
        """The place in `text` of a line, from 1, and a column in UTF-8 bytes, from 0: how `ast` counts."""
        start = self.line_start(line)
        if self.text.isascii():
            return min(start + column, len(self.text))
        # a character has at least one byte
        return start + len(self.text[start : start + column].encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> Span:
        """Where a node stands in `text`."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Span(self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset))

    def place(self, span: Span) -> Span:
        """The same place in the source."""
        return span

    def at(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> Location:
        return Location(self.source, self.place(self.span(node)))

    def shown(self, node: ast.expr | ast.stmt) -> str:
        """A node as a person would quote it, on one line."""
        text = " ".join(self._slice(self.span(node)).split())
        return text if len(text) <= 80 else f"{text[:79]}…"

    def _slice(self, span: Span) -> str:
        return self.text[span.start : span.end]
