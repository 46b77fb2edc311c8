"""What an expression or a class amounts to, as far as its text alone can tell."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from trainlint.scripts.names import Bound, Scope


class Unevaluable(Exception):
    """The value of an expression cannot be told from the source alone."""


OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.Pow: lambda a, b: a**b if abs(b) < 100 else 1 / 0,
}
LARGEST = 2**64
"""No default is larger; text that makes one larger is no configuration, and may mean harm."""
LONGEST = 10_000
MOST_STEPS = 20_000
BUILTINS: Mapping[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
    "tuple": list,
}


def evaluate(node: ast.AST, scope: Scope) -> Any:
    """The JSON value of a default: constants, enum members, module constants and plain arithmetic on them."""
    try:
        return _Evaluation().value(node, scope)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Unevaluable(ast.unparse(node)) from error


class _Evaluation:
    """One value being worked out, in a bounded number of steps: lists of lists of lists double at every line."""

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def value(self, node: ast.AST, scope: Scope) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError("too many steps")
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.List() | ast.Tuple() | ast.Set():
                return [self.value(e, scope) for e in node.elts]
            case ast.Dict() if None not in node.keys:
                pairs = zip(node.keys, node.values, strict=True)
                return {self.value(k, scope): self.value(v, scope) for k, v in pairs if k}
            case ast.UnaryOp(op=ast.USub()):
                return -self.value(node.operand, scope)
            case ast.UnaryOp(op=ast.Not()):
                return not self.value(node.operand, scope)
            case ast.BinOp() if type(node.op) in OPERATORS:
                return _calculate(node.op, self.value(node.left, scope), self.value(node.right, scope))
            case ast.JoinedStr():
                return "".join(str(self.value(part, scope)) for part in node.values)
            case ast.FormattedValue(conversion=-1, format_spec=None):
                return self.value(node.value, scope)
            case ast.Lambda(args=ast.arguments(args=[])):
                return self.value(node.body, scope)
            case ast.Call(keywords=[]):
                return self._call(node, scope)
            case ast.Subscript(slice=ast.Constant() | ast.UnaryOp() | ast.Name()):
                return self.value(node.value, scope)[self.value(node.slice, scope)]
            case ast.Attribute(attr="value"):
                return self.value(node.value, scope)
            case ast.Name() | ast.Attribute():
                return self._name(node, scope)
        raise Unevaluable(ast.unparse(node))

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        cls = scope.resolve_class(node.func)
        if cls is not None and not node.args and is_model(cls):
            return {}  # a nested configuration made of its own defaults
        # deepspeed's pp_int and the like: a class that only prints a number in another way
        name = next(iter(builtin_bases(cls)), "") if cls else ast.unparse(node.func)
        if name not in BUILTINS:
            raise Unevaluable(ast.unparse(node))
        return BUILTINS[name](*(self.value(a, scope) for a in (node.args[:1] if cls else node.args)))

    def _name(self, node: ast.Name | ast.Attribute, scope: Scope) -> Any:
        if isinstance(node, ast.Attribute) and (cls := scope.resolve_class(node.value)) and is_enum(cls):
            return dict(enum_members(cls))[node.attr]
        local = isinstance(node, ast.Name) and node.id in scope.local
        values = [
            self.value(b.node, scope if local and b.module is scope.module else Scope(b.module))
            for b in scope.resolve(node)
            if b.node is not node
        ]
        if not values or any(v != values[0] for v in values):
            raise Unevaluable(ast.unparse(node))
        return values[0]


def _calculate(operation: ast.operator, left: Any, right: Any) -> Any:
    """Raises ValueError for what would grow without bounds."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int | float) and abs(one) > LARGEST:
            raise ValueError(one)
        if isinstance(one, str | list) and isinstance(other, int) and len(one) * other > LONGEST:
            raise ValueError(one)
    if isinstance(operation, ast.LShift) and right > 64:
        raise ValueError(right)
    return OPERATORS[type(operation)](left, right)


def possible_values(node: ast.AST, scope: Scope) -> list[Any]:
    """What a default may be when the machine decides: ``default_optim`` depends on the torch that is installed."""
    arms: list[tuple[ast.AST, Scope]]
    if isinstance(node, ast.IfExp):
        arms = [(node.body, scope), (node.orelse, scope)]
    else:
        arms = [(b.node, Scope(b.module)) for b in scope.resolve(node)]
    try:
        return list(unique(evaluate(arm, where) for arm, where in arms))
    except Unevaluable:
        return []


def bases(cls: Bound) -> Iterator[tuple[str, Bound | None]]:
    """Name and definition of each base class; the definition is missing when it lives in another package."""
    assert isinstance(cls.node, ast.ClassDef)
    for base in cls.node.bases:
        yield ast.unparse(base).rpartition(".")[2], Scope(cls.module).resolve_class(base)


def lineage(cls: Bound, stop: str | Collection[str] = ()) -> Iterator[Bound]:
    """``cls`` after its bases of the same package, first base strongest, up to the class or classes called ``stop``."""
    stops = {stop} if isinstance(stop, str) else set(stop)
    seen: set[int] = set()

    def walk(one: Bound) -> Iterator[Bound]:
        assert isinstance(one.node, ast.ClassDef)
        if (
            id(one.node) in seen
            or (one is not cls and one.node.name in stops)
            or one.module.package != cls.module.package
        ):
            return
        seen.add(id(one.node))
        for _, base in reversed(list(bases(one))):
            if base is not None:
                yield from walk(base)
        yield one

    return walk(cls)


def builtin_bases(cls: Bound) -> Iterator[str]:
    for one in lineage(cls):
        yield from (name for name, base in bases(one) if base is None and name in ("int", "float", "str"))


def base_names(cls: Bound) -> set[str]:
    return {name for one in lineage(cls) for name, _ in bases(one)}


def is_enum(cls: Bound) -> bool:
    return any(name.endswith("Enum") for name in base_names(cls))


def is_model(cls: Bound) -> bool:
    """Whether ``cls`` describes nested configuration: a pydantic model, a dataclass or a typed dictionary."""
    assert isinstance(cls.node, ast.ClassDef)
    decorators = " ".join(ast.unparse(d) for d in cls.node.decorator_list)
    return "dataclass" in decorators or bool(base_names(cls) & {"BaseModel", "TypedDict"})


def enum_members(cls: Bound) -> list[tuple[str, Any]]:
    assert isinstance(cls.node, ast.ClassDef)
    members: list[tuple[str, Any]] = []
    for node in cls.node.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.startswith("_"):
                is_auto = isinstance(value, ast.Call) and ast.unparse(value.func).endswith("auto")
                members.append((name, name.lower() if is_auto else evaluate(value, Scope(cls.module))))
    return members


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    kept: list[Any] = []
    for value in values:
        if not any(type(value) is type(k) and value == k for k in kept):
            kept.append(value)
    return tuple(kept)


def type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__
