"""JSON, one object on each line: the findings as in the JSON report, then the rest of that report.

The last line is the only one with a `version`, and says whether the text is complete. `docs/schema/lines-v1.schema.json`
describes a line; the versions are those of the JSON report.
"""

from __future__ import annotations

import json

from trainlint.findings import Report
from trainlint.reporters.json_report import finding_object, outcome
from trainlint.reporters.style import Style


def render(report: Report, style: Style) -> str:
    """ASCII only, so that no console encoding can break it and no character in it can end a line."""
    last = outcome(report)
    del last["findings"]
    return "".join(f"{json.dumps(line)}\n" for line in [*map(finding_object, report.findings), last])
