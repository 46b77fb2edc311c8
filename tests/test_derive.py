"""The derived facts: what the data, the model's files and the arithmetic say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_runs import facts

PT = "torchrun --nproc_per_node {gpus} run_clm_pt_with_peft.py --dataset_dir {data} --block_size {block} {more}"


def run(folder: Path, data: str = "data", block: int = 64, gpus: int = 1, more: str = "", **stated: Any) -> Any:
    return facts(PT.format(gpus=gpus, data=data, block=block, more=more), folder=folder, **stated)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"x" * 40_000)
    (folder / "b.txt").write_bytes(b"y" * 24_000)
    (folder / "notes.json").write_bytes(b"{}" * 1000)
    return tmp_path


def test_bytes_of_a_directory_are_those_of_the_files_that_the_script_reads(data: Path) -> None:
    found = run(data)
    assert found["dataset_bytes"] == 64_000
    assert found["dataset_tokens"] == 16_000
    assert found.launch.fact("dataset_tokens").confidence == "medium"


def test_bytes_of_one_file_and_of_a_glob(data: Path) -> None:
    assert run(data, data="data/a.txt")["dataset_bytes"] == 40_000
    assert run(data, data="'data/*.txt'")["dataset_bytes"] == 64_000
    assert "matches no file" in run(data, data="'data/*.nope'").unknown("dataset_bytes")


def test_files_are_found_from_the_repository_root_too(data: Path) -> None:
    (data / ".git").mkdir()
    (data / "scripts").mkdir()
    assert run(data / "scripts")["dataset_bytes"] == 64_000


def test_data_that_is_not_here_is_unknown(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert "not on this machine" in found.unknown("dataset_bytes")
    assert "not on this machine" in found.unknown("total_steps")
    (tmp_path / "data").mkdir()
    assert "no data file" in run(tmp_path).unknown("dataset_bytes")


def test_a_compressed_file_has_bytes_but_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1" * 100)
    script = "torchrun run_clm.py --num_train_epochs 1 --learning_rate 1e-4 --train_file train.parquet"
    found = facts(script, folder=tmp_path)
    assert found["dataset_bytes"] == 400
    assert "compressed" in found.unknown("dataset_tokens")
    assert facts(script, folder=tmp_path, dataset_bytes=8000)["dataset_tokens"] == 2000


@pytest.mark.parametrize(
    ("gpus", "more", "steps"),
    [
        (1, "--num_train_epochs 1 --per_device_train_batch_size 1", 250),
        (1, "--num_train_epochs 3 --per_device_train_batch_size 1", 750),
        (1, "--num_train_epochs 1 --per_device_train_batch_size 2 --gradient_accumulation_steps 8", 16),
        (4, "--num_train_epochs 1 --per_device_train_batch_size 1 --gradient_accumulation_steps 10", 7),
        (1, "--num_train_epochs 1 --per_device_train_batch_size 1 --gradient_accumulation_steps 999", 1),
        (1, "--num_train_epochs 9 --max_steps 33", 33),
    ],
)
def test_total_steps_are_counted_as_the_trainer_counts(data: Path, gpus: int, more: str, steps: int) -> None:
    assert run(data, gpus=gpus, more=more)["total_steps"] == steps


def test_examples_are_counted_in_json_and_json_lines(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps([{"instruction": "q"}] * 7))
    (folder / "b.json").write_text('{"a": 1}\n\n{"a": 2}\n')
    script = "torchrun run_clm_sft_with_peft.py --dataset_dir data --num_train_epochs 1 --per_device_train_batch_size 2"
    found = facts(script, folder=tmp_path)
    assert found["dataset_examples"] == 9
    assert found["total_steps"] == 5


def test_what_the_models_own_files_say(data: Path) -> None:
    model = data / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"vocab_size": 32000, "max_position_embeddings": 4096}))
    vocabulary = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 1}, {"id": 2}]}
    (model / "tokenizer.json").write_text(json.dumps(vocabulary))
    found = run(data, more="--model_name_or_path model --tokenizer_name_or_path model")
    assert (found["model_vocab_size"], found["max_position_embeddings"], found["tokenizer_vocab_size"]) == (
        32000,
        4096,
        3,
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"vocab_size": "many"}', "null"])
def test_broken_model_files_leave_their_facts_unknown(data: Path, text: str) -> None:
    (data / "model").mkdir()
    (data / "model" / "config.json").write_text(text)
    assert run(data, more="--model_name_or_path model").unknown("model_vocab_size")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("somebody/Llama-2-7b-hf", 7e9),
        ("somebody/Qwen2.5-0.5B", 0.5e9),
        ("somebody/pythia-70m", 70e6),
        ("/models/alpaca-13b/", 13e9),
        ("somebody/Mixtral-8x7B-v0.1", None),
        ("somebody/gpt2", None),
        ("./checkpoint-100", None),
        ("tiny-4bit", None),
    ],
)
def test_the_size_is_read_off_the_name_where_it_says_so(tmp_path: Path, name: str, size: float | None) -> None:
    found = run(tmp_path, more=f"--model_name_or_path {name}")
    if size is None:
        assert found.launch.fact("model_parameters").status == "unknown"
    else:
        assert found["model_parameters"] == pytest.approx(size)


@pytest.mark.parametrize(
    ("metadata", "config", "size"),
    [
        ({"total_size": 2_000}, {"torch_dtype": "bfloat16"}, 1_000),
        ({"total_size": 2_000}, {"dtype": "float32"}, 500),
        ({"total_size": 2_000, "total_parameters": 999}, {"torch_dtype": "bfloat16"}, 999),
        ({"total_size": 2_000}, {}, None),
        ({"total_size": 2_000}, {"torch_dtype": "bfloat16", "quantization_config": {"bits": 4}}, None),
        (None, {"torch_dtype": "bfloat16"}, None),
    ],
)
def test_the_size_is_counted_where_the_weights_are(data: Path, metadata: Any, config: Any, size: int | None) -> None:
    (data / "base").mkdir()
    (data / "base" / "config.json").write_text(json.dumps(config))
    (data / "base" / "model.safetensors.index.json").write_text(json.dumps({"metadata": metadata, "weight_map": {}}))
    found = run(data, more="--model_name_or_path base")
    if size is None:
        assert found.launch.fact("model_parameters").status == "unknown"
    else:
        assert (found["model_parameters"], found["active_parameters"]) == (size, size)


def test_of_a_mixture_of_experts_a_token_sees_a_part(data: Path) -> None:
    (data / "moe").mkdir()
    (data / "moe" / "config.json").write_text('{"num_local_experts": 8, "torch_dtype": "bfloat16"}')
    (data / "moe" / "model.safetensors.index.json").write_text('{"metadata": {"total_size": 2000}}')
    found = run(data, more="--model_name_or_path moe")
    assert found["model_parameters"] == 1_000
    assert "experts" in found.unknown("active_parameters")


def test_the_memory_bound(data: Path) -> None:
    full = run(data, more="--model_name_or_path my-llama-7b --full_finetuning True --torch_dtype float32")
    assert full["memory_lower_bound"] == pytest.approx(7e9 * 16 / 2**30)
    lora = run(data, more="--model_name_or_path llama-7b --torch_dtype float16")
    assert lora["memory_lower_bound"] < 20
