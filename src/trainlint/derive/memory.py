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

from trainlint.derive.activations import GIB
from trainlint.derive.model import shape
from trainlint.derive.sharding import shards_at_most, shares_of_fullest, under_fsdp
from trainlint.facts import Unknown, View

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
SEVERAL_PARTS = re.compile(
    r"(^|[^a-z])(vl|vlm|vision|omni|audio|ocr|llava|internvl)([^a-z]|$)|\d+(\.\d+)?v(-|$)", re.IGNORECASE
)
"""Names of models with an encoder beside the text model, of which trainers freeze parts."""

ACCUMULATED = 4.0
"""Bytes of a gradient: 32 bits, as DeepSpeed and autocast keep it (transformers documentation, model memory anatomy)."""
PACKED_FOR_LORA = re.compile(r"awq|gptq|bnb", re.IGNORECASE)
"""Checkpoints that LoRA trains on as they are; others may be unpacked when they are loaded."""
QUANTISED = {4: 0.53, 8: 1.03}
"""Bytes of a weight in so many bits, with its share of the scales of blocks of 64."""
LIVE_PARAMETERS = 1e9
"""DeepSpeed gathers so many parameters at most under ZeRO-3 (stage3_max_live_parameters)."""
IN_PART = (
    "unfrozen_parameters", "lisa_n_layers", "lisa_activated_layers", "freeze_llm", "freeze_parameters",
    "freeze_parameters_ratio", "freeze_parameters_regex", "trainable_parameters", "trainable_parameters_regex",
)  # fmt: skip
"""Settings of full training that trains a part of the model (axolotl, ms-swift)."""
STEPS_EARLY = ("optimizer_in_bwd", "optimizer.early_step_in_backward")
"""Settings that use up each gradient as soon as it is there (torchtune, torchtitan)."""
OVERHEAD = 1.5
"""CUDA's context, the workspaces of its kernels, and what the allocator cannot use."""


def fp32_copy(r: View) -> bool:
    """DeepSpeed keeps 32-bit weights beside the 16-bit ones; else there are some only where the model is loaded so."""
    return bool(r.deepspeed) or r.torch_dtype == "float32"


def trained_in_part(r: View) -> str | None:
    """The setting that keeps some of the weights from being trained, or has them take turns; none."""
    return next((name for name in IN_PART if r.given(name) and r.arg(name)), None)


def step_in_backward(r: View) -> bool:
    return any(r.given(name) and r.arg(name) for name in STEPS_EARLY)


# -------------------------------------------------------------------------------------------------- the sure bound


def memory_lower_bound(r: View) -> float:
    """GiB on the GPU that holds most. Whatever is not known to stay on a GPU is taken as absent, so that the bound holds."""
    offload = r.offload
    weights, gradients, states = _least(r)
    if offload == "parameters":
        weights = 0.0
    if offload in ("optimizer", "parameters"):
        gradients = 0.0  # they leave the GPU as they are made (ZeRO-Offload, arXiv:2101.06840)
    if offload != "none":
        states = 0.0
    size = sum(part / shards_at_most(r, stage) for part, stage in ((weights, 3), (gradients, 2), (states, 1)) if part)
    if not size:
        raise Unknown("weights, gradients and optimizer states may all be kept off the GPU", "memory_lower_bound")
    rollout = r.run.fact("memory_rollout")
    sure = rollout.known and rollout.confidence == "high"
    return float(size / GIB + (r.use("memory_rollout", rollout) if sure else 0))


def _least(r: View) -> tuple[float, float, float]:
    """Bytes of all weights, gradients and optimizer states, before anything is spread."""
    parameters, stored = r.model_parameters, r.stored_bits
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
    gradients = 0.0 if r.step_in_backward else GRADIENTS
    return copies * WEIGHTS * parameters, gradients * parameters, states * parameters


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


