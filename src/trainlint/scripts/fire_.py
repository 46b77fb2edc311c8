"""Arguments that python-fire takes from a function's parameters: `fire.Fire(train)`."""

from __future__ import annotations

import ast

from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.frames import Frame, dotted, external, function_of, visit
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.project import Project

MARKS = ("Fire(",)


def read(script: Module, project: Project) -> Parser | None:
    """The parameters of the one function that a script hands to fire; its values have whatever type their text says."""
    calls = [
        (node, frame)
        for node, frame in visit(script.tree, Frame.of(script))
        if isinstance(node, ast.Call) and external(node.func, frame.scope) in ("fire.Fire", "fire.core.Fire")
    ]
    if not calls:
        return None
    if len(calls) > 1:
        raise Unread("it starts fire in several places")
    call, frame = calls[0]
    if len(call.args) != 1 or call.keywords or dotted(call.args[0]) is None:
        raise Unread("what it hands to fire is no function")
    found = function_of(call.args[0], frame)
    if found is None:
        raise Unread("the function that it hands to fire is not in this project")
    function, home, _ = found
    fills = tuple(argument.arg for argument in (*function.args.posonlyargs, *function.args.args))
    words = None if function.args.vararg is not None else 0
    parser = Parser(spelled=False, abbreviations=False, positionals=words, fills=fills, literals=True)
    for name, default, at in parameters(function):
        entry: Definition = {"required": True} if default is None else read_default(default, home.scope)
        location = project.locate(home.module, at)
        parser.add(Declaration(name, (f"--{name}", f"--no{name}"), {"type": "any", **entry}, location, name))
    if function.args.kwarg is not None:
        parser.leave_open(f"{function.name} takes any argument (**{function.args.kwarg.arg})")
    if function.decorator_list:
        parser.leave_open(f"{function.name} is decorated, which may change what it takes")
    return parser


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[str, ast.expr | None, ast.AST]]:
    """Name, default and place of every parameter that a caller may name."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    missing = [None] * (len(positional) - len(args.defaults))
    pairs = [*zip(positional, [*missing, *args.defaults], strict=True)]
    pairs += zip(args.kwonlyargs, args.kw_defaults, strict=True)
    return [(argument.arg, default, argument) for argument, default in pairs]
