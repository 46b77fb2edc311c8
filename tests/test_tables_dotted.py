"""The tool on parsers and nested configurations: argparse, dataclasses in dataclasses, functions, Hydra, `cfg.a.b`."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from argtables.components import gather, read_components  # noqa: E402
from argtables.keywords import agreeing, find_methods, read_keywords  # noqa: E402
from argtables.nested import (  # noqa: E402
    compose,
    flatten_class,
    flatten_function,
    flatten_values,
    read_attributes,
)
from argtables.parsers import read_parsers  # noqa: E402
from trainlint.scripts.names import Library, Module  # noqa: E402


def module(source: str, **others: str) -> Module:
    files = {
        "pack/one.py": source,
        "pack/__init__.py": "",
        **{f"pack/{name}.py": text for name, text in others.items()},
    }
    found = Library(files).module("pack.one")
    assert found is not None
    return found


def test_argparse() -> None:
    arguments = read_parsers(
        module(
            """
def add(parser):
    group = parser.add_argument_group("x")
    group.add_argument("--micro-batch-size", type=int, default=None, help="…")
    group.add_argument("-l", "--lr", "--learning-rate", type=float, required=True)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--no-save", action="store_false", dest="save")
    parser.add_argument("--split", default="969, 30, 1", choices=[None, "a"])
    parser.add_argument("--betas", type=float, nargs=2, default=(0.9, 0.95))
    parser.add_argument("--log", type=str2bool, nargs="?", default=False)
if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--train.batch_size", type=int, default=int(1e2))
"""
        )
    )
    assert arguments == {
        "micro_batch_size": {"type": "int | None", "default": None},
        "lr": {"type": "float", "required": True, "aliases": ["learning_rate"]},
        "bf16": {"type": "bool", "default": False, "values": 0},
        "no_save": {"type": "bool", "default": False, "values": 0},
        "split": {"type": "str", "choices": ["a"], "default": "969, 30, 1"},
        "betas": {"type": "list[float]", "default": [0.9, 0.95]},
        "log": {"type": "bool", "default": False, "values": "?"},
        "train.batch_size": {"type": "int", "default": 100},
    }


def test_flags_made_of_a_dataclass() -> None:
    config = """
from dataclasses import dataclass, field
@dataclass
class Config:
    lr: float = 1.0
    left_out: int = 1
    fast: bool = False
    check: bool = True
    ramp: list[int] | None = field(default=None, metadata={"argparse_meta": {"nargs": 3}})
"""
    source = """
def add(parser):
    from pack.config import Config
    factory = ArgumentGroupFactory(Config, exclude=["left_out"])
"""
    assert read_parsers(module(source, config=config)) == {
        "lr": {"type": "float", "default": 1.0},
        "fast": {"type": "bool", "default": False, "values": 0},
        "no_check": {"type": "bool", "default": False, "values": 0, "aliases": ["disable_check"]},
        "ramp": {"type": "list[str] | None", "default": None},
    }


NESTED = """
from dataclasses import dataclass, field
from pathlib import Path
@dataclass
class Optimizer:
    lr: float = 8e-4
    name: str = MISSING
@dataclass
class Stage:
    start: int
@dataclass
class Job:
    optimizer: Optimizer = field(default_factory=Optimizer)
    stages: list[Stage] = field(default_factory=list)
def setup(checkpoint_dir: Path, out: Path = Path("out"), optim: Optimizer = Optimizer(lr=1e-4), seed: int | None = None):
    ...
"""


def test_dataclasses_in_dataclasses() -> None:
    source = module(NESTED)
    arguments = flatten_class(source.lookup("Job")[0])
    assert arguments["optimizer.lr"] == {"type": "float", "default": 8e-4}
    assert arguments["optimizer.name"] == {"type": "str", "required": True}
    assert not any(name.startswith("stages.") for name in arguments)


def test_parameters_of_a_function() -> None:
    arguments = flatten_function(module(NESTED).lookup("setup")[0])
    assert arguments["checkpoint_dir"] == {"type": "str", "required": True}
    assert arguments["out"] == {"type": "str", "default": "out"}
    assert arguments["optim.lr"] == {"type": "float", "default": 1e-4}
    assert arguments["seed"] == {"type": "int | None", "default": None}


KEYWORDS = """
class Base:
    def load(cls, name, *rest, config: str | None = None, revision="main", **kwargs):
        dtype = kwargs.pop("dtype", None)
        if kwargs.get("strict"):
            other.pop("not_ours")
        kwargs.pop("_internal", None)
        for name in ["mirror", "from_tf"]:
            _ = kwargs.pop(name, None)
class Model(Base):
    pass
