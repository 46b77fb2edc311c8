"""Every dialect, held to the same bar: a configuration in its real style is recognised and says what it says, a misspelt name
and a wrong value are reported at the place where they stand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from dialects import (
    test_accelerate,
    test_alignment_handbook,
    test_alpaca_lora,
    test_chinese_llama_alpaca,
    test_fastchat,
    test_firefly,
    test_fsdp,
    test_generic,
    test_gpt_neox,
    test_kohya,
    test_litgpt,
    test_llm_foundry,
    test_megatron,
    test_ms_swift,
    test_nanotron,
    test_olmo,
    test_open_instruct,
    test_openrlhf,
    test_peft,
    test_qlora,
    test_stanford_alpaca,
    test_torchtitan,
    test_torchtune,
    test_verl,
)
from helpers_dialects import assert_states, dialects_of, issues
from helpers_runs import findings
from trainlint.dialects import MODULES


@dataclass(frozen=True)
class Fixture:
    """A configuration, some facts of it, and two changes: what must be pointed at stands between « and »."""

    text: str
    name: str
    facts: dict[str, Any]
    misspelt: tuple[str, str] | None
    wrong: tuple[str, str] | None
    stated: dict[str, Any] = field(default_factory=dict)
    dialect: str = ""
    """What its runs are called, where that is not the module's name."""


RUN_CLM = """\
torchrun --nproc_per_node 2 run_clm.py \\
    --model_name_or_path gpt2 --train_file data.txt --block_size 1024 \\
    --per_device_train_batch_size 4 --gradient_accumulation_steps 8 --learning_rate 1e-5 \\
    --num_train_epochs 2 --do_train --bf16 --output_dir out
"""
PYTHON = """\
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
arguments = TrainingArguments(
    output_dir="out", num_train_epochs=2, per_device_train_batch_size=4, gradient_accumulation_steps=8,
    learning_rate=1e-4, bf16=True,
)
Trainer(model=model, args=arguments, train_dataset=notes).train()
"""
LLAMA_FACTORY = """\
model_name_or_path: Qwen/Qwen2.5-7B
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
dataset: alpaca_en
template: qwen
cutoff_len: 2048
per_device_train_batch_size: 2
learning_rate: 1.0e-4
output_dir: saves/qwen
"""
AXOLOTL = """\
base_model: NousResearch/Llama-3.2-1B
adapter: lora
lora_r: 32
lora_alpha: 16
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
sequence_len: 2048
micro_batch_size: 2
num_epochs: 1
learning_rate: 2e-4
"""
TRL = """\
model_name_or_path: Qwen/Qwen2-0.5B
dataset_name: trl-lib/Capybara
learning_rate: 2.0e-4
per_device_train_batch_size: 2
max_length: 2048
use_peft: true
lora_r: 32
output_dir: out
"""
DEEPSPEED = """\
{
  "train_micro_batch_size_per_gpu": 4,
  "gradient_clipping": 1.0,
  "bf16": {"enabled": true},
  "zero_optimization": {
    "stage": 3,
    "overlap_comm": true
  }
}
"""
FIREFLY = json.dumps(test_firefly.FIREFLY, indent=2)
CHINESE = test_chinese_llama_alpaca.LAUNCH.format("pt", "--block_size 512 --lora_rank 64 --learning_rate 2e-4")

