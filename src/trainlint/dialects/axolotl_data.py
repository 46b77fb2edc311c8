"""Which data axolotl loads: the files of each data set, and of a directory the split."""

from __future__ import annotations

from typing import Any

from trainlint.dialects import axolotl_columns
from trainlint.dialects.base import names
from trainlint.facts import Unknown, View
from trainlint.splits import is_whole, split_of


def entries(r: View, name: str) -> list[dict[str, Any]]:
    value = r.arg(name) if r.given(name) else None
    found = value if isinstance(value, list) else [value]
    return [entry if isinstance(entry, dict) else {"path": entry} for entry in found if entry]


def datasets(r: View) -> list[str]:
    if not (training := _training(r)):
        raise Unknown("datasets is not set", "datasets")
    return [file for entry in training for file in _files(entry)]


def dataset_splits(r: View) -> list[str]:
    return [split_of(entry.get("split") or "train") for entry in _training(r) for _ in _files(entry)]


def sampled_examples(r: View) -> list[None]:
    """All of each data set, unless a slice or a shard of it is asked for."""
    if any(entry.get("shards") or not is_whole(entry.get("split") or "train") for entry in _training(r)):
        raise Unknown("a part of the data set is taken", "dataset_examples")
    return [None for _ in r.datasets]


def eval_datasets(r: View) -> list[str]:
    return [file for entry in entries(r, "test_datasets") for file in _files(entry)]


def eval_dataset_splits(r: View) -> list[str]:
    """Preferences are taken from `train`, whatever they are for."""
    usual = "train" if r.given("rl") and r.arg("rl") else "test"
    return [split_of(entry.get("split") or usual) for entry in entries(r, "test_datasets") for _ in _files(entry)]


def required_columns(r: View) -> list[list[str | tuple[str, ...]]]:
    """Rows that are tokenized already are taken as they are."""
    if r.given("skip_prepare_dataset") and r.arg("skip_prepare_dataset"):
        raise Unknown("skip_prepare_dataset takes the data as it is")
    pretraining = bool(r.given("pretraining_dataset") and r.arg("pretraining_dataset"))
    return [
        [(*names(name), "input_ids") for name in axolotl_columns.required(entry, r.stage, pretraining)]
        for entry in _training(r)
        for _ in _files(entry)
    ]


def _training(r: View) -> list[dict[str, Any]]:
    return entries(r, "pretraining_dataset") or entries(r, "datasets")


def _files(entry: dict[str, Any]) -> list[str]:
    files = entry.get("data_files")
    return names(files) if files else [str(entry.get("path"))]
