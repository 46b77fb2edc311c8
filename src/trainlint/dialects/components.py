"""Components: what a configuration names by its import path and calls with the keys beside that name as keywords.

`config.instantiate` of torchtune calls `_component_(*args, **kwargs)` with every other key of the section
(torchtune/config/_instantiate.py), so a keyword that the function or class does not take is a TypeError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.dotted import Leaf, Leaves
from trainlint.dialects.tables import Schema, Spec, table
from trainlint.facts import ArgumentIssue

TABLES = ("torchtune_components", "torch_components", "bitsandbytes_components")


@dataclass(frozen=True)
class Components:
    """The components that a file names and the tables hold, as part of its schema."""

    schema: Schema
    strict: tuple[str, ...]
    """The beginnings of the names that go to a component which takes no other keywords than the tables say."""
    issues: list[ArgumentIssue]
    """Paths that lead to no component of any version, where another one was probably meant."""


def read(found: Leaves, schema: Schema, key: str) -> Components:
    """`key` names the component of its section. What the tables do not hold may take anything, and stays as it is."""
    added: dict[str, Spec] = {}
    closed: list[str] = []
    free: list[str] = []
    issues: list[ArgumentIssue] = []
    for prefix, path, leaf in _named(found, key):
        where = _index().get(path)
        if where is None:
            issues += _misspelt(prefix + key, path, leaf)
            continue
        for name, spec in Schema(where).items():
            shown = path if name == key else ""
            added[prefix + name] = replace(spec, name=prefix + name, shown=shown)
        content, _, section = where.partition(":")
        (free if table(content)["sections"][section]["extra"] == "allow" else closed).append(prefix)
    return Components(schema.extended(added, free=tuple(free)), tuple(closed), issues)


def _named(found: Leaves, key: str) -> Iterator[tuple[str, str, Leaf]]:
    """The sections that name a component: the beginning of their names, its path, and where that stands."""
    for name, leaf in found.items():
        if name.endswith(f".{key}") and isinstance(leaf.value, str) and leaf.unknown is None:
            yield name.removesuffix(key), leaf.value, leaf


@cache
def _index() -> dict[str, str]:
    """Where each component stands: table and section, by its path."""
    found: dict[str, str] = {}
    for name in TABLES:
        for section, content in table(name)["sections"].items():
            found.update(dict.fromkeys((section, *content["same"]), f"{name}:{section}"))
    return found


def _misspelt(name: str, path: str, leaf: Leaf) -> Iterator[ArgumentIssue]:
    """Names of models differ by their numbers: one with other numbers is no near miss, but perhaps a newer model."""
    module, _, last = path.rpartition(".")
    beside = [other.rpartition(".")[2] for other in _index() if other.rpartition(".")[0] == module]
    specs = {other: next(iter(Schema(_index()[f"{module}.{other}"]).values())) for other in beside}
    alike = {other: spec for other, spec in specs.items() if _digits(other) == _digits(last)}
    issue = unknown_argument(last, leaf.at, alike, closed=True)
    if issue is not None and issue.replacement is not None:
        meant = f"{module}.{issue.replacement}"
        message = f"there is no {path}; did you mean {meant}?"
        whole = leaf.at.text == path
        yield replace(
            issue,
            name=name,
            message=message,
            advice=f"write {meant}",
            certain=False,
            replacement=meant if whole else None,
        )


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())
