"""The splits that the datasets library makes of a directory of data files, by the names of its folders and files.

https://github.com/huggingface/datasets/blob/main/src/datasets/data_files.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from trainlint.facts import Unknown

KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}.*\..*")
"""Files of this form directly in `data/` are all that counts, and name splits of their own."""
SLICE = re.compile(r"(\w+)(?:\[[^\]]*\])?")
SEPARATOR = "[-._ 0-9]"
IN_NAME = {
    split: re.compile(f"(?:.*{SEPARATOR})?(?:{'|'.join(words)}){SEPARATOR}") for split, words in KEYWORDS.items()
}
WHOLE = {
    split: re.compile(f"(?:.*{SEPARATOR})?(?:{'|'.join(words)})(?:{SEPARATOR}.*)?") for split, words in KEYWORDS.items()
}


def split_of(stated: object) -> str:
    """The split that an expression such as `train[:10%]` is of."""
    found = SLICE.fullmatch(str(stated))
    if found is None:
        raise Unknown(f"{stated} is no single split", "dataset_splits")
    return found[1]


def is_whole(stated: object) -> bool:
    return split_of(stated) == str(stated)


def splits(directory: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """Folders decide before files do; where neither names a split, everything is `train`. What no split claims is left out."""
    inside = {file: file.relative_to(directory) for file in files}
    shards: dict[str, list[Path]] = {}
    for file, path in inside.items():
        shard = SHARD.fullmatch(path.name) if path.parts[:-1] == ("data",) else None
        if shard is not None:
            shards.setdefault(shard[1], []).append(file)
    return shards or _claimed(inside, _in_folder) or _claimed(inside, _in_name) or {"train": list(inside)}


def _claimed(inside: dict[Path, Path], claims: Callable[[str, Path], bool]) -> dict[str, list[Path]]:
    found = {split: [file for file, path in inside.items() if claims(split, path)] for split in KEYWORDS}
    return {split: files for split, files in found.items() if files}


def _in_folder(split: str, path: Path) -> bool:
    return any(WHOLE[split].fullmatch(part) for part in path.parts[:-1])


def _in_name(split: str, path: Path) -> bool:
    return IN_NAME[split].match(path.name) is not None
