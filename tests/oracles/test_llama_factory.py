"""Whole LLaMA-Factory files with settings beside each other, where it is installed: its own checks are the judge.

    pip install --no-deps llamafactory==0.9.5 && pip install datasets omegaconf

beside torch, transformers, accelerate, peft and trl is all that reading the arguments needs.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import steady
from helpers_runs import findings
from trainlint.settings import Settings

os.environ["DISABLE_VERSION_CHECK"] = "1"  # it pins older releases of what it stands on
parser = pytest.importorskip("llamafactory.hparams.parser")
transformers = pytest.importorskip("transformers")

BASE: dict[str, Any] = {
    "model_name_or_path": "NousResearch/Llama-2-7b-hf",
    "stage": "sft",
    "finetuning_type": "lora",
    "do_train": True,
    "dataset": "alpaca_en_demo",
    "template": "llama2",
    "output_dir": "out-of-nowhere",
    "learning_rate": 0.0001,
    "use_cpu": True,
}
FIELDS: dict[str, list[Any]] = {
    "adapter_name_or_path": ["a", "a,b"],
    "additional_target": ["embed_tokens"],
    "bf16": [True, False],
    "create_new_adapter": [True],
    "cutoff_len": [512],
    "dpo_label_smoothing": [0.1, 0.0],
    "eval_dataset": ["alpaca_zh_demo"],
    "finetuning_type": ["lora", "full", "freeze", "oft", "prefix"],
    "interleave_probs": ["1.0"],
    "learnng_rate": [0.1],
    "lora_rank": [8, 0.5],
    "loraplus_lr_ratio": [16.0],
    "mask_history": [True, False],
    "max_samples": [100],
    "max_steps": [10],
    "mix_strategy": ["concat", "interleave_under"],
    "neat_packing": [True, False],
    "packing": [True, False],
    "pissa_init": [True, False],
    "predict_with_generate": [False],
    "pref_beta": [0.1],
    "pref_loss": ["sigmoid", "orpo", "ipo"],
    "quantization_bit": [4, 8],
    "resize_vocab": [True, False],
    "reward_model": ["r"],
    "reward_model_type": ["lora", "full", "api"],
    "stage": ["pt", "sft", "rm", "ppo", "dpo", "kto"],
    "streaming": [True, False],
    "train_on_prompt": [True, False],
    "use_dora": [True, False],
    "use_galore": [False],
    "use_llama_pro": [True, False],
    "use_rslora": [True, False],
    "val_size": [0.0, 0.1, 100],
}
SETTINGS = Settings(targets={"llamafactory": "0.9.5", "transformers": transformers.__version__})


def refused(settings: dict[str, Any]) -> str | None:
    """What LLaMA-Factory says against the settings, started by its own command, which makes the run a distributed one."""
    try:
        parser.get_train_args(dict(settings))
    except (ValueError, AssertionError, TypeError, ImportError) as error:
        return f"{type(error).__name__}: {error}"
    return None


@steady(300)
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}))
def test_errors(settings: dict[str, Any]) -> None:
    whole = {**BASE, **settings}
    found = [f for f in findings(yaml.safe_dump(whole), "sft.yaml", settings=SETTINGS) if f.severity == "error"]
    said = refused(whole)
    assert bool(found) == (said is not None), (settings, said, [finding.message for finding in found])
