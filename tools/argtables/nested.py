"""Nested configurations as one section of dotted names: dataclasses in dataclasses, functions, Hydra's YAML, `cfg.a.b`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import yaml

from argtables.fields import Section, read_class
from trainlint.scripts.fields import Definition, read_choices, read_default
from trainlint.scripts.names import Bound, Module, Scope
from trainlint.scripts.shapes import Shape, read_type
from trainlint.scripts.values import Unevaluable, evaluate, type_name


def flatten_class(cls: Bound, prefix: str = "", seen: tuple[ast.AST, ...] = ()) -> dict[str, Definition]:
    """The fields of a dataclass and of those in it, under dotted names. What a list holds has no name of its own."""
    section = read_class(cls, None, lambda _, argument: argument)
    arguments: dict[str, Definition] = {}
    for name, definition in section.arguments.items():
        inner = [model for argument, model in _models(section, cls, name) if argument == name]
        arguments[prefix + name] = {key: value for key, value in definition.items() if key != "sections"}
        if "list" in definition["type"]:
            continue
        for model in inner:
            if model.node not in seen:
                arguments |= flatten_class(model, f"{prefix}{name}.", (*seen, model.node))
    return arguments


def _models(section: Section, cls: Bound, name: str) -> Iterator[tuple[str, Bound]]:
    """All models that the annotation of a field names: a union of dataclasses has several."""
    from trainlint.scripts.values import lineage

    for one in lineage(cls):
        assert isinstance(one.node, ast.ClassDef)
        for node in one.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                yield from ((name, model) for model in read_type(node.annotation, Scope(one.module)).models)


def flatten_function(function: Bound) -> dict[str, Definition]:
    """The parameters of a function that a command line calls (jsonargparse); a dataclass gives dotted names."""
    assert isinstance(function.node, ast.FunctionDef)
    scope = Scope(function.module)
    own = function.node.args
    missing: list[ast.expr | None] = [None] * (len(own.args) - len(own.defaults))
    defaults = [*missing, *own.defaults, *own.kw_defaults]
    arguments: dict[str, Definition] = {}
    for parameter, default in zip([*own.args, *own.kwonlyargs], defaults, strict=True):
        shape = read_type(parameter.annotation, scope)
        name = parameter.arg
        arguments[name] = read_parameter(shape, default, scope)
        for model in shape.models:
            arguments |= flatten_class(model, f"{name}.")
        if shape.models and isinstance(default, ast.Call):
            for keyword in default.keywords:
                try:
                    arguments[f"{name}.{keyword.arg}"] |= {"default": evaluate(keyword.value, scope)}
                except Unevaluable:
                    continue
    return arguments


def read_parameter(shape: Shape, default: ast.expr | None, scope: Scope) -> Definition:
    if default is None:
        return {"type": shape.text(), "required": True}
    match default:
        case ast.Call(func=ast.Name(id="Path"), args=[ast.Constant(value=str() as path)]):
            return {"type": shape.text(), "default": path}
    known = read_default(default, scope)
    if known.get("default", ...) is None:
        shape |= Shape(frozenset({"None"}))
    if shape.models:
        known = {"default": {}}
    return {"type": shape.text(), **read_choices(shape, None, scope, False), **known}


# ------------------------------------------------------------------------------------------------------------- Hydra


def compose(files: Mapping[str, str], path: str, overrides: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A Hydra configuration with those that its `defaults` list names put where it says.

    `${group}` in a name is what the list, or the `override` of a file that takes this one in, chooses for that group.
    """
    body = yaml.safe_load(files[path]) or {}
    defaults = body.pop("defaults", ["_self_"])
    folder = PurePosixPath(path).parent
    result: dict[str, Any] = {}
    entries = [entry if isinstance(entry, dict) else {"": entry} for entry in defaults]
    named = [(str(group), name) for entry in entries for group, name in list(entry.items())[:1]]
    own = {group.removeprefix("override "): name for group, name in named if group.startswith("override ")}
    forced = {**own, **(overrides or {})}
    chosen = {**dict(named), **forced}
    for group, name in [*named, *([] if ("", "_self_") in named else [("", "_self_")])]:
        if name == "_self_":
            _merge(result, body)
            continue
        group, _, package = group.removeprefix("override ").partition("@")
        name = re.sub(r"\$\{(\w+)\}", lambda match: str(chosen.get(match[1], match[0])), str(forced.get(group, name)))
        found = normpath(folder / group / f"{name}.yaml")
        if found not in files:
            continue
        part: Any = compose(files, found, forced)
        for key in reversed(
            [key for key in (package or group).replace("/", ".").split(".") if key not in ("", "_here_")]
        ):
            part = {key: part}
        _merge(result, part)
    return result


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def flatten_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Definition]:
    """Default values as dotted arguments: the type is that of the default, anything where that says nothing."""
    arguments: dict[str, Definition] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            arguments[name] = {"type": "dict", "default": {}}
            arguments |= flatten_values(value, f"{name}.")
        elif isinstance(value, str) and "${" in value:
            arguments[name] = {"type": "any", "default_expression": value}
        elif value is None or (isinstance(value, str) and not _is_number(value)):
            arguments[name] = {"type": "any | None" if value is None else "any", "default": value}
        elif isinstance(value, str):
            arguments[name] = {"type": "float", "default": float(value)}
        elif isinstance(value, list):
            arguments[name] = {"type": "any", "default": value}
        else:
            arguments[name] = {"type": f"{type_name(value)} | None", "default": value}
    return arguments


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower().lstrip("+-") not in ("inf", "infinity", "nan")


# ----------------------------------------------------------------------------------------------- cfg.a.b, cfg.get("a")


def read_attributes(modules: Iterable[Module], names: Iterable[str]) -> dict[str, Definition]:
    """The top-level keys that functions read of a configuration object: `cfg.optimizer.lr`, `cfg.get("seed", 1)`.

    What stands below them goes to whatever component the key names, and is not the recipes' to say.
    """
    roots = set(names)
    arguments: dict[str, Definition] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=holder, attr="get"), args=[ast.Constant(value=str() as key), *rest]
                ):
                    path = _path(holder, roots)
                    default = read_default(rest[0], Scope(module)) if rest else {"default": None}
                    if path is not None:
                        _note(arguments, [*path, key], default)
                case ast.Attribute():
                    path = _path(node, roots)
                    if path and path[-1] not in ("get", "pop", "keys", "items"):
                        _note(arguments, path, {})
    return arguments


def _path(node: ast.expr, roots: set[str]) -> list[str] | None:
    if ast.unparse(node) in roots:
        return []
    if isinstance(node, ast.Attribute):
        outer = _path(node.value, roots)
        return None if outer is None else [*outer, node.attr]
    return None


def _note(arguments: dict[str, Definition], path: list[str], default: Definition) -> None:
    name = path[0]
    arguments.setdefault(name, {"type": "any", "required": True})
    if default and len(path) == 1:
        arguments[name] = {"type": "any | None" if default.get("default", ...) is None else "any", **default}
