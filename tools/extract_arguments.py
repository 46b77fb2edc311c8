"""Make ``src/trainlint/data/frameworks/*.json``: which arguments every framework accepts, version by version.

The tool reads released packages (wheels, sdists, ``git archive`` tarballs) as text and their Python as syntax trees. Nothing
is unpacked, imported or executed, so it needs neither torch nor trust, and a version of 2023 is as easy to read as today's.

    python tools/extract_arguments.py DIR…            write the tables from the packages found in DIR…
    python tools/extract_arguments.py DIR… --check    write nothing; exit 1 and name the tables that would change

``frameworks.toml`` beside this file says what is read: package, versions, and the classes or launcher parsers of each section.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import operator
import sys
import tarfile
import zipfile
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import tomli

HERE = Path(__file__).resolve().parent
RECIPES = HERE / "frameworks.toml"
TABLES = HERE.parent / "src" / "trainlint" / "data" / "frameworks"

Definition: TypeAlias = dict[str, Any]
"""What one version says about one argument: type, choices, default, …"""

KeyPath: TypeAlias = tuple[str, ...]
"""Where a key stands in a nested configuration."""


class Unevaluable(Exception):
    """The value of an expression cannot be told from the source alone."""


# --- packages as text ---------------------------------------------------------------------------------------------------


class Wheel(Mapping[str, str]):
    """The Python files of a wheel by path, each read when asked for: torch alone has thousands."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._names = {n for n in self._archive.namelist() if n.endswith(".py")}

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return self._archive.read(name).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_tarball(path: Path) -> Mapping[str, str]:
    """The Python files of a source tarball, by path below its import root."""
    files: dict[str, str] = {}
    with tarfile.open(path) as tarball:
        for member in tarball:
            if member.isfile() and member.name.endswith(".py") and (handle := tarball.extractfile(member)):
                inner = member.name.partition("/")[2]
                files[inner.removeprefix("src/")] = handle.read().decode("utf-8", "replace")
    return files


def read_archive(path: Path) -> Mapping[str, str]:
    """The Python files of a package by path (``trl/trainer/sft_config.py``)."""
    return Wheel(path) if path.suffix == ".whl" else read_tarball(path)


def find_archive(package: str, version: str, places: Iterable[Path]) -> Path | None:
    """The wheel or tarball of ``package`` at ``version`` in one of ``places``."""
    stems = {f"{package}-{version}", f"{package.replace('-', '_')}-{version}"}
    for place in places:
        for path in sorted(place.iterdir()):
            stem = path.name.removesuffix(".tar.gz") if path.name.endswith(".tar.gz") else path.stem
            # a wheel carries its tags, and perhaps a local version, after the version
            if path.is_file() and any(stem == s or stem.startswith((f"{s}-", f"{s}+")) for s in stems):
                return path
    return None


