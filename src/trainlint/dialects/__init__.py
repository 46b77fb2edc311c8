"""The frameworks: each in turn is offered a configuration, the most particular first; the first that knows it reads it."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from trainlint import plugins
from trainlint.dialects import accelerate
from trainlint.dialects.base import Context, Dialect
from trainlint.dialects.launchers import start
from trainlint.document import Command, Document
from trainlint.facts import Launch, Run

MODULES = (
    "torchtune", "torchtitan", "verl", "openrlhf", "litgpt", "llm_foundry", "olmo", "nanotron", "gpt_neox", "megatron", "kohya",
    "chinese_llama_alpaca", "ms_swift", "fastchat", "qlora", "open_instruct", "alpaca_lora", "stanford_alpaca", "firefly",
    "llama_factory", "axolotl", "alignment_handbook", "trl", "accelerate", "peft", "fsdp", "deepspeed", "hf_trainer",
    "generic", "python_trainer",
)  # fmt: skip
"""From the most particular to the most general."""


@cache
def _own() -> dict[str, Dialect]:
    found = (import_module(f"{__name__}.{module}").DIALECT for module in MODULES)
    return {dialect.name: dialect for dialect in found}


def dialects() -> tuple[Dialect, ...]:
    """Those of installed plugins first: a house's own trainer is more particular than any framework."""
    return (*plugins.offered("dialects", _own()).values(), *_own().values())


def read(document: Document, context: Context) -> list[Launch]:
    """The training runs that a document describes, one `Launch` for each place that starts one."""
    if document.root is not None:
        for dialect in dialects():
            runs = dialect.read_tree(document, context) if dialect.read_tree is not None else None
            if runs is not None:
                return [Launch(run.at, [run]) for run in runs]
        return []
    if document.calls:
        for dialect in dialects():
            found = dialect.read_python(document, context) if dialect.read_python is not None else None
            if found is not None:
                return found
        return []
    launches = []
    for invocation in document.invocations:
        runs = [
            run for command in invocation.alternatives if command.words for run in _read(document, command, context)
        ]
        if runs:
            launches.append(Launch(runs[0].at, runs))
    return launches


def _read(document: Document, command: Command, context: Context) -> list[Run]:
    started = start(document, command)
    if started is None or not started.name:
        return []
    started = accelerate.complete(document, started, context)
    for dialect in dialects():
        runs = dialect.read_command(document, started, context) if dialect.read_command is not None else None
        if runs is not None:
            return runs
    return []
