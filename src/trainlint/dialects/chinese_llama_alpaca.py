"""Chinese-LLaMA-Alpaca 1, 2 and 3: `run_clm_pt_with_peft.py` and `run_clm_sft_with_peft.py`, with flags or their JSON file.

The three generations call their scripts alike. Which one it is the script says where it is here, else a flag that only one of
them has; where nothing says it, the second is read, and no flag of the others is unknown.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import continued, hf_script, hf_trainer, tree
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, Unknown, View

STAGES = ("pt", "sft")
TABLES = {"1": "chinese_llama_alpaca_1", "2": "chinese_llama_alpaca", "3": "chinese_llama_alpaca_3"}
OWN_FLAG = {"force_resize_embeddings": "1", "low_cpu_mem_usage": "3"}
"""Flags that one generation alone has."""
OWN_KEYS = {"trainable", "modules_to_save", "lora_rank", "load_in_kbits", "full_finetuning"}
SCRIPT = "run_clm_{}_with_peft.py"
WANTED_SIZE = re.compile(r"(?:tokenizer_vocab_size|len\(tokenizer\)\)?) *!= *(\d+)")


def _schema(stage: str, generation: str | None) -> Schema:
    chosen = [TABLES[generation]] if generation is not None else [TABLES["2"], TABLES["3"], TABLES["1"]]
    return Schema(*(f"{table}:{stage}" for table in chosen), overrides={"optim": "adamw_torch"})


def _generation(given: set[str], script: str = "") -> str | None:
    """By the text of the script, else by the flags; None where neither says it."""
    if script:
        return "1" if "load_in_kbits" not in script else "3" if "low_cpu_mem_usage" in script else "2"
    return next((generation for flag, generation in OWN_FLAG.items() if flag in given), None)


def _stage(r: View) -> str:
    return str(r.run.context["stage"])


def _method(r: View) -> str:
    if _own(r, "full_finetuning"):
        return "full"
    return "qlora" if _own(r, "load_in_kbits") in (4, 8) else "lora"


def _own(r: View, name: str) -> Any:
    """An argument that the first generation does not have."""
    return r.arg(name) if name in r.run.context["schema"] else None


def _continues(r: View) -> str | None:
    return "peft_path" if r.given("peft_path") and r.arg("peft_path") else None


def _sequence_length(r: View) -> int:
    if r.stage == "sft":
        if not r.given("max_seq_length") and r.run.context["generation"] is None:
            r.assume("512 in the first generation of the script")
        return int(r.arg("max_seq_length"))
    length = r.arg("block_size")
    if length is None:
        return min(int(r.tokenizer_max_length), 1024)
    limit = r.run.fact("tokenizer_max_length")
    return int(length) if not limit.known or limit.value >= length else int(r.tokenizer_max_length)


def _datasets(r: View) -> list[str]:
    directory = r.arg("dataset_dir")
    if directory is None:
        raise Unknown("dataset_dir is not set", "datasets")
    return [str(directory)]


def _eval_data(r: View) -> str:
    """The pre-training script always splits off a part; the other one evaluates on --validation_file."""
    return "yes" if r.stage == "pt" or r.given("validation_file") else "no"


def _eval_split(r: View) -> float:
    """Only the pre-training script splits; the other one has the argument and does not read it."""
    return r.arg("validation_split_percentage") if r.stage == "pt" else 0


def _eval_datasets(r: View) -> list[str]:
    """The pre-training script has the argument and does not read it."""
    return names(r.arg("validation_file")) if r.stage == "sft" else []


def _required_columns(r: View) -> list[list[str]]:
    return [["instruction", "input", "output"] if r.stage == "sft" else ["text"]]


def _required_tokenizer_size(r: View) -> int:
    """The size that the script insists on, read in the script itself: it differs between the generations of the project."""
    started = r.run.context.get("started")
    if started is None:
        raise Unknown("the launch command is not in this file", "required_tokenizer_size")
    if started.program.text is None:
        raise Unknown(f"nobody can tell which {started.name} it is", "required_tokenizer_size")
    path = r.run.context["files"].find(started.program.text, r.run.context["directories"])
    wanted = WANTED_SIZE.search(path.read_text("utf-8", "replace"))
    if wanted is None:
        raise Unknown(f"{path.name} asks for no particular tokenizer", "required_tokenizer_size")
    return int(wanted[1])


OWN_ADAPTER: dict[str, Derivation] = {
    **{name: hf_script.lora(name) for name in ("lora_rank", "lora_alpha", "lora_dropout")},
    "target_modules": hf_script.modules("trainable"),
    "modules_to_save": hf_script.modules("modules_to_save"),
}
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("tokenizer_name_or_path", "tokenizer_name"),
    "required_tokenizer_size": _required_tokenizer_size,
    "sequence_length": _sequence_length,
    **continued.over(OWN_ADAPTER, _continues),
    "quantization_bits": lambda r: _own(r, "load_in_kbits") if _own(r, "load_in_kbits") in (4, 8) else None,
    "datasets": _datasets,
    "required_columns": _required_columns,
    "eval_datasets": _eval_datasets,
    "eval_split": _eval_split,
    "max_eval_samples": lambda r: r.arg("max_eval_samples") if r.stage == "pt" else None,
    "dataset_format": lambda r: ".txt" if r.stage == "pt" else ".json",
    "eval_data": _eval_data,
    "packing": lambda r: r.stage == "pt",
}
KEYS = {"target_modules": "trainable", "quantization_bits": "load_in_kbits", "datasets": "dataset_dir"}
STAGE_KEYS = {"pt": {"sequence_length": "block_size"}, "sft": {"sequence_length": "max_seq_length"}}


def _finish(run: Run, stage: str, generation: str | None) -> list[Run]:
    run.context = {**run.context, "stage": stage, "generation": generation}
    spell = run.spell
    own = STAGE_KEYS[stage]
    run.spell = lambda fact: spell(own.get(fact, fact))
    return [run]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    stage = next((stage for stage in STAGES if started.name == SCRIPT.format(stage)), None)
    if stage is None:
        return None
    generation = _generation(hf_script.flags(started), context.script(document, started))
    schema = _schema(stage, generation)
    return _finish(hf_trainer.command_run(DIALECT, document, started, context, schema, closed=True), stage, generation)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if document.format != "json" or len(keys & OWN_KEYS) < 2 or not hf_trainer.trainer_marks(document):
        return None
    stage = "sft" if "max_seq_length" in keys and "block_size" not in keys else "pt"
    generation = _generation(keys)
    schema = _schema(stage, generation)
    run = hf_trainer.tree_run(DIALECT, document, context, schema, "json", from_loaded, closed=True)
    return _finish(run, stage, generation)


DIALECT = Dialect("chinese-llama-alpaca", "Chinese-LLaMA-Alpaca", FACTS, KEYS, _read_command, _read_tree)
