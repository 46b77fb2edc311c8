"""Arguments of one click or typer command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.fire_ import parameters
from trainlint.scripts.frames import Frame, Function, dotted, external, function_of, visit
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.project import Project
from trainlint.scripts.shapes import read_type
from trainlint.scripts.values import Unevaluable, evaluate, type_name

MARKS = ("click", "typer")
ANSWERS = frozenset({None, "prompt", "envvar", "callback", "default_factory", "cls"})
"""Where else an option may get its value from."""
TYPES = {"int": "int", "float": "float", "str": "str", "INT": "int", "FLOAT": "float", "STRING": "str", "bool": "bool",
         "BOOL": "bool", "Path": "str", "File": "str"}  # fmt: skip


def read(script: Module, project: Project) -> Parser | None:
    """The options of the only command of a script. Raises `Unread` for groups of commands."""
    commands = list(_commands(script))
    if not commands:
        return None
    if len(commands) > 1:
        raise Unread("it has several commands")
    function, frame, style = commands[0]
    parser = Parser(abbreviations=False, greedy=True, demands="Missing option")
    parser.add(Declaration("help", ("--help",), {"type": "any", "default": None, "values": 0}))
    if style == "typer":
        _signature(parser, function, frame, project)
        for name in ("install_completion", "show_completion"):
            parser.add(
                Declaration(name, (f"--{name.replace('_', '-')}",), {"type": "any", "default": None, "values": "?"})
            )
    else:
        _decorators(parser, function, frame, project)
    return parser


def _commands(script: Module) -> Iterator[tuple[Function, Frame, str]]:
    """The functions that are commands: decorated by click or by a typer app, or handed to `typer.run`."""
    for node, frame in visit(script.tree, Frame.of(script)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                target = decorator.func if isinstance(decorator, ast.Call) else decorator
                name = external(target, frame.scope)
                if name == "click.command":
                    yield node, frame, "click"
                elif name == "click.group" or (name or "").startswith("rich_click."):
                    raise Unread("it has groups of commands")
                elif isinstance(target, ast.Attribute) and target.attr in ("command", "callback"):
                    if not _is_app(target.value, frame) or target.attr == "callback":
                        raise Unread("it has groups of commands")
                    yield node, frame, "typer"
        elif isinstance(node, ast.Call) and external(node.func, frame.scope) == "typer.run" and len(node.args) == 1:
            found = function_of(node.args[0], frame)
            if found is None:
                raise Unread("its command is not in this project")
            yield found[0], found[1], "typer"


def _is_app(node: ast.expr, frame: Frame) -> bool:
    """Is this `app`, made by `typer.Typer()`?"""
    made = [bound.node for bound in frame.scope.resolve(node)]
    return bool(made) and all(isinstance(m, ast.Call) and external(m.func, frame.scope) == "typer.Typer" for m in made)


def _decorators(parser: Parser, function: Function, frame: Frame, project: Project) -> None:
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = external(call.func if call is not None else decorator, frame.scope)
        if call is not None and name == "click.option":
            _option(parser, call, frame, project)
        elif name == "click.argument":
            parser.take(None if call is not None and any(k.arg in (None, "nargs") for k in call.keywords) else 1)
        elif name == "click.command":
            for keyword in call.keywords if call is not None else ():
                if keyword.arg in (None, "context_settings", "cls", "params"):
                    parser.leave_open("its command is made in a way that is not followed")
        elif name not in ("click.pass_context", "click.version_option"):
            parser.leave_open(f"@{ast.unparse(decorator)[:60]} may add options")
    parser.add(Declaration("version", ("--version",), {"type": "any", "default": None, "values": 0}))


def _option(parser: Parser, call: ast.Call, frame: Frame, project: Project) -> None:
    try:
        texts = [evaluate(argument, frame.scope) for argument in call.args]
    except Unevaluable:
        parser.leave_open("an option's name is put together by the program")
        return
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    flags, off = [], []
    for text in texts:
        if isinstance(text, str) and text.startswith("-"):
            on, _, other = text.partition("/")
            flags.append(on.strip())
            off += [other.strip()] if other.strip() else []
    if not flags or None in options:
        parser.leave_open("an option is put together by the program")
        return
    named = next((flag for flag in flags if flag.startswith("--")), flags[0]).lstrip("-").replace("-", "_")
    entry = _entry({key: value for key, value in options.items() if key is not None}, frame, bool(off))
    negations = [f"--no-{named.replace('_', '-')}"] if off == [f"--no-{named.replace('_', '-')}"] else []
    at = project.locate(frame.module, call)
    if entry.get("required") and not options.keys() & ANSWERS:
        parser.required.add(named)
    parser.add(Declaration(named, (*flags, *negations), entry, at, named))
    for flag in off:
        if flag not in negations:
            parser.add(Declaration(f"not_{named}", (flag,), {"type": "bool", "values": 0, "default": False}, at))


def _entry(options: dict[str, ast.expr], frame: Frame, switch: bool) -> Definition:
    default = read_default(options["default"], frame.scope) if "default" in options else {"default": None}
    if _true(options.get("required")):
        default = {"required": True}
    if switch or _true(options.get("is_flag")):
        off: Definition = {"default": False} if "default" not in options else default
        return {"type": "bool", "values": 0, **off}
    if "flag_value" in options or _true(options.get("count")):
        return {"type": "any", "values": "?", "repeats": True, **default}
    if options.keys() & {"callback", "is_flag", "cls", "nargs"}:
        return {"type": "list", "values": "?", "repeats": True, **default}
    kind = options.get("type")
    entry: Definition = {"type": "any", "values": 1, **default}
    if kind is None:
        entry["type"] = (
            type_name(default["default"]) if isinstance(default.get("default"), bool | int | float) else "any"
        )
    elif isinstance(kind, ast.Call) and (external(kind.func, frame.scope) or "").endswith("Choice"):
        entry |= _choice(kind, frame)
    else:
        name = dotted(kind.func if isinstance(kind, ast.Call) else kind) or ""
        last = name.rpartition(".")[2]
        entry["type"] = {"IntRange": "int", "FloatRange": "float"}.get(last, TYPES.get(last, "any"))
        if isinstance(kind, ast.Call) and last.endswith("Range"):
            entry |= _range(kind, frame)
    if _true(options.get("multiple")):
        return {"type": "any", "values": 1, "repeats": True, "default_expression": "()"}
    if entry.get("default", ...) is None and entry["type"] != "any":
        entry["type"] += " | None"
    if entry["type"] == "bool":
        entry["type"] = "any"
    return entry


def _choice(call: ast.Call, frame: Frame) -> Definition:
    exact = not any(keyword.arg == "case_sensitive" for keyword in call.keywords)
    try:
        choices = evaluate(call.args[0], frame.scope) if call.args else []
    except Unevaluable:
        return {}
    plain = isinstance(choices, list | dict) and all(isinstance(choice, str) for choice in choices)
    return {"type": "str", "choices": list(choices)} if exact and plain else {}


def _range(call: ast.Call, frame: Frame) -> Definition:
    """The bounds of `IntRange(1, 100)`; what else it is told, to clamp for instance, is not read."""
    given: dict[str | None, ast.expr] = dict(zip(("min", "max"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords}
    if not given.keys() <= {"min", "max"}:
        return {}
    try:
        bounds = {name: evaluate(node, frame.scope) for name, node in given.items()}
    except Unevaluable:
        return {}
    return {{"min": "ge", "max": "le"}[str(name)]: value for name, value in bounds.items() if value is not None}


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _signature(parser: Parser, function: Function, frame: Frame, project: Project) -> None:
    """typer's options are the parameters that have a default, spelled with dashes."""
    for name, default, node in parameters(function):
        assert isinstance(node, ast.arg)
        said = default if isinstance(default, ast.Call) else _annotated(node.annotation)
        if isinstance(said, ast.Call) and (external(said.func, frame.scope) or "") == "typer.Argument":
            parser.take(_words(node, said))
            continue
        is_option = isinstance(said, ast.Call) and (external(said.func, frame.scope) or "") == "typer.Option"
        if default is None and not is_option:
            parser.take(_words(node, None))
            continue
        entry = _parameter(node, default, said if is_option else None, frame)
        flags = _spellings(said, frame) if is_option else []
        if flags is None:
            parser.leave_open("an option's name is put together by the program")
            continue
        flags = flags or [f"--{name.replace('_', '-')}"]
        if entry["type"] == "bool" and not any("/" in flag for flag in flags):
            flags = [*flags, *(f"--no-{flag[2:]}" for flag in flags if flag.startswith("--"))]
        flags = [part.strip() for flag in flags for part in flag.split("/")]
        if entry.get("required") and isinstance(said, ast.Call) and not {k.arg for k in said.keywords} & ANSWERS:
            parser.required.add(name)
        parser.add(Declaration(name, tuple(flags), entry, project.locate(frame.module, node), name))
    if function.args.vararg or function.args.kwarg:
        parser.leave_open("its command takes any argument")


