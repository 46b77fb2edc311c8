"""Arguments that the framework's own parser would reject, drop or read twice."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import ArgumentIssue, Launch, Run
from trainlint.findings import Confidence, Finding, Fix, Related
from trainlint.ruleset.file import Rule
from trainlint.text import Edit


def issues(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The issues whose kind the rule's limits name: its first case where they are certain, its last where they are not."""
    for launch in launches:
        every = [_all(run) for run in launch]
        for issue in every[0]:
            if issue.kind not in rule.limits["kinds"] or not all(issue in others for others in every[1:]):
                continue
            case = rule.cases[0 if issue.certain else -1]
            related = tuple(Related(text, at) for text, at in issue.related)
            fix = None
            if issue.replacement is not None:
                fix = Fix(issue.advice, (Edit(issue.at, issue.replacement),))
            confidence: Confidence = "high" if issue.certain else "medium"
            yield Finding(
                rule.id, case.severity, confidence, issue.message, issue.at, issue.advice, related, fix, rule.why
            )


def _all(run: Run) -> list[ArgumentIssue]:
    return [issue for arguments in (run.arguments, *run.linked.values()) for issue in arguments.issues]
