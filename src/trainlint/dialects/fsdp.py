"""The JSON file behind `--fsdp_config`: alone, or named by a Trainer's run."""

from __future__ import annotations

from typing import Any

from trainlint.dialects import tree
from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.base import Context, Dialect, from_tree
from trainlint.dialects.convert import Rejected
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Entry
from trainlint.facts import Arguments, Derivation, Run, View

SCHEMA = Schema("fsdp:fsdp_config")
PREFIX = "fsdp_"
UNMISTAKABLE = frozenset(
    {"transformer_layer_cls_to_wrap", "backward_prefetch", "use_orig_params", "sync_module_states", "forward_prefetch",
     "cpu_ram_efficient_loading", "limit_all_gathers", "auto_wrap_policy", "reshard_after_forward", "xla_fsdp_v2",
     "xla_fsdp_settings", "min_num_params", "state_dict_type"}
)  # fmt: skip
OF_ACCELERATE = frozenset({"offload_params", "sharding_strategy", "activation_cpu_offload"})
"""Settings that a trainer built on the same file reads beside the Trainer's own."""


def _judged(edition: Edition, value: Any) -> Any:
    """The closed sets of names count in any case; what else is wrong is told by no type. Raises `Rejected`."""
    if edition.choices is not None and isinstance(value, str) and value.upper() not in edition.choices:
        raise Rejected("choice", f"{value!r} is none of {', '.join(edition.choices)}")
    return value


def _entries(document: Document) -> list[Entry]:
    """The settings themselves: the whole file, or its block `fsdp_config` where ms-swift keeps them."""
    root = document.root
    if root is None or root.kind != "mapping":
        return []
    named = {entry.key.text: entry.value for entry in root.entries if not entry.key.text.startswith("_")}
    if set(named) == {"fsdp", "fsdp_config"} and named["fsdp_config"].kind == "mapping":
        return named["fsdp_config"].entries
    return root.entries


def is_config(document: Document) -> bool:
    """Is this a configuration of FSDP, by its keys?"""
    return bool(UNMISTAKABLE & {entry.key.text.removeprefix(PREFIX) for entry in _entries(document)})


def read_config(document: Document) -> Arguments:
    """The settings, named without the prefix `fsdp_`, which the Trainer takes away. It drops what it does not know."""
    arguments = Arguments()
    for entry in _entries(document):
        name = entry.key.text.removeprefix(PREFIX)
        schema = SCHEMA if name in SCHEMA else Schema()
        tree.read_entry(arguments, document, entry, name, schema, "json", _judged, closed=False)
        if name in SCHEMA or name in OF_ACCELERATE or name.startswith("_"):
            continue
        issue = unknown_argument(name, document.at(entry.key.span), SCHEMA, False)
        if issue is not None:
            arguments.issues.append(issue)
    return arguments


def _checkpointing(r: View) -> bool:
    return bool(r.arg("activation_checkpointing")) if r.given("activation_checkpointing") else False


FACTS: dict[str, Derivation] = {"fsdp": lambda r: "fsdp_config", "gradient_checkpointing": _checkpointing}
KEYS: dict[str, str | None] = {"gradient_checkpointing": "activation_checkpointing", "fsdp": None}


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "json" or not is_config(document):
        return None
    return [from_tree(DIALECT, document, context, read_config(document), SCHEMA)]


DIALECT = Dialect("fsdp", "FSDP configuration", FACTS, KEYS, read_tree=_read_tree, part=True)
