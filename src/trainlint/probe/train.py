"""One side under one seed: train until the new text is learned well enough, and write down what that cost. Imports torch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from statistics import fmean, median
from typing import Any

import torch
from transformers import get_scheduler

from trainlint.probe import model as models
from trainlint.probe.job import Job
from trainlint.probe.verdict import DIVERGED, NOTHING, End, Point, Track

MEASURED_NEW = 8192
"""Bytes of the held-out new text that are measured."""
FIRST, FAR, NEAR = 4, 1.8, 1.3
"""The first step to measure after, and how much further the next one lies: below half the target, and above."""


def run(job: Job) -> Track:
    """Train one side under one seed. The same job gives the same track, bit by bit, on the same machine and versions."""
    if time.time() > job.deadline:
        return Track(job.seed, (NOTHING,), "time")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    settings = job.settings
    model = models.adapted(settings, job.seed).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(
        weights,
        lr=settings.learning_rate * job.transfer,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
    )
    steps = settings.max_steps
    scheduler = get_scheduler(settings.scheduler, optimizer, round(settings.warmup * steps), steps)
    gauge = _Gauge(model, job)
    norms: list[float] = []
    due = min(FIRST, steps)
    batches = _batches(job)
    for step in range(1, steps + 1):
        if time.time() > job.deadline:
            return gauge.track("time", norms)
        batch = next(batches)
        # the micro-batches of an optimizer step are equally long, so one pass over all of them is the same step
        model(input_ids=batch, labels=batch).loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(weights, settings.clip or math.inf)))
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if step == due:
            point = gauge.measure(step)
            if not math.isfinite(point.gain) or not math.isfinite(point.cost):
                return gauge.track("diverged", norms)
            if point.gain >= job.target:
                return gauge.track("reached", norms)
            due = min(steps, max(step + 1, round(step * (FAR if point.gain < job.target / 2 else NEAR))))
    return gauge.track("diverged" if gauge.points[-1].gain < DIVERGED else "short", norms)


def _batches(job: Job) -> Iterator[torch.Tensor]:
    """Optimizer steps of shape (batch, block): the text cut into blocks at an offset and in an order that the seed draws."""
    data, block = models.as_tensor(job.text.training), job.settings.block
    draw = torch.Generator().manual_seed(1000 + job.seed)
    waiting: list[torch.Tensor] = []
    while True:
        offset = int(torch.randint(0, block, (1,), generator=draw))
        count = (len(data) - offset) // block
        blocks = data[offset : offset + count * block].view(count, block)
        waiting += list(blocks[torch.randperm(count, generator=draw)])
        while len(waiting) >= job.settings.batch:
            yield torch.stack(waiting[: job.settings.batch])
            del waiting[: job.settings.batch]


class _Gauge:
    """Measures a model against how it began."""

    def __init__(self, model: Any, job: Job) -> None:
        self.model, self.job = model, job
        self.new = job.text.held_out[:MEASURED_NEW]
        self.began_new, self.began_english = self._bits()
        self.points = [NOTHING]

    def _bits(self) -> tuple[float, float]:
        of_english = [models.bits_per_byte(self.model, data) for data in self.job.english.values()]
        return models.bits_per_byte(self.model, self.new), fmean(of_english)

    def measure(self, step: int) -> Point:
        new, english = self._bits()
        cost = 100 * (english / self.began_english - 1)
        self.points.append(Point(step, step * self.job.settings.step_bytes, self.began_new - new, cost))
        return self.points[-1]

    def track(self, end: End, norms: list[float]) -> Track:
        sample = models.write(self.model) if self.job.sampled and end != "time" else ""
        middle = median(norms) if norms else 0.0
        return Track(self.job.seed, tuple(self.points), end, sample, max(norms) / middle if middle else 0.0)
