"""The settings of a launch, as far as the probe can follow them: what is taken as it stands, capped, assumed, refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from trainlint.facts import Launch
from trainlint.probe.thresholds import LOW, TRANSFER

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of the probe's model, by the names that Llama models use."""
WHOLE = ("embed_tokens", "lm_head")
SCHEDULERS = frozenset(
    {"linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"}
)
MAX_BLOCK = 512
"""Bytes in one sequence, at most: what the base was trained on."""
MAX_STEP_BYTES = 2048
"""Bytes in one optimizer step, at most; a larger step takes longer than it teaches on so small a text."""
MAX_STEPS = 400
MAX_BYTES = 300_000
"""How long a side may train, in optimizer steps and in bytes, before it counts as not having learned."""
MIXTURE = re.compile(
    r"(?i)moe|mixtral|\b\d+x\d+(\.\d+)?b|-a\d+(\.\d+)?b\b|deepseek-(v[23]|r1)(?!-distill)|gpt-oss|grok"
)
"""Names of models that are mixtures of experts."""

SWEPT = {
    "learning_rate": "learning_rate", "lora_rank": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout",
    "effective_batch_size": "batch", "sequence_length": "block", "weight_decay": "weight_decay", "max_grad_norm": "clip",
    "warmup_ratio": "warmup",
}  # fmt: skip
"""The facts that a sweep can vary, and the fields that carry them."""
SWEPT_BACK = {field: fact for fact, field in SWEPT.items()}


class Refused(Exception):
    """The probe has no answer for such a run; the message says why."""


