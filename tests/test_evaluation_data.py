"""What a run evaluates on: how many examples each framework holds out of the training data, or finds in files of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_runs import facts

FACTORY = """\
model_name_or_path: meta-llama/Llama-2-7b-hf
stage: sft
do_train: true
finetuning_type: lora
template: llama2
dataset: notes
dataset_dir: .
eval_strategy: steps
eval_steps: 10
"""
AXOLOTL = """\
base_model: meta-llama/Llama-2-7b-hf
micro_batch_size: 2
learning_rate: 0.0002
adapter: lora
num_epochs: 3
datasets:
  - path: notes.jsonl
    type: alpaca
"""
SWIFT = "NPROC_PER_NODE=1 swift sft --model Qwen/Qwen2.5-7B --train_type lora --dataset notes.jsonl"
LITGPT = """\
checkpoint_dir: checkpoints/microsoft/phi-2
out_dir: out
lora_r: 8
data:
  class_path: litgpt.data.JSON
  init_args:
    json_path: notes.jsonl
train:
  global_batch_size: 8
  micro_batch_size: 1
"""


def rows(folder: Path, name: str, count: int, start: int = 0) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    lines = [json.dumps({"instruction": str(start + i), "input": "", "output": "b"}) for i in range(count)]
    (folder / name).write_text("\n".join(lines))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    rows(tmp_path, "notes.jsonl", 101)
    rows(tmp_path, "held_out.jsonl", 7, start=1000)
    entries = {name: {"file_name": f"{name}.jsonl"} for name in ("notes", "held_out")}
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    return tmp_path


def counts(run: Any) -> tuple[int, int]:
    return run["dataset_examples"], run["eval_examples"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("val_size: 0.1", (90, 11)),  # a share is rounded up
        ("val_size: 20", (81, 20)),
        ("max_samples: 50\nval_size: 0.1", (45, 5)),  # what is used is split
        ("eval_dataset: held_out", (101, 7)),
        ("eval_dataset: held_out\nmax_samples: 5", (5, 5)),
    ],
)
def test_llama_factory(here: Path, more: str, expected: tuple[int, int]) -> None:
    assert counts(facts(FACTORY + more, "x.yaml", folder=here)) == expected


def test_num_samples_of_llama_factory_may_draw_twice(here: Path) -> None:
    (here / "dataset_info.json").write_text('{"notes": {"file_name": "notes.jsonl", "num_samples": 500}}')
    assert counts(facts(FACTORY + "val_size: 0.1", "x.yaml", folder=here)) == (450, 50)
    assert facts(FACTORY, "x.yaml", folder=here)["available_examples"] == 101


def test_more_held_out_than_there_is(here: Path) -> None:
    run = facts(FACTORY + "val_size: 101", "x.yaml", folder=here)
    assert "held out" in run.unknown("dataset_examples")
    assert run["eval_examples"] == 101


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("val_set_size: 0.05", (95, 6)),
        ("val_set_size: 10", (91, 10)),
        ("test_datasets:\n  - path: held_out.jsonl\n    type: alpaca", (101, 7)),
    ],
)
def test_axolotl(here: Path, more: str, expected: tuple[int, int]) -> None:
    assert counts(facts(AXOLOTL + more, "x.yml", folder=here)) == expected


def test_axolotl_counts_its_evaluations_by_the_epoch(here: Path) -> None:
    run = facts(AXOLOTL + "val_set_size: 0.05\nevals_per_epoch: 4\n", "x.yml", folder=here, world_size=1)
    assert run["evaluations"] == 12
    assert facts(AXOLOTL, "x.yml", folder=here)["evaluations"] == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("--split_dataset_ratio 0.01", (100, 1)),
        ("--split_dataset_ratio 0.001", (100, 1)),  # one at least
        ("--split_dataset_ratio 0.1", (91, 10)),
        ("--val_dataset held_out.jsonl", (101, 7)),
        ("--val_dataset held_out.jsonl --split_dataset_ratio 0.1", (101, 7)),
    ],
)
def test_ms_swift(here: Path, more: str, expected: tuple[int, int]) -> None:
    assert counts(facts(f"{SWIFT} {more}", folder=here)) == expected


def test_ms_swift_splits_each_data_set_by_itself(here: Path) -> None:
    run = facts(f"{SWIFT} org/other#500 held_out.jsonl#4 --split_dataset_ratio 0.02", folder=here)
    assert counts(run) == (101 + 500 + 4 - 13, 2 + 10 + 1)
    assert facts(f"{SWIFT} --split_dataset_ratio 0.1 --eval_strategy no", folder=here)["dataset_examples"] == 101


def test_litgpt(here: Path) -> None:
    assert counts(facts(LITGPT, "x.yaml", folder=here)) == (96, 5)  # 5 % of a file, rounded down
    text = LITGPT.replace("json_path: notes.jsonl", "json_path: notes.jsonl\n    val_split_fraction: 0.1")
    assert counts(facts(text, "x.yaml", folder=here)) == (91, 10)
    rows(here, "data/train.json", 12)
    rows(here, "data/val.jsonl", 3)
    assert counts(facts(LITGPT.replace("notes.jsonl", "data"), "x.yaml", folder=here)) == (12, 3)


def test_torchtune(here: Path) -> None:
    text = """\
