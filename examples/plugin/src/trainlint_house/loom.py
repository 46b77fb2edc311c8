"""The dialect of Loom, this house's trainer: a YAML file with the key `loom`."""

from typing import Any

from trainlint.dialects import tree
from trainlint.dialects.base import Context, Dialect, arg, constant, from_tree, names
from trainlint.dialects.convert import from_lax
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, View

ALWAYS = "Loom always does so"


def _method(r: View) -> str:
    return "lora" if r.given("adapter_rank") else "full"


def _of_adapter(derive: Derivation) -> Derivation:
    return lambda r: derive(r) if r.method == "lora" else None


def _alpha(r: View) -> Any:
    return 2 * r.arg("adapter_rank")


FACTS: dict[str, Derivation] = {
    "stage": constant("sft", ALWAYS),
    "method": _method,
    "model_name_or_path": arg("base"),
    "datasets": lambda r: names(r.arg("data")),
    "learning_rate": arg("peak_lr"),
    "lr_scheduler_type": constant("cosine", ALWAYS),
    "sequence_length": arg("tokens_per_sequence"),
    "packing": constant(True, ALWAYS),
    "per_device_train_batch_size": arg("sequences_per_gpu"),
    "gradient_accumulation_steps": arg("accumulate"),
    "max_steps": arg("steps"),
    "lora_rank": _of_adapter(arg("adapter_rank")),
    "lora_alpha": _of_adapter(_alpha),
    "max_grad_norm": constant(1.0, ALWAYS),
    "optim": constant("adamw_torch", ALWAYS),
    "optimizer_family": constant("adam", ALWAYS),
    "mixed_precision": constant("bf16", ALWAYS),
    "seed": arg("seed"),
    "output_dir": arg("out"),
}

KEYS: dict[str, str | None] = {
    "model_name_or_path": "base",
    "datasets": "data",
    "learning_rate": "peak_lr",
    "sequence_length": "tokens_per_sequence",
    "per_device_train_batch_size": "sequences_per_gpu",
    "gradient_accumulation_steps": "accumulate",
    "max_steps": "steps",
    "lora_rank": "adapter_rank",
    "output_dir": "out",
    "lr_scheduler_type": None,
    "max_grad_norm": None,
    "optim": None,
}
"""What Loom calls these facts; None: it has no such setting."""


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml" or "loom" not in tree.keys(document):
        return None
    schema = Schema()  # Loom has no table of arguments, so none of them is judged by its name or type
    arguments = tree.read(document, schema, "pyyaml", from_lax, closed=False)
    return [from_tree(DIALECT, document, context, arguments, schema)]


DIALECT = Dialect("loom", "Loom", FACTS, KEYS, read_tree=_read_tree)
