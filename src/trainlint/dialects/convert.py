"""A value as the trainer's own parser makes it, and what that parser would say against it.

Two ways lead into a framework: text through argparse (`from_text`), and values that a YAML or JSON loader has already typed
(`from_loaded`). They differ: `1e-4` is a number to argparse and, in YAML, a string to PyYAML.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trainlint.dialects.tables import Edition

TRUE = frozenset({"yes", "true", "t", "y", "1"})
FALSE = frozenset({"no", "false", "f", "n", "0"})
"""What `transformers.hf_argparser.string_to_bool` takes, in any case."""


class Rejected(Exception):
    """The framework would not take the value. `kind` is that of `ArgumentIssue`; `certain`: it crashes for sure."""

    def __init__(self, kind: str, message: str, certain: bool = True) -> None:
        super().__init__(message)
        self.kind, self.message, self.certain = kind, message, certain


def from_text(edition: Edition, texts: Sequence[str]) -> Any:
    """Convert the words after a flag as argparse would. `texts` is empty for a bare flag. Raises `Rejected`."""
    types = edition.types
    listed = next((name for name in types if name.startswith("list")), None)
    if listed is not None:
        inner = frozenset({listed[5:-1] or "str"})
        return [_scalar(text, inner, edition.choices) for text in texts]
    if not texts:
        return True
    return _scalar(texts[0], types, edition.choices)


def _scalar(text: str, types: frozenset[str], choices: tuple[Any, ...] | None) -> Any:
    if choices is not None:
        for choice in choices:
            if str(choice) == text:
                return choice
        raise Rejected("choice", f"{text!r} is none of {_listed(choices)}")
    for name, convert in (("bool", _bool), ("int", int), ("float", float)):
        if name in types:
            try:
                return convert(text)
            except ValueError:
                continue
    if types & {"str", "any", "dict"}:
        return text
    wanted = " or ".join(sorted(types - {"None"}))
    raise Rejected("type", f"{text!r} is not {_article(wanted)}")


def _bool(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError


def from_loaded(edition: Edition, value: Any) -> Any:
    """Judge a value that goes into a dataclass as the loader typed it. Raises `Rejected`."""
    if value is None or edition.types & {"any", "dict"} or any(name.startswith("list") for name in edition.types):
        return value
    if edition.choices is not None:
        if isinstance(value, (dict, list)) or value in edition.choices:
            return value
        if value is False and "no" in edition.choices:
            raise Rejected("choice", "an unquoted no is the boolean false in YAML 1.1, not the text 'no'")
        raise Rejected("choice", f"{value!r} is none of {_listed(edition.choices)}")
    if edition.admits(value):
        return value
    wanted = " or ".join(sorted(edition.types - {"None"}))
    if isinstance(value, str):
        numeric = edition.types & {"int", "float"}
        if numeric and _is_number(value):
            raise Rejected("type", f"{value!r} is a string to this loader, not {_article(wanted)}")
        raise Rejected("type", f"{value!r} is not {_article(wanted)}", certain=bool(numeric))
    raise Rejected("type", f"{json.dumps(value, default=str)} is not {_article(wanted)}", certain=False)


def from_lax(edition: Edition, value: Any) -> Any:
    """Convert a loaded value as pydantic's lax mode or argparse over YAML text would: a numeric string is a number."""
    if isinstance(value, str) and "str" not in edition.types and edition.choices is None:
        return from_text(edition, [value])
    if isinstance(value, (int, float)) and not isinstance(value, bool) and edition.types & {"int", "float"}:
        if isinstance(value, float) and "float" not in edition.types and value != int(value):
            raise Rejected("type", f"{value!r} is not {_article('int')}")
        return value if "float" in edition.types else int(value)
    return from_loaded(edition, value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _article(type_: str) -> str:
    names = {"int": "an integer", "float": "a number", "bool": "a boolean", "float or int": "a number"}
    return names.get(type_, type_)


def _listed(choices: Sequence[Any]) -> str:
    shown = [str(choice) for choice in choices[:8]]
    return ", ".join(shown) + (f" and {len(choices) - 8} more" if len(choices) > 8 else "")
