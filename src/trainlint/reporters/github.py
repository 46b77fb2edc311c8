"""GitHub workflow commands: annotations on the lines of a pull request, from nothing but a step's output.

GitHub takes ten annotations of each kind from one step. The most severe findings get them; the others are counted.
"""

from __future__ import annotations

from trainlint.findings import SEVERITIES, Finding, Report
from trainlint.reporters.places import first_line, relative
from trainlint.reporters.style import Style
from trainlint.reporters.summary import count, counts, scene
from trainlint.reporters.terminal import one_line, visible

MOST = 10
KINDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report, style: Style) -> str:
    """One command for each finding within the limits, one for internal errors, one for what was left out."""
    by_severity = {name: [f for f in report.findings if f.severity == name] for name in SEVERITIES}
    room = dict.fromkeys(SEVERITIES, MOST)
    lines = []
    if report.internal_errors:
        room["error"] -= 1
        first = report.internal_errors[0]
        more = f" (and {len(report.internal_errors) - 1} more)" if len(report.internal_errors) > 1 else ""
        text = f"Internal error in {scene(first)}: {first.message}{more}"
        lines.append(_command("error", {"title": "trainlint"}, text))
    if any(len(by_severity[name]) > room[name] for name in SEVERITIES):
        room["note"] -= 1
    for name, findings in by_severity.items():
        lines += [_annotation(finding) for finding in findings[: room[name]]]
    left = {name: max(len(by_severity[name]) - room[name], 0) for name in SEVERITIES}
    if any(left.values()):
        text = f"{counts(left)} without an annotation: GitHub shows {count(MOST, 'annotation')} of each kind for a step"
        lines.append(_command("notice", {"title": "trainlint"}, text))
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: Finding) -> str:
    at = first_line(finding.at)
    where = {
        "file": relative(at.source.path),
        "line": str(at.start.line),
        "endLine": str(at.end.line),
        "col": str(at.start.column),
        "endColumn": str(at.end.column),
        "title": finding.rule,
    }
    advice = f"\n{one_line(finding.advice)}" if finding.advice.strip() else ""
    return _command(KINDS[finding.severity], where, one_line(finding.message) + advice)


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    said = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {said}::{_data(message)}"


def _data(text: str) -> str:
    lines = [visible(line) for line in text.split("\n")]
    return "%0A".join(line.replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
