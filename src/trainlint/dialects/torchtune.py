"""torchtune: OmegaConf YAML in which `_component_` names what is built, alone or by `tune run RECIPE --config FILE k=v`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from trainlint.dialects import components, dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Options, Started, torchrun_processes
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Word
from trainlint.facts import Arguments, Run, Unknown, View

SCHEMA = Schema("torchtune:recipes")
COMPONENT = "_component_"
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
STAGES = (("dpo", "dpo"), ("ppo", "ppo"), ("grpo", "grpo"), ("knowledge_distillation", "kd"))
LENGTHS = ("epochs", "num_steps", "total_epochs", "max_steps_per_epoch")
CONFIG = "--config"


def _stage(r: View) -> str:
    """By the recipe's name, else by the components: a loss of preferences, a teacher, plain text as data."""
    recipe = str(r.run.context.get("recipe") or "")
    built = " ".join(str(scale.value(r, name, absent="")) for name in ("loss._component_", "dataset._component_"))
    for mark, stage in STAGES:
        if mark in recipe or (not recipe and mark in built.lower()):
            return stage
    if not recipe:
        for name, stage in (("teacher_model", "kd"), ("grpo_samples", "grpo"), ("policy_model", "ppo")):
            if name in r.run.arguments.given:
                return stage
    if "text_completion_dataset" in built:
        return "pt"
    return "sft"


def _model(r: View) -> str:
    return scale.last_part(r.arg("model._component_")) if r.given("model._component_") else ""


def _method(r: View) -> str:
    name = _model(r)
    if not name:
        raise Unknown("the model is not named in this file", "method")
    if name.startswith("qlora_") or scale.value(r, "model.quantize_base"):
        return "qlora"
    return "lora" if name.startswith(("lora_", "dora_")) or r.given("model.lora_rank") else "full"


def _adapter(name: str) -> Any:
    return lambda r: r.arg(f"model.{name}") if r.method != "full" else None


def _targets(r: View) -> list[str]:
    if r.method == "full":
        return []
    found = [str(name) for name in scale.value(r, "model.lora_attn_modules", absent=[])]
    if scale.value(r, "model.apply_lora_to_mlp"):
        found.append("mlp")
    return [*found, "output"] if scale.value(r, "model.apply_lora_to_output") else found


def _sequence_length(r: View) -> int:
    length = scale.value(r, "tokenizer.max_seq_len", "dataset.max_seq_len")
    if length is None:
        raise Unknown("tokenizer.max_seq_len is null: sequences are not cut", "sequence_length")
    return int(length)


def _max_steps(r: View) -> int | None:
    """`max_steps_per_epoch` counts optimizer steps."""
    per_epoch = scale.value(r, "max_steps_per_epoch")
    if per_epoch is not None and per_epoch < 1:
        raise Unknown(f"nobody means {per_epoch} steps in an epoch", "max_steps")
    return None if per_epoch is None else int(per_epoch * r.arg("epochs"))


def _scheduler(r: View) -> str:
    if not r.given("lr_scheduler._component_"):
        return "constant"
    name = scale.last_part(r.arg("lr_scheduler._component_"))
    return "cosine" if "cosine" in name else name


def _entries(r: View, name: str) -> list[dict[str, Any]]:
    every = r.arg(name) if r.given(name) else None
    return [entry for entry in (every if isinstance(every, list) else [every]) if isinstance(entry, dict)]


def _files(entries: list[dict[str, Any]]) -> list[str]:
    """Where `source` is a kind of file, `data_files` names the files."""
    return [
        name
        for entry in entries
        for name in (names(entry.get("data_files")) or [str(entry.get("source") or entry.get("_component_"))])
    ]


def _datasets(r: View) -> list[str]:
    found = _files(_entries(r, "dataset"))
    if not found:
        raise Unknown("dataset is not set", "datasets")
    return found


def _required_columns(r: View) -> list[list[str | tuple[str, ...]]]:
    """For each file what its builder reads of every row."""
    return [_required(entry) for entry in _entries(r, "dataset") for _ in _files([entry])]


def _required(entry: dict[str, Any]) -> list[str | tuple[str, ...]]:
    builder = str(entry.get("_component_")).rpartition(".")[2]
    renamed = entry.get("column_map")
    renamed = renamed if isinstance(renamed, dict) else {}
    match builder:
        case "alpaca_dataset" | "alpaca_cleaned_dataset":
            wanted = ["instruction", "output"]
        case "instruct_dataset":
            wanted = ["input", "output"]
        case "preference_dataset":
            wanted = ["chosen", "rejected"]
        case "text_completion_dataset":
            wanted = [str(entry.get("column") or "text")]
        case "chat_dataset":
            wanted = names(entry.get("conversation_column"))
        case _:
            wanted = []
    return [str(renamed.get(name, name)) for name in wanted]


def _evaluation(r: View) -> Any:
    return scale.value(r, "run_val_every_n_steps")


def _precision(r: View) -> str:
    dtype = r.arg("dtype")
    return "no" if dtype == "fp32" else str(dtype)


