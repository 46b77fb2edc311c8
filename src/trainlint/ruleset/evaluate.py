"""Judging the runs of a file by the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainlint.derive.vocabulary import NUMBERS
from trainlint.facts import Fact, Launch, Run, Unknown, View
from trainlint.findings import Finding, Fix, NotEvaluated, Related, Severity
from trainlint.fixer import change
from trainlint.ruleset.expressions import RuleError, tidy
from trainlint.ruleset.file import Case, Rule
from trainlint.text import Edit, Location

Profile = Literal["default", "strict"]
MAX_RELATED = 8
PLAIN = re.compile(r"(?!-(?![\d.]))[\w.+/-]{1,100}", re.ASCII)
"""What a fix may put into a file: a number or a word, which says the same to a shell and in YAML or JSON."""


@dataclass(frozen=True)
class Limits:
    """Which thresholds hold: the profile, and what the user put over a rule's own, by rule id."""

    profile: Profile = "default"
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, rule: Rule) -> dict[str, Any]:
        strict = rule.strict if self.profile == "strict" else {}
        return {**rule.limits, **strict, **self.overrides.get(rule.id, {})}


class _Scope:
    """The names that an expression of one case sees: let, limits, facts. Caches let values; the view records the facts."""

    def __init__(self, run: Run, case: Case, limits: Mapping[str, Any]) -> None:
        self.view = View(run)
        self._case, self._limits = case, limits
        self._let: dict[str, Any] = {}

    def lookup(self, name: str) -> Any:
        if name in self._case.let:
            if name not in self._let:
                try:
                    self._let[name] = self._case.let[name].evaluate(self)
                except Unknown as unknown:
                    self._let[name] = unknown  # else `a or a` of `b or b` of … would be worked out anew each time
            if isinstance(self._let[name], Unknown):
                raise self._let[name]
            return self._let[name]
        if name in self._limits:
            return self._limits[name]
        value = getattr(self.view, name)
        if name in NUMBERS and value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Unknown(f"{value!r} is no number", name)
        return value

    def attribute(self, base: str, name: str) -> Any:
        if base == "key":
            return self.view.run.spell(name)
        if base == "known":
            return self.view.run.fact(name).known
        if base == "written":
            return self.view.written(name)
        return self.view.given(name) if base == "given" else self.view.arg(name)


@dataclass(frozen=True)
class _Verdict:
    case: Case
    scope: _Scope


def judge(rule: Rule, launch: Launch, limits: Limits) -> Finding | NotEvaluated | None:
    """One rule on one launch. It fires only if it fires for every way the branches before the launch may go."""
    if rule.strict_only and limits.profile != "strict":
        return None
    verdicts: list[_Verdict] = []
    missing: list[str] = []
    for run in launch:
        verdict = _judge_run(rule, run, limits.of(rule))
        if verdict is None:
            return None
        if isinstance(verdict, Unknown):
            missing.append(verdict.name)
        else:
            verdicts.append(verdict)
    if missing:
        return NotEvaluated(rule.id, launch.at.source.path, tuple(dict.fromkeys(missing)))
    mildest = max(verdicts, key=lambda verdict: rule.cases.index(verdict.case))
    return _finding(rule, mildest, limits.profile)


def fixed_facts(rule: Rule, run: Run, limits: Limits) -> dict[str, str]:
    """What the rule's fix would set in a run, fact by fact, whether or not a file has a place for it; empty if it is silent."""
    verdict = _judge_run(rule, run, limits.of(rule))
    if not isinstance(verdict, _Verdict):
        return {}
    return {fact: template.render(verdict.scope) for fact, template in verdict.case.fix.items()}


def _judge_run(rule: Rule, run: Run, limits: Mapping[str, Any]) -> _Verdict | Unknown | None:
    unknown: Unknown | None = None
    for case in rule.cases:
        if case.dialects and run.dialect not in case.dialects:
            continue
        scope = _Scope(run, case, limits)
        missing = _applies(rule, scope)
        if missing is False:
            return None
        try:
            fires = bool(case.when.evaluate(scope))
        except Unknown as error:
            unknown = unknown or error
            continue
        except RuleError:
            if missing is None:
                raise
            unknown = unknown or missing
            continue
        if fires and missing is None:
            return _Verdict(case, scope)
        if fires:
            unknown = unknown or missing
    return unknown


