"""What the run costs: arithmetic, GPU time, and the disk for its checkpoints."""

from __future__ import annotations

import math

from trainlint.derive.companions import ALONE
from trainlint.facts import Unknown, View

MFU = 0.4
"""Share of the peak that published runs reach: 0.3 to 0.5 (PaLM, arXiv:2204.02311, table 3; Llama 3, arXiv:2407.21783)."""
FORWARD = 2
"""Operations of a forward pass for each parameter and token."""
COMPARISONS = {"dpo": 1, "ipo": 1, "kto": 3}
"""Forward passes beside: of the model as it was, and for KTO both models' on answers to other prompts, which estimate the KL."""


def mfu(r: View) -> float:
    r.assume("0.3 to 0.5 are usual; say it with --mfu")
    return MFU


def flops_per_token(r: View) -> float:
    """6 a parameter: 2 forward, 4 backward. Frozen weights need no gradient of their own (4); recomputing adds a forward pass.

    A critic learns as the model does. Whatever is compared with, and whoever judges, adds forward passes.
    """
    if r.method not in ("full", "lora", "qlora"):
        raise Unknown(f"what {r.method} computes is not known", "flops_per_token")
    passes = 6 if r.method == "full" else 4
    if r.full_recomputation:
        passes += 2
    learning = passes * (r.active_parameters + r.critic_parameters)
    return float(learning + FORWARD * (r.comparisons * r.active_parameters + r.reward_parameters))


def comparisons(r: View) -> int:
    """Forward passes beside the one that is learned from; an adapter is switched off for them."""
    if r.stage in COMPARISONS:
        return COMPARISONS[r.stage]
    return int(r.stage not in ALONE and r.reference_model)


def training_flops(r: View) -> float:
    """Of the whole run, on all GPUs, without the attention's own products, which count in very long sequences."""
    if r.stage not in ALONE and r.stage not in COMPARISONS:
        r.assume("answers are generated beside it")
    return float(r.flops_per_token * _trained_tokens(r))


def _trained_tokens(r: View) -> float:
    """All steps are full of tokens where examples are packed; else only as many count as the data has."""
    full = r.tokens_per_step * r.sequences_per_example * r.total_steps
    if r.packing:
        return float(full)
    if r.stage not in ALONE or not r.run.fact("dataset_tokens").known:
        r.assume("every sequence is taken to be full")
        return float(full)
    r.assume("without the padding")
    return float(min(full, r.dataset_tokens * r.epochs))


def gpu_hours(r: View) -> float:
    """Of all GPUs together."""
    return float(r.training_flops / (r.gpu_flops * r.mfu) / 3600)


# ---------------------------------------------------------------------------------------------------- checkpoints


def first_save_step(r: View) -> int | None:
    """None where the run ends before it."""
    if r.save_strategy != "steps":
        raise Unknown(f"checkpoints are written by {r.save_strategy}", "first_save_step")
    every = r.save_steps
    if isinstance(every, float) and every < 1:
        every = max(1, round(every * r.total_steps))
    return int(every) if every <= r.total_steps else None


def checkpoint_bytes(r: View) -> int:
    """The trained weights, and what is needed to continue: optimizer states, under DeepSpeed weights of both widths again."""
    trained = r.trainable_parameters
    weights = 4 if r.method != "full" or (r.fp32_copy and not r.deepspeed) else 2
    if r.given("save_only_model") and r.arg("save_only_model"):
        return int(trained * weights)
    if r.optimizer_family != "adam" or "8bit" in str(r.optim):
        raise Unknown(f"the states of {r.optim} are not known", "checkpoint_bytes")
    return int(trained * (weights + (2 + 12 if r.deepspeed else 8)))


def checkpoints_kept(r: View) -> int:
    """How many lie on the disk at the end."""
    if r.save_strategy == "no":
        return 0
    limit = r.arg("save_total_limit") if r.given("save_total_limit") else None
    if r.save_strategy != "steps":
        written = max(1, int(r.epochs))
    else:
        first = r.first_save_step
        written = r.total_steps // first if first is not None else 0
    return int(min(written, limit) if limit else written)


# ------------------------------------------------------------------------------------------------------ evaluation


def evaluations(r: View) -> int:
    """How often the run evaluates."""
    if r.eval_strategy == "no":
        return 0
    if r.eval_strategy == "epoch":
        return int(r.epochs)
    every = r.eval_steps
    return int(r.total_steps // (every if every >= 1 else max(1, math.ceil(every * r.total_steps))))


def evaluation_share(r: View) -> float:
    """Share of the wall clock that goes into evaluation, where both sets have examples of the same length."""
    if r.eval_strategy == "no":
        return 0.0
    against = r.evaluations * _size_of_one(r) * 2 * r.active_parameters / r.flops_per_token
    return float(against / (1 + against))


def _size_of_one(r: View) -> float:
    """One evaluation's examples, by the examples that the whole run trains on."""
    if not r.packing:
        return float(r.eval_examples / (r.total_steps * r.effective_batch_size))
    split = r.eval_split if "eval_split" in r.run.derivations else 0
    if 0 < split < 1:
        return float(split / (1 - split) / r.epochs)
    return float(r.eval_examples / (r.epochs * r.dataset_examples))