FIXTURES = {
    "accelerate": Fixture(
        test_accelerate.ZERO3,
        "zero3.yaml",
        {"world_size": 16, "zero_stage": 3},
        ("zero_stage: 3", "«zero_stages»: 3"),
        ("distributed_type: DEEPSPEED", "distributed_type: «DEEPSEED»"),
    ),
    "alignment_handbook": Fixture(
        test_alignment_handbook.OLD,
        "sft/config.yaml",
        {"stage": "sft", "lora_rank": 16},
        ("warmup_ratio", "«warmup_ration»"),
        ("lora_r: 16", "lora_r: «many»"),
    ),
    "alpaca_lora": Fixture(
        test_alpaca_lora.ALPACA_LORA,
        "run.sh",
        {"method": "qlora", "lora_rank": 8},
        ("--lora_r ", "«--lora_rr» "),
        ("--micro_batch_size 4", "--micro_batch_size «four»"),
    ),
    "axolotl": Fixture(
        AXOLOTL,
        "config.yml",
        {"method": "lora", "learning_rate": 2e-4},
        ("lora_alpha", "«lora_aplha»"),
        ("num_epochs: 1", "num_epochs: «one»"),
    ),
    "chinese_llama_alpaca": Fixture(
        CHINESE,
        "run_pt.sh",
        {"stage": "pt", "sequence_length": 512},
        ("--lora_rank", "«--lora_rnak»"),
        ("--learning_rate 2e-4", "--learning_rate «2e-4,»"),
    ),
    "deepspeed": Fixture(
        DEEPSPEED,
        "ds.json",
        {"zero_stage": 3, "max_grad_norm": 1.0},
        ('"overlap_comm"', '«"overlap_com"»'),
        ('"stage": 3', '"stage": «"three"»'),
    ),
    "fastchat": Fixture(
        test_fastchat.FASTCHAT,
        "run.sh",
        {"method": "qlora", "lora_rank": 8},
        ("--lora_dropout", "«--lora_droput»"),
        ("--learning_rate 2e-5", "--learning_rate «fast»"),
    ),
    "firefly": Fixture(
        FIREFLY,
        "train.json",
        {"method": "qlora", "lora_rank": 64},
        ('"lora_rank"', '«"lora_rnak"»'),
        ('"learning_rate": 0.0002', '"learning_rate": «"2e-4"»'),
    ),
    "fsdp": Fixture(
        test_fsdp.CONFIG,
        "fsdp.json",
        {"gradient_checkpointing": True},
        ('"backward_prefetch"', '«"backward_prefech"»'),
        ('"backward_pre"', '«"backwards"»'),
    ),
    "generic": Fixture(test_generic.SCRIPT, "run.sh", {"learning_rate": 1e-2, "lora_rank": 8}, None, None),
    "gpt_neox": Fixture(
        test_gpt_neox.MODEL,
        "model.yml",
        {"learning_rate": 2e-4, "zero_stage": 1},
        ('"lr-decay-style"', '«"lr-decay-stile"»'),
        ('"warmup": 0.01', '"warmup": «"often"»'),
    ),
    "hf_trainer": Fixture(
        RUN_CLM,
        "run.sh",
        {"stage": "pt", "effective_batch_size": 64, "tokens_per_step": 65536},
        ("--gradient_accumulation_steps", "«--gradient_acumulation_steps»"),
        ("--num_train_epochs 2", "--num_train_epochs «two»"),
    ),
    "kohya": Fixture(
        test_kohya.SCRIPT,
        "run.sh",
        {"learning_rate": 1e-4, "lora_rank": 32},
        ("--network_dim", "«--network_dmi»"),
        ("--learning_rate=1e-4", "--learning_rate=«fast»"),
    ),
    "litgpt": Fixture(
        test_litgpt.YAML,
        "qlora.yaml",
        {"method": "qlora", "learning_rate": 2e-4},
        ("  micro_batch_size", "  «micro_bacth_size»"),
        ("lora_r: 32", "lora_r: «many»"),
    ),
    "llama_factory": Fixture(
        LLAMA_FACTORY,
        "train.yaml",
        {"stage": "sft", "lora_rank": 16},
        ("lora_rank", "«lora_rnak»"),
        ("learning_rate: 1.0e-4", "learning_rate: «fast»"),
    ),
    "llm_foundry": Fixture(
        test_llm_foundry.YAML,
        "train.yaml",
        {"learning_rate": 5e-6, "effective_batch_size": 64},
        ("precision:", "«precison»:"),
        ("global_train_batch_size: 64", "global_train_batch_size: «many»"),
    ),
    "megatron": Fixture(
        test_megatron.SCRIPT,
        "run.sh",
        {"learning_rate": 6e-5, "effective_batch_size": 128},
        ("--micro-batch-size", "«--micro-bacth-size»"),
        ("--lr-decay-style cosine", "--lr-decay-style «cosin»"),
    ),
    "ms_swift": Fixture(
        test_ms_swift.SFT,
        "run.sh",
        {"learning_rate": 2e-4, "effective_batch_size": 16},
        ("--learning_rate", "«--learing_rate»"),
        ("--lora_rank 16", "--lora_rank «high»"),
    ),
    "nanotron": Fixture(
        test_nanotron.YAML,
        "config.yaml",
        {"learning_rate": 3e-4, "adam_beta2": 0.95},
        ("train_steps", "«trian_steps»"),
        ("learning_rate: 0.0003", "learning_rate: «3e-4»"),
    ),
    "olmo": Fixture(
        test_olmo.YAML,
        "OLMo-1B.yaml",
        {"learning_rate": 4e-4, "effective_batch_size": 2048},
        ("weight_decay", "«wieght_decay»"),
        ("t_warmup: 2000", "t_warmup: «soon»"),
    ),
    "open_instruct": Fixture(
        test_open_instruct.FINETUNE,
        "run.sh",
        {"effective_batch_size": 128, "lora_rank": 32},
        ("--learning_rate", "«--learning_rte»"),
        ("--max_seq_length 4096", "--max_seq_length «long»"),
    ),
    "openrlhf": Fixture(
        test_openrlhf.OLD,
        "run.sh",
        {"stage": "sft", "learning_rate": 5e-6},
        ("--learning_rate", "«--learing_rate»"),
        ("--zero_stage 2", "--zero_stage «two»"),
    ),
    "peft": Fixture(
        test_peft.ADAPTER,
        "adapter_config.json",
        {"lora_rank": 64, "lora_alpha": 128},
        ('"lora_dropout"', '«"lora_dropuot"»'),
        ('"r": 64', '"r": «"64"»'),
    ),
    "qlora": Fixture(
        test_qlora.QLORA,
        "run.sh",
        {"method": "qlora", "max_grad_norm": 0.3},
        ("--lora_alpha", "«--lora_aplha»"),
        ("--bits 4", "--bits «four»"),
    ),
    "stanford_alpaca": Fixture(
        test_stanford_alpaca.STANFORD,
        "run.sh",
        {"effective_batch_size": 128, "sequence_length": 512},
        ("--warmup_ratio", "«--warmup_ration»"),
        ("--tf32 True", "--tf32 «maybe»"),
    ),
    "torchtitan": Fixture(
        test_torchtitan.TOML,
        "llama3_8b.toml",
        {"learning_rate": 3e-4, "sequence_length": 8192},
        ("max_norm", "«max_nrom»"),
        ("lr = 3e-4", 'lr = «"3e-4x"»'),
    ),
    "torchtune": Fixture(
        test_torchtune.LORA,
        "lora.yaml",
        {"learning_rate": 3e-4, "lora_rank": 8},
        ("clip_grad_norm: null", "«clip_grad_nrom»: 1.0"),
        ("batch_size: 2", "batch_size: «two»"),
    ),
    "trl": Fixture(
        TRL,
        "sft.yaml",
        {"stage": "sft", "lora_rank": 32},
        ("lora_r: 32", "«lora_rr»: 32"),
        ("max_length: 2048", "max_length: «long»"),
    ),
    "python_trainer": Fixture(
        PYTHON,
        "train.py",
        {"learning_rate": 1e-4, "lora_rank": 16, "per_device_train_batch_size": 4, "mixed_precision": "bf16"},
        ("num_train_epochs=2", "«num_train_epoch»=2"),
        ("gradient_accumulation_steps=8", "gradient_accumulation_steps=«'eight'»"),
        dialect="hf-trainer",
    ),
    "verl": Fixture(
        test_verl.PPO,
        "run.sh",
        {"learning_rate": 1e-6, "world_size": 16},
        ("trainer.save_freq", "«trainer.safe_freq»"),
        ("trainer.total_epochs=15", "trainer.total_epochs=«many»"),
    ),
}


