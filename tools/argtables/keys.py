"""The keys that functions read from a configuration dictionary."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from argtables.fields import Section, read_class
from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.names import Bound, Scope
from trainlint.scripts.values import Unevaluable, evaluate, is_model, lineage, type_name

KeyPath: TypeAlias = tuple[str, ...]
"""Where a key stands in a nested configuration."""


class KeyReader:
    """Follows a configuration dictionary through the functions that read it, and notes each key they ask for.

    DeepSpeed has no schema of its whole file: ``DeepSpeedConfig`` hands the dictionary to one getter after the other.
    """

    def __init__(self) -> None:
        self.keys: dict[KeyPath, dict[str, Definition]] = {}
        self.models: dict[KeyPath, Bound] = {}
        self._returned: dict[tuple[int, frozenset[tuple[str, KeyPath]]], KeyPath | None] = {}

    def read_class(self, cls: Bound, names: Iterable[str]) -> None:
        """Read all methods of ``cls``, in which each of ``names`` is the whole dictionary."""
        assert isinstance(cls.node, ast.ClassDef)
        for node in cls.node.body:
            if isinstance(node, ast.FunctionDef):
                self.follow(Bound(node, cls.module), dict.fromkeys(names, ()), {}, cls)

    def follow(
        self, function: Bound, paths: Mapping[str, KeyPath], values: Mapping[str, list[ast.AST]], owner: Bound | None
    ) -> KeyPath | None:
        """Read one function, given what its names stand for; the answer is the part of the dictionary it returns."""
        call = id(function.node), frozenset(paths.items())
        if call not in self._returned or values:
            self._returned[call] = None  # a recursive call learns nothing new
            visitor = _FunctionReader(self, Scope(function.module, values), dict(paths), owner)
            for statement in getattr(function.node, "body", []):
                visitor.visit(statement)
            self._returned[call] = visitor.returned
        return self._returned[call]

    def note(self, base: KeyPath, key: str, default: Definition | None = None) -> KeyPath:
        known = self.keys.setdefault(base, {}).setdefault(key, {"type": "any"})
        if default and "default" not in known:
            value = default.get("default")
            unknown = "any | None" if "default" in default else "any"
            known |= {"type": unknown if value is None else type_name(value), **default}
        return (*base, key)

    def sections(self, top: str) -> dict[str, Section]:
        """Everything noted, as sections with dotted names; the keys of the file itself are section ``top``."""
        found: dict[str, Section] = {}
        for path, model in self.models.items():
            found |= read_nested(".".join(path), model)
            self.note(path[:-1], path[-1])
        for path, keys in self.keys.items():
            found.setdefault(".".join(path) or top, Section({}, extra="ignore")).arguments.update(keys)
        for path in [*self.keys, *self.models]:
            for length in range(1, len(path) + 1):
                key = self.keys.setdefault(path[: length - 1], {}).setdefault(path[length - 1], {})
                key |= {"type": "dict", "default": {}, "sections": [".".join(path[:length])]}
        return found


def read_nested(name: str, model: Bound) -> dict[str, Section]:
    """A model and those inside it, each under the dotted name of the key that holds it."""
    section = read_class(model, None, lambda _, argument: f"{name}.{argument}")
    found = {name: section}
    for inner, cls in section.models.items():
        found |= read_nested(inner, cls)
    return found


class _FunctionReader(ast.NodeVisitor):
    """One function's body; ``paths`` are the names, as written, that hold the dictionary or a part of it."""

    def __init__(self, reader: KeyReader, scope: Scope, paths: dict[str, KeyPath], owner: Bound | None) -> None:
        self.reader, self.scope, self.paths, self.owner = reader, scope, paths, owner
        self.returned: KeyPath | None = None

    def visit_Assign(self, node: ast.Assign) -> None:
        if (path := self.path(node.value)) is not None:
            for target in node.targets:
                self.paths.setdefault(ast.unparse(target), path)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        """``for key in [BFLOAT16, BFLOAT16_OLD]`` reads the keys one after the other."""
        try:
            items = evaluate(node.iter, self.scope)
        except Unevaluable:
            items = None
        if isinstance(items, list) and isinstance(node.target, ast.Name):
            outer = self.scope
            for item in items:
                self.scope = Scope(outer.module, {**outer.local, node.target.id: [ast.Constant(item)]})
                for statement in node.body:
                    self.visit(statement)
            self.scope = outer
        else:
            self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.returned = self.path(node.value) or self.returned
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            holder = node.comparators[0]
            if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute) and holder.func.attr == "keys":
                holder = holder.func.value
            self.key(self.path(holder), node.left)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.path(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.path(node)
        self.generic_visit(node)

    def key(self, base: KeyPath | None, key: ast.expr, default: ast.expr | None = None) -> KeyPath | None:
        if base is None:
            return None
        try:
            name = evaluate(key, self.scope)
        except Unevaluable:
            return None
        while isinstance(default, ast.Name) and len(given := self.scope.local.get(default.id, [])) == 1:
            default = given[0] if isinstance(given[0], ast.expr) else None  # what the caller passed
        known = read_default(default, self.scope) if default is not None else None
        return self.reader.note(base, name, known) if isinstance(name, str) else None

    def path(self, node: ast.expr) -> KeyPath | None:
        """The part of the dictionary that an expression stands for."""
        match node:
            case ast.Name() | ast.Attribute():
                return self.paths.get(ast.unparse(node))
            case ast.Subscript(value=holder, slice=key):
                return self.key(self.path(holder), key)
            case ast.Call(func=ast.Attribute(value=holder, attr="get"), args=[key, *default]):
                return self.key(self.path(holder), key, *default)
            case ast.Call(func=ast.Name(id="get_scalar_param" | "get_dict_param"), args=[holder, key, default]):
                return self.key(self.path(holder), key, default)
            case ast.Call(func=ast.Attribute(attr="copy" | "deepcopy"), args=[original]):
                return self.path(original)
            case ast.Call():
                return self._call(node)
        return None

    def _call(self, node: ast.Call) -> KeyPath | None:
        cls = self.scope.resolve_class(node.func)
        for keyword in node.keywords:
            if keyword.arg is None and cls is not None and is_model(cls) and (path := self.path(keyword.value)):
                self.reader.models.setdefault(path, cls)
        given = [self.path(a) for a in node.args]
        if all(path is None for path in given):
            return None
        for function, owner in self._callees(node.func, cls):
            assert isinstance(function.node, ast.FunctionDef)
            names = [a.arg for a in function.node.args.args]
            names = names[1:] if owner else names
            values = dict(zip(reversed(names), reversed(function.node.args.defaults), strict=False))
            values |= {n: a for n, a, p in zip(names, node.args, given, strict=False) if p is None}
            paths = {n: p for n, p in zip(names, given, strict=False) if p is not None}
            return self.reader.follow(function, paths, {n: [v] for n, v in values.items()}, owner)
        return None

    def _callees(self, func: ast.expr, cls: Bound | None) -> Iterator[tuple[Bound, Bound | None]]:
        """The function that a call runs and, for a method, the class it belongs to."""
        owner, name = (cls, "__init__") if cls else (self.owner, ast.unparse(func).removeprefix("self."))
        if owner is not None and (cls or ast.unparse(func).startswith("self.")):
            for one in reversed(list(lineage(owner))):
                assert isinstance(one.node, ast.ClassDef)
                yield from (
                    (Bound(n, one.module), owner)
                    for n in one.node.body
                    if isinstance(n, ast.FunctionDef) and n.name == name
                )
        else:
            yield from ((b, None) for b in self.scope.resolve(func) if isinstance(b.node, ast.FunctionDef))
