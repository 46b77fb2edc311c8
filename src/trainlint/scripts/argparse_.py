"""Arguments declared by `add_argument`, wherever the parser object goes on its way to `parse_args`."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from trainlint.scripts import dataclasses_
from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.frames import (
    Frame,
    argument_of,
    dotted,
    external,
    function_of,
    last,
    method,
    parameters_of,
    visit,
)
from trainlint.scripts.model import DEFAULTS, Declaration, Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.options import ACTIONS_WITHOUT_VALUE, decided, define, takes_nothing
from trainlint.scripts.project import Project
from trainlint.scripts.values import Unevaluable, evaluate

STRICT = frozenset({"parse_args", "parse_intermixed_args", "parse_args_into_dataclasses", "parse_args_and_config"})
PARSES = STRICT | {"parse_known_args", "parse_known_intermixed_args"}
GROUPS = frozenset({"add_argument_group", "add_mutually_exclusive_group"})
PLAIN_PARSERS = frozenset({"argparse.ArgumentParser", "transformers.HfArgumentParser", "trl.TrlParser"})
SUBCOMMANDS = frozenset({"add_subparsers", "add_parser"})
HARMLESS = frozenset(
    {"print_help", "print_usage", "error", "exit", "format_help", "format_usage", "get_default", "register",
     "parse_json_file", "parse_yaml_file", "parse_dict"}
)  # fmt: skip
"""What a program does with a parser without declaring anything."""
BUILTINS = frozenset({"print", "isinstance", "len", "id", "type", "vars", "dir", "repr", "str", "hasattr"})
HF_PARSERS = frozenset({"HfArgumentParser", "TrlParser"})
EXTENDS = "add_config_arguments"
DEEPSPEED = ("deepspeed", "deepspeed_config", "deepscale", "deepscale_config", "deepspeed_mpi")
"""What `deepspeed.add_config_arguments` declares; the first one and `--deepscale` stand alone."""
MAX_DEPTH = 4
MARKS = (*PARSES, "add_argument")


def read(script: Module, project: Project) -> Parser | None:
    """The parser of a script, None where it has none. Raises `Unread` where nothing can be told of it."""
    calls = list(_parse_calls(script))
    if not calls:
        calls = list(_followed(script, script.tree, Frame.of(script), 0, set()))
    if not calls:
        return None
    reader = _Reader(script, project)
    for call, frame in calls:
        reader.parsed(call, frame)
    return reader.finish()


def _parse_calls(module: Module) -> Iterator[tuple[ast.Call, Frame]]:
    if any(mark in module.source for mark in PARSES):
        yield from _calls_in(module.tree, Frame.of(module))


def _calls_in(node: ast.AST, frame: Frame) -> Iterator[tuple[ast.Call, Frame]]:
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
        calls = list(_calls_in(body, home))
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


@dataclass(frozen=True)
class _Stage:
    """One parse of the command line: in which function, by which parser, and whether of words that it is given."""

    function: ast.AST | None
    parser: str
    given: bool

    def follows(self, first: _Stage) -> bool:
        """Does this parse what an earlier one, which lets unknown arguments pass, has left over or seen as well?"""
        return self.function is first.function and (self.given or self.parser != first.parser)


class _Reader:
    """Follows parser objects backwards to where they are made and forwards to everything that is done to them."""

    def __init__(self, script: Module, project: Project) -> None:
        self.script = script
        self.project = project
        self.result = Parser()
        self.known: list[_Stage] = []
        self.strict: list[_Stage] = []
        self._seen: set[tuple[int, str]] = set()
        self._defaults: list[tuple[str, Definition]] = []
        self._homes: set[ast.AST | None] = set()
        """The functions, or None for a module, in which a parser is made that a package's own class stands for."""
        self._required: list[tuple[str, ast.AST | None]] = []
        """Required arguments that no condition leaves out, each with the function that declares it."""
        self._made = False
        self._undecided = False
        """Are there defaults that nobody can name?"""

    def finish(self) -> Parser:
        if not self._made:
            raise Unread("where its parser is made cannot be told")
        if not all(any(strict.follows(known) for strict in self.strict) for known in self.known):
            self.result.drops = self.result.open is None
            self.result.leave_open("its parser lets unknown arguments pass (parse_known_args)")
        for dest, value in self._defaults:
            self.result.set_default(dest, value)
        if self._undecided:
            self.result.forget_defaults()
        if len(self.strict) == 1 and not self.known:
            self.result.required = {name for name, home in self._required if home in self._homes} & {
                name for name, declaration in self.result.declarations.items() if declaration.entry.get("required")
            }
        return self.result

    def parsed(self, call: ast.Call, frame: Frame) -> None:
        """`parser.parse_args()`."""
        assert isinstance(call.func, ast.Attribute)
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        given = call.args[0] if call.args else options.get("args")
        if given is not None and not _command_line(given, frame):
            raise Unread("it does not parse its command line as it is")
        remaining = options.get("return_remaining_strings")
        lenient = (
            call.func.attr not in STRICT
            or None in options
            or (remaining is not None and not (isinstance(remaining, ast.Constant) and not remaining.value))
        )
        stage = _Stage(frame.function, ast.unparse(call.func.value), given is not None)
        (self.known if lenient else self.strict).append(stage)
        self.follow(call.func.value, frame)

    # -------------------------------------------------------------------------------------- where a parser comes from

    def follow(self, node: ast.expr, frame: Frame) -> None:
        """Read everything that is declared on the parser that an expression stands for."""
        if isinstance(node, ast.Call):
            self.made(node, frame)
            return
        text = dotted(node)
        if text is None:
            self.result.leave_open(f"{ast.unparse(node)[:60]} is not followed")
            return
        region, home = self._region(text, frame)
        if region is None:
            self._elsewhere(text, frame)
            return
        if (id(region), text) in self._seen:
            return
        self.uses(text, region, home)
        for found, where in visit(region, home):
            for target, value in _assigned(found):
                if dotted(target) == text and value is not None and not _hands_back(value, text, where):
                    self.follow(value, where)
        if region is frame.function and text in {argument.arg for argument in parameters_of(frame.function)}:
            self._handed_in(text, frame)

    def _handed_in(self, text: str, frame: Frame) -> None:
        """The parser is a parameter: follow it into the calls of the function."""
        for found, where in visit(frame.module.tree, Frame.of(frame.module)):
            if isinstance(found, ast.Call) and (called := function_of(found.func, where)) is not None:
                for argument in _arguments(found):
                    if called[0] is frame.function and argument_of(called[0], called[2], found, argument) == text:
                        self.follow(argument, where)

    def _region(self, text: str, frame: Frame) -> tuple[ast.AST | None, Frame]:
        """The part of the module in which a name is the same thing."""
        if "." in text:
            is_own = text.startswith("self.") and frame.owner is not None
            return (frame.owner, Frame.of(frame.module)) if is_own else (None, frame)
        if frame.function is not None and text in frame.scope.local and not _is_global(text, frame.function):
            return frame.function, replace(Frame.of(frame.module), owner=frame.owner)
        bindings = frame.module.bindings.get(text, [])
        if any(not isinstance(node, ast.ImportFrom | ast.Import) for node in bindings):
            return frame.module.tree, Frame.of(frame.module)
        return None, frame

    def _elsewhere(self, text: str, frame: Frame) -> None:
        """The parser of another module: `from arguments import parser`."""
        for binding in frame.module.bindings.get(text, ()):
            if isinstance(binding, ast.ImportFrom):
                there = frame.module.library.module(frame.module.origin(binding))
                original = next(a.name for a in binding.names if (a.asname or a.name) == text)
                if there is not None and there is not frame.module:
                    self.uses(text, frame.module.tree, Frame.of(frame.module))
                    self.follow(ast.Name(original), Frame.of(there))
                    return
        raise Unread(f"where {text} comes from cannot be told")

    def made(self, call: ast.Call, frame: Frame) -> None:
        """The call that a parser comes out of: a constructor, a function of the project, a group of another parser."""
        name = last(call.func)
        if name in GROUPS | SUBCOMMANDS and isinstance(call.func, ast.Attribute):
            self.follow(call.func.value, frame)
            return
        if name in HF_PARSERS or self._is_a(call.func, frame, HF_PARSERS):
            self._constructed_hf(call, frame, name)
            return
        if external(call.func, frame.scope) == "argparse.ArgumentParser" or self._is_a(
            call.func, frame, {"ArgumentParser"}
        ):
            self._constructed(call, frame)
            return
        function = function_of(call.func, frame)
        if function is None:
            raise Unread(f"its parser comes from {ast.unparse(call.func)[:60]}, which is not in this project")
        body, home, skipped = function
        for found, where in visit(body, home):
            if isinstance(found, ast.Return) and found.value is not None:
                returned = dotted(found.value)
                handed = [a for a in _arguments(call) if returned and argument_of(body, skipped, call, a) == returned]
                for argument in handed:  # `parser = add_more(make())`
                    self.uses(str(returned), body, home)
                    self.follow(argument, frame)
                if not handed:
                    self.follow(found.value, where)

    def _is_a(self, node: ast.expr, frame: Frame, names: Collection[str]) -> bool:
        """A class of the project that is such a parser and changes nothing about it."""
        cls = frame.scope.resolve_class(node)
        if cls is None:
            return False
        assert isinstance(cls.node, ast.ClassDef)
        if not any(last(base) in names for base in cls.node.bases):
            return False
        own = {n.name for n in cls.node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        if own & {"add_argument", "__init__", *PARSES}:
            self.result.leave_open(f"{cls.node.name} has ways of its own")
        return True

    def _constructed(self, call: ast.Call, frame: Frame) -> None:
        self._made = True
        if external(call.func, frame.scope) in PLAIN_PARSERS:
            self._homes.add(frame.function)
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        if None in options or options.keys() & {"fromfile_prefix_chars", "prefix_chars"}:
            self.result.leave_open("its parser is made in a way that is not followed")
        if not _is_true(options.get("allow_abbrev"), absent=True):
            self.result.abbreviations = False
        if _is_true(options.get("add_help"), absent=True):
            self.result.add(Declaration("help", ("--help", "-h"), {"type": "any", "default": None, "values": 0}))
        self._undecided = self._undecided or "argument_default" in options
        for parent in _parents(call):
            self.follow(parent, frame)
        if "parents" in options and not _parents(call):
            self.result.leave_open("its parser's parents are put together by the program")

    def _constructed_hf(self, call: ast.Call, frame: Frame, name: str) -> None:
        self._constructed(ast.Call(call.func, [], [k for k in call.keywords if k.arg != "dataclass_types"]), frame)
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "dataclass_types")]
        self.result.spelled = False
        if name == "TrlParser":
            self.result.config = "config"
            self.result.add(Declaration("config", ("--config",), {"type": "str | None", "default": None}))
        for classes in given[:1]:
            dataclasses_.add_classes(self.result, classes, frame.scope, self.project)
            if isinstance(classes, ast.Tuple | ast.List):
                self._required += [(name, frame.function) for name in self.result.declarations]

    # ----------------------------------------------------------------------------------------- what is done to a parser

    def uses(self, text: str, region: ast.AST, home: Frame) -> None:
        """Everything that the statements of a region do to the parser that is called `text` there."""
        if (id(region), text) in self._seen:
            return
        self._seen.add((id(region), text))
        names = _aliases(text, region)
        for name in names - {text}:
            if "." in name:
                self._kept(name, home)
        if text.startswith("self.") or (isinstance(region, ast.Module) and home.module is not self.script):
            self._shared(text, region, home)
        met: set[int] = set()
        nodes = visit(region, home)
        for node, frame in nodes:
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Attribute) and _stands_for(node.func.value, names):
                    _mark(node.func.value, met)
                    self._method(node, frame)
                met |= {id(parent) for parent in _parents(node)}
                for argument in _arguments(node):
                    if dotted(argument) in names:
                        met.add(id(argument))
                        self._handed(node, argument, frame)
            elif isinstance(node, ast.Return | ast.Assign | ast.AnnAssign) and node.value is not None:
                met.add(id(node.value))  # handed back, or by another name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                met.add(id(node.value))  # `parser.description = …`
        for node, _ in nodes:
            loaded = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
            if loaded and dotted(node) in names and id(node) not in met:
                self.result.leave_open(f"{text} is handed on in a way that is not followed")

    def _kept(self, name: str, home: Frame) -> None:
        """The parser becomes an attribute, of the class at hand or of something else."""
        if name.startswith("self.") and home.owner is not None:
            self.uses(name, home.owner, Frame.of(home.module))
        else:
            self.result.leave_open(f"its parser is kept as {name}, where others may add to it")

    def _shared(self, text: str, region: ast.AST, home: Frame) -> None:
        """Whoever else has the parser in hand may add to it: base classes and subclasses, modules that import it."""
        if not isinstance(region, ast.ClassDef) or _has_relatives(region, home.module):
            self.result.leave_open(f"others may add to {text}")

    def _method(self, call: ast.Call, frame: Frame) -> None:
        name = last(call.func)
        if name == "add_argument":
            self._declared(call, frame)
        elif name == "set_defaults":
            for keyword in call.keywords:
                if keyword.arg is None:
                    self._undecided = True
                else:
                    self._defaults.append((keyword.arg, read_default(keyword.value, frame.scope)))
        elif name in SUBCOMMANDS:
            self.result.positionals = None
        elif name not in GROUPS | PARSES | HARMLESS:
            self.result.leave_open(f"{ast.unparse(call.func)[:60]} may add arguments")

    def _handed(self, call: ast.Call, argument: ast.expr, frame: Frame) -> None:
        """The parser goes into a function, which may declare more on it."""
        if last(call.func) in BUILTINS:
            return
        function = function_of(call.func, frame)
        if function is None and last(call.func) == EXTENDS:
            self._deepspeed()
            return
        if (dotted(call.func) or "").startswith(("self.", "cls.")) and frame.owner is not None:
            self._shared(ast.unparse(call.func), frame.owner, frame)
        parameter = argument_of(function[0], function[2], call, argument) if function is not None else None
        if function is None or parameter is None:
            if last(call.func) != "ArgumentParser":  # `parents=[parser]` is followed from there
                self.result.leave_open(f"{ast.unparse(call.func)[:60]} may add arguments")
            return
        self.uses(parameter, function[0], function[1])

    def _deepspeed(self) -> None:
        for name in DEEPSPEED:
            bare = name in ("deepspeed", "deepscale", "deepspeed_mpi")
            kind: Definition = {"type": "bool", "default": False, "values": 0} if bare else {"type": "str | None"}
            self.result.add(Declaration(name, (f"--{name}",), {"default": None, **kind}))

    def _declared(self, call: ast.Call, frame: Frame) -> None:
        try:
            flags = [evaluate(argument, frame.scope) for argument in call.args]
        except Unevaluable:
            flags = [None]
        options = {keyword.arg: decided(keyword.value, frame.scope) for keyword in call.keywords}
        if not flags or not all(isinstance(flag, str) and flag for flag in flags):
            line = getattr(call, "lineno", 0)
            self.result.leave_open(f"line {line} of {frame.module.path} declares what the program puts together")
            return
        nargs = options.get("nargs")
        if nargs is not None and "REMAINDER" in ast.unparse(nargs):
            self.result.positionals = None
            self.result.leave_open("it takes the rest of its command line as it is")
        if not flags[0].startswith("-"):
            self.result.positionals = None
            return
        declaration = _declaration(flags, options, frame, self.project, call)
        if _always(call, frame):
            self._required.append((declaration.name, frame.function))
        self.result.add(declaration)


