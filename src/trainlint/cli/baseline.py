"""`trainlint baseline`: findings that are known and put off."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainlint.baseline import DEFAULT, Baseline, BaselineError, apply, prune
from trainlint.cli import complete, options
from trainlint.effective import Configuration

if TYPE_CHECKING:
    from trainlint.cli.run import Outcome

CONTEXT = {"help_option_names": ["-h", "--help"]}
FILE = click.option(
    "--baseline", "given", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help=f"The baseline; else that of the configuration, else {DEFAULT}.",
)  # fmt: skip


class Unusable(click.ClickException):
    """A baseline that cannot be used."""

    exit_code = 2


@click.group("baseline", context_settings=CONTEXT)
def command() -> None:
    """Keep findings that are known out of the report, so that only new ones fail.

    A finding is recognised by its rule, file, argument and value, not by its line. A baseline never grows by itself.
    """


@dataclass
class Linted:
    """What a run found, and which rules were selected for each file that it looked at."""

    outcome: Outcome
    file: Path
    judged: dict[str, set[str]] = field(default_factory=dict)
    rules: set[str] = field(default_factory=set)

    def load(self) -> Baseline:
        if not self.file.exists():
            raise Unusable(f"there is no baseline {self.file}; trainlint baseline create writes one")
        return Baseline.load(self.file)

    def pruned(self, baseline: Baseline) -> Baseline:
        return prune(baseline, self.outcome.report, self.judged, self.rules)


def _subcommand(function: Callable[..., None]) -> click.Command:
    """A command that lints PATHs first; `function` gets what was found, and further options of its own."""

    def run(
        paths: tuple[str, ...], given: Path | None, configuration: Configuration, force_exclude: bool, gitignore: bool,
        **own: Any,
    ) -> None:  # fmt: skip
        linted = _lint(paths or (".",), given, configuration, force_exclude=force_exclude, gitignore=gitignore)
        try:
            function(linted, **own)
        except BaselineError as error:
            raise Unusable(str(error)) from None

    run.__doc__ = function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    run = options.configured(options.JUDGING, options.SEARCH, options.WALK)(FILE(run))
    run = click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=complete.files)(run)
    return command.command(function.__name__.strip("_"), context_settings=CONTEXT)(run)


def _lint(paths: tuple[str, ...], given: Path | None, configuration: Configuration, **walk: bool) -> Linted:
    from trainlint.cli.fixing import Fixing
    from trainlint.cli.run import Request, linters, run, status
    from trainlint.selection import selected

    nothing = Fixing(writes=False, unsafe=False, diff=False, show=False)
    request = Request(paths, None, walk, nothing, suppressions=True, show_files=False, quiet=False)
    outcome = run(request, configuration)
    for error in outcome.report.internal_errors:
        click.echo(f"{error.path}: internal error in {error.where}: {error.message}", err=True)
    if outcome.report.internal_errors:
        raise Unusable("what could not be judged cannot be compared with a baseline")
    if not outcome.report.files:
        sys.exit(status(outcome, explicit_only=False))
    linted = Linted(outcome, given or configuration.effective().baseline or Path(DEFAULT))
    linter = linters()
    for source, _ in outcome.documents:
        settings = configuration.of(source)
        rules = linter(settings).rules
        linted.judged[source.path] = selected(rules, settings, source.file)
        linted.rules |= set(rules)
    return linted


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@_subcommand
@click.option("--force", is_flag=True, help="Replace a baseline that exists.")
def create(linted: Linted, force: bool) -> None:
    """Write the findings of today into a new baseline."""
    if linted.file.exists() and not force:
        raise Unusable(f"{linted.file} exists; trainlint baseline prune shrinks it, --force replaces it")
    baseline = Baseline.of(linted.outcome.report.findings, linted.file.absolute().parent)
    baseline.save(linted.file)
    files = len({key.path for key in baseline.counts})
    click.echo(f"{_count(baseline.total, 'finding')} in {_count(files, 'file')} written to {linted.file}.")


@_subcommand
def check(linted: Linted) -> None:
    """Report what is not in the baseline.

    Exit status: 0 nothing new at or above --fail-on, 1 new findings, 2 wrong usage, 3 no configuration found.
    """
    from trainlint.reporters import render, wants_color

    baseline = linted.load()
    gone = baseline.total - linted.pruned(baseline).total
    outcome = replace(linted.outcome, report=apply(linted.outcome.report, baseline))
    report = outcome.report
    if report.findings:
        sys.stdout.write(render("text", report, color=wants_color(sys.stdout)))
    click.echo(f"{_count(report.known, 'known finding')} in the baseline, {len(report.findings)} new.")
    if gone:
        click.echo(f"{_count(gone, 'finding')} of the baseline gone: trainlint baseline prune takes them out.")
    sys.exit(int(outcome.fails))


@_subcommand
def prune_(linted: Linted) -> None:
    """Take out of the baseline what is gone. Nothing is added.

    Files that are not among the PATHs keep their entries, unless they no longer exist.
    """
    baseline = linted.load()
    pruned = linted.pruned(baseline)
    gone = baseline.total - pruned.total
    if gone:
        pruned.save(linted.file)
    click.echo(f"{_count(gone, 'finding')} taken out, {pruned.total} left in {linted.file}.")
