"""What no expression can say: named functions over the document and its launches. A rule page names its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from trainlint import plugins
from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.ruleset.checks import arguments, deepspeed, document, launch, versions
from trainlint.ruleset.file import Rule

Check = Callable[[Rule, Document, list[Launch]], Iterator[Finding]]


def _elsewhere(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Suppressions can be judged only after everything else: `suppress.apply` finds what is wrong with them."""
    return iter(())


CHECKS: dict[str, Check] = {
    "arguments.issues": arguments.issues,
    "arguments.versions": versions.gone,
    "deepspeed.disagreements": deepspeed.disagreements,
    "document.problems": document.problems,
    "launch.placeholders": launch.placeholders,
    "suppressions": _elsewhere,
}


def checks() -> Mapping[str, Check]:
    """The checks that a page may name: trainlint's own and those of installed plugins."""
    return {**CHECKS, **plugins.offered("checks", CHECKS)}
