"""What is wrong with a file as such: the readers find it, the rule's page says how bad it is."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document, Problem
from trainlint.facts import Launch
from trainlint.findings import Finding, Fix, Related
from trainlint.ruleset.file import Case, Rule
from trainlint.text import Edit, Location


def problems(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The problems of the rule's own id; with the limit `runs_only`, only of files that describe a run."""
    if rule.limits.get("runs_only") and not launches:
        return
    for problem in document.problems:
        if problem.kind == rule.id:
            yield _finding(rule, problem, document, rule.cases[0])


def duplicate_keys(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Keys that stand twice: an error where the run's own reader refuses them, a note where both values are the same."""
    readers = [run.dialect for launch in launches for run in launch]
    refused = document.format == "yaml" and any(reader in rule.limits["refused_by"] for reader in readers)
    for problem in document.problems:
        if problem.kind == rule.id:
            yield _finding(rule, problem, document, rule.cases[0 if refused else 2 if problem.harmless else 1])


def _finding(rule: Rule, problem: Problem, document: Document, case: Case) -> Finding:
    fix = None
    if problem.edits:
        edits = tuple(Edit(Location(document.source, span), text) for span, text in problem.edits)
        fix = Fix("repair it", edits, rule.safe)
    related = tuple(Related(text, at) for text, at in problem.related)
    message = case.message.source or problem.message
    advice = case.advice.source
    # a key that stands twice is an argument; a bracket or a comment is none
    text = problem.at.text.strip("\"'")
    name = text if text.isidentifier() else ""
    return Finding(rule.id, case.severity, "high", message, problem.at, advice, related, fix, rule.why, name)
