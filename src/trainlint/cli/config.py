"""`trainlint config`: the settings in force for a file, and where each was said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from trainlint.cli import options
from trainlint.effective import Configuration
from trainlint.places import called
from trainlint.settings import Settings


@click.command("config", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@options.configured(options.JUDGING, options.SEARCH)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to show it.")
@click.option("--schema", "schema_", is_flag=True, help="Print the JSON schema of the configuration.")
def command(file: Path | None, configuration: Configuration, format_: str, schema_: bool) -> None:
    """Show the settings for FILE (default: the current directory), and where each was said.

    The text is itself a trainlint.toml.
    """
    if schema_:
        from trainlint.config import schema

        sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
        return
    from trainlint.ruleset import catalogue
    from trainlint.selection import selected

    settings = configuration.effective(file)
    rules = catalogue(settings.rules)
    used = sorted(selected(rules, settings, file))
    sys.stdout.write(_json(settings, file, used) if format_ == "json" else _text(settings, file, used, len(rules)))


def _json(settings: Settings, file: Path | None, used: list[str]) -> str:
    content = {
        "version": 1,
        "path": str(file or "."),
        "configuration": called(settings.source) if settings.source is not None else None,
        "settings": [
            {"key": key, "value": said.value, "from": said.where} for key, said in settings.provenance.items()
        ],
        "rules": used,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _text(settings: Settings, file: Path | None, used: list[str], known: int) -> str:
    source = called(settings.source) if settings.source is not None else "no configuration file"
    lines = [f"# {file or '.'}: {source}, {len(used)} of {known} rules", ""]
    rows = [
        (f"{key} = {_toml(said.value)}", said.where)
        for key, said in settings.provenance.items()
        if said.value is not None
    ]
    width = max(len(text) for text, _ in rows if len(text) <= 60)
    lines += [f"{text:<{width}}  # {where}" for text, where in rows]
    unset = [key for key, said in settings.provenance.items() if said.value is None]
    if unset:
        lines += ["", f"# not set: {', '.join(unset)}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
    return repr(value)
