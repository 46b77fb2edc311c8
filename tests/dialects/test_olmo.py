"""OLMo's structured YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts, launches

YAML = """\
run_name: OLMo-1B
seed: 6198
model:
  d_model: 2048
  n_layers: 16
  max_sequence_length: 2048
optimizer:
  name: adamw
  learning_rate: 4.0e-4
  weight_decay: 0.1
  betas:
  - 0.9
  - 0.95
scheduler:
  name: cosine_with_warmup
  t_warmup: 2000
tokenizer:
  identifier: tokenizers/x.json
save_folder: runs/${run_name}
save_interval: 1000
save_interval_unsharded: 10000
eval_interval: 500
global_train_batch_size: 2048
device_train_microbatch_size: 8
precision: amp_bf16
max_duration: 739_328
max_grad_norm: 1.0
data:
  paths:
  - s3://a/part-0.npy
"""


def test_a_file() -> None:
    run = facts(YAML, "OLMo-1B.yaml", world_size=64)
    expected = {
        "stage": "scratch", "learning_rate": 4e-4, "effective_batch_size": 2048, "gradient_accumulation_steps": 4,
        "sequence_length": 2048, "max_steps": 739328, "warmup_steps": 2000, "lr_scheduler_type": "cosine",
        "weight_decay": 0.1, "adam_beta2": 0.95, "max_grad_norm": 1.0, "mixed_precision": "bf16", "save_steps": 1000,
        "eval_strategy": "no", "seed": 6198, "output_dir": "runs/OLMo-1B", "datasets": ["s3://a/part-0.npy"],
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected


@pytest.mark.parametrize(("text", "steps"), [("2e12T", 476837), ("10", 10), ("2ep", None)])
def test_durations(text: str, steps: int | None) -> None:
    assert facts(YAML.replace("739_328", text), "x.yaml")["max_steps"] == steps


def test_no_clipping_by_default() -> None:
    assert facts(YAML.replace("max_grad_norm: 1.0\n", ""), "x.yaml")["max_grad_norm"] == 0.0


def test_what_the_structured_configuration_refuses() -> None:
    assert certain_issues(YAML.replace("weight_decay", "wieght_decay"), "x.yaml") == [
        ("unknown", "wieght_decay", 10, 3, True)
    ]
    assert certain_issues(YAML.replace("t_warmup: 2000", "t_warmup: soon"), "x.yaml") == [
        ("type", "soon", 16, 13, True)
    ]
    assert (
        certain_issues(
            YAML.replace("precision: amp_bf16", "precision: amp_bf16\nactivation_checkpointing: false"), "x.yaml"
        )
        == []
    )


def test_the_launch(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(YAML)
    script = "torchrun --nproc_per_node=8 scripts/train.py o.yaml --optimizer.learning_rate=1e-3 --save_overwrite"
    run = facts(script, folder=tmp_path)
    assert (run["learning_rate"], run["world_size"]) == (1e-3, 8)


def test_a_look_alike() -> None:
    assert dialects_of("max_duration: 10\noptimizer:\n  learning_rate: 1e-3\n", "x.yaml") == []


@pytest.mark.parametrize("betas", ["fast", "[0.9]", "{a: 1}"])
def test_betas_that_are_no_pair(betas: str) -> None:
    (launch,) = launches(YAML.replace("betas:\n  - 0.9\n  - 0.95", f"betas: {betas}"), "x.yaml")
    assert launch.fact("adam_beta2").status == "unknown"
