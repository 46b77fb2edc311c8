"""The other side: the launch as `--fix --unsafe-fixes` would make it, and with what the rules advise beyond that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from trainlint.document import Origin
from trainlint.facts import Fact, Launch
from trainlint.findings import Finding
from trainlint.fixer.apply import fix, fix_linked
from trainlint.linter import Linter
from trainlint.ruleset.evaluate import Limits, fixed_facts
from trainlint.text import Edit, SourceText, apply


@dataclass(frozen=True)
class Change:
    """One step from A to B. `facts` holds what it sets where no edit of the file could be found for it."""

    rule: str
    title: str
    facts: tuple[tuple[str, Any], ...] = ()


def suggested(linter: Linter, source: SourceText) -> tuple[Launch | None, list[Change]]:
    """The first launch of a source after the fixes of its findings, None if it is no launch any more, and the fixes."""
    fixed = fix(source, linter.findings, _fixable)
    linked = fix_linked(fixed, linter.findings, linter.hold, _fixable)
    try:
        done = [finding for each in (fixed, *linked) for finding in each.applied]
        found = [Change(finding.rule, finding.fix.title) for finding in done if finding.fix is not None]
        asked, launch = _first(linter, fixed.result), _first(linter, fixed.result)  # what was asked cannot be stated
        left = linter.findings(fixed.result)
    finally:
        for other in linked:
            linter.hold(other.source)
    if asked is not None and launch is not None:
        found += [change for finding in left for change in _advised(linter, asked, finding)]
        _state(launch, found)
    return launch, found


def alone(linter: Linter, source: SourceText, changes: Iterable[Change]) -> Iterator[tuple[Change, Launch | None]]:
    """Each change applied to the source by itself, with the launch that it makes; None where only the others make it possible."""
    fixes = {(f.rule, f.fix.title): f.fix.edits for f in linter.findings(source) if f.fix is not None}
    for change in changes:
        edits = fixes.get((change.rule, change.title), ())
        launch = None
        if edits or change.facts:
            with _edited(linter, source, edits) as text:
                launch = _first(linter, text)
        if launch is not None:
            _state(launch, [change])
        yield change, launch


def _first(linter: Linter, source: SourceText) -> Launch | None:
    _, launches = linter.read(source)
    return launches[0] if launches else None


@contextmanager
def _edited(linter: Linter, source: SourceText, edits: Sequence[Edit]) -> Iterator[SourceText]:
    """The source after the edits; files that it names are held as edited meanwhile."""
    linked = {edit.at.source for edit in edits if edit.at.source.path != source.path}

    def after(text: SourceText) -> SourceText:
        own = [(edit.at.span, edit.text) for edit in edits if edit.at.source.path == text.path]
        return replace(text, text=apply(text.text, own))

    try:
        for other in linked:
            linter.hold(after(other))
        yield after(source)
    finally:
        for other in linked:
            linter.hold(other)


def _fixable(finding: Finding) -> bool:
    return finding.fix is not None


def _advised(linter: Linter, launch: Launch, finding: Finding) -> list[Change]:
    """The numbers that a rule's fix would set, where the file has no one place to write them."""
    rule = linter.rules.get(finding.rule)
    if finding.fix is not None or rule is None or rule.check is not None:
        return []
    run = launch.first
    wanted = fixed_facts(rule, run, Limits(linter.settings.profile, linter.settings.limits))
    facts = {name: _number(text) for name, text in wanted.items()}
    if not facts or None in facts.values():
        return []
    said = " and ".join(f"{run.spell(name)} to {wanted[name]}" for name in facts)
    return [Change(rule.id, f"set {said} (advised; --fix finds no one place for it)", tuple(facts.items()))]


def _number(text: str) -> float | int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None


def _state(launch: Launch, changes: Iterable[Change]) -> None:
    for name, value in (fact for change in changes for fact in change.facts):
        for run in launch:
            run.stated = {**run.stated, name: Fact(name, value, "known", Origin("option", "the rule's advice"))}
