"""Linting runs that are written down, each beside its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks.spellings import Settings, Written, lay_out
from trainlint import settings as options
from trainlint.findings import Finding, Report
from trainlint.linter import Linter
from trainlint.text import SourceText

Lint = Callable[[Settings, Written], list[Finding]]
MOST_LINTERS = 4
"""Each remembers the rows of its data, which may be many."""


@contextmanager
def beside_data() -> Iterator[Lint]:
    """What is said of a run. Runs of the same data lie in one folder, so that these are written and looked into once."""
    with TemporaryDirectory() as home:

        @cache
        def folder(stage: str, examples: int | None) -> Path:
            made = Path(home, f"{stage}-{examples}")
            made.mkdir()
            lay_out({"stage": stage, "examples": examples}, made)
            return made

        @lru_cache(maxsize=MOST_LINTERS)
        def linter(_folder: Path, stated: tuple[tuple[str, Any], ...]) -> Linter:
            return Linter(options.Settings(stated=options.state(**dict(stated))))

        def lint(run: Settings, written: Written) -> list[Finding]:
            stated: dict[str, Any] = dict(written.stated)
            stated |= {"dataset_bytes": int(run["bytes"])} if run.get("bytes") else {}
            stated |= {"tokens": int(run["tokens"])} if run.get("tokens") else {}
            place = folder(run["stage"], run.get("examples"))
            file = place / written.name
            file.write_text(written.text, "utf-8")
            report = Report()
            launches = linter(place, tuple(stated.items())).lint(SourceText.load(file, written.name), report)
            if report.internal_errors or not launches:
                errors = report.internal_errors
                raise click.ClickException(f"{written.name} is not read as a run:\n{written.text}{errors}")
            return report.findings

        yield lint
