"""What a name in a source file stands for, through imports and across modules."""

from __future__ import annotations

import ast
import warnings
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

MUTATORS = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "update", "setdefault", "add", "discard"})
"""Methods that change a list, dictionary or set."""


@dataclass(frozen=True)
class Bound:
    """What a name stands for: a class, a function or an expression, and the module to read it in."""

    node: ast.AST
    module: Module


@dataclass(frozen=True)
class Module:
    """One source file with its top-level names, those under ``if`` and ``try`` included."""

    name: str
    source: str
    is_package: bool
    library: Library = field(repr=False)
    path: str = ""

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape in somebody's text
            return ast.parse(self.source)

    @cached_property
    def bindings(self) -> Mapping[str, list[ast.AST]]:
        return collect_bindings(self.tree.body)

    def lookup(self, name: str) -> list[Bound]:
        """Everything ``name`` may stand for; several entries when branches bind it differently, none when unknown."""
        found: list[Bound] = []
        for node in self.bindings.get(name, ()):
            found += self.bound(node, name)
        if not found and name != "*":
            stars = [n for n in self.bindings.get("*", ()) if isinstance(n, ast.ImportFrom)]
            origins = [self.library.module(self.origin(n)) for n in stars]
            found = [b for origin in origins if origin and origin is not self for b in origin.lookup(name)]
        return found

    def bound(self, node: ast.AST, name: str) -> list[Bound]:
        """What `name` means where `node`, a statement or expression of this module, binds it."""
        if isinstance(node, ast.ImportFrom):
            return self.imported(node, name)
        if isinstance(node, ast.Import):
            alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
            target = self.library.module(alias.name if alias.asname else name)
            return [Bound(target.tree, target)] if target else []
        return [Bound(node, self)]

    def origin(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module that an import statement reads."""
        base = node.module or ""
        if not node.level:
            return base
        parts = self.name.split(".")
        parents = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parents, base] if base else parents)

    def imported(self, node: ast.ImportFrom, name: str) -> list[Bound]:
        """What a name means that an import statement of this module brings, wherever the statement stands."""
        original = next(a.name for a in node.names if (a.asname or a.name) == name)
        base = self.origin(node)
        if (submodule := self.library.module(f"{base}.{original}")) is not None:
            return [Bound(submodule.tree, submodule)]
        origin = self.library.module(base)
        return origin.lookup(original) if origin and origin is not self else []


def collect_bindings(body: Iterable[ast.stmt]) -> dict[str, list[ast.AST]]:
    """The names bound by ``body``, looking into its blocks but not into functions or classes.

    A statement that changes what a name holds is one of its bindings too: the name then has no one value.
    """
    names: dict[str, list[ast.AST]] = {}
    for node in flat(body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names.setdefault(alias.asname or alias.name.partition(".")[0], []).append(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names.setdefault(alias.asname or alias.name, []).append(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    names.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            names.setdefault(node.target.id, []).append(node.value)
        elif (changed := _changed(node)) is not None:
            names.setdefault(changed, []).append(node)
    return names


def _changed(node: ast.stmt) -> str | None:
    """The name whose value a statement changes in place: `x += 1`, `x.append(1)`, `for x in …`."""
    match node:
        case ast.AugAssign(target=ast.Name(id=name)) | ast.For(target=ast.Name(id=name)):
            return name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))) if method in MUTATORS:
            return name
    return None


def flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of ``body`` and of the blocks in it, in order."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            yield from flat(node.body)
            yield from flat(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from flat(handler.body)


class Library:
    """The modules of one or more packages."""

    def __init__(self, *files: Mapping[str, str]) -> None:
        self.files: Mapping[str, str] = ChainMap(*files)  # type: ignore[arg-type]
        """The text of each file by its path."""
        self._modules: dict[str, Module | None] = {}

    def module(self, dotted: str) -> Module | None:
        """The module called ``dotted``, if one of the packages has it."""
        if dotted not in self._modules:
            path = dotted.replace(".", "/")
            found = None
            for candidate in (f"{path}/__init__.py", f"{path}.py"):
                if candidate in self.files:
                    found = Module(dotted, self.files[candidate], candidate.endswith("__init__.py"), self, candidate)
                    break
            self._modules[dotted] = found
        return self._modules[dotted]

    def matching(self, pattern: str) -> list[Module]:
        """The modules whose dotted name is ``pattern``, in which one ``*`` stands for one name."""
        head, star, tail = pattern.partition("*")
        if not star:
            return [m for m in [self.module(pattern)] if m]
        files = (p.removesuffix(".py").removesuffix("/__init__") for p in sorted(self.files) if p.endswith(".py"))
        paths = (path.replace("/", ".") for path in files)
        names = [
            n for n in paths if n.startswith(head) and n.endswith(tail) and "." not in n[len(head) : len(n) - len(tail)]
        ]
        return [m for m in map(self.module, names) if m]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: in a module, perhaps in a class body whose own names come first."""

    module: Module
    local: Mapping[str, list[ast.AST]] = field(default_factory=dict)

    def resolve(self, node: ast.AST) -> list[Bound]:
        """What a name or dotted name stands for."""
        if isinstance(node, ast.Name):
            own = [bound for n in self.local.get(node.id, ()) for bound in self.module.bound(n, node.id)]
            return own if node.id in self.local else self.module.lookup(node.id)
        if isinstance(node, ast.Attribute):
            found: list[Bound] = []
            for owner in self.resolve(node.value):
                if isinstance(owner.node, ast.Module):
                    found += owner.module.lookup(node.attr)
                elif isinstance(owner.node, ast.ClassDef):
                    found += [Bound(n, owner.module) for n in collect_bindings(owner.node.body).get(node.attr, ())]
            return found
        return []

    def resolve_class(self, node: ast.AST) -> Bound | None:
        """The class that ``node`` names, through plain renamings."""
        for bound in self.resolve(node):
            if isinstance(bound.node, ast.ClassDef):
                return bound
            if isinstance(bound.node, ast.Name | ast.Attribute) and bound.node is not node:
                return Scope(bound.module).resolve_class(bound.node)
        return None
