"""`trainlint lint --verify`: the verdict reaches the findings that it bears on, in every format. The training is stubbed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from probe.test_report import CLEAR
from trainlint.cli import cli, verify
from trainlint.probe.settings import Refused

ARTICLE = str(Path(__file__).resolve().parents[2] / "examples/article/run_pt.sh")
SAID = "your settings cost 3.0 % of English"


@pytest.fixture
def _clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "require", lambda: None)
    monkeypatch.setattr(verify, "_tried", lambda *given: CLEAR)


def lint(*options: str) -> Any:
    return CliRunner().invoke(cli, ["lint", "--verify", ARTICLE, *options])


@pytest.mark.usefixtures("_clear")
def test_findings_on_the_step_carry_the_verdict_and_others_do_not() -> None:
    done = lint("--format", "json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)["findings"]
    carrying = {finding["rule"] for finding in found if SAID in json.dumps(finding)}
    assert {"lr/too-high-for-step", "batch/tiny-step"} <= carrying
    assert "monitoring/first-save-after-end" not in carrying


@pytest.mark.usefixtures("_clear")
@pytest.mark.parametrize("format_", ["text", "sarif", "markdown", "html"])
def test_other_formats_show_it(format_: str) -> None:
    assert SAID in " ".join(lint("--format", format_).stdout.split())


def test_a_refusal_is_said_and_leaves_the_findings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise Refused("a quantised base")

    monkeypatch.setattr(verify, "require", lambda: None)
    monkeypatch.setattr(verify, "_tried", refuse)
    done = lint("--format", "json")
    assert done.exit_code == 1
    assert "not verified: a quantised base" in done.stderr
    assert SAID not in done.stdout


@pytest.mark.parametrize(("given", "seconds"), [("90", 90), ("90s", 90), ("2m", 120)])
def test_budget(given: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "require", lambda: None)
    plans: list[Any] = []
    monkeypatch.setattr(verify, "_tried", lambda *arguments: plans.append(arguments[-1]) or CLEAR)
    lint("--verify-budget", given)
    assert plans[0].budget == seconds


@pytest.mark.parametrize("options", [("--watch",), ("--verify-budget", "soon")])
def test_wrong_usage(options: tuple[str, ...]) -> None:
    done = lint(*options)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
