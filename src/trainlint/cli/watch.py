"""`trainlint lint --watch`: lint again whenever a file changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from trainlint.settings import SettingsError

INTERVAL = 0.5
"""Seconds between two looks at the files."""
PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})
"""Directories, besides hidden ones, that hold no files of the project."""

Stamp = tuple[int, int, int]


def watch(
    once: Callable[[], Iterable[Path]],
    *,
    writes: bool = False,
    wait: Callable[[], None] = lambda: time.sleep(INTERVAL),
) -> None:
    """Call `once` and call it again after any file or directory that it returned has changed. Ends with Ctrl-C.

    A directory changes when a file is made in it or below it, removed or renamed. `writes`: `once` changes files itself, so
    a change while it runs is not taken for somebody's. What `once` cannot use (a click error, a `SettingsError`) is shown,
    and waits for a change like a result; only in the first run it is raised.
    """
    known: list[Path] = []
    try:
        while True:
            if sys.stdout.isatty():
                click.clear()
            before = stamps(known)
            known = list(dict.fromkeys(_with_folders(_attempt(once, known))))
            seen = stamps(known)
            if not writes:
                seen.update({path: stamp for path, stamp in before.items() if path in seen})
            click.echo("Watching for changes; Ctrl-C ends it.", err=True)
            while stamps(known) == seen:
                wait()
    except KeyboardInterrupt:
        click.echo(err=True)


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """When each path was changed last, its size and identity; None for one that is not there."""
    found: dict[Path, Stamp | None] = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _attempt(once: Callable[[], Iterable[Path]], known: list[Path]) -> list[Path]:
    try:
        return list(once())
    except (click.ClickException, SettingsError) as error:
        if not known:
            raise
        click.echo(f"Error: {error.format_message() if isinstance(error, click.ClickException) else error}", err=True)
        return known


def _with_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths, and the directories below them: a directory's own stamp tells nothing of what is made deeper."""
    for path in paths:
        yield path
        if path.is_dir():
            for root, folders, _ in os.walk(path):
                folders[:] = [name for name in folders if name not in PASSED_OVER and not name.startswith(".")]
                yield from (Path(root, name) for name in folders)
