"""Firefly's JSON file of arguments, alone and launched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import facts

FIREFLY: dict[str, Any] = {
    "output_dir": "output/firefly", "model_name_or_path": "Qwen/Qwen-7B-Chat", "train_file": "./data/dummy_data.jsonl",
    "template_name": "qwen", "num_train_epochs": 1, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 16,
    "learning_rate": 2e-4, "max_seq_length": 1024, "logging_steps": 100, "save_steps": 100, "save_total_limit": 1,
    "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 100, "lora_rank": 64, "lora_alpha": 16,
    "lora_dropout": 0.05,
    "gradient_checkpointing": True, "optim": "paged_adamw_32bit", "seed": 42, "fp16": True, "weight_decay": 0,
    "max_grad_norm": 0.3, "remove_unused_columns": False,
}  # fmt: skip


def test_firefly() -> None:
    text = json.dumps(FIREFLY, indent=4)
    run = assert_states(
        text,
        {
            "stage": "sft", "method": "qlora", "learning_rate": 2e-4, "sequence_length": 1024, "lora_rank": 64,
            "lora_alpha": 16,
            "quantization_bits": 4, "max_grad_norm": 0.3, "mixed_precision": "fp16", "torch_dtype": "float16",
            "warmup_steps": 100,
            "target_modules": ["all-linear"], "datasets": ["./data/dummy_data.jsonl"], "eval_data": "no",
            "packing": False,
            "save_steps": 100, "tokens_per_device_step": 16384,
        },
        "train.json",
    )  # fmt: skip
    assert run.launch.first.dialect == "firefly"
    assert issues(text, "train.json") == []


def test_firefly_launched(tmp_path: Path) -> None:
    config = {**FIREFLY, "task_type": "pretrain", "train_mode": "full", "deepspeed": "ds.json"}
    write(
        tmp_path,
        args__json=json.dumps(config),
        ds__json='{"zero_optimization": {"stage": 3}, "gradient_clipping": "auto"}',
    )
    assert_states(
        "deepspeed --num_gpus=8 train.py --train_args_file args.json",
        {
            "stage": "pt",
            "method": "full",
            "world_size": 8,
            "zero_stage": 3,
            "packing": True,
            "effective_batch_size": 128,
        },
        folder=tmp_path,
    )


def test_firefly_wrong_arguments() -> None:
    text = json.dumps({**FIREFLY, "lora_rnak": 8, "learning_rate": "2e-4"}, indent=1)
    assert issues(text, "train.json") == [("type", '"2e-4"', 9, 19), ("unknown", '"lora_rnak"', 26, 2)]


def test_arguments_without_fireflys_own() -> None:
    config = {key: value for key, value in FIREFLY.items() if key not in ("template_name",)}
    assert dialects_of(json.dumps(config), "train.json") == ["hf-trainer"]
    assert facts(json.dumps(config), "train.json")["learning_rate"] == 2e-4
