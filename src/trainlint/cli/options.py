"""Options that several commands share: the facts that no file says, and which files to look at."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from trainlint.cli import complete
from trainlint.config import POSITION, VARIABLE, VERSION, keys
from trainlint.discover import default_choice, discover
from trainlint.effective import Configuration
from trainlint.findings import Confidence, Skipped
from trainlint.settings import FailOn, Profile, SettingsError, amount
from trainlint.text import SourceText, Unreadable

if TYPE_CHECKING:
    from trainlint.facts import Launch


def _amount(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A count that may carry a unit: 250000, 250_000, 250k, 1.5M, 20GB."""
    if value is None:
        return None
    try:
        return amount(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _list(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Values that may be separated by commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _assigned(form: str, pattern: re.Pattern[str]) -> Callable[..., dict[str, str]]:
    """Reads `NAME=VALUE`, where the name has a pattern."""

    def read(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        found = {}
        for value in values:
            name, equals, text = value.partition("=")
            if not equals or not pattern.match(name):
                raise click.BadParameter(f"{value!r} is not {form}")
            found[name] = text
        return found

    return read


def _targets(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        package, _, version = value.partition("==")
        if not package.strip() or not VERSION.fullmatch(version.strip()):
            raise click.BadParameter(f"{value!r} is not PACKAGE==VERSION")
        found[package.strip()] = version.strip()
    return found


def _leave_out(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from trainlint import plugins

        plugins.leave_out()


Option = Callable[[Callable[..., Any]], Callable[..., Any]]
Options = tuple[Option, ...]

NO_PLUGINS: Option = click.option(
    "--no-plugins", is_flag=True, is_eager=True, expose_value=False, callback=_leave_out,
    help="Use nothing of other installed packages.",
)  # fmt: skip
"""Eager: the values of other options may be what a plugin offers."""

STDIN_FILENAME: Option = click.option(
    "--stdin-filename", metavar="NAME", help="What to call the text read from stdin; its suffix says the format."
)

STRICT_UNKNOWN: Option = click.option(
    "--strict-unknown",
    is_flag=True,
    help="Fail (exit 1) where an argument of a run has no value that can be told, and list them.",
)

_STATED: Options = (
    click.option("--world-size", type=click.IntRange(min=1), metavar="N", help="GPUs (processes) of the run."),
    click.option("--gpu", metavar="NAME", shell_complete=complete.gpus, help="Kind of GPU, for instance A100-80G."),
    click.option("--gpu-memory", type=click.FloatRange(min=0, min_open=True), metavar="GIB", help="Memory of one GPU."),
    click.option(
        "--mfu", type=click.FloatRange(min=0, min_open=True, max=1), metavar="SHARE",
        help="Share of the GPU's peak that training reaches; 0.4 unless said.",
    ),
    click.option(
        "--model-config", "--base-model", "base_model", type=click.Path(exists=True), metavar="DIR",
        help="The base model's config.json, or its directory.",
    ),
    click.option(
        "--models", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
        help="A TOML file of further models, in the form of the catalogue.",
    ),
    click.option("--dataset-bytes", callback=_amount, metavar="SIZE", help="Size of the training text, e.g. 20GB."),
    click.option("--tokens", callback=_amount, metavar="N", help="Tokens of the training data, e.g. 5G."),
    click.option(
        "--define", "-D", "defines", multiple=True, callback=_assigned("NAME=VALUE", VARIABLE), metavar="NAME=VALUE",
        help="A variable of the script's environment. May be repeated.",
    ),
    click.option(
        "--arg", "args", multiple=True, callback=_assigned("N=VALUE", POSITION), metavar="N=VALUE",
        help="The script's argument number N. May be repeated.",
    ),
    click.option(
        "--assume-unset-empty", is_flag=True, default=None,
        help="Variables and arguments that nothing sets are empty, instead of unknown.",
    ),
    click.option(
        "--no-data", "data", is_flag=True, flag_value=False, default=None,
        help="Do not look into the training data that is on this machine.",
    ),
    click.option(
        "--target", "targets", multiple=True, callback=_targets, metavar="PACKAGE==VERSION",
        help="A version that the run will use, e.g. transformers==4.44. May be repeated.",
    ),
)  # fmt: skip


_CONFIG: Options = (
    click.option(
        "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
        help="Use this configuration file for all files.",
    ),
    click.option("--isolated", is_flag=True, help="Use no configuration file."),
    NO_PLUGINS,
)  # fmt: skip


def _rules(name: str, help: str) -> Option:
    return click.option(
        name, multiple=True, callback=_list, metavar="RULE,...", shell_complete=complete.selectors, help=help
    )


JUDGING: Options = (
    _rules("--select", "Use these rules only."),
    _rules("--extend-select", "Use these rules, too."),
    _rules("--ignore", "Do not use these rules."),
    click.option("--profile", type=click.Choice(get_args(Profile)), help="Which thresholds hold."),
    click.option(
        "--smoke", "intent", flag_value="smoke", help="The run only tests that it works: little data and few steps are meant."
    ),
    click.option(
        "--fail-on", type=click.Choice(get_args(FailOn)),
        help="The mildest finding that fails (exit 1); warning by default.",
    ),
    click.option(
        "--min-confidence", type=click.Choice(get_args(Confidence)), help="Report only findings as sure as this."
    ),
    click.option(
        "--rules", multiple=True, type=click.Path(exists=True, file_okay=False), metavar="DIR",
        help="A directory of further rules. May be repeated.",
    ),
)  # fmt: skip
"""Which rules judge, and how strictly."""

SEARCH: Options = (
    click.option("--include", multiple=True, metavar="PATTERN", help="Search files of these names, too."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave these out, instead of the usual ones."),
    click.option("--extend-exclude", multiple=True, metavar="PATTERN", help="Leave these out, too."),
)
"""Which files a search takes."""

WALK: Options = (
    click.option(
        "--force-exclude", is_flag=True, help="Leave out what is excluded or describes no run even where it is named."
    ),
    click.option(
        "--no-gitignore", "gitignore", is_flag=True, default=True, flag_value=False, help="Search what git ignores."
    ),
)
"""How to search: the command passes them on to `find`."""


def configured(*groups: Options) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that override a configuration: those of `groups`, and what no file says. The command gets a `configuration`.

    A configuration that cannot be used ends the command with exit 2, whenever it is found.
    """
    options = [*_CONFIG, *(option for group in groups for option in group), *_STATED]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = {parameter.name for parameter in getattr(function, "__click_params__", ())}
        names = {key: key.replace("-", "_") for key in keys() if key.replace("-", "_") not in own}

        @wraps(function)
        def command(**given: Any) -> Any:
            said = {key: given.pop(name) for key, name in names.items() if name in given}
            overrides = {key: _plain(value) for key, value in said.items() if value not in (None, (), {})}
            file, isolated = given.pop("config"), given.pop("isolated")
            if file is not None and isolated:
                raise click.UsageError("--config and --isolated exclude each other")
            try:
                return function(configuration=Configuration(overrides, file, isolated), **given)
            except SettingsError as error:
                raise _Unusable(str(error)) from None

        return _with(options, command)

    return decorate


def _with(options: Sequence[Option], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


class _Unusable(click.ClickException):
    """Settings that cannot be used."""

    exit_code = 2


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass
class Found:
    """The sources to look at. `explicit`: the user named the file itself, so it is looked at whatever it holds.

    `skipped` are the files and directories that were passed over, and why; `examined` counts the candidates.
    """

    sources: list[tuple[SourceText, bool]] = field(default_factory=list)
    unreadable: list[tuple[SourceText, Unreadable]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    examined: int = 0


def find(
    paths: tuple[str, ...],
    stdin_filename: str | None,
    configuration: Configuration | None = None,
    *,
    force_exclude: bool = False,
    gitignore: bool = True,
) -> Found:
    """Read files, the configurations below directories, and `-` for stdin. Raises a click error for a path that is not there."""
    choice = configuration.choice if configuration is not None else default_choice
    files = [Path(path) for path in paths if path != "-"]
    discovered = discover(files, choice, gitignore=gitignore, force_exclude=force_exclude)
    found = Found(skipped=discovered.skipped, examined=discovered.examined)
    if "-" in paths:
        data = sys.stdin.buffer.read()
        name = stdin_filename or "-"
        _add(found, name, partial(SourceText.decode, data, name), True)
    for entry in discovered.files:
        _add(found, str(entry.path), partial(SourceText.load, entry.path), entry.explicit)
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


def unresolved(launches: Sequence[Launch]) -> bool:
    """Are there arguments whose value cannot be told, or that nobody sees? They are listed on the standard error."""
    from trainlint.coverage import coverage

    lines = []
    for launch in launches:
        found = coverage(launch)
        lines += [f"{gap.where}: unresolved: {gap}" for gap in found.unresolved]
        if found.open is not None:
            start = launch.at.start
            lines.append(
                f"{launch.at.source.path}:{start.line}:{start.column}: further arguments may follow: {found.open}"
            )
    for line in dict.fromkeys(lines):
        click.echo(line, err=True)
    return bool(lines)


def sources(found: Found) -> Iterator[SourceText]:
    for source, _ in found.sources:
        yield source
