"""One `add_argument` call as an argument."""

from __future__ import annotations

import ast
import contextlib

from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.frames import Frame, last
from trainlint.scripts.model import DEFAULTS, Declaration
from trainlint.scripts.names import Scope
from trainlint.scripts.project import Project
from trainlint.scripts.shapes import ORDER
from trainlint.scripts.values import Unevaluable, base_names, evaluate, type_name

CONVERTERS = {"str2bool": "bool", "strtobool": "bool", "float_or_int": "float", "int_or_float": "float"}
ACTIONS_WITHOUT_VALUE = {"store_true", "store_false", "store_const", "count", "help", "version", "append_const"}


def decided(node: ast.expr, scope: Scope) -> ast.expr:
    """The branch of `1e-6 if prefix == "actor" else 9e-6` that holds, or what a parameter was given, where that can be told."""
    match node:
        case ast.Name(id=name) if len(bound := scope.local.get(name, [])) == 1 and isinstance(
            bound[0], ast.Name | ast.Constant
        ):
            return bound[0]
        case ast.IfExp(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            with contextlib.suppress(Unevaluable):
                return node.body if evaluate(left, scope) == evaluate(right, scope) else node.orelse
    return node


def define(given: dict[str, ast.expr], scope: Scope) -> Definition:
    if "action" in given and takes_nothing(given["action"], scope):
        # the name is the flag's: it says whether the flag stands there, whatever it is stored as
        return {"type": "bool", "default": False, "values": 0}
    default: Definition = {"default": None}
    if "default" in given:
        default = read_default(given["default"], scope)
    if isinstance(required := given.get("required"), ast.Constant) and required.value:
        default = {"required": True}
    kind = _type(given.get("type"), scope)
    nargs = evaluate(given["nargs"], scope) if isinstance(given.get("nargs"), ast.Constant) else None
    extra: Definition = {}
    if "choices" in given:
        with contextlib.suppress(Unevaluable):
            choices = evaluate(given["choices"], scope)
            if isinstance(choices, list | dict | str):
                extra["choices"] = [choice for choice in choices if choice is not None]
    if nargs is not None and nargs != "?":
        kind = f"list[{kind}]" if kind in ("str", "int", "float") else "list"
        extra["item_choices"] = extra.pop("choices", None)
        extra = {key: value for key, value in extra.items() if value is not None}
    value = default.get("default", ...)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        value = default["default"] = int(value)
    if kind == "list[float]" and isinstance(value, list):
        value = default["default"] = [float(element) for element in value]
    elif kind.startswith("list") and isinstance(value, list) and {f"list[{type_name(v)}]" for v in value} - {kind}:
        kind = "list"  # argparse takes a default as it is
    types = {kind} | ({type_name(value)} if value is None or isinstance(value, bool) else set())
    if kind.startswith("list") and isinstance(value, str | int | float):
        types.add(type_name(value))  # argparse takes a default as it is
    return {"type": _union(types), **extra, **default} | ({"values": "?"} if nargs == "?" else {})


def _type(node: ast.expr | None, scope: Scope) -> str:
    if node is None:
        return "str"
    name = ast.unparse(node).rpartition(".")[2]
    if name in ("int", "float", "str", "bool"):
        # argparse's `type=bool` takes every text, and each but the empty one is true
        return name if name != "bool" else "any"
    return CONVERTERS.get(name, "any")


def _union(types: set[str]) -> str:
    return " | ".join(sorted(types if "any" not in types else types & {"any", "None"}, key=ORDER.index))


def takes_nothing(action: ast.expr, scope: Scope) -> bool:
    """Whether an option with this action is a bare flag; the action may be a class that sets ``nargs=0``."""
    if isinstance(action, ast.Constant):
        return action.value in ACTIONS_WITHOUT_VALUE
    if (cls := scope.resolve_class(action)) is None:
        return False
    texts = [ast.unparse(n) for n in ast.walk(cls.node) if isinstance(n, ast.keyword)]
    return "nargs=0" in texts or any(name.endswith("HelpAction") for name in base_names(cls))


def declaration(
    flags: list[str], options: dict[str | None, ast.expr], frame: Frame, project: Project, call: ast.Call
) -> Declaration:
    named = next((flag for flag in flags if flag.startswith("--")), flags[0]).lstrip("-").replace("-", "_")
    given = {key: value for key, value in options.items() if key is not None}
    dest = given.get("dest")
    target = dest.value if isinstance(dest, ast.Constant) and isinstance(dest.value, str) else named
    entry = option(given, frame) if None not in options else {"type": "list", "values": "?", "default_expression": "**"}
    action = _text(given.get("action"))
    if action == "store_false" and not named.startswith("no_") and target == named:
        named = f"no_{named}"  # standing there, it says no
    if action.endswith("BooleanOptionalAction"):
        flags = [*flags, *(f"--no-{flag[2:]}" for flag in flags if flag.startswith("--"))]
    first = [flag for flag in flags if flag.startswith("--")] or flags
    ordered = dict.fromkeys([*first[:1], *flags])
    return Declaration(named, tuple(ordered), entry, project.locate(frame.module, call), target)


def option(given: dict[str, ast.expr], frame: Frame) -> Definition:
    """What argparse makes of the words behind a flag."""
    action, scope = _text(given.get("action")), frame.scope
    default = read_default(given["default"], scope) if "default" in given else {"default": None}
    if action in ("store_true", "store_false"):
        off = default if "default" in given and action == "store_true" else {"default": False}
        return {"type": "bool", "values": 0, **off}
    if action.endswith("BooleanOptionalAction"):
        return {"type": "bool", "values": 0, **default}
    if action in ACTIONS_WITHOUT_VALUE:
        return {"type": "any", "values": 0, "repeats": True, **default}
    if action not in ("", "store", "append", "extend"):
        nothing = takes_nothing(given["action"], scope)
        return {"type": "any" if nothing else "list", "values": 0 if nothing else "?", "repeats": True, **default}
    kind = given.get("type")
    converted = last(kind) if kind is not None else "str"
    nargs = given.get("nargs")
    if nargs is not None and not isinstance(nargs, ast.Constant):
        return {"type": "list", "values": "?", **default}
    entry = define({key: value for key, value in given.items() if key != "action"}, scope)
    if converted == "bool" and kind is not None:
        entry = {**entry, "truthy": True}
    elif converted not in ("int", "float", "str"):
        entry = {**entry, "type": "list" if entry["type"].startswith("list") else "any"}
        entry.pop("choices", None)
    entry = _typed_default(dict(entry), converted)
    if action in ("append", "extend"):
        entry = {**entry, "type": "list", "repeats": True}
        entry.pop("choices", None)
    entry.pop("values", None)
    values = 1 if nargs is None else "?" if nargs.value in ("*", "?") else nargs.value
    if values != "+":
        entry["values"] = values
    return entry


def _typed_default(entry: Definition, kind: str) -> Definition:
    """argparse converts a default that is text."""
    value = entry.get("default")
    if kind in ("int", "float") and isinstance(value, str):
        rest = {key: said for key, said in entry.items() if key not in DEFAULTS}
        try:
            return {**rest, "default": float(value) if kind == "float" else int(value)}
        except ValueError:
            return {**rest, "default_expression": repr(value)}
    return entry


def words_taken(nargs: ast.expr | None) -> int | None:
    """How many words of a command line an argument without a flag takes at most; None: any number."""
    if nargs is None:
        return 1
    value = nargs.value if isinstance(nargs, ast.Constant) else None
    return 1 if value == "?" else value if isinstance(value, int) else None


def _text(node: ast.expr | None) -> str:
    if node is None:
        return ""
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)