FACTS = {
    **scale.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("checkpointer.checkpoint_dir"),
    "learning_rate": arg("optimizer.lr"),
    "lr_scheduler_type": _scheduler,
    "warmup_steps": lambda r: int(scale.value(r, "lr_scheduler.num_warmup_steps", absent=0)),
    "per_device_train_batch_size": arg("batch_size"),
    "gradient_accumulation_steps": arg("gradient_accumulation_steps"),
    "sequence_length": _sequence_length,
    "num_train_epochs": arg("epochs"),
    "max_steps": _max_steps,
    "weight_decay": arg("optimizer.weight_decay"),
    "max_grad_norm": lambda r: float(scale.value(r, "clip_grad_norm", absent=0.0)),
    "optim": lambda r: scale.last_part(r.arg("optimizer._component_")),
    "mixed_precision": _precision,
    "torch_dtype": lambda r: DTYPES.get(r.arg("dtype"), "auto"),
    "lora_rank": _adapter("lora_rank"),
    "lora_alpha": _adapter("lora_alpha"),
    "lora_dropout": _adapter("lora_dropout"),
    "target_modules": _targets,
    "quantization_bits": lambda r: 4 if r.method == "qlora" else None,
    "datasets": _datasets,
    "required_columns": _required_columns,
    "eval_datasets": lambda r: _files(_entries(r, "dataset_val")),
    "packing": lambda r: bool(scale.value(r, "dataset.packed", absent=False)),
    "eval_strategy": lambda r: "steps" if _evaluation(r) else "no",
    "eval_steps": _evaluation,
    "save_strategy": lambda r: "epoch",
    "save_steps": lambda r: None,
    "output_dir": arg("output_dir"),
    "gradient_checkpointing": arg("enable_activation_checkpointing"),
    "seed": arg("seed"),
    "spread_by": lambda r: "FSDP",
}
KEYS = {
    "learning_rate": "optimizer.lr",
    "per_device_train_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "max_steps": "max_steps_per_epoch",
    "sequence_length": "tokenizer.max_seq_len",
    "warmup_steps": "lr_scheduler.num_warmup_steps",
    "lr_scheduler_type": "lr_scheduler._component_",
    "weight_decay": "optimizer.weight_decay",
    "max_grad_norm": "clip_grad_norm",
    "optim": "optimizer._component_",
    "mixed_precision": "dtype",
    "torch_dtype": "dtype",
    "lora_rank": "model.lora_rank",
    "lora_alpha": "model.lora_alpha",
    "lora_dropout": "model.lora_dropout",
    "target_modules": "model.lora_attn_modules",
    "model_name_or_path": "checkpointer.checkpoint_dir",
    "tokenizer_name_or_path": "tokenizer.path",
    "datasets": "dataset.source",
    "packing": "dataset.packed",
    "gradient_checkpointing": "enable_activation_checkpointing",
    "eval_strategy": "run_val_every_n_steps",
    "eval_steps": "run_val_every_n_steps",
    "save_strategy": None,
    "save_steps": None,
    "warmup_ratio": None,
}


def _is_config(found: dotted.Leaves) -> bool:
    return any(name.startswith("torchtune.") for name in dotted.components(found)) or (
        "tokenizer._component_" in found and "checkpointer._component_" in found
    )


def _trains(found: dotted.Leaves) -> bool:
    """Generation, evaluation and quantisation have configurations of their own, without an optimizer."""
    return "optimizer" in found and any(name in found for name in LENGTHS)


def _arguments(found: dotted.Leaves, open_: str | None = None) -> tuple[Arguments, Schema]:
    """Recipes take any key of their own, components only their keywords."""
    dotted.interpolate(found)
    named = components.read(found, SCHEMA, COMPONENT)
    read = dotted.arguments(found, named.schema, from_loaded, closed=False, open_=open_, strict=named.strict)
    read.issues += named.issues
    return read, named.schema


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "omegaconf")
    if not _is_config(found):
        return None
    if not _trains(found):
        return []
    arguments, schema = _arguments(found)
    return [from_tree(DIALECT, document, context, arguments, schema, loader="omegaconf")]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    words = started.words
    if started.name != "tune":
        return None
    if not words or words[0].text != "run":
        return []
    options = Options("torchrun", words[1:])
    if not options.rest or options.rest[0].text is None:
        return []
    recipe, rest = options.rest[0].text, list(options.rest[1:])
    if re.search(r"generat|eval|quantiz", recipe):
        return []
    config, overrides = _config(rest)
    started = replace(started, launcher="torchrun", processes=torchrun_processes(options))
    run = _launched(document, started, context, config, overrides)
    run.context = {**run.context, "recipe": recipe}
    return [run]


def _config(words: list[Word]) -> tuple[Word | None, list[Word]]:
    """The file after `--config`, and everything else."""
    for i, word in enumerate(words):
        if word.text == CONFIG and i + 1 < len(words):
            return words[i + 1], [*words[:i], *words[i + 2 :]]
        if word.known_prefix.startswith(f"{CONFIG}="):
            return word.after(len(CONFIG) + 1), [*words[:i], *words[i + 1 :]]
    return None, words


def _launched(
    document: Document, started: Started, context: Context, config: Word | None, overrides: list[Word]
) -> Run:
    """The run of a file with its overrides; of a file that is not here only what the command says."""
    found: dotted.Leaves = {}
    open_: str | None = "no --config is given" if config is None else config.unknown
    if config is not None and config.text is not None:
        try:
            found = dotted.leaves(context.open(config.text, document, started), "omegaconf")
        except Unknown as missing:
            open_ = missing.reason
    more = dotted.override(found, document.source, overrides, COMPONENT)
    arguments, schema = _arguments(found, open_ or more)
    return from_command(DIALECT, document, started, context, arguments, schema, flag="")


DIALECT = Dialect("torchtune", "torchtune", FACTS, KEYS, _read_command, _read_tree)
