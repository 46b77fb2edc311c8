"""Firefly: the JSON file of arguments that `train.py --train_args_file FILE` reads, alone or launched."""

from __future__ import annotations

from trainlint.dialects import hf_script, hf_trainer, tree
from trainlint.dialects.base import Context, Dialect, arg
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, View

SCHEMA = Schema("firefly:train")
NEEDED = {"max_seq_length", "train_file", "model_name_or_path"}
OWN_KEYS = {"template_name", "train_mode", "task_type", "tokenize_num_workers", "use_unsloth"}
COLUMNS: dict[str, list[str]] = {
    "pt": ["text"],
    "sft": ["conversation", "conversation[].human", "conversation[].assistant"],
    "dpo": ["chosen", "rejected", "chosen[].role", "rejected[].role"],
}
"""What its data sets read of every row."""
STAGES = {"pretrain": "pt"}


def _stage(r: View) -> str:
    kind = str(r.arg("task_type"))
    return STAGES.get(kind, kind)


def _method(r: View) -> str:
    return str(r.arg("train_mode"))


FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": arg("max_seq_length"),
    "torch_dtype": lambda r: "float16" if r.arg("fp16") else "bfloat16",
    "lora_rank": hf_script.lora("lora_rank"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": hf_script.lora("lora_dropout"),
    "target_modules": lambda r: ["all-linear"] if r.method in hf_script.LORA else [],
    "modules_to_save": lambda r: [],
    "quantization_bits": lambda r: 4 if r.method == "qlora" else None,
    "datasets": hf_script.listed("train_file"),
    "required_columns": lambda r: [COLUMNS[r.stage] for _ in r.datasets],
    "eval_datasets": lambda r: [],
    "eval_data": lambda r: "no",
    "packing": lambda r: r.stage == "pt",
}
KEYS: dict[str, str | None] = {
    "method": "train_mode",
    "stage": "task_type",
    "sequence_length": "max_seq_length",
    "quantization_bits": "train_mode",
    "datasets": "train_file",
    "target_modules": None,
    "modules_to_save": None,
    "torch_dtype": None,
    "eval_data": None,
    "tokenizer_name_or_path": None,
}


def _is_config(document: Document) -> bool:
    keys = tree.keys(document)
    return document.format == "json" and keys >= NEEDED and bool(keys & OWN_KEYS)


def _read(document: Document, context: Context) -> Run:
    return hf_trainer.tree_run(DIALECT, document, context, SCHEMA, "json", from_loaded, closed=True)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    return [_read(document, context)] if _is_config(document) else None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    name = hf_script.value(started, "train_args_file")
    config = hf_script.config_file(document, started, context, name) if name is not None else None
    if config is None or not _is_config(config):
        return None
    return hf_script.launched(_read(config, context), document, started, context)


DIALECT = Dialect("firefly", "Firefly", FACTS, KEYS, _read_command, _read_tree)
