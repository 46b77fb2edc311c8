"""Where declarations are found, and what leaves a parser open."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from helpers_scripts import command, rejected, script

PARSER = "import argparse\nparser = argparse.ArgumentParser()\n"
HEAD = PARSER + "parser.add_argument('--lr', type=float, default=1e-4)\n"
PARSE = ".parse_args_into_dataclasses()\n"
BASE = "from dataclasses import dataclass\n@dataclass\nclass Base:\n    lr2: float = 1.0\n"
HF = "from dataclasses import dataclass, field\nfrom transformers import HfArgumentParser, TrainingArguments\n"


def names(folder: Path, text: str, **others: str) -> set[str]:
    own = script(folder, dedent(text), **{name: dedent(other) for name, other in others.items()})
    assert own is not None
    return set(own.parser.declarations) - {"help"}


# ------------------------------------------------------------------------------------------------------- open or closed


@pytest.mark.parametrize(
    "more",
    [
        "args, rest = parser.parse_known_args()",
        "args = parser.parse_known_args()[0] if known else parser.parse_args()",
        "def get(known):\n    return parser.parse_known_args()[0] if known else parser.parse_args()",
        "for name in open('names'):\n    parser.add_argument(name)\nparser.parse_args()",
        "parser.add_argument(*names)\nparser.parse_args()",
        "import pytorch_lightning as pl\npl.Trainer.add_argparse_args(parser)\nparser.parse_args()",
        "plugins = [parser]\nparser.parse_args()",
        "parser = provider(parser)\nparser.parse_args()",
        "import sys\nsys.argv.append('--x')\nparser.parse_args()",
        "import sys\nsys.argv[1:] = []\nparser.parse_args()",
        "parser._add_action(action)\nparser.parse_args()",
        "parser.add_argument('rest', nargs=argparse.REMAINDER)\nparser.parse_args()",
    ],
)
def test_open(more: str, tmp_path: Path) -> None:
    own = script(tmp_path, HEAD + more + "\n")
    assert own is not None
    assert not own.closed
    assert "lr" in own.schema
    assert not rejected(command("python train.py --nobody 3", tmp_path)[1])
    assert rejected(command("python train.py --lr fast", tmp_path)[1])


@pytest.mark.parametrize(
    "more",
    [
        "parser.parse_args()",
        "args = parser.parse_args(sys.argv[1:])",
        "def main(argv=None):\n    return parser.parse_args(argv)",
        "early = argparse.ArgumentParser(add_help=False)\nearly.add_argument('--config')\n_, rest = early.parse_known_args()\n"
        "parser.parse_args(rest)",
        "parser.print_help()\nargs = parser.parse_args()\nprint(args, parser)",
        "args = parser.parse_args()\nparser.error('no') if args.lr > 1 else None",
    ],
)
def test_closed(more: str, tmp_path: Path) -> None:
    own = script(tmp_path, HEAD + more + "\n")
    assert own is not None
    assert own.parser.open is None
    assert rejected(command("python train.py --nobody 3", tmp_path)[1])


METHODS = """
    def __init__(self):
        {first}
        parser.add_argument("--lr")
        {then}

    def more(self{handed}):
        {parser}.add_argument("--epochs")
