"""Readers: a text becomes a `Document`. Each is imported when a file needs it."""

from __future__ import annotations

import re
from pathlib import PurePath

from trainlint.document import Document, Format
from trainlint.readers.caller import ANYONE, Caller
from trainlint.text import SourceText

SUFFIXES: dict[str, Format] = {
    ".sh": "shell",
    ".bash": "shell",
    ".slurm": "shell",
    ".sbatch": "shell",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".py": "python",
    ".ipynb": "notebook",
}
_SHEBANG = re.compile(r"#!.*\b(?:ba|da|k|z)?sh\b")
_JSON = re.compile(r"\s*\{\s*(?:\"|\}|//|/\*)")
_YAML = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?:---|(?:- +)?[\w.-]+:(?:[ \t\r\n]|\Z))")
_OTHERS = frozenset({".md", ".rst", ".html", ".xml", ".ini", ".log", ".txt"})
"""What these hold is something else, even where it begins like a format that is read, or shows a command."""
_STARTS = re.compile(
    r"^[ \t]*(?:[A-Za-z_]\w*=\S*[ \t]+)*"
    r"(?:torchrun|accelerate launch|deepspeed|llamafactory-cli|python3?|srun)[ \t]",
    re.MULTILINE,
)


class UnknownFormat(ValueError):
    """A text of which neither the name nor the content tells how to read it."""


def detect(path: str, text: str) -> Format | None:
    """The format of a file by its suffix, then by its `#!`, then by how it begins, then by a command that starts a run."""
    suffix = PurePath(path).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if _SHEBANG.match(text):
        return "shell"
    if suffix in _OTHERS:
        return None
    if _JSON.match(text):
        return "json"
    if not suffix and _YAML.match(text):
        return "yaml"
    return "shell" if _STARTS.search(text) else None


def read(source: SourceText, format: Format | None = None, caller: Caller = ANYONE) -> Document:
    """Read a source in its format, or in the one that `detect` finds.

    Never raises for what the text says. Raises `UnknownFormat` when no format is given and none can be told.
    """
    match format or detect(source.path, source.text):
        case "shell":
            from trainlint.readers import shell

            return shell.read(source, caller)
        case "yaml":
            from trainlint.readers import yaml

            return yaml.read(source)
        case "json":
            from trainlint.readers import json

            return json.read(source)
        case "toml":
            from trainlint.readers import toml

            return toml.read(source)
        case "python":
            from trainlint.readers import python

            return python.read(source, caller.variables)
        case "notebook":
            from trainlint.readers.python import notebook

            return notebook.read(source, caller.variables)
        case _:
            raise UnknownFormat(f"{source.path}: neither the name nor the content tells its format")
