"""The pre-flight card: what a configuration makes the trainer do, in one screen, and where each number came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from trainlint import coverage as covered
from trainlint.derive.companions import ALONE
from trainlint.derive.cost import COMPARISONS
from trainlint.derive.memory import OVERHEAD, PARTS
from trainlint.derive.vocabulary import STATUS_FACTS
from trainlint.document import Origin
from trainlint.facts import Fact, Launch
from trainlint.findings import OPTIONS
from trainlint.ruleset.expressions import tidy

STAGES = {
    "pt": "continued pre-training", "scratch": "pre-training from random weights",
    "sft": "supervised fine-tuning", "dpo": "preference tuning (DPO)", "rm": "reward model",
    "kto": "preference tuning (KTO)", "orpo": "preference tuning (ORPO)", "simpo": "preference tuning (SimPO)",
    "cpo": "preference tuning (CPO)", "ipo": "preference tuning (IPO)", "grpo": "reinforcement learning (GRPO)",
    "ppo": "reinforcement learning (PPO)", "rloo": "reinforcement learning (RLOO)", "kd": "distillation", "gkd": "distillation",
}  # fmt: skip
SHOWN_UNKNOWN = (
    "stage", "method", "learning_rate", "world_size", "sequence_length", "per_device_train_batch_size", "dataset_bytes",
    "dataset_tokens", "total_steps", "max_grad_norm", "mixed_precision", "model", "model_parameters", "seed", "memory_estimate",
)  # fmt: skip
WIDTH = 9
SHOWN_NAMES = 12
SHORTEST = 0.1
"""Hours. What takes less waits for anything but arithmetic."""


def cards(launches: Iterable[Launch], *, origins: bool = False, coverage: bool = False) -> str:
    """The cards of all launches as text. `*` marks what is a framework's default, `?` what nobody says."""
    return "\n".join(_card(launch, origins, coverage) for launch in launches)


def to_json(launches: Iterable[Launch]) -> str:
    """The facts of all launches. Values are JSON; a status is known, default, one-of or unknown."""
    runs = []
    for launch in launches:
        facts = {name: _fact_json(launch.fact(name)) for name in STATUS_FACTS}
        runs.append(
            {
                "path": launch.at.on_disk.source.path,
                "line": launch.at.on_disk.start.line,
                "dialect": launch.first.dialect,
                "facts": facts,
                "versions": _versions_json(launch),
                "coverage": covered.to_json(covered.coverage(launch)),
            }
        )
    return json.dumps({"version": 1, "runs": runs}, indent=2) + "\n"


def _versions(launch: Launch) -> Iterator[tuple[str, str, str]]:
    """The versions that count for a launch: the package, the version, and where it is said."""
    schema, pinned = launch.first.context.get("schema"), launch.first.context.get("pinned", {})
    if schema is None:
        return
    packages = {*launch.first.linked, *(spec.package for spec in schema.values())}
    for package, version in schema.targets.items():
        if package in packages:
            yield package, version, pinned[package].where if package in pinned else ""


def _versions_json(launch: Launch) -> dict[str, Any]:
    return {package: {"version": version, "from": where or "--target"} for package, version, where in _versions(launch)}


def _fact_json(fact: Fact) -> dict[str, Any]:
    entry: dict[str, Any] = {"value": fact.value, "status": fact.status, "origin": _origin_json(fact.origin)}
    if fact.status == "unknown":
        entry["reason"] = fact.reason
    if fact.note:
        entry["note"] = fact.note
    return entry


def _origin_json(origin: Origin) -> list[dict[str, Any]]:
    """The way back to where the value is written, outermost first."""
    steps = []
    for step in origin.walk():
        entry: dict[str, Any] = {"kind": step.kind, "text": step.text}
        if step.at is not None:
            at = step.at.on_disk
            entry |= {"path": at.source.path, "line": at.start.line, "column": at.start.column}
        steps.append(entry)
    return steps


