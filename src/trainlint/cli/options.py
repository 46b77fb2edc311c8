"""Options that several commands share: the facts that no file says, and which files to look at."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from trainlint import settings as settings_module
from trainlint.discover import candidates, promising
from trainlint.settings import Settings, SettingsError
from trainlint.text import SourceText, Unreadable

NAME = re.compile(r"[A-Za-z_]\w*$")


def _amount(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A count that may carry a unit: 250000, 250_000, 250k, 1.5M, 20GB."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)\s*([kKmMgGtT]?)[bB]?", value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is no amount such as 250000, 1.5M or 20GB")
    number = float(match.group(1).replace("_", "").replace(",", ""))
    return int(number * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}[match.group(2).lower()])


def _defines(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not NAME.match(name):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE")
        found[name] = text
    return found


_STATED: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option("--world-size", type=click.IntRange(min=1), metavar="N", help="GPUs (processes) of the run."),
    click.option("--gpu", metavar="NAME", help="Kind of GPU, for instance A100-80G."),
    click.option("--gpu-memory", type=click.FloatRange(min=0, min_open=True), metavar="GIB", help="Memory of one GPU."),
    click.option("--dataset-bytes", callback=_amount, metavar="SIZE", help="Size of the training text, e.g. 20GB."),
    click.option("--tokens", callback=_amount, metavar="N", help="Tokens of the training data, e.g. 5G."),
    click.option(
        "--define", "-D", "defines", multiple=True, callback=_defines, metavar="NAME=VALUE",
        help="A variable of the script's environment. May be repeated.",
    ),
)  # fmt: skip


def stated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what no file does."""
    for option in reversed(_STATED):
        function = option(function)
    return function


def settings_of(
    world_size: int | None,
    gpu: str | None,
    gpu_memory: float | None,
    dataset_bytes: int | None,
    tokens: int | None,
    defines: dict[str, str],
    **more: Any,
) -> Settings:
    """Raises a click error for what cannot be used."""
    try:
        facts = settings_module.state(world_size, gpu, gpu_memory, dataset_bytes, tokens)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    return Settings(stated=facts, defines=defines, **more)


@dataclass
class Found:
    """The sources to look at. `explicit`: the user named the file itself, so it is looked at whatever it holds."""

    sources: list[tuple[SourceText, bool]] = field(default_factory=list)
    unreadable: list[tuple[SourceText, Unreadable]] = field(default_factory=list)
    examined: int = 0


def find(paths: tuple[str, ...], stdin_filename: str | None) -> Found:
    """Read files, the configurations below directories, and `-` for stdin. Raises a click error for a path that is not there."""
    found = Found()
    for path in paths:
        if path == "-":
            data = sys.stdin.buffer.read()
            name = stdin_filename or "-"
            _add(found, name, partial(SourceText.decode, data, name), True)
        elif Path(path).is_dir():
            for file in candidates(Path(path)):
                found.examined += 1
                if promising(file):
                    _add(found, str(file), partial(SourceText.load, file), False)
        else:
            found.examined += 1
            _add(found, path, partial(SourceText.load, Path(path)), True)
    return found


def _add(found: Found, path: str, load: Callable[[], SourceText], explicit: bool) -> None:
    try:
        found.sources.append((load(), explicit))
    except Unreadable as error:
        if explicit:
            found.unreadable.append((_remains(path), error))
    except OSError as error:
        if explicit:
            raise click.UsageError(f"{path}: {error.strerror}") from None


def _remains(path: str) -> SourceText:
    """What can be shown of a file that is no text, so that a finding can point into it."""
    try:
        return SourceText(path, Path(path).read_bytes()[:4096].decode("utf-8", "replace"))
    except OSError:
        return SourceText(path, "")


def sources(found: Found) -> Iterator[SourceText]:
    for source, _ in found.sources:
        yield source
