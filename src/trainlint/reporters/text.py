"""The report for people: quiet and dense, everything that belongs to one finding hangs on one margin.

    run.sh:14:21: warning[lr/too-high-for-step] learning rate 0.0002 on 4,096 tokens per optimizer step is …
       14 |     --learning_rate 2e-4 \\
          |                     ^^^^
      from: run.sh:9: per_device_train_batch_size 1
      help: Raise gradient_accumulation_steps to 64.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate, takewhile

from trainlint.findings import FOLLOWS, Finding, Fix, Related, Report
from trainlint.reporters.changes import by_source, changes
from trainlint.reporters.style import Style
from trainlint.reporters.summary import by_file, count, gaps, scene, verdict
from trainlint.reporters.terminal import cells, clip, length, one_line, visible, wrap
from trainlint.secrets import masked
from trainlint.text import Location, SourceText

LONGEST_MESSAGE = 1_000
"""Cells. The first line is not wrapped, as editors and grep read it; but a value of a megabyte is nobody's message."""
MOST_RELATED = 6
BEFORE_A_CHANGE = 24
"""Characters of a long line that are shown before what a fix changes in it."""
MOST_CHANGED_LINES = 12
MOST_SKIPPED = 3

STYLES = {
    "error": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
    "rule": "bold",
    "place": "bold",
    "margin": "blue",
    "label": "bold blue",
    "quiet": "dim",
    "removed": "red",
    "added": "green",
    "good": "bold green",
}

Paint = Callable[[str, str], str]
"""Dresses finished text in one of the `STYLES`. Widths are settled before, so colour cannot move anything."""


def render(report: Report, style: Style) -> str:
    """The findings, file by file, and a summary. With and without colour the text is the same."""
    paint = _painter(style.color)
    blocks: list[str] = []
    for findings in by_file(report.findings).values():
        place: Location | None = None
        for finding in findings:
            lines = "\n".join(_finding(finding, paint, style.width, again=finding.at == place))
            if finding.at == place:
                blocks[-1] += f"\n{lines}"
            else:
                blocks.append(lines)
            place = finding.at
    errors = "\n".join(_errors(report, paint))
    if style.quiet:
        blocks.append(errors)
    else:
        silence = "\n".join(_silence(report, paint, style.width))
        blocks += ["\n".join(filter(None, (silence, errors))), _verdict(report, paint)]
    page = "\n\n".join(filter(None, blocks))
    return f"{page}\n" if page else ""


def _painter(color: bool) -> Paint:
    if not color:
        return lambda text, _style: text
    from rich.color import ColorSystem
    from rich.style import Style

    # the sixteen colours of the reader's own theme
    styles = {name: Style.parse(style) for name, style in STYLES.items()}
    return lambda text, style: styles[style].render(text, color_system=ColorSystem.STANDARD)


# -------------------------------------------------------------------------------------------------------- a finding


def _finding(finding: Finding, paint: Paint, width: int, *, again: bool) -> Iterator[str]:
    """`again`: the finding before stands at the same place, which need not be shown twice."""
    start = finding.at.start
    place = paint(f"{visible(finding.at.source.path)}:{start.line}:{start.column}:", "place")
    name = paint(finding.severity, finding.severity) + paint(f"[{finding.rule}]", "rule")
    doubt = "" if finding.confidence == "high" else paint(f" ({finding.confidence} confidence)", "quiet")
    yield f"{place} {name} {clip(one_line(finding.message), LONGEST_MESSAGE)}{doubt}"
    if not again:
        yield from _excerpt(finding, paint, width)
    for label, related in _sorted_out(finding.related):
        yield from _labelled(label, list(_origins(related, paint, width - MARGIN)), paint)
    for label, text in ("why", finding.why), ("help", finding.advice):
        yield from _labelled(label, wrap(one_line(text), width - MARGIN), paint)
    if finding.fix:
        yield from _fix(finding.fix, finding.at.source, paint, width)


MARGIN = len("  help: ")


def _labelled(label: str, lines: list[str], paint: Paint) -> Iterator[str]:
    for number, line in enumerate(lines):
        lead = paint(f"{label:>{MARGIN - 2}}:", "label") + " " if number == 0 else " " * MARGIN
        yield lead + line


def _sorted_out(related: tuple[Related, ...]) -> list[tuple[str, tuple[Related, ...]]]:
    """Where the values came from, and what follows from the finding."""
    following = [place for place in related if place.message.startswith(FOLLOWS)]
    return [
        ("from", tuple(place for place in related if place not in following)),
        ("so", tuple(replace(place, message=place.message.removeprefix(FOLLOWS)) for place in following)),
    ]


