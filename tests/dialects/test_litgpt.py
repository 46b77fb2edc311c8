"""LitGPT: YAML and `--train.x` flags of its commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts, findings, rules_of

YAML = """\
checkpoint_dir: checkpoints/meta-llama/Llama-2-7b-hf
out_dir: out/finetune/qlora-llama2-7b
precision: bf16-true
quantize: bnb.nf4
devices: 2
num_nodes: 1
lora_r: 32
lora_alpha: 16
lora_dropout: 0.05
lora_query: true
lora_key: false
lora_value: true
data:
  class_path: litgpt.data.Alpaca2k
  init_args:
    mask_prompt: false
train:
  save_interval: 200
  global_batch_size: 8
  micro_batch_size: 2
  lr_warmup_steps: 10
  epochs: 4
  max_steps:
  max_seq_length: 512
  max_norm:
eval:
  interval: 100
optimizer:
  class_path: torch.optim.AdamW
  init_args:
    lr: 2e-4
    weight_decay: 0.0
    betas:
      - 0.9
      - 0.95
seed: 1337
"""


def test_a_file() -> None:
    run = facts(YAML, "qlora.yaml")
    expected = {
        "stage": "sft", "method": "qlora", "learning_rate": 2e-4, "world_size": 2, "effective_batch_size": 8,
        "gradient_accumulation_steps": 2, "sequence_length": 512, "num_train_epochs": 4, "max_steps": None,
        "warmup_steps": 10, "weight_decay": 0.0, "adam_beta2": 0.95, "max_grad_norm": 0.0, "optim": "AdamW",
        "mixed_precision": "bf16", "quantization_bits": 4, "lora_rank": 32, "lora_alpha": 16, "lora_dropout": 0.05,
        "target_modules": ["query", "value"], "save_steps": 200, "eval_steps": 100, "seed": 1337,
        "model_parameters": 6_738_415_616, "datasets": ["litgpt.data.Alpaca2k"],
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("learning_rate") == "optimizer.init_args.lr"


def test_clipping_is_refused_in_fine_tuning() -> None:
    assert certain_issues(YAML.replace("max_norm:", "max_norm: 1.0"), "x.yaml") == [
        ("unknown", "max_norm", 25, 3, True)
    ]


def test_keys_that_jsonargparse_refuses() -> None:
    assert certain_issues(YAML.replace("micro_batch_size", "micro_bacth_size"), "x.yaml") == [
        ("unknown", "micro_bacth_size", 20, 3, True)
    ]
    assert certain_issues(
        YAML.replace("devices: 2", "lora_r: many\ndevices: 2").replace("lora_r: 32\n", ""), "x.yaml"
    ) == [("type", "many", 5, 9, True)]


@pytest.mark.parametrize(
    ("command", "stage", "method", "rate", "clip"),
    [
        ("litgpt finetune_lora meta-llama/Llama-2-7b-hf --train.epochs 1", "sft", "lora", 1e-3, 0.0),
        ("litgpt finetune lora --checkpoint_dir checkpoints/x", "sft", "lora", 1e-3, 0.0),
        ("litgpt finetune_full google/gemma-2b --optimizer.lr 1e-5", "sft", "full", 1e-5, 0.0),
        ("litgpt pretrain pythia-14m --train.max_tokens 1000000 --tokenizer_dir x", "scratch", "full", 1e-3, 1.0),
        ("litgpt pretrain pythia-14m --initial_checkpoint_dir EleutherAI/pythia-14m", "pt", "full", 1e-3, 1.0),
        ("python litgpt/finetune/lora.py --checkpoint_dir x", "sft", "lora", 1e-3, 0.0),
    ],
)
def test_commands(command: str, stage: str, method: str, rate: float, clip: float) -> None:
    run = facts(command)
    assert (run["stage"], run["method"], run["learning_rate"], run["max_grad_norm"]) == (stage, method, rate, clip)


def test_a_command_over_its_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(YAML)
    run = facts("litgpt finetune_lora --config my.yaml --train.micro_batch_size 1 --devices 1", folder=tmp_path)
    assert (run["per_device_train_batch_size"], run["world_size"], run["gradient_accumulation_steps"]) == (1, 1, 8)
    assert run["learning_rate"] == 2e-4
    assert not run.launch.first.arguments.issues


def test_a_flag_that_the_command_lacks() -> None:
    assert certain_issues("litgpt finetune_lora x --train.micro_batch 1")[0][:4] == (
        "unknown",
        "--train.micro_batch",
        1,
        24,
    )
    assert (
        certain_issues("litgpt finetune_lora x --data JSON --data.json_path a.json --data.val_split_fraction 0.1") == []
    )


def test_what_trains_nothing() -> None:
    assert dialects_of("litgpt download meta-llama/Llama-2-7b-hf\nlitgpt chat x\nlitgpt finetune_lora --help") == []
    assert dialects_of("train:\n  batch: 1\ndata: x\ncheckpoint_dir: y\n", "x.yaml") == []


def test_alpaca2k_is_counted_by_its_name() -> None:
    run = facts(YAML, "x.yaml")
    assert run["dataset_examples"] == 1900
    assert run["total_steps"] == 4 * 238
    shared = YAML.replace("mask_prompt: false", "val_split_fraction: 0.03847")
    assert facts(shared, "x.yaml")["dataset_examples"] == 1923
    assert "not on this machine" in facts(YAML.replace("Alpaca2k", "Dolly"), "x.yaml").unknown("dataset_examples")


def test_a_learning_rate_that_the_warmup_never_reaches() -> None:
    """The framework's own tiny-llama/full.yaml: 61 of 1,000 warmup steps."""
    text = """\
checkpoint_dir: checkpoints/TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T
devices: 1
num_nodes: 1
data:
  class_path: litgpt.data.Alpaca2k
train:
  global_batch_size: 32
  micro_batch_size: 4
  lr_warmup_steps: 1000
  epochs: 1
  max_seq_length: 512
eval:
  interval: 25
optimizer:
  class_path: torch.optim.AdamW
  init_args:
    lr: 0.0002
"""
    assert "lr/too-high-full" not in rules_of(findings(text, "finetune/full.yaml"))
    found = {finding.rule: finding for finding in findings(text.replace("1000", "10"), "finetune/full.yaml")}
    assert "learning rate 2e-4 for" in found["lr/too-high-full"].message
    found = {finding.rule: finding for finding in findings(text.replace("1000", "70"), "finetune/full.yaml")}
    assert "learning rate 1.71e-4 for" in found["lr/too-high-full"].message
