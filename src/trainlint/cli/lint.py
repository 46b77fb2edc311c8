"""`trainlint lint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlint.cli import complete, options, verify
from trainlint.cli.run import Outcome, Request, linters, run, status
from trainlint.effective import Configuration
from trainlint.findings import Report

if TYPE_CHECKING:
    from trainlint.reporters import Output


@click.command("lint", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, metavar="[PATH|-]...", shell_complete=complete.files)
@options.configured(options.JUDGING, options.SEARCH, options.WALK)
@click.option("--fix", "fix", is_flag=True, help="Apply the fixes that cannot change what was meant.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix, --fix-only or --diff: apply the others, too.")
@click.option("--fix-only", is_flag=True, help="Apply fixes and report nothing else.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--show-fixes", is_flag=True, help="List the fixes that were applied.")
@click.option(
    "--no-ignores", "suppressions", is_flag=True, default=True, flag_value=False, help="Report what comments hide."
)
@click.option("--show-suppressed", is_flag=True, help="Add what comments hide to formats that can mark it as such.")
@click.option("--add-ignores", is_flag=True, help="Write a comment that hides each finding.")
@click.option("--reason", default="", metavar="TEXT", help="The reason that --add-ignores writes.")
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Hide what is known.")
@click.option(
    "--output", "outputs", multiple=True, metavar="FORMAT[:PATH]", shell_complete=complete.formats,
    help="How to report, and into which file. May be repeated.",
)  # fmt: skip
@click.option(
    "--format", "format_", metavar="FORMAT", shell_complete=complete.formats,
    help="How to report on the standard output.",
)  # fmt: skip
@click.option("--verify", "verified", is_flag=True, help="Also try the fixes on a very small model (trainlint verify).")
@click.option(
    "--verify-budget", "seconds", default="60s", callback=verify.budget, metavar="TIME", show_default=True,
    help="Time for one file with --verify.",
)  # fmt: skip
@options.STRICT_UNKNOWN
@click.option("--statistics", is_flag=True, help="Count the findings of each rule instead of showing them.")
@click.option("--quiet", "-q", is_flag=True, help="Print findings only.")
@click.option("--show-files", is_flag=True, help="List the files, and why others were passed over.")
@click.option("--watch", is_flag=True, help="Lint again whenever a file changes.")
@options.STDIN_FILENAME
def command(
    paths: tuple[str, ...],
    configuration: Configuration,
    fix: bool,
    unsafe_fixes: bool,
    fix_only: bool,
    diff: bool,
    show_fixes: bool,
    suppressions: bool,
    show_suppressed: bool,
    add_ignores: bool,
    reason: str,
    baseline: Path | None,
    outputs: tuple[str, ...],
    format_: str | None,
    verified: bool,
    seconds: float,
    strict_unknown: bool,
    statistics: bool,
    quiet: bool,
    show_files: bool,
    watch: bool,
    stdin_filename: str | None,
    **walk: bool,
) -> None:
    """Find what would ruin a training run before it is started.

    PATHs are shell scripts, YAML, JSON or TOML files, or directories, in which configurations are recognised by what they
    say. Without a PATH the current directory is linted; - reads stdin.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage, 3 no configuration found.
    """
    from trainlint.cli.fixing import Fixing
    from trainlint.reporters import ReporterError
    from trainlint.reporters import outputs as parse

    try:
        wanted = parse((*outputs, *((format_,) if format_ else ())))
    except ReporterError as error:
        raise click.UsageError(str(error)) from None
    shown = next((output.format for output in wanted if output.path is None), None)
    if statistics and shown not in (None, "text", "json"):
        raise click.UsageError(f"--statistics are text or json, not {shown}")
    fixing = Fixing(fix or fix_only, unsafe_fixes, diff, show_fixes)
    fixing.check()
    request = Request(paths or (".",), stdin_filename, walk, fixing, suppressions, show_files, quiet)
    if "-" in paths and (fixing.writes or add_ignores or watch):
        raise click.UsageError("--fix, --add-ignores and --watch need files; for stdin there is --diff")

    if verified:
        if watch:
            raise click.UsageError("--verify takes a minute each time, too long for --watch")
        verify.require()

    def once() -> tuple[int, list[Path]]:
        fixing.done.clear()
        outcome = run(request, configuration.anew() if watch else configuration)
        _apply_baseline(outcome, baseline)
        if verified:
            judged_by = linters(suppressions)
            for refused in verify.attach(
                outcome.report, outcome.launches, lambda source: judged_by(configuration.of(source)), seconds
            ):
                click.echo(refused, err=True)
        return finish(outcome), outcome.seen

    def finish(outcome: Outcome) -> int:
        if show_files:
            return _show_files(outcome.report)
        if add_ignores:
            from trainlint.cli.ignoring import add

            return add(outcome, reason)
        if fixing.diff:
            return fixing.print_diffs()
        if not fix_only:
            _report(outcome.report, wanted, quiet=quiet, statistics=statistics, suppressed=show_suppressed)
        fixing.print_fixes()
        code = status(outcome, explicit_only=bool(paths) and not any(Path(path).is_dir() for path in paths))
        return 1 if strict_unknown and options.unresolved(outcome.launches) and code == 0 else code

    if watch:
        from trainlint.cli.watch import watch as again

        again(lambda: once()[1], writes=fixing.writes or add_ignores)
        return
    sys.exit(once()[0])


def _apply_baseline(outcome: Outcome, given: Path | None) -> None:
    from trainlint.baseline import Baseline, BaselineError, apply

    file = given or outcome.configuration.effective().baseline
    if file is not None:
        try:
            outcome.report = apply(outcome.report, Baseline.load(file))
        except BaselineError as error:
            raise click.UsageError(str(error)) from None


def _report(report: Report, wanted: list[Output], *, quiet: bool, statistics: bool, suppressed: bool) -> None:
    from trainlint.reporters import ReporterError, wants_color, write
    from trainlint.reporters.terminal import columns

    counted = next((output.format for output in wanted if output.path is None), "text") if statistics else None
    if counted:
        wanted = [output for output in wanted if output.path is not None]
    try:
        write(report, wanted, color=wants_color(sys.stdout), width=columns(), quiet=quiet, suppressed=suppressed)
    except ReporterError as error:
        raise click.UsageError(str(error)) from None
    if counted:
        from trainlint.reporters.statistics import render

        sys.stdout.write(render(report, "json" if counted == "json" else "text"))


def _show_files(report: Report) -> int:
    for path in report.files:
        click.echo(f"{path}: linted")
    for skipped in report.skipped:
        click.echo(f"{skipped.path}: {skipped.reason}")
    return 0 if report.files else 3
