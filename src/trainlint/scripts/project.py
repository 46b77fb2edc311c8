"""The Python files of a project on disk: a script and what it imports from beside it, read as text and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trainlint.places import called
from trainlint.scripts.names import Library, Module
from trainlint.text import Location, SourceText, Span, Unreadable

MAX_FILES = 50
"""A script whose arguments are spread over more files is read no further."""


class Sources(Mapping[str, str]):
    """The texts of the files below some directories by relative path, each read when asked for; the first directory wins."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._read: dict[str, SourceText | None] = {}

    @property
    def read(self) -> list[Path]:
        return [source.file for source in self._read.values() if source is not None and source.file is not None]

    def source(self, path: str) -> SourceText | None:
        if path not in self._read:
            file = next((root / path for root in self._roots if (root / path).is_file()), None)
            self._read[path] = load(file) if file is not None and len(self.read) < MAX_FILES else None
        return self._read[path]

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.source(path) is not None

    def __getitem__(self, path: str) -> str:
        source = self.source(path)
        if source is None:
            raise KeyError(path)
        return source.text

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def load(file: Path) -> SourceText | None:
    """The text of a file under the name a person would call it by; None where it cannot be read."""
    try:
        return SourceText.load(file, called(file))
    except (OSError, Unreadable):
        return None


class Project(Library):
    """The modules that a script can import from its own project. One that Python could not parse is not there."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.sources = Sources(roots)
        super().__init__(self.sources)

    def module(self, dotted: str) -> Module | None:
        if dotted not in self._modules:
            found = super().module(dotted)
            self._modules[dotted] = found if found is not None and parses(found) else None
        return self._modules[dotted]

    def script(self, path: str, dotted: str) -> Module | None:
        """The script itself, which need not be called like a module."""
        text = self.sources.get(path)
        if text is None:
            return None
        module = Module(dotted, text, False, self, path)
        return module if parses(module) else None

    def locate(self, module: Module, node: ast.AST) -> Location | None:
        """Where a node stands."""
        source = self.sources.source(module.path)
        line, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if source is None or line is None or end is None:
            return None

        def offset(at: int, column: int) -> int:
            # `ast` counts bytes
            return source.offset(at, len(source.line(at).encode()[:column].decode("utf-8", "ignore")) + 1)

        return Location(source, Span(offset(line, node.col_offset), offset(end, node.end_col_offset)))  # type: ignore[attr-defined]


def parses(module: Module) -> bool:
    """Is this Python that the running version can parse?"""
    try:
        return module.tree is not None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
