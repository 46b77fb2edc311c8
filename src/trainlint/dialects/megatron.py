"""Megatron-LM: `pretrain_*.py` with dashed flags, its test files with `MODEL_ARGS`, and `--yaml-cfg`.

Forks add flags of their own and keep the script's name, so an unknown flag is a finding only where it is a near miss. They
add choices, too: beside a flag that is certainly a fork's, neither a near miss nor a value is a finding.
"""

from __future__ import annotations

import math
from typing import Any

from trainlint.dialects import argv, declared, megatron_model, scale
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree
from trainlint.dialects.convert import Rejected, from_lax
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.dialects.tree import TEMPLATE, shown
from trainlint.document import Document, Entry, Origin
from trainlint.facts import Argument, ArgumentIssue, Arguments, Run, Unknown, View
from trainlint.readers.scalars import plain

SCHEMA = Schema("megatron:pretrain")
MARKS = frozenset(
    {"num_layers", "hidden_size", "num_attention_heads", "micro_batch_size", "global_batch_size", "train_iters",
     "train_samples", "tensor_model_parallel_size", "pipeline_model_parallel_size", "seq_length", "lr_decay_style"}
)  # fmt: skip
ENOUGH = 4
DEGREES = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "context_parallel_size")
TEST_KEY = "MODEL_ARGS"
VALUES = ("type", "choice", "range", "missing-value")
"""The kinds of issues about the value of a known flag."""
INFERENCE = frozenset({"inference_max_requests", "num_tokens_to_generate", "max_tokens_to_oom", "tasks", "task"})


def _replicas(r: View) -> int:
    shared = math.prod(max(1, int(r.arg(name) or 1)) for name in DEGREES)
    return scale.count(r.world_size, shared)


def _effective_batch_size(r: View) -> int:
    """Without --global-batch-size one micro-batch on each replica."""
    total = r.arg("global_batch_size")
    return int(total) if total else int(r.per_device_train_batch_size * r.data_parallel_size)


def _accumulation(r: View) -> int:
    return scale.accumulated(r) if r.arg("global_batch_size") else 1


def _max_steps(r: View) -> int | None:
    iterations, samples = r.arg("train_iters"), r.arg("train_samples")
    if iterations:
        return int(iterations)
    if not samples:
        raise Unknown("neither --train-iters nor --train-samples is set", "max_steps")
    if r.arg("rampup_batch_size"):
        raise Unknown("the batch grows during the run", "max_steps")
    steps: int = math.ceil(samples / r.effective_batch_size)
    return steps


def _warmup_steps(r: View) -> int:
    """In iterations; samples and a fraction of the decay count by the global batch and by the run."""
    fraction, iterations, samples = (r.arg(f"lr_warmup_{unit}") for unit in ("fraction", "iters", "samples"))
    steps, decay = r.max_steps, r.arg("lr_decay_iters")
    if not decay and r.arg("lr_decay_samples"):
        decay = math.ceil(r.arg("lr_decay_samples") / r.effective_batch_size)
    if fraction:
        warmup = int(fraction * (decay or steps))
    else:
        warmup = int(iterations) if iterations else math.ceil(samples / r.effective_batch_size) if samples else 0
    if decay and steps is not None and decay > steps <= warmup:
        raise Unknown(
            f"the schedule is laid out for {decay} iterations, of which this run makes the first", "warmup_steps"
        )
    return warmup


def _stage(r: View) -> str:
    """From scratch, unless it starts from weights that are not its own. Its reinforcement learning is GRPO."""
    if scale.value(r, "perform_rl_step"):
        return "grpo"
    if scale.value(r, "sft"):
        return "sft"
    started = r.run.context.get("started")
    if started is not None and any(mark in started.name for mark in ("sft", "finetune")):
        r.assume(f"the stage is read off the script's name, {started.name}")
        return "sft"
    if r.arg("finetune") or scale.value(r, "pretrained_checkpoint"):
        return "pt"
    load = r.arg("load")
    if load and load != r.arg("save"):
        raise Unknown("--load may continue a run or start from another's weights", "stage")
    return "scratch"


def _precision(r: View) -> str:
    return "bf16" if r.arg("bf16") else "fp16" if r.arg("fp16") else "no"


