"""From what was measured to what may be said. Pure functions of numbers; nothing here trains anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal

from trainlint.probe.thresholds import POINTS, RATIO, TARGET_GAIN

DIVERGED = -0.05
"""A gain below this is the new text getting worse."""

Kind = Literal["costs more", "no difference detected", "did not learn", "diverged", "inconclusive"]
End = Literal["reached", "short", "diverged", "time"]
Side = Literal["A", "B"]


@dataclass(frozen=True)
class Point:
    """The model after some training. `gain`: bits per byte saved on the held-out new text; `cost`: % more bits for English."""

    step: int
    bytes: int
    gain: float
    cost: float


NOTHING = Point(0, 0, 0.0, 0.0)
"""Where every track begins."""


@dataclass(frozen=True)
class Track:
    """One side under one seed, from the first point (nothing trained) to where it stopped, and why it stopped there."""

    seed: int
    points: tuple[Point, ...]
    end: End
    sample: str = ""
    steepest: float = 0.0
    """Largest gradient norm over the median one."""

    @property
    def last(self) -> Point:
        return self.points[-1]


@dataclass(frozen=True)
class Verdict:
    """`dearer` is the side that costs more; `sides` are those that did not learn or diverged."""

    kind: Kind
    why: str
    dearer: Side | None = None
    sides: tuple[Side, ...] = ()


def at_gain(track: Track, gain: float = TARGET_GAIN) -> Point | None:
    """Where the track first reaches the gain, interpolated between the two measured points around it; None if it never does."""
    return _crossing(track.points, gain, lambda point: point.gain)


def at_bytes(track: Track, size: int) -> Point | None:
    """The track after `size` bytes, interpolated; None if it stopped before."""
    return _crossing(track.points, size, lambda point: float(point.bytes))


def _crossing(points: Sequence[Point], level: float, measure: Callable[[Point], float]) -> Point | None:
    for before, after in pairwise(points):
        low, high = measure(before), measure(after)
        if high >= level:
            part = 0.0 if high == low else min(1.0, max(0.0, (level - low) / (high - low)))

            def between(start: float, end: float, part: float = part) -> float:
                return start + part * (end - start)

            return Point(
                round(between(before.step, after.step)),
                round(between(before.bytes, after.bytes)),
                between(before.gain, after.gain),
                between(before.cost, after.cost),
            )
    return None


def same_bytes(a: Sequence[Track], b: Sequence[Track]) -> int:
    """The largest number of bytes that every track of both sides has seen."""
    return min(track.last.bytes for track in (*a, *b))


def costs(tracks: Sequence[Track], gain: float = TARGET_GAIN) -> list[float | None]:
    """What English cost each seed at the gain, in %; None where it was not reached."""
    points = [at_gain(track, gain) for track in tracks]
    return [None if point is None else point.cost for point in points]


def judge(a: Sequence[Track], b: Sequence[Track], seeds: int, gain: float = TARGET_GAIN) -> Verdict:
    """The verdict on two sides, `seeds` tracks each, the same seeds in the same order."""
    tracks: dict[Side, Sequence[Track]] = {"A": a, "B": b}
    if len(a) < seeds or len(b) < seeds or any(track.end == "time" for track in (*a, *b)):
        return Verdict("inconclusive", "the time budget ran out before every seed of both sides was done")
    diverged = tuple(side for side, of in tracks.items() if 2 * sum(track.end == "diverged" for track in of) > seeds)
    if diverged:
        return Verdict("diverged", "the new text got worse, not better, in most seeds", sides=diverged)
    missed = {side: sum(cost is None for cost in costs(of, gain)) for side, of in tracks.items()}
    unlearned = tuple(side for side, count in missed.items() if 2 * count > seeds)
    if unlearned:
        return Verdict("did not learn", "most seeds stop short of the gain to be matched", sides=unlearned)
    if any(missed.values()):
        return Verdict("inconclusive", "some seeds reach the gain to be matched and some do not")
    return compare([c for c in costs(a, gain) if c is not None], [c for c in costs(b, gain) if c is not None])


def compare(a: Sequence[float], b: Sequence[float]) -> Verdict:
    """The rule on the costs of both sides, in %, seed by seed."""
    if not all(map(math.isfinite, (*a, *b))):
        return Verdict("inconclusive", "a cost could not be measured")
    differences = [of_a - of_b for of_a, of_b in zip(a, b, strict=True)]
    mean_a, mean_b = fmean(a), fmean(b)
    dear, cheap = max(mean_a, mean_b), min(mean_a, mean_b)
    failed = []
    if dear < RATIO * cheap:
        failed.append(f"the means are less than {RATIO:g}x apart")
    if dear - cheap < POINTS:
        failed.append(f"they differ by less than {POINTS:g} points")
    if not (all(d > 0 for d in differences) or all(d < 0 for d in differences)):
        failed.append("the seeds disagree on which is dearer")
    if failed:
        return Verdict("no difference detected", "; ".join(failed))
    return Verdict("costs more", "in every seed", dearer="A" if mean_a > mean_b else "B")
