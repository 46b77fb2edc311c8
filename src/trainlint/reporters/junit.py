"""JUnit XML, as Jenkins, GitLab and other servers read it: a suite for each file, a test case for each rule that fired.

An error or a warning is a failure. A note is no reason to fail a build: its test case passes, with the note as its output.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from trainlint.findings import Finding, Report
from trainlint.reporters.places import relative
from trainlint.reporters.style import Style
from trainlint.reporters.summary import by_file, worst_first
from trainlint.reporters.terminal import one_line, visible

CLEAN = "no findings"


def render(report: Report, style: Style) -> str:
    """ASCII only (other characters as references), so that no console encoding can break it."""
    found = by_file(report.findings)
    errors: dict[str, list[Element]] = {}
    for error in report.internal_errors:
        path = error.path or "trainlint"
        case = _case(path, f"internal error in {error.where}")
        SubElement(case, "error", {"type": "internal", "message": _text(error.message)})
        errors.setdefault(path, []).append(case)
    skipped: dict[str, list[Element]] = {}
    for file in report.skipped:
        case = _case(file.path, "not linted")
        SubElement(case, "skipped", {"message": _text(file.reason)})
        skipped.setdefault(file.path, []).append(case)
    root = Element("testsuites", {"name": "trainlint"})
    for path in dict.fromkeys([*report.files, *found, *errors, *skipped]):
        rules: dict[str, list[Finding]] = {}
        for finding in found.get(path, ()):
            rules.setdefault(finding.rule, []).append(finding)
        cases = [_judged(path, rule, findings) for rule, findings in rules.items()]
        cases += [*errors.get(path, ()), *skipped.get(path, ())]
        suite = SubElement(root, "testsuite", {"name": _text(relative(path)), "file": _text(relative(path))})
        suite.extend(cases or [_case(path, CLEAN)])
        _count(suite)
    _count(root)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="us-ascii").decode("ascii")}\n'


def _case(path: str, name: str) -> Element:
    return Element("testcase", {"classname": _text(relative(path)), "name": _text(name), "time": "0"})


def _judged(path: str, rule: str, findings: list[Finding]) -> Element:
    case = _case(path, rule)
    worst = worst_first(findings)[0]
    body = _text("\n".join(_line(finding) for finding in findings))
    if worst.severity == "note":
        SubElement(case, "system-out").text = body
        return case
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    failure = {"type": worst.severity, "message": _text(one_line(worst.message) + more)}
    SubElement(case, "failure", failure).text = body
    return case


def _line(finding: Finding) -> str:
    at = finding.at.start
    advice = f"\n  {one_line(finding.advice)}" if finding.advice.strip() else ""
    place = f"{relative(finding.at.source.path)}:{at.line}:{at.column}"
    return f"{place}: {finding.severity}: {one_line(finding.message)}{advice}"


def _count(element: Element) -> None:
    for name, tag in ("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped"):
        if name != "skipped" or element.tag == "testsuite":  # the schemas know it of suites only
            element.set(name, str(sum(1 for _ in element.iter(tag))))


def _text(text: str) -> str:
    """Without what XML cannot carry, not even escaped: control characters, surrogates, two that are no characters."""
    lines = [visible(line) for line in text.split("\n")]
    return "\n".join(lines).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
