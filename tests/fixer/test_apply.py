"""Passes, overlaps, and fixes that make things worse."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from helpers_fixes import fixed, relint
from trainlint.findings import Finding, Fix, Severity
from trainlint.fixer.apply import MOST_PASSES, Fixed, fix, fix_linked
from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.text import Edit, Location, SourceText, Span, apply

Rules = dict[str, tuple[str, str]]
"""A pattern and its replacement, by rule."""


def linter(rules: Rules, severity: Severity = "warning") -> Callable[[SourceText], list[Finding]]:
    """Each match of a rule's pattern is a finding, with the replacement as its fix (`-`: none)."""

    def lint(source: SourceText) -> list[Finding]:
        found = []
        for rule, (pattern, replacement) in rules.items():
            for match in re.finditer(pattern, source.text):
                at = Location(source, Span(*match.span()))
                edit = Fix(rule, (Edit(at, match.expand(replacement)),)) if replacement != "-" else None
                found.append(Finding(rule, severity, "high", rule, at, "", fix=edit))
        return found

    return lint


def run(text: str, rules: Rules) -> Fixed:
    return fix(SourceText("f", text), linter(rules), lambda finding: True)


def reasons(result: Fixed) -> dict[str, str]:
    return {dropped.finding.rule: dropped.reason for dropped in result.dropped}


def test_everything_that_helps_is_applied() -> None:
    result = run("a b a", {"x/a": ("a", "c"), "x/b": ("b", "d")})
    assert result.text == "c d c"
    assert [finding.rule for finding in result.applied] == ["x/a", "x/a", "x/b"]
    assert result.changed
    assert result.remaining == result.dropped == ()
    assert len(result.passes) == 1


def test_nothing_to_do() -> None:
    result = run("a", {"x/b": ("b", "c"), "x/a": ("a", "-")})
    assert not result.changed
    assert result.result.text == "a"
    assert [finding.rule for finding in result.remaining] == ["x/a"]


def test_only_what_is_accepted() -> None:
    rules = {"x/a": ("a", "c"), "x/b": ("b", "d")}
    result = fix(SourceText("f", "a b"), linter(rules), lambda finding: finding.rule == "x/b")
    assert result.text == "a d"
    assert [finding.rule for finding in result.remaining] == ["x/a"]


def test_what_overlaps_or_touches_waits_for_the_next_pass() -> None:
    result = run("ab", {"x/a": ("a", "c"), "x/b": ("b", "d")})
    assert result.text == "cd"
    assert [len(splices) for splices in result.passes] == [1, 1]
    result = run("abc", {"x/ab": ("ab", "_"), "x/bc": ("bc", "-"), "x/b": ("b", "2")})
    assert result.text == "_c"


def test_one_bad_fix_does_not_lose_the_good_ones() -> None:
    rules = {"x/a": (r"a(\d)", r"A\1"), "x/new": ("A5", "-")}
    result = run(" ".join(f"a{n}" for n in range(9)), rules)
    assert result.text == "A0 A1 A2 A3 A4 a5 A6 A7 A8"
    assert reasons(result) == {"x/a": "it would add x/new"}
    assert len(result.applied) == 8


def test_a_fix_that_brings_more_of_its_own_kind_is_dropped() -> None:
    result = run("a", {"x/a": ("a", "aa")})
    assert (result.text, reasons(result)) == ("a", {"x/a": "it would add x/a"})


def test_a_fix_that_does_not_help_is_dropped() -> None:
    assert reasons(run("a", {"x/a": ("[ab]", "b")})) == {"x/a": "it would leave the finding as it is"}
    assert reasons(run("a", {"x/a": ("a", "a")})) == {"x/a": "it changes nothing"}


def test_a_fix_after_which_the_text_does_not_parse_is_dropped() -> None:
    rules = {"x/a": ("a", "("), "file/syntax-error": (r"\(", "-")}
    assert reasons(run("a", rules)) == {"x/a": "the result could not be parsed"}


def test_what_a_repair_uncovers_does_not_count_against_it() -> None:
    rules = {"file/syntax-error": (r"\(", ""), "x/b": ("^b", "-")}
    assert run("(b", rules).text == "b"
    rules = {"launch/broken": (r"\(", ""), "file/syntax-error": ("^b", "-")}
    assert run("(b", rules).text == "(b"


