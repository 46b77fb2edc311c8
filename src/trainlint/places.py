"""Where files are: what a path is called, and where the relative ones of a file may start."""

from __future__ import annotations

import os
from pathlib import Path

from trainlint.text import SourceText

MAX_LEVELS = 6


def called(file: Path) -> str:
    """As seen from the working directory, where it is below it."""
    return os.path.relpath(file) if file.is_relative_to(Path.cwd()) else str(file)


def starts(source: SourceText, directory: str | None = "") -> list[Path]:
    """The directory of a source, or the one it runs in, then those above it up to the repository's root.

    Where no repository is seen, two of those above it, and the directory that we run in if it is one of them.

    `directory` is the script's own `cd`, None when unknown.
    """
    if directory is None:
        return []
    start = (source.file.absolute().parent if source.file is not None else Path.cwd()) / directory
    found = [start]
    for parent in list(start.parents)[:MAX_LEVELS]:
        if (found[-1] / ".git").exists():
            break
        found.append(parent)
    if (found[-1] / ".git").exists():
        return found
    return [*found[:3], *(parent for parent in found[3:] if parent == Path.cwd())]
