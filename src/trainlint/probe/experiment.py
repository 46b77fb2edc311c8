"""One experiment from a launch to its verdict: A is the launch as it stands, B what its findings would make of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.linter import Linter
from trainlint.probe import compare, settings, suggest, text
from trainlint.probe.report import Experiment, Variant
from trainlint.probe.settings import ProbeSettings, Reading, Refused
from trainlint.probe.verdict import Track, Verdict, judge
from trainlint.text import SourceText

Progress = Callable[[int, int], None]
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


def run(
    linter: Linter,
    source: SourceText,
    launches: Sequence[Launch],
    findings: Sequence[Finding],
    plan: Plan,
    progress: Progress = lambda done, of: None,
) -> Experiment:
    """The experiment on the first launch of a source. Raises `Refused`."""
    launch = launches[0]
    a = settings.read(launch)
    if plan.sweep:
        return _sweep(launch, a, plan, progress)
    changes = suggest.changes(linter, source, launch, findings)
    fixed = suggest.changed(linter, source, 0, changes)
    if fixed is None:
        raise Refused("with the fixes applied it is no launch any more")
    b = settings.read(fixed)
    only = (f"only the first of {len(launches)} runs in this file is tried",) if len(launches) > 1 else ()
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
        notes=only,
    )
    if a.settings == b.settings:
        return blank
    alone = _alone(linter, source, a.settings, changes) if plan.ablate else []
    return _measure(blank, alone, plan, progress)


def _sweep(launch: Launch, a: Reading, plan: Plan, progress: Progress) -> Experiment:
    names = [name for name, _ in plan.sweep]
    grid = []
    for values in product(*(values for _, values in plan.sweep)):
        chosen = {name: type(getattr(a.settings, name))(value) for name, value in zip(names, values, strict=True)}
        side = settings.capped(replace(a.settings, **chosen))
        grid.append((", ".join(f"{settings.SWEPT_BACK[name]} {value:g}" for name, value in chosen.items()), side))
    factor = settings.transfer(a.settings, *(side for _, side in grid))
    start = launch.at.start.line
    blank = Experiment(
        launch.at.source.path, start, a, a, (), text.of(launch.first), factor, plan.seeds, EQUAL, sweep=True
    )
    return _measure(blank, grid, plan, progress)


def _alone(
    linter: Linter, source: SourceText, a: ProbeSettings, changes: Sequence[suggest.Change]
) -> list[tuple[str, ProbeSettings]]:
    """The changes that the probe can follow, each applied alone."""
    found = []
    for change in changes:
        launch = suggest.changed(linter, source, 0, [change])
        if launch is None:
            continue
        side = settings.read(launch).settings
        if side != a:
            found.append((change.title, side))
    return found


def _measure(
    blank: Experiment, alone: Sequence[tuple[str, ProbeSettings]], plan: Plan, progress: Progress
) -> Experiment:
    from trainlint.probe.train import Job, sample_of_base

    began = time.monotonic()
    sides = [*([] if blank.sweep else [blank.b.settings]), blank.a.settings, *(side for _, side in alone)]
    jobs = [
        Job(side, blank.text, text.english(), seed, blank.transfer, sampled=seed == 0)
        for seed in range(plan.seeds)
        for side in sides
    ]
    done = compare.run(jobs, plan.budget, progress)
    # the jobs of one seed lie side by side, so that running out of time leaves whole seeds
    by_side = [_tracks(done[i :: len(sides)]) for i in range(len(sides))]
    b = () if blank.sweep else by_side.pop(0)
    a, *others = by_side
    variants = tuple(
        Variant(title, side, tracks, judge(a, tracks, plan.seeds))
        for (title, side), tracks in zip(alone, others, strict=True)
    )
    return replace(
        blank,
        a_tracks=a,
        b_tracks=b,
        verdict=judge(a, b, plan.seeds),
        variants=variants,
        sample=sample_of_base(),
        seconds=time.monotonic() - began,
    )


def _tracks(found: Sequence[Track | None]) -> tuple[Track, ...]:
    return tuple(track for track in found if track is not None)
