"""Suppressions: how far each reaches, what is said of bad ones, and that writing them changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_corpus import needs_corpus, real_files
from helpers_fixes import fixed
from helpers_shell import bash_launches
from trainlint import readers, suppress
from trainlint.findings import Finding, Report
from trainlint.linter import Linter
from trainlint.patterns import Patterns
from trainlint.ruleset import catalogue
from trainlint.ruleset.file import Rule
from trainlint.settings import Ignore, Layer, Settings
from trainlint.text import Location, SourceText, Span, apply

RULES = catalogue()
RATE, SEED, STEP, RANK = "lr/too-high-for-step", "arguments/unknown", "batch/tiny-step", "lora/rank-high"
ROOT = Path(__file__).parents[1]


def find(source: SourceText, rule: str, text: str, nth: int = 1) -> Finding:
    """A finding at the nth place of `text`."""
    at = -1
    for _ in range(nth):
        at = source.text.index(text, at + 1)
    return at_offset(source, rule, at, len(text))


def at_offset(source: SourceText, rule: str, at: int, length: int = 1) -> Finding:
    return Finding(rule, "warning", "high", f"{rule} says so", Location(source, Span(at, at + length)), "change it")


Flagged = tuple[str, str] | tuple[str, str, int]
"""A rule, the text that it flags, and which place of that text is meant."""


def judge(text: str, found: Iterable[Flagged] = (), name: str = "run.sh", **more: Any) -> suppress.Suppressed:
    """What becomes of findings at the given texts."""
    source = SourceText(name, text)
    findings = [find(source, *each) for each in found]
    return suppress.apply(readers.read(source), findings, RULES, **more)


def hidden(text: str, *found: Flagged, name: str = "run.sh") -> list[bool]:
    """For each finding, whether a comment hides it."""
    result = judge(text, found, name)
    gone = [each.finding for each in result.suppressed]
    source = SourceText(name, text)
    wanted = [find(source, *each) for each in found]
    return [any((g.rule, g.at.span) == (w.rule, w.at.span) for g in gone) for w in wanted]


def extra(text: str, *found: Flagged, name: str = "run.sh", **more: Any) -> list[Finding]:
    return judge(text, found, name, **more).extra


def repaired(text: str, finding: Finding) -> str:
    assert finding.fix is not None
    return apply(text, [(edit.at.span, edit.text) for edit in finding.fix.edits])


def said(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.rule.partition("/")[2], finding.at.start.line) for finding in findings]


# ------------------------------------------------------------------------------------------------------- the scopes


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


COMMAND = """\
#!/bin/bash
if [ -n "$BIG" ]; then
    {comment}
    CUDA_VISIBLE_DEVICES=0 torchrun --nproc_per_node 1 train.py \\
        --learning_rate 2e-5 \\
        --lora_rank "64
" \\
        --seed 1 | tee log
    torchrun --nproc_per_node 1 train.py --learning_rate 2e-5
