"""The value of an expression, as far as reading it tells: literals, names whose value is known, and what is computed of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from trainlint.document import Call, Items, Keyword, Origin, Symbol, Table, Value
from trainlint.readers.python import operations
from trainlint.readers.python.code import Code
from trainlint.readers.python.names import MUTATING
from trainlint.readers.python.operations import Refused
from trainlint.readers.python.values import DEEPEST, SCALARS, NotPlain, boxed, decided, handed, plain, reopen, truth
from trainlint.text import Location, Span

ITSELF = frozenset({"to", "cuda", "eval"})
"""Methods of a model that return the model."""


class Evaluator:
    """Finds values in one scope. `names` are the values of its names; every call that is met is added to `calls`.

    `uncertain` is the reason why nobody can tell whether the code at hand runs, or how often; what it changes is not known
    afterwards.
    """

    def __init__(
        self,
        code: Code,
        names: dict[str, Value],
        calls: list[Call],
        defines: Mapping[str, str],
        uncertain: str | None = None,
    ) -> None:
        self.code, self.names, self.calls, self.defines, self.uncertain = code, names, calls, defines, uncertain
        self._depth = 0

    def value(self, node: ast.expr) -> Value:
        if self._depth >= DEEPEST:
            return self._unknown(node, "the expression is nested too deeply")
        self._depth += 1
        try:
            evaluate = _HANDLERS.get(type(node))
            if evaluate is not None:
                return evaluate(self, node)
            reason = None
        except Refused as refused:
            reason = f"{self.code.shown(node)}: {refused}"
        except NotPlain as missing:
            reason = str(missing)
        finally:
            self._depth -= 1
        self._pass_over(node)
        return self._unknown(node, reason)

    def _pass_over(self, node: ast.expr) -> None:
        """Nobody knows what of an expression runs: what it may assign or change is not known afterwards."""
        for each in ast.walk(node):
            if isinstance(each, ast.NamedExpr):
                self.names[each.target.id] = self._unknown(each.target, f"{self.code.shown(node)} may assign it")
            if isinstance(each, ast.Call):
                base = [each.func.value] if isinstance(each.func, ast.Attribute) else []
                for given in (*base, *each.args):
                    if isinstance(given, ast.Name) and given.id in self.names:
                        reopen(self.names[given.id], f"{self.code.shown(each)} may change it")

    def _unknown(self, node: ast.expr, reason: str | None = None) -> Value:
        shown = self.code.shown(node)
        return Value(
            None, Origin("unresolved", shown, self.code.at(node)), reason or f"{shown} is known only when it runs"
        )

    def _computed(self, node: ast.expr, value: Any, *parents: Value) -> Value:
        origin = Origin("computed", self.code.shown(node), self.code.at(node), tuple(each.origin for each in parents))
        return Value(boxed(value, origin), origin)

    # -------------------------------------------------------------------------------------------- literals, names

    def _constant(self, node: ast.Constant) -> Value:
        if not isinstance(node.value, SCALARS):
            return self._unknown(node)
        return Value(node.value, Origin("literal", self.code.shown(node), self.code.at(node)))

    def _name(self, node: ast.Name) -> Value:
        known = self.names.get(node.id)
        if known is None:
            return Value(Symbol(node.id, "free"), Origin("unresolved", node.id, self.code.at(node)))
        if isinstance(known.value, Symbol):
            return replace(known, origin=Origin("expansion", node.id, self.code.at(node)))
        return replace(known, origin=Origin("expansion", node.id, self.code.at(node), (known.origin,)))

    def _attribute(self, node: ast.Attribute) -> Value:
        base = self.value(node.value)
        inner = base.value
        if base.unknown is not None:
            return self._unknown(node, base.unknown)
        if isinstance(inner, Symbol) and inner.source in ("imported", "free"):
            origin = Origin("expansion", self.code.shown(node), self.code.at(node))
            return Value(replace(inner, path=f"{inner.path}.{node.attr}"), origin)
        if isinstance(inner, Call) and node.attr in inner.keywords:
            return inner.keywords[node.attr].value
        return self._unknown(node)

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        if isinstance(base.value, Symbol) and base.value.path == "os.environ":
            return self._environment(node, plain(self.value(node.slice)))
        if base.unknown is not None or isinstance(node.slice, ast.Slice):
            return self._unknown(node, base.unknown)
        key = plain(self.value(node.slice))
        found = self._element(base.value, key)
        return self._unknown(node) if found is None else found

    def _element(self, container: Any, key: Any) -> Value | None:
        if isinstance(container, Table) and container.open is None:
            entry = operations.compute(container.entries.get, key)
            return entry.value if entry is not None else None
        if isinstance(container, Items) and container.open is None:
            container = tuple(container.elements)
        if isinstance(container, tuple) and isinstance(key, int) and -len(container) <= key < len(container):
            element: Value = container[key]
            return element
        return None

    def _await(self, node: ast.Await) -> Value:
        self.value(node.value)
        return self._unknown(node)

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.names[node.target.id] = value
        return value

    # ------------------------------------------------------------------------------------------------ collections

    def _elements(self, nodes: list[ast.expr]) -> list[Value]:
        found: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.value(node.value)
                inner = value.value
                if isinstance(inner, Items) and inner.open is None:
                    inner = tuple(inner.elements)
                if not isinstance(inner, tuple):
                    raise NotPlain(value.unknown or f"{self.code.shown(node.value)} is known only when it runs")
                found += inner
            else:
                found.append(self.value(node))
        return found

    def _tuple(self, node: ast.Tuple) -> Value:
        return Value(tuple(self._elements(node.elts)), self._literal(node))

    def _list(self, node: ast.List | ast.Set) -> Value:
        return Value(Items(self._elements(node.elts)), self._literal(node))

    def _literal(self, node: ast.expr) -> Origin:
        return Origin("literal", self.code.shown(node), self.code.at(node))

    def _dict(self, node: ast.Dict) -> Value:
        entries: dict[Any, Keyword] = {}
        table = Table(entries)
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item)
            if key is None:
                table.open = table.open or self._spread(value, entries)
                continue
            try:
                entries[plain(self.value(key))] = Keyword(self.code.at(key), self.code.at(item), value)
            except (NotPlain, TypeError) as missing:
                table.open = str(missing)
        return Value(table, self._literal(node))

    def _spread(self, value: Value, into: dict[Any, Keyword]) -> str | None:
        """Add what `**value` brings; the reason where it may bring other things, too."""
        if isinstance(value.value, Table) and value.unknown is None:
            into.update(value.value.entries)
            return value.value.open
        return value.unknown or f"**{value.origin.text} is known only when it runs"

    def _joined(self, node: ast.JoinedStr) -> Value:
        parts, parents = [], []
        for piece in node.values:
            if isinstance(piece, ast.FormattedValue):
                value = self.value(piece.value)
                inner = plain(value)
                if not isinstance(inner, bool | int | float | str | None):
                    raise NotPlain(f"{self.code.shown(piece.value)} is known only when it runs")
                spec = plain(self.value(piece.format_spec)) if piece.format_spec is not None else ""
                parts.append(operations.formatted(inner, piece.conversion, spec))
                parents.append(value)
            else:
                parts.append(plain(self.value(piece)))
        return self._computed(node, operations.compute("".join, parts), *parents)

    # -------------------------------------------------------------------------------------------------- operators

    def _unary(self, node: ast.UnaryOp) -> Value:
        operand = self.value(node.operand)
        value = operations.compute(
            operations.UNARY[type(node.op)], truth(operand) if isinstance(node.op, ast.Not) else plain(operand)
        )
        if isinstance(node.operand, ast.Constant) and isinstance(node.op, ast.USub | ast.UAdd):
            return Value(value, self._literal(node))
        return self._computed(node, value, operand)

    def _binary(self, node: ast.BinOp) -> Value:
        return self.binary(node, node.op, self.value(node.left), self.value(node.right))

    def binary(self, node: ast.expr, op: ast.operator, left: Value, right: Value) -> Value:
        if left.either is not None:
            ways = [self.binary(node, op, each, right) for each in left.either.values]
            return decided(ways, self._unknown(node, left.unknown), left.either.at)
        if right.either is not None:
            ways = [self.binary(node, op, left, each) for each in right.either.values]
            return decided(ways, self._unknown(node, right.unknown), right.either.at)
        for operand in (left, right):
            if operand.unknown is not None:
                return self._unknown(node, operand.unknown)
        function = operations.BINARY.get(type(op))
        if function is None:
            return self._unknown(node)
        return self._computed(node, operations.compute(function, plain(left), plain(right)), left, right)

    def _boolean(self, node: ast.BoolOp) -> Value:
        stops = isinstance(node.op, ast.Or)
        for operand in node.values[:-1]:
            value = self.value(operand)
            if truth(value) is stops:
                return self._computed(node, value.value, value)
        value = self.value(node.values[-1])
        return self._unknown(node, value.unknown) if value.unknown else self._computed(node, value.value, value)

    def _compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        parents, holds = [left], True
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            parents.append(right)
            if isinstance(op, ast.Is | ast.IsNot):
                if plain(right) is not None:
                    return self._unknown(node)
                # what a call makes is hardly None, but nobody can tell
                holds = (plain(left) is None) is isinstance(op, ast.Is)
            else:
                holds = operations.compute(operations.COMPARE[type(op)], plain(left), plain(right))
            if not holds:
                break
            left = right
        return self._computed(node, bool(holds), *parents)

    def _conditional(self, node: ast.IfExp) -> Value:
        test = self.truth(node.test)
        if test is not None:
            return self.value(node.body if test else node.orelse)
        ways = self.value(node.body), self.value(node.orelse)
        self._pass_over(node)
        return decided(ways, self._unknown(node, f"it depends on {self.code.shown(node.test)}"), self.code.at(node))

    def truth(self, node: ast.expr) -> bool | None:
        """Whether a condition holds; None where nobody can tell."""
        if isinstance(node, ast.Compare) and self.code.shown(node.left) == "__name__":
            return isinstance(node.ops[0], ast.Eq)
        try:
            return truth(self.value(node))
        except NotPlain:
            return None

    # ------------------------------------------------------------------------------------------------------ calls

    def _call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            if not isinstance(base.value, Symbol):
                return self._method(node, node.func.attr, base)
        function = self.value(node.func)
        positional, keywords, opened = self.arguments(node)
        symbol = function.value
        if not isinstance(symbol, Symbol):
            self._hand_over(positional, keywords)
            return self._unknown(node, function.unknown)
        if symbol.path in ("os.environ.get", "os.getenv") and positional:
            return self._environment(node, plain(positional[0]))
        if symbol.path == "dict" and symbol.source == "free" and len(positional) <= 1:
            entries: dict[Any, Keyword] = {}
            opened = self._spread(positional[0], entries) or opened if positional else opened
            return Value(Table({**entries, **keywords}, opened), self._literal(node))
        if symbol.path in operations.FUNCTIONS and symbol.source != "local" and not keywords and opened is None:
            plains = [plain(each) for each in positional]
            return self._computed(node, operations.compute(operations.FUNCTIONS[symbol.path], *plains), *positional)
        if symbol.name in ("exec", "globals", "locals", "eval") and symbol.source == "free":
            for name, value in self.names.items():
                if not isinstance(value.value, Symbol):
                    self.names[name] = value.unclear(f"{symbol.name}() may change it")
        if symbol.path == "setattr" and len(positional) == 3:
            self._set_attribute(node, *positional)
        if not symbol.name[:1].isupper():
            self._hand_over(positional, keywords)
        call = self._made(node, symbol, positional, keywords, opened)
        self.calls.append(call)
        return Value(call, Origin("computed", f"{self.code.shown(node.func)}(…)", self.code.at(node)))

    def _made(
        self,
        node: ast.Call,
        function: Symbol,
        positional: list[Value],
        keywords: dict[str, Keyword],
        opened: str | None,
    ) -> Call:
        return Call(function, self.code.at(node.func), self.code.at(node), positional, keywords, opened, self.code.cell)

    def arguments(self, node: ast.Call) -> tuple[list[Value], dict[str, Keyword], str | None]:
        """The arguments of a call, and the reason why there may be others."""
        opened = None
        positional: list[Value] = []
        for argument in node.args:
            try:
                positional += self._elements([argument])
            except NotPlain as missing:
                opened = str(missing)
        keywords: dict[str, Keyword] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                opened = self._spread(value, keywords) or opened
                continue
            start = self.code.span(keyword).start
            key = Location(self.code.source, self.code.place(Span(start, start + len(keyword.arg))))
            keywords[keyword.arg] = Keyword(key, self.code.at(keyword.value), value)
        return positional, keywords, opened

    def _set_attribute(self, node: ast.Call, target: Value, name: Value, value: Value) -> None:
        at = self.code.at(node)
        for call in (each.value for each in target.possible() if isinstance(each.value, Call)):
            own = value if target.either is None else value.unclear(target.unknown or "")
            try:
                self.assign_key(call.keywords, plain(name), Keyword(at, self.code.at(node.args[-1]), own))
            except NotPlain as missing:
                call.open = str(missing)

    def assign_key(self, entries: dict[Any, Keyword], key: Any, keyword: Keyword) -> None:
        """Set a key of a dict or an attribute of what a call made."""
        if self.uncertain is not None:
            keyword = replace(keyword, value=keyword.value.unclear(self.uncertain))
        entries[key] = keyword

    def _hand_over(self, positional: list[Value], keywords: dict[str, Keyword]) -> None:
        """A function may change the lists and dicts that it is handed: it gets them as they are, their names no longer say."""
        for number, value in enumerate(positional):
            positional[number] = handed(value)
        for name, keyword in keywords.items():
            keywords[name] = replace(keyword, value=handed(keyword.value))

    def _method(self, node: ast.Call, name: str, base: Value) -> Value:
        positional, keywords, opened = self.arguments(node)
        inner = base.value
        if not isinstance(inner, str | Items | Table):
            self._hand_over(positional, keywords)
        made = self._made(node, Symbol(name, "free"), positional, keywords, opened or self.uncertain)
        for call in (each.value for each in base.possible() if isinstance(each.value, Call)):
            call.methods.append(made)
            if name.startswith("set_"):
                call.open = f"{name}() changes it"
        if base.either is not None and name in MUTATING:
            reopen(base, f".{name}() changes it")
        if isinstance(inner, Call) or base.either is not None:
            return base if name in ITSELF else self._unknown(node, base.unknown)
        if isinstance(inner, str) and name in operations.METHODS and base.unknown is None and not keywords:
            value = operations.method(inner, name, [plain(each) for each in positional])
            return self._computed(node, value, base, *positional)
        if isinstance(inner, Table) and name == "get" and positional and inner.open is None and base.unknown is None:
            found = self._element(inner, plain(positional[0]))
            if found is not None:
                return found
            return positional[1] if len(positional) > 1 else self._computed(node, None)
        if isinstance(inner, Table) and name == "copy":
            return Value(Table(dict(inner.entries), inner.open), base.origin, base.unknown)
        if isinstance(inner, Items | Table) and name in MUTATING:
            self._mutate(inner, name, positional, keywords, opened)
        return self._unknown(node, base.unknown)

    def _mutate(
        self, inner: Items | Table, name: str, positional: list[Value], keywords: dict[str, Keyword], opened: str | None
    ) -> None:
        if self.uncertain is not None or len(positional) > 1:
            inner.open = f".{name}() changes it"
        elif isinstance(inner, Items) and name == "append" and positional:
            inner.elements.append(positional[0])
        elif isinstance(inner, Table) and name == "update":
            missing = self._spread(positional[0], inner.entries) if positional else None
            inner.entries.update(keywords)
            inner.open = inner.open or opened or missing
        else:
            inner.open = f".{name}() changes it"

    def _environment(self, node: ast.expr, name: Any) -> Value:
        if name in self.defines:
            text = self.defines[name]
            return Value(text, Origin("option", f"--define {name}={text}"))
        origin = Origin("environment", str(name), self.code.at(node))
        return Value(
            None, origin, f"the environment variable {name} is not set here (--define {name}=… gives it a value)"
        )


_HANDLERS: dict[type[ast.expr], Callable[[Evaluator, Any], Value]] = {
    ast.Constant: Evaluator._constant, ast.Name: Evaluator._name, ast.Attribute: Evaluator._attribute,
    ast.Subscript: Evaluator._subscript, ast.NamedExpr: Evaluator._named, ast.Tuple: Evaluator._tuple,
    ast.List: Evaluator._list, ast.Set: Evaluator._list, ast.Dict: Evaluator._dict, ast.JoinedStr: Evaluator._joined,
    ast.UnaryOp: Evaluator._unary, ast.BinOp: Evaluator._binary, ast.BoolOp: Evaluator._boolean,
    ast.Compare: Evaluator._compare, ast.IfExp: Evaluator._conditional, ast.Call: Evaluator._call,
    ast.Await: Evaluator._await,
}  # fmt: skip
