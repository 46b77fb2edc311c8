"""Secrets are told by their form, and no report repeats them."""

from __future__ import annotations

import pytest

from trainlint.linter import lint
from trainlint.reporters import render
from trainlint.secrets import masked, secrets
from trainlint.settings import Settings
from trainlint.text import SourceText

TOKEN = "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"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"export HF_TOKEN={TOKEN}", "a Hugging Face token"),
        ("wandb login --relogin 0123456789abcdef0123456789abcdef01234567", "a Weights & Biases key"),
        ("WANDB_API_KEY: 0123456789abcdef0123456789abcdef01234567", "a Weights & Biases key"),
        ("AKIAIOSFODNN7ABCDXYZ", "an AWS access key"),
    ],
)
def test_forms(text: str, what: str) -> None:
    [(found, start, end)] = secrets(text)
    assert found == what
    assert masked(text) == text[:start] + "*" * (end - start) + text[end:]


@pytest.mark.parametrize(
    "text",
    ["hf_" + "x" * 34, "commit 0123456789abcdef0123456789abcdef01234567", "--hub_token $HF_TOKEN", "sk-xxxxxxxx"],
)
def test_placeholders_and_hashes_are_none(text: str) -> None:
    assert not list(secrets(text))
    assert masked(text) == text


SCRIPT = (
    f"export HF_TOKEN={TOKEN} SEED=$RANDOM\ntorchrun run_clm.py --model_name_or_path m --output_dir out --seed $RANDOM "
)
SCRIPT += f"--per_device_train_batch_size 1 --num_train_epochs 1 --hub_token {TOKEN}\n"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown", "concise"])
def test_no_report_repeats_a_secret(form: str) -> None:
    report = lint([SourceText("run.sh", SCRIPT)], Settings())
    assert {"security/literal-secret", "reproducibility/random-seed"} <= {finding.rule for finding in report.findings}
    shown = render(form, report)
    assert "is written into the file" in shown
    assert TOKEN not in shown
