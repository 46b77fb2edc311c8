"""The generated argument tables, and the tool that reads them out of released packages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from trainlint.dialects.tables import version_key

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import extract_arguments  # noqa: E402
from argtables.archives import find_archive, read_archive  # noqa: E402
from argtables.fields import read_class  # noqa: E402
from argtables.keys import KeyReader  # noqa: E402
from argtables.launchers import read_options  # noqa: E402
from argtables.tables import Recipe, build_table, class_name, editions, read_recipes, render  # noqa: E402
from trainlint.scripts.names import Bound, Library  # noqa: E402

FRAMEWORKS = ROOT / "src" / "trainlint" / "data" / "frameworks"
TABLES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FRAMEWORKS.glob("*.json"))}
TYPES = {"bool", "int", "float", "str", "dict", "list", "list[str]", "list[int]", "list[float]", "any", "None"}
FACTS = {"from", "to", "type", "choices", "item_choices", "default", "default_expression", "default_one_of", "required"}
FACTS |= {"aliases", "values", "picked", "deprecated", "replaced_by", "rejected", "sections", "ge", "gt", "le", "lt"}


def type_of(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def definition(edition: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in edition.items() if k not in ("from", "to")})


def is_of(value: Any, types: set[str]) -> bool:
    if "any" in types or type_of(value) in types:
        return True
    if isinstance(value, list):
        lists = [t for t in types if t.startswith("list")]
        return any(t == "list" or all(is_of(v, {t[5:-1]}) for v in value) for t in lists)
    return isinstance(value, int) and not isinstance(value, bool) and "float" in types


def all_editions() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for name, table in TABLES.items():
        for section, content in table.get("sections", {}).items():
            for argument, found in content["arguments"].items():
                for edition in found:
                    yield name, section, argument, edition


def edition_at(table: str, section: str, argument: str, version: str) -> dict[str, Any] | None:
    versions = TABLES[table]["versions"]
    at = versions.index(version)
    for edition in TABLES[table]["sections"][section]["arguments"].get(argument, []):
        if versions.index(edition["from"]) <= at <= versions.index(edition["to"]):
            return dict(edition)
    return None


# --- the tables as they are ---------------------------------------------------------------------------------------------


def test_every_recipe_has_its_table() -> None:
    assert {recipe.name for recipe in read_recipes(extract_arguments.RECIPES)} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_complete_and_in_order(name: str) -> None:
    table = TABLES[name]
    assert table["versions"]
    assert len(set(table["versions"])) == len(table["versions"])
    assert ("sections" in table) != ("options" in table)
    for content in table.get("sections", {}).values():
        assert content["arguments"]
        assert list(content["arguments"]) == sorted(content["arguments"])
        assert content.get("extra", "ignore") in {"ignore", "forbid", "allow"}
    options = table.get("options", {})
    assert list(options) == sorted(options)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_written_as_the_tool_writes_it(name: str) -> None:
    assert render(TABLES[name]) == (FRAMEWORKS / f"{name}.json").read_text("utf-8")


def test_extends_names_a_section_that_exists() -> None:
    for table in TABLES.values():
        for content in table.get("sections", {}).values():
            if content["extends"] is not None:
                package, _, section = content["extends"].partition(":")
                assert section in TABLES[package]["sections"]


def test_editions_do_not_overlap_and_follow_each_other() -> None:
    for table in TABLES.values():
        order = {version: i for i, version in enumerate(table["versions"])}
        for content in table.get("sections", {}).values():
            for argument, found in content["arguments"].items():
                assert found, argument
                spans = [(order[e["from"]], order[e["to"]]) for e in found]
                assert all(first <= last for first, last in spans), argument
                for (_, end), (start, _) in pairwise(spans):
                    assert end < start, argument
                for before, after in pairwise(found):
                    unbroken = order[before["to"]] + 1 == order[after["from"]]
                    assert not unbroken or definition(before) != definition(after), argument


def test_each_edition_is_sound() -> None:
    for name, section, argument, edition in all_editions():
        where = f"{name}: {section}.{argument} {edition}"
        types = set(edition["type"].split(" | "))
        assert set(edition) <= FACTS, where
        assert types <= TYPES, where
        assert sum(key in edition for key in ("default", "default_expression", "required")) <= 1, where
        if "default" in edition:
            assert is_of(edition["default"], types), where
            closed = [c for c in edition.get("choices", []) if type(c) is type(edition["default"])]
            assert not closed or edition["default"] in closed, where
        for choice in edition.get("choices", []):
            assert is_of(choice, types), where
        for inner in edition.get("sections", []):
            assert inner in TABLES[name]["sections"], where


def test_tables_hold_no_prose() -> None:
    for name, section, argument, edition in all_editions():
        assert not {"help", "description"} & set(edition), f"{name}: {section}.{argument}"
    assert sum(path.stat().st_size for path in FRAMEWORKS.glob("*.json")) < 1_600_000


@pytest.mark.parametrize(
    ("table", "section", "argument", "version", "default"),
    [
        ("transformers", "TrainingArguments", "learning_rate", "4.28.1", 5e-5),
        ("transformers", "TrainingArguments", "learning_rate", "5.23.0", 5e-5),
        ("transformers", "TrainingArguments", "warmup_ratio", "4.57.1", 0.0),
        ("transformers", "TrainingArguments", "warmup_ratio", "5.0.0", None),
        ("transformers", "TrainingArguments", "optim", "4.28.1", "adamw_hf"),
        ("transformers", "TrainingArguments", "save_safetensors", "4.28.1", False),
        ("transformers", "TrainingArguments", "save_safetensors", "4.57.1", True),
        ("transformers", "TrainingArguments", "report_to", "4.57.1", None),
        ("transformers", "TrainingArguments", "report_to", "5.0.0", "none"),
        ("transformers", "seq2seq", "predict_with_generate", "4.28.1", False),
        ("llama_factory", "DataArguments", "cutoff_len", "0.9.0", 1024),
        ("llama_factory", "DataArguments", "cutoff_len", "0.9.1", 2048),
        ("llama_factory", "FinetuningArguments", "lora_rank", "0.9.5", 8),
        ("trl", "SFTConfig", "learning_rate", "1.16.0", 2e-5),
        ("trl", "DPOConfig", "learning_rate", "1.16.0", 1e-6),
        ("trl", "ModelConfig", "lora_r", "1.16.0", 16),
        ("axolotl", "AxolotlInputConfig", "sequence_len", "0.19.0", 512),
        ("axolotl", "AxolotlInputConfig", "micro_batch_size", "0.19.0", 1),
        ("deepspeed", "top", "gradient_clipping", "0.19.0", 0.0),
        ("deepspeed", "top", "gradient_clipping", "0.19.5", 1.0),
        ("deepspeed", "zero_optimization", "stage", "0.9.5", 0),
        ("deepspeed", "zero_optimization.offload_optimizer", "device", "0.19.8", "none"),
        ("deepspeed", "bf16", "enabled", "0.9.5", False),
        ("chinese_llama_alpaca", "pt", "lora_alpha", "2a334d1", 32.0),
        ("chinese_llama_alpaca", "sft", "max_seq_length", "2a334d1", 1024),
        ("peft", "LoraConfig", "r", "0.21.2", 8),
    ],
)
def test_known_defaults(table: str, section: str, argument: str, version: str, default: Any) -> None:
    edition = edition_at(table, section, argument, version)
    assert edition is not None
    assert edition["default"] == default
    assert type(edition["default"]) is type(default)


@pytest.mark.parametrize(
    ("table", "section", "argument", "last"),
    [
        ("transformers", "TrainingArguments", "evaluation_strategy", "4.49.0"),
        ("transformers", "TrainingArguments", "warmup_ratio", "5.0.0"),
        ("transformers", "TrainingArguments", "overwrite_output_dir", "4.57.1"),
        ("transformers", "TrainingArguments", "group_by_length", "5.0.0"),
        ("trl", "SFTConfig", "max_seq_length", "0.19.1"),
    ],
)
def test_known_deaths(table: str, section: str, argument: str, last: str) -> None:
    versions = TABLES[table]["versions"]
    assert edition_at(table, section, argument, last)
    assert edition_at(table, section, argument, versions[versions.index(last) + 1]) is None


def test_what_changed_its_nature() -> None:
    assert edition_at("transformers", "TrainingArguments", "eval_strategy", "4.40.2") is None
    assert edition_at("transformers", "TrainingArguments", "eval_strategy", "4.41.2")
    assert "required" in (edition_at("transformers", "TrainingArguments", "output_dir", "4.47.1") or {})
    assert "required" not in (edition_at("transformers", "TrainingArguments", "output_dir", "4.49.0") or {})
    optim = edition_at("transformers", "TrainingArguments", "optim", "5.23.0") or {}
    assert optim["default_one_of"] == ["adamw_torch", "adamw_torch_fused"]
    assert "adamw_torch" in optim["choices"]
    assert (edition_at("axolotl", "AxolotlInputConfig", "learning_rate", "0.19.0") or {})["required"]
    assert (edition_at("deepspeed", "top", "amp", "0.19.8") or {})["rejected"]
    prefetch = edition_at("deepspeed", "zero_optimization", "prefetch_bucket_size", "0.19.8") or {}
    assert prefetch["aliases"] == ["stage3_prefetch_bucket_size"]


def test_launchers_say_which_options_take_a_value() -> None:
    values = {
        name: {k: v["values"] for k, v in TABLES[name]["options"].items()}
        for name in TABLES
        if "options" in TABLES[name]
    }
    assert values["torchrun"]["--nproc_per_node"] == values["torchrun"]["--nproc-per-node"] == 1
    assert values["torchrun"]["--standalone"] == values["torchrun"]["-m"] == 0
    assert values["accelerate"]["--use_deepspeed"] == values["accelerate"]["--use-deepspeed"] == 0
    assert values["accelerate"]["--num_processes"] == values["accelerate"]["--config-file"] == 1
    assert values["deepspeed_launcher"]["--include"] == values["deepspeed_launcher"]["-i"] == 1
    assert values["deepspeed_launcher"]["--no_ssh"] == 0


# --- the tool -----------------------------------------------------------------------------------------------------------

ENUMS = """
from enum import Enum, IntEnum, auto

