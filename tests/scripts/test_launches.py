"""From a shell script that starts a Python script on disk to facts and findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_runs import facts, launches
from trainlint.findings import Finding
from trainlint.linter import Linter, lint
from trainlint.scripts import Scripts
from trainlint.settings import Settings
from trainlint.text import SourceText

ARGPARSE = """\
import argparse

from model import add_model_args

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=3e-4)
parser.add_argument("--batch-size", type=int, default=2)
parser.add_argument("--grad-accum", type=int, default=1)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--max_steps", type=int, default=-1)
parser.add_argument("--scheduler", choices=["linear", "cosine"], default="cosine")
parser.add_argument("--warmup_steps", type=int)
parser.add_argument("--seed", default="none")
add_model_args(parser)
args = parser.parse_args()
"""
MODEL = """\
def add_model_args(parser):
    parser.add_argument("--lora-r", type=int, default=64)
    parser.add_argument("--max-len", type=int, default=1024)
"""
TRAINER = """\
from dataclasses import dataclass, field

import transformers


@dataclass
class ModelArguments:
    model_name_or_path: str = "gpt2"
    use_lora: bool = True
    lora_rank: int = 16
    block_size: int = 512


@dataclass
class Arguments(transformers.TrainingArguments):
    learning_rate: float = 3e-5


parser = transformers.HfArgumentParser((ModelArguments, Arguments))
model_args, args = parser.parse_args_into_dataclasses()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("train.py", ARGPARSE), ("model.py", MODEL), ("hf.py", TRAINER)):
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def found(text: str, folder: Path) -> list[Finding]:
    report = lint([SourceText("run.sh", text, folder / "run.sh")], Settings())
    assert not report.internal_errors
    return report.findings


def shown(text: str, folder: Path) -> list[tuple[str, str, str]]:
    """Rule, severity and the text pointed at of what is said about arguments."""
    return [(f.rule, f.severity, f.at.text) for f in found(text, folder) if f.rule.startswith("arguments/")]


def test_what_the_parser_would_reject(folder: Path) -> None:
    text = "torchrun train.py --lr 1e-3 --batch_size 4 --epochs three --scheduler step --gradient-accumulation 8"
    assert sorted(shown(text, folder)) == [
        ("arguments/invalid-value", "error", "step"),
        ("arguments/invalid-value", "error", "three"),
        ("arguments/unknown", "error", "--batch_size"),
        ("arguments/unknown", "error", "--gradient-accumulation"),
    ]


def test_what_it_would_take(folder: Path) -> None:
    assert not shown(
        "torchrun train.py --lr=1e-3 --batch-s 4 --epochs 3 --scheduler cosine --lora-r 8 --warm 3", folder
    )


def test_its_defaults_are_known(folder: Path) -> None:
    run = facts("torchrun --nproc_per_node 2 train.py --lr 1e-3 --grad-accum 8", folder=folder)
    assert run.launch.first.dialect == "generic"
    expected = {
        "effective_batch_size": 32,
        "num_train_epochs": 3,
        "sequence_length": 1024,
        "lora_rank": 64,
        "max_steps": None,
    }
    assert {name: run[name] for name in expected} == expected
    fact = run.launch.fact("sequence_length")
    assert (fact.status, fact.origin.text) == ("default", "model.py line 3")
    assert fact.origin.at is not None
    assert fact.origin.at.text == 'parser.add_argument("--max-len", type=int, default=1024)'


@pytest.mark.parametrize("name", ["warmup_steps", "seed", "weight_decay"])
def test_what_no_default_tells(name: str, folder: Path) -> None:
    run = facts("torchrun train.py --lr 1e-3 --grad-accum 8", folder=folder)
    assert run.launch.fact(name).status == "unknown"


