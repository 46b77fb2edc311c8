"""GitLab's Code Quality report: a JSON array of violations, as its documentation describes them."""

from __future__ import annotations

import json

from trainlint.findings import Report
from trainlint.reporters.fingerprints import fingerprints
from trainlint.reporters.places import relative, usable
from trainlint.reporters.style import Style
from trainlint.reporters.terminal import one_line

SEVERITY = {"error": "critical", "warning": "major", "note": "info"}


def render(report: Report, style: Style) -> str:
    """One violation for each finding. ASCII only, so that no console encoding can break it."""
    violations = [
        {
            "description": one_line(finding.message) or finding.rule,
            "check_name": finding.rule,
            "fingerprint": fingerprint,
            "severity": SEVERITY[finding.severity],
            "location": {
                "path": relative(finding.at.source.path),
                "lines": {"begin": usable(finding.at).start.line},
            },
        }
        for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
    ]
    return json.dumps(violations, indent=2) + "\n"
