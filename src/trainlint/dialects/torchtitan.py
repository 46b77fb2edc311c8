"""torchtitan up to 0.2: TOML of `[section]` tables, and the same as flags `--section.key` behind `torchtitan.train`."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from trainlint.dialects import argv, dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started, counted
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Fact, Run, Unknown, View

SCHEMA = Schema("torchtitan:JobConfig")
SECTIONS = frozenset(
    {"job", "profiling", "metrics", "model", "optimizer", "lr_scheduler", "parallelism", "checkpoint",
     "activation_checkpoint", "compile", "quantize", "validation", "comm", "experimental", "fault_tolerance"}
)  # fmt: skip
SCRIPT = "run_train.sh"
CONFIG = "job.config_file"
DEGREES = tuple(f"parallelism.{name}_parallel_degree" for name in ("tensor", "pipeline", "context"))


def _either(new: str, old: str) -> Any:
    """Names changed between 0.1 and 0.2."""
    return lambda r: r.arg(old) if r.given(old) and not r.given(new) else r.arg(new)


def _stage(r: View) -> str:
    return "pt" if scale.value(r, "checkpoint.initial_load_path") else "scratch"


_local_batch = _either("training.local_batch_size", "training.batch_size")
_saves = _either("checkpoint.enable", "checkpoint.enable_checkpoint")


def _effective_batch_size(r: View) -> int:
    total = r.arg("training.global_batch_size")
    return int(total) if total and total > 0 else int(_local_batch(r) * r.data_parallel_size)


def _accumulation(r: View) -> int:
    total = r.arg("training.global_batch_size")
    return scale.accumulated(r) if total and total > 0 else 1


def _precision(r: View) -> str:
    kind = r.arg("training.mixed_precision_param")
    return {"bfloat16": "bf16", "float16": "fp16"}.get(kind, "no")


def _seed(r: View) -> Any:
    return _either("debug.seed", "training.seed")(r)


def _evaluates(r: View) -> bool:
    return bool(_either("validation.enable", "validation.enabled")(r))


FACTS = {
    **scale.FACTS,
    "stage": _stage,
    "method": lambda r: "full",
    "learning_rate": arg("optimizer.lr"),
    "lr_scheduler_type": _either("lr_scheduler.decay_type", "lr_scheduler.lr_decay_type"),
    "warmup_steps": arg("lr_scheduler.warmup_steps"),
    "per_device_train_batch_size": _local_batch,
    "data_parallel_size": scale.replicas(*DEGREES),
    "effective_batch_size": _effective_batch_size,
    "gradient_accumulation_steps": _accumulation,
    "sequence_length": arg("training.seq_len"),
    "max_steps": arg("training.steps"),
    "weight_decay": arg("optimizer.weight_decay"),
    "adam_beta2": arg("optimizer.beta2"),
    "max_grad_norm": arg("training.max_norm"),
    "optim": arg("optimizer.name"),
    "mixed_precision": _precision,
    "torch_dtype": arg("training.dtype"),
    "model_name_or_path": lambda r: f"{r.arg('model.name')}-{r.arg('model.flavor')}",
    "datasets": lambda r: [str(scale.value(r, "training.dataset_path") or r.arg("training.dataset"))],
    "packing": lambda r: True,
    "streaming": lambda r: True,
    "eval_strategy": lambda r: "steps" if _evaluates(r) else "no",
    "eval_steps": lambda r: r.arg("validation.freq") if _evaluates(r) else None,
    "save_strategy": lambda r: "steps" if _saves(r) else "no",
    "save_steps": lambda r: r.arg("checkpoint.interval") if _saves(r) else None,
    "output_dir": arg("job.dump_folder"),
    "gradient_checkpointing": lambda r: r.arg("activation_checkpoint.mode") != "none",
    "seed": _seed,
    "spread_by": lambda r: scale.spread(r, DEGREES, "FSDP"),
}  # fmt: skip
KEYS = {
    "learning_rate": "optimizer.lr",
    "lr_scheduler_type": "lr_scheduler.decay_type",
    "warmup_steps": "lr_scheduler.warmup_steps",
    "warmup_ratio": None,
    "per_device_train_batch_size": "training.local_batch_size",
    "effective_batch_size": "training.global_batch_size",
    "gradient_accumulation_steps": "training.global_batch_size",
    "sequence_length": "training.seq_len",
    "max_steps": "training.steps",
    "num_train_epochs": "training.steps",
    "weight_decay": "optimizer.weight_decay",
    "max_grad_norm": "training.max_norm",
    "optim": "optimizer.name",
    "mixed_precision": "training.mixed_precision_param",
    "torch_dtype": "training.dtype",
    "datasets": "training.dataset",
    "eval_strategy": "validation.enable",
    "eval_steps": "validation.freq",
    "save_strategy": "checkpoint.enable",
    "save_steps": "checkpoint.interval",
    "output_dir": "job.dump_folder",
    "gradient_checkpointing": "activation_checkpoint.mode",
    "seed": "debug.seed",
}


def _is_config(found: dotted.Leaves) -> bool:
    steps = "training.steps" in found or "training.seq_len" in found
    return steps and len(SECTIONS & set(found)) >= 2


def _of_file(found: dotted.Leaves, open_: str | None = None) -> Arguments:
    """A key that JobConfig lacks is refused, unless the file extends it; a section of its own says that the command does."""
    sections = {name.partition(".")[0] for name in SCHEMA}
    extended = any(
        (scale.last_part(name).startswith("custom_") and leaf.value)
        or not get_close_matches(name.partition(".")[0], sections)
        for name, leaf in found.items()
    )
    return dotted.arguments(found, SCHEMA, from_lax, closed=not extended, open_=open_)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "toml":
        return None
    found = dotted.leaves(document, "toml")
    return (
        [from_tree(DIALECT, document, context, _of_file(found), SCHEMA, loader="toml")] if _is_config(found) else None
    )


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    by_script = started.name == SCRIPT
    config: str | None = None
    if by_script:
        environment = started.command.environment
        word, gpus = environment.get("CONFIG_FILE"), environment.get("NGPU")
        if word is None or word.text is None or not word.text.endswith(".toml"):
            return None
        config = word.text
        processes = counted("NGPU", gpus) if gpus is not None else Fact("NGPU", 8, "default", word.origin)
        started = replace(started, launcher="torchrun", processes=processes)
    elif not _mentions_config(started):
        return None
    given = argv.read(document.source, started.words, SCHEMA, closed=False)
    argument = given.given.get(CONFIG)
    if argument is not None and argument.unknown is None:
        config = str(argument.value)
    elif argument is not None:
        given.open = given.open or argument.unknown
    if config is not None:
        _put_below(given, config, document, started, context)
    return [from_command(DIALECT, document, started, context, given, SCHEMA)]


def _mentions_config(started: Started) -> bool:
    return any(word.known_prefix.replace("-", "_").startswith(f"__{CONFIG}") for word in started.words)


def _put_below(given: Arguments, config: str, document: Document, started: Started, context: Context) -> None:
    """The file's settings, where no flag says otherwise."""
    try:
        directories = context.files.directories(document.source, started.command.directory)
        file = _of_file(dotted.leaves(context.files.document(context.files.find(config, directories)), "toml"))
    except Unknown as missing:
        given.open = given.open or missing.reason
        return
    given.given = {**file.given, **given.given}
    given.issues += file.issues


DIALECT = Dialect("torchtitan", "torchtitan", FACTS, KEYS, _read_command, _read_tree)
