"""What a worker is to do. Says it without torch, so that only workers have to import that."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlint.probe.settings import ProbeSettings
from trainlint.probe.text import Text
from trainlint.probe.thresholds import TARGET_GAIN


@dataclass(frozen=True)
class Job:
    """One side under one seed. `deadline` is a time of `time.time()`; `sampled`: let the model write a line at the end."""

    settings: ProbeSettings
    text: Text
    english: dict[str, bytes]
    seed: int
    transfer: float = 1.0
    target: float = TARGET_GAIN
    deadline: float = math.inf
    sampled: bool = False