def _words(node: ast.arg, said: ast.Call | None) -> int | None:
    """How many words a typer argument takes: one, or nobody knows how many where its type holds several or is its own."""
    text = ast.unparse(node.annotation) if node.annotation is not None else "str"
    own = said is not None and any(keyword.arg not in ("help", "show_default", "metavar") for keyword in said.keywords)
    return None if own or re.search(r"list|tuple|set|sequence", text, re.IGNORECASE) else 1


def _annotated(annotation: ast.expr | None) -> ast.expr | None:
    if isinstance(annotation, ast.Subscript) and (dotted(annotation.value) or "").endswith("Annotated"):
        elements = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
        return next((element for element in elements if isinstance(element, ast.Call)), None)
    return None


def _spellings(call: ast.expr | None, frame: Frame) -> list[str] | None:
    assert isinstance(call, ast.Call)
    try:
        texts = [evaluate(argument, frame.scope) for argument in call.args if not _dots(argument)]
    except Unevaluable:
        return None
    return [text for text in texts if isinstance(text, str) and text.startswith("-")]


def _dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _parameter(node: ast.arg, default: ast.expr | None, said: ast.expr | None, frame: Frame) -> Definition:
    shape = read_type(node.annotation, frame.scope) if node.annotation is not None else None
    value = default
    if isinstance(said, ast.Call) and said is default:
        value = next((k.value for k in said.keywords if k.arg == "default"), said.args[0] if said.args else None)
    entry: Definition = {"required": True} if value is None or _dots(value) else read_default(value, frame.scope)
    kind = shape.text() if shape is not None else "any"
    if kind == "bool":
        return {"type": "bool", "values": 0, **entry}
    if kind.partition(" ")[0] not in ("int", "float", "str"):
        return {"type": "list" if "list" in kind else "any", "values": "?", "repeats": True, **entry}
    if shape is not None and shape.closed:
        return {"type": "any", "values": 1, **entry}
    return {"type": kind, "values": 1, **entry}
