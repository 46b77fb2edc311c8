"""Finding the training configurations below a directory: by what the files say, not by their names alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = frozenset({".sh", ".bash", ".slurm", ".sbatch", ".yaml", ".yml", ".json"})
IGNORED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})
HINTS = re.compile(
    rb"per_device_train_batch_size|gradient_accumulation_steps|learning_rate|num_train_epochs|micro_batch_size"
    rb"|zero_optimization|finetuning_type|torchrun|torch\.distributed|deepspeed|accelerate|llamafactory-cli|trl |base_model"
)
"""A file with none of these describes no run that any dialect reads, so it need not be parsed."""
MAX_BYTES = 1_000_000


def candidates(directory: Path) -> Iterator[Path]:
    """Files below `directory` that may be configurations, in order. Hidden and installed directories are left out."""
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in IGNORED and not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() in SUFFIXES:
                yield path


def promising(path: Path) -> bool:
    """Is a file worth parsing? Unreadable ones are not."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return False
        return HINTS.search(path.read_bytes()) is not None
    except OSError:
        return False
