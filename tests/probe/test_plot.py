"""The picture: a line for each setting, a dot for each seed that got there, and no more than was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from probe.test_report import CLEAR, GAIN, A
from probe.tracks import side
from trainlint.cli import cli, verify
from trainlint.probe.experiment import EQUAL
from trainlint.probe.plot import svg
from trainlint.probe.result import Experiment, Variant

ARTICLE = str(Path(__file__).resolve().parents[2] / "examples/article/run_pt.sh")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*experiments: Experiment) -> tuple[int, int, str]:
    """How many lines and dots there are, and all words."""
    root = ElementTree.fromstring(svg(experiments))
    return len(list(root.iter(f"{SVG}polyline"))), len(list(root.iter(f"{SVG}circle"))), " ".join(root.itertext())


def test_both_sides_with_all_seeds() -> None:
    lines, dots, words = drawn(CLEAR)
    assert (lines, dots) == (2, 6)
    assert "A yours: 3.0 %" in words
    assert "B suggested: 0.45 %" in words
    assert "run.sh:21" in words


def test_a_sweep_and_what_was_not_reached() -> None:
    swept = [
        Variant(f"lora_rank <{i}>", replace(A, rank=i), side(i, i, i, gain=GAIN), CLEAR.verdict) for i in range(1, 12)
    ]
    short = Variant("far too slow", A, side(0.1, 0.1, gain=0.01, end="short"), CLEAR.verdict)
    lines, dots, words = drawn(replace(CLEAR, variants=(*swept, short), sweep=True, b_tracks=()), CLEAR)
    assert (lines, dots) == (12 + 2, 33 + 6)  # the last of the sweep is what the user has
    assert "far too slow: reached by 0 of 2" in words
    assert "lora_rank <3>: 1.5 %" in words


def run(monkeypatch: pytest.MonkeyPatch, made: Experiment, file: Path) -> Result:
    monkeypatch.setattr(verify, "require", lambda: None)
    monkeypatch.setattr(verify, "_tried", lambda *given: made)
    return CliRunner().invoke(cli, ["verify", "--plot", str(file), ARTICLE])


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, CLEAR, tmp_path / "a.svg").exit_code == 0
    assert (tmp_path / "a.svg").read_text("utf-8") == svg([CLEAR])


def test_nothing_to_draw_and_nowhere_to_draw_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, replace(CLEAR, a_tracks=(), b_tracks=(), verdict=EQUAL), tmp_path / "a.svg")
    assert done.exit_code == 0
    assert "nothing was measured" in done.stderr
    assert not (tmp_path / "a.svg").exists()
    done = run(monkeypatch, CLEAR, tmp_path / "no" / "a.svg")
    assert done.exit_code == 2
    assert "does not exist" in done.output
