"""The tokenizer: how many entries it has, what its settings say, and how many tokens it makes of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlint.derive import architecture, catalogue
from trainlint.derive.model import directory
from trainlint.facts import Unknown, View
from trainlint.rows import Rows

SENTENCEPIECE_CLASSES = ("LlamaTokenizer", "LlamaTokenizerFast")
"""Other classes add entries of their own to the pieces."""
AS_MANY_ROWS = frozenset({"meta-llama", "hfl", "ziqingyang", "huggyllama"})
"""Who publishes models whose embedding has a row for each entry of the tokenizer and no others: Llama and Chinese-LLaMA."""
MAX_PIECES_BYTES = 64_000_000
MAX_LENGTH = 100_000_000
"""Tokens. What a tokenizer states beyond that means no limit."""


@dataclass(frozen=True)
class Family:
    """Tokens of a text, measured: UTF-8 bytes a token where it is not Chinese, tokens a character where it is."""

    name: str
    bytes_per_token: float
    tokens_per_chinese: float

    def __repr__(self) -> str:
        return self.name

    def tokens(self, chinese: int, other_bytes: int) -> float:
        return chinese * self.tokens_per_chinese + other_bytes / self.bytes_per_token


LLAMA = Family("Llama 2", 3.6, 1.52)
CHINESE_LLAMA = Family("Chinese-LLaMA", 3.6, 0.67)
LLAMA_3 = Family("Llama 3", 4.4, 0.85)
LLAMA_4 = Family("Llama 4", 4.5, 0.67)
MISTRAL = Family("Mistral", 3.7, 1.19)
TEKKEN = Family("Mistral's Tekken", 4.3, 0.99)
QWEN = Family("Qwen", 4.4, 0.66)
QWEN_35 = Family("Qwen 3.5", 4.2, 0.6)
GEMMA = Family("Gemma", 4.2, 0.71)
CHATGLM = Family("ChatGLM", 3.8, 0.66)
GLM_4 = Family("GLM-4", 4.4, 0.62)
DEEPSEEK_LLM = Family("DeepSeek LLM", 4.0, 0.67)
DEEPSEEK = Family("DeepSeek-V3", 4.4, 0.61)
KIMI = Family("Kimi K2", 4.5, 0.57)
INTERNLM = Family("InternLM", 4.3, 0.63)
BAICHUAN = Family("Baichuan", 3.6, 0.74)
COHERE = Family("Command R", 4.1, 0.74)
FALCON = Family("Falcon", 3.9, 1.33)
NEOX = Family("GPT-NeoX", 4.0, 1.4)
GPT2 = Family("GPT-2", 3.8, 2.22)
CL100K = Family("cl100k", 4.4, 1.22)
O200K = Family("o200k", 4.4, 0.8)
USUAL = Family("usual", 4, 0.75)
"""Four bytes a token everywhere, where the family is not known or was not measured."""
BY_TYPE: tuple[tuple[str, range, Family], ...] = (
    ("llama", range(32_000, 32_100), LLAMA),
    ("llama", range(49_953, 49_955), CHINESE_LLAMA),
    ("llama", range(55_296, 55_297), CHINESE_LLAMA),
    ("llama", range(102_400, 102_401), DEEPSEEK_LLM),
    ("llama", range(128_256, 128_300), LLAMA_3),
    ("llama4", range(202_048, 202_049), LLAMA_4),
    ("phi3", range(32_064, 32_065), LLAMA),
    ("phi3", range(100_352, 100_353), CL100K),
    ("mistral", range(32_000, 32_100), MISTRAL),
    ("mistral", range(32_768, 32_769), MISTRAL),
    ("mistral", range(131_072, 131_073), TEKKEN),
    ("mixtral", range(32_000, 32_100), MISTRAL),
    ("mixtral", range(32_768, 32_769), MISTRAL),
    ("qwen", range(151_600, 152_100), QWEN),
    ("qwen3_5", range(248_044, 248_321), QWEN_35),
    ("gemma", range(256_000, 256_001), GEMMA),
    ("gemma", range(262_144, 262_300), GEMMA),
    ("chatglm", range(65_024, 65_025), CHATGLM),
    ("chatglm", range(151_552, 151_553), GLM_4),
    ("glm", range(151_552, 151_553), GLM_4),
    ("deepseek", range(102_400, 102_401), DEEPSEEK_LLM),
    ("deepseek_v3", range(129_280, 129_281), DEEPSEEK),
    ("kimi_k2", range(163_840, 163_841), KIMI),
    ("internlm2", range(92_544, 92_545), INTERNLM),
    ("internlm", range(103_168, 103_169), INTERNLM),
    ("baichuan", range(64_000, 64_001), BAICHUAN),
    ("cohere", range(256_000, 256_001), COHERE),
    ("falcon", range(65_024, 65_025), FALCON),
    ("gpt_neox", range(50_254, 50_700), NEOX),
    ("mpt", range(50_254, 50_700), NEOX),
    ("olmo", range(50_254, 50_700), NEOX),
    ("olmo2", range(100_278, 100_353), CL100K),
    ("olmo3", range(100_278, 100_353), CL100K),
    ("gpt2", range(50_257, 50_258), GPT2),
    ("gpt_oss", range(201_088, 201_089), O200K),
)
"""The start of the model_type, the size of the vocabulary, and the family that both together mean."""


def tokenizer_family(r: View) -> Family:
    """By the type of the model and the size of its vocabulary, which together name it."""
    kind, size = r.model_type, r.model_vocab_size
    found = next((family for start, sizes, family in BY_TYPE if kind.startswith(start) and size in sizes), None)
    if found is None:
        raise Unknown(f"no tokens were counted for the tokenizer of a {kind} with a vocabulary of {size:,}")
    return found


def family(r: View) -> Family:
    """The tokenizer's family, or the usual; says which was taken."""
    try:
        found: Family = r.tokenizer_family
    except Unknown:
        r.read.pop("tokenizer_family", None)
        r.assume("about 4 bytes a token")
        return USUAL
    r.assume(f"tokens as tokenizers of {found} make them, within 20 %")
    return found


