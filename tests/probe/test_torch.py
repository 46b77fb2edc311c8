"""The probe itself. Skipped where the packages of `trainlint[verify]` are not installed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    from probe.reference import Reference
    from trainlint.probe import engines, model, text, train
    from trainlint.probe.job import Job

from trainlint.probe.settings import LINEAR_LAYERS, ProbeSettings
from trainlint.probe.verdict import judge

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2]
SMALL = ProbeSettings(
    method="lora", learning_rate=3e-3, scheduler="linear", warmup=0.0, batch=2, block=64, clip=1.0, weight_decay=0.01,
    beta1=0.9, beta2=0.999, rank=8, alpha=16, dropout=0.05, targets=LINEAR_LAYERS, modules_to_save=("embed_tokens", "lm_head"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _denormals() -> Iterator[None]:
    """The training flushes them; other tests of this process want them back."""
    yield
    torch.set_flush_denormal(False)


def job(settings: ProbeSettings = SMALL, seed: int = 0, target: float = 0.03) -> Job:
    return Job(settings, text.own(), text.english(), seed, target=target)


def test_the_base_knows_english() -> None:
    base = model.base()
    assert fmean(model.bits_per_byte(base, data) for data in text.english().values()) <= 2.5
    assert sum(weight.numel() for weight in base.parameters()) < 140_000


def test_the_base_writes_what_its_config_says() -> None:
    torch.set_num_threads(1)
    assert model.write(model.base()) == text.sample_of_base()


def test_the_same_job_gives_the_same_track_bit_by_bit() -> None:
    first, second, other = train.run(job()), train.run(job()), train.run(job(seed=1))
    assert first == second
    assert first.end == "reached"
    assert first.points != other.points


def test_full_training_learns_too() -> None:
    assert train.run(job(replace(SMALL, method="full"))).end == "reached"


def test_a_rate_out_of_all_proportion_does_not_count_as_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlint.probe.settings.MAX_BYTES", 40_000)  # few steps suffice for it
    track = train.run(replace(job(replace(SMALL, learning_rate=1.0, batch=4, block=512), target=0.3)))
    assert track.end == "diverged"
    assert track.last.gain < 0 or not math.isfinite(track.last.gain)


def test_time_is_up_before_the_first_step() -> None:
    track = train.run(replace(job(), deadline=0.0))
    assert (track.end, len(track.points)) == ("time", 1)


def test_peft_and_a_reference_in_plain_torch_agree() -> None:
    settings = replace(SMALL, dropout=0.0, weight_decay=0.1)
    steps = 20
    torch.set_num_threads(1)
    tuned = model.adapted(settings, 0).train()
    weights = {name: weight.detach() for name, weight in model.base().named_parameters()}
    trained = dict(tuned.named_parameters())
    adapters = {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.default.weight"): (
            weight.detach(),
            trained[name.replace("lora_A", "lora_B")].detach(),
        )
        for name, weight in trained.items()
        if "lora_A" in name
    }
    assert len(adapters) == 2 * len(LINEAR_LAYERS)
    whole = ["model.embed_tokens.weight", "lm_head.weight"]
    reference = Reference(weights, adapters, settings.alpha / settings.rank, whole)
    batches = list(islice(train._batches(job(settings)), steps))
    rates = [settings.learning_rate * (1 - step / steps) for step in range(steps)]
    reference.train(batches, rates, (settings.beta1, settings.beta2), settings.weight_decay, settings.clip)

    learned = [weight for weight in tuned.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=settings.learning_rate, betas=(0.9, 0.999), weight_decay=0.1)
    for batch, rate in zip(batches, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        tuned(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, settings.clip)
        optimizer.step()
        optimizer.zero_grad()
    for data in (*text.english().values(), text.own().held_out):
        rows = model.as_tensor(data[: 8 * model.ROW]).view(-1, model.ROW)
        with torch.no_grad():
            expected = float(reference.loss(rows)) / math.log(2)
        assert model.bits_per_byte(tuned, data[: 8 * model.ROW]) == pytest.approx(expected, abs=1e-5)


def test_processes_give_what_one_process_gives() -> None:
    jobs = [job(seed=seed) for seed in range(2)]
    assert engines.run(jobs, 120) == [train.run(one) for one in jobs]


def test_no_time_means_no_verdict() -> None:
    tracks = [track for track in engines.run([job(), job(seed=1)], 0.01) if track is not None]
    assert judge(tracks[:1], tracks[1:], 1).kind == "inconclusive"


COMMAND = [sys.executable, "-m", "trainlint", "verify", "--seeds", "2", "--format", "json"]
ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT / "src")}


def verify(*arguments: str) -> dict[str, Any]:
    """The one experiment that the command reports."""
    done = subprocess.run(
        [*COMMAND, *arguments, "examples/article/run_pt.sh"],
        cwd=ROOT, capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (experiment,) = json.loads(done.stdout)["experiments"]
    return {**experiment, "seconds": None}


def test_the_articles_example_from_the_command_line_and_the_same_once_more() -> None:
    experiment = verify("--verify-budget", "5m")
    assert experiment["verdict"]["kind"] == "costs more"
    assert experiment["verdict"]["dearer"] == "A"
    assert len(experiment["a"]["seeds"]) == len(experiment["b"]["seeds"]) == 2
    assert experiment["same_bytes"]["bytes"] > 0
    assert verify("--verify-budget", "5m") == experiment


def test_the_time_that_is_given_is_kept_to() -> None:
    began = time.monotonic()
    experiment = verify("--verify-budget", "4s")
    assert experiment["verdict"]["kind"] == "inconclusive"
    assert time.monotonic() - began < 4 + 15  # the rest is for a busy machine


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_ctrl_c_leaves_nothing_behind(seconds: float, tmp_path: Path) -> None:
    # a job in the background of a shell ignores Ctrl-C, and so would all that it starts
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    running = subprocess.Popen(
        [*COMMAND, "examples/article/run_pt.sh"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**ENVIRONMENT, "TMPDIR": str(tmp_path)}, preexec_fn=heed,  # noqa: PLW1509 (no threads here)
    )  # fmt: skip
    time.sleep(seconds)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=20)  # the pipes are the workers', too
    assert running.returncode != 0
    assert (out, err.strip()) == ("", "Aborted!")
    assert list(tmp_path.iterdir()) == []
    end = time.monotonic() + 10
    while _lives(running.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _lives(running.pid)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
