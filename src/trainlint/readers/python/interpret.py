"""Statements in the order in which they run: what names stand for, and the calls that are made with them.

Where the order does not decide, a name is unknown: after a loop or a branch that gives it another value, in a function where
the file gives it several. Functions are read once, with their parameters unknown.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trainlint.document import Call, Items, Keyword, Origin, Symbol, Table, Value
from trainlint.readers.python.code import Code
from trainlint.readers.python.evaluate import Evaluator
from trainlint.readers.python.names import Function, bindings, captures, changed_in, names_in, parameters, touched_in
from trainlint.readers.python.operations import Refused
from trainlint.readers.python.values import NotPlain, decided, plain, reopen
from trainlint.text import Location


@dataclass
class _Later:
    """A function whose body is read when everything around it has been."""

    code: Code
    node: Function


class Interpreter:
    """Reads pieces of code one after the other, as one program: the cells of a notebook, or the one text of a file."""

    def __init__(self, trees: Sequence[tuple[Code, ast.Module]], defines: Mapping[str, str]) -> None:
        self.trees, self.defines = trees, defines
        self.calls: list[Call] = []
        self.touched = {name for _, tree in trees for name in touched_in(tree)}

    def run(self) -> list[Call]:
        """All calls of the program, in the order of the text."""
        scope = _Scope(self, {})
        for code, tree in self.trees:
            scope.enter(code)
            scope.block(tree.body)
        bound = Counter(name for _, tree in self.trees for name in bindings(tree.body))
        scope.finish(bound)
        self.calls.sort(key=lambda call: call.whole.span)
        return self.calls


class _Scope:
    """The module, or the body of one function or class."""

    def __init__(self, program: Interpreter, names: dict[str, Value], uncertain: str | None = None) -> None:
        self.program, self.names, self.uncertain = program, names, uncertain
        self.later: list[_Later] = []

    def enter(self, code: Code) -> None:
        self.code = code
        self.evaluator = Evaluator(code, self.names, self.program.calls, self.program.defines, self.uncertain)

    def finish(self, bound: Counter[str]) -> None:
        """Read the functions, which see those names that have one value only."""
        seen = {name: value if bound[name] <= 1 else _vague(value) for name, value in self.names.items()}
        for later in self.later:
            _read_function(self.program, later, dict(seen))

    # ------------------------------------------------------------------------------------------------- statements

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False where the last of them leaves the block for good."""
        return all(self.statement(statement) for statement in body)

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Assign():
                value = self.evaluator.value(node.value)
                for target in node.targets:
                    self.assign(target, value, node)
            case ast.AnnAssign() if node.value is not None:
                self.assign(node.target, self.evaluator.value(node.value), node)
            case ast.AugAssign():
                self._augment(node)
            case ast.Expr():
                self.evaluator.value(node.value)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(node.name, Value(Symbol(node.name, "local"), self._origin(node, node.name)))
                self.later.append(_Later(self.code, node))
            case ast.ClassDef():
                self._class(node)
            case ast.If():
                return self._if(node)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node)
            case ast.Try():
                return self._try(node)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.evaluator.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, _vague(value), node)
                return self.block(node.body)
            case ast.Match():
                self._match(node)
            case ast.Return() | ast.Raise():
                value_node = node.value if isinstance(node, ast.Return) else None
                if value_node is not None:
                    self.evaluator.value(value_node)
                return False
            case ast.Continue() | ast.Break():
                return False
            case ast.Delete():
                for target in node.targets:
                    self._delete(target)
            case ast.Assert():
                self.evaluator.value(node.test)
            case ast.AnnAssign():
                pass
            case _:  # `except*` and what newer versions of Python may add
                for name in bindings([node]):
                    self._forget(name, f"{self.code.shown(node)} is not followed")
        return True

    # -------------------------------------------------------------------------------------------------- assigning

    def assign(self, target: ast.expr, value: Value, node: ast.stmt) -> None:
        match target:
            case ast.Name():
                self._bind(target.id, replace(value, origin=self._origin(node, target.id, value)))
            case ast.Tuple() | ast.List():
                self._unpack(target.elts, value, node)
            case ast.Starred():
                self.assign(target.value, _vague(value), node)
            case ast.Attribute():
                base = self.evaluator.value(target.value)
                for each in base.possible():
                    if isinstance(each.value, Call):
                        own = value if base.either is None else value.unclear(base.unknown or "")
                        self._set(each.value.keywords, target.attr, target, own, node)
            case ast.Subscript():
                base = self.evaluator.value(target.value)
                if base.either is not None:
                    reopen(base, "an element of it is replaced")
                elif isinstance(base.value, Items):
                    base.value.open = "an element of it is replaced"
                elif isinstance(base.value, Table):
                    try:
                        key = plain(self.evaluator.value(target.slice))
                        self._set(base.value.entries, key, target, value, node)
                    except (NotPlain, TypeError) as missing:
                        base.value.open = str(missing)

    def _set(
        self,
        entries: dict[object, Keyword] | dict[str, Keyword],
        key: object,
        target: ast.expr,
        value: Value,
        node: ast.stmt,
    ) -> None:
        at = (
            self.code.at(node.value)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
            else self.code.at(node)
        )
        self.evaluator.assign_key(entries, key, Keyword(self.code.at(target), at, value))

    def _unpack(self, targets: list[ast.expr], value: Value, node: ast.stmt) -> None:
        """`a, b = 1, 2`. Each part of what a call returns is taken for the whole: `model, tokenizer = from_pretrained(…)`."""
        inner = value.value
        if isinstance(inner, Items) and inner.open is None:
            inner = tuple(inner.elements)
        starred = any(isinstance(target, ast.Starred) for target in targets)
        for number, target in enumerate(targets):
            if isinstance(inner, tuple) and len(inner) == len(targets) and not starred and value.unknown is None:
                self.assign(target, inner[number], node)
            else:
                self.assign(target, value if isinstance(inner, Call) else _vague(value), node)

    def _augment(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            old, new = self.evaluator.value(node.target), self.evaluator.value(node.value)
            try:
                value = self.evaluator.binary(node.target, node.op, old, new)
            except (Refused, NotPlain) as missing:
                value = _vague(old).unclear(str(missing))
            reopen(old, f"{self.code.shown(node)} changes it")
            self._bind(node.target.id, replace(value, origin=self._origin(node, node.target.id, value)))
        else:
            self.assign(node.target, _vague(self.evaluator.value(node.value)), node)

    def _bind(self, name: str, value: Value) -> None:
        if name in self.program.touched and not isinstance(value.value, Symbol):
            value = value.unclear(value.unknown or f"{name} is changed elsewhere")
        self.names[name] = value

    def _origin(self, node: ast.stmt, name: str, value: Value | None = None) -> Origin:
        simple = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        text = self.code.shown(node) if simple else name
        return Origin("assignment", text, self.code.at(node), (value.origin,) if value is not None else ())

    def _delete(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript | ast.Attribute):
            for each in self.evaluator.value(target.value).possible():
                if isinstance(each.value, Items | Table | Call):
                    each.value.open = f"del {self.code.shown(target)}"

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                path = alias.name if alias.asname else alias.name.partition(".")[0]
                self._bind(alias.asname or path, Value(Symbol(path), Origin("unresolved", path, self.code.at(node))))
            elif alias.name == "*":
                for name, value in self.names.items():
                    if not isinstance(value.value, Symbol):
                        self.names[name] = value.unclear(f"from {node.module} import * may change it")
            else:
                path = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                self._bind(
                    alias.asname or alias.name, Value(Symbol(path), Origin("unresolved", path, self.code.at(node)))
                )

    def _class(self, node: ast.ClassDef) -> None:
        bases = [self.evaluator.value(base).value for base in node.bases]
        base = next((each for each in bases if isinstance(each, Symbol) and each.source != "local"), None)
        symbol = Symbol(node.name, "local") if base is None else replace(base, source="extended")
        self._bind(node.name, Value(symbol, self._origin(node, node.name)))
        inner = _Scope(self.program, dict(self.names), f"it stands in class {node.name}")
        inner.enter(self.code)
        inner.block(node.body)
        self.later += inner.later

    # --------------------------------------------------------------------------------------------------- branches

    def _if(self, node: ast.If) -> bool:
        test = self.evaluator.truth(node.test)
        if test is not None:
            return self.block(node.body if test else node.orelse)
        reason = f"it depends on {self.code.shown(node.test)}"
        return self._either([node.body, node.orelse], reason, node)

    def _match(self, node: ast.Match) -> None:
        self.evaluator.value(node.subject)
        before = dict(self.names)
        for name in {name for case in node.cases for name in captures(case.pattern)}:
            self._forget(name, "it depends on a match statement")
        self._either([*(case.body for case in node.cases), []], "it depends on a match statement", node)
        self.names.update({name: value for name, value in before.items() if name not in self.names})

    def _try(self, node: ast.Try) -> bool:
        reason = "it depends on what fails"
        before = dict(self.names)
        outcomes: list[Sequence[ast.stmt]] = [[*node.body, *node.orelse]]
        falls = self.block(outcomes[0])
        after = [dict(self.names)] if falls else []
        for handler in node.handlers:
            self._become(before)
            for name in bindings(node.body):
                if name in before:
                    self._forget(name, reason)
            if handler.name is not None:
                self._forget(handler.name, reason)
            if self._guarded(handler.body, reason):
                after.append(dict(self.names))
        self._become(_merged(after, reason, self.code.at(node)) if after else before)
        return self.block(node.finalbody) and bool(after)

    def _either(self, bodies: Sequence[Sequence[ast.stmt]], reason: str, node: ast.stmt) -> bool:
        """Run each of several bodies from here, and keep what those make of each name that go on afterwards."""
        before, after = dict(self.names), []
        for body in bodies:
            self._become(before)
            if self._guarded(body, reason):
                after.append(dict(self.names))
        self._become(_merged(after, reason, self.code.at(node)) if after else before)
        return bool(after)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        reason = f"it changes in the loop at line {self.code.at(node).start.line}"
        if isinstance(node, ast.While):
            self.evaluator.value(node.test)
        else:
            self.evaluator.value(node.iter)
            for name in names_in(node.target):
                self._forget(name, reason)
        changed = {*bindings(node.body), *changed_in(node.body)}
        for name in changed:
            self._forget(name, reason)
        self._guarded(node.body, reason)
        for name in changed:
            self._forget(name, reason)
        if node.orelse:  # not after a break
            self._either([node.orelse, []], reason, node)

    def _guarded(self, body: Sequence[ast.stmt], reason: str) -> bool:
        """Run a body of which nobody knows whether it runs."""
        outer, self.uncertain = self.uncertain, reason
        self.evaluator.uncertain = reason
        falls = self.block(body)
        self.uncertain = self.evaluator.uncertain = outer
        return falls

    def _forget(self, name: str, reason: str) -> None:
        old = self.names.get(name)
        origin = old.origin if old is not None else Origin("unresolved", name)
        self.names[name] = Value(None, origin, reason)

    def _become(self, names: Mapping[str, Value]) -> None:
        """Take other values for the names; the evaluator looks into the same dict."""
        names = dict(names)
        self.names.clear()
        self.names.update(names)


def _read_function(program: Interpreter, later: _Later, names: dict[str, Value]) -> None:
    node = later.node
    bound = Counter(bindings(node.body))
    names = {name: value for name, value in names.items() if name not in bound}
    for name in parameters(node):
        names[name] = Value(None, Origin("unresolved", name), f"{name} is a parameter of {node.name}()")
    scope = _Scope(program, names)
    scope.enter(later.code)
    scope.block(node.body)
    scope.finish(bound)


def _merged(ways: Sequence[Mapping[str, Value]], reason: str, at: Location) -> dict[str, Value]:
    """What several ways make of each name. Where a way lacks it, it cannot be used, so the others decide."""
    merged: dict[str, Value] = {}
    for name in dict.fromkeys(name for way in ways for name in way):
        first = next(way[name] for way in ways if name in way)
        values = [way.get(name, first) for way in ways]
        if all(value.unknown is not None and value.either is None for value in values):
            merged[name] = first
        else:
            merged[name] = decided(values, _vague(values[-1]).unclear(reason), at)
    return merged


def _vague(value: Value) -> Value:
    if isinstance(value.value, Symbol):
        return value
    return Value(None, value.origin, value.unknown or f"{value.origin.text} has several values")
