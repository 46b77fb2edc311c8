"""The expressions of rule files: arithmetic and comparisons over facts, three-valued where a fact is unknown.

`and`/`or` are Kleene's: an unknown operand decides only when it must. Everything that could do more than compute is off:
no attributes except `args.x`, `given.x`, `known.x`, `written.x` and `key.x`, no text formatting, no comprehensions, and only the
functions below.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any, Protocol

from simpleeval import InvalidExpression, SimpleEval

from trainlint.facts import Unknown

MAX_EXPRESSION = 1000
MAX_TEMPLATE = 2000
MAX_SHOWN = 1000
"""Characters of one expression, of a message as written, and of one value in it."""
MAX_BITS = 1024
"""Of a whole number, as many as the largest float needs."""


def _round(value: Any, digits: int = 0) -> Any:
    if abs(digits) > 20:  # round(1, -10**9) would work out 10**10**9
        raise ValueError(f"round to {digits} digits")
    return round(value, digits) if digits else round(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": lambda x: x**0.5, "min": min, "max": max, "round": _round, "len": len, "any": any, "all": all, "abs": abs,
    "first": lambda items: next(iter(items), None),
}  # fmt: skip
SPEC = re.compile(r"[<>^]?\d{0,2},?(\.\d{1,2})?[dgef%s]?")
"""The format specifications that a message may use."""


class RuleError(Exception):
    """A rule file that cannot be used; the message says why, in characters that are safe to print."""

    def __init__(self, message: str) -> None:
        text = "".join(char if char.isprintable() else "\ufffd" for char in message[:MAX_SHOWN])
        super().__init__(text + "…" * (len(message) > MAX_SHOWN))


class Namespace(Protocol):
    """What an expression reads: bare values by name, and `args.x` and its kin by base and name. Raises `Unknown`."""

    def lookup(self, name: str) -> Any: ...
    def attribute(self, base: str, name: str) -> Any: ...


@dataclass(frozen=True)
class Expression:
    """One parsed expression. `names` are the names it reads, `attributes` the dotted ones."""

    source: str
    tree: ast.expr
    names: frozenset[str]
    attributes: frozenset[tuple[str, str]]

    @classmethod
    @lru_cache(maxsize=4096)  # the cases of a rule say much alike
    def parse(cls, source: str) -> Expression:
        """Raises `RuleError` for anything that is not a plain expression."""
        if len(source) > MAX_EXPRESSION:
            raise RuleError(f"longer than {MAX_EXPRESSION:,} characters, which no expression is: {source[:60]!r}…")
        if "\\" in source:  # and so no invalid escape, of which Python would warn on the terminal
            raise RuleError(f"a backslash has no place in {source!r}")
        try:
            tree = ast.parse(source.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RuleError(f"not an expression: {source!r} ({error})") from None
        names, attributes = set(), set()
        for node in ast.walk(tree):
            if type(node) not in _ALLOWED:
                raise RuleError(f"{type(node).__name__} is not allowed in {source!r}")
            if isinstance(node, ast.Attribute):
                base, name = _dotted(node)
                if base not in BASES:
                    raise RuleError(f"only {', '.join(BASES)} have attributes, in {source!r}")
                attributes.add((base, name))
            elif isinstance(node, ast.Call):
                if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
                    raise RuleError(f"only {', '.join(FUNCTIONS)} can be called, in {source!r}")
            elif isinstance(node, ast.Name):
                names.add(node.id)
        return cls(source, tree, frozenset(names - set(FUNCTIONS) - set(BASES)), frozenset(attributes))

    def evaluate(self, namespace: Namespace) -> Any:
        """The value. Raises `Unknown` when it depends on an unknown fact, `RuleError` when it cannot be computed."""
        try:
            return _EVALUATOR.compute(self.tree, namespace)
        except (InvalidExpression, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            written = sorted(name for base, name in self.attributes if base == "args")
            if isinstance(error, TypeError) and written:
                # facts are of one kind, but an argument is whatever somebody wrote
                raise Unknown(f"{' or '.join(written)} is of a kind that cannot be judged", written[0]) from None
            raise RuleError(f"{self.source!r}: {error}") from None


BASES = ("args", "given", "known", "written", "key")


def _dotted(node: ast.Attribute) -> tuple[str, str]:
    """`args.optim.lr` is the argument `optim.lr` of the base `args`, never an attribute of a value.

    The base is empty where none stands at the beginning, and where a nested name begins with an underscore.
    """
    names, inner = [node.attr], node.value
    while isinstance(inner, ast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    private = len(names) > 1 and any(name.startswith("_") for name in names)
    base = inner.id if isinstance(inner, ast.Name) and not private else ""
    return base, ".".join(reversed(names))


_ALLOWED = {
    ast.Constant, ast.Name, ast.Load, ast.Attribute, ast.Call, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp,
    ast.List, ast.Tuple, ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv,
    ast.Mod, ast.Pow, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
}  # fmt: skip


_NAMESPACE: ContextVar[Namespace] = ContextVar("namespace")
"""Of the expression at hand: a `let` is worked out while another expression is, and each thread has its own."""


class _Evaluator(SimpleEval):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(functions=FUNCTIONS)
        handlers: dict[type, Any] = getattr(self, "nodes")  # noqa: B009 (simpleeval has no types)
        self.nodes = {kind: handler for kind, handler in handlers.items() if kind in _ALLOWED}
        self.nodes[ast.Name] = lambda node: _NAMESPACE.get().lookup(node.id)
        self.nodes[ast.Attribute] = lambda node: _NAMESPACE.get().attribute(*_dotted(node))
        self.nodes[ast.BoolOp] = self._kleene
        self.nodes[ast.Compare] = self._compare
        self.nodes[ast.BinOp] = self._arithmetic
        self.nodes[ast.List] = self.nodes[ast.Tuple] = self._flat

    def compute(self, tree: ast.expr, namespace: Namespace) -> Any:
        token = _NAMESPACE.set(namespace)
        try:
            return self._eval(tree)
        finally:
            _NAMESPACE.reset(token)

    def _kleene(self, node: ast.BoolOp) -> bool:
        deciding = isinstance(node.op, ast.Or)
        missing: Unknown | None = None
        for operand in node.values:
            try:
                if bool(self._eval(operand)) is deciding:
                    return deciding
            except Unknown as unknown:
                missing = missing or unknown
        if missing is not None:
            raise missing
        return not deciding

    def _compare(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            ordering = isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
            if ordering and (left is None or right is None):
                return False  # a setting that the run does not have is on neither side of a threshold
            if not self.operators[type(operator)](left, right):
                return False
            left = right
        return True

    def _arithmetic(self, node: ast.BinOp) -> Any:
        left, right = self._eval(node.left), self._eval(node.right)
        if left is None or right is None:
            raise Unknown("it is not set", next((part.id for part in ast.walk(node) if isinstance(part, ast.Name)), ""))
        if not all(isinstance(side, (int, float)) for side in (left, right)):
            raise TypeError(f"arithmetic on {type(left).__name__} and {type(right).__name__}")
        if isinstance(node.op, ast.Pow) and (abs(left) > 1e6 or abs(right) > 64):
            raise ValueError("a power that large has no place in a rule")
        value = self.operators[type(node.op)](left, right)
        if isinstance(value, int) and value.bit_length() > MAX_BITS:  # a chain of squares would fill the memory
            raise ValueError("a number that large has no place in a rule")
        return value

    def _flat(self, node: ast.List | ast.Tuple) -> list[Any]:
        values = [self._eval(element) for element in node.elts]
        if any(isinstance(value, (list, tuple, dict)) for value in values):
            raise TypeError("a list of lists")  # which a chain of let could make endless to compare or to print
        return values


_EVALUATOR = _Evaluator()
"""One for all expressions: to make one takes longer than most expressions do."""


@dataclass(frozen=True)
class Template:
    """A message with `{expression:format}` holes."""

    source: str
    pieces: tuple[tuple[str, Expression | None, str], ...]

    @classmethod
    def parse(cls, source: str) -> Template:
        """Raises `RuleError`."""
        if len(source) > MAX_TEMPLATE:
            raise RuleError(f"longer than {MAX_TEMPLATE:,} characters, which no message is: {source[:60]!r}…")
        pieces = []
        try:
            parsed = list(Formatter().parse(source))
        except ValueError as error:
            raise RuleError(f"{source!r}: {error}") from None
        for text, hole, spec, conversion in parsed:
            if conversion or not SPEC.fullmatch(spec or ""):
                raise RuleError(f"the format {spec!r} is not allowed in {source!r}")
            pieces.append((text, Expression.parse(hole) if hole is not None else None, spec or ""))
        return cls(source, tuple(pieces))

    @property
    def expressions(self) -> list[Expression]:
        return [expression for _, expression, _ in self.pieces if expression is not None]

    def render(self, namespace: Namespace) -> str:
        """The text. An unknown hole reads `?`, so that a message can mention what it does not need."""
        out = []
        for text, expression, spec in self.pieces:
            out.append(text)
            if expression is not None:
                try:
                    shown = _shown(expression.evaluate(namespace), spec)
                except Unknown:
                    shown = "?"
                except (TypeError, ValueError, ArithmeticError) as error:
                    raise RuleError(f"{self.source!r}: {error}") from None
                out.append(shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…")
        return ONE.sub(r"1 \1\2", "".join(out))


ONE = re.compile(
    r"(?<![\w.,-])1 (optimizer |visible )?(GPU|step|token|example|epoch|process|machine|checkpoint|replica)(?:es|s)\b"
)
"""A count of one and its plural, as a template makes it."""


def _shown(value: Any, spec: str) -> str:
    if isinstance(value, float) and not spec:
        spec = "g"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if spec and not isinstance(value, (int, float)):
        return str(value)
    if spec.endswith("d") or ("," in spec and "." not in spec and not spec.endswith(("g", "e", "f"))):
        value = round(value)
    try:
        return tidy(format(value, spec))
    except OverflowError:  # an integer beyond all floats
        return f"{'-' * (value < 0)}1e{len(str(abs(value))) - 1} or more"


def tidy(number: str) -> str:
    """`2e-05` and `0.0002` as people write them: `2e-5`, `2e-4`."""
    small = re.fullmatch(r"(-?)0\.(0{3,})([1-9])(\d*)", number)
    if small is not None:
        sign, zeros, first, rest = small.groups()
        return f"{sign}{first}{'.' * bool(rest)}{rest}e-{len(zeros) + 1}"
    return re.sub(r"e([+-])0+(?=\d)", lambda match: "e" + match.group(1).replace("+", ""), number)


def unknown_names(expressions: list[Expression], allowed: Mapping[str, Any] | frozenset[str] | set[str]) -> set[str]:
    """The names that nothing defines."""
    return {name for expression in expressions for name in expression.names if name not in allowed}
