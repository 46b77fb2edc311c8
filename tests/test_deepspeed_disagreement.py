"""Which values of a DeepSpeed file stop the Trainer: ours against transformers' own comparison, where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.text import SourceText

RULE = "deepspeed/disagreement"
ARGUMENTS: dict[str, Any] = {
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "max_grad_norm": 1.0, "learning_rate": 1e-5,
    "adam_beta1": 0.9, "adam_beta2": 0.95, "adam_epsilon": 1e-8, "weight_decay": 0.1, "warmup_steps": 20, "max_steps": 200,
    "bf16": True, "bf16_full_eval": False, "fp16": False, "fp16_full_eval": False,
}  # fmt: skip
FLAGS = " ".join(f"--{name} {value}" for name, value in ARGUMENTS.items())
FILE: dict[str, Any] = {
    "zero_optimization": {"stage": 2},
    "train_batch_size": 16,
    "train_micro_batch_size_per_gpu": 2,
    "gradient_accumulation_steps": 4,
    "gradient_clipping": 1.0,
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-5, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1}},
    "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_max_lr": 1e-5, "warmup_num_steps": 20, "total_num_steps": 200}},
    "bf16": {"enabled": True},
    "fp16": {"enabled": False},
}  # fmt: skip
CHANGES = [
    {},
    {"train_batch_size": 32},
    {"train_batch_size": "auto"},
    {"train_micro_batch_size_per_gpu": 4},
    {"gradient_accumulation_steps": 8},
    {"gradient_accumulation_steps": None},
    {"gradient_accumulation_steps": "4"},
    {"gradient_clipping": 1},
    {"gradient_clipping": 0.5, "train_batch_size": 1},
    {"optimizer.params.lr": "1e-5"},
    {"optimizer.params.lr": 2e-5},
    {"optimizer.params.betas": [0.9, 0.999]},
    {"optimizer.params.betas": "auto"},
    {"optimizer.params.eps": 1e-6},
    {"optimizer.params.weight_decay": 0},
    {"scheduler.params.warmup_max_lr": 3e-5},
    {"scheduler.params.warmup_num_steps": 10},
    {"scheduler.params.total_num_steps": 100},
    {"scheduler.params.warmup_min_lr": 5},
    {"bf16.enabled": False},
    {"fp16.enabled": True},
    {"zero_optimization.stage": 3, "steps_per_print": 7},
]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(FILE))
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = config
        for name in sections:
            section = section[name]
        section[key] = value
    return config


def judged(folder: Path, text: str, config: dict[str, Any]) -> list[Any]:
    (folder / "ds.json").write_text(json.dumps(config))
    linter = Linter(Settings(stated=state()))
    return [f for f in linter.findings(SourceText("run.sh", text, folder / "run.sh")) if f.rule == RULE]


def launch(flags: str, program: str = "train.py") -> str:
    return f"torchrun --nproc_per_node 2 {program} --model_name_or_path m --output_dir o {flags} --deepspeed ds.json\n"


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_as_transformers(changes: dict[str, Any], tmp_path: Path) -> None:
    trainer = pytest.importorskip("transformers.integrations.deepspeed")
    accelerate = pytest.importorskip("accelerate.utils.deepspeed")
    # where DeepSpeed itself is missing, transformers leaves the base class out
    theirs = object.__new__(type("Theirs", (trainer.HfTrainerDeepSpeedConfig, accelerate.HfDeepSpeedConfig), {}))
    theirs.config, theirs.mismatches, theirs._dtype, theirs._stage = changed(changes), [], None, 2
    args = SimpleNamespace(**ARGUMENTS, world_size=2, save_on_each_node=False)
    args.get_warmup_steps = lambda total: args.warmup_steps
    theirs.trainer_config_process(args)
    try:
        theirs.trainer_config_finalize(args, None, args.max_steps)
    except ValueError as error:
        stopped = [
            line.split("=")[0].removeprefix("- ds ") for line in str(error).splitlines() if line.startswith("- ")
        ]
    else:
        stopped = []
    found = judged(tmp_path, launch(FLAGS), changed(changes))
    assert bool(found) == bool(stopped)
    assert all(f"{name} is " in finding.message for name in stopped for finding in found)
    assert sum(finding.message.count(" is ") for finding in found) == len(stopped)


def test_one_finding_at_the_argument(tmp_path: Path) -> None:
    config = changed({"gradient_accumulation_steps": 8, "train_batch_size": "auto", "gradient_clipping": 0.3})
    (finding,) = judged(tmp_path, launch(FLAGS), config)
    assert (finding.severity, finding.at.text) == ("error", "4")
    assert "gradient_accumulation_steps is 8 in" in finding.message
    assert "4 by --gradient_accumulation_steps; gradient_clipping is 0.3 in" in finding.message


def test_a_default_counts_where_the_parser_is_known(tmp_path: Path) -> None:
    flags = "--stage sft --finetuning_type lora --template t --dataset d --do_train --lora_target all"
    config = {"zero_optimization": {"stage": 2}, "gradient_accumulation_steps": 4}
    (finding,) = judged(tmp_path, launch(flags, "src/train.py"), config)
    assert "1 by --gradient_accumulation_steps's default" in finding.message
    assert finding.at.source.path.endswith("ds.json")
    assert judged(tmp_path, launch("--learning_rate 1e-5"), config) == []


@pytest.mark.parametrize(
    "flags",
    [
        FLAGS.replace("--gradient_accumulation_steps 4", "--gradient_accumulation_steps $STEPS"),
        FLAGS.replace("--gradient_accumulation_steps 4", "") + ' "$@"',
    ],
)
def test_what_is_unknown_decides_nothing(flags: str, tmp_path: Path) -> None:
    assert (
        judged(tmp_path, launch(flags), changed({"gradient_accumulation_steps": 8, "train_batch_size": "auto"})) == []
    )


def test_a_loop_of_its_own_compares_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: DEEPSPEED\nnum_processes: 2\n"
        "deepspeed_config:\n  gradient_accumulation_steps: 1\n"
    )
    text = (
        f"accelerate launch --config_file a.yaml run_clm_no_trainer.py --model_name_or_path m --output_dir o {FLAGS}\n"
    )
    assert judged(tmp_path, text, {}) == []
