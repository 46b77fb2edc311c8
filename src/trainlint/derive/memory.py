"""The memory of one GPU: a lower bound that is sure, and an estimate with its parts. All in GiB.

The bound is weights, gradients and optimizer states alone: 16 bytes a parameter for full training with Adam and 32-bit weights
for the optimizer (ZeRO paper: 2 + 2 + 12), 8 where weights, gradients and states are all 16 bits wide, 2 for the frozen 16-bit
base of LoRA, the stated bits for a quantised one. Whatever is not known to stay on the GPU is taken as absent, and what is
sharded in a way that is not known is taken to be spread over all GPUs. The estimate is the best guess; docs/memory.md compares
both with measured runs.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.derive.model import shape
from trainlint.facts import Unknown, View

GIB = 2**30
WEIGHTS, GRADIENTS, OPTIMIZER, PURE_OPTIMIZER = 2.0, 2.0, 12.0, 4.0
FROZEN = ("lora", "qlora")
STORED: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"awq|int4|(?<!\d)4[-_]?bit|nf4|fp4|gpt-oss", re.IGNORECASE), 4),
    (re.compile(r"fp8|int8|(?<!\d)8[-_]?bit", re.IGNORECASE), 8),
    (re.compile(r"gptq|gguf|(?<!\d)[1-8][-_]?bit", re.IGNORECASE), 1),
)
"""What names and methods of checkpoints say of the bits that they hold a weight in: at least so many."""
PARTLY_KEPT = re.compile(r"[48]-?bit|paged|galore|apollo|lomo|mini|anyprecision|fp8|bnb")
"""Optimizers whose states are narrower or fewer than Adam's own, or may leave the GPU."""
PAIRED = frozenset({"dpo", "ipo", "orpo", "simpo", "cpo", "rm"})
"""Stages that pass a chosen and a rejected sequence through the model for each example."""
COMPARED = frozenset({"dpo", "ipo", "kto"})
"""Stages that compare the model with what it was before."""
SEVERAL_PARTS = re.compile(
    r"(^|[^a-z])(vl|vlm|vision|omni|audio|ocr|llava|internvl)([^a-z]|$)|\d+(\.\d+)?v(-|$)", re.IGNORECASE
)
"""Names of models with an encoder beside the text model, of which trainers freeze parts."""

ACCUMULATED = 4.0
"""Bytes of a gradient: 32 bits, as DeepSpeed and autocast keep it (transformers documentation, model memory anatomy)."""
WITHOUT_REFERENCE = ("precompute_ref_log_probs", "reference_free", "ref_model_init_kwargs", "ref_model")
"""Settings that may spare the copy to compare with, or make it another model."""
PACKED_FOR_LORA = re.compile(r"awq|gptq|bnb", re.IGNORECASE)
"""Checkpoints that LoRA trains on as they are; others may be unpacked when they are loaded."""
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


def tokens_per_micro_step(r: View) -> int:
    """Tokens that are on one GPU at a time."""
    sequences = r.per_device_train_batch_size * (2 if r.stage in PAIRED else 1)
    return int(sequences * r.sequence_length)


def reference_model(r: View) -> bool:
    """Adapters are switched off to get the model as it was; in full training a second copy is loaded."""
    for name in WITHOUT_REFERENCE:
        if r.given(name) and r.arg(name):
            raise Unknown(f"whether a copy of the model stays loaded with {name} is not known", "reference_model")
    return r.stage in COMPARED and r.method not in FROZEN


def _shards(r: View, stage: int) -> float:
    """Over how many GPUs what this stage shards is spread."""
    divided: float = r.model_parallel_size
    return max(r.world_size, divided) if r.sharding_stage >= stage else divided


# -------------------------------------------------------------------------------------------------- the sure bound


def memory_lower_bound(r: View) -> float:
    """GiB on the GPU that holds most. Whatever is not known to stay on a GPU is taken as absent, so that the bound holds."""
    offload = r.offload
    weights, gradients, states = _least(r)
    if offload == "parameters":
        weights = 0.0
    if offload != "none":
        gradients = states = 0.0  # gradients leave the GPU as they are made (ZeRO-Offload, arXiv:2101.06840)
    size = sum(part / _shards_at_most(r, stage) for part, stage in ((weights, 3), (gradients, 2), (states, 1)) if part)
    if not size:
        raise Unknown("weights, gradients and optimizer states may all be kept off the GPU", "memory_lower_bound")
    rollout = r.run.fact("memory_rollout")
    return float(size / GIB + (r.use("memory_rollout", rollout) if rollout.known else 0))


def _least(r: View) -> tuple[float, float, float]:
    """Bytes of all weights, gradients and optimizer states, before anything is spread."""
    parameters, stored = r.model_parameters, _stored_bits(r)
    if r.method in FROZEN:
        bits = r.quantization_bits or (4 if r.method == "qlora" else stored)
        return _in_bits(r, min(bits, stored or 16)) if bits else WEIGHTS * parameters, 0.0, 0.0
    if r.method != "full":
        raise Unknown(f"what {r.method} keeps in memory is not known", "memory_lower_bound")
    _check_trained(r, stored, "memory_lower_bound")
    if r.optimizer_family != "adam" or PARTLY_KEPT.search(str(r.optim).lower()):
        raise Unknown(f"the states of {r.optim} are not known", "memory_lower_bound")
    copies = 2 if r.run.fact("reference_model").known and r.reference_model else 1
    states = OPTIMIZER if r.fp32_copy else PURE_OPTIMIZER
    return copies * WEIGHTS * parameters, GRADIENTS * parameters, states * parameters


