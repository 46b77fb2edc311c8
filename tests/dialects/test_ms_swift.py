"""ms-swift's command lines and files, of all three generations of its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import facts

SFT = """
# 22GB
NPROC_PER_NODE=2 \\
CUDA_VISIBLE_DEVICES=0,1 \\
swift sft \\
    --model Qwen/Qwen2.5-7B-Instruct \\
    --tuner_type lora \\
    --dataset 'AI-ModelScope/alpaca-gpt4-data-zh#500' \\
              'swift/self-cognition#300' \\
    --torch_dtype bfloat16 \\
    --num_train_epochs 2 \\
    --per_device_train_batch_size 1 \\
    --learning_rate 2e-4 \\
    --lora_rank 16 \\
    --lora_alpha 32 \\
    --target_modules all-linear \\
    --gradient_accumulation_steps 8 \\
    --eval_steps 50 \\
    --save_steps 50 \\
    --max_length 2048 \\
    --warmup_ratio 0.05 \\
    --split_dataset_ratio 0.01 \\
    --deepspeed zero2 \\
    --output_dir output
"""


def test_flags() -> None:
    run = assert_states(
        SFT,
        {
            "stage": "sft", "method": "lora", "model_name_or_path": "Qwen/Qwen2.5-7B-Instruct", "learning_rate": 2e-4,
            "world_size": 2, "visible_devices": 2, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8,
            "effective_batch_size": 16, "sequence_length": 2048, "tokens_per_step": 32768, "mixed_precision": "bf16",
            "torch_dtype": "bfloat16", "lora_rank": 16, "lora_alpha": 32.0, "lora_dropout": 0.05,
            "target_modules": ["all-linear"],
            "modules_to_save": [], "quantization_bits": None, "weight_decay": 0.1, "adam_beta2": 0.95,
            "max_grad_norm": 1.0,
            "lr_scheduler_type": "cosine", "warmup_ratio": 0.05, "num_train_epochs": 2.0, "dataset_examples": 792,
            "datasets": ["AI-ModelScope/alpaca-gpt4-data-zh", "swift/self-cognition"], "eval_data": "yes",
            "eval_strategy": "steps",
            "eval_steps": 50, "save_strategy": "steps", "save_steps": 50, "zero_stage": 2, "offload": "none",
            "clipping_set_by": "trainer", "gradient_checkpointing": True, "packing": False, "seed": 42,
            "output_dir": "output",
            "total_steps": 100, "warmup_steps": 5,
        },
    )  # fmt: skip
    assert run.launch.first.dialect == "ms-swift"
    assert run.launch.first.spell("sequence_length") == "--max_length"
    assert issues(SFT) == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("swift pt --model m --dataset d", {"stage": "pt", "learning_rate": 1e-4, "gradient_accumulation_steps": 16}),
        ("swift sft --model m --dataset d --tuner_type full", {"method": "full", "learning_rate": 1e-5, "lora_rank": None}),
        ("swift sft --model m --dataset d --train_type full", {"method": "full"}),
        ("swift sft --model m --dataset d --quant_bits 4 --quant_method bnb", {"method": "qlora", "quantization_bits": 4}),
        ("swift rlhf --rlhf_type kto --model m --dataset d", {"stage": "kto"}),
        ("swift sft --model m --dataset d", {"eval_data": "no", "eval_strategy": "no", "save_steps": 500, "world_size": 1}),
        ("NNODES=2 NPROC_PER_NODE=8 swift sft --model m --dataset d", {"world_size": 16, "gradient_accumulation_steps": 1}),
        ("swift sft --model m --dataset d --per_device_train_batch_size 3", {"gradient_accumulation_steps": 6}),
        ("torchrun --nproc_per_node 4 swift/cli/sft.py --model m --dataset d", {"stage": "sft", "world_size": 4}),
        ("swift sft --model m --dataset d --deepspeed zero3_offload", {"zero_stage": 3, "offload": "parameters"}),
        ("swift sft --model m --dataset d --torch_dtype float32", {"mixed_precision": "fp16"}),
        ("swift sft --model m --dataset d --fsdp fsdp2", {"fsdp": "fsdp2", "zero_stage": 0}),
    ],
)  # fmt: skip
def test_defaults(command: str, expected: dict[str, Any]) -> None:
    assert_states(command, expected)


def test_what_the_model_decides_is_not_known() -> None:
    run = facts("swift sft --model m --dataset d")
    assert "max_length" in run.unknown("sequence_length")
    assert "torch_dtype" in run.unknown("mixed_precision")


def test_names_of_version_2() -> None:
    script = (
        "CUDA_VISIBLE_DEVICES=0 swift sft --model_type qwen-7b-chat --sft_type lora --dataset blossom-math-zh --batch_size 2"
        " --lora_target_modules ALL --quantization_bit 4 --dtype bf16 --train_dataset_sample 1000"
    )
    run = assert_states(
        script,
        {
            "method": "qlora", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8,
            "sequence_length": 2048,
            "target_modules": ["all-linear"], "mixed_precision": "bf16", "num_train_epochs": 1, "learning_rate": 1e-4,
        },
    )  # fmt: skip
    assert run.launch.first.spell("method") == "--sft_type"
    assert issues(script) == []


YAML = """
model: Qwen/Qwen2.5-7B-Instruct
torch_dtype: bfloat16
tuner_type: lora
dataset:
  - 'AI-ModelScope/alpaca-gpt4-data-zh#500'
