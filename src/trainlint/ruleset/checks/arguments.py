"""Arguments that the framework's own parser would reject, drop or read twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainlint.document import Document
from trainlint.facts import ArgumentIssue, Launch, Run
from trainlint.findings import Confidence, Finding, Fix, Related
from trainlint.fixer import remove
from trainlint.ruleset.file import Rule
from trainlint.text import Edit


def issues(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The issues whose kind the rule's limits name: its first case where they are certain, its last where they are not."""
    for launch in launches:
        every = [_all(run) for run in launch]
        wanted = [issue for issue in every[0] if issue.kind in rule.limits["kinds"]]
        for issue in _gathered([issue for issue in wanted if all(issue in others for others in every[1:])]):
            case = rule.cases[0 if issue.certain else -1]
            related = tuple(Related(text, at) for text, at in issue.related)
            fix = _fix(rule, launch.first, issue)
            confidence: Confidence = "high" if issue.certain else "medium"
            yield Finding(
                rule.id,
                case.severity,
                confidence,
                issue.message,
                issue.at,
                issue.advice,
                related,
                fix,
                rule.why,
                issue.name,
            )


def _fix(rule: Rule, run: Run, issue: ArgumentIssue) -> Fix | None:
    if issue.replacement is not None:
        return Fix(issue.advice, (Edit(issue.at, issue.replacement),), rule.safe)
    if issue.superseded is None:
        return None
    edits = remove(run, issue.superseded)
    shown = f"{issue.superseded.key.text} {issue.superseded.at.text}"
    return Fix(f"remove {shown}, which has no effect", edits, rule.safe) if edits else None


def _gathered(issues: list[ArgumentIssue]) -> list[ArgumentIssue]:
    """Names that no known version has are one finding for the file: most often the framework is newer than the tables."""
    guessed = [issue for issue in issues if issue.kind == "unknown" and not issue.certain and issue.replacement is None]
    if len(guessed) < 2:
        return issues
    first, rest = guessed[0], guessed[1:]
    named = ", ".join(issue.name for issue in rest)
    message = f"{first.message}, nor of {named}"
    related = tuple((issue.name, issue.at) for issue in rest)
    together = replace(first, message=message, related=related)
    return [together if issue is first else issue for issue in issues if issue not in rest]


def _all(run: Run) -> list[ArgumentIssue]:
    return [issue for arguments in (run.arguments, *run.linked.values()) for issue in arguments.issues]
