"""LLaMA-Factory's `dataset_info.json`: which data sets there are, and which files are behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers_dialects import certain_issues, issues
from helpers_runs import facts, launches

YAML = """\
model_name_or_path: meta-llama/Llama-2-7b-hf
stage: sft
do_train: true
finetuning_type: lora
template: llama2
cutoff_len: 1024
dataset: mine, theirs
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    info = {"mine": {"file_name": "mine.json"}, "theirs": {"file_name": "theirs.jsonl"}}
    info["hub"] = {"hf_hub_url": "org/hub", "file_name": "mine.json"}
    (data / "dataset_info.json").write_text(json.dumps(info))
    (data / "mine.json").write_text('[{"a": 1}]')
    (data / "theirs.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    return tmp_path


def test_the_files_behind_the_names(folder: Path) -> None:
    run = facts(YAML, "x.yaml", folder=folder)
    assert run["datasets"] == ["data/mine.json", "data/theirs.jsonl"]
    assert (run["dataset_bytes"], run["dataset_examples"]) == (10 + 18, 3)
    assert issues(YAML, "x.yaml", folder=folder) == []


def test_an_address_goes_before_a_file(folder: Path) -> None:
    run = facts(YAML.replace("mine, theirs", "hub"), "x.yaml", folder=folder)
    assert run["datasets"] == ["hub"]
    assert "not on this machine" in run.unknown("dataset_bytes")


def test_a_name_that_is_not_there(folder: Path) -> None:
    text = YAML.replace("theirs", "thiers") + "eval_dataset: other\n"
    assert certain_issues(text, "x.yaml", folder=folder) == [
        ("choice", "thiers", 7, 16, True),
        ("choice", "other", 8, 15, True),
    ]
    (launch,) = launches(text, "x.yaml", folder=folder)
    first, second = launch.first.arguments.issues
    assert first.message.endswith("has no data set thiers; did you mean theirs?")
    assert second.advice == "add other to dataset_info.json"


def test_what_the_command_puts_over_the_file_counts(folder: Path) -> None:
    (folder / "x.yaml").write_text(YAML)
    assert issues("llamafactory-cli train x.yaml dataset=mine", folder=folder) == []
    assert issues("llamafactory-cli train x.yaml dataset=wrong", folder=folder) == [("choice", "wrong", 1, 39)]
    flags = " ".join(f"--{line.replace(': ', ' ')}" for line in YAML.splitlines()[:-1])
    command = f"python src/train.py {flags} --dataset mine,wrong"
    assert [shown for _, shown, _, _ in issues(command, folder=folder)] == ["wrong"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mine, theirs", "wrong\ndataset_dir: ONLINE"),
        ("mine, theirs", "wrong\ndataset_dir: elsewhere"),
        ("mine, theirs", "path/to/dataset"),
        ("mine, theirs", "${DATA}"),
    ],
)
def test_where_nobody_can_tell(folder: Path, old: str, new: str) -> None:
    assert issues(YAML.replace(old, new), "x.yaml", folder=folder) == []


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_a_dataset_info_that_says_nothing(folder: Path, text: str) -> None:
    (folder / "data" / "dataset_info.json").write_text(text)
    assert issues(YAML, "x.yaml", folder=folder) == []
    assert facts(YAML, "x.yaml", folder=folder)["datasets"] == ["mine", "theirs"]
