"""The other side: the launch as it would be after the fixes of its findings, and exactly what was changed for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trainlint.document import Origin
from trainlint.facts import Fact, Launch, Run, Unknown, View
from trainlint.findings import Finding
from trainlint.linter import Linter
from trainlint.ruleset.expressions import RuleError
from trainlint.ruleset.file import Case, Rule
from trainlint.text import Edit, SourceText, apply


@dataclass(frozen=True)
class Change:
    """One fix that was applied. `facts` holds what it sets where no edit of the file could be found for it."""

    rule: str
    title: str
    edits: tuple[Edit, ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()


def changes(linter: Linter, source: SourceText, launch: Launch, findings: Iterable[Finding]) -> list[Change]:
    """The fixes of the findings in this source, in the order of the findings; of two that touch the same place the first."""
    found: list[Change] = []
    taken: list[Edit] = []
    for finding in findings:
        if finding.at.source.path != source.path:
            continue
        if finding.fix is None:
            found += _advised(linter.rules.get(finding.rule), launch.first, finding)
            continue
        edits = finding.fix.edits
        if any(
            edit.at.source.path != source.path or _clash(edit, other) for edit in edits for other in taken or [edit]
        ):
            continue
        taken += edits
        found.append(Change(finding.rule, finding.fix.title, edits))
    return found


def changed(linter: Linter, source: SourceText, index: int, wanted: Iterable[Change]) -> Launch | None:
    """The launch at this index after the changes, read again from the edited text; None if it is no launch any more."""
    wanted = list(wanted)
    edits = [(edit.at.span, edit.text) for change in wanted for edit in change.edits]
    _, launches = linter.read(replace(source, text=apply(source.text, edits)))
    if index >= len(launches):
        return None
    launch = launches[index]
    for name, value in (fact for change in wanted for fact in change.facts):
        for run in launch:
            run.stated = {**run.stated, name: Fact(name, value, "known", Origin("option", "the rule's advice"))}
    return launch


def _clash(edit: Edit, other: Edit) -> bool:
    """Do two edits replace the same text? Insertions at one place follow each other."""
    if edit is other or not edit.at.span.end > edit.at.span.start:
        return False
    return edit.at.span.start < other.at.span.end and other.at.span.start < edit.at.span.end


def _advised(rule: Rule | None, run: Run, finding: Finding) -> list[Change]:
    """The values that a rule's fix would set, where the file has no one place to write them."""
    for case in rule.cases if rule is not None else ():
        scope = _Scope(run, case, rule.limits if rule is not None else {})
        try:
            if not case.fix or case.message.render(scope) != finding.message:
                continue
            facts = {name: _value(template.render(scope)) for name, template in case.fix.items()}
        except (RuleError, Unknown, ArithmeticError, TypeError, ValueError):
            continue
        if any(value is None for value in facts.values()):
            continue
        said = " and ".join(f"{run.spell(name)} to {value:g}" for name, value in facts.items())
        return [
            Change(finding.rule, f"set {said} (advised; the file has no one place for it)", (), tuple(facts.items()))
        ]
    return []


def _value(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and "." not in text and "e" not in text else number


class _Scope:
    """The names that a rule's templates see."""

    def __init__(self, run: Run, case: Case, limits: Mapping[str, Any]) -> None:
        self.view, self._case, self._limits = View(run), case, limits

    def lookup(self, name: str) -> Any:
        if name in self._case.let:
            return self._case.let[name].evaluate(self)
        return self._limits[name] if name in self._limits else getattr(self.view, name)

    def attribute(self, base: str, name: str) -> Any:
        if base == "key":
            return self.view.run.spell(name)
        if base == "known":
            return self.view.run.fact(name).known
        return self.view.given(name) if base == "given" else self.view.arg(name)
