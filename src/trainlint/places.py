"""Where the relative paths of a file may start."""

from __future__ import annotations

from pathlib import Path

from trainlint.text import SourceText

MAX_LEVELS = 6


def starts(source: SourceText, directory: str | None = "") -> list[Path]:
    """The directory of a source, or the one it runs in, then those above it up to the repository's root.

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
    return found if (found[-1] / ".git").exists() else found[:3]
