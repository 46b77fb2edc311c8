"""The fault benchmark's own parts: a fault changes the text, is found where it was put, and nothing else is blamed."""

from __future__ import annotations

import pytest

from benchmarks.faults import FAULTS, HEALTHY, Outcome, outcomes, page
from benchmarks.spellings import SPELLINGS


def test_each_fault_can_be_put_somewhere() -> None:
    for fault in FAULTS:
        assert any(fault.put_into(HEALTHY[run], write) for run in fault.runs for write in SPELLINGS.values()), (
            fault.name
        )


def test_names_are_unique() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.fixture(scope="module")
def results() -> list[Outcome]:
    return list(outcomes())


def test_most_faults_are_found_where_they_are(results: list[Outcome]) -> None:
    assert sum(each.found for each in results) >= 0.95 * len(results)
    assert sum(each.placed for each in results) >= 0.95 * sum(each.found for each in results)


def test_nothing_else_is_blamed(results: list[Outcome]) -> None:
    assert not [each for each in results if each.unrelated]


def test_the_page_counts_them(results: list[Outcome]) -> None:
    assert f"of {len(results)} (" in page(results)
