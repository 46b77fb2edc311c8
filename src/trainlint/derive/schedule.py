"""How long the run is."""

from __future__ import annotations

import math

from trainlint.facts import Unknown, View


def total_steps(r: View) -> int:
    """Optimizer steps, counted as the Trainer counts them: whole batches per rank, accumulated, over all epochs.

    Source: transformers 4.57.1 `Trainer.set_initial_training_values`.
    """
    if r.max_steps is not None:
        return int(r.max_steps)
    sequences = _sequences(r)
    batches = math.ceil(sequences / (r.effective_batch_size // r.gradient_accumulation_steps))
    updates = max(1, math.ceil(batches / r.gradient_accumulation_steps))
    steps: int = math.ceil(r.num_train_epochs * updates)
    return steps


def _sequences(r: View) -> int:
    if r.packing:
        return max(1, int(r.dataset_tokens // r.sequence_length))
    return int(r.dataset_examples * r.answers_per_prompt)


def answers_per_prompt(r: View) -> int:
    return 1


def epochs(r: View) -> float:
    """Passes over the data: as stated, or as `max_steps` makes of it."""
    if r.max_steps is None:
        return float(r.num_train_epochs)
    sequences = _sequences(r)
    if not sequences:
        raise Unknown("the data set is empty", "dataset_examples")
    return float(r.max_steps * r.effective_batch_size / sequences)
