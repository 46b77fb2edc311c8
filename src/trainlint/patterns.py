"""Patterns of file names, written as in a `.gitignore` file and read as git reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


class Decision(NamedTuple):
    """The line (from 1) that decides about a path, its text, and whether it says yes (`!pattern` says no)."""

    line: int
    pattern: str
    positive: bool


class _Line(NamedTuple):
    number: int
    text: str
    positive: bool
    directories_only: bool
    pattern: GitIgnoreSpecPattern


@dataclass(frozen=True)
class Patterns:
    """Lines of gitignore patterns, relative to the directory `base`; the last line that matches a path decides about it.

    `label` is how a person finds them: `legacy/.gitignore`, `exclude in trainlint.toml:4`.
    """

    base: Path
    lines: tuple[str, ...]
    label: str = ""

    @cached_property
    def _compiled(self) -> tuple[_Line, ...]:
        return tuple(line for number, text in enumerate(self.lines, 1) if (line := _compile(number, text)) is not None)

    def decide(self, path: Path, directory: bool = False) -> Decision | None:
        """What the lines say of this very entry, whatever they say of the directories above it. `path` is absolute."""
        name = self._relative(path)
        for line in reversed(self._compiled):
            if (directory or not line.directories_only) and _is(line.pattern, name):
                return Decision(line.number, line.text, line.positive)
        return None

    def covers(self, path: Path, directory: bool = False) -> Decision | None:
        """The line that matches the path or the outermost directory above it that any matches. `path` is absolute."""
        for step in (*reversed(self._above(path)), path):
            decision = self.decide(step, directory=directory or step != path)
            if decision is not None and decision.positive:
                return decision
        return None

    def without(self, path: Path) -> Patterns:
        """The same patterns, silent where they would match the directory `path` or one above it."""
        if self.base.is_relative_to(path):
            return self
        matched = {
            line.number
            for line in self._compiled
            if any(_is(line.pattern, self._relative(step)) for step in (path, *self._above(path)))
        }
        if not matched:
            return self
        lines = tuple("" if number in matched else text for number, text in enumerate(self.lines, 1))
        return Patterns(self.base, lines, self.label)

    def _above(self, path: Path) -> list[Path]:
        """The directories between `path` and the base, innermost first."""
        top = _top(self.base, path)
        return [parent for parent in path.parents if parent != top and parent.is_relative_to(top)]

    def _relative(self, path: Path) -> str:
        return path.relative_to(_top(self.base, path)).as_posix()


def _top(base: Path, path: Path) -> Path:
    """What a path is seen from: the base, or for a file elsewhere the working directory, or the root."""
    for top in (base, Path.cwd()):
        if path.is_relative_to(top):
            return top
    return Path(path.anchor)


def _is(pattern: GitIgnoreSpecPattern, name: str) -> bool:
    """Does a pattern match the path itself? `pathspec` also matches what lies below, which it marks in the match."""
    result = pattern.match_file(name)
    return result is not None and result.match.groupdict().get("ps_d") is None


def _compile(number: int, text: str) -> _Line | None:
    """None for a blank line, a comment, and what git would discard."""
    body = text.rstrip("\r\n")
    while body.endswith(" ") and not body.endswith("\\ "):
        body = body[:-1]
    if not body or body.startswith("#"):
        return None
    positive = not body.startswith("!")
    bare = body if positive else body[1:]
    directories_only = bare.endswith("/")
    if directories_only:
        bare = bare[:-1]
    if not bare.strip("/"):
        return None
    if bare.startswith(("#", "!")):  # after a `!` they are ordinary characters
        bare = "\\" + bare
    try:
        pattern = GitIgnoreSpecPattern(bare)
    except ValueError:
        return None
    return _Line(number, body, positive, directories_only, pattern) if pattern.regex is not None else None


def read_ignore_file(file: Path, base: Path | None = None, label: str = "") -> Patterns | None:
    """The patterns of a `.gitignore`-like file, None where there is none that can be read."""
    try:
        text = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return None
    return Patterns(base or file.parent, tuple(os.fsdecode(text).split("\n")), label)


def exclude_file(repository: Path) -> Path | None:
    """`.git/info/exclude` of the repository whose root is given; a worktree shares that of its main repository."""
    git = repository / ".git"
    try:
        if git.is_file():
            git = repository / git.read_text("utf-8").removeprefix("gitdir:").strip()
            common = git / "commondir"
            if common.is_file():
                git = git / common.read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    return git / "info" / "exclude"


def repository_of(directory: Path) -> Path | None:
    """The root of the git repository around an absolute directory."""
    return next((step for step in _upwards(directory) if (step / ".git").exists()), None)


def _upwards(directory: Path) -> Iterator[Path]:
    yield directory
    yield from directory.parents
