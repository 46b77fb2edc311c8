"""Arguments that only some versions of the framework have."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import Argument, Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule


def gone(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One finding for all launches: what the stated version lacks (first case), what newer ones have dropped (last case)."""
    lacking: dict[str, tuple[Argument, str]] = {}
    dropped: dict[str, tuple[Argument, str]] = {}
    for launch in launches:
        schema = launch.first.context.get("schema", {})
        for name, argument in launch.first.arguments.given.items():
            spec = schema.get(name)
            if spec is None:
                continue
            target = schema.target(spec)
            if target is None and spec.gone:
                dropped.setdefault(name, (argument, f"{argument.key.text} ({spec.span})"))
            elif target is not None and spec.at(target) is None:
                lacking.setdefault(name, (argument, f"{argument.key.text} ({spec.span}, not {target})"))
    for case, found, said in (
        (rule.cases[0], lacking, "the stated version does not have"),
        (rule.cases[-1], dropped, "newer versions no longer have"),
    ):
        if found:
            (first, _), *others = found.values()
            message = f"{said} {', '.join(text for _, text in found.values())}"
            related = tuple(Related(text, argument.key) for argument, text in others)
            at, name, advice = first.key, first.name, case.advice.source
            yield Finding(rule.id, case.severity, "high", message, at, advice, related, None, rule.why, name)
