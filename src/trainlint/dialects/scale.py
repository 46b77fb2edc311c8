"""What frameworks with model parallelism share: a global batch that is stated, and replicas that are counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainlint.dialects import hf_trainer
from trainlint.facts import Derivation, Unknown, View

FACTS: dict[str, Derivation] = {
    "clipping_set_by": lambda r: "framework",
    "optimizer_family": hf_trainer.optimizer_family,
    "dataset_format": lambda r: "any",
    "eval_data": lambda r: "unknown",
    "streaming": lambda r: False,
    "modules_to_save": lambda r: [],
    "torch_dtype": lambda r: "auto",
    "fsdp": lambda r: None,
    "max_steps": lambda r: None,
    "warmup_ratio": lambda r: 0.0,
}
"""What holds for every framework beside the Trainer unless it says otherwise."""


def value(r: View, *names: str, absent: Any = None) -> Any:
    """The argument of the first of these names that is given, else `absent`. For settings that no table has a default for."""
    for name in names:
        if r.given(name):
            found = r.arg(name)
            return absent if found is None else found
    return absent


def interval(name: str) -> Derivation:
    """Steps between two of something; None where 0 or less switches it off."""

    def derive(r: View) -> int | None:
        steps = r.arg(name)
        return int(steps) if steps and steps > 0 else None

    return derive


def replicas(*degrees: str) -> Derivation:
    """Data-parallel replicas: processes divided by the degrees (names of arguments) of model parallelism."""

    def derive(r: View) -> int:
        shared = 1
        for name in degrees:
            shared *= max(1, int(r.arg(name) or 1))
        return count(r.world_size, shared)

    return derive


def count(processes: int, shared: int) -> int:
    if shared < 1 or processes % shared:
        raise Unknown(f"{processes} processes cannot be divided into groups of {shared}", "data_parallel_size")
    return processes // shared


def accumulated(r: View) -> int:
    """Micro-steps of one optimizer step, where the framework states the global batch."""
    at_once = r.per_device_train_batch_size * r.data_parallel_size
    total = r.effective_batch_size
    if not at_once or total % at_once:
        raise Unknown(
            f"a global batch of {total} cannot be cut into micro-batches of {at_once}", "gradient_accumulation_steps"
        )
    return int(total // at_once)


def made_of_replicas(r: View) -> int:
    """The global batch, where the framework states the micro-steps."""
    return int(r.per_device_train_batch_size * r.gradient_accumulation_steps * r.data_parallel_size)


def spread(r: View, names: Iterable[str], otherwise: str) -> str:
    """What spreads the model over GPUs: the first degree above 1, else how the framework shards anyway."""
    for name in names:
        if (r.arg(name) or 1) > 1:
            return name.rpartition(".")[2]
    return otherwise


def schedule_share(name: str) -> Derivation:
    """The schedule's length in optimizer steps against the run's; without one it lasts as long as the run."""

    def derive(r: View) -> float:
        run, steps = r.max_steps, value(r, name)
        return float(steps / run) if steps else 1.0

    return derive


def last_part(text: Any) -> str:
    """`AdamW` of `torch.optim.AdamW`."""
    return str(text).rpartition(".")[2]
