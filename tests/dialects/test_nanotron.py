"""nanotron's strict YAML."""

from __future__ import annotations

from pathlib import Path

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

YAML = """\
checkpoints:
  checkpoint_interval: 100
  checkpoints_path: checkpoints
data_stages:
- data:
    dataset:
      dataset_folder:
      - datasets/c4
    num_loading_workers: 1
    seed: 42
  name: Stable
  start_training_step: 1
general:
  project: debug
  run: tiny
  seed: 7
model:
  dtype: bfloat16
  init_method:
    std: 0.025
  model_config:
    hidden_size: 16
    my_own_setting: 3
optimizer:
  accumulate_grad_in_fp32: true
  clip_grad: 1.0
  learning_rate_scheduler:
    learning_rate: 0.0003
    lr_decay_style: cosine
    lr_warmup_steps: 20
  optimizer_factory:
    adam_beta1: 0.9
    adam_beta2: 0.95
    adam_eps: 1.0e-08
    name: adamW
    torch_adam_is_fused: true
  weight_decay: 0.01
  zero_stage: 0
parallelism:
  dp: 2
  pp: 2
  tp: 2
tokenizer:
  tokenizer_name_or_path: robot-test/dummy
tokens:
  batch_accumulation_per_replica: 4
  micro_batch_size: 2
  sequence_length: 256
  train_steps: 1000
"""


def test_a_file() -> None:
    run = facts(YAML, "config_tiny.yaml")
    expected = {
        "stage": "scratch", "learning_rate": 3e-4, "world_size": 8, "data_parallel_size": 2, "effective_batch_size": 16,
        "tokens_per_step": 16 * 256, "max_steps": 1000, "warmup_steps": 20, "lr_scheduler_type": "cosine", "max_grad_norm": 1.0,
        "weight_decay": 0.01, "adam_beta2": 0.95, "mixed_precision": "bf16", "zero_stage": 0, "save_steps": 100,
        "save_strategy": "steps", "eval_strategy": "no", "seed": 7, "datasets": ["datasets/c4"], "output_dir": "checkpoints",
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert not run.launch.first.arguments.issues


def test_null_is_no_clipping() -> None:
    assert facts(YAML.replace("clip_grad: 1.0", "clip_grad: null"), "x.yaml")["max_grad_norm"] == 0.0


def test_what_dacite_refuses() -> None:
    assert certain_issues(YAML.replace("train_steps", "trian_steps"), "x.yaml") == [
        ("unknown", "trian_steps", 49, 3, True)
    ]
    # to PyYAML a number without a dot is text
    assert certain_issues(YAML.replace("learning_rate: 0.0003", "learning_rate: 3e-4"), "x.yaml") == [
        ("type", "3e-4", 28, 20, True)
    ]
    assert certain_issues(YAML.replace("std: 0.025", "std: 0.025\n    scaling_method: NUM_LAYERS"), "x.yaml") == []


def test_the_launch(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(YAML)
    script = "CUDA_DEVICE_MAX_CONNECTIONS=1 torchrun --nproc_per_node=8 run_train.py --config-file my.yaml"
    assert facts(script, folder=tmp_path)["learning_rate"] == 3e-4
    assert dialects_of("torchrun run_train.py --config-file missing.yaml", folder=tmp_path) == []


def test_a_look_alike() -> None:
    assert dialects_of("tokens:\n  micro_batch_size: 2\nparallelism:\n  dp: 2\n", "x.yaml") == []


def test_the_section_of_the_doremi_example() -> None:
    assert certain_issues(YAML + "doremi:\n  domain_names: a, b\n", "x.yaml") == []
