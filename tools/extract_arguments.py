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


class Unevaluable(Exception):
    """The value of an expression cannot be told from the source alone."""


# --- packages as text ---------------------------------------------------------------------------------------------------


def read_archive(path: Path) -> Mapping[str, str]:
    """The Python files of a wheel or source tarball, by path below the import root (``trl/trainer/sft_config.py``)."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {n: wheel.read(n).decode("utf-8", "replace") for n in wheel.namelist() if n.endswith(".py")}
    files: dict[str, str] = {}
    with tarfile.open(path) as tarball:
        for member in tarball:
            if member.isfile() and member.name.endswith(".py") and (handle := tarball.extractfile(member)):
                inner = member.name.partition("/")[2]
                files[inner.removeprefix("src/")] = handle.read().decode("utf-8", "replace")
    return files


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
        return found

    def _imported(self, node: ast.ImportFrom, name: str) -> list[Bound]:
        original = next(a.name for a in node.names if (a.asname or a.name) == name)
        base = node.module or ""
        if node.level:
            parents = self.name.split(".")[
                : None if self.is_package and node.level == 1 else -(node.level - self.is_package)
            ]
            base = ".".join([*parents, base] if base else parents)
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
        self._files = {path: text for package in files for path, text in package.items()}
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
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
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
    """``cls`` after its bases, first base strongest, without ``stop`` (``package:Class``) and what lies behind it."""
    seen: set[int] = set()

    def walk(one: Bound) -> Iterator[Bound]:
        assert isinstance(one.node, ast.ClassDef)
        if id(one.node) in seen or stop == f"{one.module.name.partition('.')[0]}:{one.node.name}":
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
            return Shape(closed=unique(value for _, value in enum_members(cls)), from_enum=True)
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


@dataclass(frozen=True)
class Section:
    """The arguments of one version's section, and the nested models that their types name."""

    arguments: dict[str, Definition]
    models: tuple[Bound, ...] = ()
    extra: str | None = None


def read_class(cls: Bound, stop: str | None, section_of: Callable[[Bound], str]) -> Section:
    """The arguments that ``cls`` accepts, inherited ones included up to ``stop``."""
    arguments: dict[str, Definition] = {}
    models: list[Bound] = []
    extra = None
    for one in lineage(cls, stop):
        assert isinstance(one.node, ast.ClassDef)
        assigned = [n for n in one.node.body if not isinstance(n, ast.AnnAssign)]
        scope = Scope(one.module, collect_bindings(assigned))
        extra = read_extra(one.node, scope) or extra
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
                arguments[name] = definition
                models += shape.models
    return Section(arguments, unique(models), extra)


def read_extra(cls: ast.ClassDef, scope: Scope) -> str | None:
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


def read_field(
    node: ast.AnnAssign, shape: Shape, scope: Scope, section_of: Callable[[Bound], str]
) -> Definition | None:
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
        definition["sections"] = sorted({section_of(m) for m in shape.models})
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
    if isinstance(new := both.get("new_param"), ast.Constant) and new.value:
        found["replaced_by"] = new.value
    return found


# --- launchers ----------------------------------------------------------------------------------------------------------

ACTIONS_WITHOUT_VALUE = {"store_true", "store_false", "store_const", "count", "help", "version", "append_const"}


def read_options(module: Module) -> dict[str, Definition]:
    """Every spelling of every ``add_argument`` call in a module, with the number of values it takes."""
    options: dict[str, Definition] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            flags = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            definition = read_option(node, Scope(module))
            for flag in flags:
                options[flag] = definition | ({"same_as": flags[0]} if flag != flags[0] else {})
    return options


def read_option(node: ast.Call, scope: Scope) -> Definition:
    options = {k.arg: k.value for k in node.keywords if k.arg}

    def constant(name: str) -> Any:
        try:
            return evaluate(options[name], scope) if name in options else None
        except Unevaluable:
            text = ast.unparse(options[name])
            return "..." if text.endswith("REMAINDER") else text

    action = constant("action")
    definition: Definition = {"values": constant("nargs") if "nargs" in options else 0 if takes_nothing(action) else 1}
    if definition["values"] != 0 and isinstance(kind := options.get("type"), ast.Name) and kind.id in BUILTINS:
        definition["type"] = kind.id
    if isinstance(choices := constant("choices"), list):
        definition["choices"] = choices
    if "default" in options and ast.unparse(options["default"]) != "argparse.SUPPRESS":
        definition |= read_default(options["default"], scope)
    return definition


def takes_nothing(action: Any) -> bool:
    # accelerate and torch name their own help actions by class
    return isinstance(action, str) and (action in ACTIONS_WITHOUT_VALUE or action.endswith("HelpAction"))


# --- tables -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """What ``frameworks.toml`` says about one table."""

    name: str
    package: str
    versions: list[str]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    beside: str | None = None
    """A package, as ``name==version``, whose classes this one's annotations name."""

    def packages(self) -> list[tuple[str, str]]:
        needed = [(self.package, v) for v in self.versions]
        return needed + ([(p, v) for p, _, v in [self.beside.partition("==")]] if self.beside else [])


def read_recipes(path: Path = RECIPES) -> list[Recipe]:
    return [Recipe(name, **entry) for name, entry in tomli.loads(path.read_text("utf-8")).items()]


def read_version(recipe: Recipe, library: Library) -> dict[str, Section]:
    """All sections of one version; nested models become sections of their own."""
    names = {c.rpartition(":")[2]: name for name, s in recipe.sections.items() for c in s["classes"] if "*" not in c}

    def section_of(model: Bound) -> str:
        assert isinstance(model.node, ast.ClassDef)
        return names.get(model.node.name, model.node.name)

    sections: dict[str, Section] = {}
    waiting: list[Bound] = []
    for name, spec in recipe.sections.items():
        parts = [read_class(c, spec.get("extends"), section_of) for c in find_classes(library, spec["classes"])]
        if parts:
            arguments = {k: v for part in parts for k, v in part.arguments.items()}
            sections[name] = Section(arguments, extra=parts[-1].extra)
            waiting += [m for part in parts for m in part.models]
    while waiting:
        model = waiting.pop()
        if (name := section_of(model)) not in sections:
            sections[name] = read_class(model, None, section_of)
            waiting += sections[name].models
    return sections


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
    beside = [read_archive(archives[key]) for key in recipe.packages()[len(recipe.versions) :]]
    libraries = {v: Library(read_archive(archives[recipe.package, v]), *beside) for v in recipe.versions}
    table: dict[str, Any] = {"package": recipe.package, "versions": recipe.versions}
    if recipe.options:
        table["source"] = ", ".join(f"{m.replace('.', '/')}.py" for m in recipe.options)
        read = {v: [m for name in recipe.options for m in lib.matching(name)] for v, lib in libraries.items()}
        latest = read[recipe.versions[-1]]
        return table | {"options": {k: v for m in latest for k, v in sorted(read_options(m).items())}}
    table["source"] = ", ".join(c for s in recipe.sections.values() for c in s["classes"])
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
        found = {key: find_archive(*key, options.places) for key in recipe.packages()}
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
