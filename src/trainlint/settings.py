"""What the user said on the command line: profile, thresholds, and the facts that no file states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import tomli

from trainlint.document import Origin
from trainlint.facts import Fact


class SettingsError(Exception):
    """A setting that cannot be used; the message says what is accepted."""


@dataclass(frozen=True)
class Settings:
    """How to lint. `stated` are facts by name; `defines` shell variables by name."""

    profile: Literal["default", "strict"] = "default"
    stated: Mapping[str, Fact] = field(default_factory=dict)
    defines: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Path, ...] = ()


def state(
    world_size: int | None = None,
    gpu: str | None = None,
    gpu_memory: float | None = None,
    dataset_bytes: int | None = None,
    tokens: int | None = None,
) -> dict[str, Fact]:
    """The facts that options state. Raises `SettingsError` for a GPU that is not in the table."""
    facts: dict[str, Fact] = {}

    def add(name: str, value: Any, option: str) -> None:
        if value is not None:
            facts[name] = Fact(name, value, "known", Origin("option", option))

    if gpu is not None:
        known = gpus()
        if gpu not in known:
            raise SettingsError(f"--gpu {gpu}: known are {', '.join(known)}; or say --gpu-memory GIB")
        add("gpu_memory", float(known[gpu]["memory"]), f"--gpu {gpu}")
        add("gpu_bf16", bool(known[gpu]["bf16"]), f"--gpu {gpu}")
    add("gpu_memory", gpu_memory, f"--gpu-memory {gpu_memory:g}" if gpu_memory else "")
    add("world_size", world_size, f"--world-size {world_size}")
    add("dataset_bytes", dataset_bytes, f"--dataset-bytes {dataset_bytes}")
    add("dataset_tokens", tokens, f"--tokens {tokens}")
    return facts


@cache
def gpus() -> dict[str, dict[str, Any]]:
    """The GPUs that `--gpu` knows: memory in GiB and whether they compute in bf16."""
    text = (files("trainlint") / "data" / "gpus.toml").read_text("utf-8")
    return dict(tomli.loads(text)["gpu"])