def _always(call: ast.Call, frame: Frame) -> bool:
    """Is the call a statement of its function or module that no branch and no loop holds?"""
    body = (frame.function or frame.module.tree).body
    mains = [
        inner
        for node in body
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        for inner in node.body
    ]
    return any(isinstance(node, ast.Expr | ast.Assign) and node.value is call for node in (*body, *mains))


def _declaration(
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


def _is_global(name: str, function: ast.AST) -> bool:
    return any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(function))


def _has_relatives(cls: ast.ClassDef, module: Module) -> bool:
    """Does a class inherit, or does another class of its module inherit from it?"""
    classes = [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    own = [base for base in cls.bases if last(base) not in dataclasses_.PLAIN_BASES]
    return bool(own) or any(last(base) == cls.name for other in classes for base in other.bases)


def _hands_back(value: ast.expr, text: str, frame: Frame) -> bool:
    """`parser = provider(parser)`, where the provider is not in the project: the parser is the one that it was."""
    if not isinstance(value, ast.Call) or function_of(value.func, frame) is not None:
        return False
    return any(dotted(argument) == text for argument in value.args)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _parents(call: ast.Call) -> list[ast.expr]:
    """The parsers that a new one takes its arguments from, where they are listed."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "parents"), None)
    return given.elts if isinstance(given, ast.List | ast.Tuple) else []


def _text(node: ast.expr | None) -> str:
    if node is None:
        return ""
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _is_true(node: ast.expr | None, *, absent: bool) -> bool:
    return absent if node is None else isinstance(node, ast.Constant) and bool(node.value)


def _command_line(node: ast.expr, frame: Frame) -> bool:
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


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield node.target, node.value


def _aliases(text: str, region: ast.AST) -> set[str]:
    """The names of a parser and of its groups, subcommands and copies in a region."""
    names = {text}
    while True:
        more = {
            name
            for node in ast.walk(region)
            for target, value in _assigned(node)
            if value is not None and _stands_for(value, names) and (name := dotted(target)) is not None
        }
        if more <= names:
            return names
        names |= more


def _stands_for(node: ast.expr, names: set[str]) -> bool:
    """A parser, or a group made on the spot: `parser.add_argument_group("x").add_argument(…)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROUPS | SUBCOMMANDS:
        return _stands_for(node.func.value, names)
    return dotted(node) in names


def _mark(node: ast.expr, met: set[int]) -> None:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    met.add(id(node))
