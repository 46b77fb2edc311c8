"""Tracks for tests: straight lines from nothing to a gain at a cost."""

from __future__ import annotations

from trainlint.probe.verdict import End, Point, Track


def track(seed: int, cost: float, *, gain: float = 0.3, end: End = "reached", size: int = 64, steps: int = 40) -> Track:
    """A track that gains `gain` and costs `cost` %, both at a steady rate, over `steps` steps of `size` bytes."""
    points = (Point(0, 0, 0.0, 0.0), Point(steps, steps * size, gain, cost))
    return Track(seed, points, end)


def side(*costs: float, gain: float = 0.3, end: End = "reached", size: int = 64) -> tuple[Track, ...]:
    return tuple(track(seed, cost, gain=gain, end=end, size=size) for seed, cost in enumerate(costs))
