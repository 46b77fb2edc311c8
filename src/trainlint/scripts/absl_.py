"""Arguments that absl takes from `flags.DEFINE_…` calls."""

from __future__ import annotations

import ast

from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.frames import Frame, external, visit
from trainlint.scripts.model import Declaration, Parser
from trainlint.scripts.names import Module
from trainlint.scripts.project import Project
from trainlint.scripts.values import Unevaluable, evaluate

MARKS = ("DEFINE_",)
KINDS = {"integer": "int", "float": "float", "string": "str", "bool": "bool", "boolean": "bool", "enum": "str"}


def read(script: Module, project: Project) -> Parser | None:
    """The flags that a script defines. Any module that it imports may define more, so the parser is open."""
    parser = Parser(spelled=False, abbreviations=False, positionals=None, greedy=True)
    parser.leave_open("absl takes the flags of every module that is imported")
    for node, frame in visit(script.tree, Frame.of(script)):
        if isinstance(node, ast.Call) and node.args:
            package, _, name = (external(node.func, frame.scope) or "").rpartition(".")
            if package in ("absl.flags", "tensorflow.flags") and name.startswith("DEFINE_"):
                _define(parser, name.removeprefix("DEFINE_"), node, frame, project)
    return parser if parser.declarations else None


def _define(parser: Parser, kind: str, call: ast.Call, frame: Frame, project: Project) -> None:
    options = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    given = {**dict(zip(("name", "default", "enum_values"), call.args, strict=False)), **options}
    try:
        name = evaluate(given["name"], frame.scope)
        choices = evaluate(given["enum_values"], frame.scope) if kind == "enum" and "enum_values" in given else None
    except Unevaluable:
        return
    if not isinstance(name, str):
        return
    entry: Definition = {"type": KINDS.get(kind, "any"), "values": 1}
    entry |= read_default(given["default"], frame.scope) if "default" in given else {"required": True}
    if isinstance(choices, list):
        entry["choices"] = choices
    if kind.startswith("multi_") or kind == "list":
        entry["repeats"] = True
    if entry.get("default", ...) is None:
        entry["type"] += " | None"
    flags: tuple[str, ...] = (f"--{name}",)
    if kind in ("bool", "boolean"):
        entry["values"] = 0
        flags = (*flags, f"--no{name}")
    parser.add(Declaration(name, flags, entry, project.locate(frame.module, call), name))
