"""Markdown for `$GITHUB_STEP_SUMMARY`: everything that a report holds, within the size that GitHub takes."""

from __future__ import annotations

from trainlint.findings import SEVERITIES, Report
from trainlint.reporters.markup import advice, code, cut, details, place, size, table, text
from trainlint.reporters.style import Style
from trainlint.reporters.summary import gaps, scene, totals, verdict, worst_first

MOST_BYTES = 1024 * 1024
"""GitHub shows nothing of a longer summary."""
RESERVE = 2_000
"""Bytes for headings and for what is said of the lines that were cut."""


def render(report: Report, style: Style) -> str:
    """Counts, a table of the findings with the worst first, and what to do about them on a click."""
    room = MOST_BYTES - RESERVE
    blocks = [["## trainlint"], [text("".join(verdict(report)))]]
    errors = [
        f"- **Internal error** in {text(scene(error))}: {text(error.message)}" for error in report.internal_errors
    ]
    blocks.append(cut(errors, room // 4, "internal error"))
    room -= size(blocks[-1])
    findings = worst_first(report.findings)
    if findings:
        numbers = totals(report)
        blocks.append(
            list(table((*SEVERITIES, "fixable"), [tuple(f"{numbers[n]:,}" for n in (*SEVERITIES, "fixable"))]))
        )
        rows = [
            (finding.severity, code(place(finding), in_table=True), code(finding.rule), text(finding.message))
            for finding in findings
        ]
        lines = list(table(("severity", "place", "rule", "finding"), rows))
        blocks.append(cut(lines, room * 3 // 4, "finding"))
        room -= size(blocks[-1])
    for title, lines, noun in (
        ("What to do", advice(findings), "suggestion"),
        ("Not evaluated", [f"- {text(gap)}" for gap in gaps(report)], "line"),
        ("Not linted", [f"- {code(skipped.path)}: {text(skipped.reason)}" for skipped in report.skipped], "file"),
    ):
        if lines:
            blocks.append(details(title, cut(lines, room, noun)))
            room -= size(blocks[-1])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
