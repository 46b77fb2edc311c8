"""Where a script parses its command line: `parser.parse_args()`, in itself or in what it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from trainlint.scripts.frames import Frame, dotted, function_of, last, method, parameters_of, visit
from trainlint.scripts.names import Module

STRICT = frozenset({"parse_args", "parse_intermixed_args", "parse_args_into_dataclasses", "parse_args_and_config"})
PARSES = STRICT | {"parse_known_args", "parse_known_intermixed_args"}
MARKS = (*PARSES, "add_argument")
MAX_DEPTH = 4


@dataclass(frozen=True)
class Stage:
    """One parse of the command line: in which function, by which parser, and whether of words that it is given."""

    function: ast.AST | None
    parser: str
    given: bool

    def follows(self, first: Stage) -> bool:
        """Does this parse what an earlier one, which lets unknown arguments pass, has left over or seen as well?"""
        return self.function is first.function and (self.given or self.parser != first.parser)


def parse_calls(script: Module) -> list[tuple[ast.Call, Frame]]:
    """The calls that parse the command line of a script, each with the frame that it stands in."""
    calls = list(calls_in(script.tree, Frame.of(script))) if any(mark in script.source for mark in PARSES) else []
    return calls or list(_followed(script, script.tree, Frame.of(script), 0, set()))


def given(call: ast.Call) -> ast.expr | None:
    """The words that a parse call is handed."""
    return call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "args"), None)


def is_lenient(call: ast.Call) -> bool:
    """Does this parse let unknown arguments pass?"""
    if last(call.func) not in STRICT:
        return True
    for keyword in call.keywords:
        switched_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if keyword.arg is None or (keyword.arg == "return_remaining_strings" and not switched_off):
            return True
    return False


def is_command_line(node: ast.expr, frame: Frame) -> bool:
    """Is this `sys.argv[1:]`, None, a parameter that a caller in a notebook may fill, or what another parser left over?"""
    if isinstance(node, ast.Constant) and node.value is None:
        return True
    if ast.unparse(node) in ("sys.argv[1:]", "argv[1:]"):
        return True
    if not isinstance(node, ast.Name):
        return False
    if frame.function is not None and any(argument.arg == node.id for argument in parameters_of(frame.function)):
        return True
    for found, _ in visit(frame.function or frame.module.tree, Frame.of(frame.module)):
        if isinstance(found, ast.Assign) and isinstance(found.value, ast.Call) and last(found.value.func) in PARSES:
            targets = [e for target in found.targets if isinstance(target, ast.Tuple) for e in target.elts]
            if any(dotted(target) == node.id for target in targets):
                return True
    return False


def calls_in(node: ast.AST, frame: Frame) -> Iterator[tuple[ast.Call, Frame]]:
    """The parse calls that stand in a part of a module."""
    for found, where in visit(node, frame):
        # `arguments.parse_args()` and `self.parse_args()` are the project's own, which are followed as any function is
        match found:
            case ast.Call(func=ast.Attribute(attr=name) as func) if name in PARSES and _called(func, where) is None:
                yield found, where


def _followed(
    module: Module, node: ast.AST, frame: Frame, depth: int, seen: set[int]
) -> Iterator[tuple[ast.Call, Frame]]:
    """The parse calls in the project's functions that are called here: `args = get_args()`."""
    for found, where in visit(node, frame):
        if not isinstance(found, ast.Call):
            continue
        function = _called(found.func, where)
        if function is None or id(function[0]) in seen:
            continue
        body, home = function
        seen.add(id(body))
        if not any(mark in home.module.source for mark in MARKS):
            continue
        calls = list(calls_in(body, home))
        yield from calls
        if not calls and depth < MAX_DEPTH:
            yield from _followed(home.module, body, home, depth + 1, seen)


def _called(func: ast.expr, frame: Frame) -> tuple[ast.AST, Frame] | None:
    """The function or method of the project that a call runs."""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        cls = frame.scope.resolve_class(func.value.func)
        return method(cls, func.attr) if cls is not None else None
    found = function_of(func, frame)
    return None if found is None else (found[0], found[1])
