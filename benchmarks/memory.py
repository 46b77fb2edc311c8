"""Compares the memory that is worked out for a run with what was measured: `python -m benchmarks.memory TABLE.json`.

The table is a JSON object: `source`, and `rows` of model, method, nodes, gpus_per_node, seq_len, micro_batch and mem_gb, which
is the sum over all GPUs in gigabytes, or null where the run did not fit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlint.facts import Launch
from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.text import SourceText

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
MARK = "<!-- table: python -m benchmarks.memory -->"
GB = 1e9 / 2**30
"""GiB of a gigabyte. The measured numbers cannot be GiB: two of them are 81 on a card of 80 GiB."""
IDS = {
    "Qwen-1.8B": "Qwen/Qwen-1_8B",
    "Qwen-7B": "Qwen/Qwen-7B",
    "Qwen-14B": "Qwen/Qwen-14B",
    "Qwen-72B": "Qwen/Qwen-72B",
}
ZERO = {"Full-parameter": 3, "LoRA (multinode)": 2, "LoRA + Deepspeed Zero3": 3}
"""ZeRO stages of the methods that use DeepSpeed."""


@dataclass(frozen=True)
class Point:
    """One measured run and what is worked out for it, in GiB per GPU. `measured` is None where it did not fit."""

    method: str
    run: str
    measured: float | None
    bound: float
    estimate: float

    @property
    def error(self) -> float:
        return abs(self.estimate / self.measured - 1) if self.measured else 0.0


def configuration(row: Mapping[str, Any], folder: Path) -> str:
    """The run of a row as a configuration of LLaMA-Factory, with the settings of Qwen's own scripts."""
    method = row["method"]
    lines = [
        f"model_name_or_path: {IDS[row['model']]}", "stage: sft", "do_train: true", "dataset: identity", "bf16: true",
        f"cutoff_len: {row['seq_len']}", f"per_device_train_batch_size: {row['micro_batch']}",
        f"gradient_accumulation_steps: {row['grad_accum']}", "output_dir: out",
    ]  # fmt: skip
    if method == "Full-parameter":
        lines.append("finetuning_type: full")
    else:
        lines += ["finetuning_type: lora", "lora_rank: 64", "lora_target: c_attn,c_proj,w1,w2"]
    if method == "LoRA (emb)":
        lines.append("additional_target: wte,lm_head")
    if method == "Q-LoRA":
        lines.append("quantization_bit: 4")
    if method in ZERO:
        file = folder / f"zero{ZERO[method]}.json"
        file.write_text(json.dumps({"zero_optimization": {"stage": ZERO[method]}, "bf16": {"enabled": "auto"}}))
        lines.append(f"deepspeed: {file}")
    return "\n".join(lines) + "\n"


def points(rows: Iterable[Mapping[str, Any]]) -> list[Point]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        for row in rows:
            gpus = row["nodes"] * row["gpus_per_node"]
            launch = _launch(configuration(row, Path(name)), gpus)
            measured = row["mem_gb"] * GB / gpus if row["mem_gb"] is not None else None
            run = f"{row['model']}, {row['seq_len']} tokens, {gpus} GPU{'s' if gpus > 1 else ''}"
            bound, estimate = (_value(launch, fact) for fact in ("memory_lower_bound", "memory_estimate"))
            found.append(Point(row["method"], run, measured, bound, estimate))
    return sorted(found, key=lambda point: (point.method, point.run))


def _launch(text: str, gpus: int) -> Launch:
    (launch,) = Linter(Settings(stated=state(world_size=gpus))).read(SourceText("run.yaml", text))[1]
    return launch


def _value(launch: Launch, name: str) -> float:
    fact = launch.fact(name)
    if not fact.known:
        raise ValueError(f"{name} is not known: {fact.reason}")
    return float(fact.value)


def table(found: list[Point]) -> str:
    """The comparison as Markdown."""
    measured = [point for point in found if point.measured is not None]
    lines = ["| method | runs | median error | largest error | bound / measured |", "|---|---|---|---|---|"]
    for method in [*dict.fromkeys(point.method for point in measured), "all"]:
        of_method = [point for point in measured if method in (point.method, "all")]
        errors = [point.error for point in of_method]
        shares = [point.bound / point.measured for point in of_method if point.measured]
        lines.append(
            f"| {method} | {len(of_method)} | {statistics.median(errors):.0%} | {max(errors):.0%} "
            f"| {min(shares):.2f} to {max(shares):.2f} |"
        )
    lines += ["", "| run | method | measured | bound | estimate | error |", "|---|---|---|---|---|---|"]
    for point in found:
        seen = f"{point.measured:.1f}" if point.measured else "did not fit"
        error = f"{point.estimate / point.measured - 1:+.0%}" if point.measured else ""
        lines.append(f"| {point.run} | {point.method} | {seen} | {point.bound:.1f} | {point.estimate:.1f} | {error} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="the measured runs")
    parser.add_argument("--print", action="store_true", help="print the comparison instead of writing docs/memory.md")
    options = parser.parse_args()
    text = table(points(json.loads(options.table.read_text("utf-8"))["rows"]))
    if options.print:
        print(text, end="")
    else:
        prose = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(f"{prose}{MARK}\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