# --- names --------------------------------------------------------------------------------------------------------------


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

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def bindings(self) -> Mapping[str, list[ast.AST]]:
        return collect_bindings(self.tree.body)

    def lookup(self, name: str) -> list[Bound]:
        """Everything ``name`` may stand for; several entries when branches bind it differently, none when unknown."""
        found: list[Bound] = []
        for node in self.bindings.get(name, ()):
            if isinstance(node, ast.ImportFrom):
                found += self._imported(node, name)
            elif isinstance(node, ast.Import):
                alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
                target = self.library.module(alias.name if alias.asname else name)
                found += [Bound(target.tree, target)] if target else []
            else:
                found.append(Bound(node, self))
        if not found and name != "*":
            stars = [n for n in self.bindings.get("*", ()) if isinstance(n, ast.ImportFrom)]
            origins = [self.library.module(self._origin(n)) for n in stars]
            found = [b for origin in origins if origin and origin is not self for b in origin.lookup(name)]
        return found

    def _origin(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module that an import statement reads."""
        base = node.module or ""
        if not node.level:
            return base
        parts = self.name.split(".")
        parents = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parents, base] if base else parents)

    def _imported(self, node: ast.ImportFrom, name: str) -> list[Bound]:
        original = next(a.name for a in node.names if (a.asname or a.name) == name)
        base = self._origin(node)
        if (submodule := self.library.module(f"{base}.{original}")) is not None:
            return [Bound(submodule.tree, submodule)]
        origin = self.library.module(base)
        return origin.lookup(original) if origin and origin is not self else []


def collect_bindings(body: Iterable[ast.stmt]) -> dict[str, list[ast.AST]]:
    """The names bound by ``body``, looking into ``if``, ``try`` and ``with`` but not into functions or classes."""
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
    return names


def flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of ``body`` and of the blocks in it, in order."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from flat(node.body)
            yield from flat(getattr(node, "orelse", []))
            for handler in getattr(node, "handlers", []):
                yield from flat(handler.body)


class Library:
    """The modules of one or more packages."""

    def __init__(self, *files: Mapping[str, str]) -> None:
        self._files: Mapping[str, str] = ChainMap(*files)  # type: ignore[arg-type]
        self._modules: dict[str, Module | None] = {}

    def module(self, dotted: str) -> Module | None:
        """The module called ``dotted``, if one of the packages has it."""
        if dotted not in self._modules:
            path = dotted.replace(".", "/")
            found = None
            for candidate in (f"{path}/__init__.py", f"{path}.py"):
                if candidate in self._files:
                    found = Module(dotted, self._files[candidate], candidate.endswith("__init__.py"), self)
                    break
            self._modules[dotted] = found
        return self._modules[dotted]

    def matching(self, pattern: str) -> list[Module]:
        """The modules whose dotted name is ``pattern``, in which one ``*`` stands for one name."""
        head, star, tail = pattern.partition("*")
        if not star:
            return [m for m in [self.module(pattern)] if m]
        paths = (p.removesuffix(".py").replace("/", ".") for p in sorted(self._files))
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
            return [Bound(n, self.module) for n in self.local.get(node.id, ())] or self.module.lookup(node.id)
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


# --- values -------------------------------------------------------------------------------------------------------------

OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.Pow: lambda a, b: a**b if abs(b) < 100 else 1 / 0,
}
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
        return _evaluate(node, scope)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Unevaluable(ast.unparse(node)) from error


def _evaluate(node: ast.AST, scope: Scope) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.List() | ast.Tuple() | ast.Set():
            return [_evaluate(e, scope) for e in node.elts]
        case ast.Dict():
            return {_evaluate(k, scope): _evaluate(v, scope) for k, v in zip(node.keys, node.values, strict=True) if k}
        case ast.UnaryOp(op=ast.USub()):
            return -_evaluate(node.operand, scope)
        case ast.UnaryOp(op=ast.Not()):
            return not _evaluate(node.operand, scope)
        case ast.BinOp() if type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](_evaluate(node.left, scope), _evaluate(node.right, scope))
        case ast.JoinedStr():
            return "".join(str(_evaluate(part, scope)) for part in node.values)
        case ast.FormattedValue(conversion=-1, format_spec=None):
            return _evaluate(node.value, scope)
        case ast.Lambda(args=ast.arguments(args=[])):
            return _evaluate(node.body, scope)
        case ast.Call(keywords=[]):
            return _evaluate_call(node, scope)
        case ast.Attribute(attr="value"):
            return _evaluate(node.value, scope)
        case ast.Name() | ast.Attribute():
            return _evaluate_name(node, scope)
    raise Unevaluable(ast.unparse(node))


def _evaluate_call(node: ast.Call, scope: Scope) -> Any:
    cls = scope.resolve_class(node.func)
    if cls is not None and not node.args and is_model(cls):
        return {}  # a nested configuration made of its own defaults
    # deepspeed's pp_int and the like: a class that only prints a number in another way
    name = next(iter(builtin_bases(cls)), "") if cls else ast.unparse(node.func)
    if name not in BUILTINS:
        raise Unevaluable(ast.unparse(node))
    return BUILTINS[name](*(_evaluate(a, scope) for a in (node.args[:1] if cls else node.args)))


def _evaluate_name(node: ast.Name | ast.Attribute, scope: Scope) -> Any:
    if isinstance(node, ast.Attribute) and (cls := scope.resolve_class(node.value)) and is_enum(cls):
        return dict(enum_members(cls))[node.attr]
    values = [_evaluate(b.node, Scope(b.module)) for b in scope.resolve(node) if b.node is not node]
    if not values or any(v != values[0] for v in values):
        raise Unevaluable(ast.unparse(node))
    return values[0]


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


# --- classes ------------------------------------------------------------------------------------------------------------


def bases(cls: Bound) -> Iterator[tuple[str, Bound | None]]:
    """Name and definition of each base class; the definition is missing when it lives in another package."""
    assert isinstance(cls.node, ast.ClassDef)
    for base in cls.node.bases:
        yield ast.unparse(base).rpartition(".")[2], Scope(cls.module).resolve_class(base)


def lineage(cls: Bound, stop: str | None = None) -> Iterator[Bound]:
    """``cls`` after its bases of the same package, first base strongest, up to the class called ``stop``."""
    seen: set[int] = set()

    def walk(one: Bound) -> Iterator[Bound]:
        assert isinstance(one.node, ast.ClassDef)
        if id(one.node) in seen or one.node.name == stop or one.module.package != cls.module.package:
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


# --- types --------------------------------------------------------------------------------------------------------------

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


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    kept: list[Any] = []
    for value in values:
        if not any(type(value) is type(k) and value == k for k in kept):
            kept.append(value)
    return tuple(kept)


def type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def read_type(node: ast.expr | None, scope: Scope) -> Shape:
    """The shape of an annotation; what nobody can resolve from the source is ``any``."""
    match node:
        case None:
            return Shape(frozenset({"any"}))
        case ast.Constant(value=None):
            return Shape(frozenset({"None"}))
        case ast.Constant(value=str() as text):
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


# --- fields of dataclasses and pydantic models --------------------------------------------------------------------------


Namer: TypeAlias = Callable[[Bound, str], str]
"""Names the section of a nested model, given the model and the argument that holds it."""


@dataclass(frozen=True)
class Section:
    """The arguments of one version's section, and by section name the nested models that their types name."""

    arguments: dict[str, Definition]
    models: dict[str, Bound] = field(default_factory=dict)
    extra: str | None = None


def read_class(cls: Bound, stop: str | None, section_of: Namer) -> Section:
    """The arguments that ``cls`` accepts, inherited ones included up to ``stop``."""
    arguments: dict[str, Definition] = {}
    models: dict[str, Bound] = {}
    extra = None
    for one in lineage(cls, stop):
        assert isinstance(one.node, ast.ClassDef)
        assigned = [n for n in one.node.body if not isinstance(n, ast.AnnAssign)]
        scope = Scope(one.module, collect_bindings(assigned))
        extra = read_extra(one.node) or extra
        refused = read_refused(one.node)
        for node in one.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            name = node.target.id
            if name.startswith("_") or name == "model_config" or "ClassVar" in ast.unparse(node.annotation):
                continue
            shape = read_type(node.annotation, scope)
            if (definition := read_field(node, shape, scope, section_of)) is not None:
                if one.node.name.startswith("Deprecated"):
                    definition["deprecated"] = True
                    if name in refused:
                        definition["rejected"] = True
                arguments[name] = definition
                models |= {section_of(m, name): m for m in shape.models}
    if extra is None and "BaseModel" in base_names(cls):
        extra = "ignore"  # what pydantic does unless told
    return Section(arguments, models, extra)


def read_refused(cls: ast.ClassDef) -> set[str]:
    """The fields whose validator raises: in a class of deprecated fields, those that stop the run."""
    refused: set[str] = set()
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "field_validator":
                    refused |= {
                        a.value for a in decorator.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
                    }
    return refused


def read_extra(cls: ast.ClassDef) -> str | None:
    """What a pydantic model does with keys it does not know: ``forbid``, ``ignore`` or ``allow``."""
    for node in ast.walk(cls):
        match node:
            case ast.keyword(arg="extra", value=ast.Constant(value=str() as extra)):
                return extra
            case ast.Assign(targets=[ast.Name(id="extra")], value=ast.Constant(value=str() as extra)):
                return extra
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    match key, value:
                        case ast.Constant(value="extra"), ast.Constant(value=str() as extra):
                            return extra
    return None


def read_field(node: ast.AnnAssign, shape: Shape, scope: Scope, section_of: Namer) -> Definition | None:
    """One class attribute as an argument; None when the constructor does not take it."""
    call, default = field_call(node)
    options = {k.arg: k.value for k in call.keywords if k.arg} if call else {}
    if isinstance(init := options.get("init"), ast.Constant) and init.value is False:
        return None
    metadata = constant_items(options.get("metadata")) | constant_items(options.get("json_schema_extra"))
    definition: Definition = {}
    is_hf = call is not None and ast.unparse(call.func).endswith("field")
    if default is None or (isinstance(default, ast.Constant) and default.value is ...):
        definition["required"] = True
    else:
        definition |= read_default(default, scope)
    if definition.get("default", ...) is None:
        # annotated ``str = None``: the framework lives with the None, whatever the annotation says
        shape |= Shape(frozenset({"None"}))
    definition |= read_choices(shape, metadata.get("choices"), scope, is_hf)
    definition |= dict(shape.bounds) | (dict(read_bounds(call, scope)) if call else {})
    definition |= read_names(options, metadata, scope)
    if shape.models:
        definition["sections"] = sorted({section_of(m, ast.unparse(node.target)) for m in shape.models})
    return {"type": shape.text(), **definition}


def field_call(node: ast.AnnAssign) -> tuple[ast.Call | None, ast.expr | None]:
    """The ``field(…)`` or ``Field(…)`` behind an attribute, and the expression of its default."""
    value, call = node.value, None
    if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in ("field", "Field"):
        call, value = value, None
    elif value is None or not isinstance(value, ast.Call):
        inside = [n for n in ast.walk(node.annotation) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Field"]
        call = inside[0] if inside else None
    if call is not None and value is None:
        value = next((k.value for k in call.keywords if k.arg in ("default", "default_factory")), None)
        value = value or (call.args[0] if call.args else None)
    return call, value


def constant_items(node: ast.expr | None) -> dict[str, ast.expr]:
    """The entries of a dictionary display that have a constant key."""
    if not isinstance(node, ast.Dict):
        return {}
    pairs = zip(node.keys, node.values, strict=True)
    return {k.value: v for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str)}


def read_default(node: ast.expr, scope: Scope) -> Definition:
    if isinstance(node, ast.Name) and node.id in ("list", "dict"):
        return {"default": [] if node.id == "list" else {}}  # a default_factory
    if (cls := scope.resolve_class(node)) and is_model(cls):
        return {"default": {}}
    try:
        value = evaluate(node, scope)
        if not (isinstance(value, float) and value - value != 0):  # JSON has neither infinity nor NaN
            return {"default": value}
    except Unevaluable:
        pass
    known = possible_values(node, scope)
    return {"default_expression": ast.unparse(node)} | ({"default_one_of": known} if len(known) > 1 else {})


def read_choices(shape: Shape, metadata: ast.expr | None, scope: Scope, is_hf: bool) -> Definition:
    """``choices`` limit a scalar of their own type; ``item_choices`` limit what a list holds."""
    found: Definition = {}
    # ``SchedulerType | str`` is transformers' way to say SchedulerType; ``Literal["auto"] | str`` is any string
    open_types = shape.types - ({"str"} if is_hf and shape.from_enum else set())
    if choices := [v for v in shape.closed if type_name(v) not in open_types]:
        found["choices"] = choices
    if shape.items and "list[any]" not in shape.types:
        found["item_choices"] = list(shape.items)
    if metadata is not None:
        with contextlib.suppress(Unevaluable):  # transformers' log levels come out of a function
            found["item_choices" if "list" in shape.text() else "choices"] = evaluate(metadata, scope)
    return found


def read_names(options: Mapping[str, ast.expr], metadata: Mapping[str, ast.expr], scope: Scope) -> Definition:
    """Other names of an argument, and whether its own is on the way out."""
    found: Definition = {}
    texts = [
        n.value
        for key in ("alias", "validation_alias", "aliases")
        for o in (options, metadata)
        if key in o
        for n in ast.walk(o[key])
        if isinstance(n, ast.Constant)
    ]
    if aliases := unique(t for t in texts if isinstance(t, str)):
        found["aliases"] = list(aliases)
    both = {**options, **metadata}
    if isinstance(flag := both.get("deprecated"), ast.Constant) and flag.value:
        found["deprecated"] = True
    if isinstance(new := both.get("new_param"), ast.Constant) and new.value and "deprecated" in found:
        found["replaced_by"] = new.value
    return found


# --- keys read from a dictionary ----------------------------------------------------------------------------------------


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


# --- launchers ----------------------------------------------------------------------------------------------------------

ACTIONS_WITHOUT_VALUE = {"store_true", "store_false", "store_const", "count", "help", "version", "append_const"}


def read_options(module: Module, dashes: bool) -> dict[str, Definition]:
    """Every spelling of every option in a module's parsers, with the number of values it takes."""
    options: dict[str, Definition] = {}
    for node in ast.walk(module.tree):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"
        ):
            continue
        flags = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        flags = [f for f in flags if f.startswith("-")]
        flags += [f.replace("_", "-") for f in flags if dashes and "_" in f]
        for flag in flags:
            options[flag] = read_option(node, Scope(module)) | ({"same_as": flags[0]} if flag != flags[0] else {})
    return options


