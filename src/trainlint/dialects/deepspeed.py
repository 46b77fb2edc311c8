"""DeepSpeed's JSON configuration: alone, named by a run whose arguments fill its `"auto"` values, or launched by itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from trainlint.dialects import dotted, tree
from trainlint.dialects.argv import refused_argument, unknown_argument
from trainlint.dialects.base import Context, Dialect, from_command, from_tree
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema, table, version_key
from trainlint.document import Document, Entry
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

FLAG = "--deepspeed_config"
SIGNATURE = {"zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size"}
TOGETHER = {"fp16", "bf16", "optimizer", "scheduler", "gradient_clipping", "steps_per_print", "zero_optimization"}


def is_config(document: Document) -> bool:
    """Is this a DeepSpeed configuration, by its keys?"""
    keys = tree.keys(document)
    return "zero_optimization" in keys or (bool(keys & SIGNATURE) and bool(keys & TOGETHER))


def read_config(document: Document, targets: Mapping[str, str] = MappingProxyType({})) -> Arguments:
    """The settings by dotted name (`zero_optimization.stage`). `"auto"` stays as it is: the trainer fills it."""
    arguments = Arguments()
    if document.root is None or document.root.kind != "mapping":
        return arguments
    _read_section(arguments, document, document.root.entries, "", targets)
    return arguments


def _read_section(
    arguments: Arguments, document: Document, entries: list[Entry], section: str, targets: Mapping[str, str]
) -> None:
    """One block by its table. Inside a block DeepSpeed's models forbid unknown keys; at the top it drops them silently."""
    sections = table("deepspeed")["sections"]
    key = section or "top"
    # parameters belong to the optimizer's or scheduler's own class, which no table here lists
    schema = Schema(f"deepspeed:{key}", targets=targets) if key in sections and not section.endswith("params") else None
    for entry in entries:
        name = f"{section}.{entry.key.text}" if section else entry.key.text
        tree.read_entry(arguments, document, entry, name, Schema(), "json", from_lax, closed=False)
        if schema is None:
            pass
        elif entry.key.text in schema:
            spec, edition = schema[entry.key.text], schema.edition(entry.key.text)
            arguments.given[name], issue = dotted.converted(arguments.given[name], spec, edition, _words)
            issue = refused_argument(entry.key.text, document.at(entry.key.span), schema) or issue
            if issue is not None:
                arguments.issues.append(issue)
        else:
            closed = sections[key].get("extra") == "forbid"
            issue = unknown_argument(entry.key.text, document.at(entry.key.span), schema, closed)
            if issue is not None:
                arguments.issues.append(issue)
        if entry.value.kind == "mapping" and (name in sections or entry.key.text == "params"):
            _read_section(arguments, document, entry.value.entries, name, targets)


def _words(edition: Edition, value: Any) -> Any:
    """A word must be what belongs there, save `"auto"`, which is the trainer's to fill in. Raises `Rejected`."""
    return from_lax(edition, value) if isinstance(value, str) and value != "auto" else value


# ---------------------------------------------------------------------------------------- a configuration on its own


def _number(name: str) -> Derivation:
    def derive(r: View) -> object:
        value = r.arg(name)
        if value == "auto":
            raise Unknown(f'"auto": the trainer that uses this file fills in {name}', name)
        return value

    return derive


NEVER_REACHED = 10_000
"""More patch releases than there will be of one minor release."""


def default_clip(targets: Mapping[str, str]) -> float:
    """The clipping of a file that does not say it. Raises `Unknown` where no version is stated that tells."""
    lowest = version_key(targets.get("deepspeed", "0"))
    highest = (*lowest, NEVER_REACHED)[:3]  # 0.19 is any of 0.19.0, 0.19.1, …
    for edition in Schema("deepspeed:top")["gradient_clipping"].editions:
        if version_key(edition.first) <= lowest and highest <= version_key(edition.last):
            return float(edition.default)
    raise Unknown("no gradient_clipping: off up to DeepSpeed 0.19.0, 1.0 from 0.19.5 on", "gradient_clipping")


def _clip(r: View) -> float:
    if not r.given("gradient_clipping"):
        return default_clip(r.run.context["schema"].targets)
    value = r.arg("gradient_clipping")
    if value == "auto":
        raise Unknown('"auto": the trainer that uses this file fills in its max_grad_norm', "max_grad_norm")
    return float(value)


def _zero_stage(r: View) -> int:
    return int(r.arg("zero_optimization.stage")) if r.given("zero_optimization.stage") else 0


def _precision(r: View) -> str:
    for name in ("bf16", "fp16"):
        key = f"{name}.enabled"
        if r.given(key):
            value = r.arg(key)
            if value == "auto":
                raise Unknown(f'"auto": the trainer that uses this file decides {name}', "mixed_precision")
            if value:
                return name
    return "no"


FACTS: dict[str, Derivation] = {
    "learning_rate": _number("optimizer.params.lr"),
    "per_device_train_batch_size": _number("train_micro_batch_size_per_gpu"),
    "gradient_accumulation_steps": _number("gradient_accumulation_steps"),
    "effective_batch_size": _number("train_batch_size"),
    "weight_decay": _number("optimizer.params.weight_decay"),
    "max_grad_norm": _clip,
    "zero_stage": _zero_stage,
    "mixed_precision": _precision,
}
KEYS: dict[str, str | None] = {
    "learning_rate": "optimizer.params.lr",
    "per_device_train_batch_size": "train_micro_batch_size_per_gpu",
    "effective_batch_size": "train_batch_size",
    "weight_decay": "optimizer.params.weight_decay",
    "max_grad_norm": "gradient_clipping",
    "zero_stage": "zero_optimization.stage",
}


def _launched_batch(r: View) -> int:
    """Two of the batch sizes give the third."""
    if r.given("train_batch_size") and r.arg("train_batch_size") != "auto":
        return int(r.arg("train_batch_size"))
    return int(r.per_device_train_batch_size * r.gradient_accumulation_steps * r.world_size)


def _launched_accumulation(r: View) -> int:
    if r.given("gradient_accumulation_steps"):
        return int(_number("gradient_accumulation_steps")(r))
    if r.given("train_batch_size") and r.given("train_micro_batch_size_per_gpu"):
        at_once = r.per_device_train_batch_size * r.world_size
        return int(r.arg("train_batch_size") // at_once)
    return 1


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """`deepspeed train.py --deepspeed --deepspeed_config ds.json`: what the file settles, whatever the script is."""
    words = [word for word in started.words if word.known_prefix.partition("=")[0] == FLAG]
    if not words:
        return None
    name = words[-1].after(len(FLAG) + 1) if words[-1].known_prefix.startswith(f"{FLAG}=") else None
    name = name or next(iter(started.words[started.words.index(words[-1]) + 1 :]), None)
    if name is None or name.text is None:
        return None
    try:
        config = context.open(name.text, document, started)
    except Unknown:
        return None
    if not is_config(config):
        return None
    return [from_command(LAUNCHED, document, started, context, read_config(config, context.targets), Schema(), flag="")]


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "json" or not is_config(document):
        return None
    return [from_tree(DIALECT, document, context, read_config(document, context.targets), Schema())]


DIALECT = Dialect("deepspeed", "DeepSpeed", FACTS, KEYS, _read_command, _read_tree, part=True)
LAUNCHED = Dialect(
    "deepspeed",
    "DeepSpeed",
    {**FACTS, "effective_batch_size": _launched_batch, "gradient_accumulation_steps": _launched_accumulation},
    KEYS,
)
