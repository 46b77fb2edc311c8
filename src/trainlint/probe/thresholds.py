"""What was calibrated for the base that is shipped. The numbers lie beside it and name it by its hash: new base, new numbers."""

from __future__ import annotations

import json
from importlib.resources import files

_SAID = json.loads((files("trainlint.probe") / "base" / "thresholds.json").read_text("utf-8"))

BASE: str = _SAID["base"]
"""SHA-256 of the base's file."""
TARGET_GAIN: float = _SAID["gain"]
"""Bits per byte by which the held-out new text must become cheaper before what that cost is compared.

Less separates settings badly, more is out of reach for gentle ones within the steps a side may take.
"""
RATIO: float = _SAID["ratio"]
POINTS: float = _SAID["points"]
"""The rule: means at least `RATIO` apart, at least `POINTS` percentage points apart, and the same sign in every seed.

Without the ratio, noisy settings that are the same on both sides come out as different far too often. docs/verify.md has the
measured rates.
"""
TRANSFER: float = _SAID["transfer"]
"""Factor on the learning rates of *both* sides where both are too low for a model 64 wide to learn within the limits.

The square root of the width ratio to a 7B model (4096 / 64). Reasoned, not measured: arguments for anything from 1 to 64 exist.
"""
LOW: float = _SAID["low_learning_rate"]
"""Learning rate below which `TRANSFER` applies."""