class _Card:
    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.used: list[str] = []

    def value(self, name: str) -> Any:
        """The bare value, None where it is not known."""
        fact = self.launch.fact(name)
        return fact.value if fact.known else None

    def show(self, name: str, spec: str = "", unit: str = "") -> str:
        """A fact as text: `1.0*` for a default, `?` for an unknown one, `1 | 2` where branches differ."""
        self.used.append(name)
        fact = self.launch.fact(name)
        if fact.status == "unknown":
            return f"?{unit}"
        values = fact.value if fact.status == "one-of" else [fact.value]
        shown = " | ".join(_format(value, spec) for value in values)
        return f"{shown}{'*' if fact.status == 'default' else ''}{unit}"


def _format(value: Any, spec: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        more = [f"{len(value) - SHOWN_NAMES:,} more"] if len(value) > SHOWN_NAMES else []
        return ", ".join([*map(str, value[:SHOWN_NAMES]), *more]) or "none"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return tidy(format(value, spec or ("g" if isinstance(value, float) else ",")))


def _card(launch: Launch, origins: bool, coverage: bool) -> str:
    card = _Card(launch)
    run = launch.first
    started = run.context.get("started")
    launcher = f" · started by {started.launcher or started.name}" if started is not None else ""
    ways = len(launch.alternatives)
    branches = f" · {ways} ways to read it" if ways > 1 else ""
    place = launch.at.on_disk
    lines = [f"{place.source.path}:{place.start.line}  {run.title}{launcher}{branches}"]
    lines += [
        f"{package} {version}, {f'from {where}' if where else 'as stated'}"
        for package, version, where in _versions(launch)
    ]
    lines.append("")
    sections = (
        ("WHAT", _what(card)),
        ("MODEL", _model(card)),
        ("DATA", _data(card)),
        ("STEP", _step(card)),
        ("LENGTH", _length(card)),
        ("LR", _lr(card)),
        ("SAFETY", _safety(card)),
        ("MEMORY", _memory(card)),
        ("COST", _cost(card)),
        ("UNKNOWN", _unknown(card)),
        ("COVERAGE", covered.to_lines(covered.coverage(launch)) if coverage else []),
    )
    for title, body in sections:
        for i, line in enumerate(body):
            lines.append(f"{title if i == 0 else '':<{WIDTH}}{line}")
    if origins:
        lines += ["", *_origins(card)]
    lines.append("")
    if any("*" in line for line in lines):
        lines.append(f"{'':<{WIDTH}}* the framework's default")
        lines.append("")
    return "\n".join(lines)


def _what(card: _Card) -> list[str]:
    stage = card.launch.fact("stage")
    method = card.value("method")
    stages = stage.value if stage.status == "one-of" else [stage.value] if stage.known else []
    name = " or ".join(STAGES.get(each, each) for each in stages) or "stage ?"
    first = f"{name} · {card.show('method')} · {card.show('model_name_or_path')}"
    lines = [first]
    if method in ("lora", "qlora"):
        rank, alpha = card.value("lora_rank"), card.value("lora_alpha")
        scale = f" (scale {alpha / rank:g})" if rank and alpha else ""
        lines.append(
            f"rank {card.show('lora_rank')}, alpha {card.show('lora_alpha')}{scale}, dropout {card.show('lora_dropout')}"
            f" on {card.show('target_modules')}"
        )
        if (beside := card.show("modules_to_save")).rstrip("*") != "none":
            lines.append(f"trained in full beside it: {beside}")
    bits = card.value("quantization_bits")
    quantised = f" · base in {bits} bits" if bits else ""
    zero = f" · ZeRO-{card.show('zero_stage')}" if card.value("zero_stage") else ""
    lines.append(
        f"mixed precision {card.show('mixed_precision')}{quantised}{zero} · tokenizer {card.show('tokenizer_name_or_path')}"
    )
    return lines


def _data(card: _Card) -> list[str]:
    size, tokens = card.value("dataset_bytes"), card.value("dataset_tokens")
    bytes_ = _bytes(size) if size is not None else card.show("dataset_bytes", unit=" bytes")
    about = f"{tokens:,} tokens" if tokens is not None else card.show("dataset_tokens", unit=" tokens")
    epochs = card.show("num_train_epochs", unit=" epoch" if card.value("num_train_epochs") == 1 else " epochs")
    return [f"{bytes_} ≈ {about} × {epochs} · {card.show('datasets')}", *_looked_into(card)]


def _looked_into(card: _Card) -> list[str]:
    """What the first megabytes of the data show, where they are here."""
    count, sample = card.value("examined_examples"), card.value("data_sample")
    if not count:
        return []
    of = "" if sample.complete and sample.count == count else "the first "
    lines = [
        f"{of}{card.show('examined_examples')} examples: {card.show('mean_characters', ',.0f')} characters on average,"
        f" 95 % have at most {card.show('p95_characters')}"
    ]
    said = [
        f"{card.show(name)} {what}"
        for name, what in (
            ("empty_examples", "empty"), ("unanswered_examples", "without an answer"), ("duplicate_examples", "duplicates"),
            ("unreadable_examples", "unreadable"),
        )
        if card.value(name)
    ]  # fmt: skip
    for name, what in (
        ("truncated_share", "longer than a sequence, about"),
        ("chinese_share", "of the characters Chinese"),
        ("evaluation_overlap", "of the evaluation's examples among them"),
    ):
        if (card.value(name) or 0) >= 0.005:
            said.append(f"{card.show(name, '.0%')} {what}")
    if card.value("missing_columns"):
        said.append(f"without {card.show('missing_columns')}")
    return [*lines, *([" · ".join(said)] if said else [])]


def _bytes(size: int) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


def _step(card: _Card) -> list[str]:
    gpus = card.show("world_size", unit=" GPU" if card.value("world_size") == 1 else " GPUs")
    if card.value("data_parallel_size") not in (None, card.value("world_size")):
        gpus = f"{card.show('data_parallel_size')} replicas on {gpus}"
    most = "at most " if card.value("packing") is False and card.value("tokens_per_step") is not None else ""
    return [
        f"{card.show('per_device_train_batch_size')} per device × {card.show('gradient_accumulation_steps')} accumulation"
        f" × {gpus} × {card.show('sequence_length')} tokens = {most}{card.show('tokens_per_step')} tokens/step{_unpadded(card)}"
    ]


def _unpadded(card: _Card) -> str:
    """What examples that are not packed really have, where the data is here."""
    if card.value("packing") is not False:
        return ""
    batch, tokens, examples = (
        card.value(name) for name in ("effective_batch_size", "dataset_tokens", "dataset_examples")
    )
    if not (batch and tokens and examples):
        return ""
    card.used += ["dataset_tokens", "dataset_examples"]
    return f", about {min(batch * tokens / examples, card.value('tokens_per_step')):,.0f} without padding"


def _length(card: _Card) -> list[str]:
    total, every = card.value("total_steps"), card.value("save_steps")
    strategy = card.value("save_strategy")
    saves = f"saves: {card.show('save_strategy')}"
    if strategy == "steps":
        saves = f"saves every {card.show('save_steps')} steps"
        if isinstance(every, (int, float)) and every >= 1:
            saves += f", first at step {every:,g}"
            if total is not None and every > total:
                saves += " (after the end)"
    evaluation = f"evaluation: {card.show('eval_strategy')}"
    if card.value("eval_strategy") == "steps":
        evaluation = f"evaluation every {card.show('eval_steps')} steps"
    if card.value("eval_examples") and card.value("eval_strategy") != "no":
        evaluation += f" on {card.show('eval_examples')} examples"
    steps = f"{card.show('total_steps')} optimizer steps"
    if total is not None and card.value("packing") and (tokens := card.value("tokens_per_step")) is not None:
        steps += f" = {_short(total * tokens)} tokens"
    return [f"{steps} · {saves} · {evaluation}"]


def _lr(card: _Card) -> list[str]:
    rate, total, warmup = card.value("learning_rate"), card.value("total_steps"), card.value("warmup_steps")
    tokens = card.value("tokens_per_step")
    warm = f"warmup {card.show('warmup_steps', unit=' steps')}"
    if warmup is None and card.value("warmup_ratio") is not None:
        warm = f"warmup {card.show('warmup_ratio')} of the steps"
    if warmup and total and warmup >= total:
        warm += " (not over at the end)"
    line = f"{card.show('learning_rate')} peak · {card.show('lr_scheduler_type')} · {warm}"
    if rate and total:
        steps = _full_steps(card.value("lr_scheduler_type"), total, warmup or 0)
        line += f" · Σlr ≈ {tidy(f'{rate * steps:.2g}')}"
    if rate and tokens:
        line += f" · {tidy(f'{rate / tokens:.1e}')} per token"
    return [line]


def _full_steps(scheduler: str | None, total: float, warmup: float) -> float:
    """How many steps at the peak would move the weights as far."""
    if scheduler == "constant":
        return total
    if warmup >= total:
        return total * total / warmup / 2
    return total - warmup / 2 if scheduler == "constant_with_warmup" else total / 2


def _safety(card: _Card) -> list[str]:
    clip = card.value("max_grad_norm")
    clipping = "no gradient clipping" if clip == 0 else f"gradient clipping at {card.show('max_grad_norm')}"
    return [f"{clipping} · weight decay {card.show('weight_decay')} · seed {card.show('seed')} · {card.show('optim')}"]


def _model(card: _Card) -> list[str]:
    size, active = card.value("model_parameters"), card.value("active_parameters")
    if size is None:
        return []
    counts = [f"{_count(card, 'model_parameters')} parameters"]
    if active is not None and active < 0.9 * size:
        counts.append(f"{_count(card, 'active_parameters')} active")
    if card.value("trainable_parameters") is not None and card.value("method") != "full":
        counts.append(f"{_count(card, 'trainable_parameters')} trained")
    model = card.value("model")
    if model is None:
        return [", ".join(counts)]
    card.used.append("model")
    stored = "model_quantization" if model.quantization else "model_dtype"
    parts = [
        ", ".join(counts),
        f"{card.show('model_type')}, {card.show('num_layers')} layers of {card.show('hidden_size')}",
        f"vocabulary {card.show('model_vocab_size')}",
        card.show("max_position_embeddings", unit=" positions"),
        f"stored in {card.show(stored)}",
        card.show("base_kind") if model.kind else "?",
    ]
    return [" · ".join(part for part in parts if "?" not in part)]


def _count(card: _Card, name: str) -> str:
    card.used.append(name)
    return _short(card.value(name))


def _short(value: float) -> str:
    """`6.74B`"""
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if value >= scale:
            return f"{value / scale:.3g}{unit}"
    return f"{value:,}"


def _memory(card: _Card) -> list[str]:
    checkpointing = "activations recomputed" if card.value("gradient_checkpointing") else "activations kept"
    bound = card.launch.fact("memory_lower_bound")
    said = []
    if card.value("memory_estimate") is not None:
        said.append(f"about {card.show('memory_estimate', '.3g')} GiB per GPU")
    if bound.known:
        said.append(f"at least {card.show('memory_lower_bound', '.3g')} GiB per GPU before activations")
    if said and card.value("launcher") is None and card.value("world_size") != 1 and not card.value("sharding_stage"):
        said.append("unless the launch shards the model")
    if said and card.value("gpu_memory"):
        said.append(f"it has {card.show('gpu_memory')}")
    option = OPTIONS.get(bound.missing)
    missing = f"? ({bound.reason}{f', say it with {option}' if option else ''})"
    lines = [" · ".join([*(said or [missing]), checkpointing])]
    known = [part for part in PARTS if card.value(f"memory_{part}")]
    if known:
        open_ = [part for part in PARTS if card.launch.fact(f"memory_{part}").status == "unknown"]
        parts = [f"{part} {card.show(f'memory_{part}', '.3g')}" for part in PARTS if part in {*known, *open_}]
        lines.append(" + ".join([*parts, f"CUDA {OVERHEAD:g}"]))
    if (card.value("memory_generation") or 0) > (card.value("memory_rollout") or 0):
        lines.append(f"{card.show('memory_generation', '.3g')} while answers are generated")
    return lines


def _hours(value: float) -> str:
    return ",.0f" if value >= 100 else ".3g"


def _duration(hours: float) -> str:
    return f"{tidy(format(hours / 24, _hours(hours / 24)))} days" if hours >= 48 else f"{hours:.3g} hours"


def _cost(card: _Card) -> list[str]:
    lines = []
    flops, hours, share = (card.value(name) for name in ("training_flops", "gpu_hours", "evaluation_share"))
    if flops is not None:
        counted = card.value("dataset_tokens") is not None and card.value("stage") in ALONE
        most = card.value("packing") is False and not counted
        line = f"{'at most ' if most else ''}{card.show('training_flops', '.2g')} FLOPs".replace("e+", "e")
        if hours is not None:
            line += f" ≈ {card.show('gpu_hours', _hours(hours))} GPU-hours at {card.show('mfu', '.0%')} of the peak"
            if "mfu" not in card.launch.first.stated:
                low, high = (hours * card.value("mfu") / usual for usual in (0.5, 0.3))
                line += f" ({tidy(format(low, _hours(low)))} to {tidy(format(high, _hours(high)))} at 50 to 30%)"
            gpus = card.value("world_size") or 1
            if gpus > 1 and hours / gpus >= SHORTEST:
                line += f" = {_duration(hours / gpus)} on {gpus} GPUs"
        elif card.launch.fact("gpu_hours").missing == "gpu_flops":
            line += f" · say the GPU with {OPTIONS['gpu_flops']} for the hours"
        if card.value("stage") not in (None, *ALONE, *COMPARISONS):
            line += " · generating answers comes on top"
        if share:
            line += f" · evaluation {card.show('evaluation_share', '.0%')} of the time"
        lines.append(line)
    one, kept = card.value("checkpoint_bytes"), card.value("checkpoints_kept")
    if one is not None:
        card.used += ["checkpoint_bytes", "checkpoints_kept"]
        count = f"{kept} kept = {_bytes(one * kept)} · " if kept else ""
        first = card.launch.fact("first_save_step")
        step = f"first at step {card.show('first_save_step')}" if first.known and first.value is not None else ""
        lines.append(" · ".join(part for part in (f"{count}{_bytes(one)} a checkpoint", step) if part))
    return lines


def _unknown(card: _Card) -> list[str]:
    lines = []
    reasons: dict[str, list[str]] = {}
    for name in SHOWN_UNKNOWN:
        fact = card.launch.fact(name)
        if fact.status == "unknown":
            option = OPTIONS.get(fact.missing) or OPTIONS.get(name)
            said = f" · say it with {option}" if option else ""
            reasons.setdefault(f"{fact.reason}{said}", []).append(name)
    for reason, names in reasons.items():
        lines.append(f"{', '.join(names)}: {reason}")
    return lines or ["nothing that matters"]


def _origins(card: _Card) -> list[str]:
    """Every fact that the card shows, and every derived one that they rest on, once."""
    waiting = {name: card.launch.fact(name) for name in card.used}
    told: set[str] = set()
    lines = []
    while waiting:
        name = next(iter(waiting))
        fact = waiting.pop(name)
        told.add(name)
        lines.append(f"{name} = {_format(fact.value, '') if fact.status != 'unknown' else '?'}")
        derived = {read.name: read for read in fact.reads if read.reads and read.name != name}
        lines += _places(fact.origin, {id(read.origin) for read in derived.values()})
        waiting |= {name: read for name, read in derived.items() if name not in told and name not in waiting}
    return lines


def _places(origin: Origin, told_elsewhere: set[int]) -> list[str]:
    lines = []
    for depth, step in _steps(origin, told_elsewhere):
        place = step.at.on_disk if step.at is not None else None
        at = f"{place.source.path}:{place.start.line}:{place.start.column}  " if place is not None else ""
        if step.text or at:
            lines.append(f"{'  ' * (depth + 1)}{at}{step.text}  ({step.kind})")
    return lines


def _steps(origin: Origin, without: set[int], depth: int = 0) -> Iterable[tuple[int, Origin]]:
    yield depth, origin
    for parent in origin.parents:
        if id(parent) not in without:
            yield from _steps(parent, without, depth + 1)
