"""What a shell may offer while a command line is typed. Everything but click is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Let the shell offer what lies on the disk."""
    return [CompletionItem(incomplete, type="file")]


def either(items: Items, ctx: click.Context, command: click.Command | None, incomplete: str) -> Items:
    """`items`, or what could stand there if the name of `command` had been left out: its options, or a file."""
    if command is not None and incomplete.startswith("-"):
        known = {item.value for item in items}
        own = command.shell_complete(click.Context(command, parent=ctx), incomplete)
        return [*items, *(item for item in own if item.value not in known)]
    return items or [CompletionItem(incomplete, type="file")]


def rule_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The ids of all rules, with their titles for the shells that show them."""
    return _beginning(incomplete, _titles())


def selectors(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What `--select` takes: all, severities, families and ids; after a comma the next one."""
    from trainlint.findings import SEVERITIES
    from trainlint.selection import ALL

    given, comma, last = incomplete.rpartition(",")
    titles = dict(_titles())
    families = dict.fromkeys(f"{id.partition('/')[0]}/*" for id in titles)
    known = [
        (ALL, ""),
        *((severity, "") for severity in SEVERITIES),
        *((name, "") for name in families),
        *titles.items(),
    ]
    offered = [(name, help) for name, help in known if name not in given.split(",")]
    return [CompletionItem(given + comma + item.value, help=item.help) for item in _beginning(last, offered)]


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The formats of reports."""
    from trainlint import reporters

    return _beginning(incomplete, ((name, "") for name in reporters.formats()))


def gpus(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The GPUs that `--gpu` knows."""
    from trainlint import settings

    return _beginning(incomplete, ((name, f"{gpu['memory']} GiB") for name, gpu in settings.gpus().items()))


def _beginning(incomplete: str, known: Iterable[tuple[str, str]]) -> Items:
    return [CompletionItem(name, help=help or None) for name, help in known if name.startswith(incomplete)]


def _titles() -> Iterator[tuple[str, str]]:
    """The rules by id with their titles: without parsing a page, and without those that cannot be used."""
    from trainlint import plugins
    from trainlint.ruleset import home, pages
    from trainlint.ruleset.expressions import RuleError

    for directory in (home(), *(plugin.rules for plugin in plugins.installed() if plugin.rules is not None)):
        try:
            found = pages(directory)
        except RuleError:
            continue
        for id, file in found.items():
            yield id, _title(file)


def _title(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as stream:
            title = stream.readline(200).lstrip("# ").rstrip()
    except OSError:
        return ""
    return title if title.isprintable() else ""
