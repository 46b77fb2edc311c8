"""What the model's own files, or its name, say about it."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from trainlint.facts import Unknown, View

SIZE = re.compile(r"(?<![a-z0-9.])(?<!\d_)(\d+(?:[.p]\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)
MIXTURE = re.compile(r"\d+x\d", re.IGNORECASE)
ACTIVE = re.compile(r"-A(\d+(?:\.\d+)?)B(?![a-z0-9])", re.IGNORECASE)
CHAT = re.compile(r"(^|[-_./])(chat|instruct|it|sft|rlhf|dpo|assistant)($|[-_.\d])", re.IGNORECASE)
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "embed_in", "embed_out", "word_embeddings", "output_layer")


def _directory(r: View, name: str) -> Path:
    path = r.run.context["files"].find(str(name), r.run.context["directories"])
    if not path.is_dir():
        raise Unknown(f"{name} is not a directory")
    return Path(path)


def _config(r: View) -> dict[str, Any]:
    """The model's config.json. Raises `Unknown` where the model is not on this machine."""
    directory = _directory(r, r.model_name_or_path)
    config = r.run.context["files"].json(directory / "config.json")
    if not isinstance(config, dict):
        raise Unknown(f"{directory / 'config.json'} is no JSON object")
    return {**config, **config["text_config"]} if isinstance(config.get("text_config"), dict) else config


def _setting(r: View, key: str) -> int:
    value = _config(r).get(key)
    if not isinstance(value, int):
        raise Unknown(f"the model's config.json has no {key}")
    return value


def model_vocab_size(r: View) -> int:
    return _setting(r, "vocab_size")


def max_position_embeddings(r: View) -> int:
    """Raises `Unknown` where the model stretches its positions, because the number then means several things."""
    scaling = _config(r).get("rope_scaling")
    kind = scaling.get("rope_type", scaling.get("type", "default")) if isinstance(scaling, dict) else "default"
    if kind not in ("default", "mrope", "llama3"):
        raise Unknown(f"the model's config.json scales its positions ({kind})", "max_position_embeddings")
    return _setting(r, "max_position_embeddings")


def tokenizer_vocab_size(r: View) -> int:
    """Entries of tokenizer.json with its added tokens, counted by their ids."""
    directory = _directory(r, r.tokenizer_name_or_path)
    tokenizer = r.run.context["files"].json(directory / "tokenizer.json")
    try:
        vocabulary = tokenizer["model"]["vocab"]
        ids = set(vocabulary.values()) if isinstance(vocabulary, dict) else set(range(len(vocabulary)))
        ids |= {token["id"] for token in tokenizer.get("added_tokens", [])}
    except (KeyError, TypeError, AttributeError):
        raise Unknown(f"{directory / 'tokenizer.json'} has no vocabulary") from None
    return len(ids)


def model_parameters(r: View) -> int:
    """What the model's own index of weights counts, else the size that its name states (`Llama-2-7b`).

    Mixtures of experts (`8x7B`) are not read off their names.
    """
    with suppress(Unknown):
        return _counted(r)
    name = "/".join(PurePosixPath(str(r.model_name_or_path)).parts[-2:])
    sizes = SIZE.findall(name)
    if not sizes or MIXTURE.search(name):
        raise Unknown(f"the name {r.model_name_or_path} does not say how large the model is", "model_parameters")
    r.assume("the size is read off the model's name")
    number, unit = sizes[0]
    return int(float(number.replace("p", ".").replace("P", ".")) * (1e9 if unit in "bB" else 1e6))


def _counted(r: View) -> int:
    """By model.safetensors.index.json: its count, or its bytes in the type of the config.json. Raises `Unknown`."""
    directory = _directory(r, r.model_name_or_path)
    index = r.run.context["files"].json(directory / "model.safetensors.index.json")
    stated = index.get("metadata") if isinstance(index, dict) else None
    metadata = stated if isinstance(stated, dict) else {}
    count, size = metadata.get("total_parameters"), metadata.get("total_size")
    if isinstance(count, int):
        return count
    config = _config(r)
    width = WIDTHS.get(str(config.get("dtype") or config.get("torch_dtype")))
    if width is None or not isinstance(size, (int, float)) or "quantization_config" in config:
        raise Unknown("the model's files do not count its parameters", "model_parameters")
    return int(size // width)


def active_parameters(r: View) -> int:
    """The name of a mixture of experts states it after the whole size (`30B-A3B`)."""
    active = ACTIVE.search(str(r.model_name_or_path))
    if active is not None:
        return int(float(active[1]) * 1e9)
    if MIXTURE.search(str(r.model_name_or_path)) or _has_experts(r):
        raise Unknown("nothing says how many experts' parameters a token passes through", "active_parameters")
    return int(r.model_parameters)


def _has_experts(r: View) -> bool:
    try:
        return any("experts" in key for key in _config(r))
    except Unknown:
        return False


def base_kind(r: View) -> str:
    """`chat` where the model's name says that it was tuned to converse, else `base`."""
    name = PurePosixPath(str(r.model_name_or_path)).name
    r.assume("read off the model's name")
    return "chat" if CHAT.search(name) else "base"


def lora_scale(r: View) -> float:
    rank, alpha = r.lora_rank, r.lora_alpha
    if not rank:
        raise Unknown("there is no LoRA rank", "lora_rank")
    stabilised = any(r.given(name) and r.arg(name) for name in ("use_rslora", "peft_use_rslora"))
    return float(alpha / (math.sqrt(rank) if stabilised else rank))


def tied_embeddings(r: View) -> bool:
    """As the model's config.json says; silence there means what the architecture does, which is not known here."""
    tied = _config(r).get("tie_word_embeddings")
    if not isinstance(tied, bool):
        raise Unknown("the model's config.json has no tie_word_embeddings", "tied_embeddings")
    return tied


def trains_embeddings(r: View) -> bool:
    if r.method == "full":
        return True
    targets = r.run.fact("target_modules")
    names = [*r.modules_to_save, *(targets.value if targets.known else [])]
    return any(name.split(".")[-1] in EMBEDDINGS for name in names)