def read_option(node: ast.Call, scope: Scope) -> Definition:
    given = {k.arg: k.value for k in node.keywords if k.arg}
    definition: Definition = {"values": 1}
    if "nargs" in given:
        text = ast.unparse(given["nargs"])
        definition["values"] = "..." if text.endswith("REMAINDER") else evaluate(given["nargs"], scope)
    elif "action" in given and takes_nothing(given["action"], scope):
        definition["values"] = 0
    elif isinstance(kind := given.get("type"), ast.Name) and kind.id in BUILTINS:
        definition["type"] = kind.id
    if "choices" in given:
        with contextlib.suppress(Unevaluable):
            definition["choices"] = evaluate(given["choices"], scope)
    if "default" in given and not ast.unparse(given["default"]).endswith("SUPPRESS"):
        definition |= read_default(given["default"], scope)
    return definition


def takes_nothing(action: ast.expr, scope: Scope) -> bool:
    """Whether an option with this action is a bare flag; the action may be a class that sets ``nargs=0``."""
    if isinstance(action, ast.Constant):
        return action.value in ACTIONS_WITHOUT_VALUE
    if (cls := scope.resolve_class(action)) is None:
        return False
    texts = [ast.unparse(n) for n in ast.walk(cls.node) if isinstance(n, ast.keyword)]
    return "nargs=0" in texts or any(name.endswith("HelpAction") for name in base_names(cls))


