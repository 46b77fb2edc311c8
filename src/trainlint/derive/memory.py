"""A lower bound for the memory of one GPU: weights, gradients and optimizer states, without activations.

16 bytes a parameter for full training with Adam and 32-bit weights for the optimizer (ZeRO paper: 2 + 2 + 12), 8 where
weights, gradients and states are all 16 bits wide, 2 for the frozen 16-bit base of LoRA, 0.6 for a 4-bit base. Every
measured run lies at or above it.
"""

from __future__ import annotations

import re

from trainlint.facts import Unknown, View

WEIGHTS, GRADIENTS, OPTIMIZER, PURE_OPTIMIZER = 2.0, 2.0, 12.0, 4.0
FROZEN = {"lora": 2.0, "qlora": 0.6}
GIB = 2**30
PACKED = re.compile(r"awq|gptq|gguf|int[48]|[48][-_]?bit|fp[48]|nf4|gpt-oss", re.IGNORECASE)
"""Names of checkpoints that hold their weights in 8 bits or fewer."""


def fp32_copy(r: View) -> bool:
    """DeepSpeed keeps 32-bit weights beside the 16-bit ones; else there are some only where the model is loaded so."""
    return bool(r.deepspeed) or r.torch_dtype == "float32"


def spread_by(r: View) -> str | None:
    return None


def checkpoint_gigabytes(r: View) -> float:
    """One checkpoint of full training: the weights and Adam's states, 32-bit copies where the optimizer keeps them."""
    if r.method != "full" or r.optimizer_family != "adam" or "8bit" in str(r.optim):
        raise Unknown("only checkpoints of full training with Adam are estimated", "checkpoint_gigabytes")
    states = OPTIMIZER if r.fp32_copy else PURE_OPTIMIZER
    return float(r.model_parameters * (WEIGHTS + states) / 1e9)


def memory_lower_bound(r: View) -> float:
    """GiB per GPU. Whatever is not known to stay on the GPU is taken as absent, so that the bound holds."""
    parameters = r.model_parameters
    spread = "FSDP" if r.fsdp else r.spread_by
    if spread:
        raise Unknown(f"{spread} may shard or offload everything", "memory_lower_bound")
    if PACKED.search(str(r.model_name_or_path)):
        raise Unknown(f"{r.model_name_or_path} is stored with fewer bits, by its name", "memory_lower_bound")
    offload, stage, shards = r.offload, r.zero_stage, 1
    if stage:
        shards = r.world_size
    if r.method in FROZEN:
        packed = r.method == "qlora" or r.quantization_bits is not None
        held = 0.0 if offload == "parameters" else FROZEN["qlora" if packed else "lora"]
        return float(parameters * held / (shards if stage == 3 else 1) / GIB)
    if r.method != "full":
        raise Unknown(f"what {r.method} keeps in memory is not known", "memory_lower_bound")
    if r.optimizer_family != "adam" or "8bit" in str(r.optim) or "paged" in str(r.optim):
        raise Unknown(f"the states of {r.optim} are not known", "memory_lower_bound")
    weights = 0.0 if offload == "parameters" else WEIGHTS / (shards if stage == 3 else 1)
    gradients = GRADIENTS / (shards if stage >= 2 else 1)
    states = OPTIMIZER if r.fp32_copy else PURE_OPTIMIZER
    optimizer = 0.0 if offload != "none" else states / (shards if stage >= 1 else 1)
    return float(parameters * (weights + gradients + optimizer) / GIB)
