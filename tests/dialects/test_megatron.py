"""Megatron-LM: arrays of dashed flags, the functional tests' YAML, units of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

SCRIPT = """\
#!/bin/bash
GPUS_PER_NODE=8
NUM_NODES=2
DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
)
MODEL_ARGS=(
    --num-layers 32
    --hidden-size 4096
    --num-attention-heads 32
    --seq-length 4096
    --max-position-embeddings 4096
    --swiglu
)
TRAINING_ARGS=(
    --micro-batch-size 1
    --global-batch-size 128
    --train-iters 500000
    --lr 6.0e-5
    --lr-decay-style cosine
    --min-lr 6.0e-6
    --lr-warmup-fraction .001
    --lr-decay-iters 430000
    --clip-grad 1.0
    --weight-decay 0.1
    --bf16
)
PARALLEL_ARGS=(
    --tensor-model-parallel-size 2
    --pipeline-model-parallel-size 4
)
torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py \\
    ${MODEL_ARGS[@]} \\
    ${TRAINING_ARGS[@]} \\
    ${PARALLEL_ARGS[@]} \\
    --data-path 0.5 /data/a 0.5 /data/b --save /ckpt --load /ckpt --save-interval 1000
"""


def test_a_script_with_arrays() -> None:
    run = facts(SCRIPT)
    expected = {
        "stage": "scratch", "method": "full", "learning_rate": 6e-5, "lr_scheduler_type": "cosine", "world_size": 16,
        "data_parallel_size": 2, "per_device_train_batch_size": 1, "effective_batch_size": 128,
        "gradient_accumulation_steps": 64, "sequence_length": 4096, "tokens_per_step": 128 * 4096, "max_steps": 500000,
        "warmup_steps": 430, "weight_decay": 0.1, "max_grad_norm": 1.0, "mixed_precision": "bf16", "optim": "adam",
        "save_strategy": "steps", "save_steps": 1000, "output_dir": "/ckpt", "datasets": ["/data/a", "/data/b"], "seed": 1234,
        "gradient_checkpointing": False,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("per_device_train_batch_size") == "--micro-batch-size"
    assert run.launch.fact("learning_rate").location.start.line == 20  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("--train-iters 500000", "--train-samples 1280000"), {"max_steps": 10000}),
        (("--lr-warmup-fraction .001", "--lr-warmup-samples 12800"), {"warmup_steps": 100}),
        (("--lr-warmup-fraction .001", "--lr-warmup-iters 7"), {"warmup_steps": 7}),
        (("--global-batch-size 128\n", "\n"), {"effective_batch_size": 2, "gradient_accumulation_steps": 1}),
        (("--save /ckpt --load /ckpt ", ""), {"save_strategy": "no", "save_steps": None}),
        (("--load /ckpt", "--load /other --finetune"), {"stage": "pt"}),
        (("--bf16", "--fp16 --recompute-activations"), {"mixed_precision": "fp16", "gradient_checkpointing": True}),
        (("pretrain_gpt.py", "finetune_llama.py"), {"stage": "sft"}),
        (("pretrain_gpt.py", "train_rl.py --perform-rl-step"), {"stage": "grpo"}),
    ],
)
def test_settings(change: tuple[str, str], expected: dict[str, Any]) -> None:
    run = facts(SCRIPT.replace(*change))
    assert {name: run[name] for name in expected} == expected


def test_weights_of_unknown_descent() -> None:
    assert "--load" in facts(SCRIPT.replace("--load /ckpt", "--load /other")).unknown("stage")


def test_a_run_that_is_the_beginning_of_a_longer_schedule() -> None:
    run = facts(SCRIPT.replace("--train-iters 500000", "--train-iters 50"))
    assert "430000" in run.unknown("warmup_steps")


def test_a_typo_is_found_in_its_array_and_a_forks_own_flag_is_none() -> None:
    assert certain_issues(SCRIPT.replace("--micro-batch-size", "--micro-bacth-size")) == [
        ("unknown", "--micro-bacth-size", 17, 5, False)
    ]
    assert certain_issues(SCRIPT.replace("--swiglu", "--data-path2 x --tokenizer-prompt-format y --use-te")) == []


def test_values_that_argparse_refuses() -> None:
    assert certain_issues(SCRIPT.replace("--lr 6.0e-5", "--lr fast")) == [("type", "fast", 20, 10, True)]
    assert certain_issues(SCRIPT.replace("--lr-decay-style cosine", "--lr-decay-style cosin")) == [
        ("choice", "cosin", 21, 22, True)
    ]
    of_a_fork = SCRIPT.replace(
        "--swiglu", "--patch-tokenizer-type x --patch-size 14 --position-embedding-type alibi --optimizer cpu-adam"
    )
    assert certain_issues(of_a_fork) == []
    assert certain_issues(SCRIPT.replace("--bf16", "--bf16 true")) == [("unknown", "true", 27, 12, False)]


YAML = """\
ENV_VARS:
  CUDA_DEVICE_MAX_CONNECTIONS: 1
MODEL_ARGS:
  --num-layers: 12
  --hidden-size: 512
  --num-attention-heads: 8
  --micro-batch-size: 4
  --global-batch-size: 32
  --seq-length: 1024
  --train-iters: 100
  --data-path: ${DATA_PATH}/text
  --lr: 0.00015
  --bf16: true
TEST_TYPE: regular
"""


def test_the_functional_tests_yaml() -> None:
    run = facts(YAML, "model_config.yaml", world_size=8)
    assert (run["learning_rate"], run["gradient_accumulation_steps"], run["mixed_precision"]) == (1.5e-4, 1, "bf16")
    assert "filled in later" in run.unknown("datasets")
    assert run.launch.first.spell("learning_rate") == "--lr"
    assert certain_issues(YAML.replace("--num-layers", "--num-layres"), "model_config.yaml") == [
        ("unknown", "--num-layres", 4, 3, False)
    ]


def test_yaml_cfg(tmp_path: Path) -> None:
    (tmp_path / "gpt.yaml").write_text(
        "language_model:\n  num_layers: 24\n  hidden_size: 1024\nlr: 1.0e-4\nmicro_batch_size: 2\nseq_length: 2048\n"
    )
    run = facts("torchrun --nproc_per_node 4 pretrain_gpt.py --yaml-cfg gpt.yaml", folder=tmp_path)
    assert (run["learning_rate"], run["per_device_train_batch_size"], run["sequence_length"]) == (1e-4, 2, 2048)


def test_what_trains_nothing() -> None:
    assert dialects_of("python tools/preprocess_data.py --input x --tokenizer-type GPT2BPETokenizer --workers 4") == []
    text = "torchrun run_text_generation_server.py --num-layers 2 --hidden-size 8 --num-attention-heads 2 --micro-batch-size 1"
    assert dialects_of(f"{text} --seq-length 8 --inference-max-requests 3") == []
    assert dialects_of("MODEL: hybrid\nTP: 1\nBATCH_SIZES: [1, 8]\n", "model_config.yaml") == []
