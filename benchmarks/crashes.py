"""Do the arguments that Trainlint calls a crash stop the real parser, and the others not?

    python -m benchmarks.crashes --examples 5000

Command lines of `TrainingArguments` are generated, the way people write them and not. Each is judged by Trainlint and by the
installed transformers: its HfArgumentParser, its TrainingArguments, and the schedule that the Trainer makes of them. The result
is docs/crashes.md. It needs torch, transformers and accelerate.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import click
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trainlint.dialects import hf_trainer
from trainlint.dialects.tables import Schema
from trainlint.findings import Finding, Report
from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText

SCRIPT = """\
from transformers import HfArgumentParser, Seq2SeqTrainingArguments

(args,) = HfArgumentParser(Seq2SeqTrainingArguments).parse_args_into_dataclasses()
"""
"""What is launched: Trainlint reads it, too, so that it knows the script to take these arguments and no others."""
ALWAYS = ("--output_dir", "out", "--per_device_train_batch_size", "4")
"""What every command line begins with: a training run is told by such arguments."""
JUDGED = frozenset(
    {
        "arguments/conflict",
        "arguments/invalid-value",
        "arguments/trainer-conflict",
        "arguments/unknown",
        "arguments/version",
        "monitoring/best-model-mismatch",
        "precision/both-fp16-and-bf16",
    }
)
"""The rules whose errors say that the parser or the arguments themselves stop."""
LATER = ("galore", "apollo", "layer-wise")
"""Errors of these words come when the optimizer is made, which needs a model and packages: not judged here."""
OUTSIDE = {
    "accelerator_config": "names a file",
    "deepspeed": "names a file",
    "fsdp": "wants several processes",
    "fsdp_config": "names a file",
    "liger_kernel_config": "is written in Python only",
    "parallelism_config": "is written in Python only",
    "ddp_backend": "is read where several processes run",
    "local_rank": "is set by the launcher",
    "output_dir": "is given to each",
    "torch_compile": "asks the machine",
    "torch_compile_backend": "asks the machine",
    "torch_compile_mode": "asks the machine",
    "optim": "is judged when the optimizer is made",
}
"""Arguments that are not generated: what they do depends on the machine, on files or on packages."""
GROUPS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "load_best_model_at_end": ("True", "False"),
        "eval_strategy": ("no", "steps", "epoch"),
        "save_strategy": ("no", "steps", "epoch", "best"),
        "eval_steps": ("100", "200", "0.1", "0", "1.5"),
        "save_steps": ("100", "200", "300", "0.1", "0.25", "1.5"),
    },
    {
        "logging_strategy": ("no", "steps", "epoch"),
        "logging_steps": ("0", "1", "10", "0.5", "1.5"),
        "eval_strategy": ("no", "steps"),
        "eval_steps": ("0", "50"),
    },
    {
        "fp16": ("True", "False"),
        "bf16": ("True", "False"),
        "fp16_full_eval": ("True",),
        "bf16_full_eval": ("True",),
    },
    {
        "lr_scheduler_type": (
            "cosine", "linear", "polynomial", "constant", "reduce_lr_on_plateau", "greedy", "cosine_with_min_lr",
            "warmup_stable_decay", "cosine_warmup_with_min_lr", "inverse_sqrt",
        ),
        "lr_scheduler_kwargs": ('{"min_lr": 1e-6}', '{"num_decay_steps": 10}', "{}"),
        "eval_strategy": ("no", "epoch"),
        "learning_rate": ("1e-4", "1e-8"),
    },
    {
        "warmup_steps": ("100", "0.1", "0", "-1", "1.5"),
        "max_steps": ("1000", "-1"),
        "num_train_epochs": ("3", "0.5"),
    },
    {
        "dataloader_prefetch_factor": ("2", "4"),
        "dataloader_num_workers": ("0", "4"),
        "torch_empty_cache_steps": ("0", "-1", "4"),
    },
)  # fmt: skip
"""Arguments that are judged together, and values that people give them."""
ODD = (
    "",
    "None",
    "auto",
    "1e-4",
    "-1",
    "1_000",
    "4.0",
    "4 ",
    "inf",
    "2e-4,",
    "True",
    "off",
    "0",
    "1",
    "steps",
    "{}",
    "x y",
)
UNJUDGED = ("No module named", "is not installed", "requires a GPU")


@dataclass(frozen=True)
class Outcome:
    """One command line: what Trainlint calls a crash, and what really stopped it."""

    words: tuple[str, ...]
    ours: tuple[Finding, ...]
    theirs: str | None

    @property
    def agreed(self) -> bool:
        return bool(self.ours) == bool(self.theirs)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(sorted({word.partition("=")[0] for word in self.words if word.startswith("--")}))


# --------------------------------------------------------------------------------------------------------- command lines


def command_lines(schema: Schema) -> st.SearchStrategy[list[str]]:
    """Half are settings that are judged together, half any arguments with values that fit or do not."""
    names = sorted(name for name in schema.present() if name not in OUTSIDE)
    return st.one_of(_grouped(), st.lists(_any(schema, names), min_size=1, max_size=4).map(_joined))


@st.composite
def _grouped(draw: st.DrawFn) -> list[str]:
    group = draw(st.sampled_from(GROUPS))
    chosen = draw(st.lists(st.sampled_from(sorted(group)), min_size=1, unique=True))
    return [word for name in chosen for word in (f"--{name}", draw(st.sampled_from(group[name])))]


@st.composite
def _any(draw: st.DrawFn, schema: Schema, names: list[str]) -> list[str]:
    name = draw(st.sampled_from(names))
    edition = schema.edition(name)
    fitting = [str(choice) for choice in edition.choices or ()]
    for kind, words in {"int": ["3", "1000"], "float": ["0.1", "3e-5"], "bool": ["True", "no"], "str": ["out"]}.items():
        if kind in edition.types or f"list[{kind}]" in edition.types:
            fitting += words
    odd = draw(st.integers(0, 3)) == 0
    spelling = name + "s" if draw(st.integers(0, 19)) == 0 else name
    return [f"--{spelling}", draw(st.sampled_from(ODD if odd or not fitting else fitting))]


def _joined(flags: list[list[str]]) -> list[str]:
    return [word for flag in flags for word in flag]


# ------------------------------------------------------------------------------------------------------------ the judges


def ours(linter: Linter, folder: Path, words: list[str]) -> tuple[Finding, ...]:
    text = f"python train.py {shlex.join([*ALWAYS, *words])}\n"
    report = Report()
    if not linter.lint(SourceText("run.sh", text, file=folder / "run.sh"), report):
        raise click.ClickException(f"this is not read as a run: {text}{report.internal_errors}")
    return tuple(
        finding
        for finding in report.findings
        if finding.severity == "error"
        and finding.rule in JUDGED
        and not any(word in finding.message.lower() for word in LATER)
    )


def theirs(parser: Any, words: list[str]) -> str | None:
    """The last line of what the parser, the arguments or the schedule say before they stop; None where they do not."""
    import torch
    import transformers

    said = StringIO()
    try:
        with redirect_stderr(said):
            (args,) = parser.parse_args_into_dataclasses([*ALWAYS, *words])
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=args.learning_rate)
        transformers.get_scheduler(
            args.lr_scheduler_type, optimizer, args.get_warmup_steps(100), 100, args.lr_scheduler_kwargs
        )
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


@contextmanager
def _machine_with_gpus() -> Iterator[None]:
    """What the arguments ask the machine for is there: a GPU of today."""
    with (
        patch("transformers.training_args.is_torch_bf16_gpu_available", lambda: True),
        patch("transformers.training_args.is_torch_tf32_available", lambda: True),
        patch("transformers.training_args.enable_tf32", lambda enable: None),
    ):
        yield


def outcomes(examples: int) -> list[Outcome]:
    import transformers

    version = transformers.__version__
    parser = transformers.HfArgumentParser(transformers.Seq2SeqTrainingArguments)
    schema = hf_trainer.SCHEMA.aimed({"transformers": version})
    found: dict[tuple[str, ...], Outcome] = {}
    with TemporaryDirectory() as name, _machine_with_gpus():
        folder = Path(name)
        (folder / "train.py").write_text(SCRIPT, "utf-8")
        linter = Linter(Settings(targets={"transformers": version}))

        @settings(
            max_examples=examples,
            database=None,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(command_lines(schema))
        def judge(words: list[str]) -> None:
            real = theirs(parser, words)
            if tuple(words) not in found and not any(reason in (real or "") for reason in UNJUDGED):
                found[tuple(words)] = Outcome(tuple(words), ours(linter, folder, words), real)

        judge()
    return list(found.values())


# --------------------------------------------------------------------------------------------------------------- the page


def page(results: list[Outcome], version: str) -> str:
    both = Counter((bool(each.ours), bool(each.theirs)) for each in results)
    right, wrong, missed = both[True, True], both[True, False], both[False, True]
    rules = ", ".join(f"`{rule}`" for rule in sorted(JUDGED))
    return (
        "\n".join(
            [
                "# Crashes",
                "",
                f"{len(results)} generated command lines of `Seq2SeqTrainingArguments`, judged by Trainlint and by transformers",
                f"{version} itself. Half are settings that are judged together, half any arguments with any values.",
                "Made by `python -m benchmarks.crashes`, which always generates the same.",
                "",
                "| | transformers stops | transformers goes on |",
                "|---|---|---|",
                f"| an error of Trainlint | {right} | {wrong} |",
                f"| none | {missed} | {both[False, False]} |",
                "",
                "| what | measured | bar |",
                "|---|---|---|",
                f"| agreed | {_share(len(results) - wrong - missed, len(results))} | 99 % |",
                f"| of the errors, those that stop it | {_share(right, right + wrong)} | 99 % |",
                f"| of what stops it, what is an error | {_share(right, right + missed)} | 99 % |",
                "",
                "transformers is its parser, the arguments themselves and the schedule that the Trainer makes of them, on a",
                "machine that has a GPU with bf16. Of Trainlint count the errors that speak of those, by",
                f"{rules}.",
                "",
                "## Disagreements",
                "",
                "| arguments | times | Trainlint | transformers |",
                "|---|---|---|---|",
                *_disagreements(results),
                "",
                "## What is not generated",
                "",
                *(f"- `{name}`: {why}" for name, why in sorted(OUTSIDE.items())),
            ]
        )
        + "\n"
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.1f} %)"


def _disagreements(results: list[Outcome]) -> Iterator[str]:
    """By what the one side says that speaks: the arguments that all its command lines share."""
    grouped: dict[tuple[str, str], list[Outcome]] = {}
    for each in results:
        if not each.agreed:
            said = "; ".join(finding.message for finding in each.ours)
            grouped.setdefault((said, each.theirs or ""), []).append(each)
    for (said, real), group in grouped.items():
        shared = set(group[0].flags).intersection(*(each.flags for each in group))
        flags = ", ".join(f"`{flag}`" for flag in sorted(shared))
        yield f"| {flags} | {len(group)} | {said.replace('|', '¦')} | {real.replace('|', '¦')} |"


@click.command(help=__doc__)
@click.option(
    "--examples", default=5000, show_default=True, type=click.IntRange(min=1), help="command lines to generate"
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/crashes.md"))
def main(examples: int, output: Path) -> None:
    import transformers

    results = outcomes(examples)
    output.write_text(page(results, transformers.__version__), "utf-8")
    click.echo(
        f"{output} is written: {len(results)} command lines, {sum(each.agreed for each in results)} judged alike"
    )


if __name__ == "__main__":
    main()
