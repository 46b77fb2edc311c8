"""Whole axolotl files with settings beside each other, where axolotl is installed: its own validation is the judge.

    pip install --no-deps axolotl==0.19.0 && pip install addict colorama pillow

beside torch, transformers and accelerate is all that its schema needs.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from helpers_dialects import steady
from helpers_runs import findings
from trainlint.settings import Settings

config = pytest.importorskip("axolotl.utils.schemas.config")
pydantic = pytest.importorskip("pydantic")

BASE: dict[str, Any] = {
    "base_model": "NousResearch/Llama-2-7b-hf",
    "datasets": [{"path": "data.jsonl", "type": "alpaca"}],
    "sequence_len": 1024,
    "learning_rate": 0.0001,
    "num_epochs": 1,
    "output_dir": "out",
}
FIELDS: dict[str, list[Any]] = {
    "adapter": ["lora", "qlora", None],
    "batch_size": [8, 0],
    "bf16": [True, "auto", "maybe"],
    "deepspeed": ["ds.json", None],
    "eval_batch_size": [1],
    "eval_steps": [0.1, 50, 0],
    "eval_strategy": ["no", "steps", "epoch"],
    "evals_per_epoch": [0, 2],
    "fsdp": [["full_shard"], None],
    "gradient_accumulation_steps": [1, 4],
    "load_in_4bit": [True, False],
    "load_in_8bit": [True, False],
    "lora_alpha": [16],
    "lora_r": [8],
    "lora_target_linear": [True],
    "lr_scheduler": ["cosine", "cosign"],
    "micro_batch_size": [1, 2, "two"],
    "neftune_noise_alpha": [5, 0, -1],
    "optimizer": ["adamw_torch", "adam"],
    "pretraining_dataset": [[{"path": "c4"}]],
    "max_steps": [100],
    "rl": ["dpo", "kto"],
    "remove_unused_columns": [False],
    "sample_packing": [True, False],
    "save_steps": [0.1, 50, 0],
    "save_strategy": ["no", "steps", "epoch"],
    "saves_per_epoch": [0, 2],
    "test_datasets": [[{"path": "test.jsonl", "type": "alpaca"}]],
    "val_set_size": [0.05, 0],
    "warmup_ratio": [0.1, 0],
    "warmup_steps": [10, 0, 0.1],
}
LATER = "val_set_size is not supported with pretraining_dataset"
"""Not before 0.13, and no rule knows which version a file is for."""
SETTINGS = Settings(targets={"axolotl": "0.19.0"})


def refused(settings: dict[str, Any]) -> str | None:
    """What axolotl says against the settings."""
    try:
        config.AxolotlInputConfig(**yaml.safe_load(yaml.safe_dump(settings)))
    except (pydantic.ValidationError, ValueError) as error:
        return str(error)
    return None


@steady(400)
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}))
@example({"micro_batch_size": 1, "warmup_steps": 0.1})
def test_errors(settings: dict[str, Any]) -> None:
    whole = {**BASE, **settings}
    found = [f for f in findings(yaml.safe_dump(whole), "axolotl.yaml", settings=SETTINGS) if f.severity == "error"]
    said = refused(whole)
    if said is not None and LATER in said:
        return
    assert bool(found) == (said is not None), (settings, said, [finding.message for finding in found])
