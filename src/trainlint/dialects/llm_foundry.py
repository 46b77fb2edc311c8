"""LLM Foundry: OmegaConf YAML with `variables:` and references, started by `composer train.py FILE key=value`."""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema("llm_foundry:TrainConfig")
TIME = re.compile(r"([\d_.]+(?:e\d+)?)(ep|ba|tok|sp|dur|iter|sec)")
MARKS = frozenset({"train_loader", "max_duration", "global_train_batch_size", "device_train_microbatch_size"})
OLD_KEYS = frozenset(
    {"seq_len", "global_seed", "data_local", "data_remote", "tokenizer_name", "init_device", "save_num_checkpoints",
     "accelerate_config", "deepspeed_config", "load_ignore_model_keys", "eval_loader_kwargs", "peft_config"}
)  # fmt: skip
"""Keys of releases before 0.18, which took what they did not know."""
CLIPPING = "algorithms.gradient_clipping"


def duration(text: Any) -> tuple[float, str]:
    """`1ep` as (1, "ep"); a bare number counts epochs. Raises `Unknown` for what is no time."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text), "ep"
    match = TIME.fullmatch(str(text).strip())
    if match is None:
        raise Unknown(f"{text} is no duration", "max_duration")
    return float(match[1].replace("_", "")), match[2]


def _steps(r: View, text: Any) -> int:
    """A duration in optimizer steps, where it can be told without the data."""
    number, unit = duration(text)
    if unit == "ba":
        return int(number)
    if unit == "tok":
        return int(number // r.tokens_per_step)
    if unit == "sp":
        return int(number // r.effective_batch_size)
    if unit == "dur":
        return int(number * r.total_steps)
    raise Unknown(f"{text} cannot be told in steps", "dataset_examples")


def _max_steps(r: View) -> int | None:
    number, unit = duration(r.arg("max_duration"))
    return None if unit == "ep" else _steps(r, r.arg("max_duration")) if number else 0


def _epochs(r: View) -> float:
    number, unit = duration(r.arg("max_duration"))
    if unit != "ep":
        raise Unknown("max_duration is not counted in epochs", "num_train_epochs")
    return number


def _stage(r: View) -> str:
    if scale.value(r, "train_loader.name") == "finetuning":
        return "sft"
    if scale.value(r, "model.pretrained") or r.arg("load_path"):
        return "pt"
    return "scratch"


def _method(r: View) -> str:
    return "lora" if r.given("model.peft_config") and r.arg("model.peft_config") else "full"


def _adapter(name: str, absent: Any) -> Derivation:
    """The defaults are PEFT's."""
    return lambda r: scale.value(r, f"model.peft_config.{name}", absent=absent) if r.method == "lora" else None


def _micro(r: View) -> int:
    micro = r.arg("device_train_microbatch_size")
    if not isinstance(micro, int):
        raise Unknown(f"device_train_microbatch_size {micro} is found out when it runs", "per_device_train_batch_size")
    return micro


def _clip(r: View) -> float:
    """Clipping is an algorithm that has to be asked for."""
    if not r.given(CLIPPING):
        return 0.0
    return float(r.arg(f"{CLIPPING}.clipping_threshold"))


def _precision(r: View) -> str:
    kind = str(r.arg("precision"))
    return "bf16" if "bf16" in kind else "fp16" if "fp16" in kind else "bf16" if "fp8" in kind else "no"


def _warmup_steps(r: View) -> int:
    text = scale.value(r, "scheduler.t_warmup")
    return 0 if text is None else _steps(r, text)


def _schedule_share(r: View) -> float:
    """Composer compares what is counted in one unit, and batches with epochs."""
    run, counted = duration(r.arg("max_duration"))
    end, unit = duration(scale.value(r, "scheduler.t_max", absent="1dur"))
    if unit == "dur":
        return end
    if unit == "ba" and counted == "ep":
        return float(end / r.total_steps)
    if unit != counted:
        raise Unknown("scheduler.t_max and max_duration are counted in different units", "schedule_share")
    return end / run


def _datasets(r: View) -> list[str]:
    kinds = ("hf_name", "remote", "local", "streams")
    found = scale.value(r, *(f"train_loader.dataset.{kind}" for kind in kinds))
    if found is None:
        raise Unknown("train_loader names no data", "datasets")
    return [str(found)] if not isinstance(found, (dict, list)) else ["several streams"]


def _interval(name: str) -> Derivation:
    def derive(r: View) -> int | None:
        number, unit = duration(r.arg(name))
        return int(number) if unit == "ba" else None

    return derive


def _strategy(name: str) -> Derivation:
    def derive(r: View) -> str:
        number, unit = duration(r.arg(name))
        return "no" if number <= 0 else "epoch" if unit == "ep" else "steps"

    return derive


