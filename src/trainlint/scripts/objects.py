"""The names that one object, a parser or a group of one, goes by in a part of a module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from trainlint.scripts.frames import Frame, dotted

GROUPS = frozenset({"add_argument_group", "add_mutually_exclusive_group"})


@dataclass(frozen=True)
class Held:
    """An object by the names that hold it, or by the call that makes it.

    A variable that is used again holds another object from there on: `spans` says for a name of which function (None: the
    module) from which place to which place it holds this one.
    """

    names: frozenset[str]
    origin: ast.Call | None = None
    spans: tuple[tuple[str, ast.AST | None, int, float], ...] = ()

    @classmethod
    def called(cls, text: str, region: ast.AST) -> Held:
        """What is called `text` in a region, with its copies and its groups."""
        return cls(frozenset(_names({text}, None, region)))

    @classmethod
    def made(cls, origin: ast.Call, region: ast.AST, frame: Frame) -> Held:
        """What a call makes."""
        spans = tuple(
            (name, frame.function, *span)
            for body in _bodies(region)
            for i, node in enumerate(body)
            for target, value in assigned(node)
            if value is origin and (name := dotted(target)) is not None
            for span in [_span(name, body, i)]
        )
        return cls(frozenset(_names(set(), origin, region)), origin, spans)

    def is_(self, node: ast.AST, frame: Frame | None) -> bool:
        """Is the object what an expression stands for? So is a group made on the spot."""
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROUPS:
            if node is self.origin:
                return True
            node = node.func.value
        if node is self.origin:
            return True
        return (name := dotted(node)) in self.names and self._holds(str(name), node, frame)

    def _holds(self, name: str, node: ast.AST, frame: Frame | None) -> bool:
        function = frame.function if frame is not None else None
        spans = [(start, end) for own, where, start, end in self.spans if (own, where) == (name, function)]
        line = getattr(node, "lineno", 0)
        return not spans or any(start <= line < end for start, end in spans)


def assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """The targets of an assignment, each with what it becomes."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield node.target, node.value


def arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def roots(node: ast.AST) -> Iterator[ast.AST]:
    """An expression and the objects whose methods it calls: `parser` of `parser.add_argument_group("x")`."""
    yield node
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
        yield node


def _names(known: set[str], origin: ast.Call | None, region: ast.AST) -> set[str]:
    while True:
        held = Held(frozenset(known), origin)
        more = {
            name
            for node in ast.walk(region)
            for target, value in assigned(node)
            if value is not None and held.is_(value, None) and (name := dotted(target)) is not None
        }
        if more <= known:
            return known
        known = known | more


def _bodies(region: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(region):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                yield body


def _span(name: str, body: list[ast.stmt], at: int) -> tuple[int, float]:
    """From the assignment to the next one in the same block. In another block it need not come to pass."""
    again = (node.lineno for node in body[at + 1 :] if any(dotted(target) == name for target, _ in assigned(node)))
    return body[at].lineno, next(again, float("inf"))
