"""Settings that cannot stand together: the real `TrainingArguments` of the installed transformers is the judge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers_dialects import steady
from helpers_runs import findings
from trainlint.settings import Settings

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

STEPS = [-1, 0, 0.1, 0.25, 1, 1.5, 2, 3, 500]
FIELDS: dict[str, list[Any]] = {
    "logging_strategy": ["no", "steps", "epoch"],
    "logging_steps": STEPS,
    "eval_strategy": ["no", "steps", "epoch"],
    "eval_steps": STEPS,
    "save_strategy": ["no", "steps", "epoch", "best"],
    "save_steps": STEPS,
    "load_best_model_at_end": [True, False],
    "fp16": [True, False],
    "bf16": [True, False],
    "fp16_full_eval": [True, False],
    "bf16_full_eval": [True, False],
    "lr_scheduler_type": ["linear", "reduce_lr_on_plateau", "greedy"],
    "warmup_steps": [-1, 0, 0.1, 10],
    "dataloader_num_workers": [0, 2],
    "dataloader_prefetch_factor": [2],
    "torch_empty_cache_steps": [-1, 0, 4],
}
SETTINGS = Settings(targets={"transformers": transformers.__version__})


def refused(settings: dict[str, Any]) -> str | None:
    """What the Trainer says against the settings."""
    try:
        transformers.TrainingArguments(output_dir="out", use_cpu=True, report_to="none", **settings)
    except (ValueError, ZeroDivisionError) as error:
        return str(error) or type(error).__name__
    return None


@steady(600)
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}))
@example({"logging_strategy": "no", "logging_steps": 0, "eval_strategy": "steps"})
@example({"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 0.25, "save_steps": 500})
@example({"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 0.25, "save_steps": 0.1})
@example({"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 0.1, "save_steps": 0.25})
def test_errors(settings: dict[str, Any]) -> None:
    flags = " ".join(f"--{name} {value}" for name, value in settings.items())
    text = (
        f"python run_clm.py --model_name_or_path gpt2 --train_file x.txt --output_dir out --learning_rate 1e-5 {flags}"
    )
    found = [finding for finding in findings(text, settings=SETTINGS) if finding.severity == "error"]
    said = refused(settings)
    assert bool(found) == (said is not None), (settings, said, [finding.message for finding in found])
