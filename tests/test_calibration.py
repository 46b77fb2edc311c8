"""The benchmark's own parts: a run that is written down in a framework's spelling is read back as the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.calibration import Sample, accused, bad, defences, good, page, public, settings_of
from benchmarks.spellings import SPELLINGS, lay_out
from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.text import SourceText

RUN: dict[str, Any] = {
    "model": "org/model-7b", "stage": "sft", "method": "lora", "learning_rate": 2e-4, "batch": 2, "accumulation": 4, "gpus": 4,
    "length": 2048, "rank": 16, "alpha": 32, "clip": 0.3, "warmup_steps": 10, "steps": 500, "precision": "bf16",
}  # fmt: skip
FACTS = {
    "stage": "sft", "method": "lora", "learning_rate": 2e-4, "per_device_train_batch_size": 2, "effective_batch_size": 32,
    "sequence_length": 2048, "lora_rank": 16, "lora_alpha": 32, "max_grad_norm": 0.3, "warmup_steps": 10,
    "mixed_precision": "bf16", "model_parameters": 7_000_000_000,
}  # fmt: skip
RECIPE = {
    "id": "fine", "model": "Llama-2-7b", "params_b": 7, "stage": "sft", "method": "lora", "lr": 1e-4, "effective_batch": 64,
    "seq_len": 2048, "lora_r": 16, "lora_alpha": 32, "epochs": 2, "warmup_ratio": 0.03, "precision": "bf16",
}  # fmt: skip
FAILURE = {
    "id": "hot",
    "config": {"stage": "sft", "method": "lora", "model_params_b": 7, "lr": 0.01, "effective_batch": 64},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_run_is_read_back_as_it_was_written(spelling: str, tmp_path: Path) -> None:
    written = SPELLINGS[spelling](RUN)
    assert written is not None
    lay_out(RUN, tmp_path)
    linter = Linter(Settings(stated=state(**written.stated)))
    _, [launch] = linter.read(SourceText(written.name, written.text, tmp_path / written.name))
    assert {name: launch.fact(name).value for name in FACTS} == FACTS


def test_what_a_recipe_does_not_say_stays_unsaid() -> None:
    run = settings_of({"id": "x"}, {"lr": 1e-5, "warmup_ratio": None})
    assert "warmup_ratio" not in run
    assert "gpus" not in run


def test_the_page_tells_good_from_bad() -> None:
    recipes, failures = list(good([RECIPE])), list(bad([FAILURE]))
    text = page(recipes, failures, failures, {})
    assert "| recipes with a warning | 0 of 1 (0.0 %) | at most 5 % | yes |" in text
    assert "| known failures with a warning or an error | 1 of 1 (100.0 %) | at least 80 % | yes |" in text
    assert "| hot | warning | `lr/lora-ceiling` |" in text


def test_an_error_in_a_public_file_has_a_defence_of_its_own_or_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "owner+name"
    folder.mkdir()
    (folder / "sft.yaml").write_text(
        "base_model: meta-llama/Llama-2-7b-hf\ndatasets:\n  - path: notes\n    type: alpaca\n"
        "micro_batch_size: 2\nlearning_rate: 0.0002\nadapter: lora\nwarmup_steps: 0.1\n"
    )
    [sample] = public(folder, tmp_path)
    assert sample.name == "owner+name/sft.yaml"
    [(_, finding, defence)] = accused([sample, sample])
    assert (finding.rule, defence) == ("arguments/invalid-value", None)
    [defended] = [known for known in defences() if "warmup_steps: 0.1" in known.says]
    assert [known for _, _, known in accused([Sample(defended.files[0], "axolotl", sample.findings)])] == [defended]
    text = page(list(good([RECIPE])), list(bad([FAILURE])), [sample], {"owner+name": [sample]})
    assert (
        "| owner+name/sft.yaml:8 | `arguments/invalid-value` warmup_steps: 0.1 is not an integer | **none yet** | |"
        in text
    )
    assert "- owner/name 1 files, 1 with an error" in text