def tokens(rows: Rows, family: Family) -> float:
    return family.tokens(sum(rows.chinese), sum(rows.other_bytes))


# ------------------------------------------------------------------------------------------------------------- size


def tokenizer_vocab_size(r: View) -> int:
    """Entries of tokenizer.json or of the sentencepiece model, added tokens included; of some that are not here, by name."""
    name = str(r.tokenizer_name_or_path)
    try:
        folder = directory(r, name)
    except Unknown:
        return _of_catalogue(r, name)
    if (folder / "tokenizer.json").exists() or not (folder / "tokenizer.model").exists():
        return _of_json(r, folder / "tokenizer.json")
    return _of_pieces(r, folder)


def _of_catalogue(r: View, name: str) -> int:
    entry = catalogue.own().by_id(name)
    size = architecture.number(entry.config, "vocab") if entry is not None else None
    if entry is None or size is None or name.split("/")[0].lower() not in AS_MANY_ROWS:
        raise Unknown(f"the tokenizer of {name} is not on this machine")
    r.assume(f"as many entries as {entry} has rows, by {entry.source}")
    return size


def _of_json(r: View, file: Path) -> int:
    tokenizer = r.run.context["files"].json(file)
    try:
        vocabulary = tokenizer["model"]["vocab"]
        ids = set(vocabulary.values()) if isinstance(vocabulary, dict) else set(range(len(vocabulary)))
        ids |= {token["id"] for token in tokenizer.get("added_tokens", [])}
    except (KeyError, TypeError, AttributeError):
        raise Unknown(f"{file} has no vocabulary") from None
    return len(ids)


def _of_pieces(r: View, folder: Path) -> int:
    """Special tokens that the settings name and the model does not have are added to it when it is loaded."""
    settings = _settings(r, folder, "tokenizer_config.json")
    kind = settings.get("tokenizer_class")
    if kind not in SENTENCEPIECE_CLASSES:
        raise Unknown(f"what {kind or 'an unnamed class'} adds to tokenizer.model is not known")
    file = folder / "tokenizer.model"
    try:
        if file.stat().st_size > MAX_PIECES_BYTES:
            raise Unknown(f"{file} is larger than {MAX_PIECES_BYTES:,} bytes")
        found = {piece.decode("utf-8", "surrogateescape") for piece in pieces(file.read_bytes())}
    except (OSError, ValueError) as error:
        raise Unknown(f"{file} cannot be read: {error}") from None
    added = settings.get("added_tokens_decoder")
    found.update(_names(list(added.values())) if isinstance(added, dict) else ())
    found.update(name for name in _settings(r, folder, "added_tokens.json"))
    for source in (settings, _settings(r, folder, "special_tokens_map.json")):
        found.update(_names([value for key, value in source.items() if key.endswith(("_token", "_special_tokens"))]))
    return len(found)


# ----------------------------------------------------------------------------------------------------- its settings


def tokenizer_max_length(r: View) -> int:
    """Some tokenizers state a number like 1e30 and mean no limit."""
    length = _own_settings(r).get("model_max_length")
    if not isinstance(length, int) or not 0 < length < MAX_LENGTH:
        raise Unknown("the tokenizer states no limit", "tokenizer_max_length")
    return length


def tokenizer_eos_token(r: View) -> str:
    return _token(r, "eos_token")


def tokenizer_pad_token(r: View) -> str:
    return _token(r, "pad_token")


def _token(r: View, name: str) -> str:
    """A token of tokenizer_config.json; where that lacks it, another file may still name it."""
    text = next(_names(_own_settings(r).get(name)), None)
    if text is None:
        raise Unknown(f"tokenizer_config.json names no {name}", f"tokenizer_{name}")
    return text


def _own_settings(r: View) -> dict[str, Any]:
    return _settings(r, directory(r, r.tokenizer_name_or_path), "tokenizer_config.json")


def _settings(r: View, folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    settings = r.run.context["files"].json(file) if file.exists() else {}
    if not isinstance(settings, dict):
        raise Unknown(f"{file} is no JSON object")
    return settings


def _names(value: Any) -> Iterator[str]:
    """Tokens are written as texts or as `{"content": text}`, alone or in lists. Switches such as add_bos_token are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _names(value.get("content"))
    elif isinstance(value, list):
        for element in value:
            yield from _names(element)


# ---------------------------------------------------------------------------------------------------- sentencepiece


def pieces(model: bytes) -> Iterator[bytes]:
    """The pieces of a sentencepiece model: field 1 of each message in field 1. Raises ValueError for what is none."""
    count = 0
    for number, message in _fields(model):
        if number == 1:
            count += 1
            text = next((value for inner, value in _fields(message) if inner == 1), None)
            if text is None:
                raise ValueError(f"piece {count} has no text")
            yield text
    if not count:
        raise ValueError("it has no pieces")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message with their bytes, empty for numbers."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, at = _varint(message, at)
            yield number, b""
            continue
        length = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            length, at = _varint(message, at)
        if length < 0 or at + length > len(message):
            raise ValueError("it is no sentencepiece model")
        yield number, message[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError("it is no sentencepiece model")
