"""What of a directory is trained on and what is evaluated: the splits that the datasets library makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_runs import facts
from trainlint.facts import Unknown
from trainlint.splits import is_whole, split_of, splits

TRL = "trl sft --model_name_or_path gpt2 --dataset_name data --output_dir out"
MIXTURE = """\
model_name_or_path: gpt2
output_dir: out
learning_rate: 1e-5
per_device_train_batch_size: 2
eval_strategy: epoch
datasets:
"""
AXOLOTL = """\
base_model: gpt2
micro_batch_size: 2
adapter: lora
datasets:
  - path: data
    type: completion
"""


def fill(folder: Path, *files: str) -> None:
    """Each file has as many rows as its name has characters, unlike those of any other."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("".join(f'{{"text": "{file} {row}"}}\n' for row in range(len(file))))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a.jsonl", "b/c.jsonl"], {"train": ["a.jsonl", "b/c.jsonl"]}),
        (["train.jsonl", "dev.jsonl", "more.jsonl"], {"train": ["train.jsonl"], "validation": ["dev.jsonl"]}),
        (["my_train_2.jsonl", "trainset.jsonl"], {"train": ["my_train_2.jsonl"]}),
        (["test/a.jsonl", "train.jsonl"], {"test": ["test/a.jsonl"]}),
        (["x/my-eval v2/y/a.jsonl", "b.jsonl"], {"test": ["x/my-eval v2/y/a.jsonl"]}),
        (["train_test.jsonl"], {"train": ["train_test.jsonl"], "test": ["train_test.jsonl"]}),
        (
            ["data/train-00000-of-00002.jsonl", "data/dpo-00000-of-00001.jsonl", "test.jsonl"],
            {"train": ["data/train-00000-of-00002.jsonl"], "dpo": ["data/dpo-00000-of-00001.jsonl"]},
        ),
        (["train-00000-of-00002.jsonl", "notes.jsonl"], {"train": ["train-00000-of-00002.jsonl"]}),
        (["Train.jsonl"], {"train": ["Train.jsonl"]}),
        (["Train.jsonl", "test.jsonl"], {"test": ["test.jsonl"]}),
    ],
)
def test_splits_by_name(tmp_path: Path, files: list[str], found: dict[str, list[str]]) -> None:
    divided = splits(tmp_path, [tmp_path / file for file in files])
    assert {split: [str(file.relative_to(tmp_path)) for file in part] for split, part in divided.items()} == found


def test_an_expression_is_of_one_split() -> None:
    assert split_of("train[:10%]") == "train"
    assert is_whole("train_sft")
    assert not is_whole("train[:10%]")
    with pytest.raises(Unknown):
        split_of("train+test")


@pytest.mark.parametrize(
    ("flags", "trained", "evaluated"),
    [
        ("--eval_strategy epoch", 11, 10),
        ("--eval_strategy epoch --dataset_test_split validation", 11, 9),
        ("--dataset_train_split test", 10, None),
        ("", 11, None),
    ],
)
def test_trl_reads_one_split_of_a_directory(tmp_path: Path, flags: str, trained: int, evaluated: int | None) -> None:
    fill(tmp_path / "data", "train.jsonl", "test.jsonl", "dev.jsonl")
    (tmp_path / "data" / "README.md").write_text("---\nlicense: mit\n---\n")
    run = facts(f"{TRL} {flags}", folder=tmp_path)
    assert run["dataset_examples"] == trained
    assert (run["eval_examples"] == evaluated) if evaluated else run.unknown("eval_examples")
    assert run["missing_splits"] == []


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ("--eval_strategy epoch", ["test of data (only train, validation)"]),
        ("--eval_strategy 'no'", []),
        ("--dataset_train_split train_sft", ["train_sft of data (only train, validation)"]),
        ("--eval_strategy epoch --dataset_test_split validation", []),
    ],
)
def test_splits_that_are_not_there(tmp_path: Path, flags: str, missing: list[str]) -> None:
    fill(tmp_path / "data", "train.jsonl", "dev.jsonl")
    assert facts(f"{TRL} {flags}", folder=tmp_path)["missing_splits"] == missing