"""


def test_keywords_are_parameters_and_what_is_taken_out_of_the_rest() -> None:
    (method,) = find_methods(module(KEYWORDS).lookup("Model")[0], "load")
    assert read_keywords(method) == {
        "name": {"type": "any", "required": True},
        "config": {"type": "str | None", "default": None},
        "revision": {"type": "any", "default": "main"},
        "dtype": {"type": "any", "default": None},
        "strict": {"type": "any", "default": None},
        "mirror": {"type": "any", "default": None},
        "from_tf": {"type": "any", "default": None},
    }


def test_a_default_that_two_functions_differ_in_is_none() -> None:
    one, other = {"type": "int", "default": 1}, {"type": "int", "default": 2}
    assert agreeing(one, one) == one
    assert agreeing(one, other) == {"type": "int", "default_expression": "it depends on the model"}


def test_hydra_defaults_are_put_where_they_are_named() -> None:
    files = {
        "c/top.yaml": "defaults:\n  - optim: fsdp\n  - actor@role.actor: base\n  - _self_\noptim:\n  lr: 1e-5\nseed: null\n",
        "c/optim/fsdp.yaml": "lr: 1.0\nclip_grad: 1.0\n",
        "c/actor/base.yaml": "n: ${oc.select:x,1}\n",
    }
    values: dict[str, Any] = compose(files, "c/top.yaml")
    assert values == {
        "optim": {"lr": "1e-5", "clip_grad": 1.0},
        "role": {"actor": {"n": "${oc.select:x,1}"}},
        "seed": None,
    }
    arguments = flatten_values(values)
    assert arguments["optim.lr"] == {"type": "float", "default": 1e-5}
    assert arguments["role.actor.n"] == {"type": "any", "default_expression": "${oc.select:x,1}"}


def test_a_group_that_is_chosen_names_the_parts() -> None:
    files = {
        "c/top.yaml": "defaults:\n  - engine: dp\n  - actor@actor: ${engine}_actor\n  - _self_\n",
        "c/other.yaml": "defaults:\n  - top\n  - override engine: mega\n  - _self_\n",
        "c/actor/dp_actor.yaml": "lr: 1.0\n",
        "c/actor/mega_actor.yaml": "tp: 2\n",
    }
    assert compose(files, "c/top.yaml") == {"actor": {"lr": 1.0}}
    assert compose(files, "c/other.yaml") == {"actor": {"tp": 2}}


def test_what_recipes_read() -> None:
    source = module('def f(self, cfg):\n    cfg.get("clip", None)\n    x = cfg.optimizer.lr\n    cfg.batch_size\n')
    assert ast.unparse(source.tree)
    assert read_attributes([source], ["cfg"]) == {
        "clip": {"type": "any | None", "default": None},
        "optimizer": {"type": "any", "required": True},
        "batch_size": {"type": "any", "required": True},
    }


def test_components_by_their_public_paths() -> None:
    files = {
        "pack/__init__.py": """
from functools import partial
from elsewhere import Foreign
from ._inner import Base, Made, Outer, build, hidden as _hidden

same = build
small = partial(build, 1, size=2)
""",
        "pack/_inner.py": """
from elsewhere import Unknown, wrap
from typing import Literal

def build(params, size: int = 1, mode: Literal["a", "b"] = "a", *, base: int = 5e5, late=None): ...

def hidden(): ...

class Base:
    def __init__(self, path: str, **kwargs): ...

class Made(Base): ...

class Outer(Unknown): ...
""",
    }
    keywords = {
        "size": {"type": "int", "default": 1},
        "mode": {"type": "str", "default": "a"},
        "base": {"type": "float", "default": 500000.0},
        "late": {"type": "any | None", "default": None},
    }
    named = {"_component_": {"type": "str", "required": True}}
    found = read_components(Library(files), ["pack:[!p]*", "pack._inner:*"], "_component_")
    assert {path: section.extra for path, section in found.items()} == {
        "pack.Base": "allow",
        "pack.Foreign": "allow",
        "pack.Made": "allow",
        "pack.Outer": "allow",
        "pack.build": "forbid",
        "pack.same": "forbid",
        "pack.small": "forbid",
    }
    assert found["pack.Made"].arguments == {**named, "path": {"type": "str", "required": True}}
    assert found["pack.build"].arguments == {**named, "params": {"type": "any", "required": True}, **keywords}
    assert found["pack.small"].arguments == {**named, **keywords, "size": {"type": "int", "default": 2}}


def test_components_that_take_the_same_share_a_section() -> None:
    one, two = {"extra": "forbid", "arguments": {"x": []}}, {"extra": "allow", "arguments": {"x": []}}
    assert gather({"a.one": one, "a.two": two, "b.one": dict(one)}) == {
        "a.one": {**one, "same": ["b.one"]},
        "a.two": {**two, "same": []},
    }
