"""FastChat's trainers."""

from __future__ import annotations

from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues

FASTCHAT = """
deepspeed --num_gpus 2 fastchat/train/train_lora.py \\
    --model_name_or_path lmsys/vicuna-7b-v1.5  \\
    --lora_r 8 --lora_alpha 16 --lora_dropout 0.05 \\
    --data_path ./data/dummy_conversation.json \\
    --eval_data_path ./data/eval.json \\
    --bf16 True --output_dir ./checkpoints \\
    --num_train_epochs 3 --per_device_train_batch_size 1 --gradient_accumulation_steps 4 \\
    --evaluation_strategy steps --eval_steps 100 \\
    --save_strategy steps --save_steps 200 \\
    --learning_rate 2e-5 --warmup_ratio 0.03 --lr_scheduler_type cosine \\
    --model_max_length 2048 --q_lora True --flash_attn False
"""


def test_fastchat() -> None:
    run = assert_states(
        FASTCHAT,
        {
            "stage": "sft", "method": "qlora", "learning_rate": 2e-5, "effective_batch_size": 8,
            "sequence_length": 2048,
            "lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": ["q_proj", "v_proj"],
            "quantization_bits": 4,
            "eval_data": "yes", "eval_steps": 100, "mixed_precision": "bf16", "torch_dtype": "bfloat16",
            "max_grad_norm": 1.0,
            "datasets": ["./data/dummy_conversation.json"], "modules_to_save": [], "world_size": 2,
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "fastchat"
    assert run.launch.first.spell("lora_rank") == "--lora_r"
    assert issues(FASTCHAT) == []


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "fastchat/train/train_mem.py",
            {"method": "full", "lora_rank": None, "sequence_length": 512, "eval_data": "no"},
        ),
        ("-m fastchat.train.train_xformers", {"method": "full"}),
        ("fastchat/train/train_flant5.py", {"method": "full", "sequence_length": 2048}),
        ("/home/me/FastChat/fastchat/train/train_lora.py", {"method": "lora", "quantization_bits": None}),
    ],
)
def test_fastchat_scripts_and_their_defaults(program: str, expected: dict[str, Any]) -> None:
    assert_states(f"torchrun --nproc_per_node=8 {program} --data_path d.json --learning_rate 1e-5", expected)


def test_fastchat_wrong_arguments() -> None:
    script = "torchrun fastchat/train/train.py --data_path d --lora_r 8 --learning_rate fast"
    assert issues(script) == [("unknown", "--lora_r", 1, 48), ("type", "fast", 1, 75)]


def test_a_script_that_is_only_called_like_fastchats() -> None:
    script = "torchrun llava/train/train_mem.py --data_path d --learning_rate 1e-5 --per_device_train_batch_size 1"
    assert dialects_of(script) == ["hf-trainer"]
