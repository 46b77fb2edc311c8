"""Arguments declared by `add_argument`, wherever the parser object goes on its way to `parse_args`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from dataclasses import replace

from trainlint.scripts import dataclasses_, parse_calls
from trainlint.scripts.fields import Definition, read_default
from trainlint.scripts.frames import (
    Frame,
    argument_of,
    dotted,
    external,
    filled,
    function_of,
    last,
    parameters_of,
    visit,
)
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import Module
from trainlint.scripts.objects import GROUPS, Held, arguments, assigned, roots
from trainlint.scripts.options import decided, declaration, words_taken
from trainlint.scripts.parse_calls import PARSES, Stage
from trainlint.scripts.project import Project
from trainlint.scripts.values import Unevaluable, evaluate

PLAIN_PARSERS = frozenset({"argparse.ArgumentParser", "transformers.HfArgumentParser", "trl.TrlParser"})
HARMLESS = frozenset(
    {"print_help", "print_usage", "error", "exit", "format_help", "format_usage", "get_default", "register",
     "parse_json_file", "parse_yaml_file", "parse_dict"}
)  # fmt: skip
"""What a program does with a parser without declaring anything."""
PLAIN = frozenset({"type", "nargs", "choices", "action", "dest"})
"""Where None says nothing."""
BUILTINS = frozenset({"print", "isinstance", "len", "id", "type", "vars", "dir", "repr", "str", "hasattr"})
HF_PARSERS = frozenset({"HfArgumentParser", "TrlParser"})
EXTENDS = "add_config_arguments"
DEEPSPEED = ("deepspeed", "deepspeed_config", "deepscale", "deepscale_config", "deepspeed_mpi")
"""What `deepspeed.add_config_arguments` declares; the first one and `--deepscale` stand alone."""


def read(script: Module, project: Project) -> Parser | None:
    """The parser of a script, None where it has none. Raises `Unread` where nothing can be told of it."""
    calls = parse_calls.parse_calls(script)
    if not calls:
        return None
    reader = Reader(script, project)
    for call, frame in calls:
        reader.parsed(call, frame)
    return reader.finish()


class Reader:
    """Follows parser objects backwards to where they are made and forwards to everything that is done to them."""

    def __init__(self, script: Module, project: Project) -> None:
        self.script = script
        self.project = project
        self.result = Parser()
        self.known: list[Stage] = []
        self.strict: list[Stage] = []
        self._seen: set[tuple[int, str]] = set()
        self._defaults: list[tuple[str, Definition]] = []
        self._homes: set[ast.AST | None] = set()
        """The functions, or None for a module, in which a parser is made that a package's own class stands for."""
        self._required: list[tuple[str, ast.AST | None]] = []
        """Required arguments that no condition leaves out, each with the function that declares it."""
        self._commands: list[tuple[str, Reader]] = []
        self._whole = True
        """Are these all of its commands?"""
        self._made = False
        self._undecided = False
        """Are there defaults that nobody can name?"""

    def finish(self) -> Parser:
        if not self._made:
            raise Unread("where its parser is made cannot be told")
        if not all(any(strict.follows(known) for strict in self.strict) for known in self.known):
            self.result.drops = self.result.open is None
            self.result.leave_open("its parser lets unknown arguments pass (parse_known_args)")
        return self.settled(len(self.strict) == 1 and not self.known)

    def settled(self, once: bool = False) -> Parser:
        """`once`: one parse of the command line decides."""
        for dest, value in self._defaults:
            self.result.set_default(dest, value)
        if self._undecided:
            self.result.forget_defaults()
        if once:
            self.result.required = {name for name, home in self._required if home in self._homes} & {
                name for name, declaration in self.result.declarations.items() if declaration.entry.get("required")
            }
        for name, reader in self._commands:
            self.result.add_command(name, reader.settled(once))
        return self.result if self._whole else self.result.dissolved()

    def parsed(self, call: ast.Call, frame: Frame) -> None:
        """`parser.parse_args()`."""
        assert isinstance(call.func, ast.Attribute)
        given = parse_calls.given(call)
        if given is not None and not parse_calls.is_command_line(given, frame):
            raise Unread("it does not parse its command line as it is")
        stage = Stage(frame.function, ast.unparse(call.func.value), given is not None)
        (self.known if parse_calls.is_lenient(call) else self.strict).append(stage)
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
            for target, value in assigned(found):
                if dotted(target) == text and value is not None and not _hands_back(value, text, where):
                    self.follow(value, where)
        if region is frame.function and text in {argument.arg for argument in parameters_of(frame.function)}:
            self._handed_in(text, frame)

    def _handed_in(self, text: str, frame: Frame) -> None:
        """The parser is a parameter: follow it into the calls of the function."""
        for found, where in visit(frame.module.tree, Frame.of(frame.module)):
            if isinstance(found, ast.Call) and (called := function_of(found.func, where)) is not None:
                for argument in arguments(found):
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
        if name in GROUPS and isinstance(call.func, ast.Attribute):
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
                handed = [a for a in arguments(call) if returned and argument_of(body, skipped, call, a) == returned]
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
        # with parameters that a call fills in, the same text declares something else each time
        if (id(region), text) in self._seen and not home.bound:
            return
        self._seen.add((id(region), text))
        held = Held.called(text, region)
        for name in held.names - {text}:
            if "." in name:
                self._kept(name, home)
        if text.startswith("self.") or (isinstance(region, ast.Module) and home.module is not self.script):
            self._shared(text, region, home)
        self._walk(held, region, home, self._method, self._handed)

    def _walk(self, held: Held, region: ast.AST, home: Frame, method: Method, handed: Handed) -> None:
        """Meet everything that is done to an object in a region: its methods, and calls that it is handed to."""
        met: set[int] = set()
        nodes = visit(region, home)
        for node, frame in nodes:
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Attribute) and held.is_(node.func.value, frame):
                    met |= {id(root) for root in roots(node.func.value)}
                    method(node, frame, region, home)
                met |= {id(parent) for parent in _parents(node)}
                for argument in arguments(node):
                    if held.is_(argument, frame):
                        met |= {id(root) for root in roots(argument)}
                        handed(node, argument, frame)
            elif isinstance(node, ast.Return | ast.Assign | ast.AnnAssign) and node.value is not None:
                met.add(id(node.value))  # handed back, or by another name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                met.add(id(node.value))  # `parser.description = …`
        for node, frame in nodes:
            loaded = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
            if loaded and held.is_(node, frame) and id(node) not in met:
                self.result.leave_open(f"{ast.unparse(node)} is handed on in a way that is not followed")

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

    def _method(self, call: ast.Call, frame: Frame, region: ast.AST, home: Frame) -> None:
        name = last(call.func)
        if name == "add_argument":
            self._declared(call, frame)
        elif name == "set_defaults":
            for keyword in call.keywords:
                if keyword.arg is None:
                    self._undecided = True
                else:
                    self._defaults.append((keyword.arg, read_default(keyword.value, frame.scope)))
        elif name == "add_subparsers":
            self._subparsers(call, frame, region, home)
        elif name == "add_mutually_exclusive_group":
            self._exclusive(call, frame, region, home)
        elif name not in GROUPS | PARSES | HARMLESS:
            self.result.leave_open(f"{ast.unparse(call.func)[:60]} may add arguments")

    def _exclusive(self, call: ast.Call, frame: Frame, region: ast.AST, home: Frame) -> None:
        """Flags of which a command line may hold one: those that are declared on the group before anybody else has it."""
        held = Held.made(call, region, frame)
        names = []
        for node, where in visit(region, home):
            if (
                isinstance(node, ast.Call)
                and last(node.func) == "add_argument"
                and isinstance(node.func, ast.Attribute)
            ):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if held.is_(node.func.value, where) and texts and len(texts) == len(node.args):
                    names.append(texts[0])
        self.result.exclusive.append(tuple(dict.fromkeys(names)))

    # ---------------------------------------------------------------------------------------------------- subcommands

    def _subparsers(self, call: ast.Call, frame: Frame, region: ast.AST, home: Frame) -> None:
        """`commands = parser.add_subparsers()`: what is done to it there."""
        if self.result.positionals:
            self._scattered("words of its own stand before its commands")
        held = Held.made(call, region, frame)
        if any("." in name for name in held.names):
            if frame.owner is None or not all(name.startswith("self.") for name in held.names):
                self._scattered("its commands are kept where others may add to them")
            region, home = frame.owner or region, Frame.of(frame.module)
        self._walk(held, region, home, self._command, self._commands_handed)

    def _commands_handed(self, call: ast.Call, argument: ast.expr, frame: Frame) -> None:
        """The commands go into a function, which declares some of them."""
        function = function_of(call.func, frame)
        parameter = argument_of(function[0], function[2], call, argument) if function is not None else None
        if function is None or parameter is None:
            self._scattered(f"{ast.unparse(call.func)[:60]} may add commands")
            return
        body, home, skipped = function
        home = replace(home, bound=filled(body, skipped, call, frame.scope))
        self._walk(Held.called(parameter, body), body, home, self._command, self._commands_handed)

    def _command(self, call: ast.Call, frame: Frame, region: ast.AST, home: Frame) -> None:
        """`commands.add_parser("train")`: a parser of its own."""
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        try:
            names = [evaluate(argument, frame.scope) for argument in call.args[:1]]
            names += evaluate(options["aliases"], frame.scope) if "aliases" in options else []
        except Unevaluable:
            names = []
        if last(call.func) != "add_parser" or not names:
            self._scattered("its commands are put together by the program")
            return
        reader = Reader(self.script, self.project)
        made = ast.copy_location(ast.Call(ast.Name("ArgumentParser"), [], call.keywords), call)
        reader._constructed(made, frame)
        reader._homes.add(frame.function)
        reader._walk(Held.made(call, region, frame), region, home, reader._method, reader._handed)
        for name in names:
            self._commands.append((str(name), reader))

    def _scattered(self, reason: str) -> None:
        """Which commands there are, or what they declare, cannot be told."""
        self._whole = False
        self.result.leave_open(reason)

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
        body, home, skipped = function
        self.uses(parameter, body, replace(home, bound=filled(body, skipped, call, frame.scope)))

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
        options = {key: node for key, node in options.items() if key not in PLAIN or not _is_none(node)}
        if not flags or not all(isinstance(flag, str) and flag for flag in flags):
            line = getattr(call, "lineno", 0)
            self.result.leave_open(f"line {line} of {frame.module.path} declares what the program puts together")
            return
        nargs = options.get("nargs")
        if nargs is not None and "REMAINDER" in ast.unparse(nargs):
            self.result.positionals = None
            self.result.leave_open("it takes the rest of its command line as it is")
        elif not flags[0].startswith("-"):
            self.result.take(words_taken(nargs))
        else:
            declared = declaration(flags, options, frame, self.project, call)
            if _always(call, frame):
                self._required.append((declared.name, frame.function))
            self.result.add(declared)


Method = Callable[[ast.Call, Frame, ast.AST, Frame], None]
Handed = Callable[[ast.Call, ast.expr, Frame], None]


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


def _parents(call: ast.Call) -> list[ast.expr]:
    """The parsers that a new one takes its arguments from, where they are listed."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "parents"), None)
    return given.elts if isinstance(given, ast.List | ast.Tuple) else []


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_true(node: ast.expr | None, *, absent: bool) -> bool:
    return absent if node is None else isinstance(node, ast.Constant) and bool(node.value)
