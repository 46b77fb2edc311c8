"""Trainers that no dialect knows: read with low confidence, and never where nothing is trained."""

from __future__ import annotations

import pytest

from helpers_dialects import dialects_of
from helpers_runs import facts, findings

SCRIPT = "torchrun --nproc_per_node 4 my_train.py --lr 1e-2 --batch-size 2 --grad_accum 4 --max_len 512 --lora_r 8 --frobnicate 3"


def test_well_known_names_on_a_launch() -> None:
    run = facts(SCRIPT)
    assert run.launch.first.dialect == "generic"
    assert run.launch.first.title == "unknown framework"
    expected = {
        "learning_rate": 1e-2, "effective_batch_size": 32, "sequence_length": 512, "lora_rank": 8, "method": "lora",
        "world_size": 4,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("learning_rate") == "--lr"
    assert not run.launch.first.arguments.issues


def test_nothing_is_a_default() -> None:
    run = facts(SCRIPT)
    for name in ("max_grad_norm", "weight_decay", "save_strategy", "eval_strategy", "seed", "mixed_precision", "optim"):
        assert run.launch.fact(name).status == "unknown", name


def test_every_finding_has_low_confidence() -> None:
    text = "torchrun --nproc_per_node 4 my_pretrain.py --lr 1e-2 --batch-size 1 --grad_accum 1 --max_len 64 --warmup_ratio 0.9"
    found = findings(text)
    assert found
    assert {finding.confidence for finding in found} == {"low"}


def test_overrides() -> None:
    run = facts("python train.py train.lr=3e-4 train.micro_batch_size=2 train.epochs=3 model.name=x")
    assert (run.launch.first.dialect, run["learning_rate"], run["num_train_epochs"]) == ("generic", 3e-4, 3)


YAML = """\
model_name: my-model
training:
  lr: 2e-5
  micro_batch_size: 4
  gradient_accumulation: 2
  num_epochs: 3
  max_seq_length: 1024
"""


def test_a_file() -> None:
    run = facts(YAML, "train.yaml")
    assert (run.launch.first.dialect, run["learning_rate"], run["gradient_accumulation_steps"]) == ("generic", 2e-5, 2)
    assert run.launch.first.spell("learning_rate") == "lr"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python serve.py --lr 1 --batch_size 2 --max_seq_length 3 --lora_r 4", "x.sh"),
        ("my_tool --lr 1 --batch_size 2 --max_seq_length 3 --lora_r 4", "x.sh"),
        ("python train.py --lr 0.1 --epochs 90 --batch_size 256 --seed 1 data/imagenet", "x.sh"),
        ("python train.py --batch_size 256 --lora_r 8 --max_seq_length 2", "x.sh"),
        (
            "parameters:\n  lr:\n    min: 1\n  micro_batch_size:\n    values: [1]\n  lora_r:\n    values: [8]\n",
            "a.yaml",
        ),
        (YAML.replace("lr: 2e-5", "lr: [1e-5, 2e-5]"), "a.yaml"),
        (YAML, "sweep.yaml"),
        ("seed: 1\noutput_dir: x\nmodel: y\ndataset: z\nbatch_size: 3\n", "a.yaml"),
        ("lora_r: 8\nlora_alpha: 16\nlora_dropout: 0.1\nmodel: x\n", "a.yaml"),
    ],
)
def test_look_alikes(text: str, name: str) -> None:
    assert dialects_of(text, name) == []


def test_a_word_where_others_have_a_number() -> None:
    run = facts(SCRIPT + " --warmup_ratio nan --weight_decay x")
    assert "no number" in run.unknown("weight_decay")
    assert not any(
        "nan" in finding.message for finding in findings(SCRIPT + " --lr_scheduler constant --warmup_ratio nan")
    )
