"""The arguments that the script of a command line declares itself, where it is on disk."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainlint.dialects import argv, dotted
from trainlint.dialects.base import Context
from trainlint.dialects.launchers import Started, place
from trainlint.dialects.tables import Schema, Spec, declared
from trainlint.document import Document, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments
from trainlint.scripts import Parser
from trainlint.text import Location, SourceText

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
TRAINER = Schema("transformers:seq2seq", overrides={"optim": "adamw_torch"})
"""The Trainer's arguments, with the default that transformers computes."""


@dataclass(frozen=True)
class Level:
    """A parser as a schema, and the words of a command line that it reads; a subcommand's reads those behind its name."""

    parser: Parser
    schema: Schema
    words: Sequence[Word]

    @property
    def closed(self) -> bool:
        return self.parser.open is None

    @cached_property
    def greedy(self) -> frozenset[str]:
        if not self.parser.greedy:
            return frozenset()
        known = self.parser.declarations.values()
        return frozenset(flag for one in known if one.entry.get("values") == 1 for flag in one.flags)

    def read(self, source: SourceText, targets: Mapping[str, str]) -> Arguments:
        return argv.read(
            source,
            self.words,
            self.schema.aimed(targets),
            closed=self.closed,
            abbreviations=self.parser.abbreviations,
            positionals=self.parser.positionals,
            fills=self.parser.fills,
            greedy=self.greedy,
        )

    def missing(self, found: Arguments, at: Location, script: str) -> Iterator[ArgumentIssue]:
        """What it requires and does not get, where every word is known and none of them a file of arguments."""
        strays = self.parser.positionals == 0 and argv.cut(self.words, self.greedy).positionals
        if (
            not self.closed
            or self.parser.positionals is None
            or strays
            or any(word.text is None for word in self.words)
        ):
            return
        absent = [name for name in self.parser.declarations if name in self.parser.required - found.given.keys()]
        if absent and not found.given.keys() & {"help", "version"}:
            flags = ", ".join(self.parser.declarations[name].flags[0] for name in absent)
            message = f'{script} requires {flags}: "error: {self.parser.demands}"'
            where = [self.parser.declarations[name].at for name in absent]
            related = tuple(("declared here", declared_at) for declared_at in where if declared_at is not None)
            yield ArgumentIssue("missing", absent[0], message, at, f"give {flags}", related=related)

    def excluded(self, found: Arguments) -> Iterator[ArgumentIssue]:
        """Flags of one group of which only one may be given. A value that is the default anyway does not count."""
        for group in self.parser.exclusive:
            owners = dict.fromkeys(d.name for d in self.parser.declarations.values() if set(d.flags) & set(group))
            given = [found.given[name] for name in owners if name in found.given]
            said = [one for one in given if one.value != self.schema[one.name].newest.default]
            for other in said[1:] if all(one.unknown is None for one in said) else []:
                message = f"{other.key.text} is not allowed with {said[0].key.text}: the script takes one of the two"
                advice = f"keep the one that is meant, {other.key.text} or {said[0].key.text}"
                yield ArgumentIssue("exclusive", other.name, message, other.key, advice)


@dataclass(frozen=True)
class Declared:
    """A script's own parser as a schema, and how it reads a command line: with the subcommands that the line chooses."""

    levels: Sequence[Level]
    schema: Schema
    """The arguments of all levels."""
    wrong: ArgumentIssue | None = None
    """What is wrong with the name of the subcommand."""

    @property
    def parser(self) -> Parser:
        return self.levels[-1].parser

    @property
    def closed(self) -> bool:
        return all(level.closed for level in self.levels)

    @property
    def drops(self) -> bool:
        """Does it let unknown arguments pass, which then do nothing?"""
        return all(level.closed or level.parser.drops for level in self.levels)

    def arguments(self, document: Document, started: Started, context: Context) -> Arguments:
        """The script's arguments on a command line, those that nobody declares with the value that their text says."""
        found = Arguments(issues=[self.wrong] if self.wrong is not None else [])
        for level in self.levels:
            own = level.read(document.source, context.targets)
            own.given = {name: self._told(argument) for name, argument in own.given.items()}
            if level.parser.config in own.given:
                own.open = own.open or f"the file behind --{level.parser.config} may set it"
            if own.open is None and self.wrong is None:
                own.issues += level.missing(own, place(document.source, started), started.name)
                own.issues += level.excluded(own)
            found.given |= own.given
            found.issues += own.issues
            found.open = found.open or own.open
        return found

    def _told(self, argument: Argument) -> Argument:
        known = argument.name in self.schema
        if not known and self.closed:
            return replace(argument, unknown=argument.unknown or "the script does not declare it")
        if isinstance(argument.value, str) and self.parser.literals:
            argument = replace(argument, value=_literal(argument.value))
        elif isinstance(argument.value, str) and not known:
            argument = replace(argument, value=dotted.typed(argument.value))
        if _alien(argument.name, argument.value):
            return replace(argument, unknown=argument.unknown or f"the script takes {argument.value!r} as it is")
        return argument


