"""open-instruct's scripts, under accelerate and under mason, and its training files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, certain_issues, dialects_of, issues, write
from helpers_runs import facts

FINETUNE = """
NUM_GPUS=4
BATCH_SIZE_PER_GPU=1
TOTAL_BATCH_SIZE=128
GRADIENT_ACC_STEPS=$(($TOTAL_BATCH_SIZE/$NUM_GPUS/$BATCH_SIZE_PER_GPU))
accelerate launch \\
    --mixed_precision bf16 \\
    --num_processes $NUM_GPUS \\
    open_instruct/finetune.py \\
    --model_name_or_path meta-llama/Llama-2-7b-hf \\
    --tokenizer_name meta-llama/Llama-2-7b-hf \\
    --use_slow_tokenizer \\
    --dataset_mixer_list allenai/tulu-v2-sft-mixture 1.0 org/other 0.5 \\
    --max_seq_length 4096 \\
    --per_device_train_batch_size $BATCH_SIZE_PER_GPU \\
    --gradient_accumulation_steps $GRADIENT_ACC_STEPS \\
    --learning_rate 2e-5 \\
    --lr_scheduler_type linear \\
    --warmup_ratio 0.03 \\
    --num_train_epochs 2 \\
    --checkpointing_steps 500 \\
    --use_lora --lora_rank 32 \\
    --output_dir output/ \\
    --with_tracking
"""


def test_finetune() -> None:
    run = assert_states(
        FINETUNE,
        {
            "stage": "sft", "method": "lora", "learning_rate": 2e-5, "world_size": 4, "effective_batch_size": 128,
            "sequence_length": 4096, "tokens_per_step": 524288, "max_grad_norm": 0.0, "clipping_set_by": "request",
            "lr_scheduler_type": "linear", "warmup_ratio": 0.03, "num_train_epochs": 2.0, "max_steps": None,
            "weight_decay": 0.0,
            "mixed_precision": "bf16", "lora_rank": 32, "lora_alpha": 16, "lora_dropout": 0.1,
            "quantization_bits": None,
            "datasets": ["allenai/tulu-v2-sft-mixture", "org/other"], "save_strategy": "steps", "save_steps": 500,
            "seed": 42,
            "adam_beta2": 0.999, "optim": "adamw_torch", "gradient_checkpointing": False, "packing": False,
            "zero_stage": 0,
            "tokenizer_name_or_path": "meta-llama/Llama-2-7b-hf", "model_parameters": 6_738_415_616,
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "open-instruct"
    assert run.launch.first.spell("max_grad_norm") == "--clip_grad_norm"
    assert issues(FINETUNE) == []


def test_under_deepspeed_accelerate_clips(tmp_path: Path) -> None:
    write(
        tmp_path, ds__json='{"zero_optimization": {"stage": 3}, "gradient_clipping": "auto", "bf16": {"enabled": true}}'
    )
    script = FINETUNE.replace("--num_processes", "--use_deepspeed --deepspeed_config_file ds.json --num_processes")
    assert_states(script, {"max_grad_norm": 1.0, "clipping_set_by": "deepspeed", "zero_stage": 3}, folder=tmp_path)
    write(tmp_path, ds__json='{"zero_optimization": {"stage": 3}}')
    assert "0.19.5" in facts(script, folder=tmp_path).unknown("max_grad_norm")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "python -m open_instruct.dpo_tune_cache --model_name_or_path m --learning_rate 5e-7 --max_seq_length 2048",
            {"stage": "dpo", "learning_rate": 5e-7, "max_grad_norm": 0.0},
        ),
        (
            "uv run --extra dr open_instruct/grpo_fast.py --model_name_or_path m --learning_rate 5e-7"
            " --no_filter_zero_std_samples",
            {"stage": "grpo", "learning_rate": 5e-7, "max_grad_norm": 1.0},
        ),
        (
            "python mason.py --cluster c --gpus 8 -- source setup.sh \\&\\&python open_instruct/grpo_fast.py"
            " --learning_rate 1e-6",
            {"stage": "grpo", "learning_rate": 1e-6},
        ),
        (
            "uv run python mason.py --cluster c -- accelerate launch --mixed_precision bf16 --num_processes 8"
            " open_instruct/finetune.py --per_device_train_batch_size 1 --gradient_accumulation_steps 2",
            {"stage": "sft", "world_size": 8, "effective_batch_size": 16, "mixed_precision": "bf16"},
        ),
    ],
)
def test_other_scripts_and_mason(script: str, expected: dict[str, Any]) -> None:
    assert_states(script, expected)
    assert issues(script) == []


def test_the_batch_of_rollouts_is_not_guessed() -> None:
    run = facts("python open_instruct/grpo_fast.py --learning_rate 1e-6 --per_device_train_batch_size 1")
    assert "rollouts" in run.unknown("effective_batch_size")


YAML = """
model_name_or_path: allenai/OLMo-1B
tokenizer_name: allenai/OLMo-1B
use_slow_tokenizer: false
dataset_mixer:
  allenai/tulu-v2-sft-mixture: 0.5
  local/file.jsonl: 0.1
