"""Several tracks at once, each in a process of its own with one thread, until they are done or the time is up."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from trainlint.probe.verdict import Track

GRACE = 2.0
"""Seconds for the workers to notice that the time is up."""


def run(
    jobs: Sequence[Any], budget: float, done: Callable[[int, int], None] = lambda finished, of: None
) -> list[Track | None]:
    """The tracks of the jobs (`train.Job`), in their order, within `budget` seconds; None where the time did not suffice.

    Whatever ends this, Ctrl-C too, ends the workers with it.
    """
    deadline = time.time() + budget
    tracks: list[Track | None] = [None] * len(jobs)
    waiting = [(i, replace(job, deadline=deadline)) for i, job in enumerate(jobs)]
    workers = max(1, min(len(jobs), _cores()))
    with multiprocessing.get_context("spawn").Pool(workers, _quiet) as pool:
        results = pool.imap_unordered(_work, waiting)
        for finished in range(1, len(jobs) + 1):
            try:
                at, track = results.next(timeout=max(0.1, deadline + GRACE - time.time()))
            except multiprocessing.TimeoutError:
                break
            tracks[at] = track
            done(finished, len(jobs))
    return tracks


def _quiet() -> None:
    """Ctrl-C is the parent's to handle; and what libraries have to say about themselves is not for the report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """However the parent ends, killed too: a worker does not outlive it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: tuple[int, Any]) -> tuple[int, Track]:
    from trainlint.probe import train

    at, what = job
    return at, train.run(what)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
