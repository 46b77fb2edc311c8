"""nanotron: one strict YAML (PyYAML and dacite), started by `run_train.py --config-file FILE`."""

from __future__ import annotations

from typing import Any

from trainlint.dialects import dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import Rejected, from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema("nanotron:Config")
MARKS = frozenset({"tokens.micro_batch_size", "tokens.sequence_length", "tokens.train_steps", "parallelism.dp"})
SCRIPTS = ("run_train.py", "train.py")
CONFIG = "--config-file"
PLUGGED = ("model.model_config.", "model.init_method.", "doremi")
"""Every architecture has settings of its own, and so has the trainer of nanotron's DoReMi example."""
SCHEDULE = "optimizer.learning_rate_scheduler"


def _stage(r: View) -> str:
    if r.given("checkpoints.resume_checkpoint_path") and r.arg("checkpoints.resume_checkpoint_path"):
        raise Unknown("it resumes from a checkpoint, perhaps another run's", "stage")
    return "pt" if scale.value(r, "model.init_method.path") else "scratch"


def _world_size(r: View) -> int:
    """nanotron insists on as many processes as the degrees multiply to."""
    parts = (r.arg("parallelism.dp"), r.arg("parallelism.tp"), r.arg("parallelism.pp"))
    total = scale.value(r, "parallelism.context_parallel_size", absent=1)
    for part in parts:
        total *= part
    return int(total)


def _clip(r: View) -> float:
    clip = r.arg("optimizer.clip_grad")
    return 0.0 if clip is None else float(clip)


def _saves(r: View) -> bool:
    return r.given("checkpoints") and bool(r.arg("checkpoints"))


def _schedule_share(r: View) -> float:
    """The decay begins behind the warmup unless it is told when, and ends with the run unless it is told how long it takes."""
    steps, length = r.max_steps, scale.value(r, f"{SCHEDULE}.lr_decay_steps")
    begin = scale.value(r, f"{SCHEDULE}.lr_decay_starting_step") or r.warmup_steps
    return float((begin + length) / steps) if length else 1.0


def _precision(r: View) -> str:
    return {"bfloat16": "bf16", "float16": "fp16"}.get(str(r.arg("model.dtype")), "no")


def _datasets(r: View) -> list[str]:
    stages = r.arg("data_stages")
    found: list[str] = []
    for stage in stages if isinstance(stages, list) else ():
        data = (stage.get("data") or {}).get("dataset") if isinstance(stage, dict) else None
        names: Any = (data or {}).get("dataset_folder") or (data or {}).get("hf_dataset_or_datasets")
        found += [str(name) for name in (names if isinstance(names, (list, dict)) else [names]) if name]
    if not found:
        raise Unknown("data_stages names no data", "datasets")
    return list(dict.fromkeys(found))


def _optim(r: View) -> str:
    return str(scale.value(r, "optimizer.optimizer_factory.name", absent="adamW"))


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": lambda r: "full",
    "world_size": _world_size,
    "learning_rate": arg(f"{SCHEDULE}.learning_rate"),
    "lr_scheduler_type": arg(f"{SCHEDULE}.lr_decay_style"),
    "schedule_share": _schedule_share,
    "warmup_steps": arg(f"{SCHEDULE}.lr_warmup_steps"),
    "per_device_train_batch_size": arg("tokens.micro_batch_size"),
    "gradient_accumulation_steps": arg("tokens.batch_accumulation_per_replica"),
    "data_parallel_size": arg("parallelism.dp"),
    "effective_batch_size": scale.made_of_replicas,
    "sequence_length": arg("tokens.sequence_length"),
    "max_steps": arg("tokens.train_steps"),
    "weight_decay": arg("optimizer.weight_decay"),
    "adam_beta2": arg("optimizer.optimizer_factory.adam_beta2"),
    "max_grad_norm": _clip,
    "optim": _optim,
    "mixed_precision": _precision,
    "torch_dtype": lambda r: str(r.arg("model.dtype")),
    "model_name_or_path": arg("model.init_method.path"),
    "tokenizer_name_or_path": arg("tokenizer.tokenizer_name_or_path"),
    "datasets": _datasets,
    "packing": lambda r: True,
    "zero_stage": arg("optimizer.zero_stage"),
    "eval_strategy": lambda r: "steps" if r.eval_steps else "no",
    "eval_steps": scale.interval("tokens.val_check_interval"),
    "save_strategy": lambda r: "steps" if _saves(r) else "no",
    "save_steps": lambda r: r.arg("checkpoints.checkpoint_interval") if _saves(r) else None,
    "output_dir": arg("checkpoints.checkpoints_path"),
    "seed": arg("general.seed"),
    "spread_by": lambda r: scale.spread(r, ("parallelism.tp", "parallelism.pp"), "ZeRO"),
}  # fmt: skip
KEYS = {
    "learning_rate": f"{SCHEDULE}.learning_rate",
    "lr_scheduler_type": f"{SCHEDULE}.lr_decay_style",
    "warmup_steps": f"{SCHEDULE}.lr_warmup_steps",
    "warmup_ratio": f"{SCHEDULE}.lr_warmup_steps",
    "per_device_train_batch_size": "tokens.micro_batch_size",
    "gradient_accumulation_steps": "tokens.batch_accumulation_per_replica",
    "sequence_length": "tokens.sequence_length",
    "max_steps": "tokens.train_steps",
    "num_train_epochs": "tokens.train_steps",
    "weight_decay": "optimizer.weight_decay",
    "max_grad_norm": "optimizer.clip_grad",
    "optim": "optimizer.optimizer_factory.name",
    "mixed_precision": "model.dtype",
    "torch_dtype": "model.dtype",
    "model_name_or_path": "model.init_method.path",
    "tokenizer_name_or_path": "tokenizer.tokenizer_name_or_path",
    "datasets": "data_stages",
    "eval_steps": "tokens.val_check_interval",
    "eval_strategy": "tokens.val_check_interval",
    "save_steps": "checkpoints.checkpoint_interval",
    "save_strategy": "checkpoints",
    "output_dir": "checkpoints.checkpoints_path",
    "seed": "general.seed",
    "zero_stage": "optimizer.zero_stage",
    "world_size": "parallelism.dp",
}


def _is_config(found: dotted.Leaves) -> bool:
    return len(MARKS & set(found)) >= 3


def _convert(edition: Edition, value: Any) -> Any:
    """Members of an enumeration are called by their names, in any case. Raises `Rejected`."""
    try:
        return from_loaded(edition, value)
    except Rejected:
        if isinstance(value, str) and value.lower() in (edition.choices or ()):
            return value.lower()
        raise


def _arguments(found: dotted.Leaves) -> Arguments:
    return dotted.arguments(found, SCHEMA, _convert, closed=True, free=PLUGGED)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "pyyaml")
    return [from_tree(DIALECT, document, context, _arguments(found), SCHEMA)] if _is_config(found) else None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    if started.name not in SCRIPTS:
        return None
    words = started.words
    config = next((words[i + 1] for i, word in enumerate(words[:-1]) if word.text == CONFIG), None)
    config = config or next(
        (word.after(len(CONFIG) + 1) for word in words if word.known_prefix.startswith(f"{CONFIG}=")), None
    )
    if config is None or config.text is None:
        return None
    try:
        found = dotted.leaves(context.open(config.text, document, started), "pyyaml")
    except Unknown:
        return None
    if not _is_config(found):
        return None
    return [from_command(DIALECT, document, started, context, _arguments(found), SCHEMA, flag="")]


DIALECT = Dialect("nanotron", "nanotron", FACTS, KEYS, _read_command, _read_tree)