class Strategy(str, Enum):
    NO = "no"
    STEPS = "steps"

class Stage(IntEnum):
    off = 0
    one = 1
    last = 1

LIMIT = 1 << 4
"""

ARGUMENTS = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, List, Literal, Optional, Union
from .enums import LIMIT, Stage, Strategy
from . import enums as e
raise RuntimeError("a module that is imported is a broken promise")

Number = Union[int, float]

@dataclass
class Base:
    hidden: ClassVar[int] = 3
    name: str
    rate: float = field(default=5e-5, metadata={"help": "prose"})
    limit: int = e.LIMIT * 2

@dataclass
class Arguments(Base):
    if have_torch():
        chosen = "fast"
    else:
        chosen = "slow"
    rate: Optional[float] = field(default=1e-4)
    strategy: Strategy | str = Strategy.STEPS
    stage: Stage = field(default=Stage.one)
    mode: "Literal['a', 'b'] | None" = None
    either: bool | Literal["auto"] = "auto"
    sloppy: str = None
    names: List[str] = field(default_factory=lambda: ["x", "y"])
    items: list[Literal["q", "v"]] = field(default_factory=list)
    table: dict[str, Any] = field(default_factory=dict)
    number: Number = -1
    picked: str = field(default=chosen, metadata={"choices": ["fast", "slow"]})
    computed: int = field(default=len(__file__))
    label: str = f"run-{LIMIT}"
    _private: int = 0
    internal: int = field(init=False, default=0)
    unknown: SomethingElse = 0
"""

