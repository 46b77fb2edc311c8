"""A progress bar for many files, on a terminal only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
MANY = 50
"""Files from which on a bar is worth its space."""


def progress(items: Sequence[T], *, quiet: bool = False) -> Iterator[T]:
    """The items one by one. A bar on stderr shows how far they are, where a person is watching, and is gone at the end."""
    watched = sys.stderr.isatty() and not quiet and os.environ.get("CI", "").lower() in ("", "0", "false")
    if len(items) < MANY or not watched:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, "Linting", console=Console(stderr=True), transient=True)
