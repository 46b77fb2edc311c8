"""accelerate's configuration file, alone; and what it and the options of `accelerate launch` put in force for a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from trainlint.dialects import tree
from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.base import Context, Dialect, from_tree
from trainlint.dialects.convert import Rejected
from trainlint.dialects.deepspeed import read_config
from trainlint.dialects.launchers import Options, Started
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Entry, Origin, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments, Derivation, Fact, Run, Unknown, View
from trainlint.links import Files
from trainlint.text import Location

SCHEMAS = {
    "LOCAL_MACHINE": Schema("accelerate_config:ClusterConfig"),
    "AMAZON_SAGEMAKER": Schema("accelerate_config:SageMakerConfig"),
}
LAUNCH = Schema("accelerate_config:launch")
LEGACY = frozenset({"fp16", "dynamo_backend"})
"""Keys of old files that are still translated."""
SIGNATURE = frozenset({"distributed_type", "compute_environment"})
TOGETHER = frozenset(
    {"num_processes", "mixed_precision", "num_machines", "machine_rank", "deepspeed_config", "fsdp_config", "use_cpu",
     "main_training_function", "downcast_bf16", "rdzv_backend", "same_network"}
)  # fmt: skip
BLOCKS = {"deepspeed_config": "", "fsdp_config": "fsdp_", "megatron_lm_config": "megatron_lm_", "fp8_config": "fp8_"}
"""Blocks whose keys become options of the launcher, and the prefix that they get."""
PRECISIONS = ("no", "fp16", "bf16", "fp8")
INTO_DEEPSPEED = {
    "gradient_clipping": "gradient_clipping",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "zero_stage": "zero_optimization.stage",
    "offload_optimizer_device": "zero_optimization.offload_optimizer.device",
    "offload_param_device": "zero_optimization.offload_param.device",
}
WITHOUT: dict[str, Any] = {"gradient_clipping": "auto", "zero_stage": 2}
"""What the DeepSpeed plugin does where neither file nor options say it."""


# ------------------------------------------------------------------------------------------------------- the file


def is_config(document: Document) -> bool:
    """Is this a file that `accelerate config` writes, by its keys?"""
    keys = tree.keys(document)
    return bool(keys & SIGNATURE) and len(keys & TOGETHER) >= 2


def _as_loaded(edition: Edition, value: Any) -> Any:
    """accelerate checks no types; of its enums only the members are values."""
    if isinstance(value, str) and edition.choices is not None and value not in edition.choices:
        shown = ", ".join(str(choice) for choice in edition.choices)
        raise Rejected("choice", f"{value!r} is none of {shown}")
    return value


def read_file(document: Document) -> Arguments:
    """The settings by key, those of a block by dotted name (`deepspeed_config.zero_stage`)."""
    loader: tree.Loader = "json" if document.format == "json" else "pyyaml"
    arguments = Arguments()
    if document.root is None or document.root.kind != "mapping":
        return arguments
    where = next((e.value.text for e in document.root.entries if e.key.text == "compute_environment"), "LOCAL_MACHINE")
    schema = SCHEMAS.get(where, SCHEMAS["LOCAL_MACHINE"])
    for entry in document.root.entries:
        name = entry.key.text
        if name in LEGACY:
            tree.read_entry(arguments, document, entry, name, Schema(), loader, _as_loaded, closed=False)
            continue
        tree.read_entry(arguments, document, entry, name, schema, loader, _as_loaded, closed=True)
        if name in BLOCKS and entry.value.kind == "mapping":
            for inner in entry.value.entries:
                _read_inner(arguments, document, inner, name, loader)
    _check_precision(arguments)
    return arguments


def _read_inner(arguments: Arguments, document: Document, entry: Entry, block: str, loader: tree.Loader) -> None:
    """A key of a block: one that no option has is set aside without a word."""
    key = entry.key.text
    tree.read_entry(arguments, document, entry, f"{block}.{key}", Schema(), loader, _as_loaded, closed=False)
    if _option(block, key) not in LAUNCH:
        prefix = BLOCKS[block]
        known = {name.removeprefix(prefix): LAUNCH[name] for name in LAUNCH if name.startswith(prefix)}
        issue = unknown_argument(key.removeprefix(prefix), document.at(entry.key.span), known, False)
        if issue is not None and prefix and key.startswith(prefix) and issue.replacement is not None:
            right = prefix + issue.replacement
            issue = replace(
                issue, name=key, replacement=right, message=f"unknown argument {key}; did you mean {right}?",
                advice=f"write {right}",
            )  # fmt: skip
        if issue is not None:
            arguments.issues.append(issue)


def _option(block: str, key: str) -> str:
    prefix = BLOCKS[block]
    return key if key.startswith(prefix) else prefix + key


def _check_precision(arguments: Arguments) -> None:
    argument = arguments.given.get("mixed_precision")
    if argument is None or argument.unknown is not None or argument.value in (*PRECISIONS, None):
        return
    value = "an unquoted no is false" if argument.value is False else repr(argument.value)
    message = f"mixed_precision: {value} is none of {', '.join(PRECISIONS)}"
    advice = 'quote it: mixed_precision: "no"' if argument.value is False else f"write one of {', '.join(PRECISIONS)}"
    arguments.issues.append(ArgumentIssue("choice", "mixed_precision", message, argument.at, advice))
    arguments.given["mixed_precision"] = replace(argument, value=None, unknown=message)


# ----------------------------------------------------------------------------------------------------- the launch


def complete(document: Document, started: Started, context: Context) -> Started:
    """A launch by accelerate with what its options and its configuration file say; another launch as it is."""
    words = _after_launch(started)
    if started.launcher != "accelerate" or words is None:
        return started
    options = Options("accelerate", words)
    settings = Arguments(open=options.open)
    file = options.given.get("--config-file")
    if file is not None:
        _fill_from_file(settings, document, started, context, file)
    for flag, word in options.given.items():
        name = flag.lstrip("-").replace("-", "_")
        at = Location(document.source, word.span)
        # a bare switch stands for itself
        value = True if word.text is not None and word.text.replace("_", "-") == flag else word.text
        settings.given[name] = Argument(name, value, word.origin, at, at, word.unknown)
    processes = started.processes
    if not processes.known and not {"--num-processes", "-n"} & set(options.given) and file is not None:
        processes = _processes(settings, processes)
    return replace(started, settings=settings, processes=processes)


def _after_launch(started: Started) -> list[Word] | None:
    """The words behind `accelerate launch` or `-m accelerate.commands.launch`."""
    words = list(started.command.words)
    for index, word in enumerate(words):
        name = PurePosixPath(word.text or "").name
        if name == "accelerate.commands.launch":
            return words[index + 1 :]
        if name == "accelerate" and index + 1 < len(words) and words[index + 1].text == "launch":
            return words[index + 2 :]
    return None


def _fill_from_file(settings: Arguments, document: Document, started: Started, context: Context, file: Word) -> None:
    if file.text is None:
        settings.open = settings.open or file.unknown
        return
    try:
        config = context.open(file.text, document, started)
    except Unknown as missing:
        settings.open = settings.open or missing.reason
        return
    if config.root is None:
        settings.open = settings.open or f"{file.text} is no configuration of accelerate"
        return
    found = read_file(config)
    settings.issues += found.issues
    for name, argument in found.given.items():
        block, dot, key = name.partition(".")
        settings.given[_option(block, key) if dot else name] = argument


def _processes(settings: Arguments, otherwise: Fact) -> Fact:
    """num_processes of the file counts all machines together."""
    argument = settings.given.get("num_processes")
    if argument is None:
        reason = settings.open or "accelerate's configuration file has no num_processes"
        if settings.given.get("distributed_type") is not None and settings.given["distributed_type"].value == "NO":
            return Fact("num_processes", 1, "known", Origin("computed", "distributed_type: NO"))
        return replace(otherwise, reason=reason)
    if argument.unknown is not None or not isinstance(argument.value, int) or argument.value < 1:
        reason = argument.unknown or f"num_processes is {argument.value!r} in accelerate's configuration file"
        return replace(otherwise, reason=reason, origin=argument.origin)
    return Fact("num_processes", argument.value, "known", argument.origin)


def uses(settings: Arguments, what: str) -> bool:
    """Is `deepspeed` or `fsdp` in force by this launch? Raises `Unknown` where nobody can tell."""
    kind = settings.given.get("distributed_type")
    if f"use_{what}" in settings.given or (kind is not None and str(kind.value).upper() == what.upper()):
        return True
    if settings.open is not None:
        raise Unknown(settings.open, what)
    return False


def mixed_precision(settings: Arguments) -> str:
    """What the launch asks for. Raises `Unknown` where nobody can tell."""
    argument = settings.given.get("mixed_precision")
    if argument is None:
        if settings.open is not None:
            raise Unknown(settings.open, "mixed_precision")
        return "no"
    if argument.unknown is not None:
        raise Unknown(argument.unknown, "mixed_precision")
    return str(argument.value or "no")


def deepspeed(settings: Arguments, document: Document, started: Started, files: Files) -> Arguments | None:
    """DeepSpeed's settings as the launch makes them: of the file it names, else of its own few.

    None where DeepSpeed is not in force. Raises `Unknown` where the file is not here or nobody can tell.
    """
    if not uses(settings, "deepspeed"):
        return None
    file = settings.given.get("deepspeed_config_file")
    if file is not None:
        if file.unknown is not None or not isinstance(file.value, str):
            raise Unknown(file.unknown or "deepspeed_config_file is no path", "deepspeed")
        directories = files.directories(document.source, started.command.directory)
        return read_config(files.open(file.value, directories))
    if settings.open is not None:
        raise Unknown(settings.open, "deepspeed")
    program = Location(document.source, started.program.span)
    arguments = Arguments()
    for name, dotted in INTO_DEEPSPEED.items():
        argument = settings.given.get(name)
        if argument is not None:
            arguments.given[dotted] = replace(_number(argument), name=dotted)
        elif name in WITHOUT:
            origin = Origin("framework-default", f"accelerate's DeepSpeed plugin: {name}")
            arguments.given[dotted] = Argument(dotted, WITHOUT[name], origin, program, program)
    return arguments


def _number(argument: Argument) -> Argument:
    """Options are text; the file has numbers."""
    if not isinstance(argument.value, str):
        return argument
    for convert in (int, float):
        try:
            return replace(argument, value=convert(argument.value))
        except ValueError:
            continue
    return argument


# ---------------------------------------------------------------------------------------------- a file on its own


def _world_size(r: View) -> int:
    if not r.given("num_processes"):
        if r.given("distributed_type") and r.arg("distributed_type") == "NO":
            return 1
        raise Unknown("num_processes is not set: accelerate launch wants --num_processes", "world_size")
    count = r.arg("num_processes")
    if not isinstance(count, int) or count < 1:
        raise Unknown(f"num_processes is {count!r}: accelerate launch wants --num_processes", "world_size")
    return count


def _visible(r: View) -> int:
    ids = str(r.arg("gpu_ids")) if r.given("gpu_ids") and r.arg("gpu_ids") is not None else "all"
    if ids == "all":
        raise Unknown("gpu_ids is all: every GPU of the machine is visible", "visible_devices")
    return len([part for part in ids.split(",") if part.strip()])


def _precision(r: View) -> str:
    if r.given("fp16") and r.arg("fp16") and not r.given("mixed_precision"):
        return "fp16"
    return str(r.arg("mixed_precision") or "no") if r.given("mixed_precision") else "no"


def _used(r: View, what: str) -> bool:
    return r.given("distributed_type") and str(r.arg("distributed_type")).upper() == what


def _of_deepspeed(key: str, absent: Any) -> Derivation:
    """A setting of the block; a DeepSpeed file takes the place of the whole block."""

    def derive(r: View) -> Any:
        if not _used(r, "DEEPSPEED"):
            raise Unknown("DeepSpeed is not used", key)
        if r.given("deepspeed_config.deepspeed_config_file"):
            raise Unknown(f"{r.arg('deepspeed_config.deepspeed_config_file')} decides it", key)
        value = r.arg(f"deepspeed_config.{key}") if r.given(f"deepspeed_config.{key}") else absent
        if value in ("auto", None):
            raise Unknown('"auto": the trainer that is launched fills it in', key)
        return value

    return derive


def _zero_stage(r: View) -> int:
    return int(_of_deepspeed("zero_stage", 2)(r)) if _used(r, "DEEPSPEED") else 0


def _offload(r: View) -> str:
    if not _used(r, "DEEPSPEED"):
        return "none"
    for key, what in (("offload_param_device", "parameters"), ("offload_optimizer_device", "optimizer")):
        if str(_of_deepspeed(key, "none")(r)) != "none":
            return what
    return "none"


def _clip(r: View) -> float:
    return float(_of_deepspeed("gradient_clipping", "auto")(r))


FACTS: dict[str, Derivation] = {
    "world_size": _world_size,
    "visible_devices": _visible,
    "gradient_accumulation_steps": _of_deepspeed("gradient_accumulation_steps", "auto"),
    "max_grad_norm": _clip,
    "mixed_precision": _precision,
    "deepspeed": lambda r: "accelerate" if _used(r, "DEEPSPEED") else None,
    "zero_stage": _zero_stage,
    "offload": _offload,
    "fsdp": lambda r: "accelerate" if _used(r, "FSDP") else None,
}
KEYS: dict[str, str | None] = {
    "world_size": "num_processes",
    "visible_devices": "gpu_ids",
    "gradient_accumulation_steps": "deepspeed_config.gradient_accumulation_steps",
    "max_grad_norm": "deepspeed_config.gradient_clipping",
    "deepspeed": "distributed_type",
    "zero_stage": "deepspeed_config.zero_stage",
    "fsdp": "distributed_type",
}


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if not is_config(document):
        return None
    return [from_tree(DIALECT, document, context, read_file(document), SCHEMAS["LOCAL_MACHINE"])]


DIALECT = Dialect("accelerate", "accelerate", FACTS, KEYS, read_tree=_read_tree, part=True)