def changed(fixture: Fixture, change: tuple[str, str]) -> tuple[str, tuple[str, int, int]]:
    """The text with the change in it, and what must be pointed at with its line and column."""
    old, marked = change
    assert fixture.text.count(old) == 1, old
    before, at, _ = marked.replace("»", "«").split("«")
    start = fixture.text.index(old) + len(before)
    text = fixture.text.replace(old, marked.replace("«", "").replace("»", ""))
    return text, (at, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))


def test_no_dialect_is_left_out() -> None:
    assert set(FIXTURES) == set(MODULES)
    assert [module for module, fixture in FIXTURES.items() if not (fixture.misspelt and fixture.wrong)] == ["generic"]


@pytest.mark.parametrize("module", FIXTURES)
def test_what_it_says(module: str) -> None:
    fixture = FIXTURES[module]
    assert dialects_of(fixture.text, fixture.name) == [fixture.dialect or module.replace("_", "-")]
    assert_states(fixture.text, fixture.facts, fixture.name)


@pytest.mark.parametrize("module", [name for name in FIXTURES if name != "generic"])
def test_a_misspelt_name(module: str) -> None:
    fixture = FIXTURES[module]
    assert fixture.misspelt is not None
    text, place = changed(fixture, fixture.misspelt)
    found = [issue[1:] for issue in issues(text, fixture.name) if issue[0] == "unknown"]
    assert place in found
    assert ("arguments/unknown", *place) in reported(text, fixture.name)


@pytest.mark.parametrize("module", [name for name in FIXTURES if name != "generic"])
def test_a_wrong_value(module: str) -> None:
    fixture = FIXTURES[module]
    assert fixture.wrong is not None
    text, place = changed(fixture, fixture.wrong)
    found = [issue[1:] for issue in issues(text, fixture.name) if issue[0] in ("type", "choice", "range")]
    assert found == [place]
    assert ("arguments/invalid-value", *place) in reported(text, fixture.name)


def reported(text: str, name: str) -> list[tuple[str, str, int, int]]:
    """What the user sees: rule, the text pointed at, line and column."""
    return [(f.rule, f.at.text, f.at.start.line, f.at.start.column) for f in findings(text, name)]
