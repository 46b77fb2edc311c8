"""Settings inside a DeepSpeed file that DeepSpeed itself refuses or does not use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainlint.document import Document
from trainlint.facts import Argument, Arguments, Launch
from trainlint.findings import Finding
from trainlint.ruleset.file import Rule

REMOVED = (
    "compression_training",
    "quantize_training",
    "curriculum_learning",
    "sparse_attention",
    "progressive_layer_drop",
)
GATHER = "zero_optimization.stage3_gather_16bit_weights_on_model_save"
GATHER_IT = "set it to true, unless the whole model does not fit into the memory of one machine"


def settings(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The file that a run names, or that is linted by itself. What is refused is the first case, what is unused the last."""
    files: dict[int, Arguments] = {}
    for launch in launches:
        run = launch.first
        found = run.arguments if run.dialect == "deepspeed" else run.linked.get("deepspeed")
        if found is not None:
            files[id(found)] = found
    for arguments in files.values():
        known = {name: each for name, each in arguments.given.items() if each.unknown is None and each.value != "auto"}
        for name, message, refused in _problems(known):
            case, argument = rule.cases[0 if refused else -1], known[name]
            advice = GATHER_IT if name == GATHER else case.advice.source
            yield Finding(rule.id, case.severity, "high", message, argument.at, advice, (), None, rule.why, name)


def _problems(given: dict[str, Argument]) -> Iterator[tuple[str, str, bool]]:
    """The setting, what is wrong with it, and whether DeepSpeed refuses it."""

    def value(name: str) -> Any:
        return given[name].value if name in given else None

    stage = value("zero_optimization.stage")
    if stage is not None and stage not in (0, 1, 2, 3):
        yield "zero_optimization.stage", f"ZeRO has the stages 0 to 3, not {stage}", True
    if value("fp16.enabled") is True and value("bf16.enabled") is True:
        yield "bf16.enabled", "fp16 and bf16 are both enabled: DeepSpeed stops with an AssertionError", True
    least = value("fp16.min_loss_scale")
    if isinstance(least, float) and not least.is_integer():
        said = f"min_loss_scale {least:g} is no integer, and DeepSpeed refuses it from 0.17.1 on"
        yield "fp16.min_loss_scale", said, False
    window = value("fp16.loss_scale_window")
    if _number(window) and window <= 0 and value("fp16.enabled") is not False:
        yield (
            "fp16.loss_scale_window",
            f"loss_scale_window {window:g} is not above 0: DeepSpeed stops with a ValueError",
            True,
        )
    ratio = value("zero_optimization.offload_optimizer.ratio")
    if _number(ratio) and ratio < 1 and stage in (0, 1, 2):
        said = f"a part of the optimizer ({ratio:g}) can be offloaded in stage 3 only, not in {stage}: AssertionError"
        yield "zero_optimization.offload_optimizer.ratio", said, True
    if value("zero_optimization.gradient_allreduce_op") == "sum" and stage == 3:
        yield "zero_optimization.gradient_allreduce_op", "gradients cannot be summed in stage 3: ValueError", True
    for block in REMOVED:
        if block in given:
            yield block, f"{block} is gone: DeepSpeed 0.19 stops with a DeepSpeedConfigError", False
    if "optimizer.params.max_grad_norm" in given:
        said = "max_grad_norm among the optimizer's parameters clips nothing: gradient_clipping does"
        yield "optimizer.params.max_grad_norm", said, False
    if stage == 3 and value(GATHER) is False:
        said = "stage 3 without gathering: no usable model files are saved, only zero_to_fp32.py makes some of a checkpoint"
        yield GATHER, said, False


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
