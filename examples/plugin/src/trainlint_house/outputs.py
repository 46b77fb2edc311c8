"""A check that no expression can say: it compares the runs of a file with each other."""

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule


def shared(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Runs that write into the directory of an earlier one. The rule's page says how bad that is and what to do."""
    first: dict[str, Launch] = {}
    case = rule.cases[0]
    for launch in launches:
        fact = launch.fact("output_dir")
        if not fact.known or fact.value is None:
            continue
        earlier = first.setdefault(fact.value, launch)
        if earlier is not launch:
            message = f"{fact.value} is the output directory of an earlier run of this file, too"
            at = fact.location or launch.at
            related = (Related("the earlier run", earlier.fact("output_dir").location or earlier.at),)
            yield Finding(
                rule.id, case.severity, "high", message, at, case.advice.source, related, None, rule.why, "output_dir"
            )
