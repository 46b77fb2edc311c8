"""The tokenizer's size, from its own files, and the tokens that it makes of a text."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_runs import facts
from trainlint.derive.tokenizer import pieces

YAML = """\
model_name_or_path: {model}
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
template: llama2
cutoff_len: 100
dataset: notes
dataset_dir: .
"""


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def model(texts: list[bytes]) -> bytes:
    """As sentencepiece writes it: pieces with a text, a score (4 bytes) and a type (a number), then settings."""
    found = b"".join(message(1, message(1, text) + b"\x15\x00\x00\x80\x3f" + b"\x18\x03") for text in texts)
    return found + message(2, b"settings") + message(3, b"normalizer")


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=200))
def test_pieces_are_read_as_they_were_written(texts: list[bytes]) -> None:
    assert list(pieces(model(texts))) == texts


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_value_error(data: bytes) -> None:
    with suppress(ValueError):
        list(pieces(data))


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_file_that_is_cut_off_is_no_model(cut: int) -> None:
    with pytest.raises(ValueError, match="no sentencepiece model"):
        list(pieces(model([b"a", b"bc"])[:-cut]))


def size(folder: Path, **files: Any) -> Any:
    (folder / "model").mkdir()
    (folder / "model" / "tokenizer.model").write_bytes(model([b"<unk>", b"<s>", b"</s>", "\u2581".encode()]))
    for name, content in files.items():
        (folder / "model" / f"{name}.json").write_text(json.dumps(content))
    return facts(YAML.format(model="model"), "x.yaml", folder=folder)


def test_the_size_of_a_sentencepiece_tokenizer(tmp_path: Path) -> None:
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "add_bos_token": True}
    assert size(tmp_path, tokenizer_config=settings)["tokenizer_vocab_size"] == 4


def test_tokens_that_are_added_count_once(tmp_path: Path) -> None:
    settings = {
        "tokenizer_class": "LlamaTokenizer", "pad_token": {"content": "<pad>"},
        "added_tokens_decoder": {"0": {"content": "<unk>"}, "4": {"content": "<pad>"}},
    }  # fmt: skip
    special = {"pad_token": "<pad>", "additional_special_tokens": ["<end>"]}
    found = size(tmp_path, tokenizer_config=settings, added_tokens={"<new>": 5}, special_tokens_map=special)
    assert found["tokenizer_vocab_size"] == 4 + len({"<pad>", "<end>", "<new>"})


@pytest.mark.parametrize("settings", [{}, {"tokenizer_class": "ChatGLMTokenizer"}, []])
def test_a_class_that_adds_tokens_of_its_own_is_unknown(tmp_path: Path, settings: Any) -> None:
    assert size(tmp_path, tokenizer_config=settings).unknown("tokenizer_vocab_size")


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("meta-llama/Llama-2-7b-hf", 32_000), ("hfl/chinese-llama-7b", 49_953), ("hfl/chinese-alpaca-7b", 49_954),
        ("hfl/chinese-alpaca-2-7b", 55_296), ("Qwen/Qwen2.5-7B", None), ("somebody/Llama-2-7b-hf", None),
    ],
)  # fmt: skip
def test_sizes_that_are_known_by_name(model: str, size: int | None) -> None:
    fact = facts(YAML.format(model=model), "x.yaml").launch.fact("tokenizer_vocab_size")
    assert (fact.value if fact.known else None) == size
    assert fact.confidence == "medium" or size is None


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("meta-llama/Llama-2-7b-hf", "Llama 2"), ("hfl/chinese-llama-2-7b", "Chinese-LLaMA"),
        ("hfl/chinese-alpaca-7b", "Chinese-LLaMA"), ("meta-llama/Meta-Llama-3-8B", "Llama 3"),
        ("Qwen/Qwen2.5-7B", "Qwen"), ("google/gemma-2-9b", "Gemma"), ("01-ai/Yi-34B", None), ("openai-community/gpt2", "GPT-2"),
        ("THUDM/chatglm3-6b", "ChatGLM"), ("THUDM/glm-4-9b", "GLM-4"), ("THUDM/chatglm-6b", None),
        ("mistralai/Mistral-7B-v0.1", "Mistral"), ("baichuan-inc/Baichuan-7B", "Baichuan"),
        ("internlm/internlm2-1_8b", "InternLM"), ("deepseek-ai/DeepSeek-V2-Lite", "DeepSeek LLM"),
        ("microsoft/phi-4", "cl100k"), ("allenai/OLMo-2-1124-7B", "cl100k"), ("allenai/OLMo-1B-hf", "GPT-NeoX"),
        ("openai/gpt-oss-20b", "o200k"), ("moonshotai/Kimi-K2-Instruct", "Kimi K2"), ("google/gemma-3-1b-pt", "Gemma"),
        ("baichuan-inc/Baichuan2-7B-Base", None), ("zai-org/GLM-4.5-Air-Base", "GLM-4"),
    ],
)  # fmt: skip
def test_the_family_by_the_model(model: str, family: str | None) -> None:
    fact = facts(YAML.format(model=model), "x.yaml").launch.fact("tokenizer_family")
    assert (str(fact.value) if fact.known else None) == family


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("meta-llama/Llama-2-7b-hf", 1520), ("hfl/chinese-llama-2-7b", 670), ("Qwen/Qwen2.5-7B", 660), ("no/model", 750),
    ],
)  # fmt: skip
@pytest.mark.parametrize("escape", [True, False])
def test_tokens_of_chinese_text(tmp_path: Path, model: str, tokens: int, escape: bool) -> None:
    """However the file spells the characters: escaped it is twice the size."""
    (tmp_path / "dataset_info.json").write_text('{"notes": {"file_name": "notes.json"}}')
    rows = [{"instruction": "学" * 50, "input": "", "output": "习" * 50} for _ in range(10)]
    (tmp_path / "notes.json").write_text(json.dumps(rows, ensure_ascii=escape), "utf-8")
    run = facts(YAML.format(model=model), "x.yaml", folder=tmp_path)
    assert run["dataset_tokens"] == pytest.approx(tokens, rel=0.02)
    assert run.launch.fact("dataset_tokens").confidence == "medium"
    assert run["truncated_share"] == (1 if tokens > 1000 else 0)
    assert run["chinese_share"] == pytest.approx(1, abs=0.03)
