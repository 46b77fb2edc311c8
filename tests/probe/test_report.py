"""The report says what was measured, on how much, and what it does not mean."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from probe.tracks import side, track
from trainlint.probe.report_json import to_json
from trainlint.probe.report_text import render
from trainlint.probe.result import CAVEATS, Experiment, Variant, sentence, short
from trainlint.probe.settings import LINEAR_LAYERS, ProbeSettings, Reading
from trainlint.probe.text import Text
from trainlint.probe.thresholds import BASE, TARGET_GAIN
from trainlint.probe.verdict import Track, judge

A = ProbeSettings(
    method="lora", learning_rate=2e-4, scheduler="cosine", warmup=0.0, batch=1, block=64, clip=1.0, weight_decay=0.01,
    beta1=0.9, beta2=0.999, rank=64, alpha=128, dropout=0.05, targets=LINEAR_LAYERS, modules_to_save=("lm_head",),
)  # fmt: skip
B = replace(A, batch=4, block=512, warmup=0.05)
GAIN = 2 * TARGET_GAIN


def experiment(a: tuple[Track, ...], b: tuple[Track, ...], **more: object) -> Experiment:
    seeds = 3
    verdict = judge(a, b, seeds)
    text = Text(
        "the probe's own Chinese text", b"x" * 500, b"y" * 100, "your data (2,445 bytes) is refused: too little"
    )
    made = Experiment(
        "run.sh", 21, Reading(A, ("a step is capped",)), Reading(B, ()),
        (("set --block_size to 512", "context/block-too-short"),), text, 8.0, seeds, verdict, a, b, "base writes this", 22.4,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


CLEAR = experiment(side(6.0, 5.0, 7.0, gain=GAIN), side(1.0, 0.8, 0.9, gain=GAIN, size=2048))


def test_a_clear_difference_with_every_seed_and_both_ways_of_looking() -> None:
    text = render(CLEAR)
    assert "your settings cost 3.0 % of English, the suggested ones 0.45 %" in " ".join(text.split())
    for seed in ("3", "2.5", "3.5", "0.5", "0.4", "0.45"):
        assert seed in text
    assert "SAME BYTES" in text
    assert "times as much text" in text
    assert "they do not help by themselves" in " ".join(text.split())
    assert "set --block_size to 512 [context/block-too-short]" in text
    assert "block 64 → 512" in text
    assert "multiplied by 8 on both sides" in text
    assert "2,445 bytes" in text
    assert "a step is capped" in text
    assert all(word in " ".join(text.split()) for word in CAVEATS.split()[:12])
    assert "Rule: means at least 1.5x and 0.5 points apart" in text


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (side(1, 1, 1, gain=GAIN), side(1, 1, 1, gain=GAIN), "no difference detected"),
        (side(6, 6, 6, gain=GAIN), side(0, 0, 0, gain=0.01, end="short"), "B (suggested) did not learn"),
        (side(400, 400, 400, gain=-0.5, end="diverged"), side(1, 1, 1, gain=GAIN), "A (yours) diverged"),
        (side(6, 6, gain=GAIN), side(1, 1, 1, gain=GAIN), "inconclusive"),
        ((), (), "inconclusive"),
        ((*side(6, 6, gain=GAIN), track(2, 1, end="time")), side(1, 1, 1, gain=GAIN), "inconclusive"),
    ],
)
def test_other_verdicts_make_no_comparison(a: tuple[Track, ...], b: tuple[Track, ...], said: str) -> None:
    made = experiment(a, b)
    assert said in sentence(made)
    assert "cost more" not in render(made)
    json.loads(to_json([made]))


def test_fine_tuning_is_marked_as_outside_the_calibration() -> None:
    made = replace(CLEAR, a=replace(CLEAR.a, sft=True))
    assert "outside of what the probe is calibrated for" in " ".join(render(made).split())
    assert json.loads(to_json([made]))["experiments"][0]["calibrated"] is False


def test_json_holds_every_number() -> None:
    found = json.loads(to_json([CLEAR]))
    assert found["version"] == 1
    one = found["experiments"][0]
    assert one["verdict"]["kind"] == "costs more"
    assert one["rule"] == {"gain": TARGET_GAIN, "ratio": 1.5, "points": 0.5, "seeds": 3, "base": BASE}
    assert [seed["at_gain"]["cost"] for seed in one["a"]["seeds"]] == pytest.approx([3.0, 2.5, 3.5])
    assert one["same_bytes"]["bytes"] == 2560
    assert one["caveats"] == CAVEATS


def test_changes_one_by_one_and_sweeps() -> None:
    variant = Variant("set --block_size to 512", replace(A, block=512), side(2, 2, 2, gain=GAIN), CLEAR.verdict)
    text = render(replace(CLEAR, variants=(variant,)))
    assert "set --block_size to 512: costs less than A" in text
    swept = render(replace(CLEAR, variants=(variant,), sweep=True, b_tracks=(), changes=()))
    assert "which rank is best does not show" in " ".join(swept.split())
    late = replace(variant, tracks=variant.tracks[:1])
    assert "1 of 2 settings got there" in sentence(replace(CLEAR, variants=(variant, late), sweep=True, b_tracks=()))
    assert "A TO B" not in swept


def test_the_change_that_matters_most_comes_first() -> None:
    weak = Variant("weak", replace(A, warmup=0.05), side(5.8, 5.0, 6.8, gain=GAIN), CLEAR.verdict)
    strong = Variant("strong", replace(A, block=512), side(1, 1, 1, gain=GAIN), CLEAR.verdict)
    text = render(replace(CLEAR, variants=(weak, strong)))
    assert text.index("strong") < text.index("weak")
    assert "ONE BY ONE" not in render(replace(CLEAR, variants=(weak, strong), b_tracks=(), verdict=judge((), (), 3)))


def swept(*variants: tuple[str, ProbeSettings, float]) -> str:
    made = tuple(Variant(title, s, side(c, c, c, gain=GAIN), CLEAR.verdict) for title, s, c in variants)
    return sentence(replace(CLEAR, variants=made, sweep=True, b_tracks=()))


def test_a_sweep_says_to_cut_the_step_at_the_users_own_rank_and_only_there() -> None:
    half, tenth = replace(A, learning_rate=1e-4), replace(A, learning_rate=2e-5)
    other = replace(A, rank=8)
    said = swept(("half", half, 2.0), ("tenth", tenth, 0.4), ("rank 8", other, 1.0))
    assert "at your rank of 64, halve learning rate x alpha / rank: it costs 1.0 % instead of 3.0 %" in said
    assert "take 0.1 of learning rate" in swept(("half", half, 5.0), ("tenth", tenth, 0.4))
    assert "at your rank" not in swept(("rank 8", other, 1.0))
    assert "settings got there" not in said
    assert "at your rank" not in swept(("half", half, 5.9))
    assert "at your rank" not in swept(("larger steps too", replace(half, batch=8), 1.0))
    twice = replace(A, learning_rate=4e-4)
    assert "halve learning rate x alpha / rank (from twice): it costs 3.0 % instead of 8.0 %" in swept(
        ("twice", twice, 16.0), ("as it is", A, 6.0)
    )


def test_a_side_that_never_got_there_is_not_said_to_need_more_text() -> None:
    text = render(experiment(side(6, 6, 6, gain=GAIN), side(0, 0, 0, gain=0.01, end="short", size=2048)))
    assert "times as much text" not in text


def test_the_line_for_a_finding() -> None:
    assert short(CLEAR).startswith("tried on a tiny model")
    assert "\n" not in short(CLEAR)


def test_lines_keep_to_the_width() -> None:
    prose = [line for line in render(CLEAR, 80).splitlines() if "|" not in line and "·" not in line]
    assert max(map(len, prose)) <= 100
