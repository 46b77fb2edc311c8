"""The files behind the data sets of a run: of a directory those that the trainer would load, by suffix or by split."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from trainlint.facts import Unknown, View
from trainlint.splits import KEYWORDS, splits

SUFFIXES = frozenset({".txt", ".json", ".jsonl", ".parquet", ".csv", ".tsv", ".arrow", ".md", ".zst", ".gz"})
DESCRIPTIONS = frozenset({"README.md", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
"""What lies beside the data."""
SAVED = "state.json"
"""What `save_to_disk` writes beside the data."""
SAVED_SPLITS = "dataset_dict.json"
"""What it writes beside several splits, which have a folder each."""
MAX_FILES = 20_000
CONFIGS = re.compile(r"^configs:", re.MULTILINE)
"""In the head of a README.md: which files are which split."""


def training_files(r: View) -> list[Path]:
    return [file for group in trained(r) for file in group]


def trained(r: View) -> list[list[Path]]:
    return grouped(r, r.datasets, splits_read(r, "dataset_splits", r.datasets))


def evaluated(r: View) -> list[list[Path]]:
    return grouped(r, r.eval_datasets, splits_read(r, "eval_dataset_splits", r.eval_datasets))


def splits_read(r: View, fact: str, datasets: list[str]) -> list[str | None]:
    """Of each the split that is read of it where it is a directory: None for all of its files, as in most frameworks."""
    return list(getattr(r, fact)) if fact in r.run.derivations else [None] * len(datasets)


def grouped(r: View, datasets: list[str], named: list[str | None]) -> list[list[Path]]:
    """The files behind each data set. Raises `Unknown` as soon as one of them is not here."""
    files, directories = r.run.context["files"], r.run.context["directories"]
    suffix = r.dataset_format
    found: list[list[Path]] = []
    for name, split in zip(datasets, named, strict=True):
        if any(char in name for char in "*?["):
            matches = files.glob(name, directories)
            if not matches:
                raise Unknown(f"{name} matches no file on this machine", "dataset_bytes")
            found.append(matches)
            continue
        try:
            path = files.find(name, directories)
        except Unknown as missing:
            raise Unknown(missing.reason, "dataset_bytes") from None
        if not path.exists():
            raise Unknown(f"{name} is only written when the script runs", "dataset_bytes")
        if path.is_dir():
            found.append(_inside(path, name, suffix) if split is None else _of_split(path, name, split))
        else:
            found.append([path])
    return found


def _inside(directory: Path, name: str, suffix: str) -> list[Path]:
    """Its data files: those of the suffix that the framework asks for, or what the datasets library would load of it."""
    entries = list(islice(directory.glob("*" if suffix != "any" else "**/*"), MAX_FILES))
    if len(entries) == MAX_FILES:
        raise Unknown(f"{name} holds too many files to look at", "dataset_bytes")
    inside = [file for file in sorted(entries) if _is_data(file, suffix, directory) and file.is_file()]
    if not inside:
        raise Unknown(f"{name} holds no data file", "dataset_bytes")
    return inside


def _is_data(file: Path, suffix: str, directory: Path) -> bool:
    if suffix != "any":
        return file.suffix == suffix
    return file.suffix in SUFFIXES and _counts(file, directory)


def _counts(file: Path, directory: Path) -> bool:
    """Does the datasets library see it? What describes the data and what is hidden it leaves out."""
    hidden = any(part.startswith((".", "__")) for part in file.relative_to(directory).parts)
    return file.name not in DESCRIPTIONS and not hidden


def _of_split(directory: Path, name: str, split: str) -> list[Path]:
    divided = _divided(directory, name)
    inside = [file for file in divided.get(split, []) if file.suffix in SUFFIXES]
    if not inside:
        raise Unknown(f"{name} has no data file for the split {split}", "dataset_bytes")
    if len({file.suffix for file in inside}) > 1:
        raise Unknown(f"{name} holds files of several kinds, of which the datasets library takes one", "dataset_bytes")
    return inside


def _divided(directory: Path, name: str) -> dict[str, list[Path]]:
    """The splits of a directory. Raises `Unknown` where something in it says otherwise than by names, or nothing is there."""
    card = directory / "README.md"
    try:
        own = card.exists() and CONFIGS.search(card.read_text("utf-8", "replace")) is not None
    except OSError as error:
        raise Unknown(f"{card} cannot be read: {error.strerror}") from None
    if own or any((directory / file).exists() for file in (".huggingface.yaml", f"{directory.resolve().name}.py")):
        raise Unknown(f"{name} says itself which files are its splits", "dataset_bytes")
    if (directory / SAVED_SPLITS).exists() and not _folders(directory) <= KEYWORDS.keys():
        raise Unknown(f"{name} has splits of names of their own", "dataset_bytes")
    entries = list(islice(directory.glob("**/*"), MAX_FILES))
    if len(entries) == MAX_FILES:
        raise Unknown(f"{name} holds too many files to look at", "dataset_bytes")
    files = [file for file in sorted(entries) if _counts(file, directory) and file.is_file()]
    if not any(file.suffix in SUFFIXES for file in files):
        raise Unknown(f"{name} holds no data file", "dataset_bytes")
    return splits(directory, files)


def _folders(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir() if entry.is_dir()}


def missing_splits(r: View) -> list[str]:
    """Splits of directories on this machine that are read and not there, each with those that are."""
    asked = list(zip(r.datasets, r.dataset_splits, strict=True))
    asked += list(zip(r.eval_datasets, r.eval_dataset_splits, strict=True))
    found = []
    for name, split in asked:
        try:
            path = r.run.context["files"].find(name, r.run.context["directories"])
        except Unknown as missing:
            raise Unknown(missing.reason, "missing_splits") from None
        if not path.is_dir() or any((path / file).exists() for file in (SAVED, SAVED_SPLITS)):
            continue
        if split not in (there := _divided(path, name)):
            found.append(f"{split} of {name} (only {', '.join(there)})")
    return found


def saved_datasets(r: View) -> list[str]:
    """Directories that `save_to_disk` wrote, which `load_from_disk` alone reads."""
    files, directories = r.run.context["files"], r.run.context["directories"]
    found = []
    for name in r.datasets:
        try:
            found += [name] if (files.find(name, directories) / SAVED).exists() else []
        except Unknown:
            continue
    return found
