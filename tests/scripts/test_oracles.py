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


def agree(script: str, parse: str, cases: list[list[str]]) -> None:
    for line, real in zip(cases, oracle(parse, cases), strict=True):
        _, arguments = command(f"python {script} {spoken(line)}")
        said = [issue.message for issue in arguments.issues]
        assert rejected(arguments) == (real is None), (line, said, real)
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
