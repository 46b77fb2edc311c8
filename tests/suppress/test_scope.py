"""How far a suppression reaches."""

from __future__ import annotations

import pytest

from helpers_suppress import (
    COMMAND,
    RANK,
    RATE,
    SEED,
    STEP,
    extra,
    hidden,
    judge,
    said,
)


def test_the_line_itself() -> None:
    text = f"lr=2e-5  # trainlint: ignore[{RATE}] as published\nbatch=1\nseed=2e-5\n"
    assert hidden(text, (RATE, "2e-5"), (RATE, "2e-5", 2), (STEP, "2e-5")) == [True, False, False]


def test_the_reason_and_the_place_are_kept() -> None:
    text = f"# 学习率：照论文 # trainlint: ignore[{RATE}] -- 论文里如此 (#12)\nlr=2e-5\n"
    (gone,) = judge(text, [(RATE, "2e-5")]).suppressed
    assert gone.reason == "论文里如此 (#12)"
    assert gone.at is not None
    assert gone.at.start.line == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_above_an_assignment(newline: str) -> None:
    text = f"# trainlint: ignore[{RATE}] 先试试{newline}lr=2e-5{newline}seed=2e-5{newline}"
    assert hidden(text, (RATE, "2e-5"), (RATE, "2e-5", 2)) == [True, False]


def test_a_command_with_its_continuation_lines() -> None:
    text = COMMAND.format(comment=f"# trainlint: ignore[{RATE}, {SEED}] 学习率")
    found = [(RATE, "2e-5"), (SEED, "--seed"), (RANK, "64"), (RATE, "2e-5", 2), (RATE, "torchrun"), (RATE, "if")]
    assert hidden(text, *found) == [True, True, False, False, True, False]


def test_the_end_of_a_continued_command_speaks_for_all_its_lines() -> None:
    text = f"torchrun train.py \\\n  --learning_rate 2e-5 \\\n  --seed 1  # trainlint: ignore[{RATE}] r\nlr=2e-5\n"
    assert hidden(text, (RATE, "2e-5"), (RATE, "2e-5", 2)) == [True, False]


def test_two_suppressions_and_prose_above_a_command() -> None:
    text = f"""\
# trainlint: ignore[{RATE}] one
# what this does
# trainlint: ignore[{STEP}] two
torchrun train.py \\
  --learning_rate 2e-5
"""
    assert hidden(text, (RATE, "2e-5"), (STEP, "2e-5")) == [True, True]


def test_a_blank_line_ends_the_reach() -> None:
    text = f"# trainlint: ignore[{RATE}] r\n\nlr=2e-5\n"
    assert hidden(text, (RATE, "2e-5")) == [False]
    assert said(extra(text, (RATE, "2e-5"))) == [("unused", 1)]


def test_comments_in_arrays() -> None:
    text = f"""\
args=(
  # trainlint: ignore[{RATE}] 数组里
  --learning_rate 2e-5
  --lora_rank 64  # trainlint: ignore[{RANK}] r
  --seed 2e-5
)
"""
    assert hidden(text, (RATE, "2e-5"), (RANK, "64"), (RATE, "2e-5", 2)) == [True, True, False]
    above = f"# trainlint: ignore[{RATE}] r\n{text.replace('trainlint', 'x')}lr=2e-5\n"
    assert hidden(above, (RATE, "2e-5"), (RATE, "2e-5", 2), (RATE, "2e-5", 3)) == [True, True, False]


def test_an_if_or_a_loop_is_not_hidden_as_a_whole() -> None:
    text = "# trainlint: ignore[lr/*] r\nfor lr in 1 2; do\n  torchrun train.py --learning_rate 2e-5\ndone > log\n"
    assert hidden(text, (RATE, "2e-5"), (RATE, "lr in")) == [False, True]