fi
"""


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


# --------------------------------------------------------------------------------------------------------- families


def test_a_family_hides_no_syntax_error() -> None:
    text = "a: [1\n# trainlint: ignore-file[file/*] r\nb: 2\n"
    assert hidden(text, ("file/syntax-error", "[1"), ("file/duplicate-key", "b"), name="a.yaml") == [False, True]
    named = text.replace("file/*", "file/syntax-error")
    assert hidden(named, ("file/syntax-error", "[1"), name="a.yaml") == [True]


def test_no_ignores() -> None:
    result = judge(f"lr=2e-5  # trainlint: ignore[{RATE}, x]\n# trainlint: ignore\n", [(RATE, "2e-5")], enabled=False)
    assert (len(result.kept), result.suppressed, result.extra) == (1, [], [])


# ----------------------------------------------------------------------------------- what is said of bad suppressions


def test_unused_whole_line() -> None:
    text = f"a=1\n  # trainlint: ignore[{RATE}, {STEP}] 旧的\nlr=2e-5\n"
    (finding,) = extra(text)
    assert said([finding]) == [("unused", 2)]
    assert finding.fix is not None
    assert finding.fix.safe
    assert repaired(text, finding) == "a=1\nlr=2e-5\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"lr=1 # trainlint: ignore[{STEP}] r", "lr=1"),
        (f"lr=1 # 说明  # trainlint: ignore[{STEP}] r", "lr=1 # 说明"),
        (f"lr=1 # trainlint: ignore[{STEP}] r # trainlint: ignore[{RATE}] s", f"lr=1 # trainlint: ignore[{RATE}] s"),
        (f"lr=1 # trainlint: ignore[{RATE}] s # trainlint: ignore[{STEP}] r", f"lr=1 # trainlint: ignore[{RATE}] s"),
        (f"lr=1 # trainlint: ignore[ {STEP} ,{RATE}] r", f"lr=1 # trainlint: ignore[{RATE}] r"),
        (f"lr=1 # trainlint: ignore[{STEP},{RATE},{RANK}] r", f"lr=1 # trainlint: ignore[{RATE}] r"),
    ],
)
def test_unused_part(line: str, left: str, newline: str) -> None:
    text = f"a=2{newline}{line}{newline}b=2{newline}"
    (finding,) = extra(text, (RATE, "1"))
    fixed = repaired(text, finding)
    assert fixed == f"a=2{newline}{left}{newline}b=2{newline}"
    assert extra(fixed, (RATE, "1")) == []


def test_unused_says_where_the_finding_is() -> None:
    text = f"lr=2e-5\n# trainlint: ignore[{RATE}] r\ntorchrun train.py --learning_rate $lr\n"
    (finding,) = extra(text, (RATE, "2e-5"))
    assert [(related.message, related.at.start.line) for related in finding.related] == [
        (f"{RATE} is reported here", 1)
    ]


def test_what_was_not_judged_is_not_unused() -> None:
    text = f"# trainlint: ignore[{RATE}, {STEP}, lr/*] r\nlr=1\n"
    (finding,) = extra(text, judged=set(RULES) - {RATE})
    assert finding.message.startswith(f"{STEP}:")
    assert extra(text, judged={RATE}) == []


def test_nothing_is_removed_that_holds_lines_apart() -> None:
    text = f"torchrun train.py \\\n# trainlint: ignore[{RATE}] r\n  --lr 1\n"
    (finding,) = extra(text)
    assert finding.fix is None


def test_suppressions_of_suppressions() -> None:
    assert extra(f"# trainlint: ignore-file[suppressions/unused] r\n# trainlint: ignore[{RATE}] r\nlr=1\n") == []
    assert said(extra("# trainlint: ignore-file[suppressions/*] r\n# trainlint: ignore\nlr=1\n")) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr/too-hihg-for-step", RATE),
        ("too-high-for-step", RATE),
        ("learning-rate/too-high-for-step", RATE),
        ("loar/*", "lora/*"),
        ("lora", "lora/*"),
        ("nonsense", None),
        ("*", None),
        ("lr/too-*", None),
    ],
)
def test_unknown_rules(name: str, meant: str | None) -> None:
    text = f"lr=1  # trainlint: ignore[{STEP}, {name}] r\n"
    (finding,) = extra(text, (STEP, "1"))
    assert finding.rule == "suppressions/unknown-rule"
    assert finding.at.text == name
    listed = f"{STEP}, {meant}" if meant else STEP
    assert repaired(text, finding) == f"lr=1  # trainlint: ignore[{listed}] r\n"


@pytest.mark.parametrize(
    ("comment", "meant"),
    [
        ("# trainlint: ignore", f"# trainlint: ignore[{RATE}]"),
        ("# trainlint:ignore[] 原因", f"# trainlint: ignore[{RATE}] 原因"),
        ("# trainlint: ignore because: of it", f"# trainlint: ignore[{RATE}] because: of it"),
        (f"# trainlint ignore[{RATE}] r", f"# trainlint: ignore[{RATE}] r"),
        (f"# trainlint: ignore[{RATE} {STEP}] r", f"# trainlint: ignore[{RATE}, {STEP}] r"),
        (f"# trainlint：ignore［{RATE}，{STEP}］原因，其一", f"# trainlint: ignore[{RATE}, {STEP}] 原因，其一"),
        (f"# trainlint: ignore({RATE}) r", f"# trainlint: ignore[{RATE}] r"),
        (f"# trainlint: ignore[{RATE}", f"# trainlint: ignore[{RATE}]"),
        (f"# trainlint: ignore {RATE} r", f"# trainlint: ignore[{RATE}] r"),
        (f"# trainlint: ignroe[{RATE}] r", f"# trainlint: ignore[{RATE}] r"),
        (f"# trainlint: disable={RATE}", f"# trainlint: ignore[{RATE}]"),
        (f"# TrainLint: Ignore[{RATE}]", f"# trainlint: ignore[{RATE}]"),
        ("# trainlint: see the manual", None),
        ("# trainlint:", None),
    ],
)  # fmt: skip
def test_malformed(comment: str, meant: str | None) -> None:
    text = f"lr=2e-5  {comment}\n"
    assert hidden(text, (RATE, "2e-5")) == [False]
    (finding,) = extra(text, (RATE, "2e-5"))
    assert finding.rule == "suppressions/malformed"
    assert finding.at.text == comment
    assert finding.advice
    if meant is None:
        assert finding.fix is None
    else:
        assert repaired(text, finding) == f"lr=2e-5  {meant}\n"


@pytest.mark.parametrize(
    "comment",
    ["# trainlint says it is too hot", "# see trainlint", "# trainlint-ignore", "# we run trainlint ignore nothing"],
)
def test_prose_about_us_is_prose(comment: str) -> None:
    assert extra(f"lr=2e-5  {comment}\n", (RATE, "2e-5")) == []


def test_malformed_without_anything_to_name() -> None:
    (finding,) = extra("# trainlint: ignore\nlr=1\n")
    assert finding.fix is None


@pytest.mark.parametrize("reason", ["", " ", " --", " —", ":"])
def test_missing_reason(reason: str) -> None:
    text = f"lr=2e-5  # trainlint: ignore[{RATE}]{reason}\n"
    assert extra(text, (RATE, "2e-5")) == []
    assert said(extra(text, (RATE, "2e-5"), require_reason=True)) == [("missing-reason", 1)]
    assert extra(text.replace("]", "] why"), (RATE, "2e-5"), require_reason=True) == []


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if rule.check == "suppressions"], ids=lambda rule: rule.id
)
def test_pages(rule: Rule) -> None:
    """The findings of the examples are those of the duplicate key."""
    names = {"bad": [rule.id], "fixed": [], "good": []}
    bad = ""
    for example in rule.examples:
        found = [("file/duplicate-key", "seed: 43")] if "seed: 43" in example.text else []
        result = extra(example.text, *found, name="a.yaml", require_reason="require_reason" in example.options)
        assert [finding.rule for finding in result] == names[example.kind]
        if example.kind == "bad":
            bad = example.text
            assert result[0].at.start.line == int(example.options["line"])
        if example.kind == "fixed":
            (finding,) = extra(bad, *([("file/duplicate-key", "seed: 43")] if "seed: 43" in bad else []), name="a.yaml")
            assert repaired(bad, finding) == example.text


# -------------------------------------------------------------------------------------------- JSON and linked files


def ignore(tmp_path: Path, path: str, pointer: str, *rules: str) -> Ignore:
    return Ignore(Patterns(tmp_path, (path,)), pointer, rules, "because")


def load(tmp_path: Path, name: str, text: str) -> SourceText:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return SourceText.load(file, name)


JSON = '{"optimizer": {"params": {"lr": 2e-5, "a/b~c": [1, {"x": 3}]}},\n "seed": 42}\n'


@pytest.mark.parametrize(
    ("path", "pointer", "rule", "expected"),
    [
        ("ds.json", "/optimizer/params/lr", RATE, [True, False, False]),
        ("*.json", "/optimizer", "lr/*", [True, True, False]),
        ("/sub/ds.json", "/optimizer/params/a~1b~0c/1/x", RATE, [False, True, False]),
        ("ds.json", "", "all", [True, True, True]),
        ("ds.json", "/seed", "warning", [False, False, True]),
        ("ds.json", "/optimizer/params/lr/x", RATE, [False, False, False]),
        ("ds.json", "/optimizer/params/a~1b~0c/9", RATE, [False, False, False]),
        ("other.json", "", RATE, [False, False, False]),
        ("ds.json", "", STEP, [False, False, False]),
    ],
)
def test_json_through_the_configuration(
    tmp_path: Path, path: str, pointer: str, rule: str, expected: list[bool]
) -> None:
    source = load(tmp_path, "sub/ds.json", JSON)
    found = [find(source, RATE, text) for text in ("2e-5", "3", "42")]
    result = suppress.apply(readers.read(source), found, RULES, ignores=[ignore(tmp_path, path, pointer, rule)])
    assert [finding not in result.kept for finding in found] == expected
    assert all((gone.reason, gone.at) == ("because", None) for gone in result.suppressed)


def test_a_selector_hides_no_syntax_error(tmp_path: Path) -> None:
    source = load(tmp_path, "ds.json", '{"a": }')
    (found,) = [find(source, "file/syntax-error", "}")]
    document = readers.read(source)
    assert suppress.apply(document, [found], RULES, ignores=[ignore(tmp_path, "*", "", "file/*", "all")]).kept == [
        found
    ]
    named = ignore(tmp_path, "*", "", "file/syntax-error")
    assert suppress.apply(document, [found], RULES, ignores=[named]).kept == []


def test_comments_in_json_are_told_where_to_go() -> None:
    (finding,) = extra(f'{{\n // # trainlint: ignore[{RATE}] r\n "lr": 2e-5}}', name="ds.json")
    assert finding.rule == "suppressions/malformed"
    assert "configuration" in finding.advice


def test_a_linked_file_speaks_for_itself(tmp_path: Path) -> None:
    script = load(tmp_path, "run.sh", f"# trainlint: ignore-file[{RATE}] r\nllamafactory-cli train a.yaml\n")
    linked = load(tmp_path, "a.yaml", f"lr: 2e-5\nseed: 1  # trainlint: ignore[{SEED}] r\n")
    data = load(tmp_path, "ds.json", JSON)
    found = [find(linked, RATE, "2e-5"), find(linked, SEED, "1"), find(data, RATE, "42"), find(script, RATE, "train")]
    ignores = [ignore(tmp_path, "ds.json", "/seed", RATE)]
    result = suppress.apply(readers.read(script), found, RULES, ignores=ignores)
    assert result.kept == found[:1]
    assert result.extra == []


# ------------------------------------------------------------------------------------------------- writing comments


def added(text: str, *found: Flagged, name: str = "run.sh", reason: str = "稍后") -> str:
    source = SourceText(name, text)
    result = suppress.add(readers.read(source), [find(source, *each) for each in found], reason)
    assert not result.left
    written = apply(text, [(edit.at.span, edit.text) for edit in result.edits])
    again = judge(written, (), name)
    assert "malformed" not in {finding.rule.partition("/")[2] for finding in again.extra}
    return written


def test_add_at_the_end_of_a_line() -> None:
    text = "lr=2e-5\nx=1 # 说明  \n"
    assert added(text, (RATE, "2e-5"), (STEP, "2e-5"), (SEED, "1")) == (
        f"lr=2e-5  # trainlint: ignore[{STEP}, {RATE}] 稍后\nx=1 # 说明  # trainlint: ignore[{SEED}] 稍后  \n"
    )


def test_add_above_a_command() -> None:
    text = COMMAND.format(comment="# 说明")
    expected = COMMAND.format(comment=f"# 说明\n    # trainlint: ignore[{SEED}, {RATE}]")
    assert added(text, (RATE, "2e-5"), (SEED, "64"), reason="") == expected


def test_add_into_a_suppression_that_is_there() -> None:
    text = COMMAND.format(comment=f"# trainlint: ignore[{RATE}] 原因")
    assert added(text, (SEED, "64"), (STEP, "2e-5")) == text.replace(RATE, f"{RATE}, {SEED}, {STEP}")
    trailing = f"lr=1  # trainlint: ignore[{RATE}] r\n"
    assert added(trailing, (STEP, "1")) == trailing.replace(RATE, f"{RATE}, {STEP}")
    whole = f"# trainlint: ignore-file[{RATE}] r\nlr=1\n"
    assert added(whole, (STEP, "1")) == f"{whole[:-1]}  # trainlint: ignore[{STEP}] 稍后\n"


def test_add_in_an_array() -> None:
    text = "args=(\n  --learning_rate 2e-5\n  --seed 1\n)\n"
    assert added(text, (RATE, "2e-5")) == text.replace("2e-5", f"2e-5  # trainlint: ignore[{RATE}] 稍后")


def test_add_with_carriage_returns() -> None:
    text = "lr=2e-5\r\n  x=3\r\n"
    assert added(text, (RATE, "3")) == f"lr=2e-5\r\n  # trainlint: ignore[{RATE}] 稍后\r\n  x=3\r\n"
    yaml = "lr: 2e-5\r\nseed: 3\r\n"
    assert added(yaml, (RATE, "3"), name="a.yaml") == f"lr: 2e-5\r\nseed: 3  # trainlint: ignore[{RATE}] 稍后\r\n"


def test_add_above_a_batch_header() -> None:
    text = "#!/bin/bash\n#SBATCH --gres=gpu:8\nlr=1\n"
    assert added(text, (SEED, "gpu")) == f"#!/bin/bash\n# trainlint: ignore[{SEED}] 稍后\n#SBATCH --gres=gpu:8\nlr=1\n"


def test_add_in_yaml_and_toml() -> None:
    text = 'a: |\n  x\n  y\nb:\n  - "1\n    2"\n  - 3\n'
    assert added(text, (RATE, "1"), (SEED, "3"), name="a.yaml") == (
        f'a: |\n  x\n  y\nb:\n  # trainlint: ignore[{RATE}] 稍后\n  - "1\n    2"\n  - 3  # trainlint: ignore[{SEED}] 稍后\n'
    )
    assert added("lr = 2e-5", (RATE, "2e-5"), name="a.toml") == f"lr = 2e-5  # trainlint: ignore[{RATE}] 稍后"


def test_add_keeps_a_reason_on_one_line() -> None:
    assert added("lr=1\n", (RATE, "1"), reason=" a\n  b ") == f"lr=1  # trainlint: ignore[{RATE}] a b\n"


def test_add_leaves_what_no_comment_can_hide() -> None:
    source = SourceText("run.sh", "#!/bin/bash\ncat > x.yaml <<EOF\nlr: 2e-5\nEOF\n# trainlint: ignore\n")
    other = SourceText("b.sh", "lr=1\n")
    found = [
        at_offset(source, RATE, 3), find(source, "file/syntax-error", "cat"), at_offset(other, RATE, 3),
        find(source, "suppressions/malformed", "# trainlint"),
    ]  # fmt: skip
    result = suppress.add(readers.read(source), found, "r")
    assert result.edits == ()
    assert set(map(id, result.left)) == set(map(id, found))


def test_add_for_json(tmp_path: Path) -> None:
    source = load(tmp_path, "sub/d[s].json", JSON)
    shown = [find(source, RATE, "2e-5"), find(source, SEED, "3"), find(source, STEP, "2e-5")]
    absent = at_offset(source, SEED, 1)  # without an argument it is about the file
    found = [*(replace(finding, argument="lr") for finding in shown), absent]
    result = suppress.add(readers.read(source), found, '说 "好"', base=tmp_path)
    assert (result.edits, result.left) == ((), ())
    assert [(entry.pointer, entry.rules) for entry in result.entries] == [
        ("", (SEED,)), ("/optimizer/params/a~1b~0c/1/x", (SEED,)), ("/optimizer/params/lr", (STEP, RATE)),
    ]  # fmt: skip
    import tomli

    tables = tomli.loads("".join(entry.toml() for entry in result.entries))["ignores"]
    assert tables[2]["reason"] == '说 "好"'
    ignores = [ignore(tmp_path, table["path"], table["pointer"], *table["rules"]) for table in tables]
    assert suppress.apply(readers.read(source), found, RULES, ignores=ignores).kept == []


# Fragments of scripts. Any character of any of them may be flagged.
FRAGMENTS = [
    "lr=2e-5\n", "lr=${LR:-2e-5} seed=1\n", "# 注释\n", "\n", "#SBATCH --nodes=2\n",
    "launch --a $lr \\\n    --b '1\n  2' \\\n  --c 3\n", "launch \\\n  --a 1 | cat\n", "launch --a 1 && launch \\\n  --b 2\n",
    "args=(\n  --a 1  # 说明\n  # 注\n  '--b\n2'\n)\nlaunch \"${args[@]}\"\n",
    "if [ -n \"$lr\" ]; then\n  launch --a 1 \\\n    --b 2\nelse\n  lr=3\nfi\n",
    "for i in 1 \\\n  2; do launch $i\ndone\n", "cat <<EOF > x\nlr: 1 # no\nEOF\n", "x=$(echo \\\n  2)\n",
    "launch --a 1 \\ \n  --b 2\n", "launch --a 1 \\\n# 断\n  --b 2\n", "f() {\n\tlaunch --f \"$1\" # f\n}\nf 1\n",
    "bash -c \"launch --a \\\n  1\"\n", "launch --a '学习率' # trainlint: ignore[lr/*] 原因\n",
    "# trainlint: ignore[arguments/unknown] r\nlaunch --a 1 \\\n  --b 2\n", "(\n  launch 1\n)\n", "launch 1 >log 2>&1\n",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0, 0.999), st.sampled_from([RATE, SEED, STEP])), min_size=1, max_size=4),
    st.booleans(),
)
def test_added_comments_hide_and_change_nothing_else(
    fragments: list[str], places: list[tuple[float, str]], crlf: bool
) -> None:
    text = "".join(fragments)
    if crlf:
        text = text.replace("\n", "\r\n")
    source = SourceText("run.sh", text)
    found = [at_offset(source, rule, int(place * len(text))) for place, rule in places]
    document = readers.read(source)
    open_ = suppress.apply(document, found, RULES).kept
    result = suppress.add(document, open_, "稍后")
    edits = [(edit.at.span, edit.text) for edit in result.edits]
    written = SourceText("run.sh", apply(text, edits))
    moved = [at_offset(written, f.rule, _moved(f.at.span.start, edits)) for f in open_ if f not in result.left]
    assert suppress.apply(readers.read(written), moved, RULES).kept == []
    if edits:
        assert bash_launches(written.text) == bash_launches(text)


def _moved(offset: int, edits: list[tuple[Span, str]]) -> int:
    return offset + sum(len(text) - (span.end - span.start) for span, text in edits if span.start <= offset)


@given(st.text(st.sampled_from("# trainlint:ignore-file[]lr/*,， \n=学\\'\"x"), max_size=80))
def test_any_text_can_be_judged(text: str) -> None:
    for name in ("a.sh", "a.yaml", "a.json", "a.toml"):
        source = SourceText(name, text)
        found = [at_offset(source, RATE, n, 0) for n in range(0, len(text) + 1, 7)]
        document = readers.read(source)
        result = suppress.apply(document, found, RULES, require_reason=True)
        assert len(result.kept) + len([g for g in result.suppressed if g.finding in found]) == len(found)
        for finding in result.extra:
            if finding.fix is not None:
                repaired(text, finding)
        suppress.add(document, result.kept, "r")


# ---------------------------------------------------------------------------------------------------- real files


@needs_corpus
def test_real_files_mean_the_same_with_their_suppressions() -> None:
    import yaml

    seen = 0
    for file in real_files("yaml", "yml")[::12]:
        source = SourceText.load(file, file.name)
        document = readers.read(source)
        if document.root is None or not document.root.entries:
            continue
        found = [
            at_offset(source, RATE, entry.value.span.start) for entry in document.root.entries if not entry.merged
        ][:12]
        result = suppress.add(document, found, "稍后")
        assert result.left == ()
        edits = [(edit.at.span, edit.text) for edit in result.edits]
        written = apply(source.text, edits)
        assert list(yaml.safe_load_all(written)) == list(yaml.safe_load_all(source.text))
        text = SourceText(file.name, written)
        moved = [at_offset(text, RATE, _moved(f.at.span.start, edits)) for f in found]
        judged = suppress.apply(readers.read(text), moved, RULES)
        assert (judged.kept, judged.extra) == ([], [])
        seen += 1
    assert seen > 20


# ------------------------------------------------------------------------------------------------ in the whole linter

LAUNCH = """\
torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --do_train --per_device_train_batch_size 1 --lora_rank 8 \\
    --gradient_accumulation_steps 1 --block_size 64 --learning_rate 2e-5