# --- tables -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """What ``frameworks.toml`` says about one table."""

    name: str
    package: str
    versions: list[str]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    """The modules of a launcher whose parsers are read instead of classes."""
    dashes: bool = False
    """Whether the launcher takes ``--num-processes`` for ``--num_processes`` by itself."""
    beside: dict[str, Any] = field(default_factory=dict)
    """The package whose classes this one's annotations name, and its version for each of ours."""

    def packages(self, version: str) -> list[tuple[str, str]]:
        """The packages to read for one version."""
        needed = [(self.package, version)]
        if self.beside:
            needed.append((self.beside["package"], self.beside["versions"][self.versions.index(version)]))
        return needed


def read_recipes(path: Path = RECIPES) -> list[Recipe]:
    return [Recipe(name, **entry) for name, entry in tomli.loads(path.read_text("utf-8")).items()]


def read_version(recipe: Recipe, library: Library) -> dict[str, Section]:
    """All sections of one version; nested models become sections of their own."""
    sections: dict[str, Section] = {}
    waiting: dict[str, Bound] = {}
    for name, spec in recipe.sections.items():
        stop = spec.get("extends", "").rpartition(":")[2]
        namer: Namer = (lambda _, argument: argument) if "reads" in spec else class_name
        classes = list(find_classes(library, spec.get("classes", [])))
        read = [(c, read_class(c, stop, namer)) for c in classes]
        # where "*" found a model and the one that holds it, the former is no section of its own
        inner = [m.node for _, part in read for m in part.models.values()]
        parts = [part for c, part in read if c.node not in inner]
        arguments = {k: v for part in parts for k, v in part.arguments.items()}
        for part in parts:
            waiting |= part.models
        if "reads" in spec:
            reader = KeyReader()
            for cls in find_classes(library, [spec["reads"]]):
                reader.read_class(cls, spec["names"])
            sections |= reader.sections(name)
            arguments |= sections[name].arguments
        for kind in spec.get("types", {}).keys() & arguments.keys():
            arguments[kind]["type"] = spec["types"][kind]
        extra = parts[-1].extra if parts else sections[name].extra if name in sections else None
        if rejected := rejected_keys(library, spec):
            arguments = (sections[name].arguments if name in sections else {}) | arguments | rejected
        if arguments:
            sections[name] = Section(arguments, extra=extra)
    while waiting:
        name, model = waiting.popitem()
        if name not in sections:
            sections[name] = read_class(model, None, class_name)
            waiting |= sections[name].models
    return sections


