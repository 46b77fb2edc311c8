"""Scripts that nobody can read, and scripts that mean harm: no traceback, no hang, and nothing is run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from helpers_scripts import command, script
from trainlint.linter import lint
from trainlint.settings import Settings
from trainlint.text import SourceText

PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"
DOUBLING = "a0 = [1, 1]\n" + "".join(f"a{i + 1} = [a{i}, a{i}]\n" for i in range(60))


@pytest.mark.parametrize(
    "text",
    [
        "print 'python 2'\n",
        PARSER + "parser.add_argument('--lr'\n",
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 100_000 + "1",
        PARSER + "# " + "x" * 1_100_000,
        "\0",
        "",
    ],
    ids=["python2", "syntax", "nested", "deep", "huge", "binary", "empty"],
)
def test_no_parser_can_be_read(text: str, tmp_path: Path) -> None:
    assert script(tmp_path, text) is None
    launch = SourceText("run.sh", "python train.py --learning_rate 1e-4 --num_train_epochs 3", tmp_path / "run.sh")
    assert lint([launch], Settings()).internal_errors == []


@pytest.mark.parametrize(
    "default",
    [
        "9**9**9**9",
        "'x' * 10**9",
        "[0] * 10**9",
        "1 << 10**9",
        "10**99 * 10**99 * 10**99",
        "a60",
        "f'{a60}{a60}'",
        "x",
        "y",
    ],
)
def test_a_default_that_means_harm(default: str, tmp_path: Path) -> None:
    start = time.monotonic()
    own = script(
        tmp_path,
        f"{DOUBLING}x = y\ny = x\n{PARSER}parser.add_argument('--lr', default={default})\nparser.parse_args()\n",
    )
    assert own is None or own.parser.declarations["lr"].entry.get("default") is None
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("choices", ["[[1], [2]]", "5", "{'a': 1}", "None", "[None]", "'ab'"])
def test_odd_choices(choices: str, tmp_path: Path) -> None:
    own = script(tmp_path, f"{PARSER}parser.add_argument('--lr', choices={choices})\nparser.parse_args()\n")
    assert own is not None
    assert own.schema.edition("lr")
    command("python train.py --lr a", tmp_path)
    click = f"import click\n@click.command()\n@click.option('--lr', type=click.Choice({choices}))\ndef main(lr): pass\n"
    own = script(tmp_path, click)
    assert own is not None
    assert own.schema.edition("lr")


def test_classes_and_modules_that_go_round(tmp_path: Path) -> None:
    text = (
        "from dataclasses import dataclass\nfrom transformers import HfArgumentParser\nfrom other import *\n"
        "@dataclass\nclass A(B):\n    x: int = 1\n@dataclass\nclass B(A):\n    y: int = 1\n"
        "HfArgumentParser(A).parse_args_into_dataclasses()\n"
    )
    script(tmp_path, text, other__py="from train import *\nfrom other import nothing\n")


def test_functions_that_call_each_other(tmp_path: Path) -> None:
    text = (
        "import argparse\ndef one(parser): return two(parser)\ndef two(parser): return one(parser)\n"
        "def main():\n    parser = one(argparse.ArgumentParser())\n    parser.add_argument('--lr')\n    parser.parse_args()\n"
    )
    script(tmp_path, text)


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"open({str(mark)!r}, 'w').close()\n{PARSER}parser.add_argument('--lr')\nparser.parse_args()\n"
    assert script(tmp_path, text, argparse__py=text) is None or not mark.exists()
    assert not mark.exists()


def test_of_two_scripts_nobody_can_tell_which(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    text = PARSER + "parser.add_argument('--lr')\nparser.parse_args()\n"
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "train.py").write_text(text, "utf-8")
    assert command("python train.py", tmp_path / "sub")[0] is None
    assert command("cd .. && python sub/train.py", tmp_path / "sub")[0] is not None
