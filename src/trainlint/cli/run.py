"""Linting what a command line asks for: find the files, read, fix and judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlint.cli import options
from trainlint.effective import Configuration
from trainlint.findings import Finding, InternalError, Report, Skipped
from trainlint.readers import UnknownFormat
from trainlint.text import Location, SourceText, Span

if TYPE_CHECKING:
    from trainlint.cli.fixing import Fixing
    from trainlint.document import Document
    from trainlint.facts import Launch
    from trainlint.linter import Linter
    from trainlint.settings import Settings

NOTHING = "no training run was recognised in it"
UNTOLD = "neither its name nor its content tells the format"


@dataclass(frozen=True)
class Request:
    """What the command line asks for, besides the configuration."""

    paths: tuple[str, ...]
    stdin_filename: str | None
    walk: dict[str, bool]
    fixing: Fixing
    suppressions: bool
    show_files: bool
    quiet: bool


@dataclass
class Outcome:
    """A finished run: the report, and the settings that say whether it fails."""

    report: Report
    configuration: Configuration
    documents: list[tuple[SourceText, Document]] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    seen: list[Path] = field(default_factory=list)
    """What was looked at, linked files included: what --watch watches."""

    @property
    def fails(self) -> bool:
        return any(self.configuration.of(f.at.source).fails(f.severity) for f in self.report.findings)


def run(request: Request, configuration: Configuration) -> Outcome:
    """Find the files, lint them, fix them where that is asked for, and lint what came of it."""
    from trainlint import plugins
    from trainlint.cli.progress import progress

    linter = linters(request.suppressions)
    found = options.find(request.paths, request.stdin_filename, configuration, **request.walk)
    report = Report(examined=found.examined)
    outcome = Outcome(report, configuration)
    if request.show_files:
        report.skipped += found.skipped
    for source, unreadable in found.unreadable:
        report.files.append(source.path)
        report.findings.append(_unreadable(source, unreadable.reason, unreadable.line, unreadable.column))
    infos = {}
    for source, explicit in progress(found.sources, quiet=request.quiet):
        own = linter(configuration.of(source))
        infos.update({rule.id: rule for rule in own.rules.values()})
        source = request.fixing.apply(source, own)
        reason = _lint(own, source, outcome)
        if reason is None or any(finding.at.source is source for finding in report.findings):
            report.files.append(source.path)
        elif explicit or request.show_files:
            report.skipped.append(Skipped(source.path, reason))
        outcome.seen += [*own.linked, *_said_in(own.settings)]
    outcome.seen += [Path(path) for path in request.paths if path != "-"]
    report.rules += [rule.info() for rule in infos.values()]
    report.internal_errors += plugins.errors()
    return outcome


def _lint(linter: Linter, source: SourceText, outcome: Outcome) -> str | None:
    """Add what is to be said of a source to the outcome; the answer is why it is no run."""
    try:
        document, launches = linter.read(source)
    except UnknownFormat:
        return UNTOLD
    except Exception as error:
        outcome.report.internal_errors.append(InternalError(source.path, "reading", f"{type(error).__name__}: {error}"))
        return NOTHING
    linter.judge(document, launches, outcome.report)
    outcome.documents.append((source, document))
    outcome.launches += launches
    outcome.seen += [source.file] if source.file is not None else []
    return None if launches else NOTHING


def _said_in(settings: Settings) -> Iterator[Path]:
    """The files that the settings are made of."""
    yield from (path for path in (settings.source, settings.baseline) if path is not None)
    for directory in settings.rules:
        yield from (directory, *directory.glob("*/*.md"))


def linters(suppressions: bool = True) -> Callable[[Settings], Linter]:
    """A linter for each kind of settings: files under the same settings share one. Raises a click error for unusable rules."""
    from trainlint.linter import Linter
    from trainlint.ruleset.expressions import RuleError

    @cache
    def linter(settings: Settings) -> Linter:
        made = Linter(settings, suppressions)
        try:
            _ = made.rules
        except RuleError as error:
            raise click.UsageError(str(error)) from None
        return made

    return linter


def _unreadable(source: SourceText, reason: str, line: int, column: int) -> Finding:
    start = source.offset(line, column)
    at = Location(source, Span(start, min(start + 1, len(source.text))))
    return Finding("file/unreadable", "error", "high", f"cannot be read: {reason}", at, "pass a text file in UTF-8")


def status(outcome: Outcome, explicit_only: bool) -> int:
    """The exit status of a finished run."""
    report = outcome.report
    if report.internal_errors:
        return 2
    if not report.files and not explicit_only:
        click.echo(f"No training configuration was found in {report.examined} files.", err=True)
        return 3
    return int(outcome.fails)
