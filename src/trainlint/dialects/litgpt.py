"""LitGPT: YAML files and flags `--train.x`, both read by jsonargparse, behind `litgpt finetune…` and `litgpt pretrain`."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from trainlint.derive import data
from trainlint.dialects import argv, dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments, Derivation, Run, Unknown, View

TORCH_LR, TORCH_DECAY, TORCH_BETA2 = 1e-3, 0.01, 0.999
"""What torch.optim.AdamW does when the optimizer is named alone."""
COMMANDS = {
    "finetune": "finetune_lora",
    **{
        name: name for name in ("finetune_lora", "finetune_full", "finetune_adapter", "finetune_adapter_v2", "pretrain")
    },
}
OLD_SCRIPT = re.compile(r"(?:.*/)?litgpt/(?:finetune/(lora|full|adapter|adapter_v2)|(pretrain))\.py")
TARGETS = ("query", "key", "value", "projection", "mlp", "head")
ALPACA2K = 2000
"""Rows of mhenrichsen/alpaca_2k_test."""
HELD_OUT = 0.05
"""The share of it, and of a single JSON file, that litgpt keeps for validation unless told otherwise."""
REFUSED = ("train.max_tokens", "train.max_norm", "train.tie_embeddings", "train.lr_warmup_fraction")
"""Settings that every fine-tuning command stops at."""


@cache
def schema(command: str) -> Schema:
    return Schema(f"litgpt:{command}")


def _command(r: View) -> str:
    return str(r.run.context["command"])


def _stage(r: View) -> str:
    if _command(r) != "pretrain":
        return "sft"
    return "pt" if r.arg("initial_checkpoint_dir") else "scratch"


def _method(r: View) -> str:
    command = _command(r)
    if command == "finetune_lora":
        return "qlora" if r.arg("quantize") else "lora"
    return "adapter" if "adapter" in command else "full"


def _adapter(name: str) -> Derivation:
    return lambda r: r.arg(name) if r.method in ("lora", "qlora") else None


def _targets(r: View) -> list[str]:
    return [name for name in TARGETS if r.arg(f"lora_{name}")] if r.method in ("lora", "qlora") else []


def _quantization(r: View) -> int | None:
    quantize = r.arg("quantize") if _command(r) != "pretrain" else None
    return None if not quantize else 8 if "int8" in quantize else 4


def _of_optimizer(name: str, otherwise: float) -> Derivation:
    return lambda r: scale.value(r, f"optimizer.init_args.{name}", f"optimizer.{name}", absent=otherwise)


def _optim(r: View) -> str:
    if r.given("optimizer.class_path"):
        return scale.last_part(r.arg("optimizer.class_path"))
    named = r.arg("optimizer")
    return scale.last_part(named) if isinstance(named, str) else "AdamW"


def _beta2(r: View) -> float:
    betas = scale.value(r, "optimizer.init_args.betas")
    return float(betas[1]) if isinstance(betas, list) and len(betas) == 2 else TORCH_BETA2


def _world_size(r: View) -> int:
    """Fabric starts the processes itself."""
    devices = r.arg("devices")
    if not str(devices).isdigit():
        raise Unknown(f"devices {devices} takes every GPU of the machine", "world_size")
    return int(devices) * int(r.arg("num_nodes"))


def _accumulation(r: View) -> int:
    """Rounded down twice, as LitGPT does it."""
    replicas = r.world_size
    return int((r.arg("train.global_batch_size") // replicas) // r.per_device_train_batch_size) or 1


def _sequence_length(r: View) -> int:
    length = r.arg("train.max_seq_length")
    if length is None:
        raise Unknown("train.max_seq_length is null: the longest sample or the model's block size", "sequence_length")
    return int(length)


def _max_steps(r: View) -> int | None:
    steps, tokens = r.arg("train.max_steps"), r.arg("train.max_tokens")
    if steps is not None or tokens is None:
        return None if steps is None else int(steps)
    return int(tokens // r.tokens_per_step)


def _clip(r: View) -> float:
    """The fine-tuning commands do not clip at all."""
    norm = r.arg("train.max_norm") if _command(r) == "pretrain" else None
    return 0.0 if norm is None else float(norm)


def _precision(r: View) -> str:
    kind = r.arg("precision")
    if kind is None:
        r.assume("precision: null takes bf16 where the GPU has it")
        return "bf16"
    return "bf16" if "bf16" in kind else "fp16" if kind.startswith("16") else "no"


def _model(r: View) -> str:
    return str(
        r.arg("checkpoint_dir") if _command(r) != "pretrain" else r.arg("initial_checkpoint_dir") or r.arg("model_name")
    )


def _datasets(r: View) -> list[str]:
    named = r.arg("data")
    if not isinstance(named, str):
        named = str(scale.value(r, "data.init_args.json_path", "data.class_path", absent="Alpaca"))
    return _in_directory(r, named, "train") or [named]


def _in_directory(r: View, name: str, part: str) -> list[str]:
    """A directory of JSON holds `train` and `val`."""
    try:
        folder = r.run.context["files"].find(name, r.run.context["directories"])
    except Unknown:
        return []
    found = [f"{name}/{part}{suffix}" for suffix in (".json", ".jsonl") if (folder / f"{part}{suffix}").is_file()]
    return found[:1]


def _eval_datasets(r: View) -> list[str]:
    return _in_directory(r, str(scale.value(r, "data.init_args.json_path", absent="")), "val")


def _required_columns(r: View) -> list[list[str]]:
    if not str(scale.value(r, "data.class_path", "data", absent="")).endswith("JSON"):
        raise Unknown("only of the data module JSON it is known what it reads of a row")
    return [["instruction", "output"] for _ in r.datasets]


def _sampled(r: View) -> list[int | None]:
    return [ALPACA2K if _is_alpaca2k(name) else None for name in r.datasets]


def _is_alpaca2k(name: str) -> bool:
    return name.rpartition(".")[2] == "Alpaca2k"


def _eval_split(r: View) -> float:
    return 0 if r.eval_datasets else float(scale.value(r, "data.init_args.val_split_fraction", absent=HELD_OUT))


def _held_out(r: View) -> int:
    """Of JSON torch's random_split takes it, which gives what is left over to the training."""
    if _is_alpaca2k(r.datasets[0]):
        return data.held_out_examples(r)
    return int(r.eval_split * r.used_examples)


