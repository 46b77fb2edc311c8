"""What `bc` prints: decimal arithmetic in which every operation keeps as many places as `scale` and the operands say."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Context, Decimal, DecimalException

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<sign>[-+*/%^()]))")
_SCALE = re.compile(r"scale\s*=\s*(\d{1,2})")
_CONTEXT = Context(prec=120, rounding=ROUND_DOWN)
_LONGEST = 60
"""`bc` breaks lines of 70 digits."""


class Uncertain(Exception):
    """Something that is not calculated here."""


def calculate(text: str, scale: int = 0) -> str:
    """The output for one expression, with `scale=N` before it or not. Raises `Uncertain`."""
    *settings, expression = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()] or [""]
    for setting in settings:
        match = _SCALE.fullmatch(setting)
        if match is None:
            raise Uncertain
        scale = int(match[1])
    if len(text) > 200:
        raise Uncertain
    try:
        return _shown(_Calculation(expression, scale).result())
    except (DecimalException, ZeroDivisionError, RecursionError):
        raise Uncertain from None


def _places(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))


def _cut(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), context=_CONTEXT)


def _shown(number: Decimal) -> str:
    text = f"{number:f}"
    if len(text) > _LONGEST:
        raise Uncertain
    return "0" if not number else re.sub(r"^(-?)0\.", r"\1.", text)


class _Calculation:
    def __init__(self, text: str, scale: int) -> None:
        self._text, self._at, self._scale = text, 0, scale

    def result(self) -> Decimal:
        value = self._sum()
        if self._text[self._at :].strip():
            raise Uncertain
        return value

    def _next(self, *signs: str) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match["sign"] not in signs:
            return ""
        self._at = match.end()
        return match["sign"]

    def _sum(self) -> Decimal:
        value = self._product()
        while sign := self._next("+", "-"):
            right = self._product()
            value = _CONTEXT.add(value, right) if sign == "+" else _CONTEXT.subtract(value, right)
        return value

    def _product(self) -> Decimal:
        value = self._power()
        while sign := self._next("*", "/", "%"):
            right = self._power()
            if sign == "*":
                places = min(_places(value) + _places(right), max(self._scale, _places(value), _places(right)))
                value = _cut(_CONTEXT.multiply(value, right), places)
                continue
            quotient = _cut(_CONTEXT.divide(value, right), self._scale)
            if sign == "%":
                places = max(self._scale + _places(right), _places(value))
                quotient = _cut(_CONTEXT.subtract(value, _CONTEXT.multiply(quotient, right)), places)
            value = quotient
        return value

    def _power(self) -> Decimal:
        value = self._operand()
        if not self._next("^"):
            return value
        exponent = self._power()
        if _places(exponent) or not 0 <= exponent <= 32:
            raise Uncertain
        places = min(_places(value) * int(exponent), max(self._scale, _places(value)))
        return _cut(_CONTEXT.power(value, exponent), places)

    def _operand(self) -> Decimal:
        if self._next("-"):
            return -self._operand()
        if self._next("("):
            value = self._sum()
            if not self._next(")"):
                raise Uncertain
            return value
        match = _TOKEN.match(self._text, self._at)
        if match is None or not match["number"]:
            raise Uncertain
        self._at = match.end()
        return Decimal(match["number"])