def stored_bits(r: View) -> int | None:
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
    if r.trained_in_part:
        raise Unknown(f"how much of the model is trained with {r.trained_in_part} is not known", wanted)
    name = str(r.model_name_or_path) if "model_name_or_path" in r.run.derivations else ""
    if stored:
        raise Unknown(f"{name or 'the model'} is stored with fewer bits than are trained", wanted)
    model = r.model if r.run.fact("model").known else None
    if SEVERAL_PARTS.search(name):
        raise Unknown(f"{name} has parts beside the text model, by its name", wanted)
    if model and (model.kind in ("vision", "audio") or "vision_config" in model.config):
        raise Unknown(f"{model} has parts beside the text model, which may be frozen", wanted)


# ------------------------------------------------------------------------------------------------- the estimate


def _trained(r: View) -> list[tuple[int, float, float, float]]:
    """What is trained: so many parameters, each with bytes for its weight, its gradient and its optimizer state."""
    if r.method == "full":
        if r.deepspeed or r.spread_by not in (None, "FSDP"):
            return [(r.model_parameters, 2, ACCUMULATED, 4 + _states(r, 4))]
        if r.fp32_copy:
            # autocast keeps a copy in 16 bits, FSDP of what it has gathered alone
            weights = 4 if r.mixed_precision == "no" or under_fsdp(r) else 6
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
        _check_trained(r, r.stored_bits, "memory_weights")
    if r.offload == "parameters":
        return 0.0
    size = sum(count * weight for count, weight, _, _ in _trained(r))
    if r.method in FROZEN:
        size += _frozen(r)
    return float(size / shares_of_fullest(r, 3) / GIB)


def _frozen(r: View) -> float:
    stored = r.stored_bits
    bits = r.quantization_bits or (4 if r.method == "qlora" else stored)
    if bits is None:
        return float(r.model_parameters * (4 if r.torch_dtype == "float32" else 2))
    if bits not in QUANTISED or (stored and not PACKED_FOR_LORA.search(str(r.model_name_or_path))):
        raise Unknown(f"in how many bits {r.model_name_or_path} is held is not known", "memory_weights")
    of_model = shape(r)
    # embeddings and the output layer stay as they are
    return float(of_model.matrices * QUANTISED[bits] + of_model.embeddings * 2)


def memory_gradients(r: View) -> float:
    if r.offload in ("optimizer", "parameters") or r.step_in_backward:
        return 0.0
    return float(sum(count * gradient for count, _, gradient, _ in _trained(r)) / shares_of_fullest(r, 2) / GIB)


def memory_optimizer(r: View) -> float:
    if r.offload != "none":
        return 0.0
    return float(sum(count * state for count, _, _, state in _trained(r)) / shares_of_fullest(r, 1) / GIB)


def memory_gathered(r: View) -> float:
    """What sharded parameters are gathered into, in 16 bits: under ZeRO-3 up to a limit, under FSDP two layers.

    The output layer is the largest of what is gathered at once. FSDP has its whole gradient, too, before that is summed over the
    GPUs in 32 bits and sharded.
    """
    if r.sharding_stage < 3:
        return 0.0
    of_model = shape(r)
    if not under_fsdp(r):
        return float(2 * (min(of_model.matrices, LIVE_PARAMETERS) + of_model.vocab * of_model.hidden) / GIB)
    if r.gpus == 1:
        return 0.0
    of_output = 2 + (2 + ACCUMULATED if r.method == "full" else 0)
    layers = 2 * 2 * of_model.matrices / of_model.layers
    return float((layers + of_output * of_model.vocab * of_model.hidden) / GIB)


PARTS = (
    "weights", "gradients", "optimizer", "reference", "critic", "reward", "rollout", "gathered", "activations", "logits",
)  # fmt: skip


def memory_estimate(r: View) -> float:
    """The sum of the parts and what CUDA itself takes, or what generation needs where that is more."""
    parts: list[Any] = [getattr(r, f"memory_{part}") for part in PARTS]
    r.assume("an estimate: half of the measured runs lie within 10 % of it")
    generation = r.run.fact("memory_generation")
    if not generation.known:
        r.assume("what generation needs is left out, as the memory of the GPU is not known")
    return float(max(sum(parts), r.use("memory_generation", generation) if generation.known else 0.0) + OVERHEAD)
