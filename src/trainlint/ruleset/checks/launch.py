"""What is wrong with a launch as such."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.checks.document import problems
from trainlint.ruleset.file import Rule

PLACEHOLDER = re.compile(
    r"^/?(path|your|to)(/|_)(to|your|path|model|data|hf|dir)|path[/_]to[/_]|^<[^>]*>$|your[-_](model|data|path|dataset|output|project)"
    r"|^/?PATH|^x{3,}$|^(YOUR|your)_",
)


def placeholders(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One note for a file: the values that are still those of a template. A template of a whole file is its own note."""
    yield from problems(rule, document, launches)
    found = {problem.at.text: problem.at for problem in document.problems if problem.kind == rule.id}
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