def class_name(model: Bound, _argument: str) -> str:
    """A nested model is known by its class."""
    assert isinstance(model.node, ast.ClassDef)
    return model.node.name


def rejected_keys(library: Library, spec: Mapping[str, Any]) -> dict[str, Definition]:
    """The keys of the dictionary that a package keeps of what it no longer takes."""
    where, _, name = spec.get("rejected", "").partition(":")
    module = library.module(where)
    tables = [b.node for b in (module.lookup(name) if module else [])]
    return {key: {"type": "any", "rejected": True} for t in tables for key in constant_items(t)}  # type: ignore[arg-type]


def find_classes(library: Library, patterns: Iterable[str]) -> Iterator[Bound]:
    """The classes named by ``module:Class``; ``*`` as class means every model that the module defines."""
    for pattern in patterns:
        where, _, name = pattern.partition(":")
        for module in library.matching(where):
            if name != "*":
                yield from (b for b in module.lookup(name) if isinstance(b.node, ast.ClassDef))
                continue
            for nodes in module.bindings.values():
                found = [Bound(n, module) for n in nodes if isinstance(n, ast.ClassDef)]
                yield from (c for c in found if is_model(c) and not is_enum(c))


def editions(history: Mapping[str, Definition | None]) -> list[Definition]:
    """One entry for each unbroken run of versions that say the same about an argument."""
    runs: list[Definition] = []
    previous: str | None = None
    for version, definition in history.items():
        text = json.dumps(definition, sort_keys=True)
        if definition is None:
            pass
        elif text == previous:
            runs[-1]["to"] = version
        else:
            runs.append({"from": version, "to": version, **definition})
        previous = text
    return runs


