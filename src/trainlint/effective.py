"""The settings in force for a file: the defaults, over them the nearest configuration, over that the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trainlint.config import ADDED, TABLES, Config
from trainlint.config_file import ConfigError, Source, load_chain, nearest, resolve, validate
from trainlint.derive.catalogue import CatalogueError
from trainlint.derive.catalogue import load as load_models
from trainlint.patterns import Patterns
from trainlint.places import called
from trainlint.ruleset import catalogue, shipped
from trainlint.ruleset.expressions import RuleError
from trainlint.ruleset.file import Rule
from trainlint.selection import check
from trainlint.settings import (
    DEFAULT_EXCLUDE,
    FileChoice,
    FileIgnores,
    Ignore,
    Layer,
    Said,
    Settings,
    SettingsError,
    did_you_mean,
    option,
    state,
)
from trainlint.text import SourceText

COMMAND_LINE = "command line"
_STATED = ("world_size", "gpu", "gpu_memory", "dataset_bytes", "tokens", "mfu")
_STATED_FILES = ("base_model", "models")


class Configuration:
    """Finds and combines settings. `overrides` are what the command line says, by the keys of a configuration file; `file` is
    the one configuration for all files; `isolated`: no configuration file counts. Raises `ConfigError` for bad overrides.

    Files of one directory, and directories under the same configuration, get the same `Settings` object.
    """

    def __init__(
        self, overrides: Mapping[str, Any] = MappingProxyType({}), file: Path | None = None, isolated: bool = False
    ) -> None:
        self._given = overrides, file, isolated
        self._overrides = validate(dict(overrides), Source(Config(), Path.cwd(), COMMAND_LINE))
        self._file = Path(os.path.abspath(file)) if file is not None else None
        self._isolated = isolated
        self._by_directory: dict[Path, Settings] = {}
        self._by_file: dict[Path | None, Settings] = {}

    def anew(self) -> Configuration:
        """The same, with nothing remembered of files that may have changed since."""
        shipped.cache_clear()
        _catalogue.cache_clear()
        load_models.cache_clear()
        return Configuration(*self._given)

    def effective(self, file: Path | None = None) -> Settings:
        """The settings for a file or a directory (default: the working directory). Raises `ConfigError`."""
        path = Path(os.path.abspath(file or Path.cwd()))
        directory = path if path.is_dir() else path.parent
        if directory not in self._by_directory:
            source = self._source(directory)
            if source not in self._by_file:
                self._by_file[source] = self._combine(source)
            self._by_directory[directory] = self._by_file[source]
        return self._by_directory[directory]

    def of(self, source: SourceText) -> Settings:
        """The settings for a source; a text from stdin is taken to lie where its name says. Raises `ConfigError`."""
        return self.effective(source.file or Path(source.path))

    def choice(self, directory: Path) -> FileChoice:
        """Which files a search takes in a directory: for `discover`."""
        return self.effective(directory).files

    def _source(self, directory: Path) -> Path | None:
        if self._isolated:
            return None
        return self._file or nearest(directory)

    def _combine(self, file: Path | None) -> Settings:
        sources = [*(load_chain(file) if file is not None else []), self._overrides]
        rules = [path for source in sources for path in _rules(source)]
        return _Combined(
            sources, _catalogue(tuple(rules)) if _speaks_of_rules(sources) else {}, tuple(rules)
        ).settings()


def _speaks_of_rules(sources: Iterable[Source]) -> bool:
    named = {"select", "extend_select", "ignore", "per_file_ignores", "severity", "limits", "ignores"}
    return any(source.config.model_fields_set & named for source in sources)


def _rules(source: Source) -> Iterator[Path]:
    for index, directory in enumerate(source.config.rules):
        path = resolve(source.base, directory)
        if not path.is_dir():
            raise ConfigError(source.error(f"{path} is no directory", "rules", index))
        yield path


@cache
def _catalogue(rules: tuple[Path, ...]) -> dict[str, Rule]:
    try:
        return catalogue(rules)
    except RuleError as error:
        raise ConfigError(str(error)) from None


class _Combined:
    """Settings made of several sources, the strongest last."""

    def __init__(self, sources: list[Source], rules: Mapping[str, Rule], directories: tuple[Path, ...]) -> None:
        self.sources, self.rules, self.directories = sources, rules, directories
        self._problems: list[str] = []

    def settings(self) -> Settings:
        """Raises `ConfigError` with everything that is wrong with rules and selectors."""
        for source in self.sources:
            self._check(source)
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        severity = self._table("severity")
        baseline = self._last("baseline")
        file = next((source.file for source in reversed(self.sources) if source.file is not None), None)
        return Settings(
            profile=self._value("profile"),
            intent=self._value("intent"),
            stated={name: fact for source in self.sources for name, fact in _stated(source).items()},
            defines=self._plain("defines"),
            args=self._plain("args"),
            assume_unset_empty=self._value("assume_unset_empty"),
            data=self._value("data"),
            rules=self.directories,
            selection=tuple(layer for source in self.sources if (layer := self._layer(source, severity)) != Layer()),
            file_ignores=tuple(self._file_ignores()),
            severity={rule: said[0] for rule, said in severity.items() if said[0] != "off"},
            limits=self._limits(),
            targets=self._plain("targets"),
            fail_on=self._value("fail_on"),
            min_confidence=self._value("min_confidence"),
            require_reason=self._value("require_reason"),
            ignores=tuple(self._ignores()),
            baseline=resolve(baseline.base, baseline.config.baseline)
            if baseline and baseline.config.baseline
            else None,
            files=FileChoice(tuple(self._patterns("include")), tuple(self._excluded())),
            source=file,
            provenance=dict(self._provenance()),
        )

    # ------------------------------------------------------------------------------------------------- combining

    def _last(self, name: str) -> Source | None:
        """The strongest source that says a setting."""
        return next((source for source in reversed(self.sources) if name in source.config.model_fields_set), None)

    def _value(self, name: str) -> Any:
        source = self._last(name)
        return getattr(source.config if source is not None else Config(), name)

    def _table(self, name: str) -> dict[str, tuple[Any, Source]]:
        """The entries of a table, each with the source that it comes from."""
        return {key: (value, source) for source in self.sources for key, value in getattr(source.config, name).items()}

    def _plain(self, name: str) -> dict[str, Any]:
        return {key: value for key, (value, _) in self._table(name).items()}

    def _limits(self) -> dict[str, dict[str, Any]]:
        merged: dict[str, dict[str, Any]] = {}
        for source in self.sources:
            for rule, limits in source.config.limits.items():
                merged.setdefault(rule, {}).update(limits)
        return merged

    def _layer(self, source: Source, severity: Mapping[str, tuple[Any, Source]]) -> Layer:
        off = tuple(rule for rule, (level, by) in severity.items() if level == "off" and by is source)
        config = source.config
        select = tuple(config.select) if config.select is not None else None
        return Layer(select, tuple(config.extend_select), (*config.ignore, *off))

    def _file_ignores(self) -> Iterator[FileIgnores]:
        for pattern, (selectors, source) in self._table("per_file_ignores").items():
            yield FileIgnores(pattern, source.base, tuple(selectors))

    def _ignores(self) -> Iterator[Ignore]:
        for source in self.sources:
            for index, entry in enumerate(source.config.ignores):
                patterns = Patterns(source.base, (entry.path,))
                yield Ignore(patterns, entry.pointer, tuple(entry.rules), entry.reason, source.where("ignores", index))

    def _excluded(self) -> Iterator[Patterns]:
        if self._last("exclude") is None:
            own = [source for source in self.sources if source.file is not None]
            yield Patterns(own[-1].base if own else Path.cwd(), DEFAULT_EXCLUDE, "excluded by default")
        else:
            yield from self._patterns("exclude")
        for source in self.sources:
            yield from _patterns(source, "extend_exclude")

    def _patterns(self, name: str) -> Iterator[Patterns]:
        source = self._last(name)
        if source is not None:
            yield from _patterns(source, name)

    # ------------------------------------------------------------------------------------------------- checking

    def _check(self, source: Source) -> None:
        config = source.config
        for name in ("select", "extend_select", "ignore"):
            self._selectors(source, getattr(config, name) or (), _key(name))
        for pattern, selectors in config.per_file_ignores.items():
            self._selectors(source, selectors, "per-file-ignores", pattern)
        for index, entry in enumerate(config.ignores):
            self._selectors(source, entry.rules, "ignores", index, "rules")
        for rule in config.severity:
            self._known(source, "severity", rule)
        for rule, limits in config.limits.items():
            if self._known(source, "limits", rule):
                for name, value in limits.items():
                    problem = _limit_problem(self.rules[rule], name, value)
                    if problem is not None:
                        self._problems.append(source.error(problem, "limits", rule, name))

    def _selectors(self, source: Source, selectors: Iterable[str], *key: str | int) -> None:
        for index, selector in enumerate(selectors):
            try:
                check(selector, self.rules)
            except SettingsError as error:
                self._problems.append(source.error(str(error), *key, index))

    def _known(self, source: Source, key: str, rule: str) -> bool:
        if rule in self.rules:
            return True
        hint = did_you_mean(rule, list(self.rules)) or "; trainlint rules lists them"
        self._problems.append(source.error(f"there is no rule {rule}{hint}", key, rule))
        return False

    # ----------------------------------------------------------------------------------------------- provenance

    def _provenance(self) -> Iterator[tuple[str, Said]]:
        for name in Config.model_fields:
            key = _key(name)
            if name == "extend":
                continue
            if name in TABLES:
                yield from self._table_provenance(name, key)
            elif name in ADDED:
                yield key, self._added_provenance(name, key)
            else:
                source = self._last(name)
                if source is not None:
                    yield key, Said(_shown(source, name, getattr(source.config, name)), source.where(key))
                else:
                    yield key, Said(_default(name), "default")

    def _table_provenance(self, name: str, key: str) -> Iterator[tuple[str, Said]]:
        if name == "limits":
            last = {
                (rule, limit): (value, source)
                for source in self.sources
                for rule, limits in source.config.limits.items()
                for limit, value in limits.items()
            }
            for (rule, limit), (value, source) in last.items():
                yield f'{key}."{rule}".{limit}', Said(value, source.where(key, rule, limit))
            return
        for entry, (value, source) in self._table(name).items():
            shown = entry if entry.replace("_", "").replace("-", "").isalnum() and entry.isascii() else _quoted(entry)
            yield f"{key}.{shown}", Said(value, source.where(key, entry))

    def _added_provenance(self, name: str, key: str) -> Said:
        sources = [source for source in self._since_select(name) if getattr(source.config, name)]
        values = [_shown(source, name, value) for source in sources for value in getattr(source.config, name)]
        where = list(dict.fromkeys(source.where(key) for source in sources))
        return Said(values, ", ".join(where) or "default")

    def _since_select(self, name: str) -> list[Source]:
        """A `select` makes void what weaker sources say of rules."""
        if name not in ("extend_select", "ignore"):
            return self.sources
        starts = [index for index, source in enumerate(self.sources) if source.config.select is not None]
        return self.sources[starts[-1] :] if starts else self.sources


def _patterns(source: Source, name: str) -> Iterator[Patterns]:
    lines = getattr(source.config, name)
    if lines:
        yield Patterns(source.base, tuple(lines), f"{_key(name)}, {source.where(_key(name))}")


def _stated(source: Source) -> dict[str, Any]:
    """The facts that one source states: what a stronger one says of the GPU replaces both its name and its memory."""

    def in_file(key: str, value: Any) -> str:
        return f"{key} in {source.where(key)}"

    values = {name: getattr(source.config, name) for name in _STATED}
    return state(**values, **_stated_files(source), spell=option if source.file is None else in_file)


def _stated_files(source: Source) -> dict[str, Any]:
    """The files that say something of models. Raises `ConfigError` for one that cannot be used."""
    found = {
        name: resolve(source.base, path) for name in _STATED_FILES if (path := getattr(source.config, name)) is not None
    }
    if "base_model" in found and found["base_model"].is_dir():
        found["base_model"] /= "config.json"
    for name, path in found.items():
        if not path.is_file():
            raise ConfigError(source.error(f"{path} is no file", _key(name)))
    if "models" in found:
        try:
            load_models(found["models"])
        except CatalogueError as error:
            raise ConfigError(source.error(str(error), "models")) from None
    return found


def _limit_problem(rule: Rule, name: str, value: Any) -> str | None:
    """What is wrong with a threshold, judged by the one that it replaces."""
    if not rule.limits:
        return f"{rule.id} has no limits"
    if name not in rule.limits:
        return f"{rule.id} has no limit {name}{did_you_mean(name, list(rule.limits)) or _one_of(rule.limits)}"
    default = rule.limits[name]
    return None if _fits(value, default) else f"should be {_kind(default)}, as in {name} = {_literal(default)}"


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, list) and isinstance(value, list):
        return not default or all(_fits(element, default[0]) for element in value)
    return _kind(value) == _kind(default) and value == value  # not NaN


def _one_of(names: Iterable[str]) -> str:
    return f"; it has {', '.join(names)}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "a table"


def _literal(value: Any) -> str:
    import json

    return json.dumps(value)


def _quoted(text: str) -> str:
    return _literal(text)


def _key(name: str) -> str:
    return name.replace("_", "-")


def _default(name: str) -> Any:
    if name == "select":
        return ["all"]
    return list(DEFAULT_EXCLUDE) if name == "exclude" else getattr(Config(), name)


def _shown(source: Source, name: str, value: Any) -> Any:
    """As plain data; a path as seen from the working directory."""
    if name in ("rules", "baseline", *_STATED_FILES):
        return called(resolve(source.base, value))
    return value.model_dump(by_alias=True) if name == "ignores" else value
