"""How often each rule fired."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

from trainlint.findings import SEVERITIES, Report

VERSION = 1


def render(report: Report, form: Literal["text", "json"] = "text") -> str:
    """A line or an object for each rule that fired, the most frequent first: findings, rule, its worst severity, and how
    many of the findings have a fix."""
    rows = _rows(report)
    if form == "json":
        return json.dumps({"version": VERSION, "rules": rows}, indent=2) + "\n"
    if not rows:
        return ""
    number, rule = max(len(f"{row['count']:,}") for row in rows), max(len(row["rule"]) for row in rows)
    lines = []
    for row in rows:
        fixable = f"  {row['fixable']:,} fixable" if row["fixable"] else ""
        lines.append(f"{row['count']:>{number},}  {row['severity']:<7}  {row['rule']:<{rule}}{fixable}".rstrip())
    return "\n".join(lines) + "\n"


def _rows(report: Report) -> list[dict[str, Any]]:
    numbers = Counter(finding.rule for finding in report.findings)
    fixable = Counter(finding.rule for finding in report.findings if finding.fix)
    worst: dict[str, int] = {}
    for finding in report.findings:
        severity = SEVERITIES.index(finding.severity)
        worst[finding.rule] = min(severity, worst.get(finding.rule, severity))
    return [
        {"rule": rule, "severity": SEVERITIES[worst[rule]], "count": number, "fixable": fixable[rule]}
        for rule, number in sorted(numbers.items(), key=lambda item: (-item[1], worst[item[0]], item[0]))
    ]
