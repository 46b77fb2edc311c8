"""`trainlint explain`."""

from __future__ import annotations

import sys
from functools import cache

import click

from trainlint.cli import complete, options
from trainlint.effective import Configuration


@click.command("explain", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, required=True, metavar="PATH|-...", shell_complete=complete.files)
@options.configured(options.SEARCH, options.WALK)
@click.option("--origins", is_flag=True, help="Show where each number came from.")
@click.option("--coverage", is_flag=True, help="Show which arguments were not understood, and why.")
@options.STRICT_UNKNOWN
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to show it.")
@options.STDIN_FILENAME
def command(
    paths: tuple[str, ...],
    configuration: Configuration,
    origins: bool,
    coverage: bool,
    strict_unknown: bool,
    format_: str,
    stdin_filename: str | None,
    **walk: bool,
) -> None:
    """Show the run that a configuration describes, and where each number came from.

    A star marks a framework's default, a question mark what no file says.
    """
    from trainlint.explain import cards, to_json
    from trainlint.linter import Linter
    from trainlint.readers import UnknownFormat

    linter = cache(Linter)  # files with the same settings share one
    found = options.find(paths, stdin_filename, configuration, **walk)
    for source, error in found.unreadable:
        click.echo(f"{source.path}:{error.line}:{error.column}: cannot be read: {error.reason}", err=True)
    launches = []
    for source in options.sources(found):
        try:
            document, of_source = linter(configuration.of(source)).read(source)
        except UnknownFormat as error:
            click.echo(str(error), err=True)
            continue
        launches += of_source
        for problem in document.problems:
            start = problem.at.start
            click.echo(f"{source.path}:{start.line}:{start.column}: {problem.message}", err=True)
        if not of_source:
            click.echo(f"{source.path}: no training run was recognised in it", err=True)
    sys.stdout.write(to_json(launches) if format_ == "json" else cards(launches, origins=origins, coverage=coverage))
    if strict_unknown and options.unresolved(launches):
        sys.exit(1)
    sys.exit(0 if launches else 3 if not found.unreadable else 2)
