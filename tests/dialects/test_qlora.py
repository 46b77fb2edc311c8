"""QLoRA's `qlora.py`."""

from __future__ import annotations

from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues

QLORA = """
python qlora.py \\
    --model_name_or_path huggyllama/llama-7b \\
    --output_dir ./output/guanaco-7b \\
    --dataset oasst1 --source_max_len 16 --target_max_len 512 \\
    --do_eval --evaluation_strategy steps --eval_steps 187 --eval_dataset_size 1024 \\
    --bf16 --bits 4 --double_quant --quant_type nf4 \\
    --lora_modules all --lora_r 64 --lora_alpha 16 --lora_dropout 0.1 \\
    --max_steps 1875 --adam_beta2 0.999 --seed 0
"""


def test_qlora() -> None:
    run = assert_states(
        QLORA,
        {
            "stage": "sft", "method": "qlora", "learning_rate": 2e-4, "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 16, "max_grad_norm": 0.3, "lr_scheduler_type": "constant",
            "warmup_ratio": 0.03,
            "warmup_steps": 0, "max_steps": 1875, "sequence_length": 528, "lora_rank": 64, "lora_alpha": 16.0,
            "lora_dropout": 0.1,
            "target_modules": ["all-linear"], "quantization_bits": 4, "optim": "paged_adamw_32bit",
            "optimizer_family": "adam",
            "mixed_precision": "bf16", "gradient_checkpointing": True, "save_steps": 250, "eval_steps": 187,
            "eval_data": "yes",
            "seed": 0, "datasets": ["oasst1"],
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "qlora"
    assert issues(QLORA) == [("unknown", "--lora_modules", 8, 5)]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            "--full_finetune --bits 16",
            {"method": "full", "lora_rank": None, "quantization_bits": None, "max_steps": 10000},
        ),
        ("--bits 4 --do_train False --do_predict", {"stage": "predict", "torch_dtype": "auto"}),
        ("--bits 16 --do_eval False", {"method": "lora", "eval_data": "no"}),
        ("--bits 8", {"method": "qlora", "quantization_bits": 8, "mixed_precision": "no"}),
    ],
)
def test_qlora_settings(flags: str, expected: dict[str, Any]) -> None:
    assert_states(f"python qlora.py --model_name_or_path m {flags}", expected)


def test_qlora_wrong_arguments() -> None:
    assert issues("python qlora.py --bits four --lerning_rate 1e-4") == [
        ("type", "four", 1, 24),
        ("unknown", "--lerning_rate", 1, 29),
    ]


def test_another_qlora_py() -> None:
    assert "qlora" not in dialects_of("python qlora.py --learning_rate 1e-4 --num_train_epochs 3 --my_data x")