def _literal(text: str) -> Any:
    """As fire reads a value: a Python literal, or the text itself. Words in brackets need no quotes."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return dotted.typed(text) if text.startswith(("[", "{", "(")) else text


def _alien(name: str, value: Any) -> bool:
    """Is the value of another kind than the Trainer's argument of that name has? Nobody can tell what the script makes of it."""
    if value is None or isinstance(value, bool) or name not in TRAINER:
        return False
    return not TRAINER.edition(name).admits(value)


def of(document: Document, started: Started, context: Context) -> Declared | None:
    """The parser of the script that a command starts; None where the script is not here or its parser cannot be read."""
    own = _read(document, started, context)
    return None if own is None or own.parser.extends else own


def _read(document: Document, started: Started, context: Context) -> Declared | None:
    directories = context.directories(document, started)
    found = _script(started, directories)
    if found is None:
        return None
    parser = context.scripts.parser(found[0], directories, found[1])
    return None if parser is None else _chosen(parser, started, document.source)


def _chosen(parser: Parser, started: Started, source: SourceText) -> Declared:
    """The parser with its subcommands as far as the words of a command line choose them."""
    levels: list[Level] = []
    words: Sequence[Word] = started.words
    wrong = None
    while True:
        level = Level(parser, _schema(parser, started.name), words)
        if not parser.commands:
            break
        place = argv.first_word(words, level.schema, parser.abbreviations and level.closed, level.greedy)
        if place is None:
            break
        name = words[place].text
        if name is None or any(word.several for word in words[:place]):
            unclear = parser.dissolved()
            level = Level(unclear, _schema(unclear, started.name), words)
            break
        if name not in parser.commands:
            message = f"{name!r} is no command of {started.name}: it has {', '.join(parser.commands)}"
            at = words[place].origin.literal or Location(source, words[place].span)
            wrong = ArgumentIssue("choice", name, message, at, "give one of its commands", level.closed)
            level = replace(level, words=words[:place])
            break
        levels.append(replace(level, words=words[:place]))
        parser, words = parser.commands[name], words[place + 1 :]
    levels.append(level)
    return Declared(levels, _joined([each.schema for each in levels]), wrong)


def _joined(schemas: Sequence[Schema]) -> Schema:
    """The arguments of all levels; a subcommand's own go before those of what it is a command of."""
    if len(schemas) == 1:
        return schemas[0]
    own = {name: spec for schema in schemas for name, spec in schema.own.items()}
    return Schema(*(section for schema in schemas for section in schema.sections), own=own)


def extend(schema: Schema, document: Document, started: Started, context: Context, closed: bool) -> tuple[Schema, bool]:
    """A framework's own arguments, with those that the script on disk adds to them: it may be a fork, or newer."""
    own = _read(document, started, context)
    if own is None:
        return schema, closed
    added = {name: spec for name, spec in own.schema.own.items() if name not in schema}
    return schema.extended(added), closed and (own.closed or own.drops)


def _script(started: Started, directories: Sequence[Path]) -> tuple[Path, str] | None:
    """The one file that a command's program can be, with its name as a module where it is started as one."""
    text = started.program.text or ""
    if text.endswith(".py"):
        names, module = [text], ""
    elif started.launcher and MODULE.fullmatch(text):
        path = text.replace(".", "/")
        names, module = [f"{path}.py", f"{path}/__main__.py"], text
    else:
        return None
    candidates = [directory / name for directory in directories for name in names]
    found = {file.resolve(): file for file in candidates if file.is_file()}
    # of two files by that name only whoever knows the working directory can tell which one is meant
    return (found.popitem()[1], module) if len(found) == 1 else None


def _schema(parser: Parser, script: str) -> Schema:
    own: dict[str, Spec] = {}
    spellings: dict[str, str] = {}
    for declaration in parser.declarations.values():
        entry = declaration.entry
        if _alien(declaration.name, entry.get("default")):
            entry = {**entry, "default_expression": repr(entry["default"])}
            del entry["default"]
        spec = declared(declaration.name, entry, script, declaration.at)
        own[declaration.name] = spec
        for flag in declaration.flags:
            spellings.setdefault(flag, declaration.name)
            if not parser.spelled and flag.startswith("--"):
                own.setdefault(flag.lstrip("-").replace("-", "_"), spec)
    sections = parser.sections
    if parser.open is not None and not parser.spelled and not sections:
        sections = list(TRAINER.sections)  # a class that is not here most often is made of the Trainer's arguments
    return Schema(
        *sections,
        overrides=TRAINER.overrides if sections else None,
        own=own,
        spellings=spellings if parser.spelled else None,
    )