def test_a_dropped_fix_is_not_tried_again() -> None:
    tried: list[str] = []
    lint = linter({"x/a": ("a", "aa"), "x/b": ("b(?=b)", ""), "x/c": ("c", "d")})

    def counting(source: SourceText) -> list[Finding]:
        tried.append(source.text)
        return lint(source)

    result = fix(SourceText("f", "a\nbbbb\nc"), counting, lambda finding: True)
    assert result.text == "a\nb\nd"
    assert sum("aa" in text for text in tried) <= 3


def test_the_passes_are_capped() -> None:
    def lint(source: SourceText) -> list[Finding]:
        first = Location(source, Span(0, 1))
        edit = Fix("one less", (Edit(first, ""),))
        return [Finding("x/n", "warning", "high", "", first, "", fix=edit) for _ in source.text]

    result = fix(SourceText("f", "n" * 30), lint, lambda finding: True)
    assert len(result.passes) == MOST_PASSES
    assert result.text == "n" * (30 - MOST_PASSES)


def test_milder_is_better_and_worse_is_worse() -> None:
    def lint(source: SourceText) -> list[Finding]:
        at = Location(source, Span(0, 1))
        levels: dict[str, Severity] = {"1": "note", "2": "warning", "3": "error"}
        severity = levels[source.text]
        other = {"2": "1", "1": "3"}.get(source.text, "3")
        return [Finding("x/a", severity, "high", "", at, "", fix=Fix("", (Edit(at, other),)))]

    result = fix(SourceText("f", "2"), lint, lambda finding: True)
    assert (result.text, len(result.applied), reasons(result)) == ("1", 1, {"x/a": "it would add x/a"})


def test_all_edits_of_a_fix_or_none() -> None:
    def lint(source: SourceText) -> list[Finding]:
        spans = [Span(*match.span()) for match in re.finditer("a", source.text)]
        if not spans:
            return []
        edits = tuple(Edit(Location(source, span), "b") for span in spans)
        clash = (*edits, Edit(Location(source, Span(0, 2)), "c"))
        return [
            Finding("x/a", "warning", "high", "", edits[0].at, "", fix=Fix("both", edits)),
            Finding("x/c", "warning", "high", "", edits[0].at, "", fix=Fix("clash", clash)),
        ]

    result = fix(SourceText("f", "a-a"), lint, lambda finding: True)
    assert result.text == "b-b"
    result = fix(SourceText("f", "a-a"), lint, lambda finding: finding.rule == "x/c")
    assert (result.text, reasons(result)) == ("a-a", {"x/c": "its own edits overlap"})


def test_a_fix_of_another_file_is_left_to_that_file() -> None:
    other = SourceText("other", "a")

    def lint(source: SourceText) -> list[Finding]:
        at = Location(other, Span(0, 1))
        return [Finding("x/a", "warning", "high", "", Location(source, Span(0, 1)), "", fix=Fix("", (Edit(at, "b"),)))]

    result = fix(SourceText("f", "a"), lint, lambda finding: True)
    assert not result.changed
    assert result.dropped == ()
    assert [finding.rule for finding in result.elsewhere] == ["x/a"]


def test_a_linked_file_is_fixed_for_the_run_that_names_it(tmp_path: Path) -> None:
    config, script = tmp_path / "ds.json", tmp_path / "run.sh"
    config.write_text('{\n  "zero_optimization": {"stage": 2},\n  "gradient_clipping": 0\n}\n')
    script.write_text(
        "torchrun --nproc_per_node 1 run_clm.py --output_dir o --model_name_or_path m --do_train \\\n"
        "    --learning_rate 1e-5 --deepspeed ds.json\n"
    )
    judge = Linter(Settings())
    source = SourceText.load(script)
    result = fix(source, relint(judge), lambda finding: True)
    assert [finding.rule for finding in result.elsewhere] == ["stability/clipping"]
    assert "max_grad_norm" not in result.text
    hold = judge._context.files.hold
    (linked,) = fix_linked(result, relint(judge), hold, lambda finding: True)
    assert linked.source.file == config
    assert linked.text == config.read_text().replace('clipping": 0', 'clipping": 1.0')
    assert fix_linked(fix(source, relint(judge), lambda f: True), relint(judge), hold, lambda f: True) == []


