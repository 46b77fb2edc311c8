"""SARIF 2.1.0, shaped for what GitHub code scanning reads of it.

See "SARIF support for code scanning" in GitHub's documentation; the limits below are its limits.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections import Counter
from functools import cache
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal
from urllib.parse import quote

from trainlint import __version__
from trainlint.findings import SEVERITIES, Finding, Fix, Report, RuleInfo
from trainlint.text import Location, SourceText, Span

Json = dict[str, Any]

INFORMATION = "https://pypi.org/project/trainlint/"
MOST_RESULTS = 25_000
"""GitHub drops whatever comes after."""
LONGEST_DESCRIPTION = 1024
MOST_TAGS = 20
PRECISION = {"error": "very-high", "warning": "high", "note": "medium"}
"""An error is proven, a warning rests on evidence, a note is advice."""


def render(report: Report) -> str:
    """One SARIF run. ASCII only, so that no console encoding can break it."""
    return json.dumps(_log(report), indent=2) + "\n"


def _log(report: Report) -> Json:
    findings = report.findings
    if len(findings) > MOST_RESULTS:  # the worst stay, in the order they have
        kept = sorted(range(len(findings)), key=lambda i: SEVERITIES.index(findings[i].severity))[:MOST_RESULTS]
        findings = [findings[i] for i in sorted(kept)]
    rules = _rules(report.rules, findings)
    files = dict.fromkeys([*report.files, *(place.source.path for finding in findings for place in _places(finding))])
    linted = set(report.files)
    artifacts = {path: index for index, path in enumerate(files)}
    writer = _Writer({rule.id: index for index, rule in enumerate(rules)}, artifacts)
    run: Json = {
        "tool": {
            "driver": {
                "name": "trainlint",
                "semanticVersion": __version__,
                "informationUri": INFORMATION,
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not report.internal_errors,
                "toolExecutionNotifications": list(_notifications(report)),
            }
        ],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The directory that trainlint ran in."}}},
        "artifacts": [
            {"location": _artifact(path)} | ({"roles": ["analysisTarget"]} if path in linted else {})
            for path in artifacts
        ],
        "columnKind": "unicodeCodePoints",
        "results": [writer.result(finding) for finding in findings],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


# ------------------------------------------------------------------------------------------------------------- rules


def _rules(enabled: list[RuleInfo], findings: list[Finding]) -> list[RuleInfo]:
    """The enabled rules, and a makeshift for each finding whose rule has no page: every result must point at a rule."""
    rules = {rule.id: rule for rule in enabled}
    for finding in findings:
        if finding.rule not in rules:
            rules[finding.rule] = RuleInfo(finding.rule, "", finding.severity, finding.why, "", (), ())
    return list(rules.values())


def _descriptor(rule: RuleInfo) -> Json:
    title = rule.title.strip() or rule.id
    summary = rule.summary.strip() or title
    text = "\n\n".join([summary, *rule.sources])
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", rule.id)),
        "shortDescription": {"text": _sentence(_shorten(title))},
        "fullDescription": {"text": _sentence(_shorten(summary))},
        "help": {"text": text, "markdown": rule.markdown.strip() or text},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "tags": list(dict.fromkeys(filter(None, rule.tags)))[:MOST_TAGS],
            "precision": PRECISION[rule.severity],
            "problem.severity": "recommendation" if rule.severity == "note" else rule.severity,
        },
    }


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", "。")) else text + "."


def _shorten(text: str) -> str:
    return text if len(text) < LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - 1].rsplit(" ", 1)[0] + "…"


# ----------------------------------------------------------------------------------------------------------- results


class _Writer:
    """Writes results; knows the places of rules and files in the run's tables."""

    def __init__(self, rules: dict[str, int], artifacts: dict[str, int]) -> None:
        self.rules, self.artifacts = rules, artifacts
        self.hashes = cache(line_hashes)

    def result(self, finding: Finding) -> Json:
        at = _usable(finding.at)
        result: Json = {
            "ruleId": finding.rule,
            "ruleIndex": self.rules[finding.rule],
            "level": finding.severity,
            "message": {"text": _message(finding)},
            "locations": [{"physicalLocation": self.place(at, _region(_first_line(at)))}],
            "partialFingerprints": {
                "primaryLocationLineHash": self.hashes(at.source)[at.start.line - 1],
                "trainlint/v1": _fingerprint(finding.rule, at),
            },
            "properties": {"confidence": finding.confidence},
        }
        related = [
            {"physicalLocation": self.place(place.at, _region(place.at)), "message": {"text": place.message or "here"}}
            for place in finding.related
        ]
        if related:
            result["relatedLocations"] = [{"id": number, **place} for number, place in enumerate(related, 1)]
        if len(related) >= 2:
            end = {**result["locations"][0], "message": {"text": _sentence(finding.message)}}
            flow = [{"location": place} for place in [*related, end]]
            result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
        if finding.fix and finding.fix.edits:
            result["fixes"] = [self.fix(finding.fix)]
        return result

    def place(self, at: Location, region: Json) -> Json:
        path = at.source.path
        return {"artifactLocation": _artifact(path) | {"index": self.artifacts[path]}, "region": region}

    def fix(self, fix: Fix) -> Json:
        changes: dict[str, list[Json]] = {}
        for edit in fix.edits:
            replacement: Json = {"deletedRegion": _region(edit.at)}
            if edit.text:
                replacement["insertedContent"] = {"text": edit.text}
            changes.setdefault(edit.at.source.path, []).append(replacement)
        return {
            "description": {"text": _sentence(fix.title or "Apply the edit")},
            "artifactChanges": [
                {"artifactLocation": _artifact(path) | {"index": self.artifacts[path]}, "replacements": replacements}
                for path, replacements in changes.items()
            ],
        }


