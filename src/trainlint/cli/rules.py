"""`trainlint rules`: the catalogue as a table."""

from __future__ import annotations

import sys

import click

from trainlint.cli import options


@click.command("rules", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to list them.")
@options.NO_PLUGINS
def command(format_: str) -> None:
    """List the rules."""
    from trainlint import plugins
    from trainlint.ruleset import catalogue

    rules = catalogue().values()
    for error in plugins.errors():
        click.echo(f"Internal error in {error.where}: {error.message}", err=True)
    if format_ == "json":
        import json

        listed = [
            {
                "id": rule.id,
                "severity": rule.severity,
                "title": rule.title,
                "summary": rule.summary,
                "tags": list(rule.tags),
            }
            for rule in rules
        ]
        sys.stdout.write(json.dumps({"version": 1, "rules": listed}, indent=2) + "\n")
        return
    width = max(len(rule.id) for rule in rules)
    for rule in rules:
        click.echo(f"{rule.id:<{width}}  {rule.severity:<7}  {rule.title}")
