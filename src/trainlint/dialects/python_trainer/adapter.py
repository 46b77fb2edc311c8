"""A LoRA adapter that Python makes and no trainer of the file takes: the adapter alone, as its `adapter_config.json` has it."""

from __future__ import annotations

from trainlint.dialects import peft
from trainlint.dialects.base import Context, Dialect, from_tree
from trainlint.dialects.python_trainer.arguments import of_call, own
from trainlint.dialects.python_trainer.model import adapter_schema, bits, model_name
from trainlint.dialects.python_trainer.setup import Setup, Surroundings, of_unsloth
from trainlint.document import Document
from trainlint.facts import Derivation, Run

FACTS: dict[str, Derivation] = {**peft.FACTS, "model_name_or_path": model_name, "quantization_bits": bits}
DIALECT = Dialect("peft", "LoRA adapter in Python", FACTS, {**peft.KEYS, "model_name_or_path": None})


def read(document: Document, context: Context, setup: Setup, around: Surroundings) -> Run:
    call = setup.config
    schema = adapter_schema(call)
    first, closed = ("model", False) if of_unsloth(call) else ("r", own(call, "peft"))
    arguments = of_call(setup, call, schema.aimed(context.targets), first, closed=closed)
    return from_tree(DIALECT, document, context, arguments, schema, setup=setup, call=call, around=around)
