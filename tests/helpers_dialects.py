"""Checking a dialect in a test: what a text states, what its parser would say against it, and what it is taken for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from helpers_runs import facts, launches
from trainlint.derive.vocabulary import FACTS
from trainlint.linter import lint
from trainlint.settings import Settings, state
from trainlint.text import SourceText


def assert_states(text: str, expected: dict[str, Any], name: str = "run.sh", **more: Any) -> Any:
    """The only launch of a text states these facts; the known facts are handed back for more."""
    run = facts(text, name, **more)
    assert {fact: run[fact] for fact in expected} == expected
    return run


def steady(examples: int) -> settings:
    """Hypothesis with so many examples, or as many as TRAINLINT_EXAMPLES asks for, of command lines that may be long."""
    wanted = int(os.environ.get("TRAINLINT_EXAMPLES", examples))
    return settings(max_examples=wanted, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def issues(text: str, name: str = "run.sh", **more: Any) -> list[tuple[str, str, int, int]]:
    """Kind, the text pointed at, line and column of everything that the framework's parser would not take."""
    return [(kind, shown, line, column) for kind, shown, line, column, _ in certain_issues(text, name, **more)]


def certain_issues(text: str, name: str = "run.sh", **more: Any) -> list[tuple[str, str, int, int, bool]]:
    """The same, and whether the run is sure to stop at it."""
    found = [
        issue
        for launch in launches(text, name, **more)
        for arguments in (launch.first.arguments, *launch.first.linked.values())
        for issue in arguments.issues
    ]
    return [(i.kind, i.at.text, i.at.start.line, i.at.start.column, i.certain) for i in found]


def dialects_of(text: str, name: str = "run.sh", **more: Any) -> list[str]:
    """What every launch of a text is taken for."""
    return [launch.first.dialect for launch in launches(text, name, **more)]


def write(folder: Path, **files: str) -> Path:
    """Files beside a script; `__` in a keyword stands for the dot of the name."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, "utf-8")
    return folder


def judge(text: str, name: str, dialect: str | None = None) -> None:
    """Every fact can be asked for, and no rule fails; every launch is read by the dialect, if one is named."""
    for launch in launches(text, name, world_size=4):
        assert dialect in (None, launch.first.dialect)
        for fact in FACTS:
            launch.fact(fact)
    report = lint([SourceText(name, text)], Settings(stated=state(world_size=4)))
    assert report.internal_errors == []
