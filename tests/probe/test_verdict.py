"""The verdict rule, as numbers alone: what may be said, and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.tracks import side, track
from trainlint.probe.verdict import POINTS, RATIO, Point, Track, at_bytes, at_gain, compare, costs, judge, same_bytes

COST = st.floats(-1, 100, allow_nan=False)


@pytest.mark.parametrize(
    ("a", "b", "kind", "dearer"),
    [
        ((2.8, 2.2, 1.7), (0.4, 0.5, 0.3), "costs more", "A"),
        ((0.4, 0.5, 0.3), (2.8, 2.2, 1.7), "costs more", "B"),
        ((2.0, 2.0, 2.0), (1.4, 1.4, 1.4), "no difference detected", None),  # less than 1.5x
        ((0.8, 0.8, 0.8), (0.4, 0.4, 0.4), "no difference detected", None),  # less than half a point
        ((9.0, 9.0, 0.3), (0.4, 0.5, 0.4), "no difference detected", None),  # a seed disagrees
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "no difference detected", None),
        ((1.0, 1.0, 1.0), (-0.1, -0.2, -0.1), "costs more", "A"),  # nothing to divide by
        ((float("nan"), 1.0, 1.0), (0.1, 0.1, 0.1), "inconclusive", None),
    ],
)
def test_rule(a: tuple[float, ...], b: tuple[float, ...], kind: str, dearer: str | None) -> None:
    verdict = compare(a, b)
    assert (verdict.kind, verdict.dearer) == (kind, dearer)


@given(st.lists(st.tuples(COST, COST), min_size=1, max_size=6))
def test_a_difference_is_claimed_only_by_the_whole_rule(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    verdict = compare(a, b)
    mirrored = compare(b, a)
    assert mirrored.kind == verdict.kind
    if verdict.kind == "costs more":
        high, low = (a, b) if verdict.dearer == "A" else (b, a)
        mean_high, mean_low = sum(high) / len(high), sum(low) / len(low)
        assert mean_high - mean_low >= POINTS - 1e-9
        assert mean_high >= RATIO * mean_low - 1e-9
        assert all(x > y for x, y in zip(high, low, strict=True))
        assert mirrored.dearer != verdict.dearer


def test_nothing_is_said_when_the_time_ran_out() -> None:
    a, b = side(3, 3, 3), side(0.2, 0.2, 0.2)
    assert judge(a, b, 3).kind == "costs more"
    assert judge(a[:2], b, 3).kind == "inconclusive"
    assert judge(a, (*b[:2], track(2, 0.2, end="time")), 3).kind == "inconclusive"
    assert judge((), (), 3).kind == "inconclusive"


def test_a_side_that_learns_nothing_forgets_nothing_and_is_not_praised_for_it() -> None:
    verdict = judge(side(3, 3, 3), side(0, 0, 0, gain=0.01, end="short"), 3)
    assert (verdict.kind, verdict.sides) == ("did not learn", ("B",))
    both = judge(side(0, 0, 0, gain=0.01, end="short"), side(0, 0, 0, gain=0.01, end="short"), 3)
    assert both.sides == ("A", "B")


def test_one_seed_that_falls_short_leaves_it_open() -> None:
    a = (*side(3, 3), track(2, 0.1, gain=0.01, end="short"))
    assert judge(a, side(0.2, 0.2, 0.2), 3).kind == "inconclusive"


def test_divergence_comes_before_not_learning() -> None:
    a = side(400, 400, 400, gain=-0.4, end="diverged")
    verdict = judge(a, side(0.2, 0.2, 0.2), 3)
    assert (verdict.kind, verdict.sides) == ("diverged", ("A",))


def test_interpolation_between_measured_points() -> None:
    found = at_gain(track(0, 4.0, gain=0.3), 0.15)
    assert found == Point(20, 1280, 0.15, 2.0)
    assert at_gain(track(0, 4.0, gain=0.1), 0.15) is None
    early = at_bytes(track(0, 4.0, gain=0.3), 640)
    assert early is not None
    assert early.gain == pytest.approx(0.075)
    assert at_bytes(track(0, 4.0), 10**6) is None


def test_the_first_crossing_counts() -> None:
    points = (Point(0, 0, 0, 0), Point(1, 1, 0.2, 1), Point(2, 2, 0.1, 2), Point(3, 3, 0.4, 9))
    found = at_gain(Track(0, points, "reached"), 0.15)
    assert found is not None
    assert found.cost == pytest.approx(0.75)


def test_same_bytes_is_what_all_tracks_have_seen() -> None:
    a, b = side(1, 1, size=64), side(1, 1, size=2048)
    assert same_bytes(a, b) == 40 * 64
    assert costs(side(1, 2, gain=0.01)) == [None, None]
