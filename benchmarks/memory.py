"""Compares the memory that is worked out for a run with what was measured: `python -m benchmarks.memory`.

The measured runs, each with its source and a configuration, are in memory.toml.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from trainlint.derive.memory import OVERHEAD
from trainlint.facts import Launch
from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.text import SourceText

RUNS = Path(__file__).with_name("memory.toml")
PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
MARK = "<!-- table: python -m benchmarks.memory -->"


@dataclass(frozen=True)
class Point:
    """One measured run and what is worked out for it, in GiB per GPU. `measured` is None where it did not fit."""

    group: str
    run: str
    measured: float | None
    bound: float | None
    estimate: float | None
    filled: bool

    @property
    def error(self) -> float | None:
        """Of the estimate, where it can be compared."""
        comparable = self.filled and self.measured is not None and self.estimate is not None
        return self.estimate / self.measured - 1 if comparable else None  # type: ignore[operator]


def groups() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = tomli.loads(RUNS.read_text("utf-8"))["group"]
    return found


def points() -> list[Point]:
    return [point for group in groups() for point in _of_group(group)]


def _of_group(group: Mapping[str, Any]) -> Iterator[Point]:
    for run in group["runs"]:
        launch = _launch(group["files"], run.get("with", {}), run["gpus"])
        bound, estimate = (_value(launch, fact) for fact in ("memory_lower_bound", "memory_estimate"))
        if estimate is not None and group.get("counts") == "tensors":
            estimate -= OVERHEAD
        name = f"{run['name']}, {run['gpus']} GPU{'s' if run['gpus'] > 1 else ''}"
        yield Point(group["title"], name, run.get("measured"), bound, estimate, group.get("filled", True))


def _launch(files: Mapping[str, str], values: Mapping[str, Any], gpus: int) -> Launch:
    """Of the first file, beside which the others lie. Where it is a launch, it says the number of processes itself."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            for key, value in values.items():
                text = text.replace("{" + key + "}", str(value))
            (Path(folder) / name).write_text(text, "utf-8")
        first = Path(folder) / next(iter(files))
        stated = state() if first.suffix == ".sh" else state(world_size=gpus)
        (launch,) = Linter(Settings(stated=stated)).read(SourceText(first.name, first.read_text("utf-8"), first))[1]
        for fact in ("memory_lower_bound", "memory_estimate"):
            launch.fact(fact)  # while its files are there
        return launch


def _value(launch: Launch, name: str) -> float | None:
    fact = launch.fact(name)
    return float(fact.value) if fact.known else None


# ------------------------------------------------------------------------------------------------------------- the page


def page(found: list[Point]) -> str:
    """The comparison as Markdown."""
    lines = ["| runs | | median error | largest error | bound / measured |", "|---|---|---|---|---|"]
    titles = dict.fromkeys(point.group for point in found)
    lines += [_summary(title, [point for point in found if title == point.group]) for title in titles]
    lines += [_summary("all", found), "", "| run | measured | bound | estimate | error |", "|---|---|---|---|---|"]
    for title in titles:
        lines += [f"| **{title}** | | | | |", *(_row(point) for point in found if point.group == title)]
    sources = dict.fromkeys((group["source"], group.get("counts")) for group in groups())
    lines += ["", "Sources:", ""]
    lines += [f"- {source}{'; tensors alone' if counts else ''}" for source, counts in sources]
    return "\n".join(lines) + "\n"


def _summary(title: str, found: list[Point]) -> str:
    errors = [abs(point.error) for point in found if point.error is not None]
    shares = [point.bound / point.measured for point in found if point.measured and point.bound is not None]
    known = f"{statistics.median(errors):.0%} | {max(errors):.0%}" if errors else " | "
    held = f"{min(shares):.2f} to {max(shares):.2f}" if shares else ""
    return f"| {title} | {sum(point.measured is not None for point in found)} | {known} | {held} |"


def _row(point: Point) -> str:
    seen = f"{point.measured:.1f}" if point.measured else "did not fit"
    bound, estimate = (f"{value:.1f}" if value is not None else "unknown" for value in (point.bound, point.estimate))
    error = f"{point.error:+.0%}" if point.error is not None else ""
    return f"| {point.run} | {seen} | {bound} | {estimate} | {error} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the comparison instead of writing docs/memory.md")
    text = page(points())
    if parser.parse_args().print:
        print(text, end="")
    else:
        prose = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(f"{prose}{MARK}\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
