"""The texts of the probe: the new one that is learned, the user's or our own, and the English that must not be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from trainlint.facts import Run, Unknown

MIN_BYTES = 20_000
"""Less text than this cannot be learned and held out from at once."""
MAX_BYTES = 1_000_000
"""Read from the user's files, at most; a probe sees less than half of it."""
MIN_HELD_OUT = 8192
SHARE_HELD_OUT = 0.1
CHUNK = 1024
"""Bytes, about, of neighbouring lines that are held out together."""
MAX_ASCII = 0.6
"""Above this share of ASCII a text is English or code as likely as not, and learning it is not told from keeping English."""
OWN = "the probe's own Chinese text"
ENGLISH = ("kjv", "austen", "jargon")


@dataclass(frozen=True)
class Text:
    """A new domain: UTF-8 bytes to train on and bytes held out. `note` says why it is not the user's own."""

    name: str
    training: bytes
    held_out: bytes
    note: str = ""

    @property
    def size(self) -> int:
        return len(self.training) + len(self.held_out)


def of(run: Run) -> Text:
    """The text that the run names, or our own with the reason why."""
    try:
        names, data = _user(run)
    except Unknown as missing:
        return own(f"{missing.reason}; {OWN} stands in for your data")
    if len(data) < MIN_BYTES:
        reason = (
            f"your data ({len(data):,} bytes) is refused: with less than {MIN_BYTES:,} bytes nothing can be held out"
        )
        return own(f"{reason}; {OWN} stands in for it")
    if sum(byte < 128 for byte in data) > MAX_ASCII * len(data):
        reason = "your data is refused: it is mostly ASCII, and learning more English is not told from forgetting it"
        return own(f"{reason}; {OWN} stands in for it")
    training, held_out = hold_out(data)
    return Text(names, training, held_out)


@cache
def own(note: str = "") -> Text:
    """The Chinese prose that comes with the probe."""
    folder = files("trainlint.probe") / "data"
    parts = sorted((part for part in folder.iterdir() if part.name.endswith(".txt")), key=lambda part: part.name)
    training, held_out = hold_out(b"\n".join(part.read_bytes() for part in parts))
    return Text(OWN, training, held_out, note)


@cache
def english() -> dict[str, bytes]:
    """Held-out English that the base never saw, by source."""
    folder = files("trainlint.probe") / "base"
    return {name: (folder / f"held_out_{name}.txt").read_bytes() for name in ENGLISH}


def sample_of_base() -> str:
    """What the base writes before any training."""
    config = json.loads((files("trainlint.probe") / "base" / "config.json").read_text("utf-8"))
    return str(config["sample"])


def hold_out(data: bytes) -> tuple[bytes, bytes]:
    """Training and held-out bytes: chunks of whole lines at even distances, a tenth of them and never less than 8 KB."""
    chunks: list[bytes] = []
    for line in data.splitlines(keepends=True):
        if chunks and len(chunks[-1]) < CHUNK:
            chunks[-1] += line
        else:
            chunks.append(line)
    wanted = max(MIN_HELD_OUT, SHARE_HELD_OUT * len(data))
    every = max(2, int(len(data) / wanted))
    held = chunks[every // 2 :: every]
    return b"".join(chunk for i, chunk in enumerate(chunks) if i % every != every // 2), b"".join(held)


def _user(run: Run) -> tuple[str, bytes]:
    """The names and the bytes of the text that the run trains on. Raises `Unknown`."""
    fact = run.fact("datasets")
    if not fact.known or not fact.value:
        raise Unknown(fact.reason or "no data is named")
    paths = [path for name in fact.value for path in _files(run, str(name))]
    data = b""
    for path in paths:
        if len(data) >= MAX_BYTES:
            break
        data += _plain(path)[: MAX_BYTES - len(data)]
    return ", ".join(str(name) for name in fact.value), data.decode("utf-8", "ignore").encode()


def _files(run: Run, name: str) -> list[Path]:
    path: Path = run.context["files"].find(name, run.context["directories"])
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Unknown(f"{name} is no file that holds data")
    form = run.fact("dataset_format")
    suffix = form.value if form.known and form.value != "any" else ""
    return sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(suffix))


def _plain(path: Path) -> bytes:
    """The text in a file: as it is, or the strings of its JSON, one a line."""
    if path.suffix in (".txt", ".md", ""):
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES)
    if path.suffix not in (".json", ".jsonl"):
        raise Unknown(f"{path.name} is no plain text that the probe reads")
    with path.open("rb") as stream:
        data = stream.read(8 * MAX_BYTES)
    try:
        rows = json.loads(data) if path.suffix == ".json" else [json.loads(line) for line in data.splitlines() if line]
    except (ValueError, RecursionError):
        raise Unknown(f"{path.name} cannot be read as JSON") from None
    return "\n".join(_strings(rows)).encode()


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, dict):
        yield from _strings(list(node.values()))
