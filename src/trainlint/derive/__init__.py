"""The derived facts: one small function per fact, found here by its name."""

from __future__ import annotations

from trainlint.derive import (
    activations,
    batch,
    companions,
    cost,
    data,
    data_files,
    memory,
    model,
    schedule,
    sharding,
    tokenizer,
)
from trainlint.derive.vocabulary import FACTS
from trainlint.facts import Derivation

DERIVATIONS: dict[str, Derivation] = {
    name: function
    for module in (batch, schedule, data, data_files, model, tokenizer, sharding, activations, companions, memory, cost)
    for name, function in vars(module).items()
    if name in FACTS and callable(function)
}
"""What holds for every framework. A dialect's own derivation of the same fact comes first."""
