"""How much of public projects is understood, framework by framework.

    python -m benchmarks.frameworks [--gaps N] DIR …

Each DIR is the checkout of one project, named `owner+name`; of two by the same name the first counts. Every configuration
that the linter finds below it is read. The result is the table of docs/frameworks.md, whose words are not made here.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainlint.coverage import coverage
from trainlint.discover import discover
from trainlint.linter import Linter
from trainlint.readers import SUFFIXES
from trainlint.text import SourceText, Unreadable

PYTHON = "python"
"""The row of everything that is read in Python code, whichever class it makes."""
SAME = {"ms-swift-megatron": "ms-swift"}
"""Dialects that share a row."""
OWN = {
    "accelerate": ("huggingface+accelerate",),
    "alignment-handbook": ("huggingface+alignment-handbook",),
    "alpaca-lora": ("tloen+alpaca-lora",),
    "axolotl": ("axolotl-ai-cloud+axolotl",),
    "chinese-llama-alpaca": tuple(f"ymcui+Chinese-LLaMA-Alpaca{number}" for number in ("", "-2", "-3")),
    "deepspeed": ("deepspeedai+DeepSpeed", "deepspeedai+DeepSpeedExamples"),
    "fastchat": ("lm-sys+FastChat",),
    "firefly": ("yangjianxin1+Firefly",),
    "gpt-neox": ("EleutherAI+gpt-neox",),
    "kohya": ("kohya-ss+sd-scripts",),
    "litgpt": ("Lightning-AI+litgpt",),
    "llama-factory": ("hiyouga+LLaMA-Factory",),
    "llm-foundry": ("mosaicml+llm-foundry",),
    "megatron": ("NVIDIA+Megatron-LM",),
    "ms-swift": ("modelscope+ms-swift",),
    "nanotron": ("huggingface+nanotron",),
    "olmo": ("allenai+OLMo",),
    "open-instruct": ("allenai+open-instruct",),
    "openrlhf": ("OpenRLHF+OpenRLHF",),
    "peft": ("huggingface+peft",),
    "qlora": ("artidoro+qlora",),
    "stanford-alpaca": ("tatsu-lab+stanford_alpaca",),
    "torchtitan": ("pytorch+torchtitan",),
    "torchtune": ("pytorch+torchtune",),
    "trl": ("huggingface+trl",),
    "verl": ("volcengine+verl",),
}
"""The project of each framework that has one, by its checkout's name up to an `@`."""


@dataclass(frozen=True)
class Reading:
    """One file that was tried. `runs` gives the dialect of each run in it, its arguments, and what was not understood."""

    project: str
    python: bool
    runs: tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclass
class Row:
    tried: int = 0
    """Files of the framework's own project that discovery takes."""
    own: int = 0
    """Those of them in which a run of this framework is found."""
    others: int = 0
    """Files of other projects in which one is found."""
    arguments: int = 0
    gaps: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> str:
        return f"{100 * (1 - self.gaps.total() / self.arguments):.1f} %" if self.arguments else "–"


def readings(directories: Iterable[Path]) -> Iterator[Reading]:
    for name, directory in {directory.name: directory for directory in reversed([*directories])}.items():
        linter = Linter()
        for entry in discover([directory]).files:
            runs = []
            try:
                launches = linter.read(SourceText.load(entry.path))[1]
            except (OSError, Unreadable, ValueError):
                launches = []
            python = SUFFIXES.get(entry.path.suffix.lower()) in ("python", "notebook")
            for launch in launches:
                found = coverage(launch)
                gaps = tuple(f"{gap.name} ({gap.kind})" for gap in found.gaps)
                dialect = launch.first.dialect
                runs.append((PYTHON if python else SAME.get(dialect, dialect), found.arguments, gaps))
            yield Reading(name.partition("@")[0], python, tuple(runs))


def rows(found: Iterable[Reading]) -> dict[str, Row]:
    """By dialect. A framework without a project of its own, and Python, have every project for their own."""
    found = [*found]
    of: dict[str, Row] = defaultdict(Row)
    for reading in found:
        for dialect, arguments, gaps in reading.runs:
            of[dialect].arguments += arguments
            of[dialect].gaps.update(gaps)
        for dialect in {dialect for dialect, _, _ in reading.runs}:
            if reading.project in OWN.get(dialect, (reading.project,)):
                of[dialect].own += 1
            else:
                of[dialect].others += 1
    for dialect, row in of.items():
        row.tried = sum(
            reading.python == (dialect == PYTHON) and reading.project in OWN.get(dialect, (reading.project,))
            for reading in found
        )
    return dict(sorted(of.items()))


def table(of: dict[str, Row], gaps: int = 0) -> str:
    """As Markdown, and below it the `gaps` arguments of each dialect that were most often not understood."""
    lines = [
        "| dialect | files tried | with a run | of other projects | arguments | understood |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row.tried:,} | {row.own:,} | {row.others:,} | {row.arguments:,} | {row.share} |"
        for name, row in of.items()
    ]
    for name, row in of.items():
        if gaps and row.gaps:
            most = (f"{gap} {count}×" for gap, count in row.gaps.most_common(gaps))
            lines += ["", f"{name}: {', '.join(most)}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=Path, metavar="DIR", help="the checkout of a project")
    parser.add_argument(
        "--gaps", type=int, default=0, metavar="N", help="also the N arguments least understood, for each"
    )
    options = parser.parse_args()
    print(table(rows(readings(options.projects)), options.gaps), end="")


if __name__ == "__main__":
    main()
