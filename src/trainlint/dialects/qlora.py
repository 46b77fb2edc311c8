"""QLoRA's `qlora.py`, whose defaults differ from the Trainer's; flags that it does not know it drops without a word."""

from __future__ import annotations

import math

from trainlint.dialects import hf_script, hf_trainer
from trainlint.dialects.base import Context, Dialect, arg
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, Unknown, View

SCHEMA = Schema("qlora:train")
OWN_KEYS = {
    "source_max_len", "target_max_len", "bits", "double_quant", "quant_type", "full_finetune", "do_mmlu_eval", "mmlu_split",
    "eval_dataset_size", "max_memory_MB", "train_on_source", "dataset_format", "max_new_tokens",
}  # fmt: skip

COLUMNS = {
    "input-output": ["input", "output"], "alpaca": ["instruction", "output"], "alpaca-clean": ["instruction", "output"],
    "chip2": ["text"], "oasst1": ["text"], "self-instruct": ["prompt", "completion"], "hh-rlhf": ["chosen"],
}  # fmt: skip
"""What each format reads of every row."""
LOCAL_TEST = 0.1
"""Of a local file so much is split off and never used."""


def _method(r: View) -> str:
    if r.arg("full_finetune"):
        return "full"
    return "qlora" if r.arg("bits") in (4, 8) else "lora"


def _bits(r: View) -> int | None:
    return r.arg("bits") if r.method == "qlora" else None


def _stage(r: View) -> str:
    return "sft" if r.arg("do_train") else "predict"


def _torch_dtype(r: View) -> str:
    if r.method == "qlora":
        return "auto"  # the base is stored in fewer bits
    return "float32" if r.arg("fp16") else "bfloat16" if r.arg("bf16") else "float32"


def _eval_data(r: View) -> str:
    return "yes" if r.arg("do_eval") or r.arg("do_predict") else "no"


def _in_training(r: View) -> int:
    """A local file loses a tenth first, and `max_train_samples` comes after the split."""
    return int(r.used_examples - math.ceil(LOCAL_TEST * r.used_examples))


def _examples(r: View) -> int:
    split = _in_training(r) - r.held_out_examples
    most = r.arg("max_train_samples")
    return int(split if most is None else min(split, most))


def _required_columns(r: View) -> list[list[str]]:
    """Of a local file, which is taken for input and output unless `dataset_format` says otherwise."""
    form = str(r.arg("dataset_format") or "input-output")
    if form not in COLUMNS:
        raise Unknown(f"what dataset_format {form} reads of a row is not known")
    return [COLUMNS[form] for _ in r.datasets]


def _eval_split(r: View) -> float:
    return r.arg("eval_dataset_size") if r.eval_data == "yes" else 0


def _held_out(r: View) -> int:
    split = r.eval_split
    return int(split) if split >= 1 else math.ceil(split * _in_training(r))


FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": lambda r: r.arg("source_max_len") + r.arg("target_max_len"),
    "torch_dtype": _torch_dtype,
    "lora_rank": hf_script.lora("lora_r"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": hf_script.lora("lora_dropout"),
    "target_modules": lambda r: ["all-linear"] if r.method in hf_script.LORA else [],
    "modules_to_save": lambda r: [],
    "quantization_bits": _bits,
    "datasets": hf_script.listed("dataset"),
    "dataset_examples": _examples,
    "required_columns": _required_columns,
    "eval_datasets": lambda r: [],
    "eval_split": _eval_split,
    "held_out_examples": _held_out,
    "max_eval_samples": arg("max_eval_samples"),
    "eval_data": _eval_data,
    "packing": lambda r: False,
}
KEYS: dict[str, str | None] = {
    "sequence_length": "source_max_len",
    "lora_rank": "lora_r",
    "quantization_bits": "bits",
    "datasets": "dataset",
    "eval_data": "do_eval",
    "target_modules": None,
    "modules_to_save": None,
    "torch_dtype": None,
    "tokenizer_name_or_path": None,
}


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    if started.name != "qlora.py" or not hf_script.flags(started) & OWN_KEYS:
        return None
    return [hf_trainer.command_run(DIALECT, document, started, context, SCHEMA, closed=True)]


DIALECT = Dialect("qlora", "QLoRA", FACTS, KEYS, _read_command)
