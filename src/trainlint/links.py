"""Files that a configuration names, found the way the trainer would find them and read at most once.

A relative path is looked up from where the script runs: its own directory (or the one it `cd`s into), then the directories
above it up to the repository's root, because many projects are launched from there. Nothing outside that is guessed, and
nothing is ever fetched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trainlint.document import Document, Written
from trainlint.facts import Unknown
from trainlint.places import called, starts
from trainlint.rows import MAX_BYTES, Rows, look, merged
from trainlint.text import SourceText, Unreadable

MAX_JSON_BYTES = 64_000_000
"""A tokenizer.json is the largest JSON that is worth reading."""


class Files:
    """Looks up and reads linked files. `parse` turns a source into a Document (given from outside, to keep layers apart).

    `data`: may files of training data be looked into?
    """

    def __init__(self, parse: Callable[[SourceText], Document], data: bool = True) -> None:
        self.parse = parse
        self._data = data
        self._looked: dict[tuple[Path, ...], Rows] = {}
        self._documents: dict[Path, Document] = {}
        self._written: dict[Path, Written] = {}
        self._of_script: dict[Path, Document] = {}
        self._sourced: list[Path] = []

    @property
    def read(self) -> list[Path]:
        """The files that were read so far."""
        return [*self._documents, *self._sourced]

    def directories(self, source: SourceText, directory: str | None = "") -> list[Path]:
        """Where relative paths of `source` may start. `directory` is the script's own `cd`, None when unknown."""
        return starts(source, directory)

    def begin(self, document: Document) -> None:
        """From now on, the files that this script writes hold what it writes there."""
        here = Path(os.path.abspath(starts(document.source)[0]))
        self._written = {Path(os.path.normpath(here / path)): file for path, file in document.written.items()}
        self._of_script.clear()
        self._sourced += [path for path in document.sourced if path not in self._sourced]

    def find(self, name: str, directories: list[Path]) -> Path:
        """The file or directory called `name`. Raises `Unknown` where there is none here."""
        for candidate in self._candidates(name, directories):
            if (path := Path(os.path.abspath(candidate))) in self._written:
                return path
            try:
                if candidate.exists():
                    return candidate
            except (OSError, ValueError):
                break
        raise Unknown(f"{name} is not on this machine")

    def _candidates(self, name: str, directories: list[Path]) -> Iterator[Path]:
        path = Path(name)
        if name.startswith("~") or path.is_absolute():
            try:
                yield path.expanduser()
            except RuntimeError:
                return
        else:
            yield from (directory / path for directory in directories)

    def glob(self, pattern: str, directories: list[Path]) -> list[Path]:
        """The files that a shell pattern matches, sorted; empty where it matches none."""
        for directory in directories or [Path.cwd()]:
            base, rest = (
                (Path(Path(pattern).anchor), pattern.lstrip("/")) if pattern.startswith("/") else (directory, pattern)
            )
            try:
                matches = sorted(path for path in base.glob(rest) if path.is_file())
            except (ValueError, NotImplementedError, OSError):
                return []
            if matches:
                return matches
        return []

    def document(self, path: Path) -> Document:
        """The file, read and parsed, called as seen from the working directory. Raises `Unknown` where it cannot be."""
        name = called(path)
        if path in self._written:
            written = self._written[path]
            if written.text is None:
                raise Unknown(f"{name} is written by the script, with values that only a run knows")
            if path not in self._of_script:
                self._of_script[path] = self.parse(SourceText(name, written.text, place=written.place))
            return self._of_script[path]
        if path not in self._documents:
            try:
                self._documents[path] = self.parse(SourceText.load(path, name))
            except Unreadable as error:
                raise Unknown(f"{name} cannot be read: {error.reason}") from None
            except OSError as error:
                raise Unknown(f"{name} cannot be read: {error.strerror}") from None
            except ValueError:
                raise Unknown(f"{name} is of no known format") from None
        return self._documents[path]

    def open(self, name: str, directories: list[Path]) -> Document:
        """The file called `name`, read and parsed. Raises `Unknown` where there is none here or it cannot be."""
        return self.document(self.find(name, directories))

    def hold(self, source: SourceText) -> None:
        """Let this text stand for its file from now on, whatever is on disk: a fix is judged before it is written."""
        if source.file is not None:
            self._documents[source.file] = self.parse(source)

    def json(self, path: Path) -> Any:
        """The value of a small JSON file such as a model's config.json. Raises `Unknown` where it cannot be read."""
        try:
            if path.stat().st_size > MAX_JSON_BYTES:
                raise Unknown(f"{path} is larger than {MAX_JSON_BYTES:,} bytes")
            return json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise Unknown(f"{path} cannot be read: {error}") from None

    def rows(self, paths: list[Path]) -> Rows:
        """The rows in the first megabytes of a data set: of as many of its files as fit into the limit, but of one at least.

        Raises `Unknown` where a file cannot be looked into.
        """
        if not self._data:
            raise Unknown("the data is not looked into (--no-data)")
        key = tuple(paths)
        if key not in self._looked:
            try:
                chosen = list(_within(paths, MAX_BYTES))
            except OSError as error:
                raise Unknown(f"{error.filename} cannot be read: {error.strerror}") from None
            parts = [self.rows([path]) for path in chosen] if len(key) > 1 else [look(path) for path in chosen]
            self._looked[key] = merged(parts, len(chosen) == len(key))
        return self._looked[key]


def _within(paths: list[Path], limit: int) -> Iterator[Path]:
    total = 0
    for path in paths:
        total += path.stat().st_size
        if total > limit and path is not paths[0]:
            return
        yield path
