"""kohya's sd-scripts: flags of `train_network.py` and its kin, over the TOML of `--config_file`, whose sections are dissolved.

They train image models; the rules for language models do not speak about them.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import argv, declared, dotted, hf_script, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Argument, Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema("kohya:train")
MODEL, KIND = r"(?:sdxl|flux|sd3|lumina|hunyuan_image|anima)_", r"train(?:_network|_db|_textual_inversion|_controlnet)?"
SCRIPT = re.compile(rf"(?:{MODEL})?(?:{KIND}|fine_tune)\.py")
OWN = frozenset(
    {"network_module", "network_dim", "pretrained_model_name_or_path", "train_data_dir", "dataset_config",
     "max_train_steps", "max_train_epochs", "clip_skip", "unet_lr", "text_encoder_lr", "v_parameterization"}
)  # fmt: skip

DIFFUSERS = frozenset(
    {
        "dataset_name",
        "checkpointing_steps",
        "validation_steps",
        "report_to",
        "push_to_hub",
        "controlnet_model_name_or_path",
    }
)
"""Flags of scripts of diffusers, some of which are called as kohya's are."""
TRAINS = frozenset(
    {"learning_rate", "unet_lr", "optimizer_type", "train_batch_size", "max_train_steps", "max_train_epochs"}
)


def _method(r: View) -> str:
    module = r.arg("network_module")
    if not module:
        return "full"
    return "lora" if "lora" in str(module) else str(module)


def _max_steps(r: View) -> int | None:
    """max_train_epochs wins."""
    return None if r.arg("max_train_epochs") else int(r.arg("max_train_steps"))


def _warmup_steps(r: View) -> int:
    steps = r.arg("lr_warmup_steps") or 0
    return int(steps) if steps >= 1 or not steps else int(steps * r.total_steps)


def _saves(r: View) -> str:
    if r.arg("save_every_n_steps"):
        return "steps"
    return "epoch" if r.arg("save_every_n_epochs") else "no"


def _optim(r: View) -> str:
    return str(r.arg("optimizer_type") or ("AdamW8bit" if r.arg("use_8bit_adam") else "AdamW"))


def _datasets(r: View) -> list[str]:
    found = r.arg("train_data_dir") or r.arg("dataset_config")
    if not found:
        raise Unknown("neither train_data_dir nor dataset_config is set", "datasets")
    return [str(found)]


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": lambda r: "diffusion",
    "method": _method,
    "model_name_or_path": arg("pretrained_model_name_or_path"),
    "learning_rate": arg("learning_rate"),
    "lr_scheduler_type": arg("lr_scheduler"),
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": arg("train_batch_size"),
    "gradient_accumulation_steps": arg("gradient_accumulation_steps"),
    "num_train_epochs": arg("max_train_epochs"),
    "max_steps": _max_steps,
    "max_grad_norm": arg("max_grad_norm"),
    "optim": _optim,
    "mixed_precision": arg("mixed_precision"),
    "lora_rank": lambda r: r.arg("network_dim") if r.method == "lora" else None,
    "lora_alpha": lambda r: r.arg("network_alpha") if r.method == "lora" else None,
    "lora_dropout": lambda r: r.arg("network_dropout") if r.method == "lora" else None,
    "target_modules": lambda r: [],
    "datasets": _datasets,
    "packing": lambda r: False,
    "eval_strategy": lambda r: "no",
    "save_strategy": _saves,
    "save_steps": arg("save_every_n_steps"),
    "output_dir": arg("output_dir"),
    "gradient_checkpointing": arg("gradient_checkpointing"),
    "seed": arg("seed"),
}  # fmt: skip
KEYS = {
    "model_name_or_path": "pretrained_model_name_or_path",
    "lr_scheduler_type": "lr_scheduler",
    "warmup_steps": "lr_warmup_steps",
    "per_device_train_batch_size": "train_batch_size",
    "num_train_epochs": "max_train_epochs",
    "max_steps": "max_train_steps",
    "optim": "optimizer_type",
    "lora_rank": "network_dim",
    "lora_alpha": "network_alpha",
    "lora_dropout": "network_dropout",
    "datasets": "train_data_dir",
    "save_steps": "save_every_n_steps",
    "save_strategy": "save_every_n_epochs",
    "sequence_length": None,
    "weight_decay": None,
    "eval_strategy": None,
}


def _dissolved(document: Document) -> dotted.Leaves:
    """Keys of tables count as if they stood outside of them; deeper ones stay."""
    found = dotted.leaves(document, "toml")
    sections = {name for name, leaf in found.items() if isinstance(leaf.value, dict) and "." not in name}
    return {
        name.partition(".")[2] if name.partition(".")[0] in sections else name: leaf
        for name, leaf in found.items()
        if name not in sections
    }


def _of_file(document: Document) -> Arguments:
    """A key that no script declares is dropped in silence."""
    return dotted.arguments(_dissolved(document), SCHEMA, from_loaded, closed=True, certain=False)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "toml":
        return None
    found = _dissolved(document)
    if len(OWN & set(found)) < 2 or not TRAINS & set(found):
        return None
    return [from_tree(DIALECT, document, context, _of_file(document), SCHEMA, loader="toml")]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    if SCRIPT.fullmatch(started.name) is None:
        return None
    given = hf_script.flags(started)
    if DIFFUSERS & given or (len(OWN & given) < 2 and ("config_file" not in given or started.name == "train.py")):
        return None
    schema, closed = declared.extend(SCHEMA, document, started, context, True)
    arguments = argv.read(document.source, started.words, schema, closed=closed, abbreviations=False)
    config = arguments.given.get("config_file")
    if config is not None:
        _put_below(arguments, config, document, started, context)
    return [from_command(DIALECT, document, started, context, arguments, schema)]


def _put_below(arguments: Arguments, config: Argument, document: Document, started: Started, context: Context) -> None:
    name: Any = config.value
    try:
        if config.unknown is not None:
            raise Unknown(config.unknown)
        file = str(name) if str(name).endswith(".toml") else f"{name}.toml"
        below = _of_file(context.open(file, document, started))
    except Unknown as missing:
        arguments.open = arguments.open or missing.reason
        return
    arguments.given = {**below.given, **arguments.given}
    arguments.issues += below.issues


DIALECT = Dialect("kohya", "kohya sd-scripts", FACTS, KEYS, _read_command, _read_tree)
