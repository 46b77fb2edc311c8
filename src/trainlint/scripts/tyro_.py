"""Arguments that tyro takes from a dataclass: `tyro.cli(Config)`, nested ones with a dot between the names."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from trainlint.scripts.dataclasses_ import add_classes
from trainlint.scripts.frames import Frame, external, visit
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.project import Project

MARKS = ("tyro",)


def read(script: Module, project: Project) -> Parser | None:
    """The fields of the one dataclass that a script hands to tyro."""
    calls = list(_calls(script))
    if not calls:
        return None
    call, frame = calls[0]
    if len(calls) > 1 or len(call.args) != 1:
        raise Unread("what it hands to tyro is not one class")
    cls = frame.scope.resolve_class(call.args[0])
    if cls is None:
        raise Unread("what it hands to tyro is no class of this project")
    plain = Parser()
    add_classes(plain, call.args[0], frame.scope, project)
    parser = Parser(open=plain.open, sections=plain.sections, spelled=False, abbreviations=False)
    if any(keyword.arg not in ("description", "prog") for keyword in call.keywords) or "tyro.conf" in cls.module.source:
        parser.leave_open("tyro is told more than the class")
        parser.positionals = None
    for name, declaration in plain.declarations.items():
        kind = declaration.entry["type"]
        if kind.startswith(("dict", "any")):
            parser.leave_open(f"{name} has arguments of its own")
        bare = {"values": 0} if kind == "bool" else {}
        flags = (f"--{name}", *((f"--no_{name}",) if bare else ()))
        parser.add(Declaration(name, flags, {**declaration.entry, **bare}, declaration.at, name))
    return parser


def _calls(script: Module) -> Iterator[tuple[ast.Call, Frame]]:
    for node, frame in visit(script.tree, Frame.of(script)):
        if isinstance(node, ast.Call) and external(node.func, frame.scope) == "tyro.cli":
            yield node, frame