@pytest.mark.parametrize("own", ["README.md", ".huggingface.yaml", "data.py"])
def test_a_directory_that_says_itself_which_files_are_which(tmp_path: Path, own: str) -> None:
    fill(tmp_path / "data", "train.jsonl")
    (tmp_path / "data" / own).write_text("---\nconfigs:\n- config_name: default\n---\n")
    run = facts(f"{TRL} --eval_strategy epoch", folder=tmp_path)
    assert "says itself" in run.unknown("missing_splits")
    assert run.unknown("dataset_examples")


def test_another_script_may_evaluate_on_anything(tmp_path: Path) -> None:
    fill(tmp_path / "data", "train.jsonl")
    command = TRL.replace("trl sft", "python sft.py") + " --eval_strategy epoch"
    assert "another script" in facts(command, folder=tmp_path).unknown("missing_splits")


def test_what_save_to_disk_wrote(tmp_path: Path) -> None:
    fill(tmp_path / "data", "state.json")
    run = facts(f"{TRL} --eval_strategy epoch", folder=tmp_path)
    assert run["saved_datasets"] == ["data"]
    assert run["missing_splits"] == []


def test_splits_that_save_to_disk_wrote(tmp_path: Path) -> None:
    """One folder each, whatever they are called; axolotl reads them as they are."""
    fill(tmp_path / "data", "train/data-00000-of-00001.jsonl", "test/data-00000-of-00001.jsonl", "train/state.json")
    (tmp_path / "data" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    run = facts(f"{TRL} --eval_strategy epoch", folder=tmp_path)
    assert run["saved_datasets"] == []
    assert run["dataset_examples"] == len("train/data-00000-of-00001.jsonl")
    (tmp_path / "data" / "prefs").mkdir()
    assert "names of their own" in facts(AXOLOTL, "x.yml", folder=tmp_path).unknown("dataset_examples")


@pytest.mark.parametrize(
    ("entries", "read", "examples"),
    [
        ("  - path: json\n    data_files: data/train.jsonl\n", ["data/train.jsonl"], 11),
        ("  - path: data\n    data_files: [train.jsonl, dev.jsonl]\n", ["data/train.jsonl", "data/dev.jsonl"], 20),
        ("  - {path: json, data_files: {train: data/dev.jsonl, test: data/train.jsonl}}\n", ["data/dev.jsonl"], 9),
        ("  - path: data\n  - path: data\n    split: validation\n", ["data", "data"], 20),
        ("  - path: data\n    split: train[:10%]\n", ["data"], None),
        ("  - path: data\n    fraction: 0.5\n", ["data"], None),
    ],
)
def test_a_mixture(tmp_path: Path, entries: str, read: list[str], examples: int | None) -> None:
    fill(tmp_path / "data", "train.jsonl", "dev.jsonl")
    (tmp_path / "m.yaml").write_text(MIXTURE + entries)
    run = facts("trl sft --config m.yaml", folder=tmp_path)
    assert run["datasets"] == read
    assert (run["used_examples"] == examples) if examples else run.unknown("used_examples")
    assert run["undivided_mixture"] is True
    (tmp_path / "m.yaml").write_text(MIXTURE + entries + "test_split_size: 0.25\n")
    run = facts("trl sft --config m.yaml", folder=tmp_path)
    assert run["undivided_mixture"] is False
    assert (run["eval_examples"] == -(-examples // 4)) if examples else run.unknown("eval_examples")


@pytest.mark.parametrize(
    ("more", "trained", "missing"),
    [
        ("", 11, []),
        ("    split: validation\n", 9, []),
        ("    split: train[:50%]\n", None, []),
        ("    shards: 4\n", None, []),
        ("    split: other\n", None, ["other of data (only train, validation)"]),
        ("test_datasets:\n  - path: data\n    type: completion\n", 11, ["test of data (only train, validation)"]),
        ("test_datasets:\n  - path: data\n    type: completion\n    split: validation\n", 11, []),
        ("test_datasets:\n  - path: data\nrl: dpo\n", 11, []),
    ],
)
def test_axolotl_reads_one_split_of_a_directory(
    tmp_path: Path, more: str, trained: int | None, missing: list[str]
) -> None:
    fill(tmp_path / "data", "train.jsonl", "dev.jsonl")
    run = facts(AXOLOTL + more, "x.yml", folder=tmp_path)
    assert (run["dataset_examples"] == trained) if trained else run.unknown("dataset_examples")
    assert run["missing_splits"] == missing
