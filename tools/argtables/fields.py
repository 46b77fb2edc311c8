"""The fields of dataclasses and pydantic models as arguments."""

from __future__ import annotations

import ast
import re
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
