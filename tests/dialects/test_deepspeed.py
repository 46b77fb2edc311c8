"""Any script that is launched with `--deepspeed_config`."""

from __future__ import annotations

import json
from pathlib import Path

from helpers_dialects import assert_states, dialects_of, issues, write
from trainlint.linter import lint
from trainlint.settings import Settings
from trainlint.text import SourceText

CONFIG = {
    "train_batch_size": 64,
    "train_micro_batch_size_per_gpu": 2,
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-4, "weight_decay": 0.1}},
    "gradient_clipping": 1.0,
    "bf16": {"enabled": True},
    "zero_optimization": {"stage": 2},
}


def test_a_launch(tmp_path: Path) -> None:
    write(tmp_path, ds__json=json.dumps(CONFIG))
    run = assert_states(
        "deepspeed --num_gpus 8 pretrain.py --deepspeed --deepspeed_config=ds.json --data x",
        {
            "learning_rate": 1e-4, "world_size": 8, "effective_batch_size": 64, "gradient_accumulation_steps": 4,
            "per_device_train_batch_size": 2, "zero_stage": 2, "max_grad_norm": 1.0, "mixed_precision": "bf16",
            "weight_decay": 0.1,
        },
        folder=tmp_path,
    )  # fmt: skip
    assert run.launch.first.dialect == "deepspeed"


def test_two_sizes_give_the_third(tmp_path: Path) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "train_batch_size"}
    write(tmp_path, ds__json=json.dumps({**config, "gradient_accumulation_steps": 3}))
    assert_states(
        "deepspeed --num_gpus 4 main.py --deepspeed_config ds.json", {"effective_batch_size": 24}, folder=tmp_path
    )


def test_a_misspelt_key_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, ds__json='{"zero_optimization": {"stage": 2},\n "train_batch_size": 8,\n "gradient_cliping": 1.0}')
    assert issues("deepspeed main.py --deepspeed_config ds.json", folder=tmp_path) == [
        ("unknown", '"gradient_cliping"', 3, 2)
    ]


def test_a_file_that_is_not_here_or_is_none() -> None:
    assert dialects_of("deepspeed main.py --deepspeed_config ds.json --epochs 3") == []


def test_what_a_file_alone_leaves_open_is_not_told(tmp_path: Path) -> None:
    """It is a part of a run: nothing is missing in it."""
    write(tmp_path, ds__json=json.dumps(CONFIG | {"zero_optimisation": {"stage": 2}}))
    report = lint([SourceText.load(tmp_path / "ds.json")], Settings())
    assert [finding.rule for finding in report.findings] == ["arguments/unknown"]
    assert report.not_evaluated == []