def _save_strategy(r: View) -> str:
    if r.given("callbacks.hf_checkpointer"):
        raise Unknown("the callback hf_checkpointer saves as it is told", "save_strategy")
    return _strategy("save_interval")(r) if r.arg("save_folder") else "no"


def _eval_strategy(r: View) -> str:
    evaluates = r.given("eval_loader") or r.given("eval_loaders") or r.given("icl_tasks")
    return str(_strategy("eval_interval")(r)) if evaluates else "no"


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model.pretrained_model_name_or_path"),
    "learning_rate": arg("optimizer.lr"),
    "lr_scheduler_type": lambda r: str(r.arg("scheduler.name")).removesuffix("_with_warmup"),
    "schedule_share": _schedule_share,
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": _micro,
    "effective_batch_size": arg("global_train_batch_size"),
    "data_parallel_size": lambda r: int(r.world_size),
    "gradient_accumulation_steps": scale.accumulated,
    "sequence_length": arg("max_seq_len"),
    "num_train_epochs": _epochs,
    "max_steps": _max_steps,
    "weight_decay": arg("optimizer.weight_decay"),
    "max_grad_norm": _clip,
    "clipping_set_by": lambda r: "request",
    "optim": arg("optimizer.name"),
    "mixed_precision": _precision,
    "lora_rank": _adapter("r", 8),
    "lora_alpha": _adapter("lora_alpha", 8),
    "lora_dropout": _adapter("lora_dropout", 0.0),
    "target_modules": lambda r: list(_adapter("target_modules", [])(r) or []),
    "datasets": _datasets,
    "packing": lambda r: r.stage != "sft" or scale.value(r, "train_loader.dataset.packing_ratio") is not None,
    "eval_strategy": _eval_strategy,
    "eval_steps": _interval("eval_interval"),
    "save_strategy": _save_strategy,
    "save_steps": _interval("save_interval"),
    "output_dir": arg("save_folder"),
    "gradient_checkpointing": lambda r: bool(scale.value(r, "fsdp_config.activation_checkpointing", absent=False)),
    "seed": arg("seed"),
    "fsdp": lambda r: r.arg("fsdp_config") or None,
    "spread_by": lambda r: "FSDP" if r.arg("fsdp_config") else None,
}  # fmt: skip
KEYS = {
    "learning_rate": "optimizer.lr",
    "lr_scheduler_type": "scheduler.name",
    "warmup_steps": "scheduler.t_warmup",
    "warmup_ratio": "scheduler.t_warmup",
    "per_device_train_batch_size": "device_train_microbatch_size",
    "effective_batch_size": "global_train_batch_size",
    "gradient_accumulation_steps": "global_train_batch_size",
    "sequence_length": "max_seq_len",
    "num_train_epochs": "max_duration",
    "max_steps": "max_duration",
    "weight_decay": "optimizer.weight_decay",
    "max_grad_norm": f"{CLIPPING}.clipping_threshold",
    "optim": "optimizer.name",
    "mixed_precision": "precision",
    "lora_rank": "model.peft_config.r",
    "lora_alpha": "model.peft_config.lora_alpha",
    "model_name_or_path": "model.pretrained_model_name_or_path",
    "datasets": "train_loader.dataset",
    "eval_steps": "eval_interval",
    "eval_strategy": "eval_interval",
    "save_steps": "save_interval",
    "save_strategy": "save_folder",
    "output_dir": "save_folder",
    "gradient_checkpointing": "fsdp_config.activation_checkpointing",
}


def _is_config(found: dotted.Leaves) -> bool:
    return "train_loader" in found and len(MARKS & set(found)) >= 2


def _arguments(found: dotted.Leaves, open_: str | None = None) -> Arguments:
    """Top-level keys are those of a dataclass, what lies below is free. Older releases took any key."""
    dotted.interpolate(found)
    return dotted.arguments(found, SCHEMA, from_lax, closed=not OLD_KEYS & set(found), open_=open_)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "omegaconf")
    if not _is_config(found):
        return None
    return [from_tree(DIALECT, document, context, _arguments(found), SCHEMA, loader="omegaconf")]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """`composer` starts one process on each GPU unless `-n` says otherwise."""
    words = list(started.words)
    if started.name == "composer":
        at = next((i for i, word in enumerate(words) if (word.text or "").endswith(".py")), None)
        words = words[at + 1 :] if at is not None else words
    elif started.name != "train.py":
        return None
    found = dotted.named_file(words, document, started, context)
    if found is None or not _is_config(found):
        return None
    open_ = dotted.override(found, document.source, words[1:])
    return [from_command(DIALECT, document, started, context, _arguments(found, open_), SCHEMA, flag="")]


DIALECT = Dialect("llm-foundry", "LLM Foundry", FACTS, KEYS, _read_command, _read_tree)
