"""How a run's model, its optimizer states and its sequences are spread over the GPUs."""

from __future__ import annotations

from trainlint.derive.model import shape
from trainlint.facts import Unknown, View


def gpus(r: View) -> int:
    """One for each process, unless the framework lets one process spread its model over several."""
    return int(r.world_size)


def spread_by(r: View) -> str | None:
    return None


def under_fsdp(r: View) -> bool:
    return bool(r.fsdp) or r.spread_by == "FSDP"


def sharding_stage(r: View) -> int:
    """ZeRO's stage, or the one that FSDP comes to: 1 shards optimizer states, 2 gradients too, 3 parameters too."""
    fsdp = r.fsdp or ("FSDP" if r.spread_by == "FSDP" else None)
    if not fsdp:
        if r.spread_by:
            raise Unknown(f"how {r.spread_by} shards is not known", "sharding_stage")
        return int(r.zero_stage)
    words = str(fsdp).lower()
    if "hybrid" in words or "no_shard" in words:
        raise Unknown(f"how {fsdp} shards is not known", "sharding_stage")
    if "shard_grad_op" in words:
        return 2
    r.assume("FSDP is taken to shard parameters, gradients and optimizer states over all GPUs")
    return 3


def tensor_parallel_size(r: View) -> int:
    return _undivided(r)


def pipeline_parallel_size(r: View) -> int:
    return _undivided(r)


def _undivided(r: View) -> int:
    if r.spread_by not in (None, "FSDP"):
        raise Unknown(f"how {r.spread_by} divides the model is not known")
    return 1


def model_parallel_size(r: View) -> float:
    return float(r.tensor_parallel_size * r.pipeline_parallel_size)


def context_parallel_size(r: View) -> int:
    return 1


def sequence_parallel(r: View) -> bool:
    return True


def shards(r: View, stage: int) -> float:
    """Over how many GPUs what this stage shards is spread."""
    divided: float = r.model_parallel_size
    return max(r.gpus, divided) if r.sharding_stage >= stage else divided


def shares_of_fullest(r: View, stage: int) -> float:
    """The same on the fullest stage of a pipeline, which has the embedding or the output layer beside its layers."""
    stages = r.pipeline_parallel_size
    if stages == 1:
        return shards(r, stage)
    of_model = shape(r)
    fullest = (of_model.parameters - of_model.embeddings) / stages + of_model.vocab * of_model.hidden
    return float(shards(r, stage) * of_model.parameters / stages / fullest)


def shards_at_most(r: View, stage: int) -> float:
    """Every weight, gradient and state lies on one of the GPUs at least: where nothing more is known, on any of them."""
    if all(r.run.fact(name).known for name in ("sharding_stage", "model_parallel_size")):
        return shards(r, stage)
    return float(r.gpus)
