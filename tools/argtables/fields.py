"""The fields of dataclasses and pydantic models as arguments."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, field

from trainlint.scripts.fields import Definition, Namer, read_field
from trainlint.scripts.names import Bound, Scope, collect_bindings
from trainlint.scripts.shapes import read_type
from trainlint.scripts.values import base_names, lineage


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
        refused = read_refused(one.node)
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
                    definition["deprecated"] = True
                    if name in refused:
                        definition["rejected"] = True
                arguments[name] = definition
                models |= {section_of(m, name): m for m in shape.models}
    if extra is None and is_pydantic:
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
