"""A command line is read as the trainer's own parser reads it: HfArgumentParser itself is the judge."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint import readers
from trainlint.dialects import argv
from trainlint.dialects.tables import Schema, Spec, _edition
from trainlint.facts import Arguments
from trainlint.text import SourceText

transformers = pytest.importorskip("transformers")


@dataclass
class Fields:
    """What the frameworks' argument classes are made of."""

    learning_rate: float = 5e-5
    num_train_epochs: float | None = None
    batch_size: int = 8
    max_steps: int | None = field(default=None)
    do_train: bool = False
    shuffle: bool = True
    fp16: bool | None = None
    scheduler: Literal["linear", "cosine"] = "linear"
    output_dir: str = "out"
    seed_name: str | None = None
    report_to: list[str] = field(default_factory=list)
    layers: list[int] | None = None
    files: str = field(default="", metadata={"nargs": "+"})


TYPES = {
    "learning_rate": "float", "num_train_epochs": "float | None", "batch_size": "int", "max_steps": "int | None",
    "do_train": "bool", "shuffle": "bool", "fp16": "bool | None", "scheduler": "str", "output_dir": "str",
    "seed_name": "str | None", "report_to": "list[str]", "layers": "list[int] | None", "files": "list[str]",
}  # fmt: skip

MORE: dict[str, dict[str, Any]] = {"scheduler": {"choices": ["linear", "cosine"]}, "files": {"values": "+"}}


class OwnSchema(Schema):
    """The fields above as a table."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["_specs"] = {
            name: Spec(
                name, "own", ("1.0",), (_edition({"from": "1.0", "to": "1.0", "type": kind, **MORE.get(name, {})}),)
            )
            for name, kind in TYPES.items()
        }


def ours(words: list[str]) -> Arguments:
    document = readers.read(SourceText("run.sh", "prog " + shlex.join(words)))
    (invocation,) = document.invocations
    return argv.read(document.source, invocation.alternatives[0].words[1:], OwnSchema(), closed=True)


def theirs(words: list[str]) -> dict[str, Any] | None:
    """The values that differ from the defaults, or None where the parser refuses the line."""
    parser = transformers.HfArgumentParser(Fields)
    try:
        (parsed,) = parser.parse_args_into_dataclasses(words)
    except (SystemExit, ValueError):
        return None
    return vars(parsed)


VALUES = {
    "learning_rate": ["1e-4", "2.5", "-1", "2e-4,", "fast", "1_000"],
    "num_train_epochs": ["3", "0.5", "None"],
    "batch_size": ["4", "4.0", "1e3", "-1", "07", "1_0"],
    "max_steps": ["-1", "100", "10k"],
    "do_train": ["True", "false", "1", "yes", "n", "maybe"],
    "shuffle": ["False", "t", ""],
    "fp16": ["0", "TRUE"],
    "scheduler": ["linear", "cosine", "Linear", "warm"],
    "output_dir": ["out", "a b", "--x", "-1", "-a b"],
    "seed_name": ["None", "x"],
    "report_to": ["wandb", "none"],
    "layers": ["1", "2", "x"],
    "files": ["a.json", "b", "-1"],
}

flag = st.sampled_from(sorted(TYPES)).flatmap(
    lambda name: st.tuples(
        st.sampled_from([name, name.replace("_", "-"), name[:-1], name]),
        st.lists(st.sampled_from(VALUES[name]), max_size=2),
        st.booleans(),
    )
)


@pytest.mark.parametrize("line", ['--do_train "$@"', "--do_train $EXTRA", "$EXTRA --do_train", "--batch_size 4 $EXTRA"])
def test_every_place_of_an_unresolved_word_opens_the_world(line: str) -> None:
    document = readers.read(SourceText("run.sh", f"prog {line}"))
    words = document.invocations[0].alternatives[0].words[1:]
    assert argv.read(document.source, words, OwnSchema(), closed=True).open is not None


@settings(max_examples=300)
@given(st.lists(flag, max_size=4))
def test_values_and_rejections_agree_with_the_real_parser(flags: list[tuple[str, list[str], bool]]) -> None:
    words: list[str] = []
    for name, values, inline in flags:
        if inline and len(values) == 1:
            words.append(f"--{name}={values[0]}")
        else:
            words += [f"--{name}", *values]
    expected = theirs(words)
    arguments = ours(words)
    rejected = [issue for issue in arguments.issues if issue.kind != "duplicate"]
    if expected is None:
        assert rejected, words
    else:
        assert not rejected, (words, rejected)
        for name, argument in arguments.given.items():
            assert argument.value == expected[name], words


@pytest.mark.parametrize(
    ("line", "kind", "at"),
    [
        ("--learing_rate 1e-4", "unknown", "--learing_rate"),
        ("--learning_rate 2e-4,", "type", "2e-4,"),
        ("--learning_rate -1e-4", "missing-value", "--learning_rate"),
        ("--batch_size 4.0", "type", "4.0"),
        ("--scheduler cosin", "choice", "cosin"),
        ("--batch_size", "missing-value", "--batch_size"),
        ("--s linear", "ambiguous", "--s"),
        ("--batch_size 4 --batch_size 8", "duplicate", "--batch_size"),
    ],
)
def test_issues_point_at_the_right_columns(line: str, kind: str, at: str) -> None:
    document = readers.read(SourceText("run.sh", f"prog {line}"))
    words = document.invocations[0].alternatives[0].words[1:]
    issue = argv.read(document.source, words, OwnSchema(), closed=True).issues[0]
    assert (issue.kind, issue.at.text) == (kind, at)


def test_a_near_miss_is_named() -> None:
    (issue,) = ours(["--learing_rate", "1e-4"]).issues
    assert "did you mean --learning_rate?" in issue.message
    assert issue.replacement == "--learning_rate"


def test_a_value_still_to_be_filled_in_is_unknown_and_there() -> None:
    document = readers.read(SourceText("run.sh", "LR=...\nprog --learning_rate $LR --batch_size 4 ..."))
    arguments = argv.read(document.source, document.invocations[-1].alternatives[0].words[1:], OwnSchema(), closed=True)
    assert not arguments.issues
    assert arguments.given["learning_rate"].unknown == "it is still to be filled in"
    assert (arguments.given["batch_size"].value, arguments.open) == (4, "a part of the command is left out")


def test_the_same_value_twice_is_no_issue() -> None:
    assert not ours(["--batch_size", "4", "--batch_size", "4"]).issues


def test_an_unresolved_word_makes_absent_arguments_unknown() -> None:
    document = readers.read(SourceText("run.sh", 'prog --batch_size 4 "$@"'))
    words = document.invocations[0].alternatives[0].words[1:]
    arguments = argv.read(document.source, words, OwnSchema(), closed=True)
    assert arguments.given["batch_size"].value == 4
    assert arguments.open is not None
    assert not arguments.issues


def test_an_unknown_value_of_a_flag_leaves_the_other_arguments_known() -> None:
    document = readers.read(SourceText("run.sh", "prog --learning_rate $LR --batch_size 4"))
    words = document.invocations[0].alternatives[0].words[1:]
    arguments = argv.read(document.source, words, OwnSchema(), closed=True)
    assert "LR" in (arguments.given["learning_rate"].unknown or "")
    assert arguments.given["batch_size"].value == 4
    assert arguments.open is None
