"""A YAML file that a command names, with what the command puts over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import launches

AXOLOTL = """\
base_model: meta-llama/Llama-2-7b-hf
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
sequence_len: 4096
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 1
learning_rate: 0.0002
flash_attention: true
datasets:
  - path: data.jsonl
    type: alpaca
"""
TRL = """\
model_name_or_path: meta-llama/Llama-2-7b-hf
dataset_name: org/data
output_dir: out
learning_rate: 2.0e-5
per_device_train_batch_size: 4
gradient_accumulation_steps: 2
num_train_epochs: 1
"""


@pytest.mark.parametrize(
    ("command", "processes"),
    [
        ("axolotl train x.yml --learning-rate 1e-5 --launcher torchrun -- --nproc_per_node 8", 8),
        ("axolotl train x.yml --learning-rate=1e-5 -- --num_processes 4", 4),
        ("accelerate launch --num_processes 2 -m axolotl.cli.train x.yml --learning_rate=1e-5", 2),
        ("torchrun --nproc_per_node=2 -m axolotl.cli.train x.yml --learning_rate 1e-5", 2),
    ],
)
def test_axolotl(tmp_path: Path, command: str, processes: int) -> None:
    write(tmp_path, x__yml=AXOLOTL)
    run = assert_states(
        command,
        {"learning_rate": 1e-5, "world_size": processes, "lora_rank": 16, "per_device_train_batch_size": 2},
        folder=tmp_path,
    )
    assert run.launch.at.source.path.endswith("x.yml")
    assert run.launch.fact("learning_rate").location.text == "1e-5"
    assert issues(command, folder=tmp_path) == []


def test_axolotl_leaves_the_number_of_processes_to_accelerate(tmp_path: Path) -> None:
    write(tmp_path, x__yml=AXOLOTL)
    (launch,) = launches("axolotl train x.yml", folder=tmp_path)
    assert "accelerate" in launch.fact("world_size").reason


def test_axolotl_switches_stand_alone(tmp_path: Path) -> None:
    write(tmp_path, x__yml=AXOLOTL)
    command = "axolotl train x.yml --no-flash-attention --gradient-checkpointing --micro-bacth-size 8"
    (launch,) = launches(command, folder=tmp_path)
    given = launch.first.arguments.given
    assert (given["flash_attention"].value, given["gradient_checkpointing"].value) == (False, True)
    assert [shown for _, shown, _, _ in issues(command, folder=tmp_path)] == ["--micro-bacth-size"]


def test_axolotl_without_its_file(tmp_path: Path) -> None:
    assert dialects_of("axolotl train x.yml --learning-rate 1e-5", folder=tmp_path) == []
    write(tmp_path, x__yml=AXOLOTL)
    assert dialects_of("axolotl preprocess x.yml", folder=tmp_path) == []
    assert dialects_of("axolotl train x.yml --sweep s.yml", folder=tmp_path) == []


def test_the_deepspeed_file_of_the_command_counts(tmp_path: Path) -> None:
    write(tmp_path, x__yml=AXOLOTL, ds__json='{"zero_optimization": {"stage": 3}}')
    command = "accelerate launch -m axolotl.cli.train x.yml --deepspeed ds.json"
    assert_states(command, {"zero_stage": 3}, folder=tmp_path)


@pytest.mark.parametrize(
    ("command", "processes"),
    [
        ("trl sft --config x.yaml --learning_rate 1e-5 --num_processes 4", 4),
        ("accelerate launch --num_processes 2 -m trl.scripts.sft --config x.yaml --learning_rate 1e-5", 2),
        ("torchrun --nproc_per_node 2 examples/scripts/sft.py --config x.yaml --learning_rate=1e-5", 2),
    ],
)
def test_trl(tmp_path: Path, command: str, processes: int) -> None:
    write(tmp_path, x__yaml=TRL)
    run = assert_states(
        command,
        {"stage": "sft", "learning_rate": 1e-5, "world_size": processes, "per_device_train_batch_size": 4},
        folder=tmp_path,
    )
    assert run.launch.first.dialect == "trl"
    assert issues(command, folder=tmp_path) == []


def test_trl_takes_the_number_of_processes_from_the_file(tmp_path: Path) -> None:
    write(tmp_path, x__yaml=TRL + "num_processes: 8\n")
    assert_states("trl dpo --config x.yaml", {"stage": "dpo", "world_size": 8}, folder=tmp_path)


def test_trl_without_its_file(tmp_path: Path) -> None:
    """What the file would say is unknown, not default."""
    (launch,) = launches("trl sft --config x.yaml --learning_rate 1e-5", folder=tmp_path)
    assert launch.fact("learning_rate").value == 1e-5
    assert "--config names" in launch.fact("num_train_epochs").reason
    assert dialects_of("python sft.py --config x.yaml", folder=tmp_path) == []


LLAMA_FACTORY = """\
stage: sft
do_train: true
finetuning_type: lora
model_name_or_path: meta-llama/Llama-2-7b-hf
dataset: notes
learning_rate: 1.0e-4
per_device_train_batch_size: 2
"""


@pytest.mark.parametrize(
    ("command", "processes"),
    [
        ("NPROC_PER_NODE=4 llamafactory-cli train x.yaml learning_rate=1e-5 deepspeed=ds.json", 4),
        ("torchrun --nproc_per_node 2 src/train.py x.yaml learning_rate=1e-5 deepspeed=ds.json", 2),
    ],
)
def test_llama_factory(tmp_path: Path, command: str, processes: int) -> None:
    write(tmp_path, x__yaml=LLAMA_FACTORY, ds__json='{"zero_optimization": {"stage": 3}}')
    expected = {"learning_rate": 1e-5, "world_size": processes, "zero_stage": 3, "per_device_train_batch_size": 2}
    run = assert_states(command, expected, folder=tmp_path)
    assert run.launch.fact("learning_rate").location.text == "1e-5"
    assert issues(command, folder=tmp_path) == []


def test_llama_factory_overrides_are_judged_like_the_file(tmp_path: Path) -> None:
    write(tmp_path, x__yaml=LLAMA_FACTORY)
    command = "llamafactory-cli train x.yaml lerning_rate=1e-5 logging_steps=often $MORE"
    assert [shown for _, shown, _, _ in issues(command, folder=tmp_path)] == ["lerning_rate", "often"]
    (launch,) = launches(command, folder=tmp_path)
    assert not launch.fact("num_train_epochs").known
    assert dialects_of("llamafactory-cli train y.yaml", folder=tmp_path) == []
