"""alignment-handbook's recipes, old and new, alone and launched."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import launches

OLD = """
model_name_or_path: mistralai/Mistral-7B-v0.1
torch_dtype: bfloat16
use_flash_attention_2: true
use_peft: true
load_in_4bit: true
lora_r: 16
lora_alpha: 16
lora_dropout: 0.05
lora_target_modules:
- q_proj
- v_proj
dataset_mixer:
  HuggingFaceH4/ultrachat_200k: 1.0
  HuggingFaceH4/no_robots: 0.5
dataset_splits:
- train_sft
- test_sft
preprocessing_num_workers: 12
bf16: true
evaluation_strategy: epoch
gradient_accumulation_steps: 2
gradient_checkpointing: true
learning_rate: 2.0e-04
lr_scheduler_type: cosine
max_seq_length: 2048
num_train_epochs: 1
output_dir: data/zephyr
per_device_train_batch_size: 4
save_strategy: "no"
seed: 42
warmup_ratio: 0.1
"""
NEW = """
model_name_or_path: HuggingFaceTB/SmolLM3-3B
chat_template: "{{ messages }}"
dataset_mixture:
  datasets:
    - id: HuggingFaceTB/smoltalk2
      weight: 1.0
    - id: org/other
  seed: 0
bf16: true
beta: 0.05
loss_type: apo_zero
max_length: 24576
learning_rate: 1.0e-06
per_device_train_batch_size: 2
gradient_accumulation_steps: 4
num_train_epochs: 1
"""


def test_an_old_recipe() -> None:
    run = assert_states(
        OLD,
        {
            "stage": "sft", "method": "qlora", "learning_rate": 2e-4, "lora_rank": 16, "lora_alpha": 16,
            "lora_dropout": 0.05,
            "target_modules": ["q_proj", "v_proj"], "quantization_bits": 4, "sequence_length": 2048,
            "mixed_precision": "bf16",
            "datasets": ["HuggingFaceH4/ultrachat_200k", "HuggingFaceH4/no_robots"], "eval_strategy": "epoch",
            "save_strategy": "no", "warmup_ratio": 0.1, "tokens_per_device_step": 16384, "torch_dtype": "bfloat16",
            "seed": 42,
            "max_grad_norm": 1.0, "gradient_checkpointing": True, "lr_scheduler_type": "cosine",
        },
        "recipes/zephyr/sft/config_qlora.yaml",
    )  # fmt: skip
    assert run.launch.first.dialect == "alignment-handbook"
    assert run.launch.first.spell("datasets") == "dataset_mixture"
    assert issues(OLD, "recipes/zephyr/sft/config_qlora.yaml") == []


def test_a_new_recipe() -> None:
    assert_states(
        NEW,
        {
            "stage": "dpo",
            "method": "full",
            "datasets": ["HuggingFaceTB/smoltalk2", "org/other"],
            "sequence_length": 24576,
        },
        "config.yaml",
    )
    assert issues(NEW, "config.yaml") == []


@pytest.mark.parametrize(
    "command",
    ["scripts/run_sft.py recipe.yaml --load_in_4bit=false", "scripts/sft.py --config recipe.yaml --load_in_4bit=false"],
)
def test_launched_with_its_accelerate_file(tmp_path: Path, command: str) -> None:
    write(
        tmp_path,
        recipe__yaml=OLD,
        acc__yaml="distributed_type: DEEPSPEED\nnum_processes: 8\nmixed_precision: bf16\ndeepspeed_config:\n  zero_stage: 3\n",
    )
    script = f"ACCELERATE_LOG_LEVEL=info accelerate launch --config_file acc.yaml {command}"
    run = assert_states(
        script,
        {"stage": "sft", "method": "lora", "world_size": 8, "zero_stage": 3, "max_grad_norm": 1.0},
        folder=tmp_path,
    )
    assert run.launch.at.source.path.endswith("recipe.yaml")
    assert issues(script, folder=tmp_path) == []


def test_unknown_and_wrong_keys() -> None:
    text = OLD.replace("warmup_ratio", "warmup_ration").replace("lora_alpha: 16", "lora_alpha: many")
    assert issues(text, "sft/config.yaml") == [("type", "many", 8, 13), ("unknown", "warmup_ration", 32, 1)]


def test_what_has_no_mixture_is_trls() -> None:
    text = OLD.replace("dataset_mixer:", "dataset_name: d\nother:")
    assert dialects_of(text, "sft/config.yaml") == ["trl"]


@pytest.mark.parametrize(
    ("script", "dialect"), [("from alignment import get_datasets\n", "alignment-handbook"), ("import trl\n", "trl")]
)
def test_a_script_of_that_name_may_be_another_projects(tmp_path: Path, script: str, dialect: str) -> None:
    write(tmp_path, recipe__yaml=NEW.replace("chat_template", "chat_templates"), run_dpo__py=script)
    (launch,) = launches("accelerate launch run_dpo.py --config recipe.yaml", folder=tmp_path)
    assert launch.first.dialect == dialect
