"""JSON, version 1, as `docs/schema/report-v1.schema.json` describes it.

Lines and columns count from 1, columns in code points; `end` is the first position after the span. A later release may
add keys at the top level; whatever else changes makes version 2.
"""

from __future__ import annotations

import json
from typing import Any

from trainlint.findings import Finding, Fix, Report
from trainlint.reporters.places import valid
from trainlint.reporters.style import Style
from trainlint.reporters.summary import hidden_findings, totals
from trainlint.text import Location, Position

VERSION = 1


def render(report: Report, style: Style) -> str:
    """The whole report as one JSON object. ASCII only, so that no console encoding can break it."""
    whole = outcome(report)
    whole["findings"] = [finding_object(finding) for finding in report.findings]
    return json.dumps(whole, indent=2) + "\n"


def outcome(report: Report) -> dict[str, Any]:
    """The report without its findings, for which a place is kept."""
    return {
        "version": VERSION,
        "files": len(report.files),
        "totals": {**totals(report), **hidden_findings(report)},
        "findings": [],
        "not_evaluated": [
            {"rule": gap.rule, "path": valid(gap.path), "missing": list(gap.missing)} for gap in report.not_evaluated
        ],
        "skipped": [{"path": valid(skipped.path), "reason": skipped.reason} for skipped in report.skipped],
        "internal_errors": [
            {"path": valid(error.path), "where": error.where, "message": error.message}
            for error in report.internal_errors
        ],
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """One finding, as `$defs/finding` of the schema describes it."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        **_location(finding.at),
        "related": [{"message": related.message, **_location(related.at)} for related in finding.related],
        "advice": finding.advice,
        "fix": _fix(finding.fix) if finding.fix else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [{**_location(edit.at), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "safe": fix.safe, "edits": edits}


def _location(at: Location) -> dict[str, Any]:
    return {"path": valid(at.source.path), "span": {"start": _position(at.start), "end": _position(at.end)}}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column}