MODELS = """
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

class Inner(Strict):
    depth: PositiveInt = 1

class DeprecatedKeys(BaseModel):
    gone: int | None = None
    old: int | None = None

    @field_validator("gone")
    @classmethod
    def refuse(cls, value):
        if value:
            raise ValueError
        return value

class Config(Strict, DeprecatedKeys):
    ratio: float = Field(1.0, ge=0, lt=2)
    inner: Inner = Inner()
    many: list[Inner | None] | None = None
    renamed: int = Field(default=0, alias="old_name", json_schema_extra={"deprecated": True, "new_param": "ratio"})
    must: str = Field(..., description="prose")
"""

READER = """
from .constants import *
from .models import Inner

def get_clip(param_dict):
    return get_scalar_param(param_dict, CLIP, CLIP_DEFAULT)

def get_inner(param_dict):
    for key in ["inner", "nested"]:
        if key in param_dict.keys():
            return Inner(**param_dict[key])

class Block:
    def __init__(self, param_dict):
        block = param_dict[BLOCK] if BLOCK in param_dict else {}
        self._fill(param_dict.get(BLOCK, {}))

    def _fill(self, block):
        self.on = get_scalar_param(block, "enabled", False)

class Reader:
    def __init__(self, param_dict):
        self.clip = get_clip(param_dict)
        self.inner = get_inner(param_dict)
        self.block = Block(param_dict)
        if "loose" in param_dict:
            pass
"""

