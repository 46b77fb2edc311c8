"""LoRA adapters that Python makes where no trainer of the file takes them: the adapter is read, and no run is made up."""

from __future__ import annotations

import pytest

from helpers_dialects import assert_states, dialects_of, issues, judge
from helpers_runs import findings, launches, rules_of
from trainlint.dialects.tables import Schema

PEFT = """\
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

model = AutoModelForCausalLM.from_pretrained(
    "meta-llama/Llama-2-7b-hf", quantization_config=BitsAndBytesConfig(load_in_4bit=True)
)
config = LoraConfig(r=16, lora_alpha=32, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
model = get_peft_model(model, config)
for batch in batches:
    step(model, batch)
"""
UNSLOTH = """\
from unsloth import FastLanguageModel

model, tokenizer = FastLanguageModel.from_pretrained("unsloth/Llama-3.2-1B", max_seq_length=2048, load_in_4bit=False)
model = FastLanguageModel.get_peft_model(model, r=32, lora_alpha=64, use_gradient_checkpointing="unsloth")
"""


def test_an_adapter_of_peft() -> None:
    run = assert_states(
        PEFT,
        {
            "stage": "adapter", "method": "lora", "model_name_or_path": "meta-llama/Llama-2-7b-hf", "lora_rank": 16,
            "lora_alpha": 32, "lora_dropout": 0.0, "lora_scale": 2.0, "target_modules": ["q_proj", "v_proj"],
            "quantization_bits": 4,
        },
        "loop.py",
    )  # fmt: skip
    assert dialects_of(PEFT, "loop.py") == ["peft"]
    for fact in ("learning_rate", "total_steps", "world_size", "max_grad_norm"):
        assert run.unknown(fact)
    assert [*rules_of(findings(PEFT, "loop.py"))] == []
    judge(PEFT, "loop.py", "peft")


def test_an_adapter_of_unsloth_has_unsloths_defaults() -> None:
    run = assert_states(
        UNSLOTH,
        {"lora_rank": 32, "lora_alpha": 64, "lora_dropout": 0.0, "quantization_bits": None,
         "model_name_or_path": "unsloth/Llama-3.2-1B"},
        "a.py",
    )  # fmt: skip
    assert run.unknown("target_modules")  # they depend on the model
    assert_states(UNSLOTH.replace("r=32, ", ""), {"lora_rank": 16}, "a.py")
    assert [*rules_of(findings(UNSLOTH, "a.py"))] == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("r=16, lora_alpha=32", "r=512, lora_alpha=512", ["lora/rank-high"]),
        ("lora_alpha=32", "lora_alpha=1024", ["lora/alpha-scale"]),
        ("lora_alpha=32", "lora_alfa=32", ["arguments/unknown"]),
        ("r=16", "r='16'", ["arguments/invalid-value"]),
        ("r=16", "r=rank", []),
        ("r=16", "r=16 * n", []),
        ("LoraConfig(", "LoraConfig(**more, ", []),
        ("config = LoraConfig(", "config = build(LoraConfig, ", []),
    ],
)
def test_only_what_is_wrong_with_the_adapter_is_said(old: str, new: str, found: list[str]) -> None:
    assert old in PEFT
    assert [*rules_of(findings(PEFT.replace(old, new, 1), "loop.py"))] == found


@pytest.mark.parametrize(
    "text",
    [
        "class LoraConfig:\n    r: int = 8\nLoraConfig(r='x')\n",
        "from peft import LoraConfig\nclass Mine(LoraConfig):\n    pass\nMine(mode=1)\n",
        "from peft import get_peft_model\ndef wrap(model, config):\n    return get_peft_model(model, config)\n",
    ],
)
def test_a_library_that_defines_adapters_makes_none(text: str) -> None:
    assert launches(text, "a.py") == []


def test_an_adapter_whose_settings_are_parameters_has_none_that_are_known() -> None:
    text = "from peft import LoraConfig\ndef make(r, alpha):\n    return LoraConfig(r=r, lora_alpha=alpha)\n"
    (launch,) = launches(text, "a.py")
    assert not launch.fact("lora_rank").known
    assert [*rules_of(findings(text, "a.py"))] == []


def test_a_trainer_is_the_run_and_its_adapter_a_part_of_it() -> None:
    text = f"{PEFT}from trl import SFTConfig, SFTTrainer\nSFTTrainer(model, SFTConfig('out'))\n"
    assert dialects_of(text, "train.py") == ["trl"]
    (launch,) = launches(text, "train.py")
    assert launch.fact("lora_rank").value == 16


def test_a_file_of_many_adapters_is_read_up_to_a_limit() -> None:
    text = "from peft import LoraConfig\n" + "LoraConfig(r=8)\n" * 500
    assert len(launches(text, "a.py")) == 32


def test_one_configuration_for_two_models_is_for_neither() -> None:
    text = f"{PEFT}other = get_peft_model(make(), config)\n"
    (launch,) = launches(text, "a.py")
    assert not launch.fact("model_name_or_path").known


@pytest.mark.parametrize(
    ("head", "section"),
    [("from peft import LoraConfig as f", "peft:LoraConfig"),
     ("from unsloth import FastLanguageModel\nf = FastLanguageModel.get_peft_model", "unsloth:get_peft_model")],
)  # fmt: skip
def test_every_name_of_the_tables_is_taken(head: str, section: str) -> None:
    names = "".join(f"    {argument}=unknown,\n" for argument in Schema(section))
    assert issues(f"{head}\nf(\n{names})\n", "a.py") == []
