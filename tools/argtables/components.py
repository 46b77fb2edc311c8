"""What functions and classes take by keyword that a configuration names by their import path."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from argtables.fields import Section, read_class
from argtables.nested import read_parameter
from trainlint.scripts.fields import Definition
from trainlint.scripts.names import Bound, Library, Scope
from trainlint.scripts.shapes import read_type
from trainlint.scripts.values import bases, is_model, lineage

TRANSPARENT = frozenset({"dataclass", "deprecated"})
"""Decorators that leave it to the function what it takes."""
ENFORCED = ("type", "default", "default_expression", "required")
"""What matters of a definition: nothing checks the values of a call against the annotations' literals."""


def read_components(library: Library, patterns: Iterable[str], key: str) -> dict[str, Section]:
    """A section for each component by the path that leads to it; `key` in it says in which versions it exists."""
    found: dict[str, Section] = {}
    for path, bound in _public(library, patterns):
        # what comes from another package, or differs by branch, exists and may take anything
        section = _signature(bound[0]) if len(bound) == 1 else Section({}, extra="allow")
        if section is not None:
            kept = {name: _plain(definition) for name, definition in section.arguments.items()}
            found[path] = Section({key: {"type": "str", "required": True}, **kept}, extra=section.extra)
    return found


def gather(sections: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Components that take the same in the same versions share one section: the others are listed as `same`."""
    first: dict[str, dict[str, Any]] = {}
    kept: dict[str, dict[str, Any]] = {}
    for path, content in sections.items():
        holder = first.setdefault(repr(content), content)
        if holder is content:
            kept[path] = {**content, "same": []}
            first[repr(content)] = kept[path]
        else:
            holder["same"].append(path)
    return kept


def _public(library: Library, patterns: Iterable[str]) -> Iterator[tuple[str, list[Bound]]]:
    """The public names of `module:Name`, in which `*` may stand for anything, with what they may stand for."""
    for pattern in patterns:
        where, _, wanted = pattern.partition(":")
        for module in library.matching(where):
            if any(part.startswith("_") for part in module.name.split(".")):
                continue
            # what a module imports by "*" is no binding of its own
            for name in fnmatch.filter(sorted({*module.bindings, wanted}), wanted):
                bound = module.lookup(name)
                told = bound or (wanted != "*" and name in module.bindings)
                if told and not name.startswith("_"):
                    yield f"{module.name}.{name}", bound


def _signature(bound: Bound) -> Section | None:
    """What can be given by keyword; None for what is no function or class. `allow`: further keywords may be taken."""
    match bound.node:
        case ast.Name() | ast.Attribute():
            target = Scope(bound.module).resolve(bound.node)
            return _signature(target[0]) if len(target) == 1 and target[0].node is not bound.node else None
        case ast.FunctionDef():
            return _parameters(bound, bound.node, skip=0)
        case ast.ClassDef():
            return _constructor(bound)
        case ast.Call(func=ast.Name(id="partial") | ast.Attribute(attr="partial"), args=[inner, *given]):
            section = _signature(Bound(inner, bound.module))
            return None if section is None else _bind(section, bound.node, len(given), bound)
    return None


def _constructor(cls: Bound) -> Section | None:
    assert isinstance(cls.node, ast.ClassDef)
    if is_model(cls):
        return Section(read_class(cls, None, lambda _, argument: argument).arguments, extra="forbid")
    for one in reversed(list(lineage(cls))):
        assert isinstance(one.node, ast.ClassDef)
        methods = {node.name: node for node in one.node.body if isinstance(node, ast.FunctionDef)}
        if "__new__" in methods:
            break
        if "__init__" in methods:
            return _parameters(one, methods["__init__"], skip=1)
        if any(base is None for _, base in bases(one)):
            break  # a base of another package decides
    return Section({}, extra="allow")


def _parameters(bound: Bound, node: ast.FunctionDef, skip: int) -> Section:
    scope = Scope(bound.module)
    positional = [*node.args.posonlyargs, *node.args.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    defaults = [*missing, *node.args.defaults]
    pairs = [*zip(positional, defaults, strict=True)][max(skip, len(node.args.posonlyargs)) :]
    pairs += [*zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    arguments: dict[str, Definition] = {}
    for parameter, default in pairs:
        arguments[parameter.arg] = read_parameter(read_type(parameter.annotation, scope), default, scope)
    decorated = {_called(decorator) for decorator in node.decorator_list} - TRANSPARENT
    return Section(arguments, extra="allow" if node.args.kwarg or decorated else "forbid")


def _called(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]


def _bind(section: Section, call: ast.Call, positional: int, bound: Bound) -> Section:
    """`partial(f, x, quantize_base=True)`: the first parameter is taken, and another default holds."""
    arguments = dict([*section.arguments.items()][positional:])
    for keyword in call.keywords:
        if keyword.arg in arguments:
            scope = Scope(bound.module)
            known = read_parameter(read_type(None, scope), keyword.value, scope)
            known["type"] = arguments[keyword.arg]["type"]
            arguments[keyword.arg] = known
        elif keyword.arg is None:
            return Section(arguments, extra="allow")
    return Section(arguments, extra=section.extra)


def _plain(definition: Definition) -> Definition:
    kept = {key: value for key, value in definition.items() if key in ENFORCED}
    if isinstance(kept.get("default"), float) and "float" not in kept["type"]:
        kept["type"] = kept["type"].replace("int", "float")  # `rope_base: int = 500000.0`
    return kept
