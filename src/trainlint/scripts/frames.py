"""Walking a module's text with what is in force at every place: the function, the class, the values of names."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from trainlint.scripts.names import Bound, Module, Scope, collect_bindings
from trainlint.scripts.values import Unevaluable, evaluate

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
MAX_ROUNDS = 200
TYPES = frozenset({"int", "float", "str", "bool"})


@dataclass(frozen=True)
class Frame:
    """Where a node stands: its module, the innermost function and class around it, and what names mean there."""

    module: Module
    scope: Scope
    function: Function | None = None
    owner: ast.ClassDef | None = None
    bound: Mapping[str, list[ast.AST]] = field(default_factory=dict)
    """What a call fills in for parameters of the function that is entered next."""

    @classmethod
    def of(cls, module: Module) -> Frame:
        return cls(module, Scope(module))

    def inside(self, function: Function) -> Frame:
        """The frame of a function's body; its parameters hide the names of the module, and only a call makes them known."""
        parameters: dict[str, list[ast.AST]] = {argument.arg: [argument] for argument in parameters_of(function)}
        changed = collect_bindings(function.body)
        local = {**self.scope.local, **parameters, **self.bound}
        local |= {name: [*local[name], *nodes] if name in parameters else nodes for name, nodes in changed.items()}
        return replace(self, scope=Scope(self.module, local), function=function, bound={})


def parameters_of(function: Function) -> list[ast.arg]:
    a = function.args
    return [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs, *([a.kwarg] if a.kwarg else [])]


def visit(node: ast.AST, frame: Frame) -> list[tuple[ast.AST, Frame]]:
    """A node and everything in it, in order, once for each round of a loop over known values."""
    found: list[tuple[ast.AST, Frame]] = []
    _collect(node, frame, found)
    return found


def _collect(node: ast.AST, frame: Frame, found: list[tuple[ast.AST, Frame]]) -> None:
    found.append((node, frame))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        frame = frame.inside(node)
    elif isinstance(node, ast.ClassDef):
        frame = replace(frame, owner=node, function=None)
    for turn in _rounds(node, frame):
        for child in ast.iter_child_nodes(node):
            _collect(child, turn, found)


def _rounds(node: ast.AST, frame: Frame) -> list[Frame]:
    if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and _declares(node):
        try:
            values = evaluate(node.iter, frame.scope)
        except Unevaluable:
            return [frame]
        if isinstance(values, list) and len(values) <= MAX_ROUNDS:
            name, local = node.target.id, frame.scope.local
            turns = (Scope(frame.module, {**local, name: [ast.Constant(value)]}) for value in values)
            return [replace(frame, scope=turn) for turn in turns]
    return [frame]


def _declares(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Attribute) and inner.attr == "add_argument" for inner in ast.walk(node))


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` as text; None for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def last(node: ast.AST) -> str:
    """The last part of a name, "" where there is none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def function_of(node: ast.AST, frame: Frame) -> tuple[Function, Frame, int] | None:
    """The project's function that a call's `func` names, its frame, and how many parameters the call itself fills in."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        owner = Bound(frame.owner, frame.module) if frame.owner is not None else None
        found = method(owner, node.attr) if owner is not None else None
        return None if found is None else (found[0], found[1], 0 if _static(found[0]) else 1)
    for bound in frame.scope.resolve(node):
        if isinstance(bound.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return bound.node, Frame.of(bound.module), 1 if _decorated(bound.node, "classmethod") else 0
    return None


def method(cls: Bound, name: str) -> tuple[Function, Frame] | None:
    """A method of a class itself; inherited ones are not looked for."""
    assert isinstance(cls.node, ast.ClassDef)
    for node in cls.node.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node, replace(Frame.of(cls.module), owner=cls.node)
    return None


def _static(function: Function) -> bool:
    return _decorated(function, "staticmethod")


def _decorated(function: Function, name: str) -> bool:
    return any(last(decorator) == name for decorator in function.decorator_list)


def argument_of(function: Function, skipped: int, call: ast.Call, value: ast.expr) -> str | None:
    """The parameter that a call's argument becomes."""
    for keyword in call.keywords:
        if keyword.value is value:
            return keyword.arg
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    positional = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)][skipped:]
    place = next((i for i, argument in enumerate(call.args) if argument is value), len(positional))
    return positional[place] if place < len(positional) else None


def filled(function: Function, skipped: int, call: ast.Call, scope: Scope) -> dict[str, list[ast.AST]]:
    """The parameters for which a call, or their default, gives a plain value or the name of a type."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    defaults = dict(zip(reversed([a.arg for a in positional]), reversed(args.defaults), strict=False))
    defaults |= {a.arg: value for a, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value is not None}
    given = {parameter: value for value in [*call.args, *(k.value for k in call.keywords)]
             if (parameter := argument_of(function, skipped, call, value)) is not None}  # fmt: skip
    found: dict[str, list[ast.AST]] = {}
    for parameter, value in {**defaults, **given}.items():
        if isinstance(value, ast.Name) and value.id in TYPES:
            found[parameter] = [value]
            continue
        with contextlib.suppress(Unevaluable):
            found[parameter] = [_display(evaluate(value, scope))]
    return found


def _display(value: Any) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def external(node: ast.AST, scope: Scope) -> str | None:
    """The dotted name that an import gives to something of a package that is not on disk: `transformers.Trainer`."""
    text = dotted(node)
    if text is None:
        return None
    root, _, rest = text.partition(".")
    for binding in scope.local.get(root, ()) or scope.module.bindings.get(root, ()):
        found = _imported(binding, root, scope.module)
        if found is not None:
            return f"{found}.{rest}" if rest else found
    return None


def _imported(binding: ast.AST, name: str, module: Module) -> str | None:
    if isinstance(binding, ast.Import):
        alias = next(a for a in binding.names if (a.asname or a.name.partition(".")[0]) == name)
        return alias.name if alias.asname else name
    if isinstance(binding, ast.ImportFrom):
        original = next(a.name for a in binding.names if (a.asname or a.name) == name)
        base = module.origin(binding)
        there = module.library.module(base)
        if there is not None and there is not module:
            return external(ast.Name(original), Scope(there))
        return f"{base}.{original}"
    return None
