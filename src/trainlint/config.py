"""What a configuration file may say: `[tool.trainlint]` of a pyproject.toml, or the top level of a trainlint.toml.

The descriptions here are those of the JSON schema. `ADDED` and `TABLES` say how a file combines with one that it extends;
every other key replaces the parent's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from trainlint.findings import Confidence
from trainlint.settings import FailOn, Intent, Profile, amount, gpu_called, gpus

ADDED = ("extend_select", "ignore", "extend_exclude", "rules", "ignores")
"""Lists that add to those of the parent."""
TABLES = ("per_file_ignores", "severity", "limits", "targets", "defines", "args")
"""Tables whose entries add to those of the parent, or replace entries of the same name."""
VERSION = re.compile(r"\d+(\.\d+)*([.+-]?\w+)*")
POSITION = re.compile(r"[1-9][0-9]{0,2}\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def _amount(value: Any) -> Any:
    return amount(value) if isinstance(value, str) else value


def _variable(name: str) -> str:
    if not VARIABLE.match(name):
        raise ValueError(f"{name} is no name of a variable")
    return name


def _position(number: str) -> str:
    if not POSITION.match(number):
        raise ValueError(f"{number} is no number of an argument, from 1 to 999")
    return number


def _version(text: str) -> str:
    if not VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is no version such as 4.46.3")
    return text


def _pointer(text: str) -> str:
    if text and (not text.startswith("/") or re.search(r"~(?![01])", text)):
        raise ValueError(f"{text!r} is no JSON pointer such as /optimizer/params/lr")
    return text


def _single(pattern: str) -> str:
    if "\n" in pattern or not pattern.strip():
        raise ValueError("a pattern is one line, and not empty")
    return pattern


Amount = Annotated[
    int,
    BeforeValidator(_amount),
    Field(gt=0),
    WithJsonSchema({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
Gpu = Annotated[str, AfterValidator(gpu_called), WithJsonSchema({"type": "string", "examples": list(gpus())})]
Variable = Annotated[str, AfterValidator(_variable)]
Position = Annotated[str, AfterValidator(_position)]
Version = Annotated[str, AfterValidator(_version)]
Pointer = Annotated[str, AfterValidator(_pointer)]
Pattern = Annotated[str, AfterValidator(_single)]
Selectors = list[str]
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=lambda name: name.replace("_", "-"))


class IgnoreTable(BaseModel):
    """A suppression for a file that can hold no comment, such as JSON."""

    model_config = _STRICT
    path: Pattern = Field(description="Which files, as a pattern relative to this file.")
    pointer: Pointer = Field(
        default="", description="A JSON pointer to the value, such as /optimizer/params/lr; empty for the file."
    )
    rules: Selectors = Field(min_length=1, description="Selectors of the rules to silence.")
    reason: str = Field(default="", description="Why.")


class Config(BaseModel):
    """The configuration of trainlint."""

    model_config = _STRICT
    extend: str | None = Field(
        default=None, description="Another configuration file, whose settings hold where this one is silent."
    )
    select: Selectors | None = Field(
        default=None, description="The rules to use: ids, families (lora/*), tag:NAME, error, warning, note, all."
    )
    extend_select: Selectors = Field(default=[], description="Rules to use in addition.")
    ignore: Selectors = Field(
        default=[], description="Rules not to use. The most specific selector wins over `select`."
    )
    per_file_ignores: dict[Pattern, Selectors] = Field(
        default={}, description="Rules not to use for some files, by pattern; !PATTERN means all other files."
    )
    severity: dict[str, Literal["error", "warning", "note", "off"]] = Field(
        default={}, description="The severity of a rule's findings."
    )
    limits: dict[str, dict[str, Any]] = Field(default={}, description="Thresholds that replace a rule's own.")
    profile: Profile = Field(default="default", description="Which thresholds hold.")
    intent: Intent = Field(default="train", description="What the run is for: smoke only tests that it works.")
    targets: dict[str, Version] = Field(default={}, description="Versions of the packages that the run will use.")
    world_size: int | None = Field(default=None, gt=0, description="GPUs (processes) of the run.")
    gpu: Gpu | None = Field(default=None, description="Kind of GPU.")
    gpu_memory: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Memory of one GPU in GiB.")
    dataset_bytes: Amount | None = Field(default=None, description="Size of the training text, such as 20GB.")
    tokens: Amount | None = Field(default=None, description="Tokens of the training data, such as 5G.")
    base_model: str | None = Field(
        default=None, description="The config.json of the base model, or its directory, relative to this file."
    )
    models: str | None = Field(
        default=None, description="Further models, as a TOML file in the form of the catalogue, relative to this file."
    )
    mfu: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="Share of the GPU's peak that the training reaches."
    )
    defines: dict[Variable, str] = Field(default={}, description="Variables of the scripts' environment.")
    args: dict[Position, str] = Field(default={}, description="Arguments that the scripts are called with, by number.")
    assume_unset_empty: bool = Field(
        default=False, description="Variables and arguments that nothing sets are empty, instead of unknown."
    )
    data: bool = Field(default=True, description="Look into the training data that is on this machine.")
    rules: list[str] = Field(default=[], description="Directories of further rules, relative to this file.")
    include: list[Pattern] = Field(default=[], description="Files to look at besides shell, YAML and JSON, by name.")
    exclude: list[Pattern] | None = Field(
        default=None, description="Files and directories to leave out, instead of the usual ones."
    )
    extend_exclude: list[Pattern] = Field(default=[], description="Files and directories to leave out in addition.")
    fail_on: FailOn = Field(default="warning", description="The mildest finding that fails a run.")
    min_confidence: Confidence = Field(default="low", description="The least confident finding to report.")
    require_reason: bool = Field(default=False, description="A suppression without a reason is a finding.")
    ignores: list[IgnoreTable] = Field(default=[], description="Suppressions for files that can hold no comment.")
    baseline: str | None = Field(default=None, description="A file of known findings, relative to this file.")


def keys() -> list[str]:
    """The keys as they are written in a file."""
    return [field.alias or name for name, field in Config.model_fields.items()]


def schema() -> dict[str, Any]:
    """The JSON schema of a trainlint.toml, and of the table [tool.trainlint]."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema(by_alias=True)}
