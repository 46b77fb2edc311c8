"""torchtune's YAML with `_component_` and references, alone and behind `tune run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts
from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText

LORA = """\
output_dir: /tmp/out/lora
model:
  _component_: torchtune.models.llama3_1.lora_llama3_1_8b
  lora_attn_modules: ['q_proj', 'v_proj']
  apply_lora_to_mlp: True
  lora_rank: 8
  lora_alpha: 16
tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: /tmp/Meta-Llama-3.1-8B/original/tokenizer.model
  max_seq_len: 2048
checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/Meta-Llama-3.1-8B/
  output_dir: ${output_dir}
dataset:
  _component_: torchtune.datasets.alpaca_cleaned_dataset
  packed: True
seed: null
batch_size: 2
optimizer:
  _component_: torch.optim.AdamW
  lr: 3e-4
lr_scheduler:
  _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
  num_warmup_steps: 100
loss:
  _component_: torchtune.modules.loss.LinearCrossEntropyLoss
epochs: 1
max_steps_per_epoch: 500
gradient_accumulation_steps: 8
clip_grad_norm: null
dtype: bf16
enable_activation_checkpointing: True
log_dir: ${output_dir}/logs
"""


def test_a_file() -> None:
    run = facts(LORA, "lora.yaml", world_size=2)
    expected = {
        "stage": "sft", "method": "lora", "learning_rate": 3e-4, "lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.0,
        "target_modules": ["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"],
        "effective_batch_size": 32, "tokens_per_step": 32 * 2048,
        "lr_scheduler_type": "cosine", "warmup_steps": 100, "max_steps": 500, "weight_decay": 0.01, "max_grad_norm": 0.0,
        "optim": "AdamW", "mixed_precision": "bf16", "torch_dtype": "bfloat16", "packing": True, "eval_strategy": "no",
        "save_strategy": "epoch", "output_dir": "/tmp/out/lora", "seed": None, "gradient_checkpointing": True,
        "model_parameters": 8_030_261_248,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("learning_rate") == "optimizer.lr"
    assert run.launch.first.given("learning_rate")
    assert run.launch.first.argument("log_dir").value == "/tmp/out/lora/logs"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("lora_llama3_1_8b", "qlora_llama3_1_8b"), {"method": "qlora", "quantization_bits": 4}),
        (("lora_llama3_1_8b", "llama3_1_8b\n  x: 1"), {"method": "lora"}),
        (("alpaca_cleaned_dataset", "text_completion_dataset"), {"stage": "pt"}),
        (("torchtune.modules.loss.LinearCrossEntropyLoss", "torchtune.rlhf.loss.DPOLoss"), {"stage": "dpo"}),
        (("max_steps_per_epoch: 500", "max_steps_per_epoch: null"), {"max_steps": None}),
        (("clip_grad_norm: null", "clip_grad_norm: 1.0"), {"max_grad_norm": 1.0}),
        (("dtype: bf16", "dtype: fp32"), {"mixed_precision": "no", "torch_dtype": "float32"}),
    ],
)
def test_settings(change: tuple[str, str], expected: dict[str, Any]) -> None:
    run = facts(LORA.replace(*change), "lora.yaml")
    assert {name: run[name] for name in expected} == expected


def test_a_sequence_that_is_not_cut_has_no_length() -> None:
    run = facts(LORA.replace("max_seq_len: 2048", "max_seq_len: null"), "lora.yaml")
    assert "not cut" in run.unknown("sequence_length")


def test_the_launch_puts_its_overrides_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(LORA)
    overrides = "optimizer.lr=1e-5 output_dir=/data model.lora_rank=64"
    script = f"tune run --nproc_per_node 4 lora_finetune_distributed --config my.yaml {overrides}"
    run = facts(script, folder=tmp_path)
    assert (run["world_size"], run["learning_rate"], run["lora_rank"]) == (4, 1e-5, 64)
    assert run.launch.first.argument("log_dir").value == "/data/logs"
    assert run.launch.fact("learning_rate").location.source.path == "run.sh"  # type: ignore[union-attr]
    assert run.launch.fact("lora_alpha").location.source.path.endswith("my.yaml")  # type: ignore[union-attr]


def test_a_shipped_file_that_is_not_here_leaves_the_rest_unknown() -> None:
    run = facts("tune run lora_finetune_single_device --config llama3/8B_lora_single_device batch_size=4")
    assert run["per_device_train_batch_size"] == 4
    assert "not on this machine" in run.unknown("learning_rate")
    assert "not on this machine" in run.unknown("max_grad_norm")


def test_a_misspelt_key_of_the_recipe() -> None:
    assert certain_issues(LORA.replace("clip_grad_norm: null", "clip_grad_nrom: 1.0"), "x.yaml") == [
        ("unknown", "clip_grad_nrom", 32, 1, False)
    ]


@pytest.mark.parametrize(
    ("change", "name", "certain", "replacement"),
    [
        (("lora_rank: 8", "lora_rnk: 8"), "model.lora_rnk", True, "lora_rank"),
        (("lr: 3e-4", "learning_rate: 3e-4"), "optimizer.learning_rate", False, None),
        (("lora_llama3_1_8b", "llama3_1_8b"), "model.lora_attn_modules", False, None),
        (("packed: True", "packd: True"), "dataset.packd", False, "packed"),  # load_dataset takes what is left over
        (
            ("lora_llama3_1_8b", "lora_lama3_1_8b"), "model._component_", False,
            "torchtune.models.llama3_1.lora_llama3_1_8b",
        ),
    ],
)  # fmt: skip
def test_what_a_component_does_not_take(
    change: tuple[str, str], name: str, certain: bool, replacement: str | None
) -> None:
    found = facts(LORA.replace(*change), "x.yaml").launch.first.arguments.issues[0]
    assert (found.kind, found.name, found.certain, found.replacement) == ("unknown", name, certain, replacement)


@pytest.mark.parametrize(
    "change",
    [
        ("lora_llama3_1_8b", "lora_llama3_1_9b"),  # a model of another size may be newer than the tables
        ("torchtune.models.llama3_1.lora_llama3_1_8b", "mine.lora_model\n  anything: 1"),
        ("  packed: True", "  packed: True\n  data_files: x.json\n  column_map:\n    input: text"),
        (
            "loss:\n",
            "quantizer:\n  _component_: torchtune.training.quantization.Int8DynActInt4WeightQATQuantizer\nloss:\n",
        ),
        ("lr: 3e-4", "lr: 3e-4\n  fused: True\n  betas: [0.9, 0.95]"),
    ],
)
def test_what_a_component_may_take(change: tuple[str, str]) -> None:
    assert facts(LORA.replace(*change), "x.yaml").launch.first.arguments.issues == []


def test_the_defaults_of_a_component_are_its_own() -> None:
    assert facts(LORA.replace("torch.optim.AdamW", "torch.optim.Adam"), "x.yaml")["weight_decay"] == 0
    own = facts(LORA.replace("torchtune.models.llama3_1.lora_llama3_1_8b", "mine.lora_model"), "x.yaml")
    assert "not known" in own.unknown("lora_dropout")


def test_a_component_that_newer_versions_lack() -> None:
    text = LORA.replace("torchtune.modules.loss.LinearCrossEntropyLoss", "torchtune.rlhf.loss.SimPOLoss")
    found = [
        f.message for f in Linter(Settings()).findings(SourceText("x.yaml", text)) if f.rule == "arguments/version"
    ]
    assert found == ["newer releases no longer have torchtune.rlhf.loss.SimPOLoss (gone by torchtune 0.6.1)"]


def test_an_override_names_another_component(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(LORA)
    component = "torchtune.models.llama3_1.qlora_llama3_1_8b"
    run = facts(f"tune run lora_finetune_single_device --config my.yaml model={component}", folder=tmp_path)
    assert (run["method"], run["lora_rank"]) == ("qlora", 8)


@pytest.mark.parametrize(
    "text",
    [
        "model:\n  _component_: torchtune.models.llama2.llama2_7b\ncheckpointer:\n  _component_: x\nmax_new_tokens: 3\n",
        "model:\n  _component_: my.model\noptimizer:\n  lr: 1e-4\nepochs: 3\n",
    ],
)
def test_what_trains_nothing(text: str) -> None:
    assert dialects_of(text, "x.yaml") == []


def test_commands_that_train_nothing() -> None:
    assert (
        dialects_of("tune download meta-llama/Llama-3.1-8B\ntune run generate --config generation.yaml prompt=hi") == []
    )
