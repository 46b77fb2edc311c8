"""Settings of accelerate, from its file or its options, that it refuses together or that the script contradicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainlint.document import Document
from trainlint.facts import Argument, Arguments, Launch, Run
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule

NOT_BESIDE_A_FILE = (
    "gradient_accumulation_steps", "gradient_clipping", "zero_stage", "offload_optimizer_device", "offload_param_device",
    "offload_optimizer_nvme_path", "offload_param_nvme_path", "zero3_save_16bit_model", "mixed_precision",
)  # fmt: skip
"""Settings of accelerate's file that a DeepSpeed file replaces; given as options they are dropped without a word."""
KINDS = ("multi_gpu", "cpu", "tpu", "use_deepspeed", "use_fsdp")


def settings(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Of the file that is linted by itself, and of what each launch is told."""
    told: dict[int, tuple[Arguments, bool]] = {}
    for launch in launches:
        run = launch.first
        alone = run.dialect == "accelerate"
        found = run.arguments if alone else run.linked.get("accelerate")
        if found is not None:
            told[id(found)] = found, alone
        if not alone:
            yield from _of_the_engine(rule, run)
            yield from _of_sharded_states(rule, run)
    for arguments, alone in told.values():
        # a key of a block is an option of the launcher, too
        known = {name.rpartition(".")[2]: each for name, each in arguments.given.items() if each.unknown is None}
        in_file = {name for name, each in known.items() if alone or each.at.source is not document.source}
        for name, message, advice in (*_problems(known), *_beside_a_deepspeed_file(known, in_file)):
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


def _beside_a_deepspeed_file(given: dict[str, Argument], in_file: set[str]) -> Iterator[tuple[str, str, str]]:
    others = any(_is(given[name].value, True) for name in KINDS if name != "use_deepspeed" and name in given)
    kind = str(given["distributed_type"].value) if "distributed_type" in given else ""
    used = not others and (kind.upper() == "DEEPSPEED" or "use_deepspeed" in given)
    if not used or "deepspeed_config_file" not in given or given["deepspeed_config_file"].value in (None, "none"):
        return
    beside = [name for name in NOT_BESIDE_A_FILE if name in in_file and given[name].value is not None]
    if beside:
        said = f"{' and '.join(beside)} beside deepspeed_config_file: accelerate stops with a ValueError, as the file replaces it"
        yield beside[0], said, "move the setting into the DeepSpeed file, or remove deepspeed_config_file"


def _of_the_engine(rule: Rule, run: Run) -> Iterator[Finding]:
    """What the launch tells DeepSpeed, by its file or its own few settings."""
    engine, launch = run.linked.get("deepspeed"), run.linked.get("accelerate")
    if engine is None or launch is None or "deepspeed" in run.arguments.given:
        return
    file = launch.given.get("deepspeed_config_file")
    if file is not None and engine.given and "zero_optimization" not in {name.split(".")[0] for name in engine.given}:
        message = f"{file.value} has no zero_optimization: accelerate stops with a ValueError"
        advice = "add a zero_optimization block with the stage that is meant, 0 for none"
        yield Finding(rule.id, rule.severity, "high", message, file.at, advice, (), None, rule.why)
    told, own = (each.given.get("gradient_accumulation_steps") for each in (engine, run.arguments))
    # of other dialects it is known that they are the Trainer's, which has a rule of its own
    if run.dialect != "hf-trainer" or told is None or own is None or own.unknown or told.unknown:
        return
    if told.value not in (None, "auto", own.value):
        message = (
            f"gradient_accumulation_steps is {told.value} by accelerate and {own.value} by the script's own flag: "
            "the Trainer stops with a ValueError, and another loop accumulates as accelerate says"
        )
        also = (Related("what DeepSpeed is told", told.at),)
        yield Finding(
            rule.id, "warning", "high", message, own.at, "state the same number in both", also, None, rule.why
        )


def _of_sharded_states(rule: Rule, run: Run) -> Iterator[Finding]:
    launch, alone = run.linked.get("accelerate"), run.arguments.given.get("save_only_model")
    states = launch.given.get("fsdp_state_dict_type") if launch is not None else None
    if launch is None or states is None or alone is None or alone.value is not True or alone.unknown:
        return
    kind = str(launch.given["distributed_type"].value) if "distributed_type" in launch.given else ""
    if str(states.value).upper() == "SHARDED_STATE_DICT" and (kind.upper() == "FSDP" or "use_fsdp" in launch.given):
        message = "save_only_model with FSDP's SHARDED_STATE_DICT: the Trainer stops with a ValueError"
        advice, also = (
            "set fsdp_state_dict_type: FULL_STATE_DICT, or drop save_only_model",
            (Related("FSDP's states", states.at),),
        )
        yield Finding(rule.id, rule.severity, "high", message, alone.at, advice, also, None, rule.why)


def _is(value: Any, wanted: bool) -> bool:
    return value is wanted or str(value).lower() == str(wanted).lower()
