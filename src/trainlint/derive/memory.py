"""The memory of one GPU: a lower bound that is sure, and an estimate with its parts. All in GiB.

The bound is weights, gradients and optimizer states alone: 16 bytes a parameter for full training with Adam and 32-bit weights
for the optimizer (ZeRO paper: 2 + 2 + 12), 8 where weights, gradients and states are all 16 bits wide, 2 for the frozen 16-bit
base of LoRA, 0.6 for a 4-bit base. Whatever is not known to stay on the GPU is taken as absent. The estimate is the best guess;
docs/memory.md compares both with measured runs.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.derive.model import shape
from trainlint.facts import Unknown, View

GIB = 2**30
WEIGHTS, GRADIENTS, OPTIMIZER, PURE_OPTIMIZER = 2.0, 2.0, 12.0, 4.0
FROZEN = {"lora": 2.0, "qlora": 0.6}
PACKED = re.compile(r"awq|gptq|gguf|int[48]|[48][-_]?bit|fp[48]|nf4|gpt-oss", re.IGNORECASE)
"""Names of checkpoints that hold their weights in 8 bits or fewer."""
SEVERAL_PARTS = re.compile(
    r"(^|[^a-z])(vl|vlm|vision|omni|audio|ocr|llava|internvl)([^a-z]|$)|\d+(\.\d+)?v(-|$)", re.IGNORECASE
)
"""Names of models with an encoder beside the text model, of which trainers freeze parts."""

ACCUMULATED = 4.0
"""Bytes of a gradient: 32 bits, as DeepSpeed and autocast keep it (transformers documentation, model memory anatomy)."""
QUANTISED = {4: 0.53, 8: 1.03}
"""Bytes of a weight in so many bits, with its share of the scales of blocks of 64."""
LIVE_PARAMETERS = 1e9
"""DeepSpeed gathers so many parameters at most under ZeRO-3 (stage3_max_live_parameters)."""
PER_LOGIT = 10.0
"""Logits in 16 bits, their copy in 32 bits and its gradient."""
OVERHEAD = 1.5
"""CUDA's context, the workspaces of its kernels, and what the allocator cannot use."""
FUSED_LOSS = ("use_liger_kernel", "enable_liger_kernel", "liger_fused_linear_cross_entropy")


# ------------------------------------------------------------------------------------------------- how it is spread


def fp32_copy(r: View) -> bool:
    """DeepSpeed keeps 32-bit weights beside the 16-bit ones; else there are some only where the model is loaded so."""
    return bool(r.deepspeed) or r.torch_dtype == "float32"


def spread_by(r: View) -> str | None:
    return None


def sharding_stage(r: View) -> int:
    """ZeRO's stage, or the one that FSDP comes to: 1 shards optimizer states, 2 gradients too, 3 parameters too."""
    fsdp = r.fsdp or ("FSDP" if r.spread_by == "FSDP" else None)
    if not fsdp:
        if r.spread_by:
            raise Unknown(f"how {r.spread_by} shards is not known", "sharding_stage")
        return int(r.zero_stage)
    words = str(fsdp).lower()
    if "offload" in words or "hybrid" in words:
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


def tokens_per_micro_step(r: View) -> int:
    """Tokens that are on one GPU at a time."""
    return int(r.per_device_train_batch_size * r.sequence_length)


def _shards(r: View, stage: int) -> int:
    """Over how many GPUs what this stage shards is spread."""
    divided = r.tensor_parallel_size * r.pipeline_parallel_size
    if r.sharding_stage < stage:
        return int(divided)
    return int(max(r.world_size, divided))


# -------------------------------------------------------------------------------------------------- the sure bound


def memory_lower_bound(r: View) -> float:
    """GiB per GPU. Whatever is not known to stay on the GPU is taken as absent, so that the bound holds."""
    parameters = r.model_parameters
    spread = "FSDP" if r.fsdp else r.spread_by
    if spread:
        raise Unknown(f"{spread} may shard or offload everything", "memory_lower_bound")
    _check_stored(r, "memory_lower_bound")
    offload, stage, shards = r.offload, r.zero_stage, 1
    if stage:
        shards = r.world_size
    if r.method in FROZEN:
        bits = r.quantization_bits
        packed = r.method == "qlora" or bits is not None
        held = 0.0 if offload == "parameters" else FROZEN["qlora" if packed else "lora"]
        if bits in (1, 2, 3):
            held = min(held, bits / 8)
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


def _check_stored(r: View, wanted: str) -> None:
    """Raises `Unknown` where fewer bits are stored or a part of the model may be frozen."""
    if "model_name_or_path" in r.run.derivations:
        name = str(r.model_name_or_path)
        if PACKED.search(name):
            raise Unknown(f"{name} is stored with fewer bits, by its name", wanted)
        if r.method == "full" and SEVERAL_PARTS.search(name):
            raise Unknown(f"{name} has parts beside the text model, by its name", wanted)
    if not r.run.fact("model").known:
        return
    if r.model.quantization:
        raise Unknown(f"{r.model} is stored quantised ({r.model.quantization})", wanted)
    if r.method == "full" and (r.model.kind in ("vision", "audio") or "vision_config" in r.model.config):
        raise Unknown(f"{r.model} has parts beside the text model, which may be frozen", wanted)


