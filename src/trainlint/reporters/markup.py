"""Markdown as GitHub and GitLab show it: text that stays text, tables, and how much of them there is room for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from trainlint.findings import Finding
from trainlint.reporters.places import relative
from trainlint.reporters.summary import count
from trainlint.reporters.terminal import clip, one_line

LONGEST = 1_000
"""Cells of one message or one piece of advice."""
MOST_PLACES = 5

Row = tuple[str, ...]


def text(raw: str) -> str:
    """One line that shows as it is: no markup, no HTML, nobody mentioned, no issue referred to."""
    shown = re.sub(r"[\\`*{}\[\]<>&|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", clip(one_line(raw), LONGEST))
    shown = re.sub(r"^(\d*)(?=[-+=#.)])", r"\1\\", shown)
    return re.sub(r"([@#])(?=\w)", "\\1\u200b", shown)  # a blank without width, as other bots do


def code(raw: str, *, in_table: bool = False) -> str:
    """One line of code, whatever backticks are in it."""
    shown = clip(one_line(raw), LONGEST)
    if not shown:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown.replace('|', chr(92) + '|') if in_table else shown}{pad}{fence}"


def place(finding: Finding) -> str:
    """`path:line`"""
    return f"{relative(finding.at.source.path)}:{finding.at.start.line}"


def table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table. The cells are Markdown."""
    for cells in head, ("---",) * len(head), *rows:
        yield f"| {' | '.join(cells)} |"


def details(summary: str, lines: Iterable[str]) -> list[str]:
    """Lines that a click shows."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]


def advice(findings: Iterable[Finding]) -> list[str]:
    """What to do, as the lines of a list; advice that several findings share is given once."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    for finding in findings:
        if finding.advice.strip():
            places.setdefault((finding.rule, finding.advice), {})[place(finding)] = None
    lines = []
    for (rule, said), where in places.items():
        names = ", ".join(map(code, list(where)[:MOST_PLACES]))
        more = f" and {count(len(where) - MOST_PLACES, 'more place')}" if len(where) > MOST_PLACES else ""
        lines.append(f"- {names}{more}, {code(rule)}: {text(said)}")
    return lines


def size(lines: Iterable[str]) -> int:
    """Bytes of the lines with their ends."""
    return sum(len(line.encode()) + 1 for line in lines)


def fitting(lines: Sequence[str], room: int) -> list[str]:
    """The first lines, as many as `room` bytes hold."""
    kept = []
    for line in lines:
        room -= size([line])
        if room < 0:
            break
        kept.append(line)
    return kept


def cut(lines: Sequence[str], room: int, noun: str) -> list[str]:
    """The lines that `room` bytes hold, and a line on those that are left out."""
    kept = fitting(lines, room)
    left = len(lines) - len(kept)
    return [*kept, "", f"… and {count(left, noun)} more, for which there is no room."] if left else kept
