"""Arguments that only some versions of the framework have."""

from __future__ import annotations

from collections.abc import Iterator

from trainlint.dialects.tables import Schema, Spec
from trainlint.document import Document
from trainlint.facts import Argument, Launch, Run
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Case, Rule

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
    dropped: dict[str, tuple[Argument, Spec]] = {}
    for launch in launches:
        context = launch.first.context
        schema = context.get("schema")
        if not schema:
            continue
        unpinned = launch.first.dialect in rule.limits["unpinned"]
        known = [*_known(launch.first, schema)]
        old = []
        for argument, spec in known:
            target = schema.target(spec)
            edition = spec.at(target) if target is not None else None
            shown = _shown(argument, spec)
            if target is None and spec.gone and (unpinned or spec.package == schema.package):
                old.append((argument, spec))
            elif target is not None and edition is None:
                pin = context.get("pinned", {}).get(spec.package)
                by = f", which {pin.where} pins" if pin is not None else ""
                lacking.setdefault(argument.name, (argument, f"{shown} ({spec.span}, not {target}{by})"))
            elif edition is not None and edition.deprecated is not None:
                ageing.setdefault(argument.name, (argument, f"{shown} ({edition.deprecated})"))
        # where most are gone it is the whole script that is: who runs it has the version that it belongs to
        if len(old) * 2 <= len(known):
            homes = context.get("homes", ())
            released = ((argument, spec) for argument, spec in old if spec.released and spec.package not in homes)
            dropped.update(
                (argument.name, (argument, spec)) for argument, spec in released if argument.name not in dropped
            )
    for case, found, said in (
        (rule.cases[0], lacking, "the stated version does not have"),
        (rule.cases[1], ageing, "the stated version is about to drop"),
    ):
        if found:
            yield _finding(rule, case, said, [*found.values()], case.advice.source)
    if dropped:
        texts = [
            (argument, f"{_shown(argument, spec)} (gone by {spec.package} {spec.without})")
            for argument, spec in dropped.values()
        ]
        advice = _instead(rule, [*dropped.values()])
        yield _finding(rule, rule.cases[-1], "newer releases no longer have", texts, advice)


def _shown(argument: Argument, spec: Spec) -> str:
    return spec.shown or argument.key.text.strip("\"'")


def _instead(rule: Rule, dropped: list[tuple[Argument, Spec]]) -> str:
    """What takes the place of the arguments, as far as that is known, before what the rule always advises."""
    successors = rule.limits["instead"]
    new = [(spec, argument, successors.get(spec.package, {}).get(argument.name)) for argument, spec in dropped[:SHOWN]]
    written = [f"{name} instead of {_shown(argument, spec)}" for spec, argument, name in new if name is not None]
    rest = rule.cases[-1].advice.source
    return f"write {', '.join(written)}; else {rest}" if written else rest


def _finding(rule: Rule, case: Case, said: str, found: list[tuple[Argument, str]], advice: str) -> Finding:
    (first, _), *others = found
    texts = [text for _, text in found]
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    message = f"{said} {', '.join(texts[:SHOWN])}{more}"
    related = tuple(Related(text, argument.key) for argument, text in others)
    return Finding(rule.id, case.severity, "high", message, first.key, advice, related, None, rule.why, first.name)
