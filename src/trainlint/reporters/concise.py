"""One line for each finding, to be searched and counted: `path:line:column: severity rule message`."""

from __future__ import annotations

from trainlint.findings import Report
from trainlint.reporters.style import Style
from trainlint.reporters.summary import by_file, verdict
from trainlint.reporters.terminal import one_line, visible


def render(report: Report, style: Style) -> str:
    """The findings, file by file, and a summary."""
    lines = [
        f"{visible(path)}:{finding.at.start.line}:{finding.at.start.column}: "
        f"{finding.severity} {finding.rule} {one_line(finding.message)}"
        for path, findings in by_file(report.findings).items()
        for finding in findings
    ]
    lines += [
        f"{visible(error.path or 'trainlint')}: internal error in {visible(error.where)}: {one_line(error.message)}"
        for error in report.internal_errors
    ]
    if not style.quiet:
        lines.append("".join(verdict(report)))
    return "".join(f"{line}\n" for line in lines)
