"""Branches that nobody can follow: each way is a run of its own, and a rule fires only if it fires for all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers_runs import findings, launches, rules_of
from trainlint.facts import Launch

HEAD = """\
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer
"""
TRAIN = """\
lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear") if use_lora else None
args = SFTConfig("out", learning_rate=lr, max_length=2048)
SFTTrainer("meta-llama/Llama-2-7b-hf", args, peft_config=lora)
"""


def launch(before: str, train: str = TRAIN) -> Launch:
    (found,) = launches(f"{HEAD}{before}\n{train}", "train.py")
    return found


def ways(found: Launch, *names: str) -> set[tuple[Any, ...]]:
    return {tuple(run.fact(name).value for name in names) for run in found}


@pytest.mark.parametrize(
    "before",
    [
        "lr = 1e-4 if fast else 2e-5",
        "if fast:\n    lr = 1e-4\nelse:\n    lr = 2e-5",
        "lr = 2e-5\nif fast:\n    lr = 1e-4",
        "try:\n    import fast\n    lr = 1e-4\nexcept ImportError:\n    lr = 2e-5",
        "match fast:\n    case 1:\n        lr = 1e-4\n    case _:\n        lr = 2e-5",
    ],
)
def test_a_branch_gives_several_values(before: str) -> None:
    before = "lr = 1e-4\n" + before if "match" in before else before
    found = launch(before)
    fact = found.fact("learning_rate")
    assert (fact.status, sorted(fact.value)) == ("one-of", [2e-5, 1e-4])


def test_one_branch_decides_several_names_together() -> None:
    found = launch(
        "if small:\n    lr, batch = 1e-4, 1\nelse:\n    lr, batch = 2e-5, 8",
        TRAIN.replace('"out",', '"out", per_device_train_batch_size=batch,'),
    )
    assert ways(found, "learning_rate", "per_device_train_batch_size") == {(1e-4, 1), (2e-5, 8)}
    assert len({run.fact("method").value for run in found}) == 2


def test_what_is_computed_of_it_follows_each_way() -> None:
    found = launch(
        "lr = 1e-4\nbatch = 1 if small else 8",
        TRAIN.replace(
            '"out",',
            '"out", per_device_train_batch_size=batch, gradient_accumulation_steps=batch * 32 // batch // batch,',
        ),
    )
    assert ways(found, "per_device_train_batch_size", "gradient_accumulation_steps") == {(1, 32), (8, 4)}


def test_an_adapter_or_none() -> None:
    assert ways(launch("lr = 1e-4"), "method", "lora_rank") == {("lora", 16), ("full", None)}


def test_arguments_by_branch_are_a_run_each() -> None:
    text = f"{HEAD}args = SFTConfig('a', seed=1) if x else SFTConfig('b', seed=2)\nSFTTrainer('org/a-7b', args)\n"
    found = launches(text, "train.py")
    assert [each.fact("seed").value for each in found] == [1, 2]
    assert {each.fact("model_name_or_path").value for each in found} == {"org/a-7b"}


def test_a_model_by_branch() -> None:
    found = launch(
        "lr, load = 1e-4, AutoModelForCausalLM.from_pretrained\nm = load('org/a-7b') if big else load('org/b-1b')",
        TRAIN.replace('"meta-llama/Llama-2-7b-hf"', "m"),
    )
    assert ways(found, "model_name_or_path") == {("org/a-7b",), ("org/b-1b",)}


@pytest.mark.parametrize(
    ("before", "fires"),
    [
        ("lr = 2e-2 if fast else 1e-2", True),
        ("lr = 2e-2 if fast else 1e-5", False),
        ("lr = 2e-2 if fast else rate()", False),
        ("lr = 2e-2 if fast else 1e-2\nlr *= factor", False),
        ("lr = 2e-2 if fast else 1e-2\nlr *= 2", True),
    ],
)
def test_a_rule_fires_if_it_fires_on_every_way(before: str, fires: bool) -> None:
    train = TRAIN.replace(" if use_lora else None", "")
    found = findings(f"{HEAD}{before}\n{train}", "train.py")
    assert ("lr/lora-ceiling" in rules_of(found)) is fires
    # the values stand in branches, so nothing can be put in their place
    assert all(finding.fix is None for finding in found if finding.rule == "lr/lora-ceiling")


@pytest.mark.parametrize(
    "before",
    [
        "lr = 2e-5\nfor i in x:\n    lr = 1e-4",
        "lr = 1e-4 if fast else 2e-5\ndef f():\n    global lr\n    lr = 1",
        "lr = 1e-4 if fast else 2e-5\nexec(text)",
        "if a:\n    lr = 1\nelif b:\n    lr = rate()\nelse:\n    lr = 2",
    ],
)
def test_what_is_not_known_on_every_way_is_unknown(before: str) -> None:
    assert launch(before).fact("learning_rate").status == "unknown"


@pytest.mark.parametrize(
    "change",
    ["args.learning_rate = 3e-4", "setattr(args, 'learning_rate', 3e-4)", "args.set_training(learning_rate=3e-4)"],
)
def test_what_is_changed_through_a_name_of_several_things_is_unknown(change: str) -> None:
    text = (
        f"{HEAD}a, b = SFTConfig('a', learning_rate=1e-4), SFTConfig('b', learning_rate=1e-4)\n"
        f"args = a if x else b\n{change}\nSFTTrainer('m', a)\n"
    )
    found = next(each for each in launches(text, "a.py") if each.first.context["setup"].trainer is not None)
    if "set_" in change:
        assert not found.fact("weight_decay").known
    else:
        assert not found.fact("learning_rate").known


@pytest.mark.parametrize("change", ["t.append('x')", "t += ['x']", "t[0] = 'x'", "del t[0]", "extend(t)"])
def test_a_list_changed_through_a_name_of_several_is_unknown(change: str) -> None:
    text = f"{HEAD}a, b = ['q_proj'], ['v_proj']\nt = a if x else b\n{change}\nLoraConfig(target_modules=a)\n"
    (found,) = launches(text, "a.py")
    assert not found.fact("target_modules").known


def test_many_branches_are_not_all_told_apart() -> None:
    names = ["seed", "save_steps", "logging_steps", "eval_steps", "max_steps", "warmup_steps"]
    text = "".join(f"{name} = 1 if {name}_ else 2\n" for name in names)
    keywords = ", ".join(f"{name}={name}" for name in names)
    (found,) = launches(f"{HEAD}{text}SFTTrainer('m', SFTConfig('o', {keywords}))\n", "a.py")
    assert len(found.alternatives) == 16
    assert found.fact("seed").status == "one-of"
    assert found.fact("warmup_steps").status == "unknown"


def test_a_chain_of_branches_has_an_end() -> None:
    text = "lr = 1\n" + "".join(f"lr = {at} if c{at} else lr\n" for at in range(2, 400))
    assert launch(text).fact("learning_rate").status == "unknown"


def test_branches_of_notebooks() -> None:
    cells = ["lr = 1e-4 if fast else 2e-5\n", HEAD + TRAIN]
    text = json.dumps(
        {"cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]}, indent=1
    )
    (found,) = launches(text, "a.ipynb")
    assert found.fact("learning_rate").status == "one-of"
