"""A page cut into prose and fenced code blocks, line by line as CommonMark cuts it: what is shown as code is one block."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENS = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")


class Unclosed(Exception):
    """A code block without an end. `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"the code block that begins on line {line} has no end")


@dataclass(frozen=True)
class Fence:
    """A fenced code block: its marker (three backticks or more), the words after it, and its lines."""

    marker: str
    words: tuple[str, ...]
    body: str


def split(markdown: str) -> list[str | Fence]:
    """The page in pieces. Raises `Unclosed`."""
    pieces: list[str | Fence] = []
    prose: list[str] = []
    block: list[str] = []
    fence: re.Match[str] | None = None
    opened = 0
    for number, line in enumerate(markdown.splitlines(keepends=True), 1):
        bare = line.rstrip("\n")
        if fence is None:
            fence = OPENS.fullmatch(bare)
            if fence is None:
                prose.append(line)
            else:
                opened = number
        elif _closes(bare, fence.group(1)):
            pieces += ["".join(prose), Fence(fence.group(1), tuple(fence.group(2).split()), "".join(block))]
            prose, block, fence = [], [], None
        else:
            block.append(line)
    if fence is not None:
        raise Unclosed(opened)
    return [*pieces, "".join(prose)]


def _closes(line: str, marker: str) -> bool:
    text = line.strip(" \t")
    return len(text) >= len(marker) and not text.strip(marker[0]) and len(line) - len(line.lstrip(" ")) <= 3
