"""What is told first: among findings of one severity those whose repair saves most, by the experience of failed runs."""

from __future__ import annotations

SAVES_MOST = (
    "launch/broken-continuation",
    "launch/removes-from-root",
    "launch/accelerate",
    "launch/device-selection",
    "launch/machines-do-not-meet",
    "monitoring/never-saved",
    "schedule/warmup-too-long",
    "arguments/ignored",
    "lr/preference",
    "lr/reinforcement",
    "lr/too-high-for-step",
    "lr/too-high-full",
    "lr/lora-ceiling",
    "tokenizer/new-tokens-untrained",
    "memory/does-not-fit",
    "memory/probably-does-not-fit",
    "parallelism/world-size",
    "parallelism/model-does-not-divide",
    "parallelism/fsdp-wrapping",
    "parallelism/one-process-many-gpus",
    "data/too-small-for-pretraining",
    "data/too-few-examples",
    "data/max-samples-left-over",
    "data/evaluates-on-training-data",
    "monitoring/evaluation-without-data",
    "precision/fp16-weights-under-amp",
    "arguments/unknown",
    "arguments/invalid-value",
    "context/beyond-positions",
    "model/pretraining-a-chat-model",
    "tokenizer/pad-is-eos",
    "monitoring/checkpoints-fill-the-disk",
    "monitoring/evaluates-too-often",
    "data/too-many-epochs",
    "schedule/never-decays",
    "schedule/decay-length",
    "arguments/version",
)
"""Rules by id; all others follow, in the order of their places."""
_RANKS = {rule: rank for rank, rule in enumerate(SAVES_MOST)}


def rank(rule: str) -> int:
    return _RANKS.get(rule, len(SAVES_MOST))
