"""Where the jobs are done makes no difference to what comes of them. Clusters are tried where Dask or Ray is installed."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from probe.tracks import track
from trainlint.cli import cli, verify
from trainlint.probe import engines, text
from trainlint.probe.job import Job
from trainlint.probe.settings import LINEAR_LAYERS, ProbeSettings

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = ProbeSettings(
    method="lora", learning_rate=3e-3, scheduler="linear", warmup=0.0, batch=2, block=64, clip=1.0, weight_decay=0.01,
    beta1=0.9, beta2=0.999, rank=8, alpha=16, dropout=0.05, targets=LINEAR_LAYERS,
)  # fmt: skip
JOBS = [Job(SMALL, text.own(), text.english(), seed, target=0.03) for seed in range(3)]


def test_what_an_engine_leaves_out_is_none_and_the_order_is_that_of_the_jobs() -> None:
    seen = []
    done = engines.run(
        JOBS,
        5,
        lambda finished, of: seen.append((finished, of)),
        lambda jobs, end: (one for one in [(2, track(2, 1)), (0, track(0, 1))]),
    )
    assert done == [track(0, 1), None, track(2, 1)]
    assert seen == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("spark", "no engine"),
        ("local:8", "no engine"),
        ("dask", "pip install distributed"),
        ("ray:auto", "pip install ray"),
    ],
)
def test_an_engine_that_is_not_there(spec: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    monkeypatch.setattr(verify, "require", lambda: None)
    done = CliRunner().invoke(cli, ["verify", "--engine", spec, "examples/article/run_pt.sh"])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_dask_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    train = pytest.importorskip("trainlint.probe.train")
    # two threads, which must not draw from one another's random numbers
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        on_dask = engines.named(f"dask:{cluster.scheduler_address}")
        assert engines.run(JOBS, 300, engine=on_dask) == [train.run(job) for job in JOBS]
        began = time.monotonic()
        cut_short = engines.run([replace(job, target=9.0) for job in JOBS], 0.5, engine=on_dask)
        assert all(track is None or track.end == "time" for track in cut_short)
        assert time.monotonic() - began < 30
        with pytest.raises(engines.EngineError, match="a Dask worker failed"):
            engines.run([replace(JOBS[0], settings=None)], 60, engine=on_dask)  # type: ignore[arg-type]


def test_a_ray_cluster() -> None:
    cluster = _ray()
    train = pytest.importorskip("trainlint.probe.train")
    try:
        on_ray = engines.named(f"ray:{cluster.address}")
        assert engines.run(JOBS, 300, engine=on_ray) == [train.run(job) for job in JOBS]
        cut_short = engines.run([replace(job, target=9.0) for job in JOBS], 0.5, engine=on_ray)
        assert all(track is None or track.end == "time" for track in cut_short)
        with pytest.raises(engines.EngineError, match="a Ray worker failed"):
            engines.run([replace(JOBS[0], settings=None)], 60, engine=on_ray)  # type: ignore[arg-type]
    finally:
        cluster.shutdown()


def _ray() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ray")
        from ray.cluster_utils import Cluster

        return Cluster(initialize_head=True, head_node_args={"num_cpus": 2})


@pytest.mark.parametrize(("package", "spec"), [("distributed", "dask:tcp://127.0.0.1:9"), ("ray", "ray:127.0.0.1:9")])
def test_a_cluster_that_does_not_answer(package: str, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(package)
    monkeypatch.setattr(engines, "CONNECT", 1)
    with pytest.raises(engines.EngineError, match=r"127\.0\.0\.1:9"):
        engines.run(JOBS, 5, engine=engines.named(spec))


def test_a_dask_without_an_address_is_asked_for_it() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(engines.EngineError, match="which scheduler"):
        engines.run(JOBS, 5, engine=engines.named("dask"))
