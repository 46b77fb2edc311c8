"""accelerate's configuration file: alone, and in force for what `accelerate launch` starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import facts

ZERO3 = """
compute_environment: LOCAL_MACHINE
debug: false
deepspeed_config:
  deepspeed_multinode_launcher: standard
  gradient_accumulation_steps: 4
  gradient_clipping: 0.5
  offload_optimizer_device: cpu
  offload_param_device: none
  zero3_init_flag: true
  zero_stage: 3
distributed_type: DEEPSPEED
downcast_bf16: 'no'
machine_rank: 0
main_training_function: main
mixed_precision: bf16
num_machines: 2
num_processes: 16
rdzv_backend: static
same_network: true
use_cpu: false
"""
FSDP = """
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config:
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_sharding_strategy: FULL_SHARD
  fsdp_transformer_layer_cls_to_wrap: LlamaDecoderLayer
mixed_precision: bf16
num_machines: 1
num_processes: 8
"""
RUN = (
    "accelerate launch --config_file acc.yaml {} train.py --learning_rate 1e-5 --num_train_epochs 1"
    " --per_device_train_batch_size 2"
)


def test_a_file_with_deepspeed() -> None:
    assert_states(
        ZERO3,
        {
            "world_size": 16, "mixed_precision": "bf16", "gradient_accumulation_steps": 4, "max_grad_norm": 0.5,
            "zero_stage": 3,
            "offload": "optimizer", "fsdp": None, "deepspeed": "accelerate",
        },
        "zero3.yaml",
    )  # fmt: skip
    assert issues(ZERO3, "zero3.yaml") == []


def test_a_file_with_fsdp() -> None:
    run = assert_states(FSDP, {"world_size": 8, "fsdp": "accelerate", "zero_stage": 0, "offload": "none"}, "fsdp.yaml")
    assert "not used" in run.unknown("max_grad_norm")


@pytest.mark.parametrize(
    ("change", "fact", "reason"),
    [
        (("num_processes: 16", ""), "world_size", "--num_processes"),
        (("num_processes: 16", "num_processes: -1"), "world_size", "--num_processes"),
        (("gradient_clipping: 0.5", "gradient_clipping: auto"), "max_grad_norm", "auto"),
        (("zero_stage: 3", "deepspeed_config_file: ds.json"), "zero_stage", "ds.json"),
    ],
)
def test_what_another_file_or_the_command_decides(change: tuple[str, str], fact: str, reason: str) -> None:
    assert reason in facts(ZERO3.replace(*change), "acc.yaml").unknown(fact)


def test_unknown_and_wrong_settings() -> None:
    text = ZERO3.replace("machine_rank", "machin_rank").replace("mixed_precision: bf16", "mixed_precision: no")
    text = text.replace("zero_stage: 3", "zero_stages: 3")
    assert issues(text, "acc.yaml") == [
        ("unknown", "zero_stages", 11, 3),
        ("unknown", "machin_rank", 14, 1),
        ("choice", "no", 16, 18),
    ]
    prefixed = FSDP.replace("fsdp_sharding_strategy", "fsdp_sharding_stategy")
    assert issues(prefixed, "acc.yaml") == [("unknown", "fsdp_sharding_stategy", 6, 3)]
    wrong = FSDP.replace("distributed_type: FSDP", "distributed_type: FSPD")
    assert issues(wrong, "acc.yaml") == [("choice", "FSPD", 3, 19)]


# ------------------------------------------------------------------------------------------------------- the launch


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "",
            {
                "world_size": 16, "mixed_precision": "bf16", "zero_stage": 3, "offload": "optimizer",
                "max_grad_norm": 0.5,
                "clipping_set_by": "deepspeed", "effective_batch_size": 32, "deepspeed": "accelerate",
            },
        ),
        ("--num_processes 4", {"world_size": 4, "zero_stage": 3}),
        ("--mixed_precision fp16", {"mixed_precision": "fp16"}),
        ("--zero_stage 2 --gradient_clipping 1.0", {"zero_stage": 2, "max_grad_norm": 1.0}),
    ],
)  # fmt: skip
def test_a_launch_with_a_file(tmp_path: Path, options: str, expected: dict[str, Any]) -> None:
    assert_states(RUN.format(options), expected, folder=write(tmp_path, acc__yaml=ZERO3))


def test_without_a_clipping_of_its_own_the_trainers_is_in_force(tmp_path: Path) -> None:
    write(tmp_path, acc__yaml=ZERO3.replace("  gradient_clipping: 0.5\n", ""))
    assert_states(RUN.format(""), {"max_grad_norm": 1.0, "clipping_set_by": "trainer"}, folder=tmp_path)


def test_a_deepspeed_file_that_the_file_names(tmp_path: Path) -> None:
    write(
        tmp_path,
        acc__yaml=ZERO3.replace("zero_stage: 3", "deepspeed_config_file: ds.json"),
        ds__json='{"zero_optimization": {"stage": 1}, "gradient_clipping": 0.3, "bf16": {"enabled": true}}',
    )
    assert_states(RUN.format(""), {"zero_stage": 1, "max_grad_norm": 0.3, "offload": "none"}, folder=tmp_path)


def test_fsdp_by_the_launch(tmp_path: Path) -> None:
    assert_states(RUN.format(""), {"fsdp": "accelerate", "world_size": 8}, folder=write(tmp_path, acc__yaml=FSDP))


def test_options_without_a_file() -> None:
    script = (
        "accelerate launch --use_deepspeed --zero_stage 3 --num_processes 2 --mixed_precision bf16"
        " train.py --learning_rate 1e-5"
    )
    assert_states(script, {"zero_stage": 3, "mixed_precision": "bf16", "world_size": 2, "max_grad_norm": 1.0})


def test_a_file_that_is_not_here_leaves_open_what_it_decides() -> None:
    run = facts(RUN.format(""))
    for fact in ("world_size", "zero_stage", "max_grad_norm", "mixed_precision"):
        assert "acc.yaml" in run.unknown(fact) or "config file" in run.unknown(fact)
    assert run["learning_rate"] == 1e-5


def test_what_is_wrong_with_the_file_is_said_where_it_is_used(tmp_path: Path) -> None:
    write(tmp_path, acc__yaml=ZERO3.replace("machine_rank", "machin_rank"))
    assert issues(RUN.format(""), folder=tmp_path) == [("unknown", "machin_rank", 14, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "num_processes: 4\nname: worker\n",
        "version: 2\nmixed_precision: true\nmodel: x\n",
        "distributed_type: ring\nhosts: [a, b]\n",
    ],
)
def test_look_alikes(text: str) -> None:
    assert "accelerate" not in dialects_of(text, "config.yaml")