def _saves(r: View) -> bool:
    """Without --save nothing is written, whatever --save-interval says."""
    return bool(r.arg("save")) and bool(r.arg("save_interval"))


def _datasets(r: View) -> list[str]:
    for name in ("data_path", "train_data_path", "data_args_path", "per_split_data_args_path"):
        value = r.arg(name) if r.given(name) else None
        if value:
            return [str(part) for part in (value if isinstance(value, list) else [value]) if not _is_weight(part)]
    mocked = r.given("mock_data") and r.arg("mock_data")
    raise Unknown("--mock-data makes its data up" if mocked else "--data-path is not set", "datasets")


def _is_weight(part: Any) -> bool:
    try:
        float(part)
    except (TypeError, ValueError):
        return False
    return True


def _evaluates(r: View) -> bool:
    return bool(r.arg("eval_interval")) and bool(r.arg("eval_iters"))


FACTS = {
    **scale.FACTS,
    **megatron_model.FACTS,
    "stage": _stage,
    "method": lambda r: "full",
    "learning_rate": arg("lr"),
    "lr_scheduler_type": arg("lr_decay_style"),
    "schedule_share": scale.schedule_share("lr_decay_iters"),
    "warmup_steps": _warmup_steps,
    "warmup_ratio": lambda r: float(r.arg("lr_warmup_fraction") or 0.0),
    "per_device_train_batch_size": arg("micro_batch_size"),
    "data_parallel_size": _replicas,
    "effective_batch_size": _effective_batch_size,
    "gradient_accumulation_steps": _accumulation,
    "sequence_length": arg("seq_length"),
    "max_steps": _max_steps,
    "weight_decay": arg("weight_decay"),
    "adam_beta2": arg("adam_beta2"),
    "max_grad_norm": arg("clip_grad"),
    "optim": arg("optimizer"),
    "mixed_precision": _precision,
    "model_name_or_path": arg("load"),
    "datasets": _datasets,
    "packing": lambda r: True,
    "eval_strategy": lambda r: "steps" if _evaluates(r) else "no",
    "eval_steps": lambda r: r.arg("eval_interval") if _evaluates(r) else None,
    "save_strategy": lambda r: "steps" if _saves(r) else "no",
    "save_steps": lambda r: r.arg("save_interval") if _saves(r) else None,
    "output_dir": arg("save"),
    "gradient_checkpointing": lambda r: bool(r.arg("recompute_granularity") or r.arg("recompute_activations")),
    "seed": arg("seed"),
    "spread_by": lambda r: scale.spread(r, DEGREES, "the distributed optimizer"),
}  # fmt: skip
KEYS = {
    "learning_rate": "lr",
    "lr_scheduler_type": "lr-decay-style",
    "warmup_steps": "lr-warmup-iters",
    "warmup_ratio": "lr-warmup-fraction",
    "per_device_train_batch_size": "micro-batch-size",
    "gradient_accumulation_steps": "global-batch-size",
    "effective_batch_size": "global-batch-size",
    "sequence_length": "seq-length",
    "max_steps": "train-iters",
    "num_train_epochs": "train-iters",
    "weight_decay": "weight-decay",
    "adam_beta2": "adam-beta2",
    "max_grad_norm": "clip-grad",
    "optim": "optimizer",
    "mixed_precision": "bf16",
    "datasets": "data-path",
    "eval_strategy": "eval-interval",
    "eval_steps": "eval-interval",
    "save_strategy": "save",
    "save_steps": "save-interval",
    "output_dir": "save",
    "gradient_checkpointing": "recompute-granularity",
}


