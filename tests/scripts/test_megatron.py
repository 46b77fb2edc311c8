"""What a fork's script adds to Megatron-LM's arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlint.linter import lint
from trainlint.settings import Settings
from trainlint.text import SourceText

SCRIPT = """\
from megatron.training import pretrain
from extra import more

if __name__ == "__main__":
    pretrain(data, model, forward, extra_args_provider=more)
"""
EXTRA = """\
def more(parser):
    group = parser.add_argument_group("own")
    put(group, "--patch-rate", type=int, default=2)
    group.add_argument("--patch-kind", choices=["a", "b"])
    return parser


def put(group, name, type=None, default=None):
    if name not in known:
        return group.add_argument(name, type=type, default=default)
"""
LAUNCH = (
    "torchrun --nproc_per_node 8 pretrain_gpt.py --num-layers 4 --hidden-size 8 --num-attention-heads 2 --micro-batch-size 1 "
    "--global-batch-size 8 --seq-length 64 --train-iters 10 --lr 1e-4 "
)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--patch-rate 3 --patch-kind a", []),
        ("--patch-rat 3", ["--patch-rat"]),
        ("--patch-kind c", ["c"]),
        ("--patch-rate many", ["many"]),
        ("--patch-rate 3 --micro-batch-sizes 3 --hidden-sise 2", ["--hidden-sise", "--micro-batch-sizes"]),
    ],
)
def test_flags_of_a_fork(flags: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "pretrain_gpt.py").write_text(SCRIPT, "utf-8")
    (tmp_path / "extra.py").write_text(EXTRA, "utf-8")
    report = lint([SourceText("run.sh", LAUNCH + flags, tmp_path / "run.sh")], Settings())
    assert sorted(f.at.text for f in report.findings if f.rule.startswith("arguments/")) == said
