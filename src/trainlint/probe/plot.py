"""A picture of what was learned against what was lost: a line for each setting, a dot for each seed. SVG, for both themes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from statistics import fmean

from trainlint.probe.result import Experiment, Variant, percent
from trainlint.probe.thresholds import TARGET_GAIN
from trainlint.probe.verdict import Track, at_gain

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 480, 300, 56, 44, 48
"""Of the field that is drawn in, and the margins around it."""
LEGEND, ROW = 330, 18
STEPS = 25
"""Points of a line."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The palette of Okabe and Ito, which the colour-blind can tell apart."""
DASHES = ("", "6 3", "2 3")
STYLE = """\
svg { background: #fff; font: 12px system-ui, sans-serif } text { fill: #222 } .faint { stroke: #ddd } .mark { stroke: #888 }
@media (prefers-color-scheme: dark) { svg { background: #16181c } text { fill: #ddd } .faint { stroke: #333 } }"""


def svg(experiments: Sequence[Experiment]) -> str:
    """The pictures of all experiments, one below the other."""
    panels, at = [], 0
    for experiment in experiments:
        # what costs most first, as the lines lie
        lines = sorted(experiment.tried(), key=lambda line: -_mean(line.tracks, TARGET_GAIN, math.inf))
        panels.append(f'<g transform="translate(0 {at})">\n{_panel(experiment, lines)}\n</g>')
        at += max(TOP + HEIGHT + BOTTOM, TOP + ROW * (len(lines) + 2))
    width = LEFT + WIDTH + LEGEND
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {at}" width="{width}" height="{at}">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(panels) + "\n</svg>\n"
    )


def _mean(tracks: Sequence[Track], gain: float, otherwise: float) -> float:
    """What the seeds lose on average at a gain, where all of them reach it."""
    points = [at_gain(track, gain) for track in tracks]
    return fmean(point.cost for point in points if point) if all(points) and points else otherwise


def _panel(experiment: Experiment, lines: Sequence[Variant]) -> str:
    gains = [TARGET_GAIN * i / STEPS for i in range(1, STEPS + 1)]
    curves = [
        [(0.0, 0.0), *((g, cost) for g in gains if (cost := _mean(line.tracks, g, math.nan)) == cost)] for line in lines
    ]
    dots = [[point.cost for track in line.tracks if (point := at_gain(track))] for line in lines]
    top = max((cost for costs in [*dots, *([y for _, y in curve] for curve in curves)] for cost in costs), default=0.0)
    scale = _Scale(max(top, 0.01))
    return "\n".join([*_axes(experiment, scale), *_drawn(lines, curves, dots, scale)])


class _Scale:
    """From gains and costs to places. `ticks` are round costs, the last of them above all that is drawn."""

    def __init__(self, top: float) -> None:
        size = 10.0 ** math.floor(math.log10(top / 4))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= top / 4)
        self.ticks = [step * i for i in range(math.ceil(top / step) + 1)]

    def x(self, gain: float) -> float:
        return LEFT + WIDTH * 0.94 * gain / TARGET_GAIN

    def y(self, cost: float) -> float:
        return TOP + HEIGHT * (1 - cost / self.ticks[-1])


def _axes(experiment: Experiment, scale: _Scale) -> Iterator[str]:
    yield _text(LEFT, 20, f"{experiment.path}:{experiment.line}", "start")
    for tick in scale.ticks:
        yield f'<path class="faint" d="M{LEFT} {scale.y(tick):.1f}h{WIDTH}"/>'
        yield _text(LEFT - 8, scale.y(tick) + 4, f"{tick:g} %", "end")
    for i in range(6):
        gain = TARGET_GAIN * i / 5
        yield _text(scale.x(gain), TOP + HEIGHT + 18, f"{gain:g}", "middle")
    yield f'<path class="mark" stroke-dasharray="3 3" d="M{scale.x(TARGET_GAIN):.1f} {TOP}v{HEIGHT}"/>'
    yield _text(LEFT + WIDTH / 2, TOP + HEIGHT + 38, "learned of the new text, bits per byte", "middle")
    yield _text(LEFT, TOP - 8, "English lost", "start")


def _drawn(
    lines: Sequence[Variant], curves: Sequence[list[tuple[float, float]]], dots: Sequence[list[float]], scale: _Scale
) -> Iterator[str]:
    legend = LEFT + WIDTH + 24
    for i, (line, curve, costs) in enumerate(zip(lines, curves, dots, strict=True)):
        dash = DASHES[i // len(COLORS) % len(DASHES)]
        pen = f'stroke="{COLORS[i % len(COLORS)]}" stroke-width="2" fill="none"' + (
            f' stroke-dasharray="{dash}"' if dash else ""
        )
        yield f'<polyline {pen} points="{" ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in curve)}"/>'
        for cost in costs:
            yield f'<circle cx="{scale.x(TARGET_GAIN):.1f}" cy="{scale.y(cost):.1f}" r="3" fill="{COLORS[i % len(COLORS)]}"/>'
        row = TOP + ROW * i
        reached = (
            percent(fmean(costs))
            if len(costs) == len(line.tracks)
            else f"reached by {len(costs)} of {len(line.tracks)}"
        )
        yield f'<path {pen} d="M{legend} {row}h20"/>'
        yield _text(legend + 28, row + 4, f"{line.title}: {reached}", "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
