"""docs/coverage.md against the catalogue: no row without a rule or a reason, no rule that does not exist, no entry missing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from trainlint.ruleset import catalogue

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coverage.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| `")
]
RULE = re.compile(r"`([a-z]+/[a-z0-9-]+)`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_has_a_rule_that_exists_or_a_reason(row: list[str]) -> None:
    rules = RULE.findall(row[-1])
    assert len(row) == (4 if row[0].startswith("`F") else 3)
    assert set(rules) <= set(catalogue())
    assert rules or len(row[-1].split()) >= 3


def test_no_row_stands_twice() -> None:
    names = [cell for row in ROWS for cell in row[:-2]]
    assert len(set(names)) == len(names)


def test_the_share_is_the_one_stated() -> None:
    failures = [row for row in ROWS if row[0].startswith("`F")]
    visible = [row for row in failures if "not visible statically" not in row[-1]]
    reported = [row for row in visible if RULE.search(row[-1])]
    said = f"Of {len(failures)} known failures {len(visible)} can be seen without running anything"
    assert f"{said}; a rule reports {len(reported)} of those" in " ".join(PAGE.read_text("utf-8").split())


def test_the_catalogue_is_as_large_as_stated() -> None:
    rules = catalogue().values()
    cases = sum(1 if rule.check else len(rule.cases) for rule in rules)
    assert f"The catalogue has {len(rules)} rules with {cases} cases" in PAGE.read_text("utf-8")


@pytest.mark.skipif(
    "TRAINLINT_FAILURES" not in os.environ, reason="TRAINLINT_FAILURES names the list of known failures"
)
def test_no_known_failure_is_missing() -> None:
    known = json.loads(Path(os.environ["TRAINLINT_FAILURES"]).read_text("utf-8"))
    assert {entry["id"] for entry in known} == {row[0].strip("`") for row in ROWS if row[0].startswith("`F")}


def test_the_page_on_the_article_names_rules_that_exist() -> None:
    rules = RULE.findall((PAGE.parent / "article.md").read_text("utf-8"))
    assert len(set(rules)) > 20
    assert set(rules) <= set(catalogue())
