"""The plugin under test: its pages by their examples, its dialect and its reporter through trainlint itself."""

import csv
from pathlib import Path

import pytest
import trainlint_house

from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.reporters import render
from trainlint.testing import RuleExample, findings, rule_examples
from trainlint.text import SourceText

ADAPTER = Path(__file__).parents[1] / "examples" / "adapter.yaml"


@pytest.mark.parametrize("example", rule_examples(trainlint_house.rules), ids=str)
def test_rule(example: RuleExample, tmp_path: Path) -> None:
    example.check(tmp_path)


def test_trainlint_judges_a_file_of_loom_by_its_own_rules_too() -> None:
    said = findings(ADAPTER.read_text(), "adapter.yaml", world_size=1, tokens=1_000_000)
    found = {finding.rule: finding for finding in said}
    assert found["lr/too-high-for-step"].at.text == "2.0e-4"
    assert "accumulate" in found["lr/too-high-for-step"].advice
    assert found["house/seed"].fix is not None


def test_other_files_are_left_to_trainlint() -> None:
    assert findings("a: 1\n", "config.yaml") == []


def test_csv() -> None:
    report = Report()
    Linter().lint(SourceText.load(ADAPTER, "adapter.yaml"), report)
    rows = list(csv.reader(render("csv", report).splitlines()))
    assert rows[0] == ["path", "line", "severity", "rule", "message"]
    assert ["adapter.yaml", "11", "note", "house/seed", "seed 7, where 1234 is agreed"] in rows
