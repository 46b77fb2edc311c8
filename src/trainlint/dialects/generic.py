"""Frameworks that no dialect knows: well-known names on a training launch or in a data file, read with low confidence.

Nobody can say what such a program does where a setting is absent, so absent is unknown, unless its script is on disk and
declares a default.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from trainlint.dialects import argv, declared, dotted, hf_trainer
from trainlint.dialects.base import Context, Dialect, from_command, from_tree, names
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Argument, Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema()
NAMES: dict[str, tuple[str, ...]] = {
    "learning_rate": ("learning_rate", "lr", "max_lr", "peak_lr"),
    "per_device_train_batch_size": (
        "per_device_train_batch_size", "per_device_batch_size", "micro_batch_size", "device_batch_size", "batch_size_per_gpu",
        "train_micro_batch_size_per_gpu", "batch_size", "train_batch_size",
    ),
    "gradient_accumulation_steps": (
        "gradient_accumulation_steps", "gradient_accumulation", "grad_accum_steps", "grad_accum", "accumulation_steps",
        "accumulate_grad_batches",
    ),
    "num_train_epochs": ("num_train_epochs", "num_epochs", "n_epochs", "max_epochs", "total_epochs", "epochs"),
    "max_steps": ("max_steps", "max_train_steps", "train_steps", "total_steps", "num_steps", "max_iters", "train_iters"),
    "sequence_length": (
        "max_seq_length", "max_seq_len", "seq_length", "seq_len", "sequence_length", "sequence_len", "block_size",
        "cutoff_len", "context_length", "model_max_length", "max_length", "max_len",
    ),
    "warmup_steps": ("warmup_steps", "num_warmup_steps", "lr_warmup_steps", "warmup_iters"),
    "warmup_ratio": ("warmup_ratio", "lr_warmup_ratio"),
    "lr_scheduler_type": ("lr_scheduler_type", "lr_scheduler", "lr_decay_style"),
    "weight_decay": ("weight_decay",),
    "max_grad_norm": ("max_grad_norm", "clip_grad_norm", "grad_clip", "clip_grad", "gradient_clip_val", "gradient_clipping"),
    "lora_rank": ("lora_rank", "lora_r", "lora_dim"),
    "lora_alpha": ("lora_alpha",),
    "lora_dropout": ("lora_dropout",),
    "optim": ("optim", "optimizer", "optimizer_type"),
    "seed": ("seed",),
    "output_dir": ("output_dir", "out_dir", "save_dir", "output_path"),
    "save_steps": ("save_steps", "save_interval", "save_every"),
    "model_name_or_path": ("model_name_or_path", "base_model", "model_path", "pretrained_model_name_or_path", "model"),
    "datasets": ("dataset", "datasets", "dataset_name", "train_file", "data_path", "train_data", "train_files", "data_dir"),
    "bf16": ("bf16",),
    "fp16": ("fp16",),
}  # fmt: skip
"""What trainers usually call a fact, the clearest name first."""
TEXTS = frozenset({"lr_scheduler_type", "optim", "output_dir", "model_name_or_path", "datasets", "bf16", "fp16"})
"""The facts that are no numbers."""
TRAINING = frozenset(
    {"learning_rate", "gradient_accumulation_steps", "num_train_epochs", "warmup_steps", "warmup_ratio", "lr_scheduler_type",
     "weight_decay", "max_grad_norm", "optim"}
)  # fmt: skip
"""The facts that only training has."""
FACT_OF = {name: fact for fact, known in NAMES.items() for name in known}
UNMISTAKABLE = frozenset(
    {"gradient_accumulation_steps", "gradient_accumulation", "grad_accum_steps", "grad_accum", "accumulate_grad_batches",
     "lora_rank", "lora_r", "lora_dim", "lora_alpha", "max_grad_norm", "clip_grad_norm", "num_train_epochs", "warmup_ratio",
     "micro_batch_size", "per_device_train_batch_size", "per_device_batch_size", "device_batch_size", "max_seq_length",
     "lr_scheduler_type", "num_warmup_steps", "model_max_length"}
)  # fmt: skip
"""Names that programs other than trainers of language models hardly have."""
ENOUGH_FLAGS, ENOUGH_KEYS, SURE_KEYS = 3, 4, 2
RATES = frozenset(NAMES["learning_rate"])
SCRIPT = re.compile(r".*\.py|[\w.]+")
NO_TRAINING = re.compile(
    r"eval|infer|predict|generat|serve|export|convert|merge|download|bench|plot|sweep", re.IGNORECASE
)
REASON = "the framework is not known, and so its defaults are not either"


def _arg(fact: str) -> Derivation:
    def derive(r: View) -> Any:
        for name in NAMES[fact]:
            if name in r.run.arguments.given:
                return r.arg(name)
        for name in NAMES[fact]:
            if name in r.run.context["schema"] and _tells(fact, value := r.arg(name)):
                return value
        raise Unknown(REASON, fact)

    return derive


def _tells(fact: str, value: Any) -> bool:
    """Is this a value that others have for the fact?"""
    return isinstance(value, (int, float)) or (fact in TEXTS and value is not None)


def _max_steps(r: View) -> int | None:
    """None or less than one leaves it to the epochs."""
    value = _arg("max_steps")(r)
    return int(value) if value > 0 else None


def _method(r: View) -> str:
    if "lora_rank" in {FACT_OF.get(name) for name in r.run.arguments.given}:
        return "lora"
    raise Unknown(REASON, "method")


def _precision(r: View) -> str:
    for kind in ("bf16", "fp16"):
        if kind in r.run.arguments.given and r.arg(kind) in (True, "true", "True"):
            return kind
    raise Unknown(REASON, "mixed_precision")


FACTS: dict[str, Derivation] = {
    **{fact: _arg(fact) for fact in NAMES if fact not in ("bf16", "fp16", "max_steps")},
    "stage": hf_trainer.stage,
    "method": _method,
    "mixed_precision": _precision,
    "max_steps": _max_steps,
    "datasets": lambda r: names(_arg("datasets")(r)),
    "optimizer_family": hf_trainer.optimizer_family,
    "dataset_format": lambda r: "any",
    "eval_data": lambda r: "unknown",
}


def _chosen(arguments: Arguments) -> Arguments:
    """Of each fact the clearest name that is given, its text taken for a number where it reads as one."""
    kept = Arguments(open=arguments.open or REASON)
    for known in NAMES.values():
        name = next((name for name in known if name in arguments.given), None)
        if name is not None:
            kept.given[name] = _number(arguments.given[name])
    return kept


def _number(argument: Argument) -> Argument:
    """With the value that its text says; nobody can tell what a word does where others have a number."""
    value = dotted.typed(argument.value) if isinstance(argument.value, str) else argument.value
    wrong = None if _tells(FACT_OF[argument.name], value) else f"{argument.value!r} is no number"
    return replace(argument, value=value, unknown=argument.unknown or wrong)


def _finish(run: Run) -> list[Run]:
    run.confidence = "low"
    given = {FACT_OF[name]: name for name in run.arguments.given if name in FACT_OF}
    spell = run.spell
    run.spell = lambda fact: spell(given.get(fact, fact))
    return [run]


def _is_run(given: set[str], enough: int, sure: int) -> bool:
    facts = {FACT_OF[name] for name in given if name in FACT_OF}
    return bool(given & RATES) and len(facts) >= enough and len(given & UNMISTAKABLE) >= sure


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """Flags `--lr 1e-4` or overrides `train.lr=1e-4` of a Python script that a launcher starts."""
    if not started.launcher or not SCRIPT.fullmatch(started.name) or NO_TRAINING.search(started.name):
        return None
    arguments = argv.read(document.source, started.words, SCHEMA, closed=False)
    found: dotted.Leaves = {}
    dotted.override(found, document.source, dotted.pairs(started.words))
    for name, leaf in found.items():
        short = name.rpartition(".")[2]
        if short in FACT_OF:
            arguments.given[short] = Argument(short, leaf.value, leaf.origin, leaf.key, leaf.at, leaf.unknown)
    kept = _chosen(arguments)
    trains = any(FACT_OF[name] in TRAINING for name in kept.given)
    own = declared.of(document, started, context) if trains else None
    if own is not None and _is_run({*kept.given, *own.schema}, ENOUGH_FLAGS, 1):
        arguments = own.arguments(document, started, context)
        arguments.given |= {name: _number(arguments.given[name]) for name in arguments.given.keys() & FACT_OF.keys()}
        return _finish(from_command(DIALECT, document, started, context, arguments, own.schema))
    if not _is_run(set(kept.given), ENOUGH_FLAGS, 1):
        return None
    return _finish(from_command(DIALECT, document, started, context, kept, SCHEMA))


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    """Keys at the top or one level below, with values that are what a trainer takes: a sweep has lists of them."""
    if document.root is None or NO_TRAINING.search(document.source.path.rpartition("/")[2]):
        return None
    loader: Any = {"json": "json", "toml": "toml"}.get(document.format, "omegaconf")
    arguments = Arguments()
    for name, leaf in dotted.leaves(document, loader).items():
        short = name.rpartition(".")[2]
        if (
            short in FACT_OF
            and name.count(".") <= 1
            and not isinstance(leaf.value, (list, dict))
            and leaf.value is not None
        ):
            arguments.given.setdefault(short, Argument(short, leaf.value, leaf.origin, leaf.key, leaf.at, leaf.unknown))
    kept = _chosen(arguments)
    rate = next((kept.given[name].value for name in NAMES["learning_rate"] if name in kept.given), None)
    if (
        not _is_run(set(kept.given), ENOUGH_KEYS, SURE_KEYS)
        or isinstance(rate, bool)
        or not isinstance(rate, (int, float))
    ):
        return None
    return _finish(from_tree(DIALECT, document, context, kept, SCHEMA))


DIALECT = Dialect("generic", "unknown framework", FACTS, {}, _read_command, _read_tree)
