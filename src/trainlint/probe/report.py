"""What the experiment showed, as text with a small chart and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from trainlint.probe.settings import ProbeSettings, Reading, differences
from trainlint.probe.text import Text
from trainlint.probe.verdict import (
    POINTS,
    RATIO,
    TARGET_GAIN,
    Point,
    Side,
    Track,
    Verdict,
    at_bytes,
    at_gain,
    costs,
    same_bytes,
)

INDENT = 12
BAR = 32
NAMES: dict[Side, str] = {"A": "yours", "B": "suggested"}
CAVEATS = (
    "A comparison on a model of 134,000 parameters that reads bytes: no percentage here holds for your model, a pass does not"
    " mean safe, and it cannot name a best rank or show that clipping, warmup or dropout help."
)
OUTSIDE = "supervised fine-tuning is probed as training on raw text: outside of what the probe is calibrated for"


@dataclass(frozen=True)
class Variant:
    """A further set of settings that was tried, with the verdict on A against it."""

    title: str
    settings: ProbeSettings
    tracks: tuple[Track, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Experiment:
    """All that a report needs. `changes` are the titles of the fixes that lead from A to B, each with its rule."""

    path: str
    line: int
    a: Reading
    b: Reading
    changes: tuple[tuple[str, str], ...]
    text: Text
    transfer: float
    seeds: int
    verdict: Verdict
    a_tracks: tuple[Track, ...] = ()
    b_tracks: tuple[Track, ...] = ()
    sample: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    sweep: bool = False
    """The variants are points of a sweep over A; there is no B."""


# ------------------------------------------------------------------------------------------------------------- sentences


def sentence(experiment: Experiment) -> str:
    """The verdict in a sentence, with what it rests on."""
    verdict = experiment.verdict
    if experiment.sweep:
        return _sweep_sentence(experiment)
    if verdict.kind == "costs more":
        mean = {"A": _mean(experiment.a_tracks), "B": _mean(experiment.b_tracks)}
        dearer = "yours" if verdict.dearer == "A" else "the suggested ones"
        return (
            f"to learn the same amount of the new text, your settings cost {_percent(mean['A'])} of English, the suggested"
            f" ones {_percent(mean['B'])}: {dearer} cost more, in all {experiment.seeds} seeds"
        )
    if verdict.kind == "no difference detected":
        return f"no difference detected: {verdict.why}"
    if verdict.kind in ("did not learn", "diverged"):
        who = " and ".join(f"{side} ({NAMES[side]})" for side in verdict.sides)
        return f"{who} {verdict.kind}: {verdict.why}, so what it costs is not compared"
    if not _complete(experiment):
        done = sum(track.end != "time" for track in (*experiment.a_tracks, *experiment.b_tracks))
        return f"inconclusive: {verdict.why} ({done} of {2 * experiment.seeds} were); --verify-budget gives it more"
    return f"inconclusive: {verdict.why}"


def _sweep_sentence(experiment: Experiment) -> str:
    done = [v for v in experiment.variants if len(v.tracks) == experiment.seeds and None not in costs(v.tracks)]
    if not done:
        return f"inconclusive: no setting was learned with in every seed, or not in time ({experiment.seconds:.0f} s)"
    done.sort(key=lambda variant: _mean(variant.tracks))
    first, last = done[0], done[-1]
    return (
        f"to learn the same amount of the new text costs from {_percent(_mean(first.tracks))} of English ({first.title}) to"
        f" {_percent(_mean(last.tracks))} ({last.title}); rank works as a part of the step learning rate x alpha / rank here,"
        f" and which rank is best does not show"
    )


def short(experiment: Experiment) -> str:
    """One line for a finding that the experiment bears on."""
    return f"tried on a tiny model (trainlint verify): {sentence(experiment)}"


def _percent(value: float) -> str:
    digits = 2 if abs(value) < 0.995 else 1 if abs(value) < 9.95 else 0
    return f"{value:.{digits}f} %".replace("-0.00", "0.00")


def _mean(tracks: Sequence[Track]) -> float:
    return fmean(cost for cost in costs(tracks) if cost is not None)


def _kilobytes(size: float) -> str:
    return f"{size / 1000:.3g} kB" if size >= 1000 else f"{size:.0f} bytes"


# ------------------------------------------------------------------------------------------------------------------ text


def render(experiment: Experiment, width: int = 100) -> str:
    """The report as text, lines at most `width` wide."""
    lines = [f"{experiment.path}:{experiment.line}", ""]
    for title, body in _sections(experiment):
        paragraphs = [line for part in body for line in _wrap(part, width - INDENT)]
        lines += [f"{title if i == 0 else '':<{INDENT}}{line}".rstrip() for i, line in enumerate(paragraphs)]
        lines.append("")
    return "\n".join(lines)


def _wrap(part: str, width: int) -> list[str]:
    if part.startswith("|"):  # laid out already
        return [part[1:]]
    return textwrap.wrap(part, width, break_on_hyphens=False, break_long_words=False) or [""]


def _sections(experiment: Experiment) -> list[tuple[str, list[str]]]:
    a, b = experiment.a.settings, experiment.b.settings
    found = [("VERDICT", [sentence(experiment)])]
    if experiment.a.sft:
        found.append(("", [OUTSIDE]))
    if experiment.a_tracks and experiment.b_tracks and _complete(experiment):
        found += [("COST", _chart(experiment)), ("USED", _used(experiment)), ("SAME BYTES", _same_bytes(experiment))]
    if experiment.sweep:
        found.append(("SWEEP", _sweep(experiment)))
    elif experiment.variants:
        found.append(("ONE BY ONE", _variants(experiment)))
    if not experiment.sweep:
        found.append(("A TO B", _changes(experiment)))
    if not experiment.sweep and a == b:  # nothing was trained, so there is nothing to say of how
        return [*found, ("CAVEATS", [*(f"{note}." for note in experiment.notes), CAVEATS])]
    if experiment.sample and (experiment.sweep or _complete(experiment)):
        found.append(("SAMPLES", _samples(experiment)))
    text = (
        f"{experiment.text.name}: {len(experiment.text.training):,} bytes, {len(experiment.text.held_out):,} held out"
    )
    found.append(("NEW TEXT", [*([experiment.text.note] if experiment.text.note else []), text]))
    found.append(("TAKEN AS", _taken(experiment, a, b)))
    rule = (
        f"Rule: means at least {RATIO:g}x and {POINTS:g} points apart, the same sign in all seeds."
        f" {experiment.seeds} seeds, {experiment.seconds:.0f} s."
    )
    found.append(("CAVEATS", [CAVEATS, rule]))
    return found


def _complete(experiment: Experiment) -> bool:
    """Did every seed of both sides come to its end? Half a measurement is not shown."""
    tracks = (*experiment.a_tracks, *experiment.b_tracks)
    return len(tracks) == 2 * experiment.seeds and all(track.end != "time" for track in tracks)


def _chart(experiment: Experiment) -> list[str]:
    sides: list[tuple[str, Sequence[Track]]] = [
        (f"A {NAMES['A']}", experiment.a_tracks),
        (f"B {NAMES['B']}", experiment.b_tracks),
    ]
    heading = f"English lost when the new text is {TARGET_GAIN:g} bits per byte cheaper: mean, then every seed"
    return [heading, *_bars(sides)]


def _bars(rows: Sequence[tuple[str, Sequence[Track]]]) -> list[str]:
    named = [(name, costs(tracks)) for name, tracks in rows]
    most = max((cost for _, of in named for cost in of if cost is not None), default=0.0)
    width = max(len(name) for name, _ in named)
    lines = []
    for name, of in named:
        reached = [cost for cost in of if cost is not None]
        if len(reached) < len(of):
            bar, mean = f"{'not reached in all seeds':<{BAR}}", " " * 6
        else:
            average = fmean(reached) if reached else 0.0
            bar = f"{'█' * round(BAR * max(0.0, average) / most) if most > 0 else '':<{BAR}}"
            mean = f"{_percent(average):>6}"
        seeds = "  ".join("-" if cost is None else _percent(cost).removesuffix(" %") for cost in of)
        lines.append(f"|{name:<{width}}  {bar} {mean}   {seeds}")
    return lines


def _points(tracks: Sequence[Track]) -> list[Point]:
    """Each track where it reaches the gain, or where it ends."""
    return [at_gain(track) or track.last for track in tracks]


def _used(experiment: Experiment) -> list[str]:
    lines = []
    sizes: dict[Side, float] = {}
    for side, tracks in (("A", experiment.a_tracks), ("B", experiment.b_tracks)):
        points = _points(tracks)
        sizes["A" if side == "A" else "B"] = fmean(point.bytes for point in points)
        steps = [point.step for point in points]
        span = f"{min(steps)} to {max(steps)}" if min(steps) != max(steps) else f"{steps[0]}"
        lines.append(f"|{side}  {span} steps, {_kilobytes(fmean(point.bytes for point in points))} of text on average")
    ratio = sizes["B"] / sizes["A"] if sizes["A"] else 0.0
    if ratio >= RATIO:
        lines.append(
            f"The suggested settings need {ratio:.2g} times as much text for it: on little data they do not help by themselves."
        )
    elif ratio and ratio <= 1 / RATIO:
        lines.append(f"Your settings need {1 / ratio:.2g} times as much text for it.")
    return lines


def _same_bytes(experiment: Experiment) -> list[str]:
    size = same_bytes(experiment.a_tracks, experiment.b_tracks)
    said = []
    for side, tracks in (("A", experiment.a_tracks), ("B", experiment.b_tracks)):
        points = [point for track in tracks if (point := at_bytes(track, size)) is not None]
        if points:
            gain, cost = fmean(p.gain for p in points), fmean(p.cost for p in points)
            said.append(f"{side} has learned {gain:.2f} bits per byte and lost {_percent(cost)} of English")
    return [f"After {_kilobytes(size)} on both sides: {'; '.join(said)}."]


def _variants(experiment: Experiment) -> list[str]:
    rows: list[tuple[str, Sequence[Track]]] = [("A yours", experiment.a_tracks)]
    rows += [(variant.title, variant.tracks) for variant in experiment.variants if variant.tracks]
    if experiment.b_tracks:
        rows.append(("B all of them", experiment.b_tracks))
    marks = [f"|{variant.title}: {_against(variant.verdict)}" for variant in experiment.variants]
    return ["Each change alone, against A", *_bars(rows), *marks]


def _sweep(experiment: Experiment) -> list[str]:
    """A row for each setting, dearest last: the bar is what it costs, then the text it took and how far a step goes."""
    rows: list[tuple[str, Sequence[Track]]] = [("yours", experiment.a_tracks)] if experiment.a_tracks else []
    rows += [(variant.title, variant.tracks) for variant in experiment.variants if variant.tracks]
    rows.sort(key=lambda row: _mean(row[1]) if None not in costs(row[1]) else float("inf"))
    lines = [
        f"English lost when the new text is {TARGET_GAIN:g} bits per byte cheaper: mean, then every seed",
        *_bars(rows),
    ]
    steps = {variant.title: variant.settings for variant in experiment.variants} | {"yours": experiment.a.settings}
    lines.append("text used, and learning rate x alpha / rank:")
    for name, tracks in rows:
        side = steps[name]
        far = side.learning_rate * (side.alpha / side.rank if side.rank else 1)
        lines.append(
            f"|{name:<{max(len(row[0]) for row in rows)}}  {_kilobytes(fmean(p.bytes for p in _points(tracks))):>8}   {far:.1e}"
        )
    return lines


def _against(verdict: Verdict) -> str:
    if verdict.kind != "costs more":
        return f"{verdict.kind} ({verdict.why})"
    return "costs less than A" if verdict.dearer == "A" else "costs more than A"


def _changes(experiment: Experiment) -> list[str]:
    lines = [f"|{title} [{rule}]" for title, rule in experiment.changes] or ["no finding has a fix to apply"]
    changed = differences(experiment.a.settings, experiment.b.settings)
    if changed:
        shown = ", ".join(f"{name} {_shown(of_a)} → {_shown(of_b)}" for name, of_a, of_b in changed)
        return [*lines, f"in the probe: {shown}"]
    return [*lines, "in the probe: nothing changes"]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _samples(experiment: Experiment) -> list[str]:
    lines = [f"|before  {experiment.sample}"]
    for side, tracks in (("A", experiment.a_tracks), ("B", experiment.b_tracks)):
        sample = next((track.sample for track in tracks if track.sample), "")
        if sample:
            lines.append(f"|{side:<6}  {sample}")
    return lines


def _taken(experiment: Experiment, a: ProbeSettings, b: ProbeSettings) -> list[str]:
    sides = [("A", a)] if experiment.sweep else [("A", a), ("B", b)]
    lines = [f"{side}  {_described(settings)}" for side, settings in sides]
    lines.append(
        "A block is in bytes here and in tokens in your run; the scheduler is stretched over the steps a side may take."
    )
    if experiment.transfer != 1:
        lines.append(
            f"Learning rates are multiplied by {experiment.transfer:g} on both sides, since a narrow model hardly moves at"
            f" {max(a.learning_rate, b.learning_rate):g}; the factor is reasoned, not measured."
        )
    for side, reading in (("A", experiment.a), ("B", experiment.b))[: len(sides)]:
        lines += [f"{side}: {note}." for note in reading.notes]
    return [*lines, *(f"{note}." for note in experiment.notes)]


def _described(settings: ProbeSettings) -> str:
    adapter = ""
    if settings.method == "lora":
        adapter = f"r {settings.rank} alpha {settings.alpha:g}"
        if settings.modules_to_save:
            adapter += f" + {', '.join(settings.modules_to_save)}"
    warmup = f" · warmup {100 * settings.warmup:g} %" if settings.warmup else ""
    clip = f"clip {settings.clip:g}" if settings.clip else "no clip"
    return (
        f"{settings.batch} x {settings.block} bytes · lr {settings.learning_rate:g} {settings.scheduler}{warmup}"
        f" · {adapter or 'all weights'} · {clip} · at most {settings.max_steps} steps"
    )


# ------------------------------------------------------------------------------------------------------------------ JSON


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
        "rule": {"gain": TARGET_GAIN, "ratio": RATIO, "points": POINTS, "seeds": experiment.seeds},
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
