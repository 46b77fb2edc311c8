"""What an experiment found, and what may be said of it in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from trainlint.probe.settings import ProbeSettings, Reading
from trainlint.probe.text import Text
from trainlint.probe.verdict import Side, Track, Verdict, costs, judge

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

    @property
    def complete(self) -> bool:
        """Did every seed of both sides come to its end? Half a measurement is not shown."""
        tracks = (*self.a_tracks, *self.b_tracks)
        return len(tracks) == 2 * self.seeds and all(track.end != "time" for track in tracks)

    def tried(self) -> list[Variant]:
        """Everything that was measured, the user's own settings once even where the sweep has them, too."""
        own = Variant(f"A {NAMES['A']}", self.a.settings, self.a_tracks, self.verdict)
        suggested = Variant(f"B {NAMES['B']}", self.b.settings, self.b_tracks, self.verdict)
        swept = self.sweep and any(variant.settings == self.a.settings for variant in self.variants)
        return [variant for variant in (*([] if swept else [own]), suggested, *self.variants) if variant.tracks]


def sentence(experiment: Experiment) -> str:
    """The verdict in a sentence, with what it rests on."""
    verdict = experiment.verdict
    if experiment.sweep:
        return _sweep_sentence(experiment)
    if verdict.kind == "costs more":
        own, suggested = percent(mean(experiment.a_tracks)), percent(mean(experiment.b_tracks))
        dearer = "yours" if verdict.dearer == "A" else "the suggested ones"
        return (
            f"to learn the same amount of the new text, your settings cost {own} of English, the suggested ones {suggested}:"
            f" {dearer} cost more, in all {experiment.seeds} seeds"
        )
    if verdict.kind == "no difference detected":
        return f"no difference detected: {verdict.why}"
    if verdict.kind in ("did not learn", "diverged"):
        who = " and ".join(f"{side} ({NAMES[side]})" for side in verdict.sides)
        return f"{who} {verdict.kind}: {verdict.why}, so what it costs is not compared"
    if not experiment.complete:
        done = sum(track.end != "time" for track in (*experiment.a_tracks, *experiment.b_tracks))
        return f"inconclusive: {verdict.why} ({done} of {2 * experiment.seeds} were); --verify-budget gives it more"
    return f"inconclusive: {verdict.why}"


def _sweep_sentence(experiment: Experiment) -> str:
    done = [v for v in experiment.variants if len(v.tracks) == experiment.seeds and None not in costs(v.tracks)]
    if not done:
        return f"inconclusive: no setting was learned with in every seed, or not in time ({experiment.seconds:.0f} s)"
    done.sort(key=lambda variant: mean(variant.tracks))
    first, last = done[0], done[-1]
    few = (
        f"{len(done)} of {len(experiment.variants)} settings got there: "
        if len(done) < len(experiment.variants)
        else ""
    )
    return (
        f"{few}to learn the same amount of the new text costs from {percent(mean(first.tracks))} of English ({first.title}) to"
        f" {percent(mean(last.tracks))} ({last.title}); {_smaller_step(experiment)}which rank is best does not show"
    )


def _smaller_step(experiment: Experiment) -> str:
    """The mildest cut of the step, at the user's rank and with all else equal, that costs measurably less: of the user's own
    settings, else of the largest step in the sweep of which that can be said."""
    a = experiment.a.settings
    own = Variant("", a, experiment.a_tracks, experiment.verdict)
    steps = [
        variant
        for variant in experiment.variants
        if replace(variant.settings, learning_rate=a.learning_rate, alpha=a.alpha) == a
    ]
    steps.sort(key=lambda variant: -variant.settings.reach)
    for dear in (own, *steps):
        for cheap in steps:
            smaller = cheap.settings.reach < dear.settings.reach
            if smaller and judge(dear.tracks, cheap.tracks, experiment.seeds).dearer == "A":
                part = cheap.settings.reach / dear.settings.reach
                rank = f"at your rank of {a.rank}, " if a.rank else ""
                what = "learning rate x alpha / rank" if a.rank else "the learning rate"
                how = f"halve {what}" if 0.45 <= part <= 0.55 else f"take {part:.2g} of {what}"
                of = f" (from {dear.title})" if dear.title else ""
                saved = f"{percent(mean(cheap.tracks))} instead of {percent(mean(dear.tracks))}"
                return f"{rank}{how}{of}: it costs {saved}; "
    return ""


def short(experiment: Experiment) -> str:
    """One line for a finding that the experiment bears on."""
    return f"tried on a tiny model (trainlint verify): {sentence(experiment)}"


def percent(value: float) -> str:
    digits = 2 if abs(value) < 0.995 else 1 if abs(value) < 9.95 else 0
    return f"{value:.{digits}f} %".replace("-0.00", "0.00")


def mean(tracks: Sequence[Track]) -> float:
    return fmean(cost for cost in costs(tracks) if cost is not None)
