"""What Python computes of plain values, within limits: nothing here may take long or much memory, whatever a file says."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

MOST_BITS = 4096
LONGEST = 10_000


class Refused(Exception):
    """Not computed: Python itself would fail, or the result would be too large."""


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MOST_BITS:
        raise Refused("the number is too large")
    return base**exponent


def _times(left: Any, right: Any) -> Any:
    for many, count in ((left, right), (right, left)):
        if isinstance(many, (str, list, tuple)) and isinstance(count, int) and len(many) * count > LONGEST:
            raise Refused("the value is too long")
    return left * right


def _shift(left: Any, right: Any) -> Any:
    if isinstance(right, int) and right > MOST_BITS:
        raise Refused("the number is too large")
    return left << right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        raise Refused("%-formatting is not followed")
    return left % right


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _times, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: _modulo, ast.Pow: _power, ast.LShift: _shift, ast.RShift: operator.rshift,
    ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
}  # fmt: skip
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda one, many: one in many, ast.NotIn: lambda one, many: one not in many,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "str": str, "bool": bool, "len": len, "min": min, "max": max, "round": round, "abs": abs,
    "sum": sum, "math.ceil": math.ceil, "math.floor": math.floor, "math.sqrt": math.sqrt,
}  # fmt: skip
METHODS = frozenset({"lower", "upper", "strip", "lstrip", "rstrip", "replace", "split", "removeprefix", "removesuffix"})
"""Methods of text that do what they do without growing it beyond what was given."""
_FORMAT_SPEC = re.compile(r"(?:.?[<>=^])?[+\- ]?#?0?\d{0,2}[,_]?(?:\.\d{1,2})?[a-zA-Z%]?")


def compute(function: Callable[..., Any], *operands: Any) -> Any:
    """Raises `Refused` where Python would raise, or where the result is out of all proportion."""
    try:
        result = function(*operands)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"it fails: {error}") from None
    if isinstance(result, int) and result.bit_length() > MOST_BITS:
        raise Refused("the number is too large")
    if isinstance(result, complex) or (isinstance(result, (str, bytes, list, tuple)) and len(result) > LONGEST):
        raise Refused("the value is too long")
    return result


def method(text: str, name: str, operands: Sequence[Any]) -> Any:
    if name == "replace" and len(text) * max((len(str(each)) for each in operands), default=0) > LONGEST:
        raise Refused("the value is too long")
    return compute(getattr(text, name), *operands)


def formatted(value: Any, conversion: int, spec: str) -> str:
    """A field of an f-string."""
    if not _FORMAT_SPEC.fullmatch(spec):
        raise Refused("the format is not followed")
    if conversion != -1:
        value = f"%{chr(conversion)}" % (value,)
    text: str = compute(format, value, spec)
    return text
