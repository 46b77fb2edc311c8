"""What a trainer's loader makes of a scalar: the same text is a string to one loader and a number to another."""

from __future__ import annotations

import re
from datetime import date
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from trainlint.document import Node

if TYPE_CHECKING:
    import yaml

Dialect = Literal["pyyaml", "omegaconf", "json", "toml"]

LONGEST = 1000
"""Longer scalars stay text: no number is that long, and reading `1:1:1:…` as base 60 takes quadratic time."""

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_JSON_LITERALS: dict[str, object] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
# What OmegaConf adds to PyYAML's resolver (and it takes the timestamps away): here `1e-4` is a number.
_OMEGACONF_FLOAT = re.compile(
    r"""^(?:
      [-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
     |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
     |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
     |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
     |[-+]?\.(?:inf|Inf|INF)
     |\.(?:nan|NaN|NAN))$""",
    re.X,
)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_STRING = "tag:yaml.org,2002:str"


def resolve(node: Node, dialect: Dialect) -> object:
    """The Python value of a scalar node: str, int, float, bool, None, bytes; a date or a time (pyyaml and toml only).

    An explicit tag (`!!float 1e-4`) decides before the text does. A text that the loader would refuse to construct (an
    unknown tag, `!!int x`, the 31st of June) stays text. Never raises; a collection gives its empty text.
    """
    if node.style in ("quoted", "block") and node.tag is None:
        return node.text
    return _resolve(node.text, node.tag, dialect)


def plain(node: Node, dialect: Dialect) -> Any:
    """The whole tree as dicts, lists and scalars, as the loader would return it; the last of several equal keys wins."""
    if node.kind == "sequence":
        return [plain(element, dialect) for element in node.elements]
    if node.kind == "mapping":
        return {
            resolve(entry.key, dialect): plain(entry.value, dialect)
            for entry in node.entries
            if entry.key.kind == "scalar"
        }
    return resolve(node, dialect)


@lru_cache(maxsize=4096)
def _resolve(text: str, tag: str | None, dialect: Dialect) -> object:
    if len(text) > LONGEST:
        return text
    if dialect == "json":
        return _from_json(text)
    if dialect == "toml":
        return _from_toml(text)
    import yaml

    loader: Any = _loader(dialect)
    node = yaml.ScalarNode("", text)
    # PyYAML resolves what is tagged `!` by its text, even in quotes
    node.tag = tag if tag not in (None, "!") else loader.resolve(yaml.ScalarNode, text, (True, False))
    construct = loader.yaml_constructors.get(node.tag)
    if construct is None or node.tag == _STRING:
        return text
    try:
        value = construct(loader, node)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError):
        return text
    # the constructor of `!!seq x` and the like is a generator
    return value if value is None or isinstance(value, str | int | float | bytes | date) else text


def _from_json(text: str) -> object:
    if text in _JSON_LITERALS:
        return _JSON_LITERALS[text]
    if not (match := _JSON_NUMBER.fullmatch(text)):
        return text
    return int(text) if match.lastindex is None else float(text)


def _from_toml(text: str) -> object:
    import tomli

    try:
        return tomli.loads(f"x = {text}").get("x", text)
    except ValueError:
        return text


@cache
def _loader(dialect: Dialect) -> yaml.SafeLoader:
    """A loader that is used for its resolver and its constructors only."""
    import yaml

    if dialect == "pyyaml":
        return yaml.SafeLoader("")

    class OmegaConfLoader(yaml.SafeLoader):
        pass

    OmegaConfLoader.add_implicit_resolver("tag:yaml.org,2002:float", _OMEGACONF_FLOAT, list("-+0123456789."))
    OmegaConfLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in OmegaConfLoader.yaml_implicit_resolvers.items()
    }
    return OmegaConfLoader("")
