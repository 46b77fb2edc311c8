"""The JSON contract."""

import json
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from reporters.reports import at, finding, sample
from trainlint.findings import Report
from trainlint.reporters import render
from trainlint.text import SourceText

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/report-v1.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("report", [Report(), sample()], ids=["empty", "sample"])
def test_the_report_keeps_the_contract(report):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(render("json", report)), SCHEMA, jsonschema.Draft202012Validator)


def test_a_finding_has_exactly_these_keys():
    source = SourceText("训练.sh", "# 😀\nlr=学习\r\n")
    [found] = json.loads(render("json", Report(findings=[finding(at(source, "学习"))], files=["训练.sh"])))["findings"]
    assert found == {
        "rule": "lr/too-high",
        "severity": "warning",
        "confidence": "high",
        "message": "the learning rate is too high",
        "path": "训练.sh",
        "span": {"start": {"line": 2, "column": 4}, "end": {"line": 2, "column": 6}},
        "related": [],
        "advice": "Lower it.",
        "fix": None,
    }


def test_a_fix_and_its_related_places():
    report = json.loads(render("json", sample()))
    found = report["findings"][2]
    assert found["fix"] == {
        "title": "Remove the blank after the backslash",
        "safe": True,
        "edits": [
            {
                "path": "examples/继续预训练.sh",
                "span": {"start": {"line": 9, "column": 23}, "end": {"line": 10, "column": 1}},
                "text": "\n",
            }
        ],
    }
    assert report["findings"][0]["related"][3] == {
        "message": 'train_batch_size is "auto" [from the trainer]',
        "path": "ds config.json",
        "span": {"start": {"line": 1, "column": 22}, "end": {"line": 1, "column": 28}},
    }


def test_what_was_left_out_is_said():
    report = json.loads(render("json", sample()))
    assert (report["version"], report["files"]) == (1, 3)
    assert report["not_evaluated"][0] == {
        "rule": "memory/does-not-fit",
        "path": "examples/继续预训练.sh",
        "missing": ["gpu_memory"],
    }
    assert report["skipped"][0]["path"] == "model.yaml"
    assert report["internal_errors"] == [{"path": "clean.yaml", "where": "lora/rank", "message": "KeyError: 'r'"}]


def test_a_path_that_is_no_text_stays_valid_json():
    text = render("json", Report(findings=[finding(at(SourceText("a\udcff.sh", "1"), "1"))]))
    assert text.isascii()
    assert json.loads(text)["findings"][0]["path"] == "a?.sh"


@pytest.mark.parametrize("report", [Report(), sample()], ids=["empty", "sample"])
def test_lines_hold_the_same_as_the_whole(report):
    folder = Path(__file__).parents[2] / "docs/schema"
    registry = Registry().with_resource("report-v1.schema.json", Resource.from_contents(SCHEMA))
    line_schema = json.loads((folder / "lines-v1.schema.json").read_text("utf-8"))
    lines = [json.loads(line) for line in render("json-lines", report).splitlines()]
    for line in lines:
        jsonschema.validate(line, line_schema, jsonschema.Draft202012Validator, registry=registry)
    *findings, rest = lines
    assert {**rest, "findings": findings} == json.loads(render("json", report))


def test_totals():
    assert json.loads(render("json", sample()))["totals"] == {
        "error": 1,
        "warning": 1,
        "note": 2,
        "fixable": 3,
        "unsafe": 2,
        "suppressed": 0,
        "known": 0,
    }
