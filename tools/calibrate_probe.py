"""Measure how often `trainlint verify` errs: false verdicts on equal settings, missed ones on the article's.

    python tools/calibrate_probe.py --seeds 15 --tracks tracks.json

Trains every pair below once per seed and draws trials of three seeds from the tracks. In a null trial both sides are the same
settings with other seeds, and any "costs more" is false. `--tracks` keeps the tracks, and reads them if they are there, so that
other gains can be looked at without training again. Prints the tables of docs/verify.md.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean

from trainlint.probe import engines, text
from trainlint.probe.job import Job
from trainlint.probe.settings import LINEAR_LAYERS, ProbeSettings
from trainlint.probe.thresholds import TARGET_GAIN
from trainlint.probe.verdict import Point, Track, at_gain, costs, judge

ARTICLE = ProbeSettings(
    method="lora", learning_rate=2e-5, scheduler="cosine", warmup=0.0, batch=1, block=64, clip=1.0, weight_decay=0.01,
    beta1=0.9, beta2=0.999, rank=64, alpha=128, dropout=0.05, targets=LINEAR_LAYERS, modules_to_save=("embed_tokens", "lm_head"),
)  # fmt: skip
"""examples/article/run_pt.sh."""
FIXED = replace(ARTICLE, batch=4, block=512, warmup=0.05)
SIDES: dict[str, tuple[ProbeSettings, float]] = {
    "article": (ARTICLE, 8.0),
    "article, fixed": (FIXED, 8.0),
    "article at 2e-4": (replace(ARTICLE, learning_rate=2e-4), 1.0),
    "article at 2e-4, fixed": (replace(FIXED, learning_rate=2e-4), 1.0),
    "rank 16 at 2e-4": (replace(ARTICLE, learning_rate=2e-4, rank=16, alpha=32), 1.0),
}
"""Settings, and the factor on their learning rate."""
PAIRS = (
    ("article", "article, fixed"),
    ("article at 2e-4", "article at 2e-4, fixed"),
    ("article at 2e-4", "rank 16 at 2e-4"),
)
TRIALS, SEEDS = 2000, 3


def measure(sides: Sequence[str], seeds: range, target: float) -> dict[str, list[Track]]:
    """All tracks, far enough for every gain up to `target`."""
    own, english = text.own(), text.english()
    wanted = [SIDES[name] for name in sides]
    jobs = [Job(s, own, english, seed, factor, target) for s, factor in wanted for seed in seeds]
    done = engines.run(jobs, 7200, lambda finished, of: print(f"{finished}/{of}", end="\r", flush=True))
    tracks = [track for track in done if track is not None]
    return {name: tracks[i * len(seeds) : (i + 1) * len(seeds)] for i, name in enumerate(sides)}


def null(tracks: Sequence[Track], gain: float, draw: random.Random) -> float:
    """Share of null trials with a false verdict."""
    false = 0
    for _ in range(TRIALS):
        drawn = draw.sample(list(tracks), 2 * SEEDS)
        false += judge(drawn[:SEEDS], drawn[SEEDS:], SEEDS, gain).kind == "costs more"
    return false / TRIALS


def null_apart(tracks: Sequence[Track], gain: float) -> str:
    """Null trials that share no seed with each other: how many of them have a false verdict."""
    trials = [tracks[i : i + 2 * SEEDS] for i in range(0, len(tracks) - 2 * SEEDS + 1, 2 * SEEDS)]
    false = sum(judge(trial[:SEEDS], trial[SEEDS:], SEEDS, gain).kind == "costs more" for trial in trials)
    return f"{false} of {len(trials)}"


def detection(a: Sequence[Track], b: Sequence[Track], gain: float, draw: random.Random) -> float:
    """Share of trials, same seeds on both sides, in which A is found to cost more."""
    hits = 0
    for _ in range(TRIALS):
        drawn = draw.sample(range(len(a)), SEEDS)
        hits += judge([a[i] for i in drawn], [b[i] for i in drawn], SEEDS, gain).dearer == "A"
    return hits / TRIALS


def found_apart(a: Sequence[Track], b: Sequence[Track], gain: float) -> str:
    """Trials that share no seed with each other: how many of them find that A costs more."""
    starts = range(0, len(a) - SEEDS + 1, SEEDS)
    hits = sum(judge(a[i : i + SEEDS], b[i : i + SEEDS], SEEDS, gain).dearer == "A" for i in starts)
    return f"{hits} of {len(starts)}"


def report(tracks: dict[str, list[Track]], gains: Sequence[float]) -> None:
    for gain in gains:
        draw = random.Random(0)
        print(f"\ngain {gain:g}\n")
        print("| settings | cost in %, mean (lowest to highest) | text used | false verdicts | without a shared seed |")
        print("|---|---|---|---|---|")
        for name, of in tracks.items():
            reached = [cost for cost in costs(of, gain) if cost is not None]
            used = fmean([point.bytes for track in of if (point := at_gain(track, gain))] or [0])
            spread = f"{fmean(reached):.2f} ({min(reached):.2f} to {max(reached):.2f})" if reached else "not reached"
            if 0 < len(reached) < len(of):
                spread += f", reached by {len(reached)} of {len(of)}"
            false = f"{100 * null(of, gain, draw):.1f} % | {null_apart(of, gain)}"
            print(f"| {name} | {spread} | {used / 1000:.1f} kB | {false} |")
        print("\n| A against B | found | without a shared seed |\n|---|---|---|")
        for a, b in (pair for pair in PAIRS if set(pair) <= set(tracks)):
            share = 100 * detection(tracks[a], tracks[b], gain, draw)
            print(f"| {a} against {b} | {share:.1f} % | {found_apart(tracks[a], tracks[b], gain)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--gains", type=float, nargs="+", default=[0.15, 0.2, TARGET_GAIN, 0.3])
    parser.add_argument("--tracks", type=Path)
    options = parser.parse_args()
    if options.tracks and options.tracks.exists():
        saved = json.loads(options.tracks.read_text("utf-8"))
        tracks = {name: [_track(track) for track in of] for name, of in saved.items()}
    else:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        tracks = measure(options.sides, seeds, max(options.gains))
        if options.tracks:
            saved = {name: [asdict(track) for track in of] for name, of in tracks.items()}
            options.tracks.write_text(json.dumps(saved), encoding="utf-8")
    report(tracks, options.gains)


def _track(saved: dict[str, object]) -> Track:
    points = saved["points"]
    assert isinstance(points, list)
    return Track(**{**saved, "points": tuple(Point(**point) for point in points)})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