def _applies(rule: Rule, scope: _Scope) -> Unknown | Literal[False] | None:
    """None: the rule applies; False: it does not; an `Unknown`: nobody can tell."""
    missing: Unknown | None = None
    for name, values in rule.applies.items():
        try:
            if scope.lookup(name) not in values:
                return False
        except Unknown as error:
            missing = missing or error
    return missing


def _finding(rule: Rule, verdict: _Verdict, profile: Profile) -> Finding:
    case, scope = verdict.case, verdict.scope
    run = scope.view.run
    severity: Severity = case.strict_severity if profile == "strict" else case.severity
    message = case.message.render(scope)
    advice = case.advice.render(scope)
    argument, at = _place(run, case.at)
    return Finding(
        rule.id,
        severity,
        scope.view.confidence,
        message,
        at,
        advice,
        tuple(_evidence(run, scope.view, rule, at)),
        _fix(rule, case, scope),
        rule.why,
        argument,
        case.supersedes,
        case.consequences,
    )


def _place(run: Run, names: tuple[str, ...]) -> tuple[str, Location]:
    """The first of the facts that stands in a file, and where; without a name where only the launch can be shown."""
    for name in names:
        own = name.startswith("args.")
        fact = run.argument(name[5:]) if own else run.fact(name)
        if (fact.known or own) and fact.location is not None:
            return name.removeprefix("args."), fact.location
    return "", run.at


def _evidence(run: Run, view: View, rule: Rule, at: Location) -> list[Related]:
    """The stated values that decided, each where it stands; what no file says (a default, an option) stands at the launch."""
    leaves: dict[str, Fact] = {}
    for name, fact in view.read.items():
        if name not in rule.applies:
            for leaf in _leaves(fact):
                if leaf.name not in rule.applies:
                    leaves.setdefault(leaf.name.removeprefix("args."), leaf)
    related = []
    for name, leaf in leaves.items():
        place = leaf.location
        if place == at:
            continue
        text = f"{name} = {_said(leaf)}"
        related.append(Related(text, place or run.at))
    return related[:MAX_RELATED]


def _leaves(fact: Fact) -> list[Fact]:
    if not fact.reads or fact.note or fact.origin.literal is not None:
        return [fact]
    return [leaf for read in fact.reads for leaf in _leaves(read)]


def _said(fact: Fact) -> str:
    value = ", ".join(map(_named, fact.value)) or "none" if isinstance(fact.value, list) else fact.value
    value = "not set" if value is None else value
    shown = tidy(f"{value:g}") if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
    if fact.origin.kind in ("framework-default", "option"):
        return f"{shown} ({fact.origin.text})"
    return f"{shown} ({fact.note})" if fact.note else shown


def _named(item: Any) -> str:
    """An element of a list; of a block of settings (axolotl's data sets) its first one, which names it."""
    return str(next(iter(item.values()), "")) if isinstance(item, dict) else str(item)


def _fix(rule: Rule, case: Case, scope: _Scope) -> Fix | None:
    run = scope.view.run
    edits: list[Edit] = []
    titles = []
    for fact, template in case.fix.items():
        text = template.render(scope)
        edit = change(run, fact, text)
        if edit is None or not PLAIN.fullmatch(text):
            return None
        edits.append(edit)
        titles.append(f"set {run.spell(fact)} to {text}")
    reads = _names(scope.view.read.values())
    return Fix(" and ".join(titles), tuple(edits), rule.safe, frozenset(case.fix), reads) if edits else None


def _names(facts: Iterable[Fact]) -> frozenset[str]:
    """The facts and all that they were derived from, by name."""
    names: set[str] = set()
    for fact in facts:
        names |= {fact.name, *_names(fact.reads)}
    return frozenset(names)
