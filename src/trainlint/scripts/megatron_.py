"""Arguments that a script adds to Megatron-LM's own: its `extra_args_provider`, and a fork's `megatron/arguments.py`."""

from __future__ import annotations

import ast
import contextlib

from trainlint.scripts.argparse_ import Reader
from trainlint.scripts.frames import Frame, function_of, visit
from trainlint.scripts.model import Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.parse_calls import calls_in
from trainlint.scripts.project import Project

MARKS = ("extra_args_provider", "pretrain(")
PROVIDER = "extra_args_provider"
FORKS = ("megatron.training.arguments", "megatron.arguments")
"""Where Megatron-LM declares its arguments, new and old."""


def read(script: Module, project: Project) -> Parser | None:
    """What is declared besides the released package's arguments, so the parser is open."""
    reader = Reader(script, project)
    for node, frame in visit(script.tree, Frame.of(script)):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == PROVIDER:
                    _provided(reader, keyword.value, frame)
    for name in FORKS:
        module = project.module(name)
        for call, frame in calls_in(module.tree, Frame.of(module)) if module is not None else ():
            with contextlib.suppress(Unread):
                reader.parsed(call, frame)
    if not reader.result.declarations:
        return None
    reader.result.extends = True
    reader.result.leave_open("Megatron-LM declares more")
    return reader.settled()


def _provided(reader: Reader, value: ast.expr, frame: Frame) -> None:
    """A function that is handed the parser; either of two where a condition chooses."""
    for choice in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
        function = function_of(choice, frame)
        if function is not None and function[0].args.args:
            reader.uses(function[0].args.args[0].arg, function[0], function[1])
