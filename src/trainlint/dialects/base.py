"""What a dialect is, and what every dialect needs to build a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trainlint.dialects.launchers import Started, place
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Origin
from trainlint.facts import Argument, Arguments, Derivation, Fact, Launch, Run, Unknown, View
from trainlint.links import Files
from trainlint.pins import Pin, Pins
from trainlint.scripts import Scripts
from trainlint.text import Location, SourceText, Span


@dataclass(frozen=True)
class Context:
    """What reading a configuration needs besides its text: the files beside it and what the user stated as options.

    `targets` are the versions that the run will use, by package; `pinned` those of them that a file of the project states;
    `homes` the packages in whose own source tree the file lies.
    """

    files: Files
    stated: Mapping[str, Fact] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    scripts: Scripts = field(default_factory=Scripts)
    pinned: Mapping[str, Pin] = field(default_factory=dict)
    homes: AbstractSet[str] = frozenset()

    def beside(self, source: SourceText, pins: Pins) -> Context:
        """The same for one file, with the versions that its project pins; what the user states goes before them."""
        directories = self.files.directories(source)
        found, homes = pins.of(directories), pins.homes(directories)
        pinned = {package: pin for package, pin in found.items() if package not in self.targets}
        versions = {package: pin.version for package, pin in pinned.items()}
        return replace(self, targets={**versions, **self.targets}, pinned=pinned, homes=homes)

    def directories(self, document: Document, started: Started) -> list[Path]:
        """Where the relative paths of a command may start."""
        return self.files.directories(document.source, started.command.directory)

    def open(self, name: str, document: Document, started: Started) -> Document:
        """The file that a command calls `name`. Raises `Unknown` where it is not here or cannot be read."""
        return self.files.open(name, self.directories(document, started))

    def script(self, document: Document, started: Started) -> str:
        """The text of the program where it is a file on this machine, else nothing. It is read, never run."""
        try:
            path = self.files.find(started.program.text or "", self.directories(document, started))
            return path.read_text("utf-8", "replace")
        except (Unknown, OSError):
            return ""


CommandReader = Callable[[Document, Started, Context], "list[Run] | None"]
TreeReader = Callable[[Document, Context], "list[Run] | None"]
PythonReader = Callable[[Document, Context], "list[Launch] | None"]


@dataclass(frozen=True)
class Dialect:
    """One framework: how to recognise its launches and files, and what facts they state.

    A reader returns None where the command or file is not of this framework. `keys` says how the framework calls a fact,
    for facts that it does not call by the fact's own name; None: it has no such setting.
    """

    name: str
    title: str
    facts: Mapping[str, Derivation]
    keys: Mapping[str, str | None] = field(default_factory=dict)
    read_command: CommandReader | None = None
    read_tree: TreeReader | None = None
    read_python: PythonReader | None = None
    part: bool = False
    """Its files settle a part of a run, and other files the rest."""

    def spell(self, fact: str) -> str | None:
        return self.keys.get(fact, fact)


def from_command(
    dialect: Dialect,
    document: Document,
    started: Started,
    context: Context,
    arguments: Arguments,
    schema: Schema,
    *,
    flag: str = "--",
    **extra: Any,
) -> Run:
    """A run that a command line describes; the launcher says its world size. `flag` stands before a spelled argument."""
    schema = schema.aimed(context.targets)
    facts: dict[str, Derivation] = {
        "world_size": lambda r: r.use("launcher.world_size", started.processes),
        "visible_devices": lambda r: r.use("launcher.visible_devices", started.visible_devices),
        **dialect.facts,
    }
    return Run(
        dialect.name,
        dialect.title,
        place(document.source, started),
        arguments,
        schema.default,
        facts,
        lambda fact: f"{flag}{dialect.spell(fact) or fact}",
        context.stated,
        context=_kept(context, document, schema, context.directories(document, started), started=started, **extra),
    )


def from_tree(
    dialect: Dialect, document: Document, context: Context, arguments: Arguments, schema: Schema, **extra: Any
) -> Run:
    """A run that a data file describes; no launcher is in sight, so the world size is unknown."""
    schema = schema.aimed(context.targets)
    facts: dict[str, Derivation] = {"world_size": _no_launcher, "visible_devices": _no_launcher, **dialect.facts}
    first = document.root.entries[0].key.span if document.root is not None and document.root.entries else Span(0, 0)
    return Run(
        dialect.name,
        dialect.title,
        Location(document.source, first),
        arguments,
        schema.default,
        facts,
        lambda fact: dialect.spell(fact) or fact,
        context.stated,
        context=_kept(context, document, schema, context.files.directories(document.source), **extra),
        part=dialect.part,
    )


def _kept(context: Context, document: Document, schema: Schema, directories: list[Path], **more: Any) -> dict[str, Any]:
    """What the derivations of a run may ask for besides its arguments."""
    return {
        "files": context.files,
        "directories": directories,
        "document": document,
        "schema": schema,
        "pinned": context.pinned,
        "homes": context.homes,
        **more,
    }


def _no_launcher(r: View) -> int:
    raise Unknown(
        "the number of processes is decided by the launch command, which this file does not show", "world_size"
    )


# ----------------------------------------------------------------------------------------------------- derivations


def arg(*names: str) -> Derivation:
    """The argument of the first of these names that the user gave, else the default of the first."""

    def derive(r: View) -> Any:
        for name in names:
            if r.given(name):
                return r.arg(name)
        return r.arg(names[0])

    return derive


def constant(value: Any, note: str) -> Derivation:
    """A value that the framework fixes; `note` says where."""

    def derive(r: View) -> Any:
        r.read.clear()
        return r.use(note, _fixed(note, value))

    return derive


def _fixed(note: str, value: Any) -> Fact:
    return Fact(note, value, "default", Origin("framework-default", note))


def names(value: Any) -> list[str]:
    """A list of names from a list or a comma-separated text, empty for None."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]


def linked(r: View, role: str, name: str, absent: Any = None) -> Any:
    """An argument of a linked file (`deepspeed`), or `absent`. Raises `Unknown` where the file's value is."""
    arguments = r.run.linked[role]
    argument: Argument | None = arguments.given.get(name)
    if argument is None:
        return absent
    if argument.unknown is not None:
        raise Unknown(argument.unknown, name)
    return r.use(f"{role}.{name}", Fact(f"{role}.{name}", argument.value, "known", argument.origin))