FILES = {
    "pack/__init__.py": "",
    "pack/enums.py": ENUMS,
    "pack/args.py": ARGUMENTS,
    "pack/models.py": MODELS,
    "pack/constants.py": 'CLIP = "clip"\nCLIP_DEFAULT = 0.5\nBLOCK = "block"\n',
    "pack/reader.py": READER,
    "pack/launch.py": """
import argparse
class check(argparse.Action):
    def __init__(self, dest, **rest):
        super().__init__(dest=dest, nargs=0, **rest)
parser.add_argument("script", nargs=argparse.REMAINDER)
parser.add_argument("-n", "--num_nodes", type=int, default=2)
parser.add_argument("--flag", action="store_true")
parser.add_argument("--checked", action=check)
parser.add_argument("--pair", nargs=2, choices=["a", "b"])
""",
}


def bound(module: str, name: str) -> Bound:
    found = Library(FILES).module(module)
    assert found is not None
    return found.lookup(name)[0]


def test_dataclass_fields() -> None:
    arguments = read_class(bound("pack.args", "Arguments"), None, class_name).arguments
    assert arguments == {
        "name": {"type": "str", "required": True},
        "rate": {"type": "float | None", "default": 1e-4},
        "limit": {"type": "int", "default": 32},
        "strategy": {"type": "str", "default": "steps", "choices": ["no", "steps"]},
        "stage": {"type": "int", "default": 1, "choices": [0, 1]},
        "mode": {"type": "str | None", "default": None, "choices": ["a", "b"]},
        "either": {"type": "bool | str", "default": "auto", "choices": ["auto"]},
        "sloppy": {"type": "str | None", "default": None},
        "names": {"type": "list[str]", "default": ["x", "y"]},
        "items": {"type": "list[str]", "default": [], "item_choices": ["q", "v"]},
        "table": {"type": "dict", "default": {}},
        "number": {"type": "int | float", "default": -1},
        "picked": {
            "type": "str",
            "default_expression": "chosen",
            "default_one_of": ["fast", "slow"],
            "choices": ["fast", "slow"],
        },
        "computed": {"type": "int", "default_expression": "len(__file__)"},
        "label": {"type": "str", "default": "run-16"},
        "unknown": {"type": "any", "default": 0},
    }


def test_a_section_leaves_out_what_it_extends() -> None:
    assert "name" not in read_class(bound("pack.args", "Arguments"), "Base", class_name).arguments


def test_pydantic_fields() -> None:
    section = read_class(bound("pack.models", "Config"), None, class_name)
    assert section.extra == "forbid"
    assert section.arguments == {
        "gone": {"type": "int | None", "default": None, "rejected": True},
        "old": {"type": "int | None", "default": None, "deprecated": True},
        "ratio": {"type": "float", "default": 1.0, "ge": 0, "lt": 2},
        "inner": {"type": "dict", "default": {}, "sections": ["Inner"]},
        "many": {"type": "list | None", "default": None, "sections": ["Inner"]},
        "renamed": {"type": "int", "default": 0, "aliases": ["old_name"], "deprecated": True, "replaced_by": "ratio"},
        "must": {"type": "str", "required": True},
    }
    inner = section.models["Inner"]
    assert read_class(inner, None, class_name).arguments == {"depth": {"type": "int", "default": 1, "gt": 0}}


def test_keys_are_followed_through_functions_methods_and_loops() -> None:
    reader = KeyReader()
    reader.read_class(bound("pack.reader", "Reader"), ["param_dict"])
    sections = reader.sections("top")
    assert set(sections) == {"top", "block", "inner", "nested"}
    assert sections["top"].arguments == {
        "clip": {"type": "float", "default": 0.5},
        "inner": {"type": "dict", "default": {}, "sections": ["inner"]},
        "nested": {"type": "dict", "default": {}, "sections": ["nested"]},
        "block": {"type": "dict", "default": {}, "sections": ["block"]},
        "loose": {"type": "any"},
    }
    assert sections["block"].arguments == {"enabled": {"type": "bool", "default": False}}
    assert sections["inner"].extra == "forbid"


def test_options_of_a_launcher() -> None:
    module = Library(FILES).module("pack.launch")
    assert module is not None
    number = {"values": 1, "type": "int", "default": 2}
    assert read_options(module, dashes=True) == {
        "-n": number,
        "--num_nodes": number | {"same_as": "-n"},
        "--num-nodes": number | {"same_as": "-n"},
        "--flag": {"values": 0},
        "--checked": {"values": 0},
        "--pair": {"values": 2, "choices": ["a", "b"]},
    }


