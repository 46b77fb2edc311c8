"""OpenRLHF in both generations of its flags."""

from __future__ import annotations

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

OLD = """\
set -x
read -r -d '' training_commands <<EOF
openrlhf.cli.train_sft \\
   --max_len 2048 \\
   --dataset Open-Orca/OpenOrca \\
   --train_batch_size 256 \\
   --micro_train_batch_size 2 \\
   --max_samples 500000 \\
   --pretrain meta-llama/Meta-Llama-3-8B \\
   --save_path ./checkpoint/llama3-8b-sft \\
   --save_steps -1 \\
   --eval_steps -1 \\
   --zero_stage 2 \\
   --max_epochs 1 \\
   --bf16 \\
   --learning_rate 5e-6 \\
   --lora_rank 16 \\
   --packing_samples \\
   --gradient_checkpointing
EOF
deepspeed --num_gpus 8 --module $training_commands
"""
NEW = """\
deepspeed --num_gpus 8 --module openrlhf.cli.train_sft \\
   --data.max_len 2048 --data.dataset Open-Orca/OpenOrca --train.batch_size 256 --train.micro_batch_size 2 \\
   --model.model_name_or_path meta-llama/Meta-Llama-3-8B --ckpt.output_dir ./checkpoint/llama3-8b-sft \\
   --ds.zero_stage 2 --train.max_epochs 1 --adam.lr 5e-6 --ds.lora.rank 16 --ds.packing_samples \\
   --model.gradient_checkpointing_enable
"""
EXPECTED = {
    "stage": "sft", "method": "lora", "learning_rate": 5e-6, "world_size": 8, "effective_batch_size": 256,
    "per_device_train_batch_size": 2, "gradient_accumulation_steps": 16, "sequence_length": 2048, "num_train_epochs": 1,
    "zero_stage": 2, "mixed_precision": "bf16", "lora_rank": 16, "lora_alpha": 16, "packing": True, "warmup_ratio": 0.03,
    "max_grad_norm": 1.0, "weight_decay": 0.0, "save_strategy": "no", "eval_strategy": "no", "seed": 42,
    "gradient_checkpointing": True, "datasets": ["Open-Orca/OpenOrca"], "model_parameters": 8_030_261_248,
    "output_dir": "./checkpoint/llama3-8b-sft",
}  # fmt: skip


@pytest.mark.parametrize(("script", "flag"), [(OLD, "--learning_rate"), (NEW, "--adam.lr")])
def test_both_generations_say_the_same(script: str, flag: str) -> None:
    run = facts(script)
    assert {name: run[name] for name in EXPECTED} == EXPECTED
    assert run.launch.first.spell("learning_rate") == flag
    assert run.launch.first.given("learning_rate")
    assert not run.launch.first.arguments.issues


def test_without_bf16_the_old_one_trains_in_32_bits() -> None:
    assert facts(OLD.replace("   --bf16 \\\n", ""))["mixed_precision"] == "no"


@pytest.mark.parametrize(
    ("flags", "stage", "world"),
    [
        ("--actor.num_nodes 1 --actor.num_gpus_per_node 4 --actor.adam.lr 5e-7 --train.batch_size 128", "ppo", 4),
        ("--actor_num_nodes 2 --actor_num_gpus_per_node 8 --advantage_estimator group_norm --pretrain x", "grpo", 16),
        ("--actor_num_gpus_per_node 8 --advantage_estimator reinforce --pretrain x", "reinforce", 8),
    ],
)
def test_ray_places_the_actor(flags: str, stage: str, world: int) -> None:
    run = facts(f"ray job submit --address=x -- python3 -m openrlhf.cli.train_ppo_ray {flags}")
    assert (run["stage"], run["world_size"]) == (stage, world)


def test_flags_that_argparse_refuses() -> None:
    assert certain_issues(NEW.replace("--adam.lr 5e-6", "--adam.rl 5e-6")) == [("unknown", "--adam.rl", 4, 43, True)]
    assert certain_issues(OLD.replace("--zero_stage 2", "--zero_stage two"))[0][:2] == ("type", "two")


def test_what_is_no_training() -> None:
    assert dialects_of("python -m openrlhf.cli.serve_rm --reward_pretrain x --port 5000") == []
    assert dialects_of("python train_sft.py --data x --epochs 3") == []