def _in_bits(r: View, bits: float) -> float:
    """Bytes of a frozen base in so many bits. Its embeddings stay in 16, where its shape tells how large they are."""
    whole = float(r.model_parameters * bits / 8)
    if "model" not in r.run.derivations or not r.run.fact("model").known or r.model.quantization:
        return whole
    try:
        of_model = shape(r)
    except Unknown:
        return whole
    return of_model.matrices * bits / 8 + of_model.vocab * of_model.hidden * 2.0


def _shards_at_most(r: View, stage: int) -> float:
    """Every weight, gradient and state lies on one of the GPUs at least: where nothing more is known, on any of them."""
    if all(r.run.fact(name).known for name in ("sharding_stage", "model_parallel_size")):
        return _shards(r, stage)
    return float(r.world_size)


def _stored_bits(r: View) -> int | None:
    """The bits at least that the checkpoint holds a weight in; None for one of 16 or more."""
    said = []
    if "model_name_or_path" in r.run.derivations:
        said.append(str(r.model_name_or_path))
    if r.run.fact("model").known and r.model.quantization:
        said.append(r.model.quantization)
    found = [next((bits for names, bits in STORED if names.search(text)), None) for text in said]
    if len(said) == 2 and found[1] is None:
        return 1
    return min((bits for bits in found if bits is not None), default=None)


def _check_trained(r: View, stored: int | None, wanted: str) -> None:
    """Raises `Unknown` where fewer bits are stored than are trained, or a part of the model may be frozen."""
    name = str(r.model_name_or_path) if "model_name_or_path" in r.run.derivations else ""
    if stored:
        raise Unknown(f"{name or 'the model'} is stored with fewer bits than are trained", wanted)
    model = r.model if r.run.fact("model").known else None
    if SEVERAL_PARTS.search(name):
        raise Unknown(f"{name} has parts beside the text model, by its name", wanted)
    if model and (model.kind in ("vision", "audio") or "vision_config" in model.config):
        raise Unknown(f"{model} has parts beside the text model, which may be frozen", wanted)


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
    if re.search("galore|apollo|lomo|mini|4bit|fp8", name):
        raise Unknown(f"the states of {r.optim} are not known", "memory_optimizer")
    count = 1 if "lion" in name else 2
    if r.optimizer_family != "adam" and "lion" not in name:
        raise Unknown(f"the states of {r.optim} are not known", "memory_optimizer")
    return float(count * (1 if "8bit" in name or "bnb" in name else width))


def memory_weights(r: View) -> float:
    if r.method == "full":
        _check_trained(r, _stored_bits(r), "memory_weights")
    if r.offload == "parameters":
        return 0.0
    size = sum(count * weight for count, weight, _, _ in _trained(r))
    if r.method in FROZEN:
        size += _frozen(r)
    return float(size / _shards(r, 3) / GIB)


def _frozen(r: View) -> float:
    stored = _stored_bits(r)
    bits = r.quantization_bits or (4 if r.method == "qlora" else stored)
    if bits is None:
        return float(r.model_parameters * (4 if r.torch_dtype == "float32" else 2))
    if bits not in QUANTISED or (stored and not PACKED_FOR_LORA.search(str(r.model_name_or_path))):
        raise Unknown(f"in how many bits {r.model_name_or_path} is held is not known", "memory_weights")
    of_model = shape(r)
    # embeddings and the output layer stay as they are
    return float(of_model.matrices * QUANTISED[bits] + of_model.embeddings * 2)


def memory_reference(r: View) -> float:
    """The copy of the model that is compared with: 16 bits wide, unless weights are loaded in 32."""
    if not r.reference_model or r.offload == "parameters":
        return 0.0
    width = 4 if r.torch_dtype == "float32" and not r.deepspeed else 2
    return float(r.model_parameters * width / _shards(r, 3) / GIB)


def memory_gradients(r: View) -> float:
    if r.offload != "none":
        return 0.0
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


def sequence_parallel(r: View) -> bool:
    return True


def memory_activations(r: View) -> float:
    """With checkpointing the input of every layer, and the inside of one; else the inside of all.

    Tensor parallelism divides all of it together with sequence parallelism, else all but ten times the width (Korthikanti et al.,
    arXiv:2205.05198, equations 2 and 4).
    """
    of_model, degree = shape(r), r.tensor_parallel_size
    inside = of_model.activations / degree
    outside = 2.0 * of_model.hidden
    if r.sequence_parallel:
        outside /= degree
    else:
        inside += 10 * of_model.hidden * (1 - 1 / degree)
    layers = of_model.layers * outside + inside if r.full_recomputation else of_model.layers * inside
    return float(r.tokens_per_micro_step * layers / GIB)


def memory_logits(r: View) -> float:
    """The last layer's outputs for every token of the vocabulary; a loss that is fused with that layer never has them whole."""
    if any(r.given(name) and r.arg(name) for name in FUSED_LOSS):
        return 0.0
    return float(r.tokens_per_micro_step * r.model_vocab_size * PER_LOGIT / r.tensor_parallel_size / GIB)


PARTS = ("weights", "gradients", "optimizer", "reference", "gathered", "activations", "logits")
ESTIMATED = frozenset({"pt", "sft", "scratch", "orpo", "simpo", "cpo"}) | COMPARED


def memory_estimate(r: View) -> float:
    """The sum of the parts and what CUDA itself takes. Reinforcement learning generates beside it, reward models have a head."""
    if r.stage not in ESTIMATED:
        raise Unknown(f"what {r.stage} keeps in memory beside the model is not known", "memory_estimate")
    parts: list[Any] = [getattr(r, f"memory_{part}") for part in PARTS]
    if r.stage in ("pt", "sft", "scratch"):
        r.assume("an estimate: half of the measured runs lie within 10 % of it")
    else:
        r.assume("an estimate: no run of preference tuning was measured")
    return float(sum(parts) + OVERHEAD)
