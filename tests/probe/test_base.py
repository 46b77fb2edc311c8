"""What is shipped: a small base with a card that says where it comes from, and the new text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

PROBE = Path(__file__).resolve().parents[2] / "src" / "trainlint" / "probe"
CARD = (PROBE / "base" / "MODEL_CARD.md").read_text("utf-8")


def test_the_base_is_small() -> None:
    assert (PROBE / "base" / "model.safetensors").stat().st_size < 300_000


def test_the_thresholds_are_those_of_this_base() -> None:
    """Whoever replaces the base measures them anew: tools/calibrate_probe.py."""
    said = json.loads((PROBE / "base" / "thresholds.json").read_text("utf-8"))
    assert said["base"] == hashlib.sha256((PROBE / "base" / "model.safetensors").read_bytes()).hexdigest()
    assert {"gain", "ratio", "points", "transfer", "low_learning_rate"} <= set(said)


def test_the_card_names_data_licence_metrics_and_how_to_rebuild() -> None:
    for word in (
        "public domain",
        "Apache-2.0",
        "bible-kjv",
        "jargon-text",
        "dict-devil",
        "r-cran-janeaustenr",
        "chinese-poetry",
    ):
        assert word in CARD
    assert "tools/train_probe_base.py" in CARD
    metrics = json.loads((PROBE / "base" / "config.json").read_text("utf-8"))["held_out_bpb"]
    for value in metrics.values():
        assert f"{value:.3f}" in CARD
    english = [metrics[name] for name in ("kjv", "austen", "jargon")]
    assert sum(english) / len(english) <= 2.5


def test_the_new_text_is_long_and_varied() -> None:
    files = sorted((PROBE / "data").glob("*.txt"))
    data = "".join(file.read_text("utf-8") for file in files)
    assert len(data.encode()) >= 60_000
    lines = [line for line in data.splitlines() if line]
    assert len(set(lines)) == len(lines) > 100
    assert sum("一" <= char <= "鿿" for char in data) > 16_000
