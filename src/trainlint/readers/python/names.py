"""The names of a scope: those that its statements give values to, and those whose values they change in place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
MUTATING = frozenset(
    {"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault", "popitem"}
)
"""Methods that change the list or dict that they are called on."""


def _walk(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of one scope, in any order: not the bodies of the functions and classes in it."""
    stack: list[object] = [*body]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, ast.AST):
            yield node
            if not isinstance(node, _SCOPES):
                stack += [getattr(node, field, None) for field in node._fields]


def bindings(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that the statements of one scope give values to, each as often as they do."""
    for node in _walk(body):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.alias():
                yield node.asname or node.name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()) if isinstance(node.value, ast.Name):
                yield node.value.id
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def changed_in(body: Sequence[ast.AST]) -> Iterator[str]:
    """The names whose lists, dicts or attributes the statements change in place."""
    for node in _walk(body):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from names_in(node.value)
        if isinstance(node, ast.Attribute) and node.attr in MUTATING and isinstance(node.value, ast.Name):
            yield node.value.id


def touched_in(tree: ast.Module) -> Iterator[str]:
    """The names that functions change outside of themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stores = (
                each for each in _walk(node.body) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            )
            local = {*parameters(node), *(each.id for each in stores)}
            yield from (name for name in changed_in(node.body) if name not in local)


def names_in(node: ast.expr) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id


def captures(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name is not None:
            yield node.name


def parameters(node: Function) -> Iterator[str]:
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            yield argument.arg
