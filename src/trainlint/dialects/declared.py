"""The arguments that the script of a command line declares itself, where it is on disk."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainlint.dialects import argv, dotted
from trainlint.dialects.base import Context
from trainlint.dialects.launchers import Started, place
from trainlint.dialects.tables import Schema, Spec, declared
from trainlint.document import Document, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments
from trainlint.scripts import Parser
from trainlint.text import Location

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
TRAINER = Schema("transformers:seq2seq", overrides={"optim": "adamw_torch"})
"""The Trainer's arguments, with the default that transformers computes."""


@dataclass(frozen=True)
class Declared:
    """A script's own parser as a schema, and how it reads a command line."""

    parser: Parser
    schema: Schema

    @property
    def closed(self) -> bool:
        return self.parser.open is None

    @property
    def _greedy(self) -> frozenset[str]:
        if not self.parser.greedy:
            return frozenset()
        known = self.parser.declarations.values()
        return frozenset(flag for one in known if one.entry.get("values") == 1 for flag in one.flags)

    def arguments(self, document: Document, started: Started, context: Context) -> Arguments:
        """The script's arguments on a command line, those that nobody declares with the value that their text says."""
        words = started.words
        found = argv.read(
            document.source,
            words,
            self.schema.aimed(context.targets),
            closed=self.closed,
            abbreviations=self.parser.abbreviations,
            positionals=self.parser.positionals,
            greedy=self._greedy,
        )
        if self.parser.config in found.given:
            found.open = found.open or f"the file behind --{self.parser.config} may set it"
        found.given = {name: self._told(argument) for name, argument in found.given.items()}
        if self.closed and found.open is None and self._reads_flags_alone(words):
            found.issues += self._missing(found, place(document.source, started), started.name)
        return found

    def _reads_flags_alone(self, words: Sequence[Word]) -> bool:
        """Is every word known, and none a file of arguments or a subcommand?"""
        known = all(word.text is not None for word in words)
        return known and self.parser.positionals == 0 and not argv.cut(words, self._greedy).positionals

    def _missing(self, found: Arguments, at: Location, script: str) -> Iterator[ArgumentIssue]:
        absent = [name for name in self.parser.declarations if name in self.parser.required - found.given.keys()]
        if absent and not found.given.keys() & {"help", "version"}:
            flags = ", ".join(self.parser.declarations[name].flags[0] for name in absent)
            message = f'{script} requires {flags}: "error: the following arguments are required"'
            where = [self.parser.declarations[name].at for name in absent]
            related = tuple(("declared here", declared_at) for declared_at in where if declared_at is not None)
            yield ArgumentIssue("missing", absent[0], message, at, f"give {flags}", related=related)

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
    directories = context.files.directories(document.source, started.command.directory)
    found = _script(started, directories)
    if found is None:
        return None
    parser = context.scripts.parser(found[0], directories, found[1])
    return None if parser is None else Declared(parser, _schema(parser, started.name))


def extend(schema: Schema, document: Document, started: Started, context: Context, closed: bool) -> tuple[Schema, bool]:
    """A framework's own arguments, with those that the script on disk adds to them: it may be a fork, or newer."""
    own = of(document, started, context)
    if own is None:
        return schema, closed
    added = {name: spec for name, spec in own.schema.own.items() if name not in schema}
    return schema.extended(added), closed and (own.closed or own.parser.drops)


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