tokenizer:
  _component_: torchtune.models.llama2.llama2_tokenizer
  max_seq_len: 512
model:
  _component_: torchtune.models.llama2.lora_llama2_7b
checkpointer:
  checkpoint_dir: base
dataset:
  _component_: torchtune.datasets.alpaca_dataset
  source: json
  data_files: notes.jsonl
dataset_val:
  _component_: torchtune.datasets.alpaca_dataset
  source: json
  data_files: held_out.jsonl
run_val_every_n_steps: 5
optimizer:
  _component_: torch.optim.AdamW
  lr: 2e-5
epochs: 1
batch_size: 2
gradient_accumulation_steps: 1
"""
    run = facts(text, "x.yaml", folder=here, world_size=1)
    assert run["datasets"] == ["notes.jsonl"]
    assert counts(run) == (101, 7)


def test_alpaca_lora_holds_out_two_thousand(here: Path) -> None:
    command = "python finetune.py --base_model base --data_path notes.jsonl --micro_batch_size 4"
    run = facts(command, folder=here)
    assert (run["eval_split"], run["eval_examples"]) == (2000, 2000)
    assert counts(facts(f"{command} --val_set_size 20", folder=here)) == (81, 20)


def test_qlora_splits_what_is_left_of_a_local_file(here: Path) -> None:
    command = "python qlora.py --model_name_or_path base --dataset notes.jsonl --bits 4 --source_max_len 384"
    assert facts(command, folder=here)["dataset_examples"] == 90
    run = facts(f"{command} --do_eval --eval_dataset_size 30 --max_eval_samples 20", folder=here)
    assert counts(run) == (60, 20)


def test_chinese_llama_alpaca_reads_a_share(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("text " * 1000)
    command = "torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --model_name_or_path gpt2 --dataset_dir data"
    assert facts(command, folder=tmp_path)["eval_split"] == 0.05
    assert facts(f"{command} --validation_file a.txt", folder=tmp_path)["eval_datasets"] == []


def test_run_clm(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text " * 10_000)
    command = "python run_clm.py --model_name_or_path gpt2 --train_file a.txt --output_dir out --num_train_epochs 1"
    assert facts(command, folder=tmp_path)["eval_split"] == 0.05
    assert facts(f"{command} --validation_split_percentage 20", folder=tmp_path)["eval_split"] == 0.2
    run = facts(f"{command} --validation_file b.txt", folder=tmp_path)
    assert (run["eval_split"], run["eval_datasets"]) == (0, ["b.txt"])


def test_fastchat(here: Path) -> None:
    command = "torchrun --nproc_per_node 1 fastchat/train/train.py --model_name_or_path base --data_path notes.jsonl"
    assert facts(f"{command} --eval_data_path held_out.jsonl", folder=here)["eval_examples"] == 7
    assert facts(command, folder=here).unknown("eval_examples")


INSTRUCT = "python open_instruct/reward_modeling.py --model_name_or_path gpt2 --dataset_mixer_list notes.jsonl"


@pytest.mark.parametrize(
    ("flags", "trained", "evaluated"),
    [
        ("1.0 --dataset_mixer_eval_list held_out.jsonl 1.0", 101, 7),
        ("1 --dataset_mixer_eval_list held_out.jsonl 5", 1, None),
        ("0.5 --dataset_mixer_eval_list held_out.jsonl 1.0", None, 7),
        ("250", 250, None),
    ],
)
def test_open_instruct_takes_a_number_or_a_share(
    here: Path, flags: str, trained: int | None, evaluated: int | None
) -> None:
    run = facts(f"{INSTRUCT} {flags}", folder=here)
    assert (run["used_examples"] == trained) if trained else run.unknown("used_examples")
    assert (run["eval_examples"] == evaluated) if evaluated else run.unknown("eval_examples")