def test_an_edition_ends_where_the_definition_changes_or_pauses() -> None:
    one, two = {"type": "int", "default": 1}, {"type": "int", "default": True}
    assert editions({"1": one, "2": one, "3": two, "4": None, "5": two}) == [
        {"from": "1", "to": "2", **one},
        {"from": "3", "to": "3", **two},
        {"from": "5", "to": "5", **two},
    ]


def write_wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def write_sdist(path: Path, root: str, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tarball:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{root}/src/{name}")
            entry.size = len(text.encode())
            tarball.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_a_table_over_a_wheel_and_an_sdist(tmp_path: Path) -> None:
    older = FILES | {"pack/args.py": ARGUMENTS.replace("5e-5", "6e-5").replace("    label:", "    title:")}
    write_sdist(tmp_path / "pack-1.0.tar.gz", "pack-1.0", older)
    write_wheel(tmp_path / "pack-1.10-py3-none-any.whl", FILES)
    recipe = Recipe("pack", "pack", ["1.0", "1.10"], {"Base": {"classes": ["pack.args:Base", "pack.gone:Base"]}})
    archives = {("pack", v): find_archive("pack", v, [tmp_path]) for v in recipe.versions}
    table = build_table(recipe, {key: path for key, path in archives.items() if path})
    assert table["sections"]["Base"] == {
        "extends": None,
        "arguments": {
            "limit": [{"from": "1.0", "to": "1.10", "type": "int", "default": 32}],
            "name": [{"from": "1.0", "to": "1.10", "type": "str", "required": True}],
            "rate": [
                {"from": "1.0", "to": "1.0", "type": "float", "default": 6e-5},
                {"from": "1.10", "to": "1.10", "type": "float", "default": 5e-5},
            ],
        },
    }
    assert json.loads(render(table)) == table


def test_a_version_is_not_taken_for_its_prefix(tmp_path: Path) -> None:
    write_wheel(tmp_path / "pack-1.10-py3-none-any.whl", {})
    assert find_archive("pack", "1.1", [tmp_path]) is None
    assert find_archive("pack", "1.10", [tmp_path])
    assert dict(read_archive(tmp_path / "pack-1.10-py3-none-any.whl")) == {}


def test_check_names_a_stale_table_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(tmp_path / "pack-1.0-py3-none-any.whl", FILES)
    recipes = tmp_path / "frameworks.toml"
    recipes.write_text('[pack]\npackage = "pack"\nversions = ["1.0"]\nsections.Base.classes = ["pack.args:Base"]\n')
    recipes.write_text(recipes.read_text() + '[lost]\npackage = "lost"\nversions = ["1.0"]\n')
    monkeypatch.setattr(extract_arguments, "RECIPES", recipes)
    monkeypatch.setattr(extract_arguments, "TABLES", tmp_path / "tables")
    assert extract_arguments.main([str(tmp_path), "--check"]) == 1
    assert not (tmp_path / "tables").exists()
    out, err = capsys.readouterr()
    assert out == "pack: stale\n"
    assert err == "lost: skipped, not here: lost==1.0\n"
    assert extract_arguments.main([str(tmp_path)]) == 0
    assert extract_arguments.main([str(tmp_path), "--check"]) == 0


@pytest.mark.skipif("TRAINLINT_INDEX" not in os.environ, reason="asks the package index: TRAINLINT_INDEX is not set")
def test_the_newest_releases_are_in_the_tables() -> None:
    behind = []
    for recipe in read_recipes(extract_arguments.RECIPES):
        if recipe.ends:
            continue
        released = [version for version in recipe.versions if "." in version]
        command = [sys.executable, "-m", "pip", "index", "versions", recipe.package]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout if released else ""
        newest = told.partition("(")[2].partition(")")[0]
        if newest and version_key(released[-1]) < version_key(newest):
            behind.append(f"{recipe.name}: {recipe.package} {newest} is out, the table ends at {released[-1]}")
    assert not behind, "\n".join(behind)


def test_tables_are_what_the_released_packages_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Runs where the packages lie: TRAINLINT_PACKAGES names their directories."""
    places = [p for p in os.environ.get("TRAINLINT_PACKAGES", "").split(os.pathsep) if p]
    if not places:
        pytest.skip("TRAINLINT_PACKAGES is not set")
    assert extract_arguments.main([*places, "--check"]) == 0, capsys.readouterr().out
