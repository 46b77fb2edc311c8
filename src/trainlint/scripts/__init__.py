"""What training scripts declare as their arguments, read from their text and never run.

A style of declaration (argparse, click, …) is a module that makes one `Parser` of a script; nobody mixes two of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path

from trainlint.scripts import absl_, argparse_, click_, fire_, megatron_, tyro_
from trainlint.scripts.frames import dotted
from trainlint.scripts.model import Declaration, Parser, Unread
from trainlint.scripts.names import MUTATORS, Module
from trainlint.scripts.project import Project

__all__ = ["Declaration", "Parser", "Scripts"]

Style = Callable[[Module, Project], "Parser | None"]
STYLES: tuple[tuple[tuple[str, ...], Style], ...] = (
    (fire_.MARKS, fire_.read),
    (tyro_.MARKS, tyro_.read),
    (click_.MARKS, click_.read),
    (absl_.MARKS, absl_.read),
    (megatron_.MARKS, megatron_.read),
    (("import",), argparse_.read),  # a script without a parser of its own may import one
)
"""Words of which a script has one where it may use the style, and the reader of the style."""


class Scripts:
    """Reads the parsers of scripts, each at most once."""

    def __init__(self) -> None:
        self._parsers: dict[tuple[Path, str], Parser | None] = {}
        self._read: list[Path] = []

    @property
    def read(self) -> list[Path]:
        """The files that were read so far."""
        return list(dict.fromkeys(self._read))

    def parser(self, script: Path, roots: Sequence[Path], module: str = "") -> Parser | None:
        """What a script declares; None where nothing can be told.

        `roots` are directories that its imports may come from, besides its own; `module` is its name for `python -m`.
        """
        key = (script, module)
        if key not in self._parsers:
            self._parsers[key] = self._parse(script, roots, module)
        return self._parsers[key]

    def _parse(self, script: Path, roots: Sequence[Path], module: str) -> Parser | None:
        depth = module.count(".") + (script.name == "__main__.py")
        home = script.parents[depth] if module else script.parent
        project = Project([*dict.fromkeys([home, *roots, *(root / "src" for root in roots)])])
        try:
            own = project.script(script.relative_to(home).as_posix(), module or script.stem)
            return _parser(own, project) if own is not None else None
        except (Unread, RecursionError):
            return None
        finally:
            self._read += project.sources.read


def _parser(script: Module, project: Project) -> Parser | None:
    for marks, read in STYLES:
        if any(mark in script.source for mark in marks):
            parser = read(script, project)
            if parser is not None and (parser.declarations or parser.sections):
                if _changes_words(script):
                    parser.leave_open("it changes its command line before it reads it")
                return parser
    return None


def _changes_words(script: Module) -> bool:
    """Does the script write to `sys.argv`?"""
    for node in ast.walk(script.tree):
        match node:
            case ast.Attribute(attr="argv", ctx=ast.Store()):
                return True
            case ast.Subscript(value=ast.Attribute(attr="argv"), ctx=ast.Store() | ast.Del()):
                return True
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in MUTATORS:
                if dotted(owner) in ("sys.argv", "argv"):
                    return True
    return False
