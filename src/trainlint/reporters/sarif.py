"""SARIF 2.1.0, shaped for what GitHub code scanning reads of it.

See "SARIF support for code scanning" in GitHub's documentation; the limits below are its limits.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import PurePath
from typing import Any

from trainlint import __version__
from trainlint.findings import OPTIONS, Finding, Fix, Hidden, Report, RuleInfo
from trainlint.reporters.fingerprints import fingerprints, line_hashes
from trainlint.reporters.places import first_line, uri, usable
from trainlint.reporters.style import Style
from trainlint.reporters.summary import worst_first
from trainlint.text import Location

Json = dict[str, Any]

MOST_RESULTS = 25_000
MOST_BYTES = 10_000_000
"""Of the log, compressed with gzip. GitHub rejects a log of more bytes or results."""
MOST_SHOWN = 5_000
"""Results that GitHub keeps of one run."""
MOST_PLACES = 100
"""Locations that GitHub shows of one result."""
LONGEST_DESCRIPTION = 1024
MOST_TAGS = 20
PRECISION = {"strong": "high", "moderate": "medium", "weak": "low"}
"""By the evidence that a rule rests on; an error is proven, whatever its sources."""
PRECISION_BY_SEVERITY = {"error": "very-high", "warning": "high", "note": "medium"}
LANGUAGES = {
    ".sh": "bash",
    ".bash": "bash",
    ".slurm": "bash",
    ".sbatch": "bash",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".py": "python",
}


def render(report: Report, style: Style) -> str:
    """One SARIF run. ASCII only, so that no console encoding can break it."""
    text = _text(report, style, MOST_RESULTS)
    most = min(len(report.findings), MOST_RESULTS)
    while most and len(text) > MOST_BYTES and (size := len(gzip.compress(text.encode(), 6))) > MOST_BYTES:
        most = min(most - 1, int(most * 0.9 * MOST_BYTES / size))
        text = _text(report, style, most)
    return text


def _text(report: Report, style: Style, most: int) -> str:
    return json.dumps(_log(report, style, most), indent=2) + "\n"


def _log(report: Report, style: Style, most: int) -> Json:
    findings = report.findings
    if len(findings) > most:  # the worst stay, in the order they have
        kept = {id(finding) for finding in worst_first(findings)[:most]}
        findings = [finding for finding in findings if id(finding) in kept]
    silenced = report.suppressed[: most - len(findings)] if style.suppressed else []
    results = [*findings, *(suppression.finding for suppression in silenced)]
    rules = _rules(report.rules, results)
    places = [place for finding in results for place in _places(finding)]
    places += [suppression.at for suppression in silenced if suppression.at]
    files = dict.fromkeys([*report.files, *(place.source.path for place in places)])
    linted = set(report.files)
    indices = {path: index for index, path in enumerate(files)}
    writer = _Writer({rule.id: index for index, rule in enumerate(rules)}, indices)
    prints = fingerprints(results)
    written = [writer.result(finding, prints[i]) for i, finding in enumerate(results)]
    for result, suppression in zip(written[len(findings) :], silenced, strict=True):
        result["suppressions"] = [writer.suppression(suppression)]
    run: Json = {
        "tool": {
            "driver": {
                "name": "trainlint",
                "semanticVersion": __version__,
                **_home(),
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not report.internal_errors,
                "toolExecutionNotifications": list(_execution(report, len(findings), writer.rules)),
                "toolConfigurationNotifications": list(_configuration(report, writer.rules)),
            }
        ],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The directory that trainlint ran in."}}},
        "artifacts": [_artifact(path, path in linted) for path in files],
        "columnKind": "unicodeCodePoints",
        "results": written,
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _home() -> Json:
    """The address that the package itself gives, if it gives one: a made-up one would lead astray."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        addresses = metadata("trainlint").get_all("Project-URL") or []
    except PackageNotFoundError:
        return {}
    named = dict(address.split(", ", 1) for address in addresses)
    address = named.get("Documentation") or named.get("Homepage") or next(iter(named.values()), None)
    return {"informationUri": address} if address else {}


# ------------------------------------------------------------------------------------------------------------- rules


def _rules(enabled: list[RuleInfo], findings: Iterable[Finding]) -> list[RuleInfo]:
    """The enabled rules, and a makeshift for each finding whose rule has no page: every result must point at a rule."""
    rules = {rule.id: rule for rule in enabled}
    for finding in findings:
        if finding.rule not in rules:
            rules[finding.rule] = RuleInfo(finding.rule, "", finding.severity, finding.why, "", (), ())
    return list(rules.values())


