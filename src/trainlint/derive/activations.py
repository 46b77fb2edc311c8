"""What a micro-step leaves on the GPU for its backward pass: activations and logits, in GiB."""

from __future__ import annotations

from trainlint.derive.architecture import Architecture
from trainlint.derive.model import shape
from trainlint.derive.sharding import under_fsdp
from trainlint.facts import View

GIB = 2**30
PAIRED = frozenset({"dpo", "ipo", "orpo", "simpo", "cpo", "rm"})
"""Stages that pass a chosen and a rejected sequence through the model for each example."""
PER_LOGIT = 10.0
"""Logits in 16 bits, their copy in 32 bits and its gradient."""
FUSED_LOSS = (
    "use_liger_kernel", "enable_liger_kernel", "liger_fused_linear_cross_entropy", "use_liger_loss", "dpo_use_liger_kernel",
    "cut_cross_entropy", "chunked_cross_entropy",
)  # fmt: skip
"""Settings of a loss that goes through the output layer in pieces."""
DROPPED = 3
"""Bytes that dropout keeps of each number: what it lets through in 16 bits, and its mask."""
OFFLOADED = ("activation_offloading", "enable_activation_offloading")
"""Settings that keep the inputs of the layers on the CPU."""


def sequences_per_example(r: View) -> int:
    return 2 if r.stage in PAIRED else 1


def tokens_per_micro_step(r: View) -> int:
    """Tokens that are on one GPU at a time."""
    sequences = r.per_device_train_batch_size * r.sequences_per_example
    return int(sequences * r.sequence_length // r.context_parallel_size)


def full_recomputation(r: View) -> bool:
    return bool(r.gradient_checkpointing)


def micro_batches_in_flight(r: View) -> int:
    """A pipeline starts as many micro-batches as it has stages before the first is finished."""
    if r.pipeline_parallel_size == 1:
        return 1
    return int(min(r.pipeline_parallel_size, r.gradient_accumulation_steps))


def memory_activations(r: View) -> float:
    """With checkpointing the input of every layer, and the inside of one; else the inside of all.

    Tensor parallelism divides all of it together with sequence parallelism, else all but ten times the width (Korthikanti et al.,
    arXiv:2205.05198, equations 2 and 4). A stage of a pipeline has its share of the layers for each micro-batch in flight.
    """
    of_model, degree = shape(r), r.tensor_parallel_size
    layers = of_model.layers * r.micro_batches_in_flight / r.pipeline_parallel_size
    inside, outside = _of_a_layer(r, of_model)
    inside, outside = inside / degree, outside / degree
    if not r.sequence_parallel:
        inside += 10 * of_model.hidden * (1 - 1 / degree)
        outside *= degree
    kept = layers * outside + inside if r.full_recomputation else layers * inside
    return float(r.tokens_per_micro_step * kept / GIB)


def layer_activations(r: View) -> int:
    return shape(r).activations


def _of_a_layer(r: View, of_model: Architecture) -> tuple[float, float]:
    """Bytes of one token inside a layer, and between two of them, as benchmarks/activations.py measures them."""
    inside, outside = float(r.layer_activations), 2.0 * of_model.hidden
    if r.torch_dtype == "float32" and not r.deepspeed and not under_fsdp(r):
        # what autocast leaves in 32 bits: the stream between the layers, and what the norms make of it
        inside, outside = inside + 10 * of_model.hidden, 2 * outside
    if r.method in ("lora", "qlora") and r.lora_dropout:
        inside += DROPPED * of_model.into_adapters(r.target_modules)
    if any(r.given(name) and r.arg(name) for name in OFFLOADED):
        outside = 0.0
    return inside, outside


def fused_loss(r: View) -> bool:
    return any(r.given(name) and r.arg(name) for name in FUSED_LOSS)


def logit_bytes(r: View) -> float:
    """A reward model has a head of one number in place of the vocabulary."""
    return 0.0 if r.stage == "rm" or r.fused_loss else PER_LOGIT


def logit_tokens(r: View) -> int:
    """Tokens whose logits are on one GPU at a time."""
    return int(r.tokens_per_micro_step)


def memory_logits(r: View) -> float:
    """The last layer's outputs for every token of the vocabulary; of a pipeline, what they add to its fullest stage.

    The last stage has the logits, and one micro-batch in flight where the first has all of them.
    """
    if not r.logit_bytes:
        return 0.0
    logits = r.logit_tokens * r.model_vocab_size * r.logit_bytes / r.tensor_parallel_size / GIB
    earlier = r.memory_activations * (1 - 1 / r.micro_batches_in_flight) if r.micro_batches_in_flight > 1 else 0.0
    return float(max(0.0, logits - earlier))
