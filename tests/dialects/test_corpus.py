"""Real files: each is read by its own framework's dialect or describes no run."""

from __future__ import annotations

import pytest

from helpers_corpus import CORPUS, needs_corpus
from trainlint.linter import Linter
from trainlint.text import SourceText

LEAST = {
    "torchtune": 0.85, "torchtitan": 1.0, "verl": 0.6, "litgpt": 1.0, "llm-foundry": 0.9, "gpt-neox": 0.8, "nanotron": 1.0,
    "olmo": 1.0,
}  # fmt: skip
"""The share of a framework's files that describe a training run: others generate, evaluate, or are parts of one."""


@needs_corpus
@pytest.mark.parametrize("dialect", LEAST)
def test_agreement_with_the_index(dialect: str) -> None:
    rows = [line.split("\t") for line in (CORPUS / "INDEX.tsv").read_text("utf-8").splitlines()[1:]]
    files = [CORPUS / row[0] for row in rows if row[2] == dialect]
    if not files:
        pytest.skip("no files of it are here")
    linter = Linter()
    taken = 0
    for file in files:
        _, found = linter.read(SourceText.load(file))
        dialects = {run.dialect for launch in found for run in launch}
        assert dialects <= {dialect}, file
        taken += dialect in dialects
    assert taken / len(files) >= LEAST[dialect]
