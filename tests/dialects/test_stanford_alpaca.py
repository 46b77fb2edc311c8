"""Stanford Alpaca's `train.py`."""

from __future__ import annotations

import pytest

from helpers_dialects import assert_states, dialects_of, issues

STANFORD = """
torchrun --nproc_per_node=4 --master_port=9999 train.py \\
    --model_name_or_path llama-7b \\
    --data_path ./alpaca_data.json \\
    --bf16 True \\
    --output_dir out \\
    --num_train_epochs 3 \\
    --per_device_train_batch_size 4 \\
    --gradient_accumulation_steps 8 \\
    --evaluation_strategy "no" \\
    --save_strategy "steps" \\
    --save_steps 2000 \\
    --learning_rate 2e-5 \\
    --warmup_ratio 0.03 \\
    --lr_scheduler_type "cosine" \\
    --fsdp "full_shard auto_wrap" \\
    --fsdp_transformer_layer_cls_to_wrap 'LlamaDecoderLayer' \\
    --tf32 True
"""


def test_stanford_alpaca() -> None:
    run = assert_states(
        STANFORD,
        {
            "stage": "sft", "method": "full", "learning_rate": 2e-5, "effective_batch_size": 128,
            "sequence_length": 512,
            "tokens_per_step": 65536, "world_size": 4, "datasets": ["./alpaca_data.json"], "eval_data": "no",
            "eval_strategy": "no",
            "max_grad_norm": 1.0, "mixed_precision": "bf16", "torch_dtype": "float32", "lora_rank": None,
            "packing": False,
            "fsdp": "full_shard auto_wrap", "save_steps": 2000, "optim": "adamw_torch",
            "model_parameters": 6_738_415_616,
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "stanford-alpaca"
    assert run.launch.first.spell("sequence_length") == "--model_max_length"
    assert issues(STANFORD) == []


def test_stanford_alpaca_takes_no_other_flag() -> None:
    text = STANFORD.replace("--warmup_ratio", "--warmup_ration").replace("--tf32 True", "--tf32 maybe")
    assert issues(text) == [("unknown", "--warmup_ration", 14, 5), ("type", "maybe", 18, 12)]


@pytest.mark.parametrize(
    "script",
    [
        STANFORD.replace("--tf32 True", "--vision_tower clip"),
        "python train.py --data_path x --batch_size 3 --output_dir o --model_name_or_path m",
        "python train.py --model_name_or_path m --epochs 3",
    ],
)
def test_another_train_py(script: str) -> None:
    assert "stanford-alpaca" not in dialects_of(script)