def _origins(related: tuple[Related, ...], paint: Paint, room: int) -> Iterator[str]:
    # "and 1 more" would take the line of the place it hides
    shown = related if len(related) <= MOST_RELATED + 1 else related[:MOST_RELATED]
    for place in shown:
        at, said = f"{visible(place.at.source.path)}:{place.at.start.line}:", one_line(place.message)
        if length(at) + 1 + length(said) <= room:
            yield f"{paint(at, 'quiet')} {said}"
        else:  # a number of which the end is missing would be another number
            yield paint(at, "quiet")
            yield f"  {clip(said, room - 2)}"
    if len(related) > len(shown):
        yield f"… and {len(related) - len(shown)} more"


def _excerpt(finding: Finding, paint: Paint, width: int) -> Iterator[str]:
    source, start, end = finding.at.source, finding.at.start, finding.at.end
    line = masked(source.line(start.line))
    if not line.strip():
        return
    stop = end.column - 1 if end.line == start.line else len(line)
    text, carets = _underlined(line, start.column - 1, stop, width - MARGIN)
    gutter = MARGIN - 3
    yield paint(f"{start.line:>{gutter}} |", "margin") + f" {text}"
    further = f" … to line {end.line}" if end.line > start.line and end.column > 1 else ""
    yield paint(f"{'':>{gutter}} |", "margin") + " " + paint(carets + further, finding.severity)


def _underlined(line: str, start: int, end: int, room: int) -> tuple[str, str]:
    """The part of a line that fits into `room` cells, and carets under the characters `start` to `end` (at least one)."""
    shown = cells(line)
    edges = [0, *accumulate(width for _, width in shown)]
    start, end = min(start, len(line)), min(max(end, start), len(line))
    first, last = 0, len(line)
    room = max(room, 20)
    if edges[-1] > room:
        if edges[end] >= room:
            first = bisect_left(edges, edges[start] - room // 4)
        last = max(bisect_right(edges, edges[first] + room - 2) - 1, first)
    head, tail = "…" * (first > 0), "…" * (last < len(line))
    text = head + "".join(text for text, _ in shown[first:last]) + tail
    left, right = edges[min(start, last)], edges[min(end, last)]
    return text.rstrip(), " " * (len(head) + left - edges[first]) + "^" * max(right - left, 1)


# ------------------------------------------------------------------------------------------------------------- fixes


def _fix(fix: Fix, home: SourceText, paint: Paint, width: int) -> Iterator[str]:
    yield from _labelled("fix", wrap(one_line(fix.title) + ("" if fix.safe else " (unsafe)"), width - MARGIN), paint)
    for source, edits in by_source(fix.edits).items():
        if source.path != home.path:
            yield " " * MARGIN + paint(f"{visible(source.path)}:{min(edit.at.start.line for edit in edits)}:", "quiet")
        lines = _from_the_change(changes(source, edits), width - MARGIN)
        for sign, line in lines[:MOST_CHANGED_LINES]:
            text = clip(f"{sign} {line}", width - MARGIN + 2)
            yield " " * (MARGIN - 2) + paint(text, "removed" if sign == "-" else "added")
        if len(lines) > MOST_CHANGED_LINES:
            yield " " * MARGIN + f"… and {len(lines) - MOST_CHANGED_LINES} more lines"


def _from_the_change(lines: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """Lines too long for the terminal lose most of the beginning that they share: the change is what is shown."""
    texts = [text for _, text in lines]
    alike = takewhile(lambda chars: len(set(chars)) == 1, zip(*texts, strict=False))
    cut = sum(1 for _ in alike) - BEFORE_A_CHANGE
    if len(texts) < 2 or cut <= 0 or all(len(text) <= room for text in texts):
        return lines
    return [(sign, f"…{text[cut:]}") for sign, text in lines]


# ----------------------------------------------------------------------------------------------------------- summary


def _silence(report: Report, paint: Paint, width: int) -> Iterator[str]:
    """The rules that could not be decided, and the files that were not linted."""
    for gap in gaps(report):
        for line in wrap(gap, width, hang=2):
            yield paint(line, "quiet")
    yield from _skipped(report)


def _errors(report: Report, paint: Paint) -> Iterator[str]:
    for error in report.internal_errors:
        yield f"{paint('Internal error', 'error')} in {visible(scene(error))}: {clip(one_line(error.message), LONGEST_MESSAGE)}"


def _skipped(report: Report) -> Iterator[str]:
    """Each file that was not linted while they are few, else how many there are of each reason."""
    if len(report.skipped) <= MOST_SKIPPED:
        for skipped in report.skipped:
            yield f"Skipped {visible(skipped.path)}: {one_line(skipped.reason)}"
        return
    for reason, number in Counter(skipped.reason for skipped in report.skipped).items():
        yield f"Skipped {count(number, 'file')}: {one_line(reason)}"


def _verdict(report: Report, paint: Paint) -> str:
    sentence, more = verdict(report)
    good = report.files and not report.findings and not report.internal_errors
    return paint(sentence, "good" if good else "rule") + more
