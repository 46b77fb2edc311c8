"""The parameters that the catalogue states, where transformers is installed: the model, built without weights, is the judge."""

from __future__ import annotations

from typing import Any

import pytest

from trainlint.derive import architecture
from trainlint.derive.catalogue import Model, own
from trainlint.facts import Unknown

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

UNKNOWN = {"qwen", "chatglm", "baichuan", "internlm", "internlm2", "deepseek", "kimi_k2", "minicpm"}
"""Types whose code is on the hub alone."""
ABSENT: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"q_lora_rank": None},
    "deepseek_v3": {"q_lora_rank": None},
    "glm": {"attention_bias": True},
    "glm4_moe": {"attention_bias": True},
    "opt": {"ffn_dim": "intermediate_size", "word_embed_proj_dim": "hidden_size"},
    "falcon": {"ffn_hidden_size": "intermediate_size", "num_kv_heads": "num_key_value_heads"},
    "phimoe": {"attention_bias": True, "lm_head_bias": True},
}
"""What decides the count and the catalogue leaves to the type; a text names the key of the catalogue that has the value."""


def counted_here(model: Model) -> bool:
    try:
        architecture.read(model.config)
    except Unknown:
        return False
    return model.config["model_type"] not in UNKNOWN


def count(stated: dict[str, Any]) -> int:
    kind = stated.pop("model_type")
    stated.pop("rope_scaling", None)
    if kind not in ("opt", "bloom", "falcon", "mpt", "gpt2", "gptj", "gpt_neox", "phi"):
        stated.setdefault("num_key_value_heads", stated["num_attention_heads"])
        if "kv_lora_rank" not in stated:
            stated.setdefault("head_dim", stated["hidden_size"] // stated["num_attention_heads"])
    if kind == "falcon":
        stated["new_decoder_architecture"] = stated["num_key_value_heads"] > 1
    missing = {key: stated.get(value, value) for key, value in ABSENT.get(kind, {}).items()}
    config = transformers.AutoConfig.for_model(kind, **{**missing, **stated})
    with torch.device("meta"):
        built = transformers.AutoModelForCausalLM.from_config(config)
    return sum(weights.numel() for weights in built.parameters())


SHAPES = {str(sorted(model.config.items(), key=str)): model for model in own() if counted_here(model)}


@pytest.mark.parametrize("model", SHAPES.values(), ids=str)
def test_the_model_has_as_many_parameters_as_the_catalogue_says(model: Model) -> None:
    assert model.parameters is not None
    assert count(dict(model.config)) == pytest.approx(model.parameters, rel=1e-4)
