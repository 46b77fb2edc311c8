"""Settings of accelerate, from its file or its options, that it refuses together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainlint.document import Document
from trainlint.facts import Argument, Arguments, Launch
from trainlint.findings import Finding
from trainlint.ruleset.file import Rule

KINDS = ("multi_gpu", "cpu", "tpu", "use_deepspeed", "use_fsdp")


def settings(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Of the file that is linted by itself, and of what each launch is told."""
    files: dict[int, Arguments] = {}
    for launch in launches:
        run = launch.first
        found = run.arguments if run.dialect == "accelerate" else run.linked.get("accelerate")
        if found is not None:
            files[id(found)] = found
    for arguments in files.values():
        # a key of a block is an option of the launcher, too
        known = {name.rpartition(".")[2]: each for name, each in arguments.given.items() if each.unknown is None}
        for name, message, advice in _problems(known):
            yield Finding(
                rule.id, rule.severity, "high", message, known[name].at, advice, (), None, rule.why, name
            )  # fmt: skip


def _problems(given: dict[str, Argument]) -> Iterator[tuple[str, str, str]]:
    """The setting, what is wrong with it, and what to do."""

    def value(name: str) -> Any:
        return given[name].value if name in given else None

    chosen = [name for name in KINDS if value(name) is True]
    if len(chosen) > 1:
        said = f"{' and '.join(chosen)}: accelerate stops with a ValueError, as it takes only one of them"
        yield chosen[-1], said, "keep one of them"
    alone = str(value("num_processes")) == "1" and value("multi_gpu") is True
    if alone and given["num_processes"].at.source is given["multi_gpu"].at.source:  # a file's own number is not checked
        said = "--multi_gpu with one process: accelerate stops with a ValueError"
        yield "num_processes", said, "raise num_processes, or remove --multi_gpu"
    first = str(value("fsdp_version")) != "2"  # the second has no such setting
    if first and _is(value("fsdp_cpu_ram_efficient_loading"), True) and _is(value("fsdp_sync_module_states"), False):
        said = (
            "fsdp_sync_module_states is off and fsdp_cpu_ram_efficient_loading on: accelerate stops with a ValueError"
        )
        yield "fsdp_sync_module_states", said, "set fsdp_sync_module_states: true"


def _is(value: Any, wanted: bool) -> bool:
    return value is wanted or str(value).lower() == str(wanted).lower()
