"""LLM Foundry: variables, references, durations, and `composer`."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts
from trainlint.dialects.llm_foundry import duration
from trainlint.facts import Unknown

YAML = """\
variables:
  global_seed: 17
  max_seq_len: 2048
max_seq_len: ${variables.max_seq_len}
model:
  name: hf_causal_lm
  pretrained_model_name_or_path: mosaicml/mpt-7b
  pretrained: true
  peft_config:
    peft_type: LORA
    r: 16
    lora_alpha: 32
tokenizer:
  name: mosaicml/mpt-7b
train_loader:
  name: finetuning
  dataset:
    hf_name: mosaicml/dolly_hhrlhf
    max_seq_len: ${variables.max_seq_len}
scheduler:
  name: linear_decay_with_warmup
  t_warmup: 50ba
optimizer:
  name: decoupled_adamw
  lr: 5.0e-6
  weight_decay: 0
algorithms:
  gradient_clipping:
    clipping_type: norm
    clipping_threshold: 1.0
max_duration: 2ep
eval_interval: 1ep
eval_loader:
  name: finetuning
global_train_batch_size: 64
device_train_microbatch_size: 8
precision: amp_bf16
seed: ${variables.global_seed}
save_interval: 500ba
save_folder: ./out
fsdp_config:
  activation_checkpointing: true
"""


def test_a_file() -> None:
    run = facts(YAML, "7b_sft.yaml", world_size=4)
    expected = {
        "stage": "sft", "method": "lora", "learning_rate": 5e-6, "lora_rank": 16, "lora_alpha": 32, "sequence_length": 2048,
        "effective_batch_size": 64, "gradient_accumulation_steps": 2, "num_train_epochs": 2.0, "max_steps": None,
        "warmup_steps": 50, "lr_scheduler_type": "linear_decay", "weight_decay": 0, "max_grad_norm": 1.0,
        "mixed_precision": "bf16", "seed": 17, "save_strategy": "steps", "save_steps": 500, "eval_strategy": "epoch",
        "gradient_checkpointing": True, "datasets": ["mosaicml/dolly_hhrlhf"], "model_parameters": 6_649_286_656,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    seed = run.launch.fact("seed")
    assert seed.location is not None
    assert seed.location.start.line == 2


@pytest.mark.parametrize(("text", "steps"), [("4800ba", 4800), ("131072sp", 2048), ("268_435_456tok", 2048)])
def test_durations_in_steps(text: str, steps: int) -> None:
    assert facts(YAML.replace("max_duration: 2ep", f"max_duration: {text}"), "x.yaml")["max_steps"] == steps


def test_no_duration() -> None:
    assert duration(3) == (3.0, "ep")
    with pytest.raises(Unknown):
        duration("soon")


def test_no_clipping_unless_it_is_asked_for() -> None:
    text = YAML.replace("algorithms:\n  gradient_clipping:\n    clipping_type: norm\n    clipping_threshold: 1.0\n", "")
    assert facts(text, "x.yaml")["max_grad_norm"] == 0.0


def test_a_top_level_key_that_is_not_known() -> None:
    assert certain_issues(YAML.replace("precision:", "precison:"), "x.yaml") == [("unknown", "precison", 37, 1, True)]
    assert (
        certain_issues(
            YAML.replace("  name: mosaicml/mpt-7b\n", "  name: mosaicml/mpt-7b\n  kwargs: {a: 1}\n"), "x.yaml"
        )
        == []
    )


def test_composer_and_its_overrides(tmp_path: Path) -> None:
    (tmp_path / "sft.yaml").write_text(YAML)
    run = facts("composer -n 8 train/train.py sft.yaml variables.max_seq_len=1024 optimizer.lr=1e-5", folder=tmp_path)
    assert (run["learning_rate"], run["sequence_length"]) == (1e-5, 1024)


def test_an_evaluation_is_no_training() -> None:
    assert dialects_of("max_seq_len: 2048\nmodels: []\nicl_tasks: x\ndevice_eval_batch_size: 4\n", "eval.yaml") == []


def test_a_callback_that_saves() -> None:
    text = YAML.replace("save_folder:", "# save_folder:") + "callbacks:\n  hf_checkpointer:\n    save_folder: out\n"
    assert "hf_checkpointer" in facts(text, "7b_sft.yaml").unknown("save_strategy")
