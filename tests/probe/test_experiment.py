"""What is trained for a pair, for its changes one by one, and for a sweep. The training is stubbed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from probe.test_settings import LORA, PT
from probe.tracks import track
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.probe import engines
from trainlint.probe.experiment import Plan, run
from trainlint.probe.job import Job
from trainlint.probe.result import Experiment, sentence
from trainlint.probe.settings import Refused
from trainlint.probe.verdict import Track
from trainlint.text import SourceText

ARTICLE = SourceText.load(Path(__file__).resolve().parents[2] / "examples/article/run_pt.sh")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that were handed out. What a step costs is how far it goes."""
    seen: list[Job] = []

    def done(wanted: Sequence[Job], *rest: Any) -> list[Track | None]:
        seen.extend(wanted)
        return [track(job.seed, job.settings.reach * 1e7 / job.settings.block) for job in wanted]

    monkeypatch.setattr(engines, "run", done)
    return seen


def tried(plan: Plan, source: SourceText = ARTICLE) -> Experiment:
    linter = Linter()
    return run(linter, source, linter.lint(source, Report()), plan)


def test_a_pair_is_trained_seed_by_seed(jobs: list[Job]) -> None:
    made = tried(Plan(seeds=2))
    assert [job.seed for job in jobs] == [0, 0, 1, 1]
    assert [job.settings for job in jobs] == [made.b.settings, made.a.settings] * 2
    assert [job.sampled for job in jobs] == [True, True, False, False]
    assert len(made.a_tracks) == len(made.b_tracks) == 2
    assert made.verdict.dearer == "A"


def test_changes_alone_are_trained_once_each_and_only_where_the_probe_can_follow(jobs: list[Job]) -> None:
    made = tried(Plan(seeds=2, ablate=True))
    assert {variant.title.split()[1] for variant in made.variants} == {
        "--gradient_accumulation_steps", "--block_size", "--warmup_ratio",
    }  # fmt: skip
    assert len(jobs) == 2 * (2 + len(made.variants))
    assert sum(job.sampled for job in jobs) == 2


def test_a_sweep_tries_all_combinations_and_what_is_the_users_own_once(jobs: list[Job]) -> None:
    made = tried(Plan(seeds=3, sweep=(("rank", (32.0, 64.0)), ("learning_rate", (1e-5, 2e-5)))))
    titles = [variant.title for variant in made.variants]
    assert titles[1::2] == ["lora_rank 32, learning_rate 2e-5", "lora_rank 64, learning_rate 2e-5 (yours)"]
    assert len(jobs) == 3 * 4  # rank 64 at 2e-5 is what the user has
    assert made.transfer == 8
    assert made.b_tracks == ()
    assert "at your rank of 64, halve learning rate x alpha / rank" in sentence(made)


def test_a_run_without_an_adapter_has_no_rank_to_sweep(jobs: list[Job]) -> None:
    full = PT.format(gpus=1).replace("_with_peft", "") + LORA.partition("--lora_rank")[0]
    full = full.replace("run_clm_pt.py", "run_clm.py").replace("--dataset_dir none", "--train_file none --output_dir o")
    flags = " --learning_rate 2e-5 --block_size 64 --per_device_train_batch_size 1 --gradient_accumulation_steps 1\n"
    with pytest.raises(Refused, match="a sweep of lora_rank needs a run with LoRA"):
        tried(Plan(sweep=(("rank", (8.0,)),)), SourceText("run.sh", full + flags))
    assert jobs == []


def test_running_out_of_time_leaves_no_half_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "run", lambda jobs, *rest: [track(jobs[0].seed, 1.0), *[None] * (len(jobs) - 1)])
    made = tried(Plan(seeds=3))
    assert made.verdict.kind == "inconclusive"
    assert "1 of 6" in sentence(made)
