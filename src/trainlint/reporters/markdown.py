"""Markdown for a comment on a pull request: errors and warnings at a glance, notes and advice on a click."""

from __future__ import annotations

from collections.abc import Sequence

from trainlint.findings import Finding, Report
from trainlint.reporters.markup import advice, code, cut, details, fitting, place, size, table, text
from trainlint.reporters.style import Style
from trainlint.reporters.summary import count, scene, verdict, worst_first

MOST_BYTES = 65_000
"""GitHub takes 65,536 characters of a comment."""
RESERVE = 2_000
MOST_ERRORS = 5


def render(report: Report, style: Style) -> str:
    """Within the length of a comment; the worst first."""
    room = MOST_BYTES - RESERVE
    findings = worst_first(report.findings)
    serious = [finding for finding in findings if finding.severity != "note"]
    notes = [finding for finding in findings if finding.severity == "note"]
    blocks = [[f"**trainlint**: {text(''.join(verdict(report)))}"]]
    errors = [f"- {text(scene(error))}: {text(error.message)}" for error in report.internal_errors[:MOST_ERRORS]]
    if report.internal_errors:
        blocks.append([f"**{count(len(report.internal_errors), 'internal error')}**, please report:", "", *errors])
        room -= size(errors)
    shown = cut(_table(serious), room, "finding")
    room -= size(shown)
    what = fitting(advice(findings), room // 2)  # the notes may be many, and are worth less than what to do
    listed = cut(_table(notes), room - size(what), "finding")
    if shown:
        blocks.append(shown)
    if listed:
        blocks.append(details(count(len(notes), "note"), listed))
    if what:
        blocks.append(details("What to do", what))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _table(findings: Sequence[Finding]) -> list[str]:
    rows = [
        (finding.severity, code(place(finding), in_table=True), f"{text(finding.message)} ({code(finding.rule)})")
        for finding in findings
    ]
    return list(table(("", "place", "finding"), rows)) if rows else []
