"""`trainlint verify`: try a run's settings, and what its findings would make of them, on a very small model."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlint.cli import options
from trainlint.effective import Configuration
from trainlint.facts import Launch
from trainlint.findings import Finding, Report
from trainlint.text import SourceText

if TYPE_CHECKING:
    from trainlint.linter import Linter
    from trainlint.probe.engines import Engine
    from trainlint.probe.experiment import Plan
    from trainlint.probe.result import Experiment

NEEDED = ("torch", "transformers", "peft", "safetensors")
INSTALL = "pip install 'trainlint[verify]'"
FAMILIES = ("lr/", "batch/", "context/", "lora/")
"""The rules whose findings the experiment bears on."""
WHOLE = ("lora_rank", "effective_batch_size", "sequence_length")


def budget(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Seconds: 90, 90s or 2m."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min)?", value.strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no time such as 90s or 2m")
    return float(match[1]) * (60 if match[2] in ("m", "min") else 1)


def sweep(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """FACT=VALUE,VALUE as a field of the probe's settings and its values."""
    from trainlint.probe.settings import SWEPT

    found = []
    for value in values:
        name, _, listed = value.partition("=")
        try:
            numbers = tuple(float(number) for number in listed.split(","))
        except ValueError:
            raise click.BadParameter(f"{value!r} is not FACT=NUMBER,NUMBER") from None
        if name not in SWEPT or min(numbers) < 0 or (name in WHOLE and min(numbers) < 1):
            raise click.BadParameter(f"{value!r}: facts are {', '.join(SWEPT)}, numbers are positive")
        found.append((SWEPT[name], numbers))
    return tuple(found)


def engine(ctx: click.Context, param: click.Parameter, value: str) -> Engine:
    from trainlint.probe.engines import EngineError, named

    try:
        return named(value)
    except EngineError as error:
        raise click.BadParameter(str(error)) from None


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, required=True, metavar="PATH|-...")
@options.configured(options.JUDGING, options.SEARCH, options.WALK)
@click.option(
    "--verify-budget", "seconds", default="60s", callback=budget, metavar="TIME", show_default=True,
    help="Time for one run; what does not fit into it ends as inconclusive.",
)  # fmt: skip
@click.option(
    "--seeds", type=click.IntRange(min=2, max=25), default=3, show_default=True, help="Repetitions of each side."
)
@click.option("--ablate", is_flag=True, help="Also try each suggested change alone; give it more time.")
@click.option(
    "--sweep", "swept", multiple=True, callback=sweep, metavar="FACT=N,N",
    help="Try these values instead of the fixes, for instance lora_rank=8,16,32. May be repeated; needs more time.",
)  # fmt: skip
@click.option(
    "--engine", default="local", callback=engine, metavar="local|dask[:ADDRESS]|ray[:ADDRESS]", show_default=True,
    help="Where it runs: processes of this machine, or a cluster that is up already.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE.svg",
    help="Draw what was learned against what was lost.",
)  # fmt: skip
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@options.STDIN_FILENAME
def command(
    paths: tuple[str, ...],
    configuration: Configuration,
    seconds: float,
    seeds: int,
    ablate: bool,
    swept: tuple[tuple[str, tuple[float, ...]], ...],
    engine: Engine,
    plot: Path | None,
    format_: str,
    stdin_filename: str | None,
    **walk: bool,
) -> None:
    """Try a run's settings, and what its findings would make of them, on a very small model.

    Shows what learning the same amount of a new text costs of the English that the model knew: under your settings, and after
    the fixes that trainlint suggests. It compares the two; it predicts nothing for your model.

    Exit status: 0 tried, whatever came of it, 2 refused or not installed, 3 no training run found.
    """
    require()
    if plot is not None and not plot.absolute().parent.is_dir():
        raise click.UsageError(f"{plot}: the directory {plot.parent} does not exist")
    from trainlint.cli.run import linters
    from trainlint.probe.engines import EngineError
    from trainlint.probe.experiment import Plan
    from trainlint.probe.settings import Refused

    plan = Plan(seeds, seconds, ablate, swept, engine)
    linter = linters()
    found = options.find(paths, stdin_filename, configuration, **walk)
    experiments, refused = [], len(found.unreadable)
    for source in options.sources(found):
        judge = linter(configuration.of(source))
        report = Report()
        launches = judge.lint(source, report)
        if not launches:
            click.echo(f"{source.path}: no training run was recognised in it", err=True)
            continue
        try:
            experiments.append(_tried(judge, source, launches, plan))
        except Refused as reason:
            click.echo(f"{source.path}:{launches[0].at.start.line}: refused: {reason}", err=True)
            refused += 1
        except EngineError as error:
            raise click.UsageError(str(error)) from None
    if format_ == "json":
        from trainlint.probe.report_json import to_json

        sys.stdout.write(to_json(experiments))
    else:
        from trainlint.probe.report_text import render
        from trainlint.reporters.terminal import columns

        sys.stdout.write("\n".join(render(experiment, columns()) for experiment in experiments))
    if plot is not None:
        _draw(experiments, plot)
    sys.exit(2 if refused else 0 if experiments else 3)


def attach(
    report: Report,
    launches: Sequence[Launch],
    linter: Callable[[SourceText], Linter],
    seconds: float = 60.0,
    seeds: int = 3,
) -> list[str]:
    """Run the experiment for each linted file and add what came of it to the advice of the findings that it bears on.

    `linter` gives the linter that judged a source. Returns what was refused, a line each. A click error where torch is missing.
    """
    require()
    from trainlint.probe.experiment import Plan
    from trainlint.probe.result import short
    from trainlint.probe.settings import Refused

    by_source: dict[SourceText, list[Launch]] = {}
    for launch in launches:
        by_source.setdefault(launch.first.context["document"].source, []).append(launch)
    refused = []
    for source, own in by_source.items():
        findings = [finding for finding in report.findings if finding.at.source.path == source.path]
        if not any(bears_on(finding) for finding in findings):
            continue
        try:
            experiment = _tried(linter(source), source, own, Plan(seeds, seconds))
        except Refused as reason:
            refused.append(f"{source.path}:{own[0].at.start.line}: not verified: {reason}")
            continue
        report.findings[:] = [
            replace(finding, advice=f"{finding.advice}; {short(experiment)}")
            if finding in findings and bears_on(finding)
            else finding
            for finding in report.findings
        ]
    return refused


def bears_on(finding: Finding) -> bool:
    """Does the experiment say something about what this finding claims?"""
    return finding.rule.startswith(FAMILIES)


def require() -> None:
    """End with exit 2 and the way out where the packages of the experiment are not installed. Imports none of them."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"not installed, but needed: {', '.join(missing)}; {INSTALL}")


def _tried(linter: Linter, source: SourceText, launches: Sequence[Launch], plan: Plan) -> Experiment:
    """The experiment with a progress bar, where somebody watches."""
    from trainlint.probe.experiment import run

    if not sys.stderr.isatty():
        return run(linter, source, launches, plan)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("trying both sides", total=None)
        return run(linter, source, launches, plan, lambda done, of: bar.update(task, completed=done, total=of))


def _draw(experiments: Sequence[Experiment], file: Path) -> None:
    from trainlint import atomic
    from trainlint.probe.plot import svg

    measured = [experiment for experiment in experiments if experiment.a_tracks]
    if not measured:
        click.echo(f"{file} is not written: nothing was measured", err=True)
        return
    try:
        atomic.replace(file, svg(measured).encode())
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be written: {error.strerror or error}") from None


if __name__ == "__main__":
    command(prog_name="trainlint verify")
