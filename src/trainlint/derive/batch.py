"""How much one optimizer step sees."""

from __future__ import annotations

from trainlint.facts import View


def effective_batch_size(r: View) -> int:
    return int(r.per_device_train_batch_size * r.gradient_accumulation_steps * r.world_size)


def tokens_per_device_step(r: View) -> int:
    """Tokens that one GPU contributes to an optimizer step; an upper bound where sequences are not packed."""
    return int(r.per_device_train_batch_size * r.gradient_accumulation_steps * r.sequence_length)


def tokens_per_step(r: View) -> int:
    """Tokens of one optimizer step; an upper bound where sequences are not packed."""
    return int(r.effective_batch_size * r.sequence_length)
