"""Configuration files: where they are, what they say, and at which line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli
from pydantic import ValidationError

from trainlint.config import Config, keys
from trainlint.places import called
from trainlint.settings import SettingsError, did_you_mean
from trainlint.text import Position, SourceText, Unreadable
from trainlint.toml_places import Key, places

NAMES = (".trainlint.toml", "trainlint.toml", "pyproject.toml")
"""In one directory the first of them is taken."""


class ConfigError(SettingsError):
    """A configuration that cannot be used; each line of the message names the file, the line and the column."""


@dataclass(frozen=True)
class Source:
    """One place that says settings: a configuration file, or the command line (`file` is None).

    `base` is where relative paths and patterns start, `name` what the place is called in messages.
    """

    config: Config
    base: Path
    name: str
    file: Path | None = None
    text: str = ""
    table: Key = ()

    def where(self, *key: str | int) -> str:
        """Where a person finds a setting: `trainlint.toml:3`."""
        if self.file is None:
            return self.name
        return f"{self.name}:{self._place(key).line}"

    def error(self, message: str, *key: str | int) -> str:
        """One line of a `ConfigError` about a setting."""
        if self.file is None:
            return f"--{key[0]}: {message}"
        place = self._place(key)
        return f"{self.name}:{place.line}:{place.column}: {_dotted(key)}: {message}"

    def _place(self, key: Key) -> Position:
        return _nearest(self._places, (*self.table, *key))

    @cached_property
    def _places(self) -> dict[Key, Position]:
        return places(self.text)


def nearest(directory: Path) -> Path | None:
    """The configuration file that is in force in an absolute directory, without looking above its git repository."""
    for step in (directory, *directory.parents):
        for name in NAMES:
            file = step / name
            if file.is_file() and (name != "pyproject.toml" or _has_table(file)):
                return file
        if (step / ".git").exists():
            return None
    return None


def _has_table(file: Path) -> bool:
    try:
        text = _read(file)
    except ConfigError:
        return False
    # a foreign pyproject.toml that is broken is not our business
    return "trainlint" in text and _table(_parse(text, called(file)), file) is not None


def load_chain(file: Path) -> list[Source]:
    """A configuration file and those that it extends, the outermost parent first. Raises `ConfigError`."""
    chain: list[Source] = []
    seen: list[Path] = []
    following: Path | None = file
    said: Callable[[str], str] = str
    while following is not None:
        real = Path(os.path.realpath(following))
        if real in seen:
            circle = " extends ".join(called(step) for step in [*seen[seen.index(real) :], real])
            raise ConfigError(said(f"the files extend each other in a circle: {circle}"))
        seen.append(real)
        source = _load(following, said)
        chain.insert(0, source)
        parent = source.config.extend
        following = resolve(source.base, parent) if parent is not None else None
        said = _in_extend(source)
    return chain


def _in_extend(source: Source) -> Callable[[str], str]:
    return lambda message: source.error(message, "extend")


def resolve(base: Path, path: str) -> Path:
    """A path of a configuration file, absolute."""
    return Path(os.path.normpath(base / os.path.expanduser(path)))


def _load(file: Path, said: Callable[[str], str]) -> Source:
    name = called(file)
    try:
        text = _read(file)
    except ConfigError as error:
        raise ConfigError(said(str(error))) from None
    content = _table(_parse(text, name), file)
    if content is None:
        raise ConfigError(said(f"{name} has no table [tool.trainlint]"))
    table: Key = ("tool", "trainlint") if file.name == "pyproject.toml" else ()
    if not isinstance(content, dict):
        place = _nearest(places(text), table)
        raise ConfigError(f"{name}:{place.line}:{place.column}: tool.trainlint: should be a table")
    return validate(content, Source(Config(), file.parent, name, file, text, table))


def validate(content: dict[str, Any], source: Source) -> Source:
    """The source with its content (by the keys of a file) as its settings. Raises `ConfigError`."""
    try:
        return replace(source, config=Config.model_validate(content))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(source, error))) from None


def _read(file: Path) -> str:
    name = called(file)
    try:
        return SourceText.load(file).text
    except Unreadable as error:
        raise ConfigError(f"{name}:{error.line}:{error.column}: cannot be read: {error.reason}") from None
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from None


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except RecursionError:
        raise ConfigError(f"{name}:1:1: nested too deeply") from None


def _table(content: dict[str, Any], file: Path) -> Any:
    """The settings in a file; None where a pyproject.toml has none."""
    if file.name != "pyproject.toml":
        return content
    tool = content.get("tool")
    return tool.get("trainlint") if isinstance(tool, dict) else None


def _explain(source: Source, error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        key = tuple(part for part in problem["loc"] if part != "[key]")
        message = problem["msg"].replace("Input should be", "should be").removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            among = keys() if len(key) == 1 else ["path", "pointer", "rules", "reason"]
            message = f"there is no such key{did_you_mean(str(key[-1]), among)}"
        elif problem["type"] == "missing":
            message = f"{key[-1]} is wanted"
            key = key[:-1]
        yield source.error(message, *key)


def _nearest(known: dict[Key, Position], key: Key) -> Position:
    """Where a key stands, or the innermost part of it that stands somewhere."""
    while key and key not in known:
        key = key[:-1]
    return known.get(key, Position(1, 1))


def _dotted(key: Key) -> str:
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part.replace("-", "").replace("_", "").isalnum() else f'"{part}"'
            text += f".{shown}" if text else shown
    return text
