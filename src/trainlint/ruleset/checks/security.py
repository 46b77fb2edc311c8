"""What should not stand in a file that others read."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule
from trainlint.secrets import secrets
from trainlint.text import Location, Span


def literal_secrets(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One finding for a file that describes a run; the secret itself is not repeated."""
    if not launches:
        return
    found = sorted(secrets(document.source.text), key=lambda secret: secret[1])
    if not found:
        return
    places = [(what, Location(document.source, Span(start, start))) for what, start, _ in found]
    (what, at), *others = places
    case = rule.cases[0]
    message = f"{what} is written into the file" + (f", and {len(others)} more of its kind" if others else "")
    related = tuple(Related(other, place) for other, place in others[:8])
    yield Finding(rule.id, case.severity, "high", message, at, case.advice.source, related, None, rule.why)
