"""FastChat's `fastchat/train/*.py`: Vicuna's trainers, full, LoRA and T5."""

from __future__ import annotations

import re

from trainlint.dialects import hf_script, hf_trainer
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, View

PROGRAM = re.compile(r"(?:^|.*[/.])fastchat[/.]train[/.](train\w*?)(?:\.py)?$")
COLUMNS = ("conversations", "conversations[].from", "conversations[].value")
"""What its trainers read of every row."""
PARSER_OF = {"train_mem": "train", "train_xformers": "train"}
"""Scripts that only patch the attention and call another one."""
SCRIPTS = (
    "train",
    "train_lora",
    "train_flant5",
    "train_lora_t5",
    "train_baichuan",
    "train_yuan2",
    "train_with_template",
)
SCHEMAS = {script: Schema(f"fastchat:{script}") for script in SCRIPTS}


def _method(r: View) -> str:
    if "lora" not in r.run.context["script"]:
        return "full"
    return "qlora" if r.arg("q_lora") else "lora"


def _torch_dtype(r: View) -> str:
    """The LoRA scripts load in the precision that they train in, the others leave it to `from_pretrained`."""
    if r.method == "full":
        return hf_script.loaded_in_float32(r)
    return "float16" if r.arg("fp16") else "bfloat16" if r.arg("bf16") else "float32"


FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": lambda r: "sft",
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": arg("model_max_length"),
    "torch_dtype": _torch_dtype,
    "lora_rank": hf_script.lora("lora_r"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": hf_script.lora("lora_dropout"),
    "target_modules": hf_script.modules("lora_target_modules"),
    "modules_to_save": lambda r: [],
    "quantization_bits": lambda r: 4 if r.method == "qlora" else None,
    "datasets": hf_script.listed("data_path"),
    "required_columns": lambda r: [list(COLUMNS) for _ in r.datasets],
    "eval_datasets": lambda r: names(r.arg("eval_data_path")),
    "eval_data": lambda r: "yes" if r.given("eval_data_path") else "no",
    "packing": lambda r: False,
}
KEYS: dict[str, str | None] = {
    "sequence_length": "model_max_length",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "quantization_bits": "q_lora",
    "datasets": "data_path",
    "eval_data": "eval_data_path",
    "torch_dtype": None,
    "modules_to_save": None,
    "tokenizer_name_or_path": None,
}


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    found = PROGRAM.match(started.program.text or "")
    script = PARSER_OF.get(found[1], found[1]) if found is not None else None
    if script not in SCHEMAS:
        return None
    run = hf_trainer.command_run(DIALECT, document, started, context, SCHEMAS[script], closed=True)
    run.context = {**run.context, "script": script}
    return [run]


DIALECT = Dialect("fastchat", "FastChat", FACTS, KEYS, _read_command)
