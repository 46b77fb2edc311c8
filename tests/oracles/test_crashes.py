"""What Trainlint calls a crash stops the installed transformers, and what stops it is called one."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from benchmarks.crashes import Outcome, outcomes, page


@pytest.fixture(scope="module")
def results() -> list[Outcome]:
    return outcomes(300)


def test_no_error_on_what_runs(results: list[Outcome]) -> None:
    assert not [each.words for each in results if each.ours and each.theirs is None]


def test_nearly_all_that_stops_is_an_error(results: list[Outcome]) -> None:
    stopped = [each for each in results if each.theirs is not None]
    assert sum(bool(each.ours) for each in stopped) >= 0.95 * len(stopped) > 0


def test_the_page_counts_them(results: list[Outcome]) -> None:
    assert f"of {len(results)} (" in page(results, "5.23.0")