@dataclass(frozen=True)
class ProbeSettings:
    """One side of the comparison. `batch` counts sequences per optimizer step over all devices, `block` bytes."""

    method: str
    learning_rate: float
    scheduler: str
    warmup: float
    """Share of the steps."""
    batch: int
    block: int
    clip: float
    """Largest gradient norm; 0 is off."""
    weight_decay: float
    beta1: float
    beta2: float
    rank: int = 0
    alpha: float = 0.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    modules_to_save: tuple[str, ...] = ()

    @property
    def step_bytes(self) -> int:
        return self.batch * self.block

    @property
    def reach(self) -> float:
        """How far a step goes: learning rate x alpha / rank, without an adapter the learning rate."""
        return self.learning_rate * self.alpha / self.rank if self.rank else self.learning_rate

    @property
    def max_steps(self) -> int:
        """Optimizer steps this side may take; the scheduler is stretched over them."""
        return min(MAX_STEPS, MAX_BYTES // self.step_bytes)


@dataclass(frozen=True)
class Reading:
    """The settings of one side, and what of the user's could not be taken as it stands."""

    settings: ProbeSettings
    notes: tuple[str, ...]
    sft: bool = False


def read(launch: Launch) -> Reading:
    """What the probe makes of a launch. Raises `Refused`."""
    return _Reader(launch).read()


def transfer(*sides: ProbeSettings) -> float:
    """The common factor on the learning rates, 1 where the user's own are high enough to learn anything here."""
    return TRANSFER if max(side.learning_rate for side in sides) < LOW else 1.0


def capped(side: ProbeSettings) -> ProbeSettings:
    """The settings with their step cut down to what the probe trains on."""
    block = min(side.block, MAX_BLOCK)
    return replace(side, block=block, batch=min(side.batch, max(1, MAX_STEP_BYTES // block)))


def differences(a: ProbeSettings, b: ProbeSettings) -> list[tuple[str, Any, Any]]:
    """What differs between two sides: name, value in A, value in B."""
    pairs = [(field.name, getattr(a, field.name), getattr(b, field.name)) for field in fields(a)]
    return [(name, of_a, of_b) for name, of_a, of_b in pairs if of_a != of_b]


class _Reader:
    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.notes: list[str] = []

    def read(self) -> Reading:
        sft = self._check_kind()
        batch, block = self._step()
        scheduler = str(self.known("lr_scheduler_type", "linear"))
        if scheduler not in SCHEDULERS:
            self.notes.append(f"scheduler {scheduler} is not among those the probe knows: linear instead")
            scheduler = "linear"
        common: dict[str, Any] = {
            "method": "full" if self.must("method") == "full" else "lora",
            "learning_rate": float(self.must("learning_rate")),
            "scheduler": scheduler,
            "warmup": self._warmup(),
            "batch": batch,
            "block": block,
            "clip": float(self.known("max_grad_norm", 1.0) or 0.0),
            "weight_decay": float(self.known("weight_decay", 0.0)),
            "beta1": self._beta1(),
            "beta2": float(self.known("adam_beta2", 0.999)),
        }
        if common["method"] == "lora":
            common |= self._adapter()
        return Reading(ProbeSettings(**common), tuple(self.notes), sft)

    def must(self, name: str) -> Any:
        """The value of a fact that the probe cannot do without."""
        fact = self.launch.fact(name)
        if fact.status == "one-of":
            raise Refused(f"{name} differs between the branches of the script; --define decides them")
        if not fact.known or fact.value is None:
            raise Refused(f"{name} is not known" + (f": {fact.reason}" if fact.reason else ""))
        return fact.value

    def known(self, name: str, otherwise: Any) -> Any:
        """The value of a fact, or `otherwise`, which is then noted."""
        fact = self.launch.fact(name)
        if fact.known and fact.value is not None:
            return fact.value
        self.notes.append(f"{name} is not known: {otherwise} assumed")
        return otherwise

    def _check_kind(self) -> bool:
        """Refuse what the probe cannot stand for. True for supervised fine-tuning, which is outside its calibration."""
        stage = self.must("stage")
        if stage not in ("pt", "sft"):
            raise Refused(
                f"stage {stage}: the probe trains on plain text; preferences and rewards have no counterpart in it"
            )
        method = self.must("method")
        if method not in ("full", "lora", "qlora"):
            raise Refused(f"method {method}: the probe knows LoRA and full training only")
        bits = self.launch.fact("quantization_bits").value
        if method == "qlora" or bits is not None:
            raise Refused("a quantised base: what rounding the weights does cannot be shown on a model this small")
        active, all_ = (self.launch.fact(name).value for name in ("active_parameters", "model_parameters"))
        name = str(self.launch.fact("model_name_or_path").value)
        if (active is not None and active != all_) or MIXTURE.search(name):
            raise Refused("a mixture of experts: the probe's model has none, and routing is what suffers first")
        family = self.launch.fact("optimizer_family")
        if family.known and family.value != "adam":
            raise Refused(f"optimizer {family.value}: the probe trains with AdamW, whose steps are of another size")
        return bool(stage == "sft")

    def _step(self) -> tuple[int, int]:
        """Sequences per step and bytes per sequence, world size folded in, capped."""
        block = int(self.must("sequence_length"))
        accumulated = int(self.must("per_device_train_batch_size")) * int(self.must("gradient_accumulation_steps"))
        world = self.launch.fact("world_size")
        if not world.known:
            self.notes.append("the number of GPUs is not known: 1 assumed (--world-size says it)")
        batch = accumulated * (int(world.value) if world.known else 1)
        if block < 2 or batch < 1:
            raise Refused(f"{batch} sequences of {block} tokens in a step")
        kept_block = min(block, MAX_BLOCK)
        kept = min(batch, max(1, MAX_STEP_BYTES // kept_block))
        if (kept, kept_block) != (batch, block):
            self.notes.append(f"a step of {batch:,} x {block:,} is capped at {kept} x {kept_block} bytes")
        return kept, kept_block

    def _warmup(self) -> float:
        ratio, steps, total = (self.launch.fact(name) for name in ("warmup_ratio", "warmup_steps", "total_steps"))
        if ratio.known and ratio.value:
            return min(1.0, float(ratio.value))
        if steps.known and not steps.value:
            return 0.0
        if steps.known and total.known and total.value:
            return min(1.0, float(steps.value) / float(total.value))
        self.notes.append("the share of warmup is not known: none assumed")
        return 0.0

    def _beta1(self) -> float:
        argument = self.launch.first.argument("adam_beta1")
        return float(argument.value) if argument.known and isinstance(argument.value, (int, float)) else 0.9

    def _adapter(self) -> dict[str, Any]:
        rank = int(self.must("lora_rank"))
        if rank < 1:
            raise Refused(f"rank {rank}")
        scale = self.launch.fact("lora_scale")
        # alpha / sqrt(rank), where that is the scale, is carried by an alpha that gives the same factor under alpha / rank
        alpha = float(scale.value) * rank if scale.known else float(self.must("lora_alpha"))
        dropout = float(self.known("lora_dropout", 0.0) or 0.0)
        saved = self.launch.fact("modules_to_save")
        whole = tuple(name for name in WHOLE if saved.known and name in _names(saved.value))
        return {"rank": rank, "alpha": alpha, "dropout": dropout, "targets": self._targets(), "modules_to_save": whole}

    def _targets(self) -> tuple[str, ...]:
        fact = self.launch.fact("target_modules")
        names = {name.rsplit(".", 1)[-1] for name in _names(fact.value)} if fact.known else set()
        found = tuple(layer for layer in LINEAR_LAYERS if layer in names)
        if found or names & {"all", "all-linear"}:
            return found or LINEAR_LAYERS
        said = ", ".join(sorted(names)) or "not known"
        self.notes.append(
            f"target modules ({said}) have no counterpart in the probe's model: all its linear layers instead"
        )
        return LINEAR_LAYERS


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    return [str(name) for name in value or ()]
