"""What a DeepSpeed file and the run that names it both say, and say differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from trainlint.document import Document
from trainlint.facts import Argument, Fact, Launch, Run
from trainlint.findings import Finding, Related
from trainlint.ruleset.file import Rule
from trainlint.text import Location

SWITCHES = {"fp16.enabled": ("fp16", "fp16_full_eval"), "bf16.enabled": ("bf16", "bf16_full_eval")}
BATCH = ("train_micro_batch_size_per_gpu", "train_batch_size")
BACKENDS = ("fp16_backend", "half_precision_backend")


@dataclass(frozen=True)
class _Mismatch:
    """A setting of the file, and what the Trainer makes of the run's own for it."""

    file: Argument
    key: str
    value: Any
    given: Location | None

    @property
    def said(self) -> str:
        return f"{self.file.name} is {self.file.value!r} in {self.file.at.source.path} and {self.value!r} by {self.key}"


def disagreements(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One finding for a launch, where every way that the branches before it may go stops at the same settings."""
    for launch in launches:
        first, *others = ({m.said: m for m in _mismatches(rule, run)} for run in launch)
        found = [mismatch for said, mismatch in first.items() if all(said in other for other in others)]
        if not found:
            continue
        case = rule.cases[0]
        places = [(mismatch.said, mismatch.given or mismatch.file.at) for mismatch in found]
        related = [Related(f"{m.file.name} in the DeepSpeed file", m.file.at) for m in found if m.given is not None]
        related += [Related(said, at) for said, at in places[1:]]
        message = "the Trainer stops where its arguments and the DeepSpeed file differ: " + "; ".join(
            said for said, _ in places
        )
        at, advice = places[0][1], case.advice.source
        yield Finding(rule.id, case.severity, "high", message, at, advice, tuple(related), None, rule.why)


def _mismatches(rule: Rule, run: Run) -> Iterator[_Mismatch]:
    """As `HfTrainerDeepSpeedConfig` finds them: a value that stands in the file and is neither null nor "auto" must match."""
    file = run.linked.get("deepspeed")
    if file is None or run.dialect not in rule.limits["trainers"]:
        return
    # a script of no known parser may set its own defaults, and be no Trainer's where it does not take the file itself
    script = run.dialect in rule.limits["scripts"]
    if script and "deepspeed" not in run.arguments.given:
        return
    for name, setting in file.given.items():
        compare = _COMPARED.get(name)
        if compare is None or setting.unknown is not None or setting.value in (None, "auto"):
            continue
        if name in BATCH and "auto_find_batch_size" in run.arguments.given:
            continue
        facts = compare(run)
        if not facts or not all(_certain(fact, script) for fact in facts):
            continue
        value = _COMBINED[name](*[fact.value for fact in facts]) if name in _COMBINED else facts[0].value
        if value is None or _agrees(name, setting.value, value):
            continue
        own = [fact for fact in facts if fact.status == "known"]
        key = " and ".join(run.spell(fact.name) for fact in own or facts)
        shown = key if own else f"{key}'s default"
        yield _Mismatch(setting, shown, value, own[0].location if own else None)


def _certain(fact: Fact, script: bool) -> bool:
    return fact.status == "known" or (fact.status == "default" and fact.confidence == "high" and not script)


def _agrees(name: str, file: Any, run: Any) -> bool:
    # without warmup the Trainer says 0 steps up to 5.x and 1 later
    return bool(file == run) or (name == "scheduler.params.warmup_num_steps" and run == 0 and file in (0, 1))


def _arguments(*names: str) -> Callable[[Run], list[Fact]]:
    return lambda run: [run.argument(name) for name in names]


def _facts(*names: str) -> Callable[[Run], list[Fact]]:
    return lambda run: [run.fact(name) for name in names]


def _switch(name: str) -> Callable[[Run], list[Fact]]:
    """Both switches of a precision; another backend than the Trainer's own changes what they mean."""
    read = _arguments(*SWITCHES[name])
    return lambda run: [] if any(backend in run.arguments.given for backend in BACKENDS) else read(run)


def _total(run: Run) -> list[Fact]:
    steps = run.argument("max_steps")
    return [steps] if steps.known and isinstance(steps.value, int) and steps.value > 0 else []


def _warmup(run: Run) -> list[Fact]:
    """A number of steps wins over a ratio; a ratio depends on the length of the run."""
    steps = run.argument("warmup_steps")
    if not steps.known or (steps.value or 0) >= 1:
        return [steps]
    ratio = run.argument("warmup_ratio")
    return [steps, ratio] if ratio.known and not steps.value and not ratio.value else []


_COMPARED: dict[str, Callable[[Run], list[Fact]]] = {
    "train_micro_batch_size_per_gpu": _facts("per_device_train_batch_size"),
    "gradient_accumulation_steps": _facts("gradient_accumulation_steps"),
    "train_batch_size": _facts("per_device_train_batch_size", "gradient_accumulation_steps", "world_size"),
    "gradient_clipping": _arguments("max_grad_norm"),
    "optimizer.params.lr": _facts("learning_rate"),
    "optimizer.params.betas": _arguments("adam_beta1", "adam_beta2"),
    "optimizer.params.eps": _arguments("adam_epsilon"),
    "optimizer.params.weight_decay": _facts("weight_decay"),
    "scheduler.params.warmup_max_lr": _facts("learning_rate"),
    "scheduler.params.warmup_num_steps": _warmup,
    "scheduler.params.total_num_steps": _total,
    **{name: _switch(name) for name in SWITCHES},
}
"""What the Trainer compares: the file's setting, and the run's for it."""
_COMBINED: dict[str, Callable[..., Any]] = {
    "train_batch_size": lambda per_device, accumulation, processes: per_device * accumulation * processes,
    "optimizer.params.betas": lambda *betas: list(betas),
    "scheduler.params.warmup_num_steps": lambda steps, *ratio: int(steps or 0),
    **{name: lambda training, evaluation: bool(training or evaluation) for name in SWITCHES},
}
