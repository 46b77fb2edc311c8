"""Integer arithmetic as bash does it, on text whose `$` expansions are done."""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:0[xX][0-9a-fA-F]+|\d+#\w+|\d+)(?![\w.]))|(?P<name>[A-Za-z_]\w*(?:\[[^\]]*\])?)"
    r"|(?P<operator><<=|>>=|\*\*|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%<>=!~&|^?:(),]))",
    re.ASCII,
)
_LEVELS = """,
= += -= *= /= %= <<= >>= &= |= ^=
?
||
&&
|
^
&
== !=
< > <= >=
<< >>
+ -
* / %
**"""
_PRECEDENCE = {
    operator: level for level, operators in enumerate(_LEVELS.splitlines()) for operator in operators.split()
}
_UNARY = len(_PRECEDENCE)
_DEEPEST = 60
_LIMIT = 2**63


class Undetermined(Exception):
    """No number comes out, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Arithmetic:
    """Evaluates expressions. `read` gives the text of a variable and may raise `Undetermined`; `write` sets one."""

    def __init__(self, read: Callable[[str], str], write: Callable[[str, int], None], depth: int = 0) -> None:
        self._read, self._write, self._depth = read, write, depth

    def evaluate(self, text: str) -> int:
        if self._depth > _DEEPEST or len(text) > 10_000:
            raise Undetermined("the arithmetic is nested too deeply to be followed")
        self._tokens = self._split(text)
        self._at, self._skip = 0, 0
        if not self._tokens:
            return 0
        value = self._expression(0)
        if self._at < len(self._tokens):
            raise Undetermined(f"bash rejects the arithmetic in ({text.strip()})")
        return value

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at, text = [], 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise Undetermined(f"bash rejects the arithmetic in ({text.strip()})")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens) or (expected and self._peek() != expected):
            raise Undetermined("bash rejects this arithmetic expression")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expression(self, lowest: int) -> int:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Undetermined("the arithmetic is nested too deeply to be followed")
        left = self._operand()
        while (level := _PRECEDENCE.get(self._peek(), -1)) >= lowest:
            operator = self._take()[1]
            if operator == "?":
                left = self._choice(left, level)
            elif operator in ("&&", "||"):
                decided = (left == 0) == (operator == "&&")
                right = self._maybe(decided, level + 1)
                left = int(bool(left)) if decided else int(bool(right))
            else:
                right = self._expression(level if operator == "**" else level + 1)
                left = 0 if self._skip else _binary(operator, left, right)
        self._depth -= 1
        return left

    def _maybe(self, skip: bool, level: int) -> int:
        self._skip += skip
        try:
            return self._expression(level)
        finally:
            self._skip -= skip

    def _choice(self, condition: int, level: int) -> int:
        yes = self._maybe(not condition, 1)
        self._take(":")
        no = self._maybe(bool(condition), level)
        return yes if condition else no

    def _operand(self) -> int:
        kind, token = self._take()
        if kind == "number":
            return _number(token)
        if kind == "name":
            return self._variable(token)
        if token == "(":
            value = self._expression(0)
            self._take(")")
            return value
        if token in ("++", "--"):
            name = self._take()[1]
            return self._assign(name, self._get(name) + (1 if token == "++" else -1))
        if token in ("-", "+", "!", "~"):
            value = self._expression(_UNARY)
            return {"-": -value, "+": value, "!": int(not value), "~": ~value}[token]
        raise Undetermined(f"bash rejects the arithmetic at {token!r}")

    def _variable(self, name: str) -> int:
        following = self._peek()
        if following in ("++", "--"):
            self._take()
            old = self._get(name)
            self._assign(name, old + (1 if following == "++" else -1))
            return old
        if _PRECEDENCE.get(following) == 1:
            self._take()
            right = self._expression(1)
            return self._assign(name, right if following == "=" else _binary(following[:-1], self._get(name), right))
        return self._get(name)

    def _get(self, name: str) -> int:
        if self._skip:
            return 1
        text = self._read(name)
        if re.fullmatch(r"-?[1-9]\d{0,17}|0", text, re.ASCII):
            return int(text)
        return Arithmetic(self._read, self._write, self._depth + 1).evaluate(text)

    def _assign(self, name: str, value: int) -> int:
        if not self._skip:
            self._write(name, value)
        return value


def _number(token: str) -> int:
    base, text = 10, token
    if "#" in token:
        prefix, text = token.split("#")
        base = int(prefix)
    elif token[:2] in ("0x", "0X"):
        base = 16
    elif token[0] == "0":
        base = 8
    try:
        value = int(text, base)
    except ValueError:
        raise Undetermined(f"{token} is no number to bash") from None
    if value >= _LIMIT:
        raise Undetermined(f"{token} is too large for bash's integers")
    return value


def _binary(operator: str, left: int, right: int) -> int:
    if operator not in _OPERATIONS and operator not in "/%":
        raise Undetermined("bash rejects an assignment to what is no variable")
    if operator in "/%" and right == 0:
        raise Undetermined("division by zero")
    if operator in ("<<", ">>") and not 0 <= right < 64:
        raise Undetermined("a shift by more than 63 bits")
    if operator == "**" and (right < 0 or right > 64):
        raise Undetermined("an exponent that bash does not take")
    if operator in "/%":
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        value = quotient if operator == "/" else left - quotient * right
    else:
        value = int(_OPERATIONS[operator](left, right))
    if not -_LIMIT <= value < _LIMIT:
        raise Undetermined("the result is too large for bash's integers")
    return value


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    ",": lambda _, right: right,
    "|": int.__or__,
    "^": int.__xor__,
    "&": int.__and__,
    "==": int.__eq__,
    "!=": int.__ne__,
    "<": int.__lt__,
    ">": int.__gt__,
    "<=": int.__le__,
    ">=": int.__ge__,
    "<<": int.__lshift__,
    ">>": int.__rshift__,
    "+": int.__add__,
    "-": int.__sub__,
    "*": int.__mul__,
    "**": int.__pow__,
}
