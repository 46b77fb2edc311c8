"""Scripts of our own: what is said of a command line is what the script's real parser does with it."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from helpers_scripts import command, lines, oracle, rejected, spoken

VALUES = [
    "1",
    "8",
    "4",
    "0.5",
    "1e-3",
    "linear",
    "cosine",
    "text",
    "-1",
    "-0.5",
    "lora",
    "bf16",
    "true",
    "no",
    "",
    "3,4",
    "a b",
]
CLASSIC = [
    "--model", "-m", "--mod", "--lr", "--learning-rate", "--learning_rate", "--batch-size", "--batch_size", "-b", "--bits",
    "--schedule", "--sched", "--no-cuda", "--fast", "--quick", "--warmup", "--betas", "--modules", "--tag", "--verbose", "-v",
    "--checkpointing", "--no-checkpointing", "--epochs", "--lora_r", "--lora-rank", "--lora", "--lora_dropout", "--unknown",
]  # fmt: skip
TRAINER = [
    "--model_name_or_path", "--model-name-or-path", "--kind", "--precision", "--bits", "--lora_rank", "--lora_alpha",
    "--use_rslora", "--packing", "--no_packing", "--cached", "--flash", "--modules", "--ranks",
    "--hidden", "--learning_rate", "--kin",
    "--epochs", "--num_epochs", "--seed", "--output_dir", "--seed_everything", "--unknown",
]  # fmt: skip
CLICKED = [
    "--model", "--mod", "--lr", "--learning-rate", "--batch-size", "--batch_size", "--epochs", "--schedule", "--fast",
    "--packing", "--no-packing", "--tag", "--unknown",
]  # fmt: skip

DEMANDING = ["--model", "-m", "--mod", "--data", "--lr", "--help"]
FIRED = [
    "--base_model", "--base-model", "--learning_rate", "--learning-rate", "--micro_batch_size", "--add_eos", "--noadd_eos",
    "--groups", "--unknown",
]  # fmt: skip
TYRANT = [
    "--learning-rate", "--learning_rate", "--batch-size", "--schedule", "--packing", "--no-packing", "--max-steps", "--unknown",
]  # fmt: skip
TYPED = ["--lr", "--batch-size", "--epochs", "--packing", "--no-packing", "--output", "--unknown"]
FLAGGED = ["--learning_rate", "--batch_size", "--schedule", "--packing", "--nopacking", "--out_dir", "--modules"]


def agree(script: str, parse: str, cases: list[list[str]], *, misses: bool = False) -> None:
    """`misses`: words that belong to no flag are left alone where a script may take them, so some crashes stay untold."""
    for line, real in zip(cases, oracle(parse, cases), strict=True):
        _, arguments = command(f"python {script} {spoken(line)}")
        said = [issue.message for issue in arguments.issues]
        assert rejected(arguments) == (real is None) or (misses and not rejected(arguments)), (line, said, real)
        for name, argument in arguments.given.items():
            if real is not None and name in real and argument.unknown is None:
                assert same(argument.value, real[name]), (line, name, argument.value, real[name])


def same(ours: Any, real: Any) -> bool:
    """Flags with a constant or a number of occurrences are only said to stand there."""
    return ours == real or str(ours) == str(real) or ours is True or isinstance(real, list)


def test_argparse() -> None:
    parse = "import classic\ndef parse(line): return vars(classic.build().parse_args(line))"
    agree("classic.py", parse, lines(CLASSIC, VALUES, 400))


def test_argparse_defaults() -> None:
    (real,) = oracle("import classic\ndef parse(line): return vars(classic.build().parse_args(line))", [[]])
    own, _ = command("python classic.py")
    assert own is not None
    assert own.closed
    assert real is not None
    for name in ("model", "lr", "batch_size", "bits", "schedule", "no_cuda", "betas", "modules", "checkpointing", "epochs",
                 "lora_r", "lora_alpha", "lora_dropout", "warmup"):  # fmt: skip
        value, origin, confidence = own.schema.default(name)
        assert (value, confidence) == (real[name], "high"), name
        assert origin.at is not None, name


def test_click() -> None:
    parse = "import clicked\ndef parse(line): return clicked.main.make_context('x', line).params"
    agree("clicked.py", parse, lines(CLICKED, VALUES, 250))


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_hf_argument_parser() -> None:
    parse = (
        "import trainer, dataclasses\n"
        "def parse(line):\n"
        "    found = trainer.HfArgumentParser((trainer.ModelArguments, trainer.RunArguments)).parse_args_into_dataclasses(line)\n"
        "    values = {k: v for one in found for k, v in dataclasses.asdict(one).items()}\n"
        "    return values | {'kind': getattr(found[0].kind, 'value', found[0].kind)}\n"
    )
    agree("trainer.py", parse, lines(TRAINER, VALUES, 300))


def test_required_arguments_of_argparse() -> None:
    parse = "import demanding\ndef parse(line): return vars(demanding.build().parse_args(line))"
    cases = [line for line in lines(DEMANDING, VALUES, 300) if not any(word.startswith("--help") for word in line)]
    assert sum("--model" in line and "--data" in line for line in cases) > 10
    agree("demanding.py", parse, cases)
    _, arguments = command("python demanding.py --help")
    assert not rejected(arguments)


def test_fire() -> None:
    pytest.importorskip("fire")
    parse = (
        "import fire, fired\n"
        "names = ('base_model', 'learning_rate', 'micro_batch_size', 'add_eos', 'groups')\n"
        "def parse(line):\n"
        "    seen = []\n"
        "    fired.print = lambda *values: seen.extend(values)\n"
        "    fire.Fire(fired.train, command=line)\n"
        "    return dict(zip(names, seen))\n"
    )
    agree("fired.py", parse, misses=True, cases=lines(FIRED, VALUES, 250))


def test_tyro() -> None:
    pytest.importorskip("tyro")
    parse = (
        "import dataclasses, tyro, tyrant\n"
        "def parse(line): return dataclasses.asdict(tyro.cli(tyrant.Config, args=line))"
    )
    agree("tyrant.py", parse, misses=True, cases=lines(TYRANT, VALUES, 120))


def test_typer() -> None:
    pytest.importorskip("typer")
    parse = (
        "import typer, typed\ndef parse(line): return typer.main.get_command(typed.app).make_context('x', line).params"
    )
    agree("typed.py", parse, [["gpt2", *line] for line in lines(TYPED, VALUES, 200)], misses=True)


def test_absl() -> None:
    pytest.importorskip("absl.flags")
    parse = (
        "import flagged\n"
        "def parse(line):\n"
        "    flags = flagged.FLAGS\n"
        "    for name in list(flags):\n"
        "        flags[name].unparse()\n"
        "    flags(['x', *line])\n"
        "    return flags.flag_values_dict()\n"
    )
    agree("flagged.py", parse, misses=True, cases=lines(FLAGGED, VALUES, 200))
