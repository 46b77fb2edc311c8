"""The report as JSON: every number that was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from trainlint.probe.result import CAVEATS, Experiment, sentence
from trainlint.probe.settings import Reading
from trainlint.probe.thresholds import BASE, POINTS, RATIO, TARGET_GAIN
from trainlint.probe.verdict import Track, at_bytes, at_gain, same_bytes


def to_json(experiments: Sequence[Experiment]) -> str:
    """All experiments as one object; `version` changes when a key is renamed, removed or changes its meaning."""
    return (
        json.dumps({"version": 1, "experiments": [_as_json(e) for e in experiments]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _as_json(experiment: Experiment) -> dict[str, Any]:
    return {
        "kind": "sweep" if experiment.sweep else "pair",
        "path": experiment.path,
        "line": experiment.line,
        "verdict": {**asdict(experiment.verdict), "sentence": sentence(experiment)},
        "rule": {"gain": TARGET_GAIN, "ratio": RATIO, "points": POINTS, "seeds": experiment.seeds, "base": BASE},
        "calibrated": not experiment.a.sft,
        "a": _side(experiment.a, experiment.a_tracks),
        "b": _side(experiment.b, experiment.b_tracks),
        "same_bytes": _same_bytes_json(experiment),
        "changes": [{"rule": rule, "title": title} for title, rule in experiment.changes],
        "variants": [
            {
                "title": variant.title,
                "settings": asdict(variant.settings),
                "verdict": asdict(variant.verdict),
                "seeds": [_track(track) for track in variant.tracks],
            }
            for variant in experiment.variants
        ],
        "text": {
            "name": experiment.text.name,
            "training_bytes": len(experiment.text.training),
            "held_out_bytes": len(experiment.text.held_out),
            "note": experiment.text.note,
        },
        "transfer": experiment.transfer,
        "sample": experiment.sample,
        "notes": list(experiment.notes),
        "caveats": CAVEATS,
        "seconds": round(experiment.seconds, 1),
    }


def _side(reading: Reading, tracks: Sequence[Track]) -> dict[str, Any]:
    return {
        "settings": asdict(reading.settings),
        "notes": list(reading.notes),
        "seeds": [_track(track) for track in tracks],
    }


def _track(track: Track) -> dict[str, Any]:
    at = at_gain(track)
    return {
        "seed": track.seed,
        "end": track.end,
        "at_gain": None if at is None else asdict(at),
        "points": [asdict(point) for point in track.points],
        "steepest": round(track.steepest, 2),
        "sample": track.sample,
    }


def _same_bytes_json(experiment: Experiment) -> dict[str, Any] | None:
    if not (experiment.a_tracks and experiment.b_tracks):
        return None
    size = same_bytes(experiment.a_tracks, experiment.b_tracks)
    sides = {"a": experiment.a_tracks, "b": experiment.b_tracks}
    points = {side: [at_bytes(track, size) for track in tracks] for side, tracks in sides.items()}
    return {"bytes": size, **{side: [p and asdict(p) for p in of] for side, of in points.items()}}
