"""A LoRA adapter's `adapter_config.json`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues
from helpers_runs import findings, rules_of

ADAPTER = """{
  "auto_mapping": null,
  "base_model_name_or_path": "meta-llama/Llama-2-7b-hf",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "lora_alpha": 128,
  "lora_dropout": 0.05,
  "modules_to_save": ["embed_tokens", "lm_head"],
  "peft_type": "LORA",
  "r": 64,
  "revision": null,
  "target_modules": ["q_proj", "v_proj"],
  "task_type": "CAUSAL_LM",
  "use_rslora": true
}
"""


def test_an_adapter() -> None:
    run = assert_states(
        ADAPTER,
        {
            "stage": "adapter", "method": "lora", "model_name_or_path": "meta-llama/Llama-2-7b-hf", "lora_rank": 64,
            "lora_alpha": 128, "lora_dropout": 0.05, "lora_scale": 16.0, "target_modules": ["q_proj", "v_proj"],
            "modules_to_save": ["embed_tokens", "lm_head"], "trains_embeddings": True,
            "model_parameters": 6_738_415_616,
        },
        "adapter_config.json",
    )  # fmt: skip
    assert issues(ADAPTER, "adapter_config.json") == []
    for fact in ("learning_rate", "total_steps", "world_size", "max_grad_norm"):
        assert run.unknown(fact)


def test_one_name_for_all_modules() -> None:
    text = ADAPTER.replace('["q_proj", "v_proj"]', '"all-linear"')
    assert_states(text, {"target_modules": ["all-linear"]}, "adapter_config.json")


def test_only_what_is_wrong_with_an_adapter_is_said_of_it() -> None:
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": "m",
        "r": 512,
        "lora_alpha": 16384,
        "target_modules": ["q_proj"],
    }
    found = rules_of(findings(json.dumps(config), "adapter_config.json"))
    assert set(found) == {"lora/alpha-scale", "lora/rank-high"}


def test_unknown_and_wrong_settings() -> None:
    text = ADAPTER.replace("lora_dropout", "lora_dropuot").replace('"r": 64', '"r": "64"')
    assert issues(text, "adapter_config.json") == [("unknown", '"lora_dropuot"', 9, 3), ("type", '"64"', 12, 8)]


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 8, "r": 3},
        {"r": 8, "g": 9, "b": 3},
        {"lora_alpha": 16, "name": "x"},
    ],
)
def test_look_alikes(config: dict[str, Any]) -> None:
    assert dialects_of(json.dumps(config), "adapter_config.json") == []
