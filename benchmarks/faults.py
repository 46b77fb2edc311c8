"""What share of single faults is found, and at the right line.

    python -m benchmarks.faults

Healthy runs are written down in the spelling of several frameworks; one fault at a time is put into each. A fault is found
where a rule that is meant for it fires and did not before; at the right line where it points into the changed lines. The
result is docs/faults.md.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from benchmarks.linting import beside_data
from benchmarks.spellings import SPELLINGS, Settings, Written
from trainlint.findings import Finding

LORA: Settings = {
    "model": "org/model-7b", "stage": "sft", "method": "lora", "learning_rate": 2e-4, "batch": 4, "accumulation": 4, "gpus": 8,
    "length": 2048, "rank": 16, "alpha": 32, "dropout": 0.05, "clip": 1.0, "warmup_steps": 30, "scheduler": "cosine",
    "decay": 0.01, "epochs": 2, "examples": 40_000, "precision": "bf16",
}  # fmt: skip
FULL: Settings = {
    **{key: LORA[key] for key in LORA if key not in ("rank", "alpha", "dropout")}, "method": "full", "learning_rate": 2e-5,
}  # fmt: skip
PRETRAINING: Settings = {
    **{key: LORA[key] for key in LORA if key != "examples"}, "stage": "pt", "epochs": 1, "tokens": 20_000_000_000,
    "warmup_steps": 500, "learning_rate": 1e-4,
}  # fmt: skip
PREFERENCE: Settings = {**LORA, "stage": "dpo", "learning_rate": 5e-6, "beta": 0.1, "epochs": 1}
OF_DATA = {"examples", "tokens"}
"""Settings that stand in no file: they are the data."""
HEALTHY = {
    "LoRA": LORA,
    "LoRA without warmup": {**LORA, "warmup_steps": 0},
    "LoRA on unknown data": {key: LORA[key] for key in LORA if key != "examples"},
    "full": FULL,
    "pre-training": PRETRAINING,
    "pre-training without warmup": {**PRETRAINING, "warmup_steps": 0},
    "preference": PREFERENCE,
}
"""Without warmup are the runs that a fault shortens: a warmup in steps would be a second fault there."""


@dataclass(frozen=True)
class Fault:
    """A change of the settings, or of the text, and the rules that should see it."""

    name: str
    rules: frozenset[str]
    settings: Mapping[str, Any] | None = None
    text: Callable[[str], str] | None = None
    runs: tuple[str, ...] = ("LoRA",)
    endings: tuple[str, ...] = (".yaml", ".sh")

    def put_into(self, run: Settings, write: Callable[[Settings], Written | None]) -> tuple[Settings, Written] | None:
        """The faulty run; None where the framework cannot say it, or the text does not change."""
        healthy, changed = write(run), {**run, **(self.settings or {})}
        written = write(changed)
        if healthy is None or written is None or not written.name.endswith(self.endings):
            return None
        if self.text is not None:
            written = replace(written, text=self.text(written.text))
        other_data = bool(OF_DATA & (self.settings or {}).keys())
        return (changed, written) if written.text != healthy.text or other_data else None


def _set(name: str, rules: str, runs: str = "LoRA", **settings: Any) -> Fault:
    return Fault(name, frozenset(rules.split()), settings, None, tuple(runs.split(",")))


def _edit(name: str, rules: str, pattern: str, by: str, ending: str = "", run: str = "LoRA") -> Fault:
    def change(text: str) -> str:
        return re.sub(pattern, by, text, count=1, flags=re.MULTILINE)

    return Fault(name, frozenset(rules.split()), None, change, (run,), (ending,) if ending else (".yaml", ".sh"))


FLAG = r"^(    --(?:lora_rank|lora_r|lora_alpha) \S+)"
FAULTS = [
    _set("LoRA rate ten times too high", "lr/lora-ceiling", learning_rate=2e-3),
    _set("LoRA rate of 0.1", "arguments/cannot-be-meant", learning_rate=0.1),
    _set("LoRA rate of full training", "lr/too-low-for-lora", learning_rate=1e-5),
    _set("rate of 0", "arguments/cannot-be-meant", "LoRA,full", learning_rate=0.0),
    _set("full rate ten times too high", "lr/too-high-full", "full", learning_rate=5e-4),
    _set("full rate a hundred times too high", "lr/too-high-full", "full", learning_rate=2e-3),
    _set("rate of fine-tuning in preference tuning", "lr/preference", "preference", learning_rate=2e-4),
    _set("beta of 10", "preference/beta", "preference", beta=10.0),
    _set("beta of 0.0001", "preference/beta", "preference", beta=0.0001),
    _set(
        "tiny steps",
        "batch/tiny-step lr/too-high-for-step",
        "pre-training",
        batch=1,
        accumulation=1,
        gpus=1,
        length=512,
    ),
    _set("short blocks", "context/block-too-short", "pre-training", length=64),
    _set("a megabyte of text", "data/too-small-for-pretraining", "pre-training without warmup", tokens=250_000),
    _set("ten passes over the text", "data/too-many-epochs", "pre-training", epochs=10),
    _set("thirty passes over the examples", "data/too-many-epochs", epochs=30),
    _set("no passes", "arguments/cannot-be-meant", epochs=0),
    _set("a dozen examples", "data/too-few-examples", "LoRA without warmup", examples=12),
    _set(
        "more accumulation than batches",
        "batch/accumulation-beyond-epoch",
        "LoRA without warmup",
        examples=1500,
        accumulation=512,
    ),
    _set("warmup longer than the run", "schedule/warmup-too-long", warmup_steps=5000),
    _set("warmup of half the run", "schedule/warmup-too-long", warmup_steps=300),
    _set("three steps", "schedule/few-steps schedule/warmup-too-long", steps=3, warmup_steps=None),
    _set("no clipping", "stability/clipping", "LoRA,full", clip=0.0),
    _set("weight decay of 10", "arguments/cannot-be-meant", decay=10.0),
    _set("dropout of 0.9", "stability/dropout", dropout=0.9),
    _set("dropout of 5", "stability/dropout", dropout=5.0),
    _set("alpha of 0", "lora/alpha-scale", alpha=0),
    _set("alpha of 1000", "lora/alpha-scale", alpha=1000),
    _set("rank of 1024", "lora/rank-high", rank=1024, alpha=1024),
    _set("fp16", "precision/fp16", precision="fp16"),
    _set("chat model in pre-training", "model/pretraining-a-chat-model", "pre-training", model="org/model-7b-chat"),
    _set("no evaluation", "monitoring/no-evaluation", "pre-training", evaluated=False),
    _set("max_samples left over", "data/max-samples-left-over", "LoRA without warmup", max_samples=1000),
    _edit("misspelt learning rate", "arguments/unknown", "learning_rate", "learing_rate"),
    _edit("misspelt epochs", "arguments/unknown", "(num_train_epochs|num_epochs)", r"\1s"),
    _edit("misspelt batch size", "arguments/unknown", "(per_device_train|micro)_batch_size", r"\1_bach_size"),
    _edit("misspelt warmup", "arguments/unknown", "warmup_steps", "warm_up_steps"),
    _edit("number with a comma", "arguments/invalid-value", r"^(    --learning_rate \S+)", r"\1,", ".sh"),
    _edit(
        "number with a unit", "arguments/invalid-value", r"^(    --(?:max_length|max_seq_length) \d+)", r"\1k", ".sh"
    ),
    _edit("word for a number", "arguments/invalid-value", r"^(\w*batch_size: ).*", r"\1four", ".yaml"),
    _edit("word for a rate", "arguments/invalid-value", r"^(learning_rate: ).*", r"\1high", ".yaml"),
    _edit("unknown schedule", "arguments/invalid-value", r"(lr_scheduler_type\W+)cosine", r"\1cosin"),
    _edit("missing backslash", "launch/broken-continuation", FLAG + r" \\$", r"\1", ".sh"),
    _edit("blank behind the backslash", "launch/broken-continuation", FLAG + r" \\$", r"\1 \\ ", ".sh"),
    _edit("comment inside the command", "launch/broken-continuation", FLAG, r"    # \1", ".sh"),
    _edit("text behind the backslash", "launch/broken-continuation", FLAG + r" \\$", r"\1 \\ # rank", ".sh"),
    _edit("flag given twice", "arguments/duplicate", r"^(    --learning_rate) \S+ \\$", r"\g<0>\n\1 0.0001 \\", ".sh"),
    _edit(
        "key given twice",
        "file/duplicate-key arguments/duplicate",
        r"^(learning_rate): .*$",
        r"\g<0>\n\1: 0.0001",
        ".yaml",
    ),
    _edit("seed from $RANDOM", "reproducibility/random-seed", r"^(    --output_dir out)", r"\1 --seed $RANDOM", ".sh"),
    _edit(
        "seed from the machine's number",
        "reproducibility/random-seed",
        r"^(    --output_dir out)",
        r"\1 --seed $NODE_RANK",
        ".sh",
    ),
    _edit("token in the file", "security/literal-secret", r"\A", "# HF_TOKEN=hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh\n"),
    _edit("both precisions", "precision/both-fp16-and-bf16", r"^(    --bf16 True)", r"\1 --fp16 True", ".sh"),
    _edit(
        "both precisions in a file",
        "precision/both-fp16-and-bf16 arguments/ignored",
        r"^bf16: true",
        "bf16: true\nfp16: true",
        ".yaml",
    ),
    _edit(
        "best model without saving alike",
        "monitoring/best-model-mismatch",
        r"^(    --output_dir out)",
        r"\1 --load_best_model_at_end True --save_strategy epoch",
        ".sh",
    ),
    _edit("warmup_ratio of 5", "arguments/cannot-be-meant", r"^warmup_steps: .*", "warmup_ratio: 5.0", ".yaml"),
    _edit("no accumulation at all", "arguments/cannot-be-meant", r"(gradient_accumulation_steps\W+)4", r"\g<1>0"),
    _edit(
        "schedule without its minimum",
        "arguments/trainer-conflict",
        r"(lr_scheduler_type\W+)cosine",
        r"\1cosine_with_min_lr",
    ),
    _edit("never saved", "monitoring/never-saved", r"^(    --output_dir out)", r"\1 --save_strategy no", ".sh"),
    _edit(
        "first save after the end",
        "monitoring/first-save-after-end",
        r"^(output_dir: .*)",
        r"\1\nsave_steps: 100000",
        ".yaml",
    ),
    _edit(
        "blank between module names",
        "lora/target-modules",
        r"(--trainable )q_proj,v_proj",
        r"\1'q_proj, v_proj'",
        ".sh",
    ),
    _edit("adapters on two modules", "lora/target-modules", r"^lora_target: .*", "lora_target: q_proj,v_proj", ".yaml"),
    _edit(
        "quantised full training",
        "arguments/conflict arguments/ignored",
        r"^finetuning_type: .*",
        "finetuning_type: full\nquantization_bit: 4",
        ".yaml",
        "full",
    ),
    _edit(
        "packing without borders",
        "context/packing-mixes-examples",
        r"^cutoff_len: .*",
        r"\g<0>\npacking: true",
        ".yaml",
        "LoRA on unknown data",
    ),
    _edit(
        "packing without attention",
        "context/packing-mixes-examples",
        r"^sequence_len: .*",
        r"\g<0>\nsample_packing: true",
        ".yaml",
        "LoRA on unknown data",
    ),
    _edit(
        "worst checkpoint as the best",
        "monitoring/best-model-wrong-way",
        r"^(output_dir: .*)",
        r"\1\nmetric_for_best_model: loss\ngreater_is_better: true",
        ".yaml",
    ),
    _edit("evaluation after the end", "monitoring/evaluation-after-end", r"(eval_steps\W+)100", r"\g<1>90000"),
    _edit("never logged", "monitoring/never-logged", r"^(    --output_dir out)", r"\1 --logging_steps 90000", ".sh"),
    _edit(
        "resumed without its state",
        "monitoring/resume-without-state",
        r"^(output_dir: .*)",
        r"\1\nsave_only_model: true\nresume_from_checkpoint: out/checkpoint-100",
        ".yaml",
    ),
    _edit("noise of 100", "stability/neftune-noise", r"^(output_dir: .*)", r"\1\nneftune_noise_alpha: 100", ".yaml"),
    _edit(
        "labels smoothed away",
        "stability/label-smoothing",
        r"^(    --output_dir out)",
        r"\1 --label_smoothing_factor 1.0",
        ".sh",
    ),
    _edit(
        "pairs smoothed away",
        "preference/label-smoothing",
        r"^(learning_rate: .*)",
        r"\1\ndpo_label_smoothing: 0.5",
        ".yaml",
        "preference",
    ),
    _set("ten passes over the pairs", "preference/many-passes", "preference", epochs=10),
    _edit(
        "batch found at run",
        "batch/found-at-run arguments/trainer-conflict",
        r"^(    --output_dir out)",
        r"\1 --auto_find_batch_size True",
        ".sh",
    ),
    _edit("template of another model", "model/other-template", r"org/model-7b", "Qwen/Qwen2.5-7B-Instruct", ".yaml"),
    _edit(
        "steps that run one after the other",
        "launch/debugging-left-on",
        r"\A",
        "export CUDA_LAUNCH_BLOCKING=1\n",
        ".sh",
    ),
    _edit(
        "removal from the root of the disk",
        "launch/removes-from-root",
        r"\A",
        "OUT=\nrm -rf $OUT/checkpoints\n",
        ".sh",
    ),
    _edit("LoRA on 4 bits", "arguments/ignored", r"^load_in_4bit: false", "load_in_4bit: true", ".yaml"),
    _edit(
        "machines that do not meet",
        "launch/machines-do-not-meet",
        r"^torchrun ",
        "torchrun --nnodes 2 --node_rank 1 ",
        ".sh",
    ),
    _edit(
        "fewer GPUs from Slurm",
        "launch/slurm",
        r"\A(?=torchrun)",
        "#!/bin/bash\n#SBATCH --gpus-per-node=4\n",
        ".sh",
    ),
    _edit(
        "Slurm line below a command",
        "launch/slurm",
        r"\A",
        "#!/bin/bash\nset -e\n#SBATCH --time=10:00:00\n",
        ".sh",
    ),
    _edit(
        "preference settings in fine-tuning",
        "arguments/ignored",
        r"^(stage: .*)",
        r"\1\npref_beta: 0.1",
        ".yaml",
    ),
    _edit(
        "quantisation settings without quantisation",
        "arguments/ignored",
        r"(--load_in_4bit) False",
        r"\1 False --bnb_4bit_quant_type nf4",
        ".sh",
    ),
    _edit(
        "offload with 8-bit states",
        "arguments/conflict",
        r"^(micro_batch_size: .*)",
        r"\1\noptimizer: adamw_bnb_8bit\nfsdp_config: {offload_params: true}",
        ".yaml",
        "full",
    ),
]


@dataclass(frozen=True)
class Outcome:
    """One fault in one run: was it found, in the changed lines, and what else came up."""

    fault: str
    spelling: str
    found: bool
    placed: bool
    unrelated: tuple[str, ...]


def outcomes() -> Iterator[Outcome]:
    with beside_data() as lint:
        for spelling, write in SPELLINGS.items():
            for kind, run in HEALTHY.items():
                written = write(run)
                if written is None:
                    continue
                before = {finding.rule for finding in lint(run, written)}
                for fault in FAULTS:
                    faulty = fault.put_into(run, write) if kind in fault.runs else None
                    if faulty is not None:
                        yield _judged(fault, spelling, written, faulty[1], lint(*faulty), before)


def _judged(
    fault: Fault, spelling: str, healthy: Written, written: Written, findings: list[Finding], before: set[str]
) -> Outcome:
    meant = [finding for finding in findings if finding.rule in fault.rules]
    old = healthy.text.splitlines()
    changed = {number for number, line in enumerate(written.text.splitlines(), 1) if line not in old}
    # data that are not in the file have no line of their own; a lost line shows where it was
    placed = not changed or any({f.at.start.line - 1, f.at.start.line, f.at.start.line + 1} & changed for f in meant)
    others = {f.rule for f in findings if f.severity != "note"} - fault.rules - before
    return Outcome(fault.name, spelling, bool(meant), bool(meant) and placed, tuple(sorted(others)))


def page(results: list[Outcome]) -> str:
    found, placed = sum(each.found for each in results), sum(each.placed for each in results)
    quiet = sum(not each.unrelated for each in results)
    grouped: dict[str, list[Outcome]] = defaultdict(list)
    for each in results:
        grouped[each.fault].append(each)
    return (
        "\n".join(
            [
                "# Single faults",
                "",
                f"{len(grouped)} kinds of fault, each put alone into healthy runs in the spellings of",
                f"{len(SPELLINGS)} frameworks. Made by `python -m benchmarks.faults`.",
                "",
                "| what | measured | bar |",
                "|---|---|---|",
                f"| found | {found} of {len(results)} ({100 * found / len(results):.1f} %) | 95 % |",
                f"| of those, at the changed line or next to it | {placed} ({100 * placed / max(found, 1):.1f} %) | 95 % |",
                f"| without a new warning or error of another rule | {quiet} ({100 * quiet / len(results):.1f} %) | all |",
                "",
                "Most misses are torchtune's: its data are named by a builder, so the length of the run is not known and",
                "no warmup is judged by it.",
                "",
                "| fault | found in | missed in | unrelated |",
                "|---|---|---|---|",
                *(
                    f"| {name} | {', '.join(dict.fromkeys(e.spelling for e in group if e.found))} "
                    f"| {', '.join(dict.fromkeys(e.spelling for e in group if not e.found))} "
                    f"| {', '.join(sorted({f'`{rule}`' for e in group for rule in e.unrelated}))} |"
                    for name, group in grouped.items()
                ),
            ]
        )
        + "\n"
    )


@click.command(help=__doc__)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/faults.md"))
def main(output: Path) -> None:
    results = list(outcomes())
    output.write_text(page(results), "utf-8")
    click.echo(f"{output} is written: {len(results)} faulty files, {sum(each.found for each in results)} found")


if __name__ == "__main__":
    main()