def _is_run(names: set[str]) -> bool:
    return len(names & MARKS) >= ENOUGH and not names & INFERENCE


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    flags = {word.known_prefix.partition("=")[0].lstrip("-").replace("-", "_") for word in started.words}
    named = started.name.startswith("pretrain_") and started.name.endswith(".py")
    dashed = any(
        word.known_prefix.startswith(("--micro-batch-size", "--num-layers", "--yaml-cfg")) for word in started.words
    )
    if not dashed or (not named and not _is_run(flags)):
        return None
    schema, _ = declared.extend(SCHEMA, document, started, context, False)
    arguments = argv.read(document.source, started.words, schema, closed=False, dashes=True)
    if not _is_run(set(arguments.given)) and "yaml_cfg" not in arguments.given:
        return None
    arguments.issues = _typos(arguments.issues)
    misspelt = {issue.name.replace("-", "_") for issue in arguments.issues if issue.replacement is not None}
    forked = set(arguments.given) - SCHEMA.keys() - misspelt
    if forked:
        arguments.issues = [i for i in arguments.issues if i.kind not in VALUES or i.name not in SCHEMA]
    if forked - schema.keys():
        arguments.issues = [i for i in arguments.issues if i.replacement is None]
    _put_yaml_below(arguments, document, started, context)
    return [from_command(DIALECT, document, started, context, arguments, schema)]


def _typos(issues: list[ArgumentIssue]) -> list[ArgumentIssue]:
    """A fork's own flag has other words, or a number behind the same ones; a typo has neither."""
    return [issue for issue in issues if issue.replacement is None or _is_typo(issue.at.text, issue.replacement)]


def _is_typo(written: str, meant: str) -> bool:
    return written.count("-") == meant.count("-") and written.rstrip("0123456789") != meant.rstrip("0123456789")


def _put_yaml_below(arguments: Arguments, document: Document, started: Started, context: Context) -> None:
    """With --yaml-cfg the file alone counts; its sections are dissolved."""
    argument = arguments.given.get("yaml_cfg")
    if argument is None or (not argument.value and argument.unknown is None):
        return
    try:
        if argument.unknown is not None:
            raise Unknown(argument.unknown)
        config = context.open(str(argument.value), document, started)
    except Unknown as missing:
        arguments.open = arguments.open or missing.reason
        return
    for entry in config.root.entries if config.root is not None else ():
        inner = entry.value.entries if entry.value.kind == "mapping" else [entry]
        for each in inner:
            _add(arguments, config, each, each.key.text.replace("-", "_"))


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    """The functional tests' `MODEL_ARGS: {--flag: value}`."""
    root = document.root
    if document.format != "yaml" or root is None or root.kind != "mapping":
        return None
    model = next((entry.value for entry in root.entries if entry.key.text == TEST_KEY), None)
    if model is None or model.kind != "mapping":
        return None
    arguments = Arguments()
    for entry in model.entries:
        if entry.key.text.startswith("--"):
            _add(arguments, document, entry, entry.key.text.lstrip("-").replace("-", "_"))
    if not _is_run(set(arguments.given)):
        return []
    run = from_tree(DIALECT, document, context, arguments, SCHEMA)
    spell = run.spell
    run.spell = lambda fact: f"--{spell(fact)}"
    return [run]


def _add(arguments: Arguments, document: Document, entry: Entry, name: str) -> None:
    key, at = document.at(entry.key.span), document.at(entry.value.span)
    origin = Origin("literal", f"{entry.key.text}: {shown(entry.value, at)}", at)
    value = plain(entry.value, "omegaconf")
    unknown: str | None = None
    if isinstance(value, str) and (TEMPLATE.search(value) or "$" in value):
        value, unknown = None, f"{at.text} is filled in later"
    elif name in SCHEMA:
        try:
            value = _typed(name, value)
        except Rejected as rejected:
            advice = f"give {entry.key.text} a value that Megatron-LM takes"
            message = f"{entry.key.text}: {rejected.message}"
            arguments.issues.append(ArgumentIssue(rejected.kind, name, message, at, advice, rejected.certain))
            value, unknown = None, rejected.message
    else:
        issue = argv.unknown_argument(name, key, SCHEMA, closed=False, spelled="--{}", dashes=True)
        if issue is not None and entry.key.text.startswith("--"):
            arguments.issues += _typos([issue])
    arguments.given[name] = Argument(name, value, origin, key, at, unknown)


def _typed(name: str, value: Any) -> Any:
    """The test harness writes the value behind the flag; what is a list there may be one text with blanks here."""
    edition = SCHEMA.edition(name)
    if edition.values == 0 or any(kind.startswith("list") for kind in edition.types) or isinstance(value, list):
        return value
    return from_lax(edition, value)


DIALECT = Dialect("megatron", "Megatron-LM", FACTS, KEYS, _read_command, _read_tree)
