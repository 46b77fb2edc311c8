"""What the files in a local model's, tokenizer's or adapter's directory say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_runs import facts, findings
from trainlint.fixer import change

PT = "torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --dataset_dir data --model_name_or_path m"
SFT = "stage: sft\ndo_train: true\nfinetuning_type: lora\nlora_target: all\nmodel_name_or_path: m\ndataset: notes\n"
AXOLOTL = "base_model: m\nadapter: lora\ndatasets:\n  - path: d\n    type: alpaca\nlora_r: 8\nlora_alpha: 16\n"
ADAPTER = {
    "peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-2-7b-hf", "r": 64, "lora_alpha": 128,
    "lora_dropout": 0.0, "target_modules": ["q_proj"], "modules_to_save": None, "rank_pattern": {},
}  # fmt: skip


def write(folder: Path, name: str, content: Any) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(("stated", "block", "length"), [
    (2048, "", 1024), (512, "", 512), (512, " --block_size 1024", 512), (2048, " --block_size 1024", 1024),
])  # fmt: skip
def test_the_tokenizer_limits_the_blocks(tmp_path: Path, stated: int, block: str, length: int) -> None:
    write(tmp_path, "t/tokenizer_config.json", {"model_max_length": stated})
    assert facts(f"{PT} --tokenizer_name_or_path t{block}", folder=tmp_path)["sequence_length"] == length


@pytest.mark.parametrize("content", [{"model_max_length": 10**30}, {"model_max_length": "x"}, {}, [], "text"])
def test_a_tokenizer_without_a_limit(tmp_path: Path, content: Any) -> None:
    write(tmp_path, "t/tokenizer_config.json", content)
    run = facts(f"{PT} --tokenizer_name_or_path t --block_size 256", folder=tmp_path)
    assert run["sequence_length"] == 256
    assert run.unknown("tokenizer_max_length")
    assert run.unknown("tokenizer_pad_token")


def test_a_template_in_a_file_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "m/tokenizer_config.json", {"eos_token": {"content": "<|eot_id|>"}})
    assert facts(PT, folder=tmp_path)["base_kind"] == "base"
    (tmp_path / "m" / "chat_template.jinja").write_text("{{ messages }}")
    run = facts(PT, folder=tmp_path)
    assert run["base_kind"] == "chat"
    assert run.launch.fact("base_kind").confidence == "medium"


@pytest.mark.parametrize(("text", "name"), [
    (f"{PT} --lora_rank 8 --peft_path a", "run.sh"),
    (f"{SFT}lora_rank: 8\nadapter_name_or_path: first,a\n", "x.yaml"),
    (f"{AXOLOTL}lora_model_dir: a\n", "x.yml"),
    ("swift sft --model m --lora_rank 8 --adapters a\n", "run.sh"),
    ("swift sft --model m --lora_rank 8 --resume_from_checkpoint a\n", "run.sh"),
])  # fmt: skip
def test_the_adapter_that_is_continued_decides(tmp_path: Path, text: str, name: str) -> None:
    assert "continues an adapter" in facts(text, name, folder=tmp_path).unknown("lora_rank")
    write(tmp_path, "a/adapter_config.json", ADAPTER)
    run = facts(text, name, folder=tmp_path)
    assert [run[fact] for fact in ("lora_rank", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save")] == [
        64, 128, 0.0, ["q_proj"], [],
    ]  # fmt: skip
    assert change(run.launch.first, "lora_rank", "16") is None  # neither the weights nor a flag that counts for nothing
    write(tmp_path, "a/adapter_config.json", {**ADAPTER, "use_rslora": True})
    assert "plain LoRA" in facts(text, name, folder=tmp_path).unknown("lora_rank")


def test_a_new_adapter_is_as_the_run_says(tmp_path: Path) -> None:
    write(tmp_path, "a/adapter_config.json", ADAPTER)
    text = f"{SFT}lora_rank: 8\nadapter_name_or_path: a\ncreate_new_adapter: true\n"
    assert facts(text, "x.yaml", folder=tmp_path)["lora_rank"] == 8
    assert facts(f"{text}quantization_bit: 4\n", "x.yaml", folder=tmp_path)["lora_rank"] == 64


def test_an_adapter_stands_for_its_base_model(tmp_path: Path) -> None:
    write(tmp_path, "m/adapter_config.json", ADAPTER)
    assert str(facts(PT, folder=tmp_path)["model"]) == "meta-llama/Llama-2-7b-hf"


def test_a_local_chat_model_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, "m/tokenizer_config.json", {"eos_token": "<|im_end|>", "chat_template": "x"})
    found = [f for f in findings(PT, "run.sh", folder=tmp_path) if f.rule == "model/pretraining-a-chat-model"]
    assert [(f.at.text, f.confidence) for f in found] == [("m", "medium")]
