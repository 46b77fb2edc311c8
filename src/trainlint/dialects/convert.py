"""A value as the trainer's own parser makes it, and what that parser would say against it.

Two ways lead into a framework: text through argparse (`from_text`), and values that a YAML or JSON loader has already typed
(`from_loaded`). They differ: `1e-4` is a number to argparse and, in YAML, a string to PyYAML.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from typing import Any

from trainlint.dialects.tables import Edition

TRUE = frozenset({"yes", "true", "t", "y", "1"})
FALSE = frozenset({"no", "false", "f", "n", "0"})
"""What `transformers.hf_argparser.string_to_bool` takes, in any case."""
WORDS = (TRUE | FALSE) - {"0", "1"}


class Rejected(Exception):
    """The framework would not take the value. `kind` is that of `ArgumentIssue`; `certain`: it crashes for sure."""

    def __init__(self, kind: str, message: str, certain: bool = True) -> None:
        super().__init__(message)
        self.kind, self.message, self.certain = kind, message, certain


def from_text(edition: Edition, texts: Sequence[str]) -> Any:
    """Convert the words after a flag as argparse would. `texts` is empty for a bare flag. Raises `Rejected`."""
    listed = next((name for name in edition.words if name.startswith("list")), None)
    if listed is not None:
        return [_item(edition, text, frozenset({listed[5:-1] or "str"})) for text in texts]
    if not texts:
        return True
    if edition.truthy and texts[0].lower() in FALSE:
        raise Rejected(
            "type", f"{texts[0]!r} is true here: the script's type=bool takes any text but the empty one for true"
        )
    choices = [c for c in edition.choices or () if edition.picked is None or type(c).__name__ in edition.words]
    if choices:
        for choice in choices:
            if str(choice) == texts[0]:
                return choice
        if edition.words <= {"str", "None"}:
            raise Rejected("choice", f"{texts[0]!r} is none of {_listed(choices)}")
    value = _bounded(edition, _scalar(texts[0], edition.words))
    if edition.at is not None and edition.limits(value) and value not in (edition.choices or ()):
        raise Rejected("choice", f"{texts[0]!r} is none of {_listed(edition.choices or ())}")
    return value


def _item(edition: Edition, text: str, types: frozenset[str]) -> Any:
    if edition.item_choices is not None and text not in map(str, edition.item_choices):
        raise Rejected("choice", f"{text!r} is none of {_listed(edition.item_choices)}")
    return _scalar(text, types)


def _scalar(text: str, types: frozenset[str]) -> Any:
    for name, convert in (("bool", _bool), ("int", int), ("float", float)):
        if name in types:
            try:
                return convert(text)
            except ValueError:
                continue
    if types & {"str", "any", "dict"}:
        return text
    raise Rejected("type", f"{text!r} is not {_article(types)}")


def _bounded(edition: Edition, value: Any) -> Any:
    """Raises `Rejected` for a number outside the bounds that the framework itself checks."""
    checks = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for bound, number in edition.bounds:
            if not checks[bound](value, number):
                raise Rejected("range", f"{value:g} is not {words[bound]} {number:g}")
    return value


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
    if edition.choices is not None and value is False and "no" in edition.choices and "bool" not in edition.types:
        raise Rejected("choice", "an unquoted no is the boolean false in YAML 1.1, not the text 'no'")
    if edition.limits(value):
        if value in (edition.choices or ()):
            return value
        raise Rejected("choice", f"{value!r} is none of {_listed(edition.choices or ())}")
    if "bool" in edition.types and value in (0, 1):
        return bool(value)
    if edition.admits(value):
        return _bounded(edition, value)
    wanted = _article(edition.types)
    if isinstance(value, str):
        numeric = bool(edition.types & {"int", "float"})
        if numeric and is_number(value):
            raise Rejected("type", f"{value!r} is a string to this loader, not {wanted}")
        raise Rejected("type", f"{value!r} is not {wanted}", certain=numeric)
    raise Rejected("type", f"{json.dumps(value, default=str)} is not {wanted}", certain=False)


def from_lax(edition: Edition, value: Any) -> Any:
    """Convert a loaded value as pydantic's lax mode or argparse over YAML text would: a numeric string is a number."""
    open_text = "str" in edition.types and not edition.limits(value)
    if isinstance(value, str) and "bool" in edition.types and not open_text and value.lower() in WORDS:
        return value.lower() in TRUE
    if isinstance(value, str) and "float" in edition.types and is_number(value):
        return float(value)
    if isinstance(value, str) and "str" not in edition.types and not edition.limits(value):
        return value if edition.types & {"any", "dict"} else from_text(edition, [value])
    if isinstance(value, (int, float)) and edition.types & {"int", "float"} and "bool" not in edition.types:
        if isinstance(value, float) and "float" not in edition.types and not value.is_integer():
            raise Rejected("type", f"{value!r} is not an integer")
        return _bounded(edition, int(value) if "int" in edition.types and value == int(value) else float(value))
    return from_loaded(edition, value)


def is_number(text: str) -> bool:
    """Does a float come out of the text?"""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _article(types: frozenset[str]) -> str:
    """What was wanted, in words."""
    words = []
    if types & {"int", "float"}:
        words.append("an integer" if "float" not in types else "a number")
    if "bool" in types:
        words.append("a boolean")
    rest = types - {"int", "float", "bool", "None"}
    return " or ".join([*words, *sorted(rest)])


def _listed(choices: Sequence[Any]) -> str:
    shown = [str(choice) for choice in choices[:8]]
    return ", ".join(shown) + (f" and {len(choices) - 8} more" if len(choices) > 8 else "")
