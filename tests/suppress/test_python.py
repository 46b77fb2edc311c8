"""Suppressions in Python files and notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_fixes import fixed
from helpers_suppress import (
    find,
)
from trainlint import readers, suppress
from trainlint.findings import Report
from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText, apply

PYTHON = """\
from trl import SFTConfig, SFTTrainer
from peft import LoraConfig
# trainlint: ignore[lr/lora-ceiling] 学 a trial
args = SFTConfig(
    "out",
    learning_rate=2e-2,{}
)
SFTTrainer("org/base-7b", args, peft_config=LoraConfig(r=8))
"""
ABOVE = "# trainlint: ignore[lr/lora-ceiling] 学 a trial\n"


def rules_in(name: str, text: str) -> set[str]:
    report = Report()
    Linter(Settings()).lint(SourceText(name, text), report)
    assert report.internal_errors == []
    return {finding.rule for finding in report.findings}


def as_notebook(code: str) -> str:
    lines = [json.dumps(line, ensure_ascii=False) for line in code.splitlines(keepends=True)]
    return '{"cells": [{"cell_type": "code", "source": [\n' + ",\n".join(lines) + "\n]}]}\n"


@pytest.mark.parametrize("as_file", [lambda code: ("a.py", code), lambda code: ("a.ipynb", as_notebook(code))])
def test_comments_in_python_hide_what_they_name(as_file: Callable[[str], tuple[str, str]]) -> None:
    comment = "  # trainlint: ignore[lr/lora-ceiling] a trial"
    bare = PYTHON.replace(ABOVE, "").format("")
    assert "lr/lora-ceiling" in rules_in(*as_file(bare))
    for text in (PYTHON.format(""), PYTHON.replace(ABOVE, "").format(comment)):
        found = rules_in(*as_file(text))
        assert "lr/lora-ceiling" not in found
        assert "suppressions/unused" not in found
    assert "suppressions/unused" in rules_in(*as_file(PYTHON.format("").replace("2e-2", "2e-4")))
    assert "lr/lora-ceiling" in rules_in(*as_file(bare.replace('"out"', f'"{comment}"')))


def test_comments_are_added_to_python() -> None:
    text = PYTHON.replace(ABOVE, "").format("")
    source = SourceText("a.py", text)
    added = suppress.add(readers.read(source), [find(source, "lr/lora-ceiling", "2e-2")], "a trial")
    after = apply(text, [(edit.at.span, edit.text) for edit in added.edits])
    assert after == text.replace("2e-2,", "2e-2,  # trainlint: ignore[lr/lora-ceiling] a trial")


def ignored(text: str, reason: str) -> str:
    """A notebook with a comment for each of its findings."""
    source = SourceText("a.ipynb", text)
    report = Report()
    Linter(Settings()).lint(source, report)
    added = suppress.add(readers.read(source), report.findings, reason)
    assert (added.left, added.entries) == ((), ())
    return apply(text, [(edit.at.span, edit.text) for edit in added.edits])


@settings(max_examples=60)
@given(
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 1, 2, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.text('aä学"\\ #', max_size=8),
    st.sampled_from(["", "  ", "  # 2e-2"]),
)
def test_comments_are_added_to_notebooks(
    lines: bool, ascii: bool, indent: int | str | None, newline: str, reason: str, behind: str
) -> None:
    code = PYTHON.replace(ABOVE, "").format(behind)
    cells = ["# 学\n", code, "print('\\n')\n"]
    content = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "source": cell.splitlines(keepends=True) if lines else cell}
            for cell in cells
        ],
        "nbformat": 4,
    }
    text = json.dumps(content, ensure_ascii=ascii, indent=indent).replace("\n", newline) + newline
    hushed = ignored(text, reason)
    found = json.loads(hushed)
    written = ["".join(cell["source"]) for cell in found["cells"]]
    assert (written[0], written[2]) == (cells[0], cells[2])
    assert found.keys() == content.keys()
    before = [line.rstrip() for line in code.splitlines()]
    after = written[1].splitlines()
    assert len(after) == len(before)
    assert all(now.startswith(line) for now, line in zip(after, before, strict=True))
    assert " ".join(reason.split()) in written[1]
    assert rules_in("a.ipynb", hushed) == set()


def test_a_comment_of_a_notebook_stands_above_what_takes_none() -> None:
    code = PYTHON.replace(ABOVE, "").format("").replace("2e-2,", "2e-2 \\\n    ,")
    text = as_notebook(code)
    after = json.loads(ignored(text, "a trial"))["cells"][0]["source"]
    assert next(line for line in after if "lora-ceiling" in line).lstrip().startswith("#")


def test_an_unused_comment_leaves_the_notebook_whole() -> None:
    source = SourceText("a.ipynb", as_notebook(PYTHON.format("").replace("2e-2", "2e-4")))
    result = fixed(source)
    assert "ignore" not in result.text
    assert json.loads(result.text)["cells"][0]["source"][2] == "\n"