def _descriptor(rule: RuleInfo) -> Json:
    title = rule.title.strip() or rule.id
    summary = rule.summary.strip() or title
    page = rule.markdown.strip() or summary
    sources = "".join(f"\n- {source}" for source in rule.sources)
    precision = PRECISION_BY_SEVERITY[rule.severity] if rule.severity == "error" else PRECISION.get(rule.strength)
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", rule.id)),
        "shortDescription": {"text": _sentence(_shorten(title))},
        "fullDescription": {"text": _sentence(_shorten(summary))},
        "help": {
            "text": "\n\n".join([summary, *rule.sources]),
            "markdown": f"{page}\n\n## Sources\n{sources}" if sources else page,
        },
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "tags": list(dict.fromkeys(filter(None, rule.tags)))[:MOST_TAGS],
            "precision": precision or PRECISION_BY_SEVERITY[rule.severity],
            "problem.severity": "recommendation" if rule.severity == "note" else rule.severity,
        },
    }


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a name, and a full stop."""
    text = re.sub(r"^[a-z]+(?=[ ,])", lambda match: match[0].capitalize(), text.strip())
    return text if text.endswith((".", "!", "?", "…", "。")) else text + "."


def _shorten(text: str) -> str:
    return text if len(text) < LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - 1].rsplit(" ", 1)[0] + "…"


# ----------------------------------------------------------------------------------------------------------- results


class _Writer:
    """Writes results; knows the places of rules and files in the run's tables."""

    def __init__(self, rules: dict[str, int], artifacts: dict[str, int]) -> None:
        self.rules, self.artifacts = rules, artifacts
        self.hashes = cache(line_hashes)

    def result(self, finding: Finding, fingerprint: str) -> Json:
        at = first_line(finding.at)
        finding = replace(finding, related=finding.related[:MOST_PLACES])
        result: Json = {
            "ruleId": finding.rule,
            "ruleIndex": self.rules[finding.rule],
            "level": finding.severity,
            "message": {"text": _message(finding)},
            "locations": [{"physicalLocation": self.place(at, _region(at))}],
            "partialFingerprints": {
                "primaryLocationLineHash": self.hashes(at.source)[at.start.line - 1],
                "trainlint/v1": fingerprint,
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

    def suppression(self, hidden: Hidden) -> Json:
        written: Json = {"kind": "inSource" if hidden.at else "external", "status": "accepted"}
        if hidden.at:
            written["location"] = {"physicalLocation": self.place(hidden.at, _region(first_line(hidden.at)))}
        if hidden.reason.strip():
            written["justification"] = hidden.reason
        return written

    def place(self, at: Location, region: Json) -> Json:
        return {"artifactLocation": self.artifact(at.source.path), "region": region}

    def artifact(self, path: str) -> Json:
        return _location(path) | {"index": self.artifacts[path]}

    def fix(self, fix: Fix) -> Json:
        changes: dict[str, list[Json]] = {}
        for edit in fix.edits:
            replacement: Json = {"deletedRegion": _exact(usable(edit.at))}
            if edit.text:
                replacement["insertedContent"] = {"text": edit.text}
            changes.setdefault(edit.at.source.path, []).append(replacement)
        return {
            "description": {"text": _sentence(fix.title or "Apply the edit")},
            "artifactChanges": [
                {"artifactLocation": self.artifact(path), "replacements": replacements}
                for path, replacements in changes.items()
            ],
            "properties": {"safe": fix.safe},
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


# ----------------------------------------------------------------------------------------------------- notifications


def _execution(report: Report, reported: int, rules: dict[str, int]) -> Iterator[Json]:
    """What happened: errors of our own, findings that were left out, files that were not linted."""
    for error in report.internal_errors:
        text = f"Internal error in {error.where}: {error.message}"
        yield _notification("error", text, [error.path] if error.path else [], error.where, rules)
    if reported < len(report.findings):
        text = f"Only the {reported:,} most severe of {len(report.findings):,} findings are reported."
        yield _notification("warning", text)
    if reported > MOST_SHOWN:
        yield _notification("warning", f"Of {reported:,} findings, GitHub keeps the {MOST_SHOWN:,} most severe.")
    for skipped in report.skipped:
        yield _notification("note", f"Not linted: {skipped.reason}", [skipped.path])


def _configuration(report: Report, rules: dict[str, int]) -> Iterator[Json]:
    """The rules that a fact which nobody said left undecided, and the option that would say it."""
    paths: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for gap in report.not_evaluated:
        paths.setdefault((gap.rule, gap.missing), {})[gap.path] = None
    for (rule, missing), of_files in paths.items():
        options = dict.fromkeys(OPTIONS[fact] for fact in missing if fact in OPTIONS)
        advice = f" (say it with {', '.join(options)})" if options else ""
        text = f"{rule} was not evaluated, unknown: {', '.join(missing) or 'not said'}{advice}."
        if len(of_files) > MOST_PLACES:
            text += f" In {len(of_files):,} files, of which the first {MOST_PLACES} are listed."
        yield _notification("note", text, list(of_files)[:MOST_PLACES], rule, rules)


def _notification(
    level: str, text: str, paths: Iterable[str] = (), rule: str = "", rules: dict[str, int] | None = None
) -> Json:
    note: Json = {"level": level, "message": {"text": text}}
    places = [{"physicalLocation": {"artifactLocation": _location(path)}} for path in paths]
    if places:
        note["locations"] = places
    if rules and rule in rules:
        note["associatedRule"] = {"id": rule, "index": rules[rule]}
    return note


# ------------------------------------------------------------------------------------------------------------ places


def _places(finding: Finding) -> list[Location]:
    edits = finding.fix.edits if finding.fix else ()
    return [finding.at, *(place.at for place in finding.related), *(edit.at for edit in edits)]


def _region(at: Location) -> Json:
    """A region to be shown. On an empty line there are no columns."""
    at = usable(at)
    if not at.source.line(at.start.line) and at.start == at.end:
        return {"startLine": at.start.line}
    return _exact(at)


def _exact(at: Location) -> Json:
    """A region whose ends are both said; it is empty where they are the same."""
    start, end = at.start, at.end
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def _artifact(path: str, linted: bool) -> Json:
    artifact: Json = {"location": _location(path), "encoding": "utf-8"}
    language = LANGUAGES.get(PurePath(path).suffix.lower())
    if language:
        artifact["sourceLanguage"] = language
    if linted:
        artifact["roles"] = ["analysisTarget"]
    return artifact


def _location(path: str) -> Json:
    address = uri(path)
    return {"uri": address} if address.startswith("file:") else {"uri": address, "uriBaseId": "%SRCROOT%"}