learning_rate: 1e-4
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
max_length: 4096
deepspeed: zero2
ENV:
  NCCL_DEBUG: INFO
"""


def test_a_file_alone_and_launched(tmp_path: Path) -> None:
    assert_states(
        YAML, {"stage": "sft", "learning_rate": 1e-4, "tokens_per_device_step": 65536, "zero_stage": 2}, "sft.yaml"
    )
    assert issues(YAML, "sft.yaml") == []
    write(tmp_path, sft__yaml=YAML)
    script = "NPROC_PER_NODE=4 swift pt sft.yaml --learning_rate 5e-5 --max_lenght 1"
    run = assert_states(
        script, {"stage": "pt", "world_size": 4, "learning_rate": 5e-5, "zero_stage": 2}, folder=tmp_path
    )
    assert run.launch.at.source.path.endswith("sft.yaml")
    assert issues(script, folder=tmp_path) == [("unknown", "--max_lenght", 1, 57)]


MEGATRON = """
NPROC_PER_NODE=8 megatron sft \\
    --model Qwen/Qwen2.5-7B-Instruct \\
    --dataset data.jsonl \\
    --tuner_type lora \\
    --tensor_model_parallel_size 2 \\
    --micro_batch_size 2 \\
    --global_batch_size 64 \\
    --lr 1e-4 \\
    --lr_warmup_fraction 0.05 \\
    --train_iters 200 \\
    --save_steps 100 \\
    --max_length 2048
"""


def test_megatron() -> None:
    assert_states(
        MEGATRON,
        {
            "stage": "sft", "method": "lora", "learning_rate": 1e-4, "world_size": 8, "effective_batch_size": 64,
            "gradient_accumulation_steps": 8, "tokens_per_step": 131072, "max_steps": 200, "total_steps": 200,
            "warmup_steps": 10,
            "max_grad_norm": 1.0, "weight_decay": 0.1, "save_steps": 100, "lr_scheduler_type": "cosine",
            "zero_stage": 0,
        },
    )  # fmt: skip
    assert issues(MEGATRON) == []


def test_the_training_group_of_a_ray_file() -> None:
    text = """
rlhf_type: grpo
model: m
dataset: d
micro_batch_size: 2
global_batch_size: 16
lr: 5e-5
colocate_groups: [[train, rollout]]
train:
  gpus: 4
  tuner_type: lora
  lora_rnak: 8
rollout:
  gpus: 4
"""
    assert_states(text, {"stage": "grpo", "method": "lora", "world_size": 4, "learning_rate": 5e-5}, "grpo.yaml")
    assert issues(text, "grpo.yaml") == [("unknown", "lora_rnak", 12, 3)]


def test_a_file_of_an_unknown_name_may_say_anything() -> None:
    script = 'megatron rlhf --use_ray true --config "$DIR/grpo.yaml"'
    assert issues(script) == []
    assert "--config" in facts(script).unknown("learning_rate")


def test_unknown_and_wrong_arguments() -> None:
    script = "swift sft --model m --dataset d \\\n  --learing_rate 1e-4 --lora_rank high --foo_bar 1"
    assert issues(script) == [
        ("unknown", "--learing_rate", 2, 3),
        ("type", "high", 2, 35),
        ("unknown", "--foo_bar", 2, 40),
    ]


@pytest.mark.parametrize(
    ("text", "name", "dialects"),
    [
        ("swift build -c release", "run.sh", []),
        ("swift infer --model m --adapters out", "run.sh", []),
        ("swift export --model m --merge_lora true", "run.sh", []),
        ("python -m swiftly.sft --learning_rate 1e-4 --num_train_epochs 1", "run.sh", ["hf-trainer"]),
        ("model: bert\ndataset: squad\nepochs: 3\n", "config.yaml", []),
    ],
)
def test_look_alikes(text: str, name: str, dialects: list[str]) -> None:
    assert dialects_of(text, name) == dialects
