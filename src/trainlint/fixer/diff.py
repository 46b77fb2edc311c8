"""A fix as a unified diff, for `git apply` and `patch -p1`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from trainlint.text import SourceText

BOM = "\ufeff"
NO_NEWLINE = "\n\\ No newline at end of file\n"
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')


def diff(source: SourceText, text: str) -> str:
    """The change from `source` to `text`; empty where there is none. Lines keep their own ends, CRLF among them.

    Encode it as UTF-8 and write it without translating line ends.
    """
    if text == source.text:
        return ""
    from difflib import unified_diff

    mark = BOM if source.bom else ""
    old, new = _lines(mark + source.text), _lines(mark + text)
    name = _relative(source.path)
    lines = unified_diff(old, new, _quoted(f"a/{name}"), _quoted(f"b/{name}"))
    return "".join(line if line.endswith("\n") else line + NO_NEWLINE for line in lines)


def _lines(text: str) -> list[str]:
    """Lines as patch counts them: a carriage return ends none."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _relative(path: str) -> str:
    """The path as seen from the working directory, with slashes, as a diff names it."""
    if Path(path).is_absolute():
        here = Path.cwd()
        path = os.path.relpath(path, here) if Path(path).is_relative_to(here) else path.lstrip("/\\")
    return PurePath(path).as_posix()


def _quoted(name: str) -> str:
    """A name as git writes it: quoted where it holds quotes or control characters, ended by a tab where it holds blanks."""
    if _SPECIAL.search(name):
        return f'"{"".join(_escaped(name))}"'
    return f"{name}\t" if " " in name else name


def _escaped(name: str) -> Iterator[str]:
    for char in name:
        if char in '"\\':
            yield f"\\{char}"
        elif char < " " or char == "\x7f":
            yield f"\\{ord(char):03o}"
        else:
            yield char
