"""What is wrong with a file as such: the readers find it, the rule's page says how bad it is."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding, Fix, Related
from trainlint.ruleset.file import Rule
from trainlint.text import Edit, Location


def problems(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The problems of the rule's own id; with the limit `runs_only`, only of files that describe a run."""
    if rule.limits.get("runs_only") and not launches:
        return
    for problem in document.problems:
        if problem.kind != rule.id:
            continue
        case = rule.cases[0]
        fix = None
        if problem.edits:
            edits = tuple(Edit(Location(document.source, span), text) for span, text in problem.edits)
            fix = Fix("repair it", edits, rule.safe)
        related = tuple(Related(text, at) for text, at in problem.related)
        advice = case.advice.source
        # a key that stands twice is an argument; a bracket or a comment is none
        text = problem.at.text.strip("\"'")
        name = text if text.isidentifier() else ""
        yield Finding(rule.id, case.severity, "high", problem.message, problem.at, advice, related, fix, rule.why, name)
