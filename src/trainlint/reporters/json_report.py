"""JSON, version 1, as `docs/schema/report-v1.schema.json` describes it.

Lines and columns count from 1, columns in code points; `end` is the first position after the span. A later release may
add keys at the top level; whatever else changes makes version 2.
"""

from __future__ import annotations

import json
from typing import Any

from trainlint.findings import Finding, Fix, Report
from trainlint.text import Location, Position

VERSION = 1


def render(report: Report) -> str:
    """The whole report as one JSON object. ASCII only, so that no console encoding can break it."""
    return json.dumps(_report(report), indent=2) + "\n"


def _report(report: Report) -> dict[str, Any]:
    return {
        "version": VERSION,
        "files": len(report.files),
        "findings": [_finding(finding) for finding in report.findings],
        "not_evaluated": [
            {"rule": gap.rule, "path": _path(gap.path), "missing": list(gap.missing)} for gap in report.not_evaluated
        ],
        "skipped": [{"path": _path(skipped.path), "reason": skipped.reason} for skipped in report.skipped],
        "internal_errors": [
            {"path": _path(error.path), "where": error.where, "message": error.message}
            for error in report.internal_errors
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
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
    return {"path": _path(at.source.path), "span": {"start": _position(at.start), "end": _position(at.end)}}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column}


def _path(path: str) -> str:
    """A file name need not be valid text, and a lone surrogate is no valid JSON to most readers."""
    return path.encode("utf-8", "replace").decode("utf-8")