"""


def test_runs_that_share_a_finding_are_suppressed_one_by_one() -> None:
    text = f"{LAUNCH}# trainlint: ignore[{STEP}] r\n{LAUNCH}{LAUNCH}"
    report = linted(text)
    (finding,) = [finding for finding in report.findings if finding.rule == STEP]
    assert finding.message.endswith("(in 2 of 3 runs)")
    assert [gone.finding.at.start.line for gone in report.suppressed] == [5]


def test_one_pass_hides_all_runs_that_share_a_finding() -> None:
    source = SourceText("run.sh", LAUNCH * 3)
    report = linted(source.text, source)
    result = suppress.add(readers.read(source), report.findings, "r")
    written = apply(source.text, [(edit.at.span, edit.text) for edit in result.edits])
    assert report.findings
    assert linted(written).findings == []


@pytest.mark.parametrize("rule", [STEP, "memory/does-not-fit"])
def test_what_an_option_hides_or_lacks_is_not_unused(rule: str) -> None:
    text = f"# trainlint: ignore[{rule}] r\n{LAUNCH}"
    for settings_ in (Settings(min_confidence="high"), Settings(selection=(Layer(select=("suppressions/*",)),))):
        assert "suppressions/unused" not in {finding.rule for finding in linted(text, settings=settings_).findings}


def test_a_file_without_a_run_may_be_one_that_we_do_not_know_yet() -> None:
    text = f"# trainlint: ignore[{STEP}] r\nlr: 1\n"
    assert linted(text, SourceText("a.yaml", text)).findings == []


def linted(text: str, source: SourceText | None = None, settings: Settings | None = None) -> Report:
    report = Report()
    Linter(settings or Settings()).lint(source or SourceText("run.sh", text), report)
    assert not report.internal_errors
    return report


# ---------------------------------------------------------------------------------------------- Python and notebooks

PYTHON = """\
from trl import SFTConfig, SFTTrainer
from peft import LoraConfig
# trainlint: ignore[lr/lora-ceiling] 学 a trial
args = SFTConfig(
    "out",
    learning_rate=2e-2,{}
)
SFTTrainer("org/base-7b", args, peft_config=LoraConfig(r=8))
"""
ABOVE = "# trainlint: ignore[lr/lora-ceiling] 学 a trial\n"


def rules_in(name: str, text: str) -> set[str]:
    report = Report()
    Linter(Settings()).lint(SourceText(name, text), report)
    assert report.internal_errors == []
    return {finding.rule for finding in report.findings}


def as_notebook(code: str) -> str:
    lines = [json.dumps(line, ensure_ascii=False) for line in code.splitlines(keepends=True)]
    return '{"cells": [{"cell_type": "code", "source": [\n' + ",\n".join(lines) + "\n]}]}\n"


@pytest.mark.parametrize("as_file", [lambda code: ("a.py", code), lambda code: ("a.ipynb", as_notebook(code))])
def test_comments_in_python_hide_what_they_name(as_file: Callable[[str], tuple[str, str]]) -> None:
    comment = "  # trainlint: ignore[lr/lora-ceiling] a trial"
    bare = PYTHON.replace(ABOVE, "").format("")
    assert "lr/lora-ceiling" in rules_in(*as_file(bare))
    for text in (PYTHON.format(""), PYTHON.replace(ABOVE, "").format(comment)):
        found = rules_in(*as_file(text))
        assert "lr/lora-ceiling" not in found
        assert "suppressions/unused" not in found
    assert "suppressions/unused" in rules_in(*as_file(PYTHON.format("").replace("2e-2", "2e-4")))
    assert "lr/lora-ceiling" in rules_in(*as_file(bare.replace('"out"', f'"{comment}"')))


def test_comments_are_added_to_python() -> None:
    text = PYTHON.replace(ABOVE, "").format("")
    source = SourceText("a.py", text)
    added = suppress.add(readers.read(source), [find(source, "lr/lora-ceiling", "2e-2")], "a trial")
    after = apply(text, [(edit.at.span, edit.text) for edit in added.edits])
    assert after == text.replace("2e-2,", "2e-2,  # trainlint: ignore[lr/lora-ceiling] a trial")


def ignored(text: str, reason: str) -> str:
    """A notebook with a comment for each of its findings."""
    source = SourceText("a.ipynb", text)
    report = Report()
    Linter(Settings()).lint(source, report)
    added = suppress.add(readers.read(source), report.findings, reason)
    assert (added.left, added.entries) == ((), ())
    return apply(text, [(edit.at.span, edit.text) for edit in added.edits])


@settings(max_examples=60)
@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 1, 2, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.text('aä学"\\ #', max_size=8),
    st.sampled_from(["", "  ", "  # 2e-2"]),
)
def test_comments_are_added_to_notebooks(
    lines: bool, ascii: bool, indent: int | str | None, newline: str, reason: str, behind: str
) -> None:
    code = PYTHON.replace(ABOVE, "").format(behind)
    cells = ["# 学\n", code, "print('\\n')\n"]
    content = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": cell.splitlines(keepends=True) if lines else cell}
            for cell in cells
        ],
        "nbformat": 4,
    }
    text = json.dumps(content, ensure_ascii=ascii, indent=indent).replace("\n", newline) + newline
    hushed = ignored(text, reason)
    found = json.loads(hushed)
    written = ["".join(cell["source"]) for cell in found["cells"]]
    assert (written[0], written[2]) == (cells[0], cells[2])
    assert found.keys() == content.keys()
    before = [line.rstrip() for line in code.splitlines()]
    after = written[1].splitlines()
    assert len(after) == len(before)
    assert all(now.startswith(line) for now, line in zip(after, before, strict=True))
    assert " ".join(reason.split()) in written[1]
    assert rules_in("a.ipynb", hushed) == set()


def test_a_comment_of_a_notebook_stands_above_what_takes_none() -> None:
    code = PYTHON.replace(ABOVE, "").format("").replace("2e-2,", "2e-2 \\\n    ,")
    text = as_notebook(code)
    after = json.loads(ignored(text, "a trial"))["cells"][0]["source"]
    assert next(line for line in after if "lora-ceiling" in line).lstrip().startswith("#")


def test_an_unused_comment_leaves_the_notebook_whole() -> None:
    source = SourceText("a.ipynb", as_notebook(PYTHON.format("").replace("2e-2", "2e-4")))
    result = fixed(source)
    assert "ignore" not in result.text
    assert json.loads(result.text)["cells"][0]["source"][2] == "\n"