def _warmup_steps(r: View) -> int:
    fraction = r.arg("train.lr_warmup_fraction")
    if fraction:
        raise Unknown("train.lr_warmup_fraction is a part of an epoch", "warmup_steps")
    return int(r.arg("train.lr_warmup_steps") or 0)


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": _model,
    "learning_rate": _of_optimizer("lr", TORCH_LR),
    "lr_scheduler_type": lambda r: "cosine",
    "sampled_examples": _sampled,
    "required_columns": _required_columns,
    "eval_datasets": _eval_datasets,
    "eval_split": _eval_split,
    "held_out_examples": _held_out,
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": arg("train.micro_batch_size"),
    "gradient_accumulation_steps": _accumulation,
    "world_size": _world_size,
    "sequence_length": _sequence_length,
    "num_train_epochs": arg("train.epochs"),
    "max_steps": _max_steps,
    "weight_decay": _of_optimizer("weight_decay", TORCH_DECAY),
    "adam_beta2": _beta2,
    "max_grad_norm": _clip,
    "optim": _optim,
    "mixed_precision": _precision,
    "lora_rank": _adapter("lora_r"),
    "lora_alpha": _adapter("lora_alpha"),
    "lora_dropout": _adapter("lora_dropout"),
    "target_modules": _targets,
    "quantization_bits": _quantization,
    "datasets": _datasets,
    "packing": lambda r: _command(r) == "pretrain",
    "eval_strategy": lambda r: "steps",
    "eval_steps": arg("eval.interval"),
    "save_strategy": lambda r: "steps" if r.arg("train.save_interval") else "no",
    "save_steps": arg("train.save_interval"),
    "output_dir": arg("out_dir"),
    "seed": arg("seed"),
    "spread_by": lambda r: "FSDP",
}  # fmt: skip
KEYS = {
    "learning_rate": "optimizer.init_args.lr",
    "warmup_steps": "train.lr_warmup_steps",
    "warmup_ratio": "train.lr_warmup_fraction",
    "per_device_train_batch_size": "train.micro_batch_size",
    "gradient_accumulation_steps": "train.global_batch_size",
    "sequence_length": "train.max_seq_length",
    "num_train_epochs": "train.epochs",
    "max_steps": "train.max_steps",
    "weight_decay": "optimizer.init_args.weight_decay",
    "max_grad_norm": "train.max_norm",
    "optim": "optimizer",
    "mixed_precision": "precision",
    "lora_rank": "lora_r",
    "quantization_bits": "quantize",
    "model_name_or_path": "checkpoint_dir",
    "datasets": "data",
    "eval_steps": "eval.interval",
    "save_steps": "train.save_interval",
    "save_strategy": "train.save_interval",
    "output_dir": "out_dir",
    "world_size": "devices",
    "lr_scheduler_type": None,
    "eval_strategy": None,
    "method": None,
}


