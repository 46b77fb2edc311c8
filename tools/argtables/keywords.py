"""The keywords that a function takes: its parameters, and what it takes out of the rest (`kwargs.pop("dtype", None)`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from argtables.nested import flatten_function
from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.names import Bound, Scope
from trainlint.scripts.values import lineage


def read_keywords(function: Bound) -> dict[str, Definition]:
    """The keywords of a function or method; of the rest those that its own body asks for."""
    assert isinstance(function.node, ast.FunctionDef)
    arguments = flatten_function(function)
    rest = function.node.args.kwarg
    scope = Scope(function.module)
    if rest is not None:
        for name, default in _asked(function.node, rest.arg):
            known = read_default(default, scope) if default is not None else {"default": None}
            arguments.setdefault(name, {"type": "any", **known})
    return {name: found for name, found in arguments.items() if name not in ("self", "cls") and name[0] != "_"}


def find_methods(cls: Bound, name: str) -> Iterator[Bound]:
    """A method of a class, or of the nearest of those that it extends."""
    found = [
        Bound(node, one.module)
        for one in lineage(cls)
        if isinstance(one.node, ast.ClassDef)
        for node in one.node.body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    yield from found[-1:]


def _asked(function: ast.FunctionDef, rest: str) -> Iterator[tuple[str, ast.expr | None]]:
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="pop" | "get"), args=[key, *default]) if (
                name == rest
            ):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, default[0] if default else None
            case ast.For(iter=ast.List(elts=keys), body=[ast.Assign(value=ast.Call(func=func))]):
                if ast.unparse(func) == f"{rest}.pop":
                    yield from ((str(each.value), None) for each in keys if isinstance(each, ast.Constant))


def agreeing(one: Definition, other: Definition) -> Definition:
    """A keyword of two functions of which nobody knows which one is called: a default that both have, or none."""
    if one.get("default", ...) == other.get("default", ...):
        return other
    shared = {key: value for key, value in other.items() if key != "default"}
    return {**shared, "default_expression": "it depends on the model"}
