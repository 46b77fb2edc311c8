"""The names and defaults in the tables: the classes of the installed packages are the judge."""

from __future__ import annotations

import dataclasses
import importlib
from enum import Enum
from importlib.metadata import version
from typing import Any

import pytest

from trainlint.dialects.tables import NO_DEFAULT, Schema

pytest.importorskip("torch")
CLASSES = {
    "transformers:TrainingArguments": "transformers.TrainingArguments",
    "transformers:seq2seq": "transformers.Seq2SeqTrainingArguments",
    "peft:LoraConfig": "peft.LoraConfig",
    "accelerate_config:ClusterConfig": "accelerate.commands.config.config_args.ClusterConfig",
    "trl:SFTConfig": "trl.SFTConfig",
    "trl:DPOConfig": "trl.DPOConfig",
    "trl:KTOConfig": "trl.KTOConfig",
    "trl:RewardConfig": "trl.RewardConfig",
    "trl:GRPOConfig": "trl.GRPOConfig",
    "trl:RLOOConfig": "trl.RLOOConfig",
    "trl:ModelConfig": "trl.ModelConfig",
    "trl:ScriptArguments": "trl.ScriptArguments",
}
CHOSEN_BY_THE_MACHINE = {"optim": {"adamw_torch", "adamw_torch_fused"}}
"""What depends on the installed torch."""


def fields(cls: type) -> dict[str, Any]:
    """What every argument is when nobody sets it; `NO_DEFAULT` where one must."""
    found = {}
    for field in dataclasses.fields(cls):
        if field.init and not field.name.startswith("_"):
            value = NO_DEFAULT if field.default is dataclasses.MISSING else field.default
            if field.default_factory is not dataclasses.MISSING:
                value = field.default_factory()
            value = value.value if isinstance(value, Enum) else value
            found[field.name] = {} if dataclasses.is_dataclass(value) else value
    return found


@pytest.mark.parametrize("section", CLASSES)
def test_the_installed_package_is_as_its_table_says(section: str) -> None:
    module, _, name = CLASSES[section].rpartition(".")
    package = module.partition(".")[0]
    pytest.importorskip(package)
    installed = {each: version(each) for each in {package, "transformers"}}
    schema = Schema(section, targets=installed)
    theirs = fields(getattr(importlib.import_module(module), name))
    assert set(theirs) ^ set(schema.present()) == set(), f"the table of {package} is not that of {installed}"
    for argument, default in theirs.items():
        spec = schema[argument]
        edition = spec.at(schema.target(spec))
        assert edition is not None
        if argument in CHOSEN_BY_THE_MACHINE:
            assert default in CHOSEN_BY_THE_MACHINE[argument]
        else:
            assert edition.default == default, f"{argument} of {installed}"
            assert edition.required == (default is NO_DEFAULT), argument
