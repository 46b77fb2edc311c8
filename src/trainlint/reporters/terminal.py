"""Text that is safe in a terminal and in a log, and how much of the terminal it takes."""

from __future__ import annotations

import shutil
import unicodedata
from bisect import bisect_right
from itertools import accumulate

from trainlint.reporters.style import WIDTH

TAB = 4
WIDEST = 120
"""Longer lines are hard to read, however wide the terminal is."""


def columns() -> int:
    """How wide a text on the standard output may be."""
    return min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST)


def cells(line: str) -> list[tuple[str, int]]:
    """What each character of a line shows as, and the terminal cells that it takes there."""
    shown, at = [], 0
    for char in line:
        if char == "\t":
            width = TAB - at % TAB
            shown.append((" " * width, width))
        else:
            width = _width(char)
            shown.append((visible(char), width))
        at += width
    return shown


def _width(char: str) -> int:
    if char < "\x7f":
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf") and char not in BIDI:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def length(text: str) -> int:
    """Terminal cells."""
    return sum(map(_width, text))


BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
VISIBLE = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) != "\t"},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *map(ord, BIDI), *range(0xD800, 0xE000)], 0xFFFD),
}
"""A file must not be able to command the terminal, or to show its text in another order than it has."""


def visible(text: str) -> str:
    """With a sign in the place of each character that a terminal would obey."""
    return text.translate(VISIBLE)


def one_line(text: str) -> str:
    """Visible, with one blank in the place of all white space."""
    return visible(" ".join(text.split()))


def clip(text: str, room: int) -> str:
    """As much as fits into `room` cells."""
    edges = [0, *accumulate(map(_width, text))]
    return text if edges[-1] <= room else text[: max(bisect_right(edges, room - 1) - 1, 0)] + "…"


def wrap(text: str, room: int, hang: int = 0) -> list[str]:
    """The words in lines of at most `room` cells (longer words stay whole); all but the first start `hang` cells in."""
    lines: list[str] = []
    used = room
    for word in text.split():
        width = length(word)
        if used + 1 + width > room:
            lines.append(" " * (hang if lines else 0) + word)
            used = length(lines[-1])
        else:
            lines[-1] += " " + word
            used += 1 + width
    return lines
