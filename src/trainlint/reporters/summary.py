"""What a report comes to, in numbers and in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from trainlint.findings import OPTIONS, SEVERITIES, Finding, InternalError, Report, Severity
from trainlint.reporters.terminal import visible

MOST_RULES = 4
MOST_FACTS = 6


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def totals(report: Report) -> dict[str, int]:
    """Findings by severity, the worst first, then how many have a fix and how many of those are unsafe."""
    numbers: dict[str, int] = {
        severity: sum(f.severity == severity for f in report.findings) for severity in SEVERITIES
    }
    fixes = [finding.fix.safe for finding in report.findings if finding.fix]
    return {**numbers, "fixable": len(fixes), "unsafe": fixes.count(False)}


def hidden_findings(report: Report) -> dict[str, int]:
    """How many findings a suppression hides, and how many a baseline."""
    return {"suppressed": len(report.suppressed), "known": report.known}


def counts(numbers: Mapping[Severity, int] | Mapping[str, int]) -> str:
    """Severities and their numbers in words: `1 error, 2 warnings and 3 notes`; empty where there is none."""
    *most, last = [count(numbers[severity], severity) for severity in SEVERITIES if numbers.get(severity)] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def verdict(report: Report) -> tuple[str, str]:
    """The sentence that ends a report, and what is to be added to it (empty, or beginning with a blank)."""
    total = len({*report.files, *(finding.at.source.path for finding in report.findings)})
    numbers = totals(report)
    more = " Notes are not shown." if report.notes_hidden else ""
    hidden = hidden_findings(report)
    if hidden["known"]:
        more = f" {count(hidden['known'], 'finding')} in the baseline.{more}"
    if hidden["suppressed"]:
        more = f" {count(hidden['suppressed'], 'finding')} suppressed.{more}"
    if report.examined > total:
        more += f" {count(report.examined, 'file')} {'was' if report.examined == 1 else 'were'} looked at."
    if not report.findings:
        return (f"No problems found in {count(total, 'file')}." if total else "No files were checked."), more
    hit = len({finding.at.source.path for finding in report.findings})
    where = f"{hit} of {total} files" if hit < total else count(hit, "file")
    unsafe = f" ({numbers['unsafe']} unsafe)" if numbers["unsafe"] else ""
    fixable = f" {numbers['fixable']} fixable{unsafe}." if numbers["fixable"] else ""
    return f"Found {counts(numbers)} in {where}.", fixable + more


def scene(error: InternalError) -> str:
    """What failed, and on which file if it was on one."""
    return f"{error.where} on {error.path}" if error.path else error.where


def by_file(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings of each file, files and findings in the order of the report."""
    files: dict[str, list[Finding]] = {}
    for finding in findings:
        files.setdefault(finding.at.source.path, []).append(finding)
    return files


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity; findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def gaps(report: Report) -> Iterator[str]:
    """Sentences on the rules that could not be decided, by the fact that was missing.

    What an option would decide, one by one; what no option can say, in one breath.
    """
    missing: dict[str, dict[str, None]] = {}
    for gap in report.not_evaluated:
        for fact in gap.missing or ("",):
            missing.setdefault(fact, {})[gap.rule] = None
    beyond: dict[str, list[str]] = {}
    for fact, rules in sorted(missing.items(), key=lambda item: -len(item[1])):
        if _option(fact):
            yield _gap(fact, list(rules))
        else:
            beyond[fact] = list(rules)
    if len(beyond) == 1:
        yield from (_gap(fact, rules) for fact, rules in beyond.items())
    elif beyond:
        number = len({rule for rules in beyond.values() for rule in rules})
        names = ", ".join(list(beyond)[:MOST_FACTS]) + (" and more" if len(beyond) > MOST_FACTS else "")
        were = "was" if number == 1 else "were"
        yield f"{count(number, 'rule')} {were} not evaluated because these are unknown: {visible(names)}"


def _option(fact: str) -> str:
    return OPTIONS.get(fact) or ("--define" if fact.startswith("$") else "")


def _gap(fact: str, rules: list[str]) -> str:
    shown = rules if len(rules) <= MOST_RULES + 1 else rules[:MOST_RULES]
    names = ", ".join(shown) + (f" and {len(rules) - len(shown)} more" if len(rules) > len(shown) else "")
    reason = f" because {visible(fact)} is unknown" if fact else ""
    option = _option(fact)
    advice = f" (say it with {option})" if option else ""
    return f"{count(len(rules), 'rule')} {'was' if len(rules) == 1 else 'were'} not evaluated{reason}{advice}: {names}"
