"""A lower bound for the memory of one GPU: weights, gradients and optimizer states, without activations.

16 bytes a parameter for full training with Adam (ZeRO paper: 2 + 2 + 12), 2 for the frozen 16-bit base of LoRA, 0.6 for
a 4-bit base. Every measured run lies at or above it.
"""

from __future__ import annotations

from trainlint.facts import Unknown, View

WEIGHTS, GRADIENTS, OPTIMIZER = 2.0, 2.0, 12.0
FROZEN = {"lora": 2.0, "qlora": 0.6}
GIB = 2**30


def memory_lower_bound(r: View) -> float:
    """GiB per GPU. Whatever is not known to stay on the GPU is taken as absent, so that the bound holds."""
    parameters = r.model_parameters
    if r.fsdp:
        raise Unknown("FSDP may shard or offload everything", "memory_lower_bound")
    offload, stage, shards = r.offload, r.zero_stage, 1
    if stage:
        shards = r.world_size
    if r.method in FROZEN:
        held = FROZEN[r.method] if offload != "parameters" else 0.0
        return float(parameters * held / (shards if stage == 3 else 1) / GIB)
    if r.method != "full":
        raise Unknown(f"what {r.method} keeps in memory is not known", "memory_lower_bound")
    if r.optimizer_family != "adam" or "8bit" in str(r.optim) or "paged" in str(r.optim):
        raise Unknown(f"the states of {r.optim} are not known", "memory_lower_bound")
    weights = 0.0 if offload == "parameters" else WEIGHTS / (shards if stage == 3 else 1)
    gradients = GRADIENTS / (shards if stage >= 2 else 1)
    optimizer = 0.0 if offload != "none" else OPTIMIZER / (shards if stage >= 1 else 1)
    return float(parameters * (weights + gradients + optimizer) / GIB)
