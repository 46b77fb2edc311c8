"""What is known of a model by its hub id: `data/models.toml`, and further files of that form that the user names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli

KINDS = ("base", "chat", "other")
FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str, "parameters": int, "active_parameters": int, "dtype": str, "quantization": str, "causal_lm": bool,
    "source": str, "config": dict, "base": list, "chat": list, "other": list,
}  # fmt: skip


class CatalogueError(ValueError):
    """A file of models that cannot be used."""


@dataclass(frozen=True)
class Model:
    """What is known of one model; None where nothing is. `config` is in the form of a config.json, as far as it is known."""

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None
    parameters: int | None = None
    active_parameters: int | None = None
    dtype: str | None = None
    quantization: str | None = None
    causal_lm: bool | None = None
    source: str = ""

    def __repr__(self) -> str:
        return self.name


class Catalogue:
    """Models by hub id. `mirrors` are organisations that hold copies of other people's models under the same names."""

    def __init__(self, models: Mapping[str, Model], mirrors: frozenset[str]) -> None:
        self._by_id = {name.lower(): model for name, model in models.items()}
        self._by_name: dict[str, list[Model]] = {}
        for name, model in models.items():
            self._by_name.setdefault(name.rpartition("/")[2].lower(), []).append(model)
        self._mirrors = mirrors

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_id.values())

    def by_id(self, name: str) -> Model | None:
        return self._by_id.get(name.lower())

    def by_last_part(self, name: str) -> Model | None:
        """The model that a directory, or a mirror's copy, is called after. None where the name could be anybody's model."""
        parts = name.rstrip("/").split("/")
        somebodys = len(parts) == 2 and parts[0].lower() not in self._mirrors and parts[0] not in ("", ".", "..", "~")
        found = [] if somebodys else self._by_name.get(parts[-1].lower(), [])
        return found[0] if found and all(_shape(model) == _shape(found[0]) for model in found) else None


def _shape(model: Model) -> tuple[Any, ...]:
    return model.config, model.parameters, model.kind, model.quantization


@cache
def own() -> Catalogue:
    """The models that come with the linter."""
    data = tomli.loads((files("trainlint") / "data" / "models.toml").read_text("utf-8"))
    return Catalogue(dict(_models(data)), frozenset(name.lower() for name in data["mirrors"]))


@cache
def load(path: Path) -> Catalogue:
    """The models of a file of the user's. Raises `CatalogueError` for one that cannot be used."""
    try:
        return Catalogue(dict(_models(tomli.loads(path.read_text("utf-8")))), frozenset())
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise CatalogueError(f"{path} is no TOML file: {error}") from None
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from None


def _models(data: Mapping[str, Any]) -> Iterator[tuple[str, Model]]:
    entries = data.get("model")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogueError("a file of models consists of tables [[model]]")
    for number, entry in enumerate(entries, 1):
        for key, value in entry.items():
            if key not in FIELDS:
                raise CatalogueError(f"model {number}: {key} is none of {', '.join(FIELDS)}")
            if not isinstance(value, FIELDS[key]) or (isinstance(value, bool) and FIELDS[key] is int):
                raise CatalogueError(f"model {number}: {key} = {value!r} is of the wrong type")
        known = {key: value for key, value in entry.items() if key not in (*KINDS, "kind")}
        names = [(kind, name) for kind in KINDS for name in entry.get(kind, [])]
        if not names or not all(isinstance(name, str) for _, name in names):
            raise CatalogueError(f"model {number}: base, chat or other must list its hub ids")
        for kind, name in names:
            yield name, Model(name, kind=entry.get("kind") if kind == "other" else kind, **known)
