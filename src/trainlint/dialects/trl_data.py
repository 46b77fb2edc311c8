"""Which data TRL's scripts load: the data set of `dataset_name` or the mixture of `datasets`, and what of it they evaluate."""

from __future__ import annotations

from typing import Any

from trainlint.derive import data_files
from trainlint.dialects.base import names
from trainlint.facts import Unknown, View
from trainlint.splits import is_whole, split_of

BUILDERS = frozenset({"json", "csv", "parquet", "text", "arrow"})
"""Paths that name a kind of file: which ones, `data_files` says."""


def datasets(r: View) -> list[str]:
    if mixture := _mixture(r):
        return [file for entry in mixture for file in _files(entry)]
    for name in ("dataset_name", "dataset_mixer", "datasets", "dataset_mixture"):
        if r.given(name):
            value: Any = r.arg(name)
            return list(value) if isinstance(value, dict) else names(value)
    raise Unknown("dataset_name is not set", "datasets")


def dataset_splits(r: View) -> list[str]:
    """A slice such as `train[:10%]` is of that split."""
    if mixture := _mixture(r):
        return [split_of(entry.get("split") or "train") for entry in mixture for _ in _files(entry)]
    return [split_of(_named(r, "dataset_train_split", "train")) for _ in r.datasets]


def sampled_examples(r: View) -> list[None]:
    """All of each data set, unless a share of it is asked for or a slice."""
    mixture = _mixture(r)
    slices = [entry.get("split") or "train" for entry in mixture] or [_named(r, "dataset_train_split", "train")]
    if any(entry.get("fraction") is not None for entry in mixture) or not all(map(is_whole, slices)):
        raise Unknown("a part of the data set is taken", "dataset_examples")
    return [None for _ in r.datasets]


def eval_split(r: View) -> float:
    """A mixture can be divided, a single data set brings its own split."""
    return float(r.arg("test_split_size") or 0) if _mixture(r) and r.given("test_split_size") else 0


def eval_datasets(r: View) -> list[str]:
    _own(r)
    return [] if _mixture(r) or r.eval_strategy == "no" else list(r.datasets)


def eval_dataset_splits(r: View) -> list[str]:
    return [split_of(_named(r, "dataset_test_split", "test")) for _ in r.eval_datasets]


def undivided_mixture(r: View) -> bool:
    """Is a split evaluated that a mixture has only where it is divided?"""
    _own(r)
    return bool(_mixture(r)) and r.eval_strategy != "no" and not eval_split(r)


def saved_datasets(r: View) -> list[str]:
    _own(r)
    return data_files.saved_datasets(r)


def _own(r: View) -> None:
    started = r.run.context.get("started")
    if started is None or not (started.name == "trl" or started.name.startswith("trl.scripts.")):
        raise Unknown("another script may have evaluation data of its own", "eval_datasets")


def _mixture(r: View) -> list[dict[str, Any]]:
    value = r.arg("datasets") if r.given("datasets") else None
    entries = value if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _files(entry: dict[str, Any]) -> list[str]:
    """Of `data_files`, those of the split that is read; beside a directory they are in it."""
    path, files = str(entry.get("path")), entry.get("data_files")
    if isinstance(files, dict):
        files = files.get(entry.get("split") or "train")
    folder = "" if path in BUILDERS else f"{path.rstrip('/')}/"
    return [f"{folder}{file}" for file in names(files)] or [path]


def _named(r: View, name: str, otherwise: str) -> str:
    return str((r.arg(name) if r.given(name) else None) or otherwise)
