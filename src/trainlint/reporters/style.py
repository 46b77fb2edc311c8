"""What the reader of a report wants of it."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100
"""Columns of a text report whose reader's width is not known."""


@dataclass(frozen=True, slots=True)
class Style:
    """How to write a report; a format ignores what does not concern it.

    `quiet`: findings only, no summary. `suppressed`: also list the findings that a comment or the configuration hides,
    where the format can mark them as such (SARIF).
    """

    color: bool = False
    width: int = WIDTH
    quiet: bool = False
    suppressed: bool = False
