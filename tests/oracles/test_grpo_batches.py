"""The batches of GRPO and RLOO: the real configuration classes of the installed TRL are the judge."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import steady
from helpers_runs import findings
from trainlint.settings import Settings

pytest.importorskip("torch")
trl = pytest.importorskip("trl")

FIELDS: dict[str, list[Any]] = {
    "per_device_train_batch_size": [1, 2, 4, 6, 8],
    "gradient_accumulation_steps": [1, 2, 3],
    "num_generations": [1, 2, 3, 4, 8],
    "generation_batch_size": [8, 12, 16],
    "steps_per_generation": [1, 2, 4],
    "eval_strategy": ["no", "epoch"],
    "per_device_eval_batch_size": [1, 2, 6, 8],
    "num_generations_eval": [2, 3, 8],
}
SETTINGS = Settings(targets={"trl": version("trl")})


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("method", ["grpo", "rloo"])
@steady(150)
@given(settings=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}))
def test_errors(method: str, settings: dict[str, Any]) -> None:
    kind = {"grpo": trl.GRPOConfig, "rloo": trl.RLOOConfig}[method]
    try:
        kind(output_dir="out", use_cpu=True, bf16=False, report_to="none", **settings)
        refused = None
    except (ValueError, ZeroDivisionError) as error:
        refused = str(error)
    flags = " ".join(f"--{name} {value}" for name, value in settings.items())
    text = (
        f"accelerate launch --num_processes 1 -m trl.scripts.{method} --model_name_or_path org/m --dataset_name org/d "
        f"--output_dir out --bf16 False {flags}"
    )
    found = [each.message for each in findings(text, settings=SETTINGS) if each.severity == "error"]
    assert bool(found) is (refused is not None), (refused, found)
