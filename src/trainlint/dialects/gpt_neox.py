"""GPT-NeoX: YAML files, several to a run, whose keys take `-` for `_`; started by `deepy.py train.py FILE…`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from trainlint.dialects import dotted, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments, Derivation, Run, Unknown, View

SCHEMA = Schema("gpt_neox:NeoXArgs")
MARKS = frozenset(
    {"pipe_parallel_size", "model_parallel_size", "num_layers", "hidden_size", "num_attention_heads",
     "train_micro_batch_size_per_gpu", "train_iters", "gradient_clipping", "checkpoint_activations", "data_impl",
     "scaled_upper_triang_masked_softmax_fusion", "bias_gelu_fusion", "lr_decay_iters", "pos_emb", "no_weight_tying"}
)  # fmt: skip
OWN = frozenset({"pipe_parallel_size", "model_parallel_size", "data_impl", "scaled_upper_triang_masked_softmax_fusion",
                 "checkpoint_factor", "lr_decay_style", "bias_gelu_fusion"})  # fmt: skip
LABELS = ("train_label_data_paths", "label_data_paths")
"""Data with labels of its own: the loss counts on answers only."""
STARTERS = ("deepy.py", "train.py")


def _stage(r: View) -> str:
    kind = r.arg("train_impl")
    if kind not in (None, "normal"):
        return str(kind)
    if any(r.given(name) for name in LABELS):
        return "sft"
    return "pt" if r.arg("finetune") else "scratch"


def _inside(r: View, section: str, name: str, otherwise: Any = None) -> Any:
    """A key of a section: no other file can add to a section that is in this one."""
    if section not in r.run.arguments.given:
        return scale.value(r, f"{section}.{name}", absent=otherwise)
    full = f"{section}.{name}"
    found = r.arg(full) if full in r.run.arguments.given else None
    return otherwise if found is None else found


def _optimizer(name: str) -> Derivation:
    return lambda r: _inside(r, "optimizer", f"params.{name}")


def _learning_rate(r: View) -> float:
    rate = _optimizer("lr")(r)
    return float(rate if rate is not None else r.arg("lr"))


def _weight_decay(r: View) -> float:
    decay = _optimizer("weight_decay")(r)
    return float(decay if decay is not None else r.arg("weight_decay"))


def _replicas(r: View) -> int:
    shared = max(1, int(r.arg("model_parallel_size") or 1)) * max(1, int(r.arg("pipe_parallel_size") or 1))
    return scale.count(r.world_size, shared)


def _beta2(r: View) -> float:
    betas = _optimizer("betas")(r)
    if not isinstance(betas, list) or len(betas) != 2:
        raise Unknown("the optimizer's betas are not set", "adam_beta2")
    return float(betas[1])


def _precision(r: View) -> str:
    for kind in ("bf16", "fp16"):
        if kind in r.run.arguments.given and (_inside(r, kind, "enabled") or _inside(r, kind, "fp16")):
            return "bf16" if _inside(r, kind, "type") == "bfloat16" else kind
    return {"bfloat16": "bf16", "fp16": "fp16"}.get(r.arg("precision"), "no")


def _saves(r: View) -> bool:
    return bool(r.arg("save"))


def _save_steps(r: View) -> Any:
    return scale.value(r, "checkpoint_factor") if _saves(r) else None


def _datasets(r: View) -> list[str]:
    for name in ("data_path", "train_data_paths"):
        value = r.arg(name)
        if value:
            return [str(path) for path in value] if isinstance(value, list) else [str(value)]
    raise Unknown("data_path is not set", "datasets")


def _max_steps(r: View) -> int | None:
    steps = r.arg("train_iters")
    if steps is None and not scale.value(r, "train_epochs"):
        raise Unknown("train_iters is not set", "max_steps")
    return None if steps is None else int(steps)


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": lambda r: "full",
    "learning_rate": _learning_rate,
    "lr_scheduler_type": arg("lr_decay_style"),
    "warmup_ratio": lambda r: float(r.arg("warmup") or 0.0),
    "warmup_steps": lambda r: int(r.arg("warmup") * (r.arg("lr_decay_iters") or r.max_steps)),
    "per_device_train_batch_size": arg("train_micro_batch_size_per_gpu"),
    "gradient_accumulation_steps": arg("gradient_accumulation_steps"),
    "data_parallel_size": _replicas,
    "effective_batch_size": scale.made_of_replicas,
    "sequence_length": arg("seq_length"),
    "num_train_epochs": arg("train_epochs"),
    "max_steps": _max_steps,
    "weight_decay": _weight_decay,
    "adam_beta2": _beta2,
    "max_grad_norm": arg("gradient_clipping"),
    "optim": lambda r: str(_inside(r, "optimizer", "type", "adam")),
    "mixed_precision": _precision,
    "model_name_or_path": arg("load"),
    "datasets": _datasets,
    "packing": lambda r: True,
    "zero_stage": lambda r: int(_inside(r, "zero_optimization", "stage", 0)),
    "offload": lambda r: "optimizer" if _inside(r, "zero_optimization", "offload_optimizer") else "none",
    "deepspeed": lambda r: "GPT-NeoX's own",
    "eval_strategy": lambda r: "steps",
    "eval_steps": arg("eval_interval"),
    "save_strategy": lambda r: "steps" if _saves(r) else "no",
    "save_steps": _save_steps,
    "output_dir": arg("save"),
    "gradient_checkpointing": lambda r: bool(r.arg("checkpoint_activations")),
    "seed": arg("seed"),
    "spread_by": lambda r: scale.spread(r, ("model_parallel_size", "pipe_parallel_size"), ""),
}  # fmt: skip
KEYS = {
    "learning_rate": "optimizer.params.lr",
    "lr_scheduler_type": "lr_decay_style",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "per_device_train_batch_size": "train_micro_batch_size_per_gpu",
    "sequence_length": "seq_length",
    "num_train_epochs": "train_epochs",
    "max_steps": "train_iters",
    "max_grad_norm": "gradient_clipping",
    "optim": "optimizer.type",
    "mixed_precision": "precision",
    "model_name_or_path": "load",
    "datasets": "data_path",
    "eval_steps": "eval_interval",
    "save_steps": "checkpoint_factor",
    "save_strategy": "save",
    "output_dir": "save",
    "gradient_checkpointing": "checkpoint_activations",
}


def _rename(key: str) -> str:
    return key.replace("-", "_")


def _leaves(document: Document) -> dotted.Leaves:
    return dotted.leaves(document, "json" if document.format == "json" else "pyyaml", _rename)


def _is_config(found: dotted.Leaves) -> bool:
    return len(MARKS & set(found)) >= 4 and bool(OWN & set(found))


def _arguments(found: dotted.Leaves, open_: str | None = None) -> Arguments:
    return dotted.arguments(found, SCHEMA, from_loaded, closed=True, open_=open_)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    """A file without data is one of several that are merged, so what it does not say another may."""
    if document.format not in ("yaml", "json"):
        return None
    found = _leaves(document)
    if not _is_config(found):
        return None
    whole = {"data_path", "train_data_paths"} & set(found)
    open_ = None if whole else "another of the files that are merged may say it"
    return [from_tree(DIALECT, document, context, _arguments(found, open_), SCHEMA)]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    if started.name not in STARTERS:
        return None
    words = list(started.words)
    if started.name == "deepy.py":
        while words and (words[0].text or "").endswith(".py"):
            words.pop(0)
    files, folder = _files(words)
    if not files:
        return None
    arguments = Arguments()
    marks = False
    for word in files:
        try:
            if word.text is None:
                raise Unknown(word.unknown or "")
            name = word.text if word.text.endswith((".yml", ".yaml", ".json")) else f"{word.text}.yml"
            config = context.open(str(PurePosixPath(folder or "", name)), document, started)
        except Unknown as missing:
            arguments.open = arguments.open or missing.reason
            continue
        found = _leaves(config)
        marks = marks or _is_config(found)
        _merge(arguments, _arguments(found))
    if not marks and started.name != "deepy.py":
        return None
    return [from_command(DIALECT, document, started, context, arguments, SCHEMA, flag="")]


def _files(words: list[Word]) -> tuple[list[Word], str | None]:
    """The configuration files, and the directory of `-d DIR` that they lie in."""
    files: list[Word] = []
    folder: str | None = None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        text = word.text or ""
        if text in ("-d", "--conf_dir") and rest:
            folder = rest.pop(0).text
        elif not text.startswith("-"):
            files.append(word)
    return files, folder


def _merge(into: Arguments, other: Arguments) -> None:
    """A key in two files is an error."""
    for name, argument in other.given.items():
        earlier = into.given.get(name)
        if earlier is not None and "." not in name:
            into.issues.append(_twice(argument, earlier))
        into.given[name] = argument
    into.issues += other.issues


def _twice(argument: Argument, earlier: Argument) -> ArgumentIssue:
    message = f"{argument.name} is in two of the files: GPT-NeoX stops with a ValueError (duplicate keys)"
    related = (("the other one", earlier.key),)
    return ArgumentIssue("unknown", argument.name, message, argument.key, "keep it in one of them", related=related)


DIALECT = Dialect("gpt-neox", "GPT-NeoX", FACTS, KEYS, _read_command, _read_tree)
