"""OLMo: OmegaConf YAML over a structured TrainConfig, started by `scripts/train.py FILE --key=value`."""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Word
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema("olmo:TrainConfig")
DURATION = re.compile(r"([\d_.]+(?:e\d+)?)(T|ep)?")
MARKS = frozenset(
    {
        "optimizer.learning_rate",
        "max_duration",
        "device_train_microbatch_size",
        "save_interval_unsharded",
        "model.d_model",
    }
)


def duration(text: Any) -> tuple[float, str]:
    """`2e12T` as (2e12, "T"); a bare number counts steps. Raises `Unknown` for anything else."""
    match = DURATION.fullmatch(str(text).strip())
    if match is None:
        raise Unknown(f"{text} is no duration", "max_duration")
    return float(match[1].replace("_", "")), match[2] or "steps"


def _max_steps(r: View) -> int | None:
    number, unit = duration(r.arg("max_duration"))
    if unit == "ep":
        return None
    return int(number) if unit == "steps" else int(number // r.tokens_per_step)


def _epochs(r: View) -> float:
    number, unit = duration(r.arg("max_duration"))
    if unit != "ep":
        raise Unknown("max_duration is not counted in epochs", "num_train_epochs")
    return number


def _warmup_steps(r: View) -> int:
    warmup = r.arg("scheduler.t_warmup")
    if r.arg("scheduler.units") == "tokens":
        return int(float(warmup) // r.tokens_per_step)
    return int(warmup)


def _schedule_share(r: View) -> float:
    """Both in the same unit: steps, or tokens where the scheduler counts those."""
    length = r.max_steps * (r.tokens_per_step if r.arg("scheduler.units") == "tokens" else 1)
    end = r.arg("scheduler.t_max")
    return float(end) / length if end else 1.0


def _stage(r: View) -> str:
    load = r.arg("load_path")
    if load and r.arg("reset_trainer_state"):
        return "pt"
    if load:
        raise Unknown("load_path continues a run or starts from another's weights", "stage")
    return "scratch"


def _clip(r: View) -> float:
    """Off by default; max_grad_norm_ratio clips by another measure."""
    norm = r.arg("max_grad_norm")
    if norm is None and r.arg("max_grad_norm_ratio") is not None:
        raise Unknown("max_grad_norm_ratio clips relative to earlier norms", "max_grad_norm")
    return 0.0 if norm is None else float(norm)


def _precision(r: View) -> str:
    kind = str(r.arg("precision"))
    return "bf16" if "bf16" in kind else "fp16" if "fp16" in kind else "no"


def _beta2(r: View) -> float:
    match r.arg("optimizer.betas"):
        case [_, float() | int() as beta2]:
            return float(beta2)
    raise Unknown("optimizer.betas is no pair of numbers", "adam_beta2")


def _datasets(r: View) -> list[str]:
    paths = scale.value(r, "data.paths", "data.datasets")
    if not paths:
        raise Unknown("data.paths is not set", "datasets")
    return [str(path) for path in paths] if isinstance(paths, (list, dict)) else [str(paths)]


def _either(name: str, other: str) -> Derivation:
    """Checkpoints are sharded or not, each at an interval of its own."""

    def derive(r: View) -> int | None:
        steps = [r.arg(each) for each in (name, other)]
        found = [int(step) for step in steps if step and step > 0]
        return min(found) if found else None

    return derive


_save_steps = _either("save_interval", "save_interval_unsharded")

FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": lambda r: "full",
    "model_name_or_path": arg("load_path"),
    "learning_rate": arg("optimizer.learning_rate"),
    "lr_scheduler_type": lambda r: str(r.arg("scheduler.name")).removesuffix("_with_warmup"),
    "schedule_share": _schedule_share,
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": arg("device_train_microbatch_size"),
    "effective_batch_size": arg("global_train_batch_size"),
    "data_parallel_size": lambda r: int(r.world_size),
    "gradient_accumulation_steps": scale.accumulated,
    "sequence_length": arg("model.max_sequence_length"),
    "num_train_epochs": _epochs,
    "max_steps": _max_steps,
    "weight_decay": arg("optimizer.weight_decay"),
    "adam_beta2": _beta2,
    "max_grad_norm": _clip,
    "clipping_set_by": lambda r: "request",
    "optim": arg("optimizer.name"),
    "mixed_precision": _precision,
    "datasets": _datasets,
    "packing": lambda r: True,
    "eval_strategy": lambda r: "steps" if scale.value(r, "evaluators") else "no",
    "eval_steps": arg("eval_interval"),
    "save_strategy": lambda r: "steps" if _save_steps(r) else "no",
    "save_steps": _save_steps,
    "output_dir": arg("save_folder"),
    "gradient_checkpointing": lambda r: bool(r.arg("activation_checkpointing")),
    "seed": arg("seed"),
    "spread_by": lambda r: "FSDP",
}  # fmt: skip
KEYS = {
    "learning_rate": "optimizer.learning_rate",
    "lr_scheduler_type": "scheduler.name",
    "warmup_steps": "scheduler.t_warmup",
    "warmup_ratio": "scheduler.t_warmup",
    "per_device_train_batch_size": "device_train_microbatch_size",
    "effective_batch_size": "global_train_batch_size",
    "gradient_accumulation_steps": "global_train_batch_size",
    "sequence_length": "model.max_sequence_length",
    "num_train_epochs": "max_duration",
    "max_steps": "max_duration",
    "weight_decay": "optimizer.weight_decay",
    "adam_beta2": "optimizer.betas",
    "optim": "optimizer.name",
    "mixed_precision": "precision",
    "model_name_or_path": "load_path",
    "datasets": "data.paths",
    "eval_steps": "eval_interval",
    "eval_strategy": "evaluators",
    "save_steps": "save_interval",
    "save_strategy": "save_interval",
    "output_dir": "save_folder",
    "gradient_checkpointing": "activation_checkpointing",
}


def _is_config(found: dotted.Leaves) -> bool:
    return len(MARKS & set(found)) >= 3 and ("global_train_batch_size" in found or "optimizer.learning_rate" in found)


def _convert(edition: Edition, value: Any) -> Any:
    """Older files switch with true and false what is a word or null by now; they are still read. Raises `Rejected`."""
    return value if isinstance(value, bool) and "None" in edition.types else from_lax(edition, value)


def _arguments(found: dotted.Leaves, open_: str | None = None) -> Arguments:
    dotted.interpolate(found)
    return dotted.arguments(found, SCHEMA, _convert, closed=True, open_=open_)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "omegaconf")
    if not _is_config(found):
        return None
    return [from_tree(DIALECT, document, context, _arguments(found), SCHEMA, loader="omegaconf")]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    words = started.words
    if started.name != "train.py":
        return None
    found = dotted.named_file(words, document, started, context)
    if found is None or not _is_config(found):
        return None
    open_ = dotted.override(found, document.source, [_bare(word) for word in words[1:]])
    return [from_command(DIALECT, document, started, context, _arguments(found, open_), SCHEMA)]


def _bare(word: Word) -> Word:
    """`--optimizer.lr=1` is taken as `optimizer.lr=1`."""
    return word.after(2) if word.known_prefix.startswith("--") else word


DIALECT = Dialect("olmo", "OLMo", FACTS, KEYS, _read_command, _read_tree)
