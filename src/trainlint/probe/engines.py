"""Where the tracks are made: in processes of this machine, or by a Dask or Ray cluster that runs already."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from trainlint.probe.job import Job
from trainlint.probe.verdict import Track

GRACE = 1.5
"""Seconds for the workers to notice that the time is up."""
CONNECT = 10
"""Seconds for a cluster to answer."""
PACKAGES = {"dask": "distributed", "ray": "ray"}
"""What has to be installed for an engine, by its name."""

Numbered = tuple[int, Job]
Engine = Callable[[Sequence[Numbered], float], Iterator[tuple[int, Track]]]
"""Yields the tracks as they come, and ends at a time of `time.time()` whether or not they are all there."""


class EngineError(Exception):
    """A cluster that cannot be used; the message says what is wanted."""


def run(
    jobs: Sequence[Job],
    budget: float,
    done: Callable[[int, int], None] = lambda finished, of: None,
    engine: Engine | None = None,
) -> list[Track | None]:
    """The tracks of the jobs, in their order, within `budget` seconds; None where the time did not suffice.

    Whatever ends this, Ctrl-C too, ends the workers with it. Raises `EngineError`.
    """
    deadline = time.time() + budget
    tracks: list[Track | None] = [None] * len(jobs)
    numbered = [(i, replace(job, deadline=deadline)) for i, job in enumerate(jobs)]
    with closing((engine or processes)(numbered, deadline + GRACE)) as finished:  # type: ignore[type-var]
        for count, (at, track) in enumerate(finished, 1):
            tracks[at] = track
            done(count, len(jobs))
    return tracks


def named(spec: str) -> Engine:
    """The engine that `local`, `dask[:ADDRESS]` or `ray[:ADDRESS]` means. Raises `EngineError`."""
    name, _, address = spec.partition(":")
    if name == "local" and not address:
        return processes
    if name not in PACKAGES:
        raise EngineError(f"{spec!r} is no engine: there are local, dask[:ADDRESS] and ray[:ADDRESS]")
    if find_spec(PACKAGES[name]) is None:
        raise EngineError(f"this needs {PACKAGES[name]}, which is not installed: pip install {PACKAGES[name]}")
    return _dask(address) if name == "dask" else _ray(address)


# ------------------------------------------------------------------------------------------------------------- engines


def processes(jobs: Sequence[Numbered], end: float) -> Iterator[tuple[int, Track]]:
    """Processes of this machine, one for each core, each with one thread."""
    workers = max(1, min(len(jobs), _cores()))
    with ExitStack() as stack:
        with _uninterrupted():
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(workers, _begin))
        results = pool.imap_unordered(_work, jobs)
        for _ in jobs:
            try:
                yield results.next(timeout=max(0.1, end - time.time()))
            except multiprocessing.TimeoutError:
                return


def _dask(address: str) -> Engine:
    def engine(jobs: Sequence[Numbered], end: float) -> Iterator[tuple[int, Track]]:
        import dask
        from distributed import Client, TimeoutError, as_completed

        scheduler = address or dask.config.get("scheduler-address", None)
        if scheduler is None:
            raise EngineError("which scheduler? Say --engine dask:tcp://HOST:8786, or set DASK_SCHEDULER_ADDRESS")
        try:
            client = Client(scheduler, timeout=CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(f"no Dask scheduler at {scheduler}: {error}") from None
        with client:
            futures = client.map(_work, jobs, pure=False)
            try:
                for _, track in as_completed(futures, with_results=True, timeout=max(0.1, end - time.time())):
                    yield track
            except TimeoutError:
                pass
            except Exception as error:
                raise _failed("Dask", error) from None
            finally:
                client.cancel(futures)

    return engine


def _ray(address: str) -> Engine:
    def engine(jobs: Sequence[Numbered], end: float) -> Iterator[tuple[int, Track]]:
        import ray

        try:
            _reach(address)
            ray.init(address or "auto", log_to_driver=False, logging_level="error")
        except (OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"no Ray cluster at {address or 'RAY_ADDRESS or on this machine'}: {error}") from None
        try:
            waiting = [ray.remote(_work).remote(job) for job in jobs]
            while waiting:
                ready, waiting = ray.wait(waiting, timeout=max(0.1, end - time.time()))
                if not ready:
                    return
                try:
                    track = ray.get(ready[0])
                except ray.exceptions.RayError as error:
                    raise _failed("Ray", error) from None
                yield track
        finally:
            ray.shutdown()

    return engine


def _reach(address: str) -> None:
    """Raises OSError where nothing answers at HOST:PORT; Ray itself would go on trying for minutes."""
    at = urlsplit(address if "//" in address else f"//{address}")
    if at.hostname and at.port:
        socket.create_connection((at.hostname, at.port), CONNECT).close()


def _failed(name: str, error: Exception) -> EngineError:
    last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
    return EngineError(f"a {name} worker failed, which needs trainlint[verify] in the version used here: {last[0]}")


# ------------------------------------------------------------------------------------------------------------- workers

_alone = threading.Lock()
"""A worker with several threads does one job after the other: the state of torch's random numbers is the process's."""


def _work(job: Numbered) -> tuple[int, Track]:
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"  # what libraries have to say about themselves is not for the report
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with _alone:
        from trainlint.probe import train

        at, what = job
        return at, train.run(what)


def _begin() -> None:
    """Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """However the parent ends, killed too: a worker does not outlive it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of this, and never reaches the processes that are started in it: they inherit the mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
