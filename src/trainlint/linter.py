"""The whole pipeline: a text is read, its runs are worked out, the rules judge them, and what they say is put in order."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from trainlint import dialects, readers, suppress
from trainlint.derive import DERIVATIONS
from trainlint.dialects.base import Context
from trainlint.document import Document
from trainlint.facts import Launch, Run
from trainlint.findings import (
    ALSO,
    CONFIDENCES,
    FOLLOWS,
    SEVERITIES,
    Finding,
    InternalError,
    NotEvaluated,
    Related,
    Report,
)
from trainlint.links import Files
from trainlint.pins import Pins
from trainlint.ruleset import catalogue
from trainlint.ruleset.checks import checks
from trainlint.ruleset.evaluate import Limits, judge
from trainlint.ruleset.file import Rule
from trainlint.ruleset.order import rank
from trainlint.selection import selected
from trainlint.settings import Settings
from trainlint.text import Location, SourceText, Span


@dataclass
class Linter:
    """Lints sources under the same settings one after the other; files that several of them name are read once."""

    settings: Settings = field(default_factory=Settings)
    suppressions: bool = True
    """False: what comments and the configuration would hide is reported all the same."""

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """All rules by id, the selected and the others. Raises `RuleError` at the first use for a page that cannot be used."""
        return catalogue(self.settings.rules)

    @property
    def linked(self) -> list[Path]:
        """The files that the linted ones name and that were read with them."""
        return [*self._context.files.read, *self._context.scripts.read, *self._pins.read]

    @cached_property
    def _pins(self) -> Pins:
        return Pins()

    @cached_property
    def _context(self) -> Context:
        return Context(Files(self._parse, self.settings.data), self.settings.stated, self.settings.targets)

    def _parse(self, source: SourceText) -> Document:
        return readers.read(source, caller=self.settings.caller)

    def read(self, source: SourceText) -> tuple[Document, list[Launch]]:
        """The document and the runs it describes. Raises ValueError for a text of no format that can be told."""
        document = self._parse(source)
        self._context.files.begin(document)
        launches = dialects.read(document, self._context.beside(source, self._pins))
        for launch in launches:
            for run in launch:
                run.derivations = {**DERIVATIONS, **run.derivations}
                _excuse(run, document)
        return document, launches

    def lint(self, source: SourceText, report: Report) -> list[Launch]:
        """Add what is to be said of one source to the report."""
        try:
            document, launches = self.read(source)
        except Exception:
            report.internal_errors.append(_internal(source.path, "reading"))
            return []
        self.judge(document, launches, report)
        return launches

    def judge(self, document: Document, launches: list[Launch], report: Report) -> None:
        """Add what is to be said of a document and the runs it describes."""
        source = document.source
        found: list[Finding] = []
        undecided: list[NotEvaluated] = []
        chosen = selected(self.rules, self.settings, source.file or Path(source.path))
        failed: set[str] = set()
        for rule in self.rules.values():
            if rule.id in chosen:
                try:
                    self._judge(rule, document, launches, found, undecided)
                except Exception:
                    report.internal_errors.append(_internal(source.path, rule.id))
                    failed.add(rule.id)
        settled = [_on_disk(finding) for finding in _settle(found)]
        silenced = {finding.rule for finding in found} - {finding.rule for finding in settled}
        judged = chosen - failed - silenced - {gap.rule for gap in undecided}
        # each launch has its own suppressions, so what they share is told in one only after them
        sorted_out = suppress.apply(
            document,
            settled,
            self.rules,
            judged={id for id in judged if launches or self.rules[id].check is not None},
            ignores=self.settings.ignores,
            require_reason=self.settings.require_reason,
            enabled=self.suppressions,
        )
        own = [finding for finding in sorted_out.extra if finding.rule in chosen]
        part = all(run.part for launch in launches for run in launch)  # of which most rules have nothing to judge
        _add(report, self._as_set([*self._merged(sorted_out.kept, launches), *own]), [] if part else undecided)
        report.suppressed += sorted_out.suppressed

    def findings(self, source: SourceText) -> list[Finding]:
        """What is to be said of one text alone. A rule that raises is a finding here: no fix may hide one by breaking it."""
        report = Report()
        self.lint(source, report)
        start = Location(source, Span(0, 0))
        broken = [f"{error.where}: {error.message}" for error in report.internal_errors]
        return report.findings + [Finding("internal-error", "error", "high", said, start, "") for said in broken]

    def hold(self, source: SourceText) -> None:
        """Let a text stand for its file wherever another file names it."""
        self._context.files.hold(source)

    def _judge(
        self,
        rule: Rule,
        document: Document,
        launches: list[Launch],
        found: list[Finding],
        undecided: list[NotEvaluated],
    ) -> None:
        limits = Limits(self.settings.profile, self.settings.limits)
        if rule.check is not None:
            found += checks()[rule.check](replace(rule, limits=limits.of(rule)), document, launches)
            return
        verdicts = [judge(rule, launch, limits) for launch in launches]
        found += [verdict for verdict in verdicts if isinstance(verdict, Finding)]
        undecided += [verdict for verdict in verdicts if isinstance(verdict, NotEvaluated)]

    def _merged(self, findings: list[Finding], launches: list[Launch]) -> list[Finding]:
        """A check looks at all launches together; other rules judge each by itself. Both say the same of a loop's every turn."""
        checked = [f for f in findings if f.rule in self.rules and self.rules[f.rule].check is not None]
        once = {(f.rule, f.at, f.message): f for f in reversed(checked)}
        return [*reversed(once.values()), *_merge([f for f in findings if f not in checked], len(launches))]

    def _as_set(self, findings: list[Finding]) -> list[Finding]:
        """The findings with the severities that the user gave to rules, and only those that are sure enough."""
        least = CONFIDENCES.index(self.settings.min_confidence)
        return [
            replace(finding, severity=self.settings.severity.get(finding.rule, finding.severity))
            for finding in findings
            if CONFIDENCES.index(finding.confidence) <= least
        ]


