"""The base model, the user's adapter on it, and how many bits it needs for a byte. Imports torch."""

from __future__ import annotations

import json
import math
import warnings
from importlib.resources import as_file, files
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from trainlint.probe.settings import ProbeSettings

ROW = 256
"""Bytes of one sequence when measuring, whatever the block of the training is."""
PROMPT, SAMPLE, TEMPERATURE = b"And it came to pass that the", 72, 0.7
"""What a sample begins with, how many bytes it has, how daring it is."""


def base() -> Any:
    """The byte-level Llama that comes with the probe, in single precision: token ids are byte values."""
    folder = files("trainlint.probe") / "base"
    config = json.loads((folder / "config.json").read_text("utf-8"))["model"]
    model = LlamaForCausalLM(LlamaConfig(**config))
    with as_file(folder / "model.safetensors") as path:
        weights = load_file(path)
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model


def adapted(settings: ProbeSettings, seed: int) -> Any:
    """The base as the settings train it. The seed decides how the adapter starts."""
    torch.manual_seed(seed)
    model = base()
    if settings.method == "full":
        return model
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # a float where alpha / sqrt(rank) is meant
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
        modules_to_save=list(settings.modules_to_save) or None,
    )
    with warnings.catch_warnings():
        # peft asks transformers for names that it is about to rename
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, config)


def as_tensor(data: bytes) -> torch.Tensor:
    """Byte values as token ids, of shape (bytes,)."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).long()


def bits_per_byte(model: Any, data: bytes) -> float:
    """Mean negative log2 likelihood of a byte, in rows of `ROW` bytes of which the first byte is given."""
    rows = as_tensor(data[: len(data) // ROW * ROW]).view(-1, ROW)
    training = model.training
    model.eval()
    with torch.no_grad():
        loss = model(input_ids=rows, labels=rows).loss.item()
    model.train(training)
    return float(loss) / math.log(2)


def write(model: Any) -> str:
    """What the model writes after the prompt, drawn with a fixed seed."""
    draw = torch.Generator().manual_seed(0)
    ids = as_tensor(PROMPT)[None]
    training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(SAMPLE):
            odds = torch.softmax(model(input_ids=ids).logits[0, -1] / TEMPERATURE, -1)
            ids = torch.cat([ids, torch.multinomial(odds, 1, generator=draw)[None]], 1)
    model.train(training)
    written = bytes(ids[0].tolist())[len(PROMPT) :]
    return " ".join(written.decode("utf-8", "replace").split())
