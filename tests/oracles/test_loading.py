"""The keywords that load a model: the installed transformers judges names, defaults and what becomes of a misspelt one."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from trainlint.dialects.tables import NO_DEFAULT, Schema

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
TARGETS = {"transformers": version("transformers")}
QUANTIZATION = Schema("transformers:BitsAndBytesConfig", targets=TARGETS)
LOADING = Schema("transformers:from_pretrained", targets=TARGETS)


def parameters(function: Any) -> dict[str, Any]:
    """What can be given by name, and its default."""
    found = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        each.name: NO_DEFAULT if each.default is inspect.Parameter.empty else each.default
        for each in found
        if each.kind in kinds and each.name != "self"
    }


def test_the_table_of_the_quantisation_is_that_of_the_installed_class() -> None:
    theirs = parameters(transformers.BitsAndBytesConfig.__init__)
    assert set(theirs) == set(QUANTIZATION.present())
    assert {name: QUANTIZATION.default(name)[0] for name in theirs} == theirs


def test_it_drops_what_it_does_not_know() -> None:
    meant, misspelt = (
        transformers.BitsAndBytesConfig(load_in_4bit=True),
        transformers.BitsAndBytesConfig(load_in_4bits=True),
    )
    assert (meant.load_in_4bit, misspelt.load_in_4bit) == (True, False)


def test_the_table_of_from_pretrained_has_the_named_parameters() -> None:
    theirs = parameters(transformers.PreTrainedModel.from_pretrained)
    assert set(theirs) <= set(LOADING.present())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    config = transformers.LlamaConfig(
        vocab_size=16,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "name", ["torch_dtype", "dtype", "device_map", "attn_implementation", "low_cpu_mem_usage", "token"]
)
def test_a_misspelt_keyword_of_from_pretrained_stops_the_run(name: str, model: Path) -> None:
    transformers.AutoModelForCausalLM.from_pretrained(model, **{name: None})
    with pytest.raises(TypeError, match="unexpected keyword"):
        transformers.AutoModelForCausalLM.from_pretrained(model, **{f"{name}x": None})


@pytest.mark.parametrize(
    "name", ["load_in_4bit", "load_in_8bit", "use_flash_attention_2", "use_auth_token", "resume_download"]
)
def test_what_the_table_says_is_gone_stops_the_run(name: str, model: Path) -> None:
    assert (name in LOADING.present()) is (TARGETS["transformers"] < "5" and name != "use_flash_attention_2")
    if name not in LOADING.present():
        with pytest.raises(TypeError, match="unexpected keyword"):
            transformers.AutoModelForCausalLM.from_pretrained(model, **{name: False})
