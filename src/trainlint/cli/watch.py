"""`trainlint lint --watch`: lint again whenever a file changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click

INTERVAL = 0.5
"""Seconds between two looks at the files."""

Stamp = tuple[int, int]


def watch(once: Callable[[], Iterable[Path]], *, wait: Callable[[], None] = lambda: time.sleep(INTERVAL)) -> None:
    """Call `once` and call it again after any file or directory that it returned has changed. Ends with Ctrl-C.

    A directory changes when a file is made or removed in it.
    """
    try:
        while True:
            if sys.stdout.isatty():
                click.clear()
            paths = list(once())
            click.echo("Watching for changes; Ctrl-C ends it.", err=True)
            before = stamps(paths)
            while stamps(paths) == before:
                wait()
    except KeyboardInterrupt:
        click.echo(err=True)


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """When each path was changed last, and its size; None for one that is not there."""
    found: dict[Path, Stamp | None] = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_mtime_ns, status.st_size)
    return found
