"""Chinese-LLaMA-Alpaca: `run_clm_pt_with_peft.py` and `run_clm_sft_with_peft.py`, from a command line or their JSON file."""

from __future__ import annotations

import re

from trainlint.dialects import hf_trainer, tree
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, Unknown, View

SCHEMAS = {
    stage: Schema(f"chinese_llama_alpaca:{stage}", overrides={"optim": "adamw_torch"}) for stage in ("pt", "sft")
}
OWN_KEYS = {"trainable", "modules_to_save", "lora_rank", "load_in_kbits", "full_finetuning"}
SCRIPT = "run_clm_{}_with_peft.py"
WANTED_SIZE = re.compile(r"(?:tokenizer_vocab_size|len\(tokenizer\)\)?) *!= *(\d+)")


def _stage(r: View) -> str:
    return str(r.run.context["stage"])


def _method(r: View) -> str:
    if r.arg("full_finetuning"):
        return "full"
    return "qlora" if r.arg("load_in_kbits") in (4, 8) else "lora"


def _adapter(name: str) -> Derivation:
    """A LoRA setting: None in a full fine-tune, unknown where `peft_path` continues another adapter."""

    def derive(r: View) -> object:
        if r.method == "full":
            return None
        if r.given("peft_path"):
            raise Unknown("peft_path continues an adapter, whose own settings hold", name)
        return r.arg(name)

    return derive


def _targets(r: View) -> list[str]:
    return [] if r.method == "full" else names(_adapter("trainable")(r))


def _trained_whole(r: View) -> list[str]:
    return [] if r.method == "full" else names(_adapter("modules_to_save")(r))


def _sequence_length(r: View) -> int:
    if r.stage == "sft":
        return int(r.arg("max_seq_length"))
    length = r.arg("block_size")
    if length is None:
        raise Unknown("block_size is unset: the tokenizer's model_max_length, at most 1024", "sequence_length")
    return int(length)


def _datasets(r: View) -> list[str]:
    directory = r.arg("dataset_dir")
    if directory is None:
        raise Unknown("dataset_dir is not set", "datasets")
    return [str(directory)]


def _eval_data(r: View) -> str:
    """The pre-training script always splits off a part; the other one evaluates on --validation_file."""
    return "yes" if r.stage == "pt" or r.given("validation_file") else "no"


def _required_tokenizer_size(r: View) -> int:
    """The size that the script insists on, read in the script itself: it differs between the generations of the project."""
    started = r.run.context.get("started")
    if started is None:
        raise Unknown("the launch command is not in this file", "required_tokenizer_size")
    path = r.run.context["files"].find(started.program.text, r.run.context["directories"])
    wanted = WANTED_SIZE.search(path.read_text("utf-8", "replace"))
    if wanted is None:
        raise Unknown(f"{path.name} asks for no particular tokenizer", "required_tokenizer_size")
    return int(wanted[1])


FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("tokenizer_name_or_path", "tokenizer_name"),
    "required_tokenizer_size": _required_tokenizer_size,
    "sequence_length": _sequence_length,
    "lora_rank": _adapter("lora_rank"),
    "lora_alpha": _adapter("lora_alpha"),
    "lora_dropout": _adapter("lora_dropout"),
    "target_modules": _targets,
    "modules_to_save": _trained_whole,
    "quantization_bits": lambda r: r.arg("load_in_kbits") if r.arg("load_in_kbits") in (4, 8) else None,
    "datasets": _datasets,
    "dataset_format": lambda r: ".txt" if r.stage == "pt" else ".json",
    "eval_data": _eval_data,
    "packing": lambda r: r.stage == "pt",
}
KEYS = {"target_modules": "trainable", "quantization_bits": "load_in_kbits", "datasets": "dataset_dir"}
STAGE_KEYS = {"pt": {"sequence_length": "block_size"}, "sft": {"sequence_length": "max_seq_length"}}


def _finish(run: Run, stage: str) -> list[Run]:
    run.context = {**run.context, "stage": stage}
    spell = run.spell
    own = STAGE_KEYS[stage]
    run.spell = lambda fact: spell(own.get(fact, fact))
    return [run]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    for stage in SCHEMAS:
        if started.name == SCRIPT.format(stage):
            run = hf_trainer.command_run(DIALECT, document, started, context, SCHEMAS[stage], closed=True)
            return _finish(run, stage)
    return None


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if document.format != "json" or len(keys & OWN_KEYS) < 2 or not hf_trainer.trainer_marks(document):
        return None
    stage = "sft" if "max_seq_length" in keys and "block_size" not in keys else "pt"
    run = hf_trainer.tree_run(DIALECT, document, context, SCHEMAS[stage], "json", from_loaded, closed=True)
    return _finish(run, stage)


DIALECT = Dialect("chinese-llama-alpaca", "Chinese-LLaMA-Alpaca", FACTS, KEYS, _read_command, _read_tree)
