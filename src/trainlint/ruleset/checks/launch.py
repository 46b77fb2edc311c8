"""What is wrong with a launch as such."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import PLACEHOLDER, Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.checks.document import problems
from trainlint.ruleset.file import Rule
from trainlint.text import Location


def placeholders(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One note for a file: the values that are still those of a template. A template of a whole file is its own note."""
    for finding in problems(rule, document, launches):
        yield finding
        return
    found: dict[str, Location] = {}
    for launch in launches:
        for argument in launch.first.arguments.given.values():
            value = argument.value
            if isinstance(value, str) and argument.unknown is None and PLACEHOLDER.search(value):
                found.setdefault(value, argument.origin.literal or argument.at)
    if not found:
        return
    case = rule.cases[0]
    (first, at), *rest = found.items()
    more = f" and {len(rest)} more" if rest else ""
    message = f"{first}{more} still to be filled in: what depends on the real value was not judged"
    related = tuple(Related(value, place) for value, place in rest[:8])
    yield Finding(rule.id, case.severity, "high", message, at, case.advice.source, related, None, rule.why)
