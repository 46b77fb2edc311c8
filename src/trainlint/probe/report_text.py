"""The report as text, with a small chart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from trainlint.probe.result import CAVEATS, NAMES, OUTSIDE, Experiment, mean, percent, sentence
from trainlint.probe.settings import ProbeSettings, differences
from trainlint.probe.thresholds import LOW, POINTS, RATIO, TARGET_GAIN, TRANSFER
from trainlint.probe.verdict import Point, Side, Track, Verdict, at_bytes, at_gain, costs, same_bytes

INDENT = 12
BAR = 32


def render(experiment: Experiment, width: int = 100) -> str:
    """The report as text, lines at most `width` wide."""
    lines = [f"{experiment.path}:{experiment.line}", ""]
    for title, body in _sections(experiment):
        paragraphs = [line for part in body for line in _wrap(part, width - INDENT)]
        lines += [f"{title if i == 0 else '':<{INDENT}}{line}".rstrip() for i, line in enumerate(paragraphs)]
        lines.append("")
    return "\n".join(lines)


def _kilobytes(size: float) -> str:
    return f"{size / 1000:.3g} kB" if size >= 1000 else f"{size:.0f} bytes"


def _wrap(part: str, width: int) -> list[str]:
    if part.startswith("|"):  # laid out already
        return [part[1:]]
    return textwrap.wrap(part, width, break_on_hyphens=False, break_long_words=False) or [""]


def _sections(experiment: Experiment) -> list[tuple[str, list[str]]]:
    a, b = experiment.a.settings, experiment.b.settings
    found = [("VERDICT", [sentence(experiment)])]
    if experiment.a.sft:
        found.append(("", [OUTSIDE]))
    if experiment.a_tracks and experiment.b_tracks and experiment.complete:
        found += [("COST", _chart(experiment)), ("USED", _used(experiment)), ("SAME BYTES", _same_bytes(experiment))]
    if experiment.sweep:
        found.append(("SWEEP", _sweep(experiment)))
    elif experiment.variants and experiment.complete:
        found.append(("ONE BY ONE", _variants(experiment)))
    if not experiment.sweep:
        found.append(("A TO B", _changes(experiment)))
    if not experiment.sweep and a == b:  # nothing was trained, so there is nothing to say of how
        return [*found, ("CAVEATS", [*(f"{note}." for note in experiment.notes), CAVEATS])]
    if experiment.sample and (experiment.sweep or experiment.complete):
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
    width = max((len(name) for name, _ in named), default=0)
    lines = []
    for name, of in named:
        reached = [cost for cost in of if cost is not None]
        if len(reached) < len(of):
            bar, mean = f"{'not reached in all seeds':<{BAR}}", " " * 6
        else:
            average = fmean(reached) if reached else 0.0
            bar = f"{'█' * round(BAR * max(0.0, average) / most) if most > 0 else '':<{BAR}}"
            mean = f"{percent(average):>6}"
        seeds = "  ".join("-" if cost is None else percent(cost).removesuffix(" %") for cost in of)
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
    if None in (*costs(experiment.a_tracks), *costs(experiment.b_tracks)):
        return lines
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
            said.append(f"{side} has learned {gain:.2f} bits per byte and lost {percent(cost)} of English")
    return [f"After {_kilobytes(size)} on both sides: {'; '.join(said)}."]


def _variants(experiment: Experiment) -> list[str]:
    """A row for each change alone, the one that helps most first."""
    alone = sorted((variant for variant in experiment.variants if variant.tracks), key=lambda v: _order(v.tracks))
    rows: list[tuple[str, Sequence[Track]]] = [("A yours", experiment.a_tracks)]
    rows += [(variant.title, variant.tracks) for variant in alone]
    rows.append(("B all of them", experiment.b_tracks))
    marks = [f"{variant.title}: {_against(variant.verdict)}" for variant in alone]
    return ["Each change alone, against A; what matters most first", *_bars(rows), *marks]


def _order(tracks: Sequence[Track]) -> float:
    return mean(tracks) if None not in costs(tracks) else math.inf


def _sweep(experiment: Experiment) -> list[str]:
    """A row for each setting, dearest last: the bar is what it costs, then the text it took and how far a step goes."""
    tried = sorted(experiment.tried(), key=lambda variant: _order(variant.tracks))
    width = max((len(variant.title) for variant in tried), default=0)
    lines = [
        f"English lost when the new text is {TARGET_GAIN:g} bits per byte cheaper: mean, then every seed",
        *_bars([(variant.title, variant.tracks) for variant in tried]),
        "text used, and learning rate x alpha / rank:",
    ]
    for variant in tried:
        used = _kilobytes(fmean(point.bytes for point in _points(variant.tracks)))
        lines.append(f"|{variant.title:<{width}}  {used:>8}   {variant.settings.reach:.1e}")
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
    elif experiment.sweep and a.learning_rate < LOW:
        lines.append(
            f"Learning rates are taken literally, since the sweep has higher ones than {LOW:g}; yours alone would be"
            f" multiplied by {TRANSFER:g}."
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
