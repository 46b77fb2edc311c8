"""The command line. Each command is a module of its own, imported when it is called."""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from trainlint import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "lint": "Find what would ruin a training run before it is started.",
    "verify": "Try a run's settings, and what its findings would make of them, on a very small model.",
    "explain": "Show the run that a configuration describes, and where each number came from.",
    "config": "Show the settings in force for a file, and where each was said.",
    "baseline": "Keep known findings out of the report.",
    "rules": "List the rules.",
    "rule": "Show the page of one rule.",
}
"""In the order of the help."""


def _near(word: str) -> str:
    close = get_close_matches(word, COMMANDS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


class Commands(click.Group):
    """Commands by name; `trainlint run_pt.sh` means `trainlint lint run_pt.sh`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"trainlint.cli.{name}").command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands; where none begins like that, the files and options of `lint`, which need not be named."""
        from trainlint.cli.complete import either

        return either(super().shell_complete(ctx, incomplete), ctx, self.get_command(ctx, "lint"), incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in COMMANDS and args[0] not in ("--help", "-h", "--version"):
            if args[0].isalpha() and not os.path.exists(args[0]):
                ctx.fail(f"there is neither a command nor a file {args[0]}{_near(args[0])}")
            args = ["lint", *args]
        return super().parse_args(ctx, args)


@click.command(cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trainlint")
def cli() -> None:
    """Static analysis for LLM training configurations.

    `trainlint run_pt.sh` is short for `trainlint lint run_pt.sh`.
    """


def main(*args: Any) -> None:
    """The console script `trainlint`."""
    cli(*args, prog_name="trainlint")


def lint_main() -> None:
    """The console script `lint`: the lint command alone."""
    command = Commands().get_command(click.Context(cli), "lint")
    assert command is not None
    command(prog_name="lint")
