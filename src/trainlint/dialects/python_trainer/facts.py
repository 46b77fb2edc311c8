"""The facts of a run that a Trainer of Python starts."""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import hf_trainer, trl
from trainlint.dialects.base import names
from trainlint.dialects.python_trainer.arguments import own
from trainlint.dialects.python_trainer.model import (
    adapter,
    around,
    bits,
    known_model,
    method,
    model_name,
    modules,
    of_base,
    setup_of,
    torch_dtype,
    use,
)
from trainlint.dialects.python_trainer.setup import Setup, Surroundings
from trainlint.document import Call, Origin
from trainlint.facts import Derivation, Fact, Unknown, View


def stage(r: View) -> str:
    setup = known_model(r) if setup_of(r).stage is None else setup_of(r)
    if setup.stage is None:
        raise Unknown("nothing says whether this run pre-trains or fine-tunes", "stage")
    return setup.stage


def sequence_length(r: View) -> Any:
    """The arguments' own limit, else the trainer's, else that of Unsloth's model, else TRL's default."""
    for name in ("max_length", "max_seq_length"):
        if r.run.arguments.given.get(name) is not None:
            value = r.arg(name)
            if value is None:
                raise Unknown(f"{name} is None: there is no limit", "sequence_length")
            return value
    of_trainer = setup_of(r).option("max_seq_length", "max_length")
    if of_trainer is not None:
        return use(r, "max_seq_length", of_trainer)
    if around(r).unsloth:
        length = of_base(r, "max_seq_length")
        if length is not None:
            return use(r, "max_seq_length", length)
        raise Unknown("Unsloth decides the longest sequence", "sequence_length")
    kwargs = r.run.arguments.given.get("dataset_kwargs")
    if kwargs is not None and (kwargs.unknown is not None or (kwargs.value or {}).get("skip_prepare_dataset", False)):
        raise Unknown("the script prepares its data itself", "sequence_length")
    collator = setup_of(r).option("data_collator")
    if collator is not None and not isinstance(collator.value, Call):
        raise Unknown("the script's own collator decides the longest sequence", "sequence_length")
    return r.arg("max_length")


def elsewhere(setup: Setup, around: Surroundings) -> set[str]:
    """Arguments of TRL that are set in another call than that of its arguments."""
    of_trainer = setup.option("max_seq_length", "max_length") is not None
    of_unsloth = around.unsloth and setup.base is not None and "max_seq_length" in setup.base.keywords
    return {"max_seq_length"} if of_trainer or of_unsloth else set()


def save_steps(r: View) -> Any:
    """Steps between checkpoints. Where the script saves the model itself, the Trainer's default was not meant to."""
    if "save_steps" not in r.run.arguments.given and around(r).saves:
        raise Unknown("the script saves the model itself", "save_steps")
    return hf_trainer.save_steps(r)


def packing(r: View) -> bool:
    of_trainer = setup_of(r).option("packing")
    if of_trainer is not None and "packing" not in r.run.arguments.given:
        return bool(use(r, "packing", of_trainer))
    return bool(r.arg("packing"))


def eval_data(r: View) -> str:
    setup = setup_of(r)
    trainer = setup.trainer
    if (
        trainer is None
        or not own(trainer, "transformers", "trl")
        or trainer.open is not None
        or len(trainer.positional) > 1
    ):
        return "unknown"
    value = setup.option("eval_dataset")
    return "no" if value is None else "yes" if isinstance(value.value, Call) else "unknown"


def added_tokens(r: View) -> list[str]:
    """Tokens that the script adds to its tokenizer and gives rows of the embedding; padding learns nothing and is left out."""
    tokenizer = around(r).tokenizer
    if tokenizer is None or not around(r).resized:
        return []
    found = []
    for added in tokenizer.methods:
        if added.function.name in ("add_special_tokens", "add_tokens") and added.positional:
            given = use(r, added.function.name, added.positional[0])
            listed = given if isinstance(given, dict) else {"tokens": given}
            found += [token for key, tokens in listed.items() if key != "pad_token" for token in names(tokens)]
            if added.open is not None:
                raise Unknown(added.open, "added_tokens")
    return found


def masks_end(r: View) -> bool:
    """Is the end of text excluded from the loss, as the script pads with it and the collator goes by its number?"""
    tokenizer, made = around(r).tokenizer, setup_of(r).option("data_collator")
    pad = tokenizer.keywords.get("pad_token") if tokenizer is not None else None
    collator = made.value if made is not None else None
    if pad is None or not isinstance(collator, Call) or collator.function.name != "DataCollatorForLanguageModeling":
        return False
    mlm = setup_of(r).given(collator, "mlm")
    if mlm is None or use(r, "mlm", mlm) or not re.fullmatch(r"\w+\.eos_token", pad.value.origin.text):
        return False
    at = Origin("literal", pad.value.origin.text, pad.at)
    return bool(r.use("python.pad_token", Fact("pad_token", True, "known", at)))


def _owned(derive: Derivation) -> Derivation:
    """A setting that is not in force where the trainer is handed an optimizer of the script's own."""

    def derived(r: View) -> Any:
        if setup_of(r).option("optimizers", "optimizer_cls_and_kwargs") is not None:
            raise Unknown("the script makes the optimizer itself", "learning_rate")
        return derive(r)

    return derived


def _unknown(reason: str, name: str) -> Derivation:
    def derive(r: View) -> Any:
        raise Unknown(reason, name)

    return derive


LAUNCHER = "the launch command decides the number of processes, and it is not in this file"
OWNED = (
    "learning_rate",
    "lr_scheduler_type",
    "warmup_ratio",
    "warmup_steps",
    "weight_decay",
    "optim",
    "optimizer_family",
)
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    **{name: _owned(hf_trainer.FACTS[name]) for name in OWNED},
    "world_size": _unknown(LAUNCHER, "world_size"),
    "visible_devices": _unknown(LAUNCHER, "visible_devices"),
    "stage": stage,
    "method": method,
    "model_name_or_path": model_name,
    "tokenizer_name_or_path": model_name,
    "quantization_bits": bits,
    "torch_dtype": torch_dtype,
    "sequence_length": sequence_length,
    "packing": packing,
    "save_steps": save_steps,
    "eval_data": eval_data,
    "added_tokens": added_tokens,
    "masks_end": masks_end,
    "lora_rank": adapter("r"),
    "lora_alpha": adapter("lora_alpha"),
    "lora_dropout": adapter("lora_dropout"),
    "target_modules": modules("target_modules"),
    "modules_to_save": modules("modules_to_save"),
    "datasets": _unknown("the script loads its data itself", "datasets"),
    "streaming": _unknown("the script loads its data itself", "streaming"),
}
KEYS: dict[str, str | None] = {
    **trl.KEYS,
    "lora_rank": "r",
    "target_modules": "target_modules",
    "modules_to_save": "modules_to_save",
}