def build_table(recipe: Recipe, archives: Mapping[tuple[str, str], Path]) -> dict[str, Any]:
    """The whole table of one package."""
    libraries = {v: Library(*(read_archive(archives[key]) for key in recipe.packages(v))) for v in recipe.versions}
    table: dict[str, Any] = {"package": recipe.package, "versions": recipe.versions}
    if recipe.options:
        table["source"] = ", ".join(f"{m.replace('.', '/')}.py" for m in recipe.options)
        library = libraries[recipe.versions[-1]]
        modules = [m for name in recipe.options for m in library.matching(name)]
        options = {k: v for m in modules for k, v in sorted(read_options(m, recipe.dashes).items())}
        abbreviations = not any("allow_abbrev=False" in m.source for m in modules)
        return table | {"abbreviations": abbreviations, "options": options}
    table["source"] = ", ".join(
        c for s in recipe.sections.values() for c in [*s.get("classes", []), *([s["reads"]] if "reads" in s else [])]
    )
    by_version = {v: read_version(recipe, library) for v, library in libraries.items()}
    table["sections"] = {}
    for name in sorted({name for sections in by_version.values() for name in sections}):
        sections = {v: s[name] if name in s else Section({}) for v, s in by_version.items()}
        arguments = sorted({a for s in sections.values() for a in s.arguments})
        extra = [s.extra for s in sections.values() if s.arguments][-1:]
        table["sections"][name] = {
            "extends": recipe.sections.get(name, {}).get("extends"),
            **({"extra": extra[0]} if extra and extra[0] else {}),
            "arguments": {a: editions({v: s.arguments.get(a) for v, s in sections.items()}) for a in arguments},
        }
    return table


def render(table: Mapping[str, Any]) -> str:
    """JSON with one argument or option per line, so that a diff shows what a release changed."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(entries: Mapping[str, Any], indent: str) -> str:
        lines = ",\n".join(f"{indent} {line(k)}: {line(v)}" for k, v in entries.items())
        return f"{{\n{lines}\n{indent}}}" if entries else "{}"

    parts = [f" {line(k)}: {line(v)}" for k, v in table.items() if k not in ("sections", "options")]
    if "options" in table:
        parts.append(f' "options": {block(table["options"], " ")}')
    if "sections" in table:
        sections = []
        for name, section in table["sections"].items():
            head = "".join(f"{line(k)}: {line(v)}, " for k, v in section.items() if k != "arguments")
            sections.append(f'  {line(name)}: {{{head}"arguments": {block(section["arguments"], "  ")}}}')
        parts.append(' "sections": {\n' + ",\n".join(sections) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="DIR", help="directories with wheels and source tarballs"
    )
    parser.add_argument("--table", action="append", metavar="NAME", help="only this table (repeatable)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table is stale")
    options = parser.parse_args(argv)
    stale = 0
    for recipe in read_recipes():
        if options.table and recipe.name not in options.table:
            continue
        wanted = {key for version in recipe.versions for key in recipe.packages(version)}
        found = {key: find_archive(*key, options.places) for key in sorted(wanted)}
        archives = {key: path for key, path in found.items() if path}
        if missing := [f"{p}=={v}" for p, v in found if (p, v) not in archives]:
            print(f"{recipe.name}: skipped, not here: {' '.join(missing)}", file=sys.stderr)
            continue
        text = render(build_table(recipe, archives))
        path = TABLES / f"{recipe.name}.json"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if options.check:
            print(f"{recipe.name}: stale")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"{recipe.name}: written")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