def lint(sources: Iterable[SourceText], settings: Settings) -> Report:
    """Lint sources into one report."""
    linter = Linter(settings)
    report = Report(rules=[rule.info() for rule in linter.rules.values()])
    for source in sources:
        report.files.append(source.path)
        linter.lint(source, report)
    return report


def _excuse(run: Run, document: Document) -> None:
    """A broken continuation is told once: what follows from the flags it swallowed is no finding of its own."""
    started = run.context.get("started")
    if started is None:
        return
    span = started.command.span
    for problem in document.problems:
        at = problem.at.span
        end = document.source.line_span(problem.at.end.line).end  # what stands behind the backslash is part of it
        if problem.kind == "launch/broken-continuation" and span.start <= at.start <= span.end:
            run.arguments.open = "the flags below the broken continuation are lost"
            run.arguments.issues = [
                issue for issue in run.arguments.issues if issue.at.span.end <= at.start or issue.at.span.start > end
            ]


def _on_disk(finding: Finding) -> Finding:
    """A finding in a text that the script writes points into the script, and no fix edits such a text."""
    related = tuple(replace(place, at=place.at.on_disk) for place in finding.related)
    edits = finding.fix.edits if finding.fix is not None else ()
    fix = None if any(edit.at.source.place is not None for edit in edits) else finding.fix
    return replace(finding, at=finding.at.on_disk, related=related, fix=fix)


def _internal(path: str, where: str) -> InternalError:
    last = traceback.format_exc().strip().splitlines()[-1]
    return InternalError(path, where, last)


def _merge(findings: list[Finding], runs: int) -> list[Finding]:
    """Several runs of one file share a finding: the same rule with the same words is said once."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.message), []).append(finding)
    merged = []
    for group in groups.values():
        first, *others = group
        if others:
            places = {other.at: Related(ALSO, other.at) for other in others if other.at != first.at}
            message = f"{first.message} (in {len(group)} of {runs} runs)"
            first = replace(first, message=message, related=(*first.related, *places.values()), fix=None)
        merged.append(first)
    return merged


def _settle(findings: list[Finding]) -> list[Finding]:
    """Drop what another finding of the same file supersedes, and tell what follows from one below it."""
    silenced = {other for finding in findings for other in finding.supersedes}
    kept = [finding for finding in findings if finding.rule not in silenced]
    following = {other for finding in kept for other in finding.consequences}
    return [_with_consequences(finding, kept) for finding in kept if finding.rule not in following]


def _with_consequences(finding: Finding, others: list[Finding]) -> Finding:
    following = [Related(FOLLOWS + other.message, other.at) for other in others if other.rule in finding.consequences]
    return replace(finding, related=(*finding.related, *following))


def _add(report: Report, findings: list[Finding], undecided: list[NotEvaluated]) -> None:
    """Worst first, then what saves most, then by place; what an earlier file's launch reached already is not repeated."""
    seen = {(finding.rule, finding.at.source.path, finding.at.span) for finding in report.findings}
    fresh = [f for f in findings if (f.rule, f.at.source.path, f.at.span) not in seen]
    fresh.sort(key=lambda f: (SEVERITIES.index(f.severity), rank(f.rule), f.at.source.path, f.at.span.start, f.rule))
    report.findings += fresh
    fired = {finding.rule for finding in findings}
    report.not_evaluated += [verdict for verdict in dict.fromkeys(undecided) if verdict.rule not in fired]
