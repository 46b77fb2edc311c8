"""The report for people: quiet and dense, everything that belongs to one finding hangs on one margin.

    run.sh:14:21: warning[lr/too-high-for-step] learning rate 0.0002 on 4,096 tokens per optimizer step is …
       14 |     --learning_rate 2e-4 \\
          |                     ^^^^
      from: run.sh:9: per_device_train_batch_size 1
      help: Raise gradient_accumulation_steps to 64.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from trainlint.findings import OPTIONS, SEVERITIES, Finding, Fix, Related, Report
from trainlint.text import Edit, SourceText, Span, apply

TAB = 4
MOST_RELATED = 6
MOST_CHANGED_LINES = 12
MOST_RULES = 4
MOST_SKIPPED = 3
MOST_FACTS = 6

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


def render(report: Report, *, color: bool = False, width: int = 100) -> str:
    """The findings, file by file, and a summary. With and without colour the text is the same."""
    paint = _painter(color)
    blocks = ["\n".join(_finding(finding, paint, width)) for finding in _by_file(report.findings)]
    blocks += ["\n".join(block) for block in _summary(report, paint, width) if block]
    return "\n\n".join(blocks) + "\n"


def _painter(color: bool) -> Paint:
    if not color:
        return lambda text, _style: text
    from rich.color import ColorSystem
    from rich.style import Style

    # the sixteen colours of the reader's own theme
    styles = {name: Style.parse(style) for name, style in STYLES.items()}
    return lambda text, style: styles[style].render(text, color_system=ColorSystem.STANDARD)


def _by_file(findings: Iterable[Finding]) -> Iterator[Finding]:
    files: dict[str, list[Finding]] = {}
    for finding in findings:
        files.setdefault(finding.at.source.path, []).append(finding)
    for group in files.values():
        yield from group


# -------------------------------------------------------------------------------------------------------- a finding


def _finding(finding: Finding, paint: Paint, width: int) -> Iterator[str]:
    start = finding.at.start
    place = paint(f"{_visible(finding.at.source.path)}:{start.line}:{start.column}:", "place")
    name = paint(finding.severity, finding.severity) + paint(f"[{finding.rule}]", "rule")
    doubt = "" if finding.confidence == "high" else paint(f" ({finding.confidence} confidence)", "quiet")
    yield f"{place} {name} {_one_line(finding.message)}{doubt}"
    yield from _excerpt(finding, paint, width)
    yield from _labelled("from", list(_origins(finding.related, paint, width - MARGIN)), paint)
    for label, text in ("why", finding.why), ("help", finding.advice):
        yield from _labelled(label, _wrap(_one_line(text), width - MARGIN), paint)
    if finding.fix:
        yield from _fix(finding.fix, finding.at.source, paint, width)


MARGIN = len("  help: ")


def _labelled(label: str, lines: list[str], paint: Paint) -> Iterator[str]:
    for number, line in enumerate(lines):
        lead = paint(f"{label:>{MARGIN - 2}}:", "label") + " " if number == 0 else " " * MARGIN
        yield lead + line


def _origins(related: tuple[Related, ...], paint: Paint, room: int) -> Iterator[str]:
    # "and 1 more" would take the line of the place it hides
    shown = related if len(related) <= MOST_RELATED + 1 else related[:MOST_RELATED]
    for place in shown:
        at = f"{_visible(place.at.source.path)}:{place.at.start.line}:"
        yield f"{paint(at, 'quiet')} {_clip(_one_line(place.message), max(room - _length(at) - 1, 20))}"
    if len(related) > len(shown):
        yield f"… and {len(related) - len(shown)} more"


def _excerpt(finding: Finding, paint: Paint, width: int) -> Iterator[str]:
    source, start, end = finding.at.source, finding.at.start, finding.at.end
    line = source.line(start.line)
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
    cells = _cells(line)
    edges = [0, *accumulate(width for _, width in cells)]
    start, end = min(start, len(line)), min(max(end, start), len(line))
    first, last = 0, len(line)
    room = max(room, 20)
    if edges[-1] > room:
        if edges[end] >= room:
            first = bisect_left(edges, edges[start] - room // 4)
        last = max(bisect_right(edges, edges[first] + room - 2) - 1, first)
    head, tail = "…" * (first > 0), "…" * (last < len(line))
    text = head + "".join(shown for shown, _ in cells[first:last]) + tail
    left, right = edges[min(start, last)], edges[min(end, last)]
    return text.rstrip(), " " * (len(head) + left - edges[first]) + "^" * max(right - left, 1)


# ------------------------------------------------------------------------------------------------------------- fixes


def _fix(fix: Fix, home: SourceText, paint: Paint, width: int) -> Iterator[str]:
    yield from _labelled("fix", _wrap(_one_line(fix.title) + ("" if fix.safe else " (unsafe)"), width - MARGIN), paint)
    by_source: dict[SourceText, list[Edit]] = {}
    for edit in fix.edits:
        by_source.setdefault(edit.at.source, []).append(edit)
    for source, edits in by_source.items():
        if source.path != home.path:
            yield " " * MARGIN + paint(f"{_visible(source.path)}:{min(edit.at.start.line for edit in edits)}:", "quiet")
        changes = _changes(source, edits)
        for sign, line in changes[:MOST_CHANGED_LINES]:
            text = _clip(f"{sign} {line}", width - MARGIN + 2)
            yield " " * (MARGIN - 2) + paint(text, "removed" if sign == "-" else "added")
        if len(changes) > MOST_CHANGED_LINES:
            yield " " * MARGIN + f"… and {len(changes) - MOST_CHANGED_LINES} more lines"


def _changes(source: SourceText, edits: list[Edit]) -> list[tuple[str, str]]:
    """The lines that the edits take away and put in, with a sign each, without their common indentation."""
    from difflib import unified_diff  # slow to import, and most reports fix nothing

    text, spans = source.text, [edit.at.span for edit in edits]
    top = text.rfind("\n", 0, min(span.start for span in spans)) + 1
    bottom = text.find("\n", max(span.end for span in spans))
    text = text[top : bottom if bottom >= 0 else len(text)]
    try:
        after = apply(text, [(Span(edit.at.span.start - top, edit.at.span.end - top), edit.text) for edit in edits])
    except ValueError:  # edits that overlap cannot be shown, and will not be applied
        return []
    old, new = text.split("\n"), after.split("\n")
    bare = [line.rstrip("\r") for line in old], [line.rstrip("\r") for line in new]
    old, new = bare if bare[0] != bare[1] else (old, new)  # line ends count when nothing else changes
    diff = [line for line in unified_diff(old, new, n=0, lineterm="") if line[0] in "+-"][2:]
    lines = [_mark_trailing("".join(shown for shown, _ in _cells(line[1:]))) for line in diff]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [(line[0], text[indent:]) for line, text in zip(diff, lines, strict=True)]


def _mark_trailing(line: str) -> str:
    """Blanks at the end of a line made visible: after a backslash they are the whole finding."""
    bare = line.rstrip(" ")
    return bare + "·" * (len(line) - len(bare))


# ----------------------------------------------------------------------------------------------------------- summary


def _summary(report: Report, paint: Paint, width: int) -> Iterator[list[str]]:
    gaps: dict[str, dict[str, None]] = {}
    for gap in report.not_evaluated:
        for fact in gap.missing or ("",):
            gaps.setdefault(fact, {})[gap.rule] = None
    undecided = [paint(line, "quiet") for gap in _gaps(gaps) for line in _wrap(gap, width, hang=2)]
    yield [
        *undecided,
        *_skipped(report),
        *(
            f"{paint('Internal error', 'error')} in {error.where} on {_visible(error.path)}: {_one_line(error.message)}"
            for error in report.internal_errors
        ),
    ]
    yield [_verdict(report, paint)]


def _skipped(report: Report) -> Iterator[str]:
    """Each file that was not linted while they are few, else how many there are of each reason."""
    if len(report.skipped) <= MOST_SKIPPED:
        for skipped in report.skipped:
            yield f"Skipped {_visible(skipped.path)}: {_one_line(skipped.reason)}"
        return
    for reason, number in Counter(skipped.reason for skipped in report.skipped).items():
        yield f"Skipped {_count(number, 'file')}: {_one_line(reason)}"


def _gaps(gaps: dict[str, dict[str, None]]) -> Iterator[str]:
    """What an option would decide, one by one; what no option can say, in one breath."""
    beyond: dict[str, list[str]] = {}
    for fact, rules in sorted(gaps.items(), key=lambda item: -len(item[1])):
        if _option(fact):
            yield _gap(fact, list(rules))
        else:
            beyond[fact] = list(rules)
    if len(beyond) == 1:
        yield from (_gap(fact, rules) for fact, rules in beyond.items())
    elif beyond:
        number = len({rule for rules in beyond.values() for rule in rules})
        names = ", ".join(list(beyond)[:MOST_FACTS]) + (" and more" if len(beyond) > MOST_FACTS else "")
        were = "was" if number == 1 else "were"
        yield f"{_count(number, 'rule')} {were} not evaluated because these are unknown: {_visible(names)}"


def _option(fact: str) -> str:
    return OPTIONS.get(fact) or ("--define" if fact.startswith("$") else "")


def _gap(fact: str, rules: list[str]) -> str:
    shown = rules if len(rules) <= MOST_RULES + 1 else rules[:MOST_RULES]
    names = ", ".join(shown) + (f" and {len(rules) - len(shown)} more" if len(rules) > len(shown) else "")
    reason = f" because {_visible(fact)} is unknown" if fact else ""
    option = _option(fact)
    advice = f" (say it with {option})" if option else ""
    return f"{_count(len(rules), 'rule')} {'was' if len(rules) == 1 else 'were'} not evaluated{reason}{advice}: {names}"


def _verdict(report: Report, paint: Paint) -> str:
    total = len({*report.files, *(finding.at.source.path for finding in report.findings)})
    hidden = " Notes are not shown." if report.notes_hidden else ""
    if report.examined > total:
        hidden += f" {report.examined:,} files were looked at."
    if not report.findings:
        text = f"No problems found in {_count(total, 'file')}." if total else "No files were checked."
        return paint(text, "good" if total and not report.internal_errors else "rule") + hidden
    numbers = [(sum(finding.severity == severity for finding in report.findings), severity) for severity in SEVERITIES]
    *most, last = [_count(number, severity) for number, severity in numbers if number]
    found = f"{', '.join(most)} and {last}" if most else last
    hit = len({finding.at.source.path for finding in report.findings})
    where = f"{hit} of {total} files" if hit < total else _count(hit, "file")
    fixes = [finding.fix.safe for finding in report.findings if finding.fix]
    unsafe = f" ({fixes.count(False)} unsafe)" if False in fixes else ""
    fixable = f" {len(fixes)} fixable{unsafe}." if fixes else ""
    return paint(f"Found {found} in {where}.", "rule") + fixable + hidden


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# ------------------------------------------------------------------------------------------------------------- cells


def _cells(line: str) -> list[tuple[str, int]]:
    """What each character of a line shows as, and the terminal cells that it takes there."""
    cells, at = [], 0
    for char in line:
        if char == "\t":
            width = TAB - at % TAB
            cells.append((" " * width, width))
        else:
            width = _width(char)
            cells.append((_visible(char), width))
        at += width
    return cells


def _width(char: str) -> int:
    if char < "\x7f":
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf") and char not in BIDI:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _length(text: str) -> int:
    return sum(map(_width, text))


BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
VISIBLE = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) != "\t"},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *map(ord, BIDI), *range(0xD800, 0xE000)], 0xFFFD),
}
"""A file must not be able to command the terminal, or to show its text in another order than it has."""


def _visible(text: str) -> str:
    return text.translate(VISIBLE)


def _one_line(text: str) -> str:
    return _visible(" ".join(text.split()))


def _clip(text: str, room: int) -> str:
    edges = [0, *accumulate(map(_width, text))]
    return text if edges[-1] <= room else text[: max(bisect_right(edges, room - 1) - 1, 0)] + "…"


def _wrap(text: str, room: int, hang: int = 0) -> list[str]:
    """The words in lines of at most `room` cells (longer words stay whole); all but the first start `hang` cells in."""
    lines: list[str] = []
    used = room
    for word in text.split():
        width = _length(word)
        if used + 1 + width > room:
            lines.append(" " * (hang if lines else 0) + word)
            used = _length(lines[-1])
        else:
            lines[-1] += " " + word
            used += 1 + width
    return lines
