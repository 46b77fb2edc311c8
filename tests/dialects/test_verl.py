"""verl: Hydra overrides, its SFT trainer, and its YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts, launches
from trainlint.coverage import coverage

PPO = """\
python3 -m verl.trainer.main_ppo \\
    algorithm.adv_estimator=grpo \\
    data.train_files=$HOME/data/gsm8k/train.parquet \\
    data.train_batch_size=1024 \\
    data.max_prompt_length=512 \\
    data.max_response_length=1024 \\
    actor_rollout_ref.model.path=Qwen/Qwen2-7B-Instruct \\
    actor_rollout_ref.actor.optim.lr=1e-6 \\
    actor_rollout_ref.actor.ppo_mini_batch_size=256 \\
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=40 \\
    actor_rollout_ref.rollout.n=5 \\
    +actor_rollout_ref.model.override_config.attention=sdpa \\
    trainer.logger='["console","wandb"]' \\
    trainer.n_gpus_per_node=8 \\
    trainer.nnodes=2 \\
    trainer.save_freq=20 \\
    trainer.test_freq=5 \\
    trainer.total_epochs=15
"""


def test_overrides() -> None:
    run = facts(PPO)
    expected = {
        "stage": "grpo", "method": "full", "learning_rate": 1e-6, "world_size": 16, "per_device_train_batch_size": 40,
        "effective_batch_size": 1280, "gradient_accumulation_steps": 2, "sequence_length": 1536, "num_train_epochs": 15,
        "max_steps": None, "weight_decay": 0.01, "max_grad_norm": 1.0, "lora_rank": None, "save_steps": 20, "eval_steps": 5,
        "model_parameters": 7_615_616_512, "gradient_checkpointing": True, "lr_scheduler_type": "constant",
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("learning_rate") == "actor_rollout_ref.actor.optim.lr"
    assert run.launch.first.argument("trainer.logger").value == ["console", "wandb"]
    assert "HOME" in run.unknown("datasets")
    assert not run.launch.first.arguments.issues


def test_a_key_without_plus_must_be_there() -> None:
    assert certain_issues(PPO.replace("trainer.save_freq", "trainer.safe_freq")) == [
        ("unknown", "trainer.safe_freq", 16, 5, True)
    ]
    assert certain_issues(PPO.replace("trainer.nnodes=2", "+trainer.my_own=2")) == []
    assert certain_issues(PPO.replace("trainer.nnodes=2", "trainer.my_own=2")) == [
        ("unknown", "trainer.my_own", 15, 5, False)
    ]


def test_a_deleted_key_and_what_follows() -> None:
    run = facts(PPO.replace("trainer.total_epochs=15", "~data.train_files trainer.total_epochs=2 $@"))
    assert run["num_train_epochs"] == 2
    assert "$@" in run.unknown("max_grad_norm")


SFT = """\
torchrun --standalone --nnodes=1 --nproc_per_node=4 -m verl.trainer.fsdp_sft_trainer \\
    data.train_files=/data/gsm8k/train.parquet \\
    optim.lr=1e-4 \\
    data.micro_batch_size_per_gpu=4 \\
    model.partial_pretrain=Qwen/Qwen2.5-0.5B-Instruct \\
    model.lora_rank=32 \\
    model.target_modules=[q_proj,v_proj] \\
    trainer.total_epochs=1
"""


def test_the_sft_trainer() -> None:
    run = facts(SFT)
    expected = {
        "stage": "sft", "method": "lora", "learning_rate": 1e-4, "world_size": 4, "effective_batch_size": 256,
        "gradient_accumulation_steps": 16, "sequence_length": 1024, "lora_rank": 32, "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"], "warmup_ratio": 0.1, "max_grad_norm": 1.0, "save_strategy": "no", "seed": 1,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("learning_rate") == "optim.lr"


@pytest.mark.parametrize("chosen", ["optim=megatron", "optim=$BACKEND"])
def test_settings_of_another_optimizer_are_not_judged_by_the_shipped_one(chosen: str) -> None:
    more = f" engine=fsdp {chosen} optim.min_lr=1e-6 optim.lr_warmup_init=0"
    run = facts(SFT.rstrip() + more)
    assert not run.launch.first.arguments.issues
    assert run["learning_rate"] == 1e-4
    assert "brings settings of its own" in run.unknown("weight_decay")
    wrong = facts(SFT.rstrip() + more + " data.trainfiles=x engine.fsdp_sizes=1").launch.first.arguments.issues
    assert [issue.name for issue in wrong] == ["data.trainfiles", "engine.fsdp_sizes"]


YAML = """\
hydra:
  searchpath:
    - file://verl/trainer/config
defaults:
  - ppo_trainer
  - _self_
data:
  max_prompt_length: 1024
  max_response_length: 1024
  train_batch_size: 256
actor_rollout_ref:
  actor:
    optim:
      lr: 2e-6
"""


def test_a_file_upon_the_shipped_one(tmp_path: Path) -> None:
    run = facts(YAML, "my_grpo.yaml")
    assert (run["learning_rate"], run["sequence_length"], run["world_size"], run["max_grad_norm"]) == (
        2e-6,
        2048,
        8,
        1.0,
    )
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "my_grpo.yaml").write_text(YAML)
    script = "python3 -m verl.trainer.main_ppo --config-path=config --config-name='my_grpo' actor_rollout_ref.actor.grad_clip=0.5"
    run = facts(script, folder=tmp_path)
    assert (run["learning_rate"], run["max_grad_norm"]) == (2e-6, 0.5)
    assert coverage(run.launch).gaps == ()


def test_what_hydra_takes_for_itself_is_no_argument() -> None:
    assert coverage(facts(YAML, "my_grpo.yaml").launch).gaps == ()
    (launch,) = launches(PPO.rstrip() + " hydra.run.dir=out\n")
    assert (launch.first.arguments.issues, "hydra.run.dir" in launch.first.arguments.given) == ([], False)


def test_a_part_of_a_configuration_is_no_run() -> None:
    assert (
        dialects_of("_target_: verl.workers.config.FSDPActorConfig\noptim:\n  lr: 1e-6\ngrad_clip: 1.0\n", "a.yaml")
        == []
    )
    assert dialects_of("python main_ppo.py learning_rate=3 x=1") == []


def test_a_correction_is_spelled_as_the_override_is() -> None:
    (launch,) = launches(PPO.replace("trainer.save_freq", "trainer.safe_freq"))
    (issue,) = launch.first.arguments.issues
    assert issue.replacement == "trainer.save_freq"