def test_a_trainer_with_arguments_of_its_own(folder: Path) -> None:
    text = "deepspeed --num_gpus 2 hf.py --output_dir out --num_train_epochs 3 --lora_rank 8"
    run = facts(text, folder=folder)
    expected = {
        "learning_rate": 3e-5, "method": "lora", "lora_rank": 8, "sequence_length": 512, "model_name_or_path": "gpt2",
        "per_device_train_batch_size": 8, "max_grad_norm": 1.0,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert not shown(text, folder)
    assert shown(text + " --lora_ranks 4", folder) == [("arguments/unknown", "error", "--lora_ranks")]
    # newer versions of transformers may have it
    assert shown(text + " --frobnicate 4", folder) == [("arguments/unknown", "warning", "--frobnicate")]


def test_a_trainer_that_is_none(folder: Path) -> None:
    """An argparse script with the Trainer's names has not the Trainer's defaults, and not its types either."""
    text = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--num_train_epochs', type=eval)\n"
    text += "parser.add_argument('--learning_rate', default='1e-4')\nparser.add_argument('--output_dir')\nparser.parse_args()\n"
    (folder / "plain.py").write_text(text, "utf-8")
    command = "python plain.py --num_train_epochs 2+1 --output_dir out --max_steps 4"
    run = facts(command, folder=folder)
    assert run.launch.first.dialect == "hf-trainer"
    for name in ("learning_rate", "num_train_epochs", "max_grad_norm", "weight_decay", "max_steps"):
        assert run.launch.fact(name).status == "unknown", name
    assert shown(command, folder) == [("arguments/unknown", "error", "--max_steps")]


def test_no_finding_points_into_the_script(folder: Path) -> None:
    """Who launches it changes the launch; where the default stands is said beside it."""
    run = facts("deepspeed --num_gpus 2 hf.py --output_dir out --num_train_epochs 3", folder=folder)
    assert run.launch.fact("learning_rate").location is None
    assert run.launch.fact("effective_batch_size").location is not None


def test_a_stage_that_the_classes_say(folder: Path) -> None:
    text = "from trl import DPOConfig, ScriptArguments, ModelConfig, TrlParser\n"
    text += "script, args, model = TrlParser((ScriptArguments, DPOConfig, ModelConfig)).parse_args_and_config()\n"
    (folder / "go.py").write_text(text, "utf-8")
    command = "accelerate launch go.py --output_dir out --num_train_epochs 3 --dataset_name x"
    run = facts(command, folder=folder)
    assert (run["stage"], run["datasets"]) == ("dpo", ["x"])
    assert facts(command + " --config x.yaml", folder=folder).launch.fact("learning_rate").status == "unknown"


def test_a_fork_adds_its_own(folder: Path) -> None:
    command = "torchrun fastchat/train/train.py --model_name_or_path x --data_path y --output_dir z --watermark True"
    assert shown(command, folder) == [("arguments/unknown", "warning", "--watermark")]
    (folder / "fastchat" / "train").mkdir(parents=True)
    (folder / "fastchat" / "train" / "train.py").write_text(TRAINER.replace("use_lora", "watermark"), "utf-8")
    assert not shown(command, folder)
    assert launches(command, folder=folder)[0].first.dialect == "fastchat"


@pytest.mark.parametrize("flags", ["--max-len 3", "--batch-size 4 --seed 1", "--input x"])
def test_a_script_that_trains_but_not_here(flags: str, folder: Path) -> None:
    """A chat with the model takes its arguments too; only who sets one of training trains."""
    assert launches(f"python train.py {flags}", folder=folder) == []


def test_a_script_is_read_once_and_only_for_a_launch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    parse = Scripts._parse
    monkeypatch.setattr(Scripts, "_parse", lambda self, *a: (read.append(a[0].name), parse(self, *a))[1])
    linter = Linter(Settings())
    text = "python elsewhere.py --lr 1 --grad-accum 3 --epochs 2\nls\npython train.py --help\n"
    linter.read(SourceText("a.sh", text, folder / "a.sh"))
    assert read == []
    text = "for lr in 1e-3 1e-4; do python train.py --lr $lr --grad-accum 3; done\npython train.py --lr 1 --epochs 3\n"
    linter.read(SourceText("b.sh", text, folder / "b.sh"))
    linter.read(SourceText("c.sh", text, folder / "c.sh"))
    assert read == ["train.py"]
    assert {path.name for path in linter.linked} == {"train.py", "model.py"}


DECLARES = "parser.add_argument('--model', required=True)\n"
REST = "parser.add_argument('--learning_rate', type=float)\nparser.add_argument('--epochs', type=int)\n"


def missing(folder: Path, script: str, flags: str = "--learning_rate 1e-4 --epochs 3") -> list[str]:
    (folder / "own.py").write_text(script, "utf-8")
    text = f"python own.py {flags}"
    return [f.at.text for f in found(text, folder) if f.rule == "arguments/missing"]


def test_a_required_argument_that_is_missing(folder: Path) -> None:
    head = "import argparse\nparser = argparse.ArgumentParser()\n"
    plain = f"{head}{DECLARES}{REST}parser.parse_args()\n"
    assert missing(folder, plain) == ["own.py"]
    assert missing(folder, plain.replace("parser.parse", "parser.add_argument('file')\nparser.parse")) == ["own.py"]
    assert missing(folder, plain.replace("parser.parse", "parser.add_subparsers()\nparser.parse")) == ["own.py"]
    for flags in ("--learning_rate 1 --epochs $N", "--learning_rate 1 --epochs 3 $MORE", "--learning_rate 1 --epochs 3 --mod x",
                  "--learning_rate 1 --epochs 3 --help", "args.json --learning_rate 1 --epochs 3"):  # fmt: skip
        assert missing(folder, plain, flags) == [], flags
    for script in (
        f"{head}if x:\n    {DECLARES}{REST}parser.parse_args()\n",
        f"{head}def more():\n    {DECLARES}{REST}if x:\n    more()\nparser.parse_args()\n",
        f"{head}{DECLARES}{REST}parser.parse_known_args()\n",
        f"{head}{DECLARES}{REST}if x:\n    parser.parse_args()\nelse:\n    parser.parse_args(y)\n",
        plain.replace("import argparse", "import configargparse as argparse"),
    ):
        assert missing(folder, script) == [], script


def test_a_field_without_a_default_is_required(folder: Path) -> None:
    fields = "    model: str\n    learning_rate: float\n    epochs: int = 3\n    packing: bool = False\n"
    script = "from dataclasses import dataclass\nfrom transformers import HfArgumentParser\n"
    script += f"@dataclass\nclass A:\n{fields}parser = HfArgumentParser((A,))\n(args,) = parser.parse_args_into_dataclasses()\n"
    assert missing(folder, script) == ["own.py"]
    assert missing(folder, script, "--learning_rate 1e-4 --epochs 3 --model x") == []
    assert missing(folder, script, "args.yaml --learning_rate 1e-4 --epochs 3") == []