def test_batch_headers() -> None:
    text = f"#!/bin/bash\n# trainlint: ignore[{SEED}] r\n#SBATCH --gres=gpu:8\n#SBATCH --nodes=2 # trainlint: ignore[{STEP}]\n"
    assert hidden(text, (SEED, "gpu:8"), (SEED, "--nodes"), (STEP, "--nodes"), (STEP, "gpu:8")) == [
        True,
        True,
        True,
        False,
    ]


def test_what_only_looks_like_a_comment() -> None:
    text = f"""\
cat <<EOF
# trainlint: ignore-file[{RATE}] r
EOF
echo "# trainlint: ignore-file[{RATE}] r" a#trainlint:x
lr=2e-5
"""
    assert hidden(text, (RATE, "2e-5")) == [False]
    assert extra(text) == []


@pytest.mark.parametrize("before", ["#!/bin/bash\n", "lr=2e-5\n", "# 版权\n"])
def test_the_whole_file(before: str) -> None:
    text = f"{before}# trainlint: ignore-file[{RATE}] r\nx=2e-5\n"
    assert hidden(text, *[(RATE, "2e-5", n + 1) for n in range(text.count("2e-5"))]) == [True] * text.count("2e-5")


def test_the_whole_file_takes_a_line_of_its_own() -> None:
    text = f"lr=2e-5  # trainlint: ignore-file[{RATE}] r\n"
    assert hidden(text, (RATE, "2e-5")) == [False]
    assert said(extra(text)) == [("malformed", 1)]


YAML = """\
# trainlint: ignore[data/*] 数据
datasets:
  # trainlint: ignore[model/*] r
  - path: a  # 第一个
    type: |
      completion
      # no comment
  - path: b
    # trainlint: ignore[lr/*] r
    name: {x: 1,
      y: 2}
    last: 1
text: "# trainlint: ignore-file[file/*] r"
seed: 1
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_yaml_keys_with_their_values(newline: str) -> None:
    text = YAML.replace("\n", newline)
    data, model, rate = "data/too-many-epochs", "model/pretraining-a-chat-model", RATE
    found = [
        (data, "datasets"), (data, "last"), (data, "text"), (model, "completion"), (model, "path: b"),
        (rate, "name"), (rate, "y: 2"), (rate, "last"), ("file/duplicate-key", "seed"),
    ]  # fmt: skip
    assert hidden(text, *found, name="a.yaml") == [True, True, False, True, False, True, True, False, False]
    assert extra(text, *found, name="a.yaml") == []


def test_the_first_key_is_not_the_file() -> None:
    text = f"# trainlint: ignore[{RATE}] r\nlearning_rate: 2e-5\nseed: 2e-5\n"
    assert hidden(text, (RATE, "2e-5"), (RATE, "2e-5", 2), name="a.yaml") == [True, False]


def test_toml_tables_with_their_values() -> None:
    text = f"# trainlint: ignore[{RATE}] r\n[optimizer]\nx = 1\nlr = 2e-5\n[other]\nlr = 2e-5\n"
    assert hidden(text, (RATE, "2e-5"), (RATE, "2e-5", 2), name="a.toml") == [True, False]


def test_several_launches_are_suppressed_one_by_one() -> None:
    launch = "torchrun train.py \\\n  --learning_rate 2e-5\n"
    text = f"{launch}# trainlint: ignore[{RATE}] r\n{launch}{launch}"
    assert hidden(text, *[(RATE, "2e-5", n) for n in (1, 2, 3)]) == [False, True, False]


def test_a_family_hides_no_syntax_error() -> None:
    text = "a: [1\n# trainlint: ignore-file[file/*] r\nb: 2\n"
    assert hidden(text, ("file/syntax-error", "[1"), ("file/duplicate-key", "b"), name="a.yaml") == [False, True]
    named = text.replace("file/*", "file/syntax-error")
    assert hidden(named, ("file/syntax-error", "[1"), name="a.yaml") == [True]


def test_no_ignores() -> None:
    result = judge(f"lr=2e-5  # trainlint: ignore[{RATE}, x]\n# trainlint: ignore\n", [(RATE, "2e-5")], enabled=False)
    assert (len(result.kept), result.suppressed, result.extra) == (1, [], [])
