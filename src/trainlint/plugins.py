"""Installed packages that extend trainlint through the entry-point group `trainlint`.

An entry point names a module (or any object) that may have

- `rules`: a directory of rule pages,
- `checks`: functions by name, for the `check =` of those pages,
- `dialects`: `Dialect` objects, asked before the built-in ones,
- `reporters`: by name, a function from a `Report` and a `Style` to a string, or a module with such a `render`,
- `hints`: words that occur in the configurations of its dialects, for the search of directories.

What cannot be loaded is an error of that package in the report, never the end of a run. Rules that need no Python are
better kept in a directory of their own (`--rules`), which nobody needs to trust.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from trainlint.findings import Finding, InternalError

GROUP = "trainlint"
DECLARED = "entry_points.txt"
OFF = "TRAINLINT_NO_PLUGINS"
"""The environment variable that leaves all plugins out when it is set to anything but 0."""

Kind = Literal["checks", "dialects", "reporters"]


class PluginError(Exception):
    """A plugin that failed at what it was asked for; the message names the package."""


@dataclass(frozen=True)
class Plugin:
    """What one entry point offers. `package` is the distribution's name and version, `declared` the file that says so."""

    name: str
    package: str
    declared: str
    rules: Path | None = None
    checks: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    dialects: Mapping[str, Any] = field(default_factory=dict)
    reporters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


_errors: dict[InternalError, None] = {}


@cache
def installed() -> tuple[Plugin, ...]:
    """Every plugin that could be loaded, in the order of `sys.path`. Without any, this costs the look at a directory."""
    if os.environ.get(OFF, "0") not in ("", "0"):
        return ()
    plugins = []
    for entry, package, declared in _entry_points():
        blank = Plugin(entry.name, package, declared)
        try:
            plugins.append(_read(blank, entry.load()))
        except (Exception, SystemExit) as error:
            failed(blank, error)
    return tuple(plugins)


def offered(kind: Kind, taken: Collection[str]) -> dict[str, Any]:
    """What all plugins offer of one kind, by name. A name that is `taken` already is an error of the later plugin."""
    found: dict[str, Any] = {}
    for plugin in installed():
        offers: Mapping[str, Any] = getattr(plugin, kind)
        for name, value in offers.items():
            if name in taken or name in found:
                failed(plugin, f"{kind}: there is a {name} already")
            else:
                found[name] = value
    return found


def failed(plugin: Plugin, error: BaseException | str) -> None:
    """Note for the report what a plugin could not do; the same is noted once."""
    said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    _errors[
        InternalError(
            plugin.declared,
            " ".join(["the plugin", *([plugin.name] if plugin.name else []), "of", plugin.package]),
            said,
        )
    ] = None


def errors() -> list[InternalError]:
    """What went wrong with plugins so far."""
    return list(_errors)


def leave_out() -> None:
    """Use no plugin from now on, in this process and in those that it starts."""
    os.environ[OFF] = "1"
    forget()


def forget() -> None:
    """Look for plugins anew at the next use."""
    installed.cache_clear()
    _errors.clear()


# ----------------------------------------------------------------------------------------------------------- finding


def _entry_points() -> Iterator[tuple[Any, str, str]]:
    """The entry points of the group, each with its package and file. importlib.metadata is slow to import: only on a hit."""
    seen = set()
    for directory in _metadata_directories():
        from importlib.metadata import Distribution

        file = os.path.join(directory, DECLARED)
        try:
            distribution = Distribution.at(directory)
            name, package = distribution.metadata["Name"], f"{distribution.metadata['Name']} {distribution.version}"
            entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
        except Exception as error:  # an installation that was damaged
            failed(Plugin("", os.path.basename(directory), file), error)
            continue
        if name not in seen:  # what comes first on the path is what would be imported
            seen.add(name)
            yield from ((entry, package, file) for entry in entries)


def _metadata_directories() -> Iterator[str]:
    """The `*.dist-info` directories whose entry points mention the group.

    The working directory is left out even where Python would import from it: it is the place of the linted files, and
    nothing of theirs is ever executed.
    """
    here = os.getcwd()
    for folder in dict.fromkeys(sys.path):
        if os.path.abspath(folder) == here:
            continue
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        for name in names:
            try:
                with open(os.path.join(folder, name, DECLARED), "rb") as file:
                    mentioned = f"[{GROUP}]".encode() in file.read()
            except OSError:
                continue
            if mentioned:
                yield os.path.join(folder, name)


# ----------------------------------------------------------------------------------------------------------- reading


def _read(plugin: Plugin, offer: object) -> Plugin:
    """The offers of a plugin's object. Raises `TypeError` for what is not of the kind that is wanted."""
    given = {
        name: getattr(offer, name) for name in ("rules", "checks", "dialects", "reporters") if hasattr(offer, name)
    }
    if not given:
        raise TypeError(f"{offer!r} offers no rules, checks, dialects or reporters")
    checks = _named("checks", given.get("checks", {}))
    reporters = _named("reporters", given.get("reporters", {}))
    return replace(
        plugin,
        rules=_directory(given["rules"]) if "rules" in given else None,
        checks={name: _checked(check) for name, check in checks.items()},
        dialects={dialect.name: _guarded(plugin, dialect) for dialect in given.get("dialects", ())},
        reporters={name: _written(plugin, name, reporter) for name, reporter in reporters.items()},
        hints=tuple(map(str, getattr(offer, "hints", ()))),
    )


def _directory(value: Any) -> Path:
    path = Path(value)
    if not path.is_dir():
        raise TypeError(f"rules: {path} is no directory")
    return path


def _named(kind: str, value: Any) -> dict[str, Callable[..., Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{kind} is no mapping from names")
    functions: dict[str, Any] = {name: getattr(entry, "render", entry) for name, entry in value.items()}
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"{kind}: {name} is no function")
    return functions


def _checked(check: Callable[..., Any]) -> Callable[..., Iterator[Finding]]:
    def findings(*arguments: Any) -> Iterator[Finding]:
        for finding in check(*arguments):
            if not isinstance(finding, Finding):
                raise TypeError(f"{check!r} yielded {finding!r}, which is no Finding")
            yield finding

    return findings


def _guarded(plugin: Plugin, dialect: Any) -> Any:
    """The dialect with readers that say "not mine" where they raise, so that the others get to read the file."""

    def guard(reader: Callable[..., Any] | None) -> Callable[..., Any] | None:
        if reader is None:
            return None

        def read(document: Any, *arguments: Any) -> Any:
            try:
                return reader(document, *arguments)
            except Exception as error:
                failed(plugin, f"{dialect.name} on {document.source.path}: {type(error).__name__}: {error}")
                return None

        return read

    return replace(dialect, read_command=guard(dialect.read_command), read_tree=guard(dialect.read_tree))


def _written(plugin: Plugin, name: str, reporter: Callable[..., Any]) -> Callable[..., str]:
    def render(report: Any, style: Any) -> str:
        try:
            text = reporter(report, style)
        except Exception as error:
            raise PluginError(f"the reporter {name} of {plugin.package}: {type(error).__name__}: {error}") from error
        if not isinstance(text, str):
            raise PluginError(f"the reporter {name} of {plugin.package} gave {type(text).__name__}, not text")
        return text

    return render
