"""Alpaca-LoRA's `finetune.py`, which python-fire calls."""

from __future__ import annotations

import pytest

from helpers_dialects import assert_states, dialects_of, issues

ALPACA_LORA = """
WORLD_SIZE=2 CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node=2 --master_port=1234 finetune.py \\
    --base_model 'decapoda-research/llama-7b-hf' \\
    --data_path 'yahma/alpaca-cleaned' \\
    --output_dir './lora-alpaca' \\
    --batch_size 128 \\
    --micro_batch_size 4 \\
    --num_epochs 3 \\
    --learning_rate 1e-4 \\
    --cutoff_len 512 \\
    --val_set_size 2000 \\
    --lora_r 8 \\
    --lora_alpha 16 \\
    --lora_target_modules '[q_proj,k_proj,v_proj]' \\
    --train_on_inputs \\
    --group_by_length
"""


def test_alpaca_lora() -> None:
    run = assert_states(
        ALPACA_LORA,
        {
            "stage": "sft", "method": "qlora", "learning_rate": 1e-4, "effective_batch_size": 128, "world_size": 2,
            "per_device_train_batch_size": 4, "gradient_accumulation_steps": 16, "sequence_length": 512,
            "num_train_epochs": 3,
            "warmup_steps": 100, "max_grad_norm": 1.0, "mixed_precision": "fp16", "quantization_bits": 8,
            "lora_rank": 8,
            "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": ["q_proj", "k_proj", "v_proj"],
            "eval_strategy": "steps",
            "eval_steps": 200, "save_steps": 200, "seed": 42, "zero_stage": 0, "lr_scheduler_type": "linear",
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "alpaca-lora"
    assert run.launch.fact("warmup_steps").status == "default"
    assert run.launch.first.spell("per_device_train_batch_size") == "--micro_batch_size"
    assert issues(ALPACA_LORA) == []


def test_alpaca_lora_defaults_on_one_process_whatever_it_sees() -> None:
    assert_states(
        "python finetune.py --base_model m --data_path d --micro_batch_size 8 --val_set_size 0",
        {
            "learning_rate": 3e-4, "sequence_length": 256, "world_size": 1, "gradient_accumulation_steps": 16,
            "target_modules": ["q_proj", "v_proj"], "eval_strategy": "no",
        },
    )  # fmt: skip


def test_alpaca_lora_wrong_arguments() -> None:
    script = "python finetune.py --base_model m --micro_batch_size four --lora_rr 8 --cutoff_len=256"
    assert issues(script) == [("type", "four", 1, 54), ("unknown", "--lora_rr", 1, 59)]


@pytest.mark.parametrize(
    "script",
    [
        "python finetune.py --base_model m --learning_rate 1e-4 --my_option 3 --cutoff_len 1",
        "python finetune.py --model m --micro_batch_size 4",
        "python generate.py --base_model m --lora_weights w",
    ],
)
def test_another_finetune_py(script: str) -> None:
    assert "alpaca-lora" not in dialects_of(script)
