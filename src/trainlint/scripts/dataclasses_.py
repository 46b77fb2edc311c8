"""Arguments declared as the fields of dataclasses: transformers' HfArgumentParser and what is built like it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from trainlint.scripts.fields import Definition, constant_items, field_call, read_field
from trainlint.scripts.frames import external, last
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import Bound, Scope, collect_bindings
from trainlint.scripts.project import Project
from trainlint.scripts.shapes import read_type
from trainlint.scripts.values import Unevaluable, evaluate

TABLES = {
    "transformers.TrainingArguments": "transformers:TrainingArguments",
    "transformers.Seq2SeqTrainingArguments": "transformers:seq2seq",
    **{
        f"trl.{name}": f"trl:{name}"
        for name in ("SFTConfig", "DPOConfig", "KTOConfig", "RewardConfig", "GRPOConfig", "ORPOConfig", "CPOConfig",
                     "RLOOConfig", "ModelConfig", "ScriptArguments")
    },
}  # fmt: skip
"""Classes of released packages whose tables are here."""
PLAIN_BASES = frozenset({"object", "ABC", "Generic", "Protocol"})
MAX_LINEAGE = 20


def classes(node: ast.AST, scope: Scope, depth: int = 0) -> Iterator[tuple[ast.AST, Scope]]:
    """The classes that a tuple, a list or one name of them names, each with the scope to resolve it in."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from classes(element, scope, depth)
        return
    if isinstance(node, ast.Call) and last(node.func) in ("tuple", "list") and len(node.args) == 1:
        yield from classes(node.args[0], scope, depth)
        return
    bounds = scope.resolve(node) if isinstance(node, ast.Name) and depth < MAX_LINEAGE else []
    several = [bound for bound in bounds if isinstance(bound.node, ast.Tuple | ast.List | ast.Set)]
    for bound in several:
        yield from classes(bound.node, Scope(bound.module), depth + 1)
    if not several or len(several) < len(bounds):
        yield node, scope


def add_classes(parser: Parser, node: ast.AST, scope: Scope, project: Project) -> None:
    """Add the fields of all classes that an argument of HfArgumentParser names."""
    for cls, where in classes(node, scope):
        own = Parser()
        _add_class(own, cls, where, project, 0)
        for declaration in own.declarations.values():
            parser.add(declaration)
        parser.sections += [section for section in own.sections if section not in parser.sections]
        if own.open is not None:
            parser.leave_open(own.open)


def _add_class(parser: Parser, node: ast.AST, scope: Scope, project: Project, depth: int) -> None:
    """The fields of a class over those of its bases, as a dataclass has them."""
    cls = scope.resolve_class(node)
    if cls is None:
        name = external(node, scope)
        head, _, tail = (name or "").rpartition(".")
        table = TABLES.get(f"{head.partition('.')[0]}.{tail}")
        if table is not None:
            parser.sections.append(table)
        elif last(node) not in PLAIN_BASES:
            parser.leave_open(f"{ast.unparse(node)} is not in this project")
        return
    assert isinstance(cls.node, ast.ClassDef)
    if depth > MAX_LINEAGE:
        raise Unread("the classes of its arguments inherit from each other")
    for base in reversed(cls.node.bases):
        target = base.value if isinstance(base, ast.Subscript) else base
        _add_class(parser, target, Scope(cls.module), project, depth + 1)
    fields = list(_fields(cls, project))
    if fields and not any("dataclass" in ast.unparse(decorator) for decorator in cls.node.decorator_list):
        parser.leave_open(f"{cls.node.name} is made a dataclass in a way that is not known")
    parser.override(fields)


def _fields(cls: Bound, project: Project) -> Iterator[Declaration]:
    assert isinstance(cls.node, ast.ClassDef)
    scope = Scope(cls.module, collect_bindings(n for n in cls.node.body if not isinstance(n, ast.AnnAssign)))
    for node in cls.node.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if last(node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation) == "ClassVar":
            continue
        entry = field_entry(node, scope)
        if entry is not None:
            name = node.target.id
            flags = (f"--{name}", *(f"--{alias.lstrip('-')}" for alias in _aliases(node, scope)))
            yield Declaration(name, flags, entry, project.locate(cls.module, node), name)


def field_entry(node: ast.AnnAssign, scope: Scope) -> Definition | None:
    """A field as HfArgumentParser takes it: a boolean without a default is off, and one that is no optional may stand alone."""
    shape = read_type(node.annotation, scope)
    entry = read_field(node, shape, scope, lambda _, argument: argument, False)
    if entry is None:
        return None
    entry = {key: value for key, value in entry.items() if key not in ("sections", "aliases")}
    if shape.types == {"bool"}:
        if entry.pop("required", False):
            entry["default"] = False
        entry["values"] = "?"
    return entry


def _aliases(node: ast.AnnAssign, scope: Scope) -> list[str]:
    call, _ = field_call(node)
    options = {k.arg: k.value for k in call.keywords if k.arg} if call is not None else {}
    given = constant_items(options.get("metadata")).get("aliases") or options.get("aliases")
    if given is None:
        return []
    try:
        found = evaluate(given, scope)
    except Unevaluable:
        return []
    return [found] if isinstance(found, str) else [alias for alias in found or [] if isinstance(alias, str)]
