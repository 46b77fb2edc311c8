"""Arguments that only some versions of the framework have."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.dialects.tables import Schema, Spec
from trainlint.document import Document
from trainlint.facts import Argument, Launch, Run
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule

SHOWN = 6


def _known(run: Run, schema: Schema) -> Iterator[tuple[Argument, Spec]]:
    """What is said that some table has: in the run's own arguments, and in those linked to it that have a table of theirs."""
    tables = {
        role: (run.linked[role], own)
        for role, own in run.context.get("linked_schemas", {}).items()
        if role in run.linked
    }
    for arguments, own in ((run.arguments, schema), *tables.values()):
        yield from ((argument, own[name]) for name, argument in arguments.given.items() if name in own)


def gone(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One finding a case for all launches: what the stated version lacks or calls deprecated, what newer ones have dropped."""
    lacking: dict[str, tuple[Argument, str]] = {}
    ageing: dict[str, tuple[Argument, str]] = {}
    dropped: dict[str, tuple[Argument, str]] = {}
    for launch in launches:
        schema = launch.first.context.get("schema")
        if not schema:
            continue
        own = schema.package
        unpinned = launch.first.dialect in rule.limits["unpinned"]
        known = [*_known(launch.first, schema)]
        old = []
        for argument, spec in known:
            target, shown = schema.target(spec), spec.shown or argument.key.text
            edition = spec.at(target) if target is not None else None
            if target is None and spec.gone and (unpinned or spec.package == own):
                old.append((argument, f"{shown} ({spec.span})"))
            elif target is not None and edition is None:
                pin = launch.first.context.get("pinned", {}).get(spec.package)
                by = f", which {pin.where} pins" if pin is not None else ""
                lacking.setdefault(argument.name, (argument, f"{shown} ({spec.span}, not {target}{by})"))
            elif edition is not None and edition.deprecated is not None:
                ageing.setdefault(argument.name, (argument, f"{shown} ({edition.deprecated})"))
        # where most are gone it is the whole script that is: who runs it has the version that it belongs to
        if len(old) * 2 <= len(known):
            dropped.update((argument.name, (argument, text)) for argument, text in old if argument.name not in dropped)
    for case, found, said in (
        (rule.cases[0], lacking, "the stated version does not have"),
        (rule.cases[1], ageing, "the stated version is about to drop"),
        (rule.cases[-1], dropped, "newer versions no longer have"),
    ):
        if found:
            (first, _), *others = found.values()
            texts = [text for _, text in found.values()]
            more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
            message = f"{said} {', '.join(texts[:SHOWN])}{more}"
            related = tuple(Related(text, argument.key) for argument, text in others)
            at, name, advice = first.key, first.name, case.advice.source
            yield Finding(rule.id, case.severity, "high", message, at, advice, related, None, rule.why, name)
