"""A LoRA adapter that a run continues: what its own adapter_config.json says holds, whatever the run says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trainlint.dialects.base import names
from trainlint.document import Origin
from trainlint.facts import Derivation, Fact, Unknown, View

KEYS = {
    "lora_rank": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout", "target_modules": "target_modules",
    "modules_to_save": "modules_to_save",
}  # fmt: skip
PER_MODULE = ("use_rslora", "rank_pattern", "alpha_pattern")
"""With these the adapter has no one rank and scale."""
LISTS = ("target_modules", "modules_to_save")


def over(own: Mapping[str, Derivation], continues: Callable[[View], str | None]) -> dict[str, Derivation]:
    """The LoRA settings of a run; `continues` tells the argument that names the adapter to go on with, if there is one."""

    def derivation(fact: str) -> Derivation:
        def derive(r: View) -> Any:
            argument = continues(r) if r.method in ("lora", "qlora") else None
            return own[fact](r) if argument is None else _setting(r, fact, argument)

        return derive

    return {fact: derivation(fact) for fact in KEYS}


def _setting(r: View, fact: str, argument: str) -> Any:
    """Raises `Unknown` where the adapter is not on this machine or is no plain LoRA."""
    paths = names(r.arg(argument))
    if not paths:
        raise Unknown(f"{argument} names no adapter", fact)
    files, key = r.run.context["files"], KEYS[fact]
    try:
        file = files.find(paths[-1], r.run.context["directories"]) / "adapter_config.json"
        config = files.json(file)
    except Unknown as missing:
        raise Unknown(f"{argument} continues an adapter, whose own settings hold: {missing.reason}", fact) from None
    if (
        not isinstance(config, dict)
        or config.get("peft_type") != "LORA"
        or any(config.get(name) for name in PER_MODULE)
    ):
        raise Unknown(f"{file} is not of a plain LoRA adapter", fact)
    value = config.get(key)
    if fact in LISTS:
        value = names([value] if isinstance(value, str) else value)
    origin = Origin("model-file", str(file), None, (r.read[f"args.{argument}"].origin,))
    return r.use(f"adapter.{key}", Fact(f"adapter.{key}", value, "known", origin))