def _finish(run: Run, command: str) -> list[Run]:
    run.context = {**run.context, "command": command}
    if command == "pretrain":
        return [run]
    for name in REFUSED:
        given = run.arguments.given.get(name)
        if given is not None and given.unknown is None and given.value is not None:
            run.arguments.issues.append(_refused(given))
    return [run]


def _refused(given: Argument) -> ArgumentIssue:
    message = f"{given.name}: the fine-tuning commands of LitGPT do not support it and stop with a ValueError"
    return ArgumentIssue("unknown", given.name, message, given.key, f"remove {given.name}")


def _of_tree(found: dotted.Leaves) -> str | None:
    """The command that a file is for, by its keys."""
    batch = {"train.micro_batch_size", "train.global_batch_size"} & set(found)
    if (
        not batch
        or not {"checkpoint_dir", "model_name", "model_config"} & set(found)
        or not {"data", "eval"} & set(found)
    ):
        return None
    if "lora_r" in found:
        return "finetune_lora"
    if {"model_name", "model_config", "initial_checkpoint_dir"} & set(found):
        return "pretrain"
    return "finetune_adapter" if "adapter" in str(found.get("out_dir")) else "finetune_full"


def _arguments(found: dotted.Leaves, command: str) -> Arguments:
    return dotted.arguments(found, schema(command), from_lax, closed=True)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "omegaconf")
    command = _of_tree(found)
    if command is None:
        return None
    run = from_tree(DIALECT, document, context, _arguments(found, command), schema(command), loader="omegaconf")
    return _finish(run, command)


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    words = started.words
    old = OLD_SCRIPT.fullmatch(started.program.text or "")
    if old is not None:
        command: str | None = f"finetune_{old[1]}" if old[1] else "pretrain"
    elif started.name in ("litgpt", "litgpt.__main__"):
        command, words = _subcommand(words)
    else:
        return None
    if command is None or any(word.text in ("--help", "-h") for word in words):
        return []
    given = argv.read(document.source, words, schema(command), closed=True, abbreviations=False, positionals=1)
    for free, argument in given.given.items():
        if free not in schema(command) and isinstance(argument.value, str):
            given.given[free] = replace(argument, value=dotted.typed(argument.value))
    first = next(iter(argv.cut(words).positionals), None)
    name = "model_name" if command == "pretrain" else "checkpoint_dir"
    if first is not None and name not in given.given:
        at = document.at(first.span)
        given.given[name] = Argument(name, first.text, first.origin, at, at, first.unknown)
    config = given.given.pop("config", None)
    given.issues = [issue for issue in given.issues if issue.name != "config"]
    if config is not None:
        _put_below(given, config, command, document, started, context)
    return _finish(from_command(DIALECT, document, started, context, given, schema(command)), command)


def _subcommand(words: tuple[Word, ...]) -> tuple[str | None, tuple[Word, ...]]:
    """`finetune_lora`, or `finetune lora` as it was up to 0.4.1."""
    first, second = ((words[i].text if i < len(words) else None) or "" for i in (0, 1))
    if first == "finetune" and f"finetune_{second}" in COMMANDS:
        return f"finetune_{second}", words[2:]
    return COMMANDS.get(first), words[1:]


def _put_below(
    given: Arguments, config: Argument, command: str, document: Document, started: Started, context: Context
) -> None:
    try:
        if config.unknown is not None:
            raise Unknown(config.unknown)
        file = context.open(str(config.value), document, started)
    except Unknown as missing:
        given.open = given.open or missing.reason
        return
    below = _arguments(dotted.leaves(file, "omegaconf"), command)
    given.given = {**below.given, **given.given}
    given.issues += below.issues


DIALECT = Dialect("litgpt", "LitGPT", FACTS, KEYS, _read_command, _read_tree)
