"""The founding example: the same findings come out of all four spellings, and the published settings stay clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlint.findings import Finding, Report
from trainlint.linter import lint
from trainlint.settings import Settings, state
from trainlint.text import SourceText

EXAMPLES = Path(__file__).parents[1] / "examples"
WARNINGS = {"data/too-small-for-pretraining", "batch/tiny-step", "lr/too-high-for-step", "context/block-too-short"}
NOTES = {"schedule/no-warmup", "monitoring/no-evaluation", "precision/fp16"}
LETTER = (
    WARNINGS
    | NOTES
    | {
        "lora/alpha-scale",
        "lora/rank-high",
        "monitoring/first-save-after-end",
        "stability/clipping",
    }
)
SPELLINGS = ["run_pt.sh", "llama_factory.yaml", "axolotl.yaml", "args.json"]


def report(path: str, profile: str = "default", **stated: float) -> Report:
    settings = Settings(profile=profile, stated=state(**stated))  # type: ignore[arg-type]
    result = lint([SourceText.load(EXAMPLES / path, path)], settings)
    assert not result.internal_errors
    return result


def of(findings: list[Finding], severity: str) -> set[str]:
    return {finding.rule for finding in findings if finding.severity == severity}


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_gives_the_same_findings(name: str) -> None:
    found = report(f"article/{name}", world_size=1).findings
    assert of(found, "error") == set()
    assert of(found, "warning") == WARNINGS
    assert of(found, "note") >= NOTES


def test_the_script_needs_no_options() -> None:
    found = report("article/run_pt.sh").findings
    assert of(found, "warning") == WARNINGS
    assert of(found, "note") >= {*NOTES, "tokenizer/other-than-model"}


@pytest.mark.parametrize("name", SPELLINGS)
def test_strict_is_the_letter_of_the_article(name: str) -> None:
    assert of(report(f"article/{name}", "strict", world_size=1).findings, "warning") >= LETTER


def test_each_finding_points_at_the_number_it_speaks_of() -> None:
    source = SourceText.load(EXAMPLES / "article/run_pt.sh")
    flagged = {f.rule: source.line(f.at.start.line) for f in report("article/run_pt.sh").findings}
    assert flagged["lr/too-high-for-step"] == "lr=2e-5"
    assert flagged["batch/tiny-step"] == "gradient_accumulation_steps=1"
    assert flagged["context/block-too-short"] == "block_size=64"
    assert flagged["data/too-small-for-pretraining"] == "dataset_dir=data"


def test_every_finding_gives_advice_without_leftovers() -> None:
    for name in SPELLINGS:
        for finding in report(f"article/{name}", "strict", world_size=1).findings:
            assert finding.advice
            assert "{" not in finding.message + finding.advice
            assert "?" not in finding.message


def test_advice_speaks_the_language_of_the_file() -> None:
    def advice(name: str) -> str:
        found = report(f"article/{name}", world_size=1).findings
        return next(finding.advice for finding in found if finding.rule == "batch/tiny-step")

    assert "--gradient_accumulation_steps" in advice("run_pt.sh")
    assert "--block_size" in advice("run_pt.sh")
    assert "micro_batch_size" in advice("axolotl.yaml")
    assert "sequence_len" in advice("axolotl.yaml")
    assert "cutoff_len" in advice("llama_factory.yaml")
    assert "--" not in advice("llama_factory.yaml")


def test_the_published_settings_are_clean() -> None:
    for stated in ({}, {"dataset_bytes": 20_000_000_000}):
        found = report("healthy/run_pt.sh", **stated).findings
        assert of(found, "error") | of(found, "warning") == set()


def test_with_plenty_of_data_the_learning_rate_is_not_the_problem() -> None:
    found = report("article/run_pt.sh", dataset_bytes=20_000_000_000).findings
    assert of(found, "warning") == {"batch/tiny-step", "context/block-too-short"}


def test_a_broken_continuation_is_told_once() -> None:
    script = (EXAMPLES / "healthy/run_pt.sh").read_text().replace("--do_eval \\", "--do_eval \\ ")
    found = lint([SourceText("run.sh", script)], Settings()).findings
    # the flag before the break still stands, and so does what is to be said of it
    assert {finding.rule for finding in found} == {"launch/broken-continuation", "tokenizer/other-than-model"}
