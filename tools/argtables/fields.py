"""The fields of dataclasses and pydantic models as arguments."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from argtables.names import Bound, Scope, collect_bindings
from argtables.shapes import Shape, picked_type, read_bounds, read_type
from argtables.values import Unevaluable, base_names, evaluate, is_model, lineage, possible_values, type_name, unique

Definition: TypeAlias = dict[str, Any]
"""What one version says about one argument: type, choices, default, …"""

Namer: TypeAlias = Callable[[Bound, str], str]
"""Names the section of a nested model, given the model and the argument that holds it."""


@dataclass(frozen=True)
class Section:
    """The arguments of one version's section, and by section name the nested models that their types name."""

    arguments: dict[str, Definition]
    models: dict[str, Bound] = field(default_factory=dict)
    extra: str | None = None


def read_class(cls: Bound, stop: str | Collection[str] | None, section_of: Namer) -> Section:
    """The arguments that ``cls`` accepts, inherited ones included up to ``stop``."""
    arguments: dict[str, Definition] = {}
    models: dict[str, Bound] = {}
    extra = None
    is_pydantic = "BaseModel" in base_names(cls)
    for one in lineage(cls, stop or ()):
        assert isinstance(one.node, ast.ClassDef)
        assigned = [n for n in one.node.body if not isinstance(n, ast.AnnAssign)]
        scope = Scope(one.module, collect_bindings(assigned))
        extra = read_extra(one.node) or extra
        warnings = read_warnings(one.node)
        for node in one.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            name = node.target.id
            if (
                name.startswith("_")
                or (is_pydantic and name == "model_config")
                or "ClassVar" in ast.unparse(node.annotation)
            ):
                continue
            shape = read_type(node.annotation, scope)
            if (definition := read_field(node, shape, scope, section_of, is_pydantic)) is not None:
                if one.node.name.startswith("Deprecated"):
                    text, refused = warnings.get(name, ("", False))
                    definition["rejected" if refused else "deprecated"] = text or True
                arguments[name] = definition
                models |= {section_of(m, name): m for m in shape.models}
    if extra is None and is_pydantic:
        extra = "ignore"  # what pydantic does unless told
    return Section(arguments, models, extra)


def read_warnings(cls: ast.ClassDef) -> dict[str, tuple[str, bool]]:
    """What the validators of a class of deprecated fields say about each, and whether they stop the run with it."""
    said: dict[str, tuple[str, bool]] = {}
    for node in cls.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        raises: list[ast.AST] = [n for n in ast.walk(node) if isinstance(n, ast.Raise)]
        calls = raises or [
            n for n in ast.walk(node) if isinstance(n, ast.Call) and ast.unparse(n.func) == "LOG.warning"
        ]
        texts = [
            n.value
            for call in calls
            for n in ast.walk(call)
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "field_validator":
                for a in decorator.args:
                    if isinstance(a, ast.Constant) and isinstance(a.value, str):
                        said[a.value] = (first_sentence("".join(texts)), bool(raises))
    return said


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z`'\]])\. ", text, maxsplit=1)[0].rstrip(". ")


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


def read_field(
    node: ast.AnnAssign, shape: Shape, scope: Scope, section_of: Namer, is_pydantic: bool
) -> Definition | None:
    """One class attribute as an argument; None when the constructor does not take it."""
    call, default = field_call(node)
    options = {k.arg: k.value for k in call.keywords if k.arg} if call else {}
    if isinstance(init := options.get("init"), ast.Constant) and init.value is False:
        return None
    metadata = constant_items(options.get("metadata")) | constant_items(options.get("json_schema_extra"))
    definition: Definition = {}
    if default is None or ast.unparse(default) in ("...", "MISSING"):
        definition["required"] = True
    else:
        definition |= read_default(default, scope)
    shape |= Shape(frozenset(unannotated(definition, shape)))
    definition |= read_choices(shape, metadata.get("choices"), scope, is_pydantic)
    definition |= dict(shape.bounds) | (dict(read_bounds(call, scope)) if call else {})
    definition |= read_names(options, metadata, scope)
    if isinstance(nargs := metadata.get("nargs"), ast.Constant):
        definition["values"] = nargs.value
    picked = None if is_pydantic else picked_type(node.annotation, scope)
    if picked is not None and (text := picked.text()) != shape.text().removesuffix(" | None"):
        definition["picked"] = text
    if shape.models:
        definition["sections"] = sorted({section_of(m, ast.unparse(node.target)) for m in shape.models})
    return {"type": shape.text(), **definition}


def unannotated(definition: Definition, shape: Shape) -> set[str]:
    """The types of a default that its annotation leaves out: ``str = None``, ``List[float] = 0.0``, ``List[str] = [None]``.

    The framework lives with it, whatever the annotation says.
    """
    if "default" not in definition:
        return set()
    default = definition["default"]
    if default is None:
        return {"None"}
    if not shape.types or not all(name.startswith("list[") for name in shape.types):
        return set()
    if not isinstance(default, list):
        return {type_name(default)}
    return {"list"} if {f"list[{type_name(element)}]" for element in default} - shape.types else set()


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


def read_choices(shape: Shape, metadata: ast.expr | None, scope: Scope, is_pydantic: bool) -> Definition:
    """``choices`` limit a scalar of their own type; ``item_choices`` limit what a list holds."""
    found: Definition = {}
    # ``SchedulerType | str`` is transformers' way to say SchedulerType; pydantic takes any string for it
    open_types = shape.types - ({"str"} if shape.from_enum and not is_pydantic else set())
    if choices := [v for v in shape.closed if not open_types & {type_name(v), "any"}]:
        found["choices"] = choices
    if shape.items:
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