# ------------------------------------------------------------------------------------------------- the estimate


def full_recomputation(r: View) -> bool:
    return bool(r.gradient_checkpointing)


def _trained(r: View) -> list[tuple[int, float, float, float]]:
    """What is trained: so many parameters, each with bytes for its weight, its gradient and its optimizer state."""
    if r.method == "full":
        if r.deepspeed or r.spread_by not in (None, "FSDP"):
            return [(r.model_parameters, 2, ACCUMULATED, 4 + _states(r, 4))]
        if r.fp32_copy:
            weights = 4 if r.mixed_precision == "no" else 6
            return [(r.model_parameters, weights, ACCUMULATED, _states(r, 4))]
        return [(r.model_parameters, 2, 2, _states(r, 2))]
    if r.method not in FROZEN:
        raise Unknown(f"what {r.method} keeps in memory is not known", "memory_estimate")
    if r.deepspeed:
        return [(r.trainable_parameters, 2, 2, 4 + _states(r, 4))]
    # peft makes adapters in 32 bits, and modules in full as the model has them
    beside = r.trainable_parameters - r.lora_parameters
    return [(r.lora_parameters, 4, ACCUMULATED, _states(r, 4)), (beside, 2, 2, _states(r, 4))]


def _states(r: View, width: int) -> float:
    """Bytes of the optimizer's states of one parameter, where they are as wide as its weight."""
    name = str(r.optim).lower()
    if "adafactor" in name or name == "sgd":
        return 0.0
    count = 1 if "lion" in name else 2
    if r.optimizer_family != "adam" and "lion" not in name:
        raise Unknown(f"the states of {r.optim} are not known", "memory_optimizer")
    return float(count * (1 if "8bit" in name or "bnb" in name else width))


def memory_weights(r: View) -> float:
    _check_stored(r, "memory_weights")
    if r.offload == "parameters":
        return 0.0
    size = sum(count * weight for count, weight, _, _ in _trained(r))
    if r.method in FROZEN:
        size += _frozen(r)
    return float(size / _shards(r, 3) / GIB)


def _frozen(r: View) -> float:
    bits = r.quantization_bits or (4 if r.method == "qlora" else None)
    if bits is None or bits not in QUANTISED:
        return float(r.model_parameters * (4 if r.torch_dtype == "float32" else 2))
    of_model = shape(r)
    # embeddings and the output layer stay as they are
    return float(of_model.matrices * QUANTISED[bits] + of_model.embeddings * 2)


def memory_gradients(r: View) -> float:
    return float(sum(count * gradient for count, _, gradient, _ in _trained(r)) / _shards(r, 2) / GIB)


def memory_optimizer(r: View) -> float:
    if r.offload != "none":
        return 0.0
    return float(sum(count * state for count, _, _, state in _trained(r)) / _shards(r, 1) / GIB)


def memory_gathered(r: View) -> float:
    """What sharded parameters are gathered into, in 16 bits: under ZeRO-3 up to a limit, under FSDP two layers."""
    if r.sharding_stage < 3:
        return 0.0
    of_model = shape(r)
    under_fsdp = bool(r.fsdp) or r.spread_by == "FSDP"
    layers = 2 * of_model.matrices / of_model.layers if under_fsdp else min(of_model.matrices, LIVE_PARAMETERS)
    return float(2 * (layers + of_model.vocab * of_model.hidden) / GIB)


def memory_activations(r: View) -> float:
    """With checkpointing the input of every layer, and the inside of one; else the inside of all."""
    of_model = shape(r)
    inside = of_model.activations
    layers = of_model.layers * inside if not r.full_recomputation else of_model.layers * 2 * of_model.hidden + inside
    return float(r.tokens_per_micro_step * layers / r.tensor_parallel_size / GIB)


def memory_logits(r: View) -> float:
    """The last layer's outputs for every token of the vocabulary; a loss that is fused with that layer never has them whole."""
    if any(r.given(name) and r.arg(name) for name in FUSED_LOSS):
        return 0.0
    return float(r.tokens_per_micro_step * r.model_vocab_size * PER_LOGIT / r.tensor_parallel_size / GIB)


PARTS = ("weights", "gradients", "optimizer", "gathered", "activations", "logits")


def memory_estimate(r: View) -> float:
    """The sum of the parts and what CUDA itself takes. Preference and reward models keep more than one model's worth."""
    if r.stage not in ("pt", "sft", "scratch"):
        raise Unknown(f"what {r.stage} keeps in memory beside the model is not known", "memory_estimate")
    parts: list[Any] = [getattr(r, f"memory_{part}") for part in PARTS]
    r.assume("an estimate: half of the measured runs lie within 10 % of it")
    return float(sum(parts) + OVERHEAD)
