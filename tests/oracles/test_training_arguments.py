"""Command lines of `TrainingArguments`: the HfArgumentParser of the installed transformers is the judge."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import steady
from trainlint import readers
from trainlint.dialects import argv, hf_trainer
from trainlint.dialects.tables import Edition
from trainlint.facts import Arguments
from trainlint.text import SourceText

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
SCHEMA = hf_trainer.SCHEMA.aimed({"transformers": transformers.__version__})
NAMES = sorted(name for name in SCHEMA.present() if not {"dict", "any"} & SCHEMA.edition(name).words)
"""Without `liger_kernel_config` and `parallelism_config`: no word makes a dictionary or an object, so nobody writes them."""
GONE = sorted(set(SCHEMA) - set(SCHEMA.present()))


@cache
def parser() -> Any:
    return transformers.HfArgumentParser(transformers.Seq2SeqTrainingArguments)


def theirs(words: list[str]) -> dict[str, Any] | None:
    """What argparse makes of the words, None where it refuses them."""
    try:
        return vars(parser().parse_args(words))
    except SystemExit:
        return None


def ours(words: list[str]) -> Arguments:
    document = readers.read(SourceText("run.sh", "prog " + shlex.join(words)))
    (invocation,) = document.invocations
    return argv.read(document.source, invocation.alternatives[0].words[1:], SCHEMA, closed=True)


def refused(arguments: Arguments) -> list[str]:
    """Why the parser would not take them: an issue, or a name that this version has no longer."""
    gone = [name for name in arguments.given if name in SCHEMA and SCHEMA[name].at(transformers.__version__) is None]
    return [issue.message for issue in arguments.issues if issue.kind != "duplicate"] + gone


ODD = ["", "None", "auto", "1e-4", "-1", "-1e-4", "1_000", "07", "4.0", " 4", "4 ", "0x10", "inf", "nan", "2e-4,", "True",
       "false", "TRUE", "yes", "off", "0", "1", "no", "steps", "a b", "{}", '{"a": 1}', "[1]", "'x'", "٣"]  # fmt: skip


def values(edition: Edition) -> st.SearchStrategy[str]:
    """Words of the argument's own kind, and of any other."""
    fitting = [str(choice) for choice in edition.choices or ()]
    for kind, words in {"int": ["3", "1000"], "float": ["0.1", "3e-5"], "bool": ["True", "f"], "str": ["out"]}.items():
        if kind in edition.types or f"list[{kind}]" in edition.types:
            fitting += words
    return st.one_of(st.sampled_from(fitting or ["x"]), st.sampled_from(ODD))


def spellings(name: str) -> st.SearchStrategy[str]:
    # a beginning without an underscore is one of `--with_underscores` and of `--with-dashes`: ambiguous, and not our business
    beginning = st.integers(name.find("_") + 1 or len(name), len(name)).map(lambda end: name[:end])
    return st.one_of(st.sampled_from([name, name, name.replace("_", "-"), f"no_{name}", name + "s"]), beginning)


@st.composite
def flags(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(GONE if draw(st.integers(0, 19)) == 0 else NAMES))
    spelling = draw(spellings(name))
    words = draw(st.lists(values(SCHEMA.edition(name)), min_size=draw(st.sampled_from([0, 1, 1])), max_size=2))
    if len(words) == 1 and draw(st.booleans()):
        return [f"--{spelling}={words[0]}"]
    return [f"--{spelling}", *words]


@steady(1000)
@given(st.lists(flags(), max_size=4))
def test_values_and_refusals(lists: list[list[str]]) -> None:
    words = [word for flag in lists for word in flag]
    expected, arguments = theirs(words), ours(words)
    reasons = refused(arguments)
    if expected is None:
        assert reasons, words
        return
    assert not reasons, words
    for name, argument in arguments.given.items():
        told = expected[name]
        # a path drops what does not matter to it
        same = Path(argument.value) == told if isinstance(told, Path) else repr(argument.value) == repr(told)
        assert same, (words, name)
