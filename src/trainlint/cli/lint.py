"""`trainlint lint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from trainlint.cli import options
from trainlint.findings import SEVERITIES, Finding, Report, Skipped
from trainlint.reporters import FORMATS, render, wants_color
from trainlint.text import Location, Span

NOTHING = "no training run was recognised in it"


@click.command("lint", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, metavar="[PATH|-]...")
@options.stated
@click.option("--profile", type=click.Choice(["default", "strict"]), default="default", help="Which thresholds hold.")
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), default="text", help="How to report.")
@click.option(
    "--fail-on", type=click.Choice([*SEVERITIES, "never"]), default="warning", help="The mildest finding that fails (exit 1)."
)  # fmt: skip
@click.option(
    "--stdin-filename", metavar="NAME", help="What to call the text read from stdin; its suffix says the format."
)
@click.option(
    "--rules", "rules", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="A directory of further rules. May be repeated.",
)  # fmt: skip
def command(
    paths: tuple[str, ...], profile: Any, format_: str, fail_on: str, stdin_filename: str | None, rules: tuple[Path, ...],
    **stated: Any,
) -> None:  # fmt: skip
    """Find what would ruin a training run before it is started.

    PATHs are shell scripts, YAML or JSON files, or directories, in which configurations are recognised by what they say.
    Without a PATH the current directory is linted; - reads stdin.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage, 3 no configuration found.
    """
    from trainlint.linter import Linter
    from trainlint.ruleset.expressions import RuleError

    settings = options.settings_of(**stated, profile=profile, rules=rules)
    linter = Linter(settings)
    try:
        rules_used = linter.rules.values()
    except RuleError as error:
        raise click.UsageError(str(error)) from None
    found = options.find(paths or (".",), stdin_filename)
    report = Report(rules=[rule.info() for rule in rules_used], examined=found.examined)
    for source, unreadable in found.unreadable:
        report.files.append(source.path)
        start = source.offset(unreadable.line, unreadable.column)
        at = Location(source, Span(start, min(start + 1, len(source.text))))
        report.findings.append(
            Finding(
                "file/unreadable",
                "error",
                "high",
                f"cannot be read: {unreadable.reason}",
                at,
                "pass a text file in UTF-8",
            )
        )
    for source, explicit in found.sources:
        recognised = linter.lint(source, report)
        if recognised or any(finding.at.source is source for finding in report.findings):
            report.files.append(source.path)
        elif explicit:
            report.skipped.append(Skipped(source.path, NOTHING))
    sys.stdout.write(_rendered(report, format_))
    sys.exit(
        _status(
            report, fail_on, explicit_only=all(Path(path).is_file() or path == "-" for path in paths) and bool(paths)
        )
    )


def _rendered(report: Report, format_: str) -> str:
    color = format_ == "text" and wants_color(sys.stdout)
    width = click.get_current_context().terminal_width or _width()
    return render(format_, report, color=color, width=width)


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def _status(report: Report, fail_on: str, explicit_only: bool) -> int:
    if report.internal_errors:
        return 2
    if not report.files and not explicit_only:
        click.echo(f"No training configuration was found in {report.examined} files.", err=True)
        return 3
    if fail_on == "never":
        return 0
    failing = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return int(any(finding.severity in failing for finding in report.findings))
