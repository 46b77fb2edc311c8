"""Type annotations in the tables' own few words."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from trainlint.scripts.names import Bound, Scope
from trainlint.scripts.values import Unevaluable, enum_members, evaluate, is_enum, is_model, type_name, unique

ORDER = ("bool", "int", "float", "str", "list[int]", "list[float]", "list[str]", "list", "dict", "any", "None")
PLAIN = {
    **{name: name for name in ("bool", "int", "float", "str", "dict", "list", "None")},
    **dict.fromkeys(("Any", "object"), "any"),
    **dict.fromkeys(("Dict", "Mapping", "MutableMapping", "DictDefault", "OrderedDict"), "dict"),
    **dict.fromkeys(("List", "Sequence", "Iterable", "tuple", "Tuple", "set", "Set", "frozenset"), "list"),
    **dict.fromkeys(("Path", "PathLike", "SecretStr", "AnyUrl", "StrictStr", "Text"), "str"),
    **dict.fromkeys(("StrictInt", "PositiveInt", "NonNegativeInt"), "int"),
    **dict.fromkeys(("StrictFloat", "PositiveFloat", "NonNegativeFloat"), "float"),
    "StrictBool": "bool",
}
BOUNDS = {
    "PositiveInt": ("gt", 0),
    "NonNegativeInt": ("ge", 0),
    "PositiveFloat": ("gt", 0),
    "NonNegativeFloat": ("ge", 0),
}


@dataclass(frozen=True)
class Shape:
    """A type annotation in our words; ``closed`` are the values of its literals and enums, ``items`` those in a list."""

    types: frozenset[str] = frozenset()
    closed: tuple[Any, ...] = ()
    items: tuple[Any, ...] = ()
    models: tuple[Bound, ...] = ()
    bounds: tuple[tuple[str, Any], ...] = ()
    from_enum: bool = False

    def __or__(self, other: Shape) -> Shape:
        return Shape(
            self.types | other.types,
            unique([*self.closed, *other.closed]),
            unique([*self.items, *other.items]),
            unique([*self.models, *other.models]),
            self.bounds + other.bounds,
            self.from_enum or other.from_enum,
        )

    def text(self) -> str:
        """The type as the tables write it."""
        types = self.types | {type_name(v) for v in self.closed}
        if "any" in types:
            types &= {"any", "None"}
        return " | ".join(sorted(types, key=ORDER.index)) or "any"


def read_type(node: ast.expr | None, scope: Scope) -> Shape:
    """The shape of an annotation; what nobody can resolve from the source is ``any``."""
    match node:
        case None:
            return Shape(frozenset({"any"}))
        case ast.Constant(value=None):
            return Shape(frozenset({"None"}))
        case ast.Constant(value=str() as text):
            with contextlib.suppress(SyntaxError, ValueError):
                return read_type(ast.parse(text, mode="eval").body, scope)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return read_type(left, scope) | read_type(right, scope)
        case ast.Subscript(value=head, slice=inner):
            arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _read_generic(ast.unparse(head).rpartition(".")[2], arguments, scope)
        case ast.Call(func=func, args=[element, *_]) if ast.unparse(func).endswith("conlist"):
            return _read_generic("list", [element], scope)
        case ast.Name() | ast.Attribute():
            return _read_named(node, scope)
    return Shape(frozenset({"any"}))


def picked_type(node: ast.expr, scope: Scope) -> Shape | None:
    """What HfArgumentParser makes of words for a union of several types: it picks one of them. None: it is no such union."""
    members = list(_members(node))
    names = [ast.unparse(member) for member in members]
    if "str" not in names or len(members) - names.count("None") < 2 or {"None", "bool"} <= set(names):
        return None
    if "None" in names:
        picked = members[0 if names[1] == "None" else 1]
    else:
        picked = members[0 if names[1] == "str" else 1]
    return read_type(picked, scope)


def _members(node: ast.expr) -> Iterator[ast.expr]:
    """The types of a union as they are written, those of unions within it included."""
    match node:
        case ast.Constant(value=str() as text):
            yield from _members(ast.parse(text, mode="eval").body)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield from _members(left)
            yield from _members(right)
        case ast.Subscript(value=head, slice=inner) if ast.unparse(head).rpartition(".")[2] in ("Optional", "Union"):
            for part in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield from _members(part)
            if ast.unparse(head).endswith("Optional"):
                yield ast.Constant(None)
        case _:
            yield node


def _read_generic(head: str, arguments: list[ast.expr], scope: Scope) -> Shape:
    if head == "Optional":
        return read_type(arguments[0], scope) | Shape(frozenset({"None"}))
    if head == "Union":
        shape = Shape()
        for argument in arguments:
            shape |= read_type(argument, scope)
        return shape
    if head == "Literal":
        try:
            values = [evaluate(a, scope) for a in arguments]
        except Unevaluable:
            return Shape(frozenset({"any"}))
        return Shape(frozenset({"None"} if None in values else ()), unique(v for v in values if v is not None))
    if head == "Annotated":
        shape = read_type(arguments[0], scope)
        for extra in arguments[1:]:
            if isinstance(extra, ast.Call):
                shape = replace(shape, bounds=shape.bounds + read_bounds(extra, scope))
        return shape
    if PLAIN.get(head) == "list":
        element = read_type(arguments[0], scope)
        name = f"list[{element.text()}]"
        return Shape(frozenset({name if name in ORDER else "list"}), (), element.closed, element.models)
    return Shape(frozenset({PLAIN.get(head, "any")}))


def _read_named(node: ast.Name | ast.Attribute, scope: Scope) -> Shape:
    name = node.attr if isinstance(node, ast.Attribute) else node.id
    if cls := scope.resolve_class(node):
        if is_enum(cls):
            try:
                members = enum_members(cls)
            except Unevaluable:  # an enum of torch data types
                return Shape(frozenset({"any"}))
            return Shape(closed=unique(value for _, value in members), from_enum=True)
        return Shape(
            frozenset({"dict" if is_model(cls) else PLAIN.get(name, "any")}), models=(cls,) if is_model(cls) else ()
        )
    if name in PLAIN:
        return Shape(frozenset({PLAIN[name]}), bounds=(BOUNDS[name],) if name in BOUNDS else ())
    for bound in scope.resolve(node):
        if isinstance(bound.node, ast.expr):  # an alias such as ``Number = Union[int, float]``
            return read_type(bound.node, Scope(bound.module))
    return Shape(frozenset({"any"}))


def read_bounds(call: ast.Call, scope: Scope) -> tuple[tuple[str, Any], ...]:
    """The numeric limits in a pydantic ``Field(…)``."""
    found = []
    for keyword in call.keywords:
        if keyword.arg in ("ge", "gt", "le", "lt"):
            try:
                found.append((keyword.arg, evaluate(keyword.value, scope)))
            except Unevaluable:
                continue
    return tuple(found)
