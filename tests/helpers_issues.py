"""What the framework's parser would say, in a form that a test can compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers_runs import launches


def issues(text: str, name: str = "run.sh", folder: Path | None = None) -> list[tuple[str, str, int, int, bool]]:
    """Kind, text, line, column and certainty of every issue of the only launch."""
    (launch,) = launches(text, name, folder=folder)
    found = launch.first.arguments.issues
    return [(i.kind, i.at.text, i.at.start.line, i.at.start.column, i.certain) for i in found]


def dialect_of(text: str, name: str = "run.sh", **more: Any) -> list[str]:
    """The dialects of the runs in a text, in order."""
    return [launch.first.dialect for launch in launches(text, name, **more)]