# ------------------------------------------------------------------------------------------------------- properties

LETTERS = "abcxyz\n"


@st.composite
def rulebooks(draw: st.DrawFn) -> Rules:
    words = st.text(LETTERS, min_size=1, max_size=3)
    pairs = draw(st.lists(st.tuples(words, st.one_of(st.text(LETTERS, max_size=3), st.just("-"))), max_size=5))
    return {f"x/{number}": (re.escape(pattern), new) for number, (pattern, new) in enumerate(pairs)}


@given(st.text(LETTERS, max_size=30), rulebooks())
def test_fixing_only_ever_helps(text: str, rules: Rules) -> None:
    lint = linter(rules)
    result = run(text, rules)
    assert result.text == _spliced(text, result)
    before, after = ([f.rule for f in lint(SourceText("f", each))] for each in (text, result.text))
    assert all(after.count(rule) <= before.count(rule) for rule in rules)
    assert len(after) <= len(before) - len(result.applied)
    assert [f.rule for f in result.remaining] == after
    if len(result.passes) < MOST_PASSES and not result.dropped:
        assert not run(result.text, rules).changed


def _spliced(text: str, result: Fixed) -> str:
    """The passes by hand: the untouched stretches in their order, with the new texts between them."""
    for splices in result.passes:
        pieces, at = "", 0
        for span, new in sorted(splices):
            assert span.start >= at
            pieces += text[at : span.start] + new
            at = span.end
        text = pieces + text[at:]
    return text


def test_a_safe_run_leaves_judgements_alone() -> None:
    script = "torchrun --nproc_per_node 1 run_clm.py --output_dir o --learning_rate 1 --learning_rate 2 --bf16\n"
    result = fixed(SourceText("run.sh", script), unsafe=False)
    assert result.text == script.replace(" --learning_rate 1", "")
    assert all(finding.fix is not None and finding.fix.safe for finding in result.applied)
    assert apply(script, result.passes[0]) == result.text


ONE_GPU = Settings(stated=state(world_size=1))
FULL = """python run_clm.py --model_name_or_path meta-llama/Llama-2-7b-hf --train_file data.txt --do_train --output_dir out \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 1 --block_size 64 \\
    --learning_rate 2e-5 --num_train_epochs 3
"""


def test_the_rate_is_judged_again_after_the_step_grew() -> None:
    at_once = fixed(SourceText("run.sh", FULL), ONE_GPU).text
    enlarged = FULL.replace("steps 1", "steps 8").replace("block_size 64", "block_size 512")
    assert "--gradient_accumulation_steps 8 --block_size 512 " in at_once
    assert at_once == fixed(SourceText("run.sh", enlarged), ONE_GPU).text
    assert "--learning_rate 2.6e-6 " in at_once


def test_a_step_large_enough_with_the_longer_block_is_left_alone() -> None:
    text = FULL.replace(
        "--per_device_train_batch_size 1 --gradient_accumulation_steps 1", "--per_device_train_batch_size 8"
    )
    assert "gradient_accumulation_steps" not in fixed(SourceText("run.sh", text), ONE_GPU).text


def test_what_a_finding_stood_for_as_well_does_not_count_against_its_fix() -> None:
    text = FULL.replace("--learning_rate", "--save_steps 500 --max_steps 300 --learning_rate")
    assert "--save_steps 60 " in fixed(SourceText("run.sh", text), ONE_GPU).text


def test_fixes_that_wait_for_each_other_are_made_together() -> None:
    source = SourceText("f", "a b")
    waiting = [
        Finding(
            "x/a",
            "warning",
            "high",
            "",
            at,
            "",
            fix=Fix("", (Edit(at, new),), False, frozenset({name}), frozenset("ab")),
        )
        for name, new, at in (("a", "c", Location(source, Span(0, 1))), ("b", "d", Location(source, Span(2, 3))))
    ]
    result = fix(source, lambda text: waiting if text is source else [], lambda finding: True)
    assert result.text == "c d"
