"""The arguments that argparse parsers declare, as a table's section."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence

from argtables.fields import read_class
from trainlint.scripts.fields import Definition, constant_items
from trainlint.scripts.names import Bound, Module, Scope, collect_bindings
from trainlint.scripts.options import decided, define
from trainlint.scripts.values import Unevaluable, evaluate

FACTORY = "ArgumentGroupFactory"
"""Megatron's: it declares one flag for each field of a dataclass."""


def read_parsers(module: Module) -> dict[str, Definition]:
    """Every argument that the functions of a module declare, named as its flag with `_` for `-`."""
    arguments: dict[str, Definition] = {}
    for body in _bodies(module):
        local = collect_bindings(body)
        for node, bound in _calls(body, Scope(module, local)):
            scope = Scope(module, {**local, **bound})
            if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                arguments |= _declared(node, scope)
            elif ast.unparse(node.func).endswith(FACTORY):
                arguments |= _made(node, scope)
    return arguments


def _bodies(module: Module) -> Iterator[list[ast.stmt]]:
    yield module.tree.body
    yield from (node.body for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef))


Bindings = dict[str, list[ast.AST]]


def _calls(body: Sequence[ast.AST], scope: Scope) -> Iterator[tuple[ast.Call, Bindings]]:
    """The calls of a body with what loops over constants bind around them; those of the functions in it are left out."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Call):
            yield node, {}
        for bound in _rounds(node, scope):
            for call, inner in _calls([*ast.iter_child_nodes(node)], scope):
                yield call, {**bound, **inner}


def _rounds(node: ast.AST, scope: Scope) -> list[Bindings]:
    """`for prefix in ("actor", "critic")` goes round twice; everything else once."""
    if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
        with contextlib.suppress(Unevaluable):
            values = evaluate(node.iter, scope)
            if isinstance(values, list):
                return [{node.target.id: [ast.Constant(value)]} for value in values]
    return [{}]


def _declared(node: ast.Call, scope: Scope) -> dict[str, Definition]:
    flags: list[str] = []
    for argument in node.args:
        with contextlib.suppress(Unevaluable):
            flags.append(evaluate(argument, scope))
    flags = [flag for flag in flags if isinstance(flag, str) and flag.startswith("--")]
    if not flags:
        return {}
    given = {k.arg: decided(k.value, scope) for k in node.keywords if k.arg}
    definition = define(given, scope)
    name, *aliases = (flag.lstrip("-").replace("-", "_") for flag in flags)
    return {name: definition | ({"aliases": list(dict.fromkeys(aliases))} if set(aliases) - {name} else {})}


def _made(node: ast.Call, scope: Scope) -> dict[str, Definition]:
    """The flags that Megatron's factory makes of a dataclass: `--no-x` for a switch that is on."""
    cls = _class(node.args[0], scope) if node.args else None
    if cls is None:
        return {}
    without: list[str] = []
    for keyword in node.keywords:
        if keyword.arg == "exclude":
            with contextlib.suppress(Unevaluable):
                without = evaluate(keyword.value, scope)
    arguments: dict[str, Definition] = {}
    own = _metadata(cls)
    for name, definition in read_class(cls, None, lambda _, argument: argument).arguments.items():
        if name in without:
            continue
        definition = {key: value for key, value in definition.items() if key != "sections"}
        flags, said = own.get(name, ([], {}))
        if definition["type"] == "bool":
            on = definition.get("default") is True
            bare: Definition = {"type": "bool", "default": False, "values": 0}
            names = flags or ([f"no_{name}", f"disable_{name}"] if on else [name])
            arguments[names[0]] = bare | ({"aliases": names[1:]} if names[1:] else {})
        else:
            names = flags or [name]
            if "int" in definition["type"].split(" | ") and definition.pop("choices", None):
                definition["type"] = "any"  # of an enumeration the flag takes the names
            if "type" in said:
                definition.pop("choices", None)
            arguments[names[0]] = {**definition, **said} | ({"aliases": names[1:]} if names[1:] else {})
    return arguments


def _class(node: ast.expr, scope: Scope) -> Bound | None:
    """The class that a name stands for; the import may stand in the function."""
    for local in scope.local.get(ast.unparse(node), ()):
        if isinstance(local, ast.ImportFrom):
            found = scope.module.imported(local, ast.unparse(node))
            return next((bound for bound in found if isinstance(bound.node, ast.ClassDef)), None)
    return scope.resolve_class(node)


def _metadata(cls: Bound) -> dict[str, tuple[list[str], Definition]]:
    """What the fields' own `argparse_meta` says over the annotation: other flags, a list of values."""
    from trainlint.scripts.fields import field_call
    from trainlint.scripts.values import lineage

    found: dict[str, tuple[list[str], Definition]] = {}
    for one in lineage(cls):
        assert isinstance(one.node, ast.ClassDef)
        for node in one.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            call, _ = field_call(node)
            options = {k.arg: k.value for k in call.keywords if k.arg} if call else {}
            meta = constant_items(constant_items(options.get("metadata")).get("argparse_meta"))
            if not meta:
                continue
            flags: list[str] = []
            with contextlib.suppress(Unevaluable):
                flags = evaluate(meta["arg_names"], Scope(one.module)) if "arg_names" in meta else []
            said = define(meta, Scope(one.module)) if {"type", "nargs", "choices"} & meta.keys() else {}
            if "default" not in meta:
                said.pop("default", None)
            found[node.target.id] = ([flag.lstrip("-").replace("-", "_") for flag in flags], said)
    return found