max_seq_length: 4096
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 2.0e-05
num_train_epochs: 2
with_tracking: true
checkpointing_steps: 1000
"""


def test_a_file_alone_and_launched(tmp_path: Path) -> None:
    expected = {
        "stage": "sft", "method": "full", "learning_rate": 2e-5, "sequence_length": 4096, "save_steps": 1000,
        "datasets": ["allenai/tulu-v2-sft-mixture", "local/file.jsonl"],
    }  # fmt: skip
    assert_states(YAML, expected, "sft.yaml")
    assert issues(YAML, "sft.yaml") == []
    write(tmp_path, sft__yaml=YAML)
    script = "accelerate launch --mixed_precision bf16 --num_processes 2 open_instruct/finetune.py sft.yaml"
    assert_states(script, {**expected, "world_size": 2, "mixed_precision": "bf16"}, folder=tmp_path)


def test_unknown_and_wrong_arguments() -> None:
    script = "python open_instruct/finetune.py --learning_rte 1e-5 --max_seq_length long --no_such 1"
    assert issues(script) == [
        ("unknown", "--learning_rte", 1, 34),
        ("type", "long", 1, 71),
        ("unknown", "--no_such", 1, 76),
    ]
    text = YAML.replace("learning_rate: 2.0e-05", "learning_rate: 2e-05").replace("with_tracking", "with_trackin")
    assert issues(text, "sft.yaml") == [("type", "2e-05", 11, 16), ("unknown", "with_trackin", 13, 1)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python finetune.py --learning_rate 1e-5 --num_train_epochs 1", "run.sh"),
        ("python mason.py --cluster c --gpus 1 -- python other.py --learning_rate 1e-5", "run.sh"),
        ("python open_instruct/merge_lora.py --base_model m", "run.sh"),
        (
            "model_name_or_path: m\nlearning_rate: 1.0e-5\nper_device_train_batch_size: 1\nnum_train_epochs: 1\n",
            "x.yaml",
        ),
    ],
)
def test_look_alikes(text: str, name: str) -> None:
    assert "open-instruct" not in dialects_of(text, name)


def test_a_text_for_a_number_is_certain_only_where_the_trainer_reads_the_file(tmp_path: Path) -> None:
    """`submit_finetune_job.py` makes flags of such a file."""
    text = YAML.replace("2.0e-05", "2e-05")
    assert [issue[4] for issue in certain_issues(text, "x.yaml")] == [False]
    (tmp_path / "x.yaml").write_text(text)
    assert [issue[4] for issue in certain_issues("python open_instruct/finetune.py x.yaml", folder=tmp_path)] == [True]


def test_a_file_of_unknown_name_may_say_anything() -> None:
    run = facts('python open_instruct/finetune.py "$2"')
    assert "$2" in run.unknown("save_strategy")
