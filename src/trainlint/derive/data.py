"""What the data on disk says. Files are measured and counted; nothing of them is run or fetched."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from trainlint.facts import Unknown, View

SUFFIXES = frozenset({".txt", ".json", ".jsonl", ".parquet", ".csv", ".tsv", ".arrow", ".md", ".zst", ".gz"})
BYTES_PER_TOKEN = 4
"""UTF-8 bytes in a token of English text under the usual vocabularies; Chinese text is nearer 3 to 4."""
MAX_COUNTED_BYTES = 64_000_000
MAX_FILES = 20_000
COMPRESSED = frozenset({".parquet", ".gz", ".zst", ".arrow"})
"""Such files hold more text than they weigh."""


def _files(r: View) -> list[Path]:
    return [file for group in _grouped(r) for file in group]


def _grouped(r: View) -> list[list[Path]]:
    """The files behind each of `datasets`. Raises `Unknown` as soon as one of them is not here."""
    files, directories = r.run.context["files"], r.run.context["directories"]
    suffix = r.dataset_format
    found: list[list[Path]] = []
    for name in r.datasets:
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
            pattern = "*" if suffix != "any" else "**/*"
            entries = list(islice(path.glob(pattern), MAX_FILES))
            if len(entries) == MAX_FILES:
                raise Unknown(f"{name} holds too many files to look at", "dataset_bytes")
            inside = [file for file in sorted(entries) if file.is_file() and _is_data(file, suffix)]
            if not inside:
                raise Unknown(f"{name} holds no data file", "dataset_bytes")
            found.append(inside)
        else:
            found.append([path])
    return found


def _is_data(file: Path, suffix: str) -> bool:
    return file.suffix == suffix if suffix != "any" else file.suffix in SUFFIXES


def dataset_bytes(r: View) -> int:
    """Bytes on disk."""
    try:
        return sum(file.stat().st_size for file in _files(r))
    except OSError as error:
        raise Unknown(f"{error.filename} cannot be read: {error.strerror}", "dataset_bytes") from None


def dataset_tokens(r: View) -> int:
    """Estimated from the bytes. A compressed file does not say how much text is in it."""
    size = r.dataset_bytes
    if "dataset_bytes" not in r.run.stated:
        packed = next((file.name for file in _files(r) if file.suffix in COMPRESSED), None)
        if packed is not None:
            raise Unknown(f"{packed} is compressed: its size says little about the text in it", "dataset_tokens")
    r.assume(f"about {BYTES_PER_TOKEN} bytes a token")
    return int(size // BYTES_PER_TOKEN)


def dataset_examples(r: View) -> int:
    """Rows of JSON Lines files and elements of JSON lists, of each data set at most `max_samples`."""
    cap = r.max_samples if "max_samples" in r.run.derivations else None
    counts = [sum(_count(file) for file in group) for group in _grouped(r)]
    return sum(min(count, int(cap)) if cap is not None else count for count in counts)


def available_examples(r: View) -> int:
    """All rows of JSON Lines files and elements of JSON lists, whatever `max_samples` says."""
    return sum(_count(file) for file in _files(r))


def _count(file: Path) -> int:
    if file.suffix not in (".json", ".jsonl"):
        raise Unknown(f"{file.name} is not counted in examples", "dataset_examples")
    if file.stat().st_size > MAX_COUNTED_BYTES:
        raise Unknown(f"{file.name} is too large to count its examples", "dataset_examples")
    data = file.read_bytes()
    if file.suffix == ".json" and data.lstrip()[:1] == b"[":
        try:
            return len(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise Unknown(f"{file.name} cannot be read: {error}", "dataset_examples") from None
    return sum(1 for line in data.splitlines() if line.strip())
