"""One field of a dataclass or pydantic model as an argument."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trainlint.scripts.names import Bound, Scope
from trainlint.scripts.shapes import Shape, picked_type, read_bounds
from trainlint.scripts.values import Unevaluable, evaluate, is_model, possible_values, type_name, unique

Definition: TypeAlias = dict[str, Any]
"""What one version says about one argument: type, choices, default, …"""

Namer: TypeAlias = Callable[[Bound, str], str]
"""Names the section of a nested model, given the model and the argument that holds it."""


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
        if nargs.value != "?":
            shape = Shape(frozenset(f"list[{t}]" if t in ("int", "float", "str") else t for t in shape.types))
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