def _message(finding: Finding) -> str:
    """The first sentence is the alert's title; then the advice, and where the judged values came from, as links."""
    parts = [_plain(_sentence(finding.message or finding.rule))]
    if finding.advice.strip():
        parts.append(_plain(_sentence(finding.advice)))
    if finding.related:
        links = [f"[{_escape(place.message or 'here')}]({number})" for number, place in enumerate(finding.related, 1)]
        parts.append(f"Where it comes from: {', '.join(links)}.")
    return " ".join(parts)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("](", "\\](")  # else it would read as a link


def _escape(text: str) -> str:
    return re.sub(r"[\\\[\]]", r"\\\g<0>", " ".join(text.split()))


def _notifications(report: Report) -> list[Json]:
    notes: list[tuple[Literal["error", "warning", "note"], str, str | None]] = [
        ("error", f"Internal error in {error.where}: {error.message}", error.path) for error in report.internal_errors
    ]
    if len(report.findings) > MOST_RESULTS:
        cut = f"Only the {MOST_RESULTS:,} most severe of {len(report.findings):,} findings are reported."
        notes.append(("warning", cut, None))
    notes += [("note", f"Not linted: {skipped.reason}", skipped.path) for skipped in report.skipped]
    notes += [
        ("note", f"{gap.rule} was not evaluated, unknown: {', '.join(gap.missing) or 'not said'}.", gap.path)
        for gap in report.not_evaluated
    ]
    return [
        {"level": level, "message": {"text": text}}
        | ({"locations": [{"physicalLocation": {"artifactLocation": _artifact(path)}}]} if path else {})
        for level, text, path in notes
    ]


# ------------------------------------------------------------------------------------------------------------ places


def _places(finding: Finding) -> list[Location]:
    edits = finding.fix.edits if finding.fix else ()
    return [finding.at, *(place.at for place in finding.related), *(edit.at for edit in edits)]


def _usable(at: Location) -> Location:
    """A place that does not lie in its text becomes the file's first line."""
    if 0 <= at.span.start <= at.span.end <= len(at.source.text):
        return at
    return Location(at.source, at.source.line_span(1))


def _first_line(at: Location) -> Location:
    """The place as far as its first line goes: a pull request shows an alert only when all its lines are in the diff.

    A place without extent has nothing to show; the line it stands on has.
    """
    line = at.source.line_span(at.start.line)
    span = Span(at.span.start, min(at.span.end, line.end))
    return Location(at.source, span if span.start < span.end else line)


def _region(at: Location) -> Json:
    at = _usable(at)
    start, end = at.start, at.end
    if not at.source.line(start.line) and start == end:
        return {"startLine": start.line}
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def _artifact(path: str) -> Json:
    pure = PurePath(path)
    if pure.is_absolute():
        return {"uri": pure.as_uri()}
    return {"uri": quote(os.fsencode(pure.as_posix())), "uriBaseId": "%SRCROOT%"}


# ------------------------------------------------------------------------------------------------------ fingerprints


def _fingerprint(rule: str, at: Location) -> str:
    """Stays the same while the flagged text does, wherever in the file it moves."""
    key = [rule, _artifact(at.source.path)["uri"], at.text]
    return sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()


BLOCK = 100
END = "\uffff"


def line_hashes(source: SourceText) -> list[str]:
    """`primaryLocationLineHash` of each line, as GitHub computes it where a log has none.

    Of the text without blanks and tabs, its line breaks being `\\n`: the hash of a line is that of the hundred UTF-16
    units from its start on, as a polynomial in 37 modulo 2**64, the text being followed by 0xFFFF and zeros. Lines with
    the same hundred units are told apart by a running number.
    """
    text = re.sub(r"[ \t]", "", re.sub(r"\r\n?", "\n", "\ufeff" * source.bom + source.text))
    units = (text + END + "\0" * (BLOCK - 1)).encode("utf-16-le", "surrogatepass")
    seen: Counter[bytes] = Counter()
    hashes, start = [], 0
    for line in (text + END).split("\n"):
        block = units[start : start + 2 * BLOCK]
        seen[block] += 1
        hashes.append(f"{_polynomial(block):x}:{seen[block]}")
        start += len(f"{line}\n".encode("utf-16-le", "surrogatepass"))
    return hashes


def _polynomial(block: bytes) -> int:
    value = 0
    for (unit,) in struct.iter_unpack("<H", block):
        value = value * 37 + unit
    return value % 2**64
