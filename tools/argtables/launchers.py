"""The options of launchers, read from their argparse parsers."""

from __future__ import annotations

import ast
import contextlib

from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.names import Module, Scope
from trainlint.scripts.options import takes_nothing
from trainlint.scripts.values import BUILTINS, Unevaluable, evaluate


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
