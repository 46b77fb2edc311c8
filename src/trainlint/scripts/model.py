"""What a script declares: its arguments in the words of the tables, each with the place of its declaration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from trainlint.scripts.fields import Definition
from trainlint.text import Location


class Unread(Exception):
    """The script has a parser that cannot be read from its text."""


@dataclass(frozen=True)
class Declaration:
    """One argument. `flags` are its spellings, the one that names it first; `entry` is what a table would say of it."""

    name: str
    flags: tuple[str, ...]
    entry: Definition
    at: Location | None = None
    dest: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(choice, str | int | float) for choice in self.entry.get("choices", ())):
            del self.entry["choices"]  # no word of a command line is a list


@dataclass
class Parser:
    """All arguments of one script, as far as its text tells.

    `open` is why it may take arguments that are not here, if it may; `sections` are tables of frameworks that it builds on.
    """

    declarations: dict[str, Declaration] = field(default_factory=dict)
    sections: list[str] = field(default_factory=list)
    open: str | None = None
    required: set[str] = field(default_factory=set)
    """Arguments without which it stops, whichever way the script takes."""
    drops: bool = False
    """Is it open because it lets unknown arguments pass, which then do nothing?"""
    spelled: bool = True
    """Only the flags as they are spelled count; else `-` and `_` are the same."""
    abbreviations: bool = True
    """Does it take the beginning of a flag for the flag?"""
    positionals: int | None = 0
    """How many words it takes at most beside flags; None: any number."""
    fills: tuple[str, ...] = ()
    """The arguments that further words give a value to, unless a flag does."""
    demands: str = "the following arguments are required"
    """What it says where a required argument is missing."""
    exclusive: list[tuple[str, ...]] = field(default_factory=list)
    """Flags of which only one may be given."""
    extends: bool = False
    """Does it hold only what a script adds to a framework's own parser?"""
    commands: dict[str, Parser] = field(default_factory=dict)
    """The parsers of its subcommands: the first word beside flags chooses one, which reads everything after it."""
    greedy: bool = False
    """Does a flag that takes a value take the next word even where that is a flag?"""
    literals: bool = False
    """Has a value the type that its text has as a literal?"""
    config: str | None = None
    """The argument that names a file with more arguments."""

    def leave_open(self, reason: str) -> None:
        self.open = self.open or reason

    def add(self, declaration: Declaration) -> None:
        """Declared twice, on two ways through the program, an argument is what either makes of it."""
        known = self.declarations.get(declaration.name)
        self.declarations[declaration.name] = declaration if known is None else _either(known, declaration)

    def override(self, declarations: Iterable[Declaration]) -> None:
        """What a subclass declares again counts instead."""
        self.declarations.update({declaration.name: declaration for declaration in declarations})

    def take(self, words: int | None) -> None:
        """It takes so many more words beside flags."""
        self.positionals = None if words is None or self.positionals is None else self.positionals + words

    def add_command(self, name: str, parser: Parser) -> None:
        known = self.commands.get(name)
        if known is None:
            self.commands[name] = parser
        elif known is not parser:
            known.join(parser)

    def join(self, other: Parser) -> None:
        """Take in everything that another one declares; which of the two reads a command line cannot be told."""
        for declaration in other.declarations.values():
            self.add(declaration)
        self.sections += [section for section in other.sections if section not in self.sections]
        self.required &= other.required
        self.exclusive = []
        self.positionals = None
        self.leave_open(other.open or "which of its commands is meant cannot be told")

    def dissolved(self) -> Parser:
        """The same where its subcommands cannot be told apart: their arguments are its own, and perhaps not all there are."""
        whole = replace(self, declarations=dict(self.declarations), sections=list(self.sections), commands={})
        for parser in self.commands.values():
            whole.join(parser.dissolved())
        if self.commands:
            whole.forget_defaults()
            whole.positionals = None
        return whole

    def set_default(self, dest: str | None, value: Definition) -> None:
        """Another default for an argument by the name that its value is kept under, for all of them where that is None."""
        for name, declaration in self.declarations.items():
            if dest is None or declaration.dest == dest:
                rest = {k: v for k, v in declaration.entry.items() if k not in DEFAULTS}
                self.declarations[name] = replace(declaration, entry={**rest, **value})

    def forget_defaults(self) -> None:
        self.set_default(None, UNDECIDED)


DEFAULTS = ("default", "default_expression", "default_one_of", "required")
UNDECIDED: Definition = {"default_expression": "the script decides when it runs"}


def _either(one: Declaration, other: Declaration) -> Declaration:
    flags = tuple(dict.fromkeys([*one.flags, *other.flags]))
    if one.entry == other.entry:
        return replace(one, flags=flags)
    kinds = dict.fromkeys(f"{one.entry['type']} | {other.entry['type']}".split(" | "))
    entry: dict[str, Any] = {"type": " | ".join(kinds)}
    if "choices" in one.entry and "choices" in other.entry:
        entry["choices"] = list(dict.fromkeys([*one.entry["choices"], *other.entry["choices"]]))
    values = {one.entry.get("values"), other.entry.get("values")}
    entry |= {"values": values.pop() if len(values) == 1 else "?"}
    defaults = [{k: v for k, v in each.entry.items() if k in DEFAULTS} for each in (one, other)]
    entry |= defaults[0] if defaults[0] == defaults[1] else UNDECIDED
    if one.entry.get("repeats") or other.entry.get("repeats"):
        entry["repeats"] = True
    return replace(one, flags=flags, entry=entry)
