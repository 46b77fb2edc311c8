"""The findings as CSV, for the spreadsheet that goes round on Mondays."""

import csv
import io

from trainlint.findings import Report
from trainlint.reporters import Style


def render(report: Report, style: Style) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["path", "line", "severity", "rule", "message"])
    for finding in report.findings:
        writer.writerow(
            [finding.at.source.path, finding.at.start.line, finding.severity, finding.rule, finding.message]
        )
    return out.getvalue()
