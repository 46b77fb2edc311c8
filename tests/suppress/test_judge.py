"""What is said of bad suppressions, and what counts as unused."""

from __future__ import annotations

import pytest

from helpers_suppress import (
    RANK,
    RATE,
    RULES,
    STEP,
    extra,
    hidden,
    repaired,
    said,
)
from trainlint import readers, suppress
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.ruleset.file import Rule
from trainlint.settings import Layer, Settings
from trainlint.text import SourceText, apply


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
