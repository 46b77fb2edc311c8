"""The whole of each format, for one report that has everything and one that has nothing.

TRAINLINT_UPDATE_GOLDEN=1 writes the files anew; look at the difference before you keep it.
"""

import json
import os
from pathlib import Path

import pytest

from reporters.reports import sample
from trainlint import __version__
from trainlint.findings import InternalError, Report
from trainlint.reporters import FORMATS, render
from trainlint.reporters.statistics import render as statistics

GOLDEN = Path(__file__).parent / "golden"


def keeps(name: str, text: str) -> None:
    file = GOLDEN / name
    text = text.replace(f'"{__version__}"', '"VERSION"')
    if "TRAINLINT_UPDATE_GOLDEN" in os.environ:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    assert text == file.read_bytes().decode()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("name", "report"), [("sample", sample()), ("clean", Report(files=["a.sh"]))])
def test_a_format_stays_as_it_is(format: str, name: str, report: Report) -> None:
    keeps(f"{name}.{format}", render(format, report))


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_of_nothing_can_be_written(format: str) -> None:
    text = render(format, Report())
    assert text == "" or text.endswith("\n")


@pytest.mark.parametrize("format", ["text", "concise"])
def test_quiet_leaves_findings_only(format: str) -> None:
    assert render(format, Report(files=["a.sh"]), quiet=True) == ""
    page = render(format, sample(), quiet=True)
    assert "lr/too-high-for-step" in page
    assert "not evaluated" not in page
    assert "Found" not in page
    assert "KeyError" in page, "an error of our own is no summary"


def test_statistics() -> None:
    assert statistics(sample()) == (
        "1  error    launch/broken-continuation  1 fixable\n"
        "1  warning  lr/too-high-for-step        1 fixable\n"
        "1  note     batch/auto                  1 fixable\n"
        "1  note     data/unknown-dataset\n"
    )
    assert statistics(Report()) == ""


def test_statistics_as_json() -> None:
    import jsonschema

    schema = json.loads((Path(__file__).parents[2] / "docs/schema/statistics-v1.schema.json").read_text("utf-8"))
    for report in sample(), Report():
        jsonschema.validate(json.loads(statistics(report, "json")), schema)
    doubled = Report(findings=[*sample().findings, sample().findings[3]])
    assert json.loads(statistics(doubled, "json"))["rules"][0] == {
        "rule": "batch/auto",
        "severity": "note",
        "count": 2,
        "fixable": 2,
    }


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_of_no_file_is_said_in_every_format(format: str) -> None:
    page = render(format, Report(internal_errors=[InternalError("", "the plugin x of y 1", "ValueError: no")]))
    assert "the plugin x of y 1" in page or format == "gitlab", "GitLab's form has no place for it"
    assert " on ." not in page