"""


@pytest.mark.parametrize(
    ("text", "closed", "epochs"),
    [
        (f"class A:{METHODS}\nA()\n", True, True),
        (
            f"class A:{METHODS}\nclass B(A):\n    def more(self, *_): self.parser.add_argument('--x')\nB()\n",
            False,
            True,
        ),
        (f"from base import Base\nclass A(Base):{METHODS}\nA()\n", False, True),
    ],
)
@pytest.mark.parametrize("handed", [True, False])
def test_methods(text: str, closed: bool, epochs: bool, handed: bool, tmp_path: Path) -> None:
    """Subclasses and base classes may add to a parser that is an attribute, or that a method is handed."""
    then = (
        "self.more(parser); parser.parse_args()" if handed else "self.parser = parser; self.more(); parser.parse_args()"
    )
    parts = {
        "first": "parser = argparse.ArgumentParser()",
        "then": then,
        "handed": ", parser" if handed else "",
        "parser": "parser" if handed else "self.parser",
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    own = script(tmp_path, "import argparse\n" + text)
    assert own is not None
    assert own.closed == closed
    assert ("epochs" in own.parser.declarations) == epochs


def test_defaults_that_come_from_a_file(tmp_path: Path) -> None:
    own = script(tmp_path, HEAD + "parser.set_defaults(**load())\nparser.parse_args()\n")
    assert own is not None
    assert own.closed
    assert "default" not in own.parser.declarations["lr"].entry


@pytest.mark.parametrize(
    "more",
    [
        "config.parser = parser\nparser.parse_args()",
        "add = parser.add_argument\nadd('--x')\nparser.parse_args()",
    ],
)
def test_kept_elsewhere(more: str, tmp_path: Path) -> None:
    own = script(tmp_path, HEAD + more + "\n")
    assert own is not None
    assert not own.closed


def test_a_global_parser(tmp_path: Path) -> None:
    text = """
        import argparse

        def make():
            global parser
            parser = argparse.ArgumentParser()

        def more():
            parser.add_argument("--lr")

        make()
        more()
        parser.parse_args()
    """
    own = script(tmp_path, dedent(text))
    assert own is None or "lr" in own.parser.declarations


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "parser.parse_args(['--lr', '3'])\n",
        HEAD + "parser.parse_args(shlex.split(text))\n",
        "from elsewhere import get_parser\nget_parser().parse_args()\n",
        "import configargparse\nparser = configargparse.ArgumentParser()\nparser.add_argument('--lr')\nparser.parse_args()\n",
        "import fire\nfire.Fire({'a': 1})\n",
        "import fire\nfire.Fire()\n",
        "import click\n@click.group()\ndef main(): pass\n@main.command()\n@click.option('--lr')\ndef train(lr): pass\nmain()\n",
        "import tyro\nfrom elsewhere import Config\ntyro.cli(Config)\n",
    ],
)
def test_unread(text: str, tmp_path: Path) -> None:
    assert script(tmp_path, text) is None


# -------------------------------------------------------------------------------------------------- where a parser goes


def test_through_functions_and_modules(tmp_path: Path) -> None:
    text = """
        from options import get_args, Extra

        def main():
            args = get_args(Extra)

        if __name__ == "__main__":
            main()
    """
    options = """
        import argparse
        from parts.lora import add_lora

        class Extra:
            @staticmethod
            def add_args(parser):
                parser.add_argument("--extra")

        def _base():
            parser = argparse.ArgumentParser()
            parser.add_argument("--lr")
            return parser

        def get_args(extra):
            parser = add_lora(_base(), 4)
            Extra.add_args(parser)
            return parser.parse_args()
    """
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "lora.py").write_text(
        "def add_lora(p, rank):\n    g = p.add_argument_group('x')\n    g.add_argument('--rank')\n    return p\n",
        "utf-8",
    )
    assert names(tmp_path, text, options__py=options) == {"lr", "rank", "extra"}


def test_a_class_that_keeps_its_parser(tmp_path: Path) -> None:
    text = """
        import argparse

        class Options:
            def __init__(self):
                self.parser = argparse.ArgumentParser()
                self.parser.add_argument("--lr")
                self.more()

            def more(self):
                self.parser.add_argument("--epochs")

            def parse(self):
                return self.parser.parse_args()

        Options().parse()
    """
    assert names(tmp_path, text) == {"lr", "epochs"}


def test_a_function_that_is_called_like_a_parsers_method(tmp_path: Path) -> None:
    text = """
        import arguments

        args = arguments.parse_args()
    """
    assert names(tmp_path, text, arguments__py=f"{HEAD}def parse_args():\n    return parser.parse_args()\n") == {"lr"}


def test_parents_and_subcommands(tmp_path: Path) -> None:
    text = """
        import argparse

        base = argparse.ArgumentParser(add_help=False)
        base.add_argument("--lr", type=float)
        parser = argparse.ArgumentParser(parents=[base])
        commands = parser.add_subparsers()
        train = commands.add_parser("train")
        train.add_argument("--epochs", type=int)
        parser.parse_args()
    """
    assert names(tmp_path, text) == {"lr"}
    own, arguments = command("python train.py --lr 1 train --epochs 3", tmp_path)
    assert own is not None
    assert {"lr", "epochs"} <= set(own.schema)
    assert not rejected(arguments)
    assert {name: given.value for name, given in arguments.given.items()} == {"lr": 1.0, "epochs": 3}
    for wrong in ("train --epoch many", "train --lr 1", "--epochs 3 train", "evaluate", "train 3"):
        assert rejected(command(f"python train.py {wrong}", tmp_path)[1]), wrong


def test_a_parser_that_its_caller_hands_in(tmp_path: Path) -> None:
    text = """
        import argparse

        def parse(p):
            p.add_argument("--epochs")
            return p.parse_args()

        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--lr")
            parse(parser)
    """
    assert names(tmp_path, text) == {"lr", "epochs"}


def test_deepspeed_adds_its_own(tmp_path: Path) -> None:
    text = HEAD + "import deepspeed\nparser = deepspeed.add_config_arguments(parser)\nargs = parser.parse_args()\n"
    assert names(tmp_path, text) == {
        "lr",
        "deepspeed",
        "deepspeed_config",
        "deepscale",
        "deepscale_config",
        "deepspeed_mpi",
    }
    assert not command("deepspeed train.py --deepspeed --deepspeed_config ds.json", tmp_path)[1].issues


def test_a_module_of_a_package(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "args.py").write_text("def add(parser):\n    parser.add_argument('--epochs')\n", "utf-8")
    (tmp_path / "pkg" / "train.py").write_text(
        HEAD + "from .args import add\nadd(parser)\nparser.parse_args()\n", "utf-8"
    )
    own, arguments = command("torchrun -m pkg.train --epochs 3 --lr 1", tmp_path)
    assert own is not None
    assert own.closed
    assert (arguments.given["lr"].value, arguments.given["epochs"].value) == (1.0, "3")


# ---------------------------------------------------------------------------------------------------------- values


def test_a_changed_list_has_no_known_choices(tmp_path: Path) -> None:
    text = "import argparse\nkinds = ['a']\nkinds.append('b')\n"
    text += "parser = argparse.ArgumentParser()\nparser.add_argument('--kind', choices=kinds)\nparser.parse_args()\n"
    assert script(tmp_path, text) is not None
    assert not rejected(command("python train.py --kind b", tmp_path)[1])


def test_words_beside_flags(tmp_path: Path) -> None:
    own = script(tmp_path, HEAD + "parser.parse_args()\n")
    assert own is not None
    assert rejected(command("python train.py data.txt --lr 1", tmp_path)[1])
    assert rejected(command("python train.py --lr 1 data.txt", tmp_path)[1])
    script(tmp_path, HEAD + "parser.add_argument('data')\nparser.parse_args()\n")
    assert not rejected(command("python train.py data.txt --lr 1", tmp_path)[1])
    assert not rejected(command("python train.py --lr 1 data.txt", tmp_path)[1])


def test_a_local_name_hides_that_of_the_module(tmp_path: Path) -> None:
    text = (
        "import argparse\nrate = 1\ndef main():\n    rate = 2\n    lr = rate\n    parser = argparse.ArgumentParser()\n"
    )
    text += "    parser.add_argument('--lr', default=lr)\n    parser.parse_args()\n"
    own = script(tmp_path, text)
    assert own is not None
    assert own.schema.default("lr")[0] == 2


def test_two_ways_through_the_program(tmp_path: Path) -> None:
    text = "import argparse\nparser = argparse.ArgumentParser()\nif flag:\n    parser.add_argument('--n', type=int, default=1)\n"
    text += "else:\n    parser.add_argument('--n', type=float, default=2.0)\nparser.parse_args()\n"
    own = script(tmp_path, text)
    assert own is not None
    assert "default" not in own.parser.declarations["n"].entry
    assert not rejected(command("python train.py --n 0.5", tmp_path)[1])


def test_type_bool_takes_false_for_true(tmp_path: Path) -> None:
    text = PARSER + "parser.add_argument('--fast', type=bool)\nparser.parse_args()\n"
    assert script(tmp_path, text) is not None
    (issue,) = command("python train.py --fast False", tmp_path)[1].issues
    assert "'False' is true here" in issue.message
    assert not command("python train.py --fast True", tmp_path)[1].issues


def test_a_flag_is_only_itself_with_its_dashes(tmp_path: Path) -> None:
    text = PARSER + "parser.add_argument('--batch-size', type=int)\nparser.parse_args()\n"
    assert script(tmp_path, text) is not None
    (issue,) = command("python train.py --batch_size 3", tmp_path)[1].issues
    assert (issue.replacement, issue.certain) == ("--batch-size", True)


# ------------------------------------------------------------------------------------------------------- dataclasses


def test_what_a_class_inherits(tmp_path: Path) -> None:
    text = HF + (
        "from shared import Base\n@dataclass\nclass Own(Base, TrainingArguments):\n    rank: int = 8\n"
        "    learning_rate: float = field(default=1e-3)\nparser = HfArgumentParser((Own,))\nparser" + PARSE
    )
    own = script(
        tmp_path, text, shared__py="from dataclasses import dataclass\n@dataclass\nclass Base:\n    lr2: float = 1.0\n"
    )
    assert own is not None
    assert own.closed
    assert own.parser.sections == ["transformers:TrainingArguments"]
    assert own.schema.default("learning_rate")[0] == 1e-3
    assert {"rank", "lr2", "weight_decay"} <= set(own.schema)
    for text, certain in (("--learning_rtae 1", True), ("--rank eight", True), ("--rank 8 --bf16 --lr2 3", False)):
        assert rejected(command(f"python train.py {text}", tmp_path)[1]) == certain


@pytest.mark.parametrize(
    "text",
    [
        HF + "from mine import Base\n@dataclass\nclass Own(Base):\n    rank: int = 8\nHfArgumentParser(Own)" + PARSE,
        HF + "@dataclass\nclass Own:\n    rank: int = 8\nHfArgumentParser((Own, pick()))" + PARSE,
        HF
        + "@dataclass\nclass Own:\n    rank: int = 8\nHfArgumentParser(Own)"
        + PARSE.replace("()", "(return_remaining_strings=True)"),
        HF + "class Own:\n    rank: int = 8\nHfArgumentParser(Own)" + PARSE,
    ],
)
def test_a_class_that_is_not_here_leaves_it_open(text: str, tmp_path: Path) -> None:
    own = script(tmp_path, text)
    assert own is not None
    assert not own.closed
    assert "rank" in own.schema
    assert not rejected(command("python train.py --nobody 3 --learning_rate 3", tmp_path)[1])


# ------------------------------------------------------------------------------------------------------ other styles


def test_fire() -> None:
    own, arguments = command("python fired.py --base_model x --learning-rate 1e-4 --micro_batch 3")
    assert own is not None
    assert [issue.replacement for issue in arguments.issues] == ["--micro_batch_size"]
    given = command("python fired.py --learning_rate 1e-4 --groups [1,2]")[1].given
    assert (given["learning_rate"].value, given["groups"].value) == (1e-4, [1, 2])
    assert command("python fired.py --noadd_eos")[1].given["add_eos"].value is False
    assert own.schema.default("learning_rate")[0] == 3e-4


def test_absl() -> None:
    own, arguments = command(
        "python flagged.py --learning_rate=fast --schedule x --nopacking --unknown 3 --batch_size 8"
    )
    assert own is not None
    assert not own.closed
    assert [(issue.kind, issue.name) for issue in arguments.issues] == [
        ("type", "learning_rate"),
        ("choice", "schedule"),
    ]


def test_tyro() -> None:
    own, arguments = command(
        "python tyrant.py --learning-rate 1e-3 --batch-size many --no-packing --schedule step --lerning-rate 3"
    )
    assert own is not None
    assert [issue.kind for issue in arguments.issues] == ["type", "choice", "unknown"]
    assert arguments.given["packing"].value is False


def test_typer() -> None:
    own, arguments = command("python typed.py gpt2 --lr 1e-3 --batch-size many --no-packing --batch_size 3")
    assert own is not None
    assert [(issue.kind, issue.at.text) for issue in arguments.issues] == [
        ("type", "many"),
        ("unknown", "--batch_size"),
    ]
    assert own.schema.default("learning_rate")[0] == 1e-4


def test_the_place_of_a_declaration() -> None:
    own, _ = command("python classic.py")
    assert own is not None
    at = own.parser.declarations["bits"].at
    assert at is not None
    assert at.source.path.endswith("classic.py")
    assert at.text == 'parser.add_argument("--bits", type=int, choices=[4, 8, 16], default=16)'
