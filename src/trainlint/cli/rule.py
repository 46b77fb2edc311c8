"""`trainlint rule ID`: the page of one rule."""

from __future__ import annotations

import sys
from difflib import get_close_matches

import click

from trainlint.cli import complete, options
from trainlint.reporters import wants_color


@click.command("rule", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("id", metavar="ID", shell_complete=complete.rule_ids)
@options.NO_PLUGINS
def command(id: str) -> None:
    """Show the page of one rule: what it finds, why it hurts, examples, and its sources."""
    from trainlint.ruleset import catalogue

    rules = catalogue()
    if id not in rules:
        close = get_close_matches(id, rules, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; trainlint rules lists them"
        raise click.UsageError(f"there is no rule {id}{hint}")
    rule = rules[id]
    info = rule.info()
    limits = "".join(f"- {name} = {value}\n" for name, value in rule.limits.items())
    sources = "".join(f"- {source}\n" for source in info.sources)
    page = f"{info.markdown}\n\n## Limits\n{limits}" if limits else info.markdown
    page = f"{page}\n\n## Sources\n{sources}\n`{rule.id}` · {rule.severity}\n"
    if not wants_color(sys.stdout):
        click.echo(page)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=min(Console().width, 100)).print(Markdown(page))
