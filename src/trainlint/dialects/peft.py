"""PEFT's `adapter_config.json`: a LoRA adapter as it was trained. It describes no run, so no more than the adapter is known."""

from __future__ import annotations

from trainlint.dialects import tree
from trainlint.dialects.base import Context, Dialect, arg, from_tree, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, Unknown, View

SCHEMA = Schema("peft:LoraConfig")


def _listed(name: str) -> Derivation:
    def derive(r: View) -> list[str]:
        value = r.arg(name)
        return names([value]) if isinstance(value, str) else names(value)

    return derive


_QUERY_VALUE, _FUSED = ["q_proj", "v_proj"], ["query_key_value"]
DEFAULT_TARGETS = {
    **dict.fromkeys(("llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2", "opt"), _QUERY_VALUE),
    **dict.fromkeys(("gpt_neox", "falcon", "bloom"), _FUSED),
    "gpt2": ["c_attn"],
}
"""TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING of peft 0.10.0 to 0.21.2, the entries that all of them agree on."""


def default_targets(r: View) -> list[str]:
    """What gets an adapter where the configuration names no modules."""
    if r.model_type not in DEFAULT_TARGETS:
        raise Unknown(f"what PEFT chooses in a model of type {r.model_type} is not known", "target_modules")
    r.assume("PEFT chooses them by the type of the model")
    return DEFAULT_TARGETS[r.model_type]


FACTS: dict[str, Derivation] = {
    "stage": lambda r: "adapter",
    "method": lambda r: "lora",
    "model_name_or_path": arg("base_model_name_or_path"),
    "lora_rank": arg("r"),
    "lora_alpha": arg("lora_alpha"),
    "lora_dropout": arg("lora_dropout"),
    "target_modules": _listed("target_modules"),
    "modules_to_save": _listed("modules_to_save"),
}
KEYS: dict[str, str | None] = {"model_name_or_path": "base_model_name_or_path", "lora_rank": "r"}


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if document.format != "json" or "peft_type" not in keys or not keys & {"r", "lora_alpha"}:
        return None
    arguments = tree.read(document, SCHEMA, "json", from_loaded, closed=True)
    kind = arguments.given.get("peft_type")
    if kind is None or str(kind.value).upper() != "LORA":
        return None
    return [from_tree(DIALECT, document, context, arguments, SCHEMA)]


DIALECT = Dialect("peft", "PEFT LoRA adapter", FACTS, KEYS, read_tree=_read_tree, part=True)
