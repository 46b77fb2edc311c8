"""Stanford Alpaca's `train.py`: all weights of a model, on one JSON file of instructions."""

from __future__ import annotations

from trainlint.dialects import hf_script, hf_trainer
from trainlint.dialects.base import Context, Dialect, arg
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run

SCHEMA = Schema("stanford_alpaca:train")
NEEDED = {"model_name_or_path", "data_path", "output_dir"}

FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    **hf_script.NO_ADAPTER,
    "stage": lambda r: "sft",
    "method": lambda r: "full",
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": arg("model_max_length"),
    "torch_dtype": hf_script.loaded_in_float32,
    "datasets": hf_script.listed("data_path"),
    "required_columns": lambda r: [["instruction", "output"] for _ in r.datasets],
    "eval_datasets": lambda r: [],
    "eval_data": lambda r: "no",
    "packing": lambda r: False,
}
KEYS: dict[str, str | None] = {
    "sequence_length": "model_max_length",
    "datasets": "data_path",
    "torch_dtype": None,
    "eval_data": None,
    "tokenizer_name_or_path": None,
}


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """Many projects have a `train.py`: it is this one where every flag is of its parser."""
    given = hf_script.flags(started)
    if started.name != "train.py" or not given >= NEEDED or not hf_script.speaks(given, SCHEMA):
        return None
    return [hf_trainer.command_run(DIALECT, document, started, context, SCHEMA, closed=True)]


DIALECT = Dialect("stanford-alpaca", "Stanford Alpaca", FACTS, KEYS, _read_command)
