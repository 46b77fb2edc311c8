"""One experiment from a launch to its verdict: A is the launch as it stands, B what its findings would make of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from trainlint.facts import Launch
from trainlint.linter import Linter
from trainlint.probe import engines, settings, suggest, text
from trainlint.probe.job import Job
from trainlint.probe.result import Experiment, Variant
from trainlint.probe.settings import ProbeSettings, Reading, Refused
from trainlint.probe.verdict import Track, Verdict, judge
from trainlint.ruleset.expressions import tidy
from trainlint.text import SourceText

Progress = Callable[[int, int], None]
ADAPTER = ("rank", "alpha", "dropout")
EQUAL = Verdict("no difference detected", "both sides are the same settings for the probe, so nothing was trained")


@dataclass(frozen=True)
class Plan:
    """How to go about it. `budget` in seconds of wall time; `ablate`: also try each change alone.

    `sweep`: fields of the settings with the values to try instead, all combinations of them.
    """

    seeds: int = 3
    budget: float = 60.0
    ablate: bool = False
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = ()
    engine: engines.Engine | None = None


def run(
    linter: Linter,
    source: SourceText,
    launches: Sequence[Launch],
    plan: Plan,
    progress: Progress = lambda done, of: None,
) -> Experiment:
    """The experiment on the first launch of a source. Raises `Refused`."""
    launch = launches[0]
    a = settings.read(launch)
    if plan.sweep:
        return _sweep(launch, a, plan, progress)
    fixed, changes = suggest.suggested(linter, source)
    if fixed is None:
        raise Refused("with the fixes applied it is no launch any more")
    b = settings.read(fixed)
    notes = [f"only the first of {len(launches)} runs in this file is tried"] if len(launches) > 1 else []
    tried = list(_alone(linter, source, a.settings, changes, notes)) if plan.ablate else []
    blank = Experiment(
        path=launch.at.source.path,
        line=launch.at.start.line,
        a=a,
        b=b,
        changes=tuple((change.title, change.rule) for change in changes),
        text=text.of(launch.first),
        transfer=settings.transfer(a.settings, b.settings),
        seeds=plan.seeds,
        verdict=EQUAL,
        notes=tuple(notes),
    )
    return blank if a.settings == b.settings else _measure(blank, tried, plan, progress)


def _sweep(launch: Launch, a: Reading, plan: Plan, progress: Progress) -> Experiment:
    names = [name for name, _ in plan.sweep]
    if a.settings.method == "full" and (of_adapter := [settings.SWEPT_BACK[n] for n in names if n in ADAPTER]):
        raise Refused(f"a sweep of {' and '.join(of_adapter)} needs a run with LoRA")
    grid = []
    for values in product(*(values for _, values in plan.sweep)):
        chosen = {name: type(getattr(a.settings, name))(value) for name, value in zip(names, values, strict=True)}
        title = ", ".join(f"{settings.SWEPT_BACK[name]} {tidy(f'{value:g}')}" for name, value in chosen.items())
        side = settings.capped(replace(a.settings, **chosen))
        grid.append((f"{title} (yours)" if side == a.settings else title, side))
    blank = Experiment(
        path=launch.at.source.path,
        line=launch.at.start.line,
        a=a,
        b=a,
        changes=(),
        text=text.of(launch.first),
        transfer=settings.transfer(a.settings, *(side for _, side in grid)),
        seeds=plan.seeds,
        verdict=EQUAL,
        sweep=True,
    )
    return _measure(blank, grid, plan, progress)


def _alone(
    linter: Linter, source: SourceText, a: ProbeSettings, changes: Sequence[suggest.Change], notes: list[str]
) -> Iterator[tuple[str, ProbeSettings]]:
    """The changes that the probe can follow, each applied alone."""
    for change, launch in suggest.alone(linter, source, changes):
        if launch is None:
            notes.append(f"not tried alone, since only the other changes lead to it: {change.title}")
            continue
        side = settings.read(launch).settings
        if side != a:
            yield change.title, side


def _measure(
    blank: Experiment, others: Sequence[tuple[str, ProbeSettings]], plan: Plan, progress: Progress
) -> Experiment:
    began = time.monotonic()
    pair = [blank.a.settings] if blank.sweep else [blank.b.settings, blank.a.settings]
    sides = list(dict.fromkeys([*pair, *(side for _, side in others)]))
    # the jobs of one seed lie side by side, so that running out of time leaves whole seeds
    jobs = [
        Job(side, blank.text, text.english(), seed, blank.transfer, sampled=seed == 0 and side in pair)
        for seed in range(plan.seeds)
        for side in sides
    ]
    done = engines.run(jobs, plan.budget, progress, plan.engine)
    tracks = {side: _tracks(done[i :: len(sides)]) for i, side in enumerate(sides)}
    a = tracks[blank.a.settings]
    b = () if blank.sweep else tracks[blank.b.settings]
    return replace(
        blank,
        a_tracks=a,
        b_tracks=b,
        verdict=judge(a, b, plan.seeds),
        variants=tuple(
            Variant(title, side, tracks[side], judge(a, tracks[side], plan.seeds)) for title, side in others
        ),
        sample=text.sample_of_base(),
        seconds=time.monotonic() - began,
    )


def _tracks(found: Sequence[Track | None]) -> tuple[Track, ...]:
    return tuple(track for track in found if track is not None)
