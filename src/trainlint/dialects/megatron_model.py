"""The model that Megatron-LM's flags describe, and how it is divided over the GPUs."""

from __future__ import annotations

from typing import Any

from trainlint.derive import catalogue
from trainlint.derive.catalogue import Model
from trainlint.derive.model import shape
from trainlint.dialects import scale
from trainlint.facts import Derivation, Unknown, View

TOKENIZERS = {"GPT2BPETokenizer": 50257, "Llama2Tokenizer": 32000}
"""Sizes of the vocabularies that a tokenizer's type settles."""
SAME = {
    "num_layers": "num_hidden_layers", "hidden_size": "hidden_size", "num_attention_heads": "num_attention_heads",
    "kv_channels": "head_dim", "max_position_embeddings": "max_position_embeddings",
}  # fmt: skip
LATENT = {
    "kv_lora_rank": "kv_lora_rank", "q_lora_rank": "q_lora_rank", "qk_head_dim": "qk_nope_head_dim",
    "qk_pos_emb_head_dim": "qk_rope_head_dim", "v_head_dim": "v_head_dim",
}  # fmt: skip


def _model(r: View) -> Model:
    """The shape in the form of a config.json."""
    if scale.value(r, "hybrid_layer_pattern", "hybrid_override_pattern", "is_hybrid_model"):
        raise Unknown("the parameters of a hybrid model are not counted", "model")
    gated = bool(r.arg("swiglu"))
    rotary = r.arg("position_embedding_type") == "rope" or scale.value(r, "use_rotary_position_embeddings")
    hidden = r.arg("hidden_size")
    usual = int(4 * hidden * 2 / 3 / 64) * 64 if gated else 4 * hidden
    config: dict[str, Any] = {
        "model_type": "llama" if gated else "gpt_neox" if rotary else "gpt2",
        "intermediate_size": r.arg("ffn_hidden_size") or usual,
        "tie_word_embeddings": not r.arg("untie_embeddings_and_output_weights"),
        **{name: r.arg(flag) for flag, name in SAME.items() if r.arg(flag)},
        **_vocabulary(r),
    }
    if r.arg("group_query_attention"):
        config["num_key_value_heads"] = r.arg("num_query_groups")
    if r.arg("multi_latent_attention"):
        config |= {name: r.arg(flag) for flag, name in LATENT.items() if r.arg(flag)}
    if r.arg("num_experts"):
        config |= _experts(r)
    return Model("the model of the flags", config)


def _vocabulary(r: View) -> dict[str, int]:
    """Padded as Megatron-LM pads it; nothing where only the tokenizer knows."""
    size = scale.value(r, "padded_vocab_size")
    if size is not None:
        return {"vocab_size": int(size)}
    size = r.arg("vocab_size") or TOKENIZERS.get(str(r.arg("tokenizer_type")))
    if size is None:
        known = catalogue.own().by_id(str(r.arg("tokenizer_model")))
        size = known.config.get("vocab_size") if known is not None else None
    if size is None:
        return {}
    multiple = r.arg("make_vocab_size_divisible_by") * r.tensor_parallel_size
    return {"vocab_size": -(-size // multiple) * multiple}


def _experts(r: View) -> dict[str, int]:
    if r.arg("moe_layer_freq") not in (1, "1") or not r.arg("swiglu"):
        raise Unknown("which layers have experts is not known", "model")
    shared = r.arg("moe_shared_expert_intermediate_size")
    return {
        "num_experts": r.arg("num_experts"),
        "num_experts_per_tok": r.arg("moe_router_topk"),
        **({"moe_intermediate_size": r.arg("moe_ffn_hidden_size")} if r.arg("moe_ffn_hidden_size") else {}),
        **({"shared_expert_intermediate_size": shared} if shared else {}),
    }


def _sharding_stage(r: View) -> int:
    for name in ("use_megatron_fsdp", "use_custom_fsdp", "use_torch_fsdp2"):
        if scale.value(r, name):
            raise Unknown(f"what --{name.replace('_', '-')} shards is not known", "sharding_stage")
    return 1 if r.arg("use_distributed_optimizer") else 0


def _model_parallel_size(r: View) -> float:
    """Experts are divided by their own degrees, the rest by the tensors'."""
    tensors, layers = r.tensor_parallel_size, r.pipeline_parallel_size
    of_model = shape(r)
    if not of_model.of_experts:
        return float(tensors * layers)
    of_experts = (r.arg("expert_tensor_parallel_size") or tensors) * (r.arg("expert_model_parallel_size") or 1)
    experts = of_model.of_experts
    return float(layers * of_model.parameters / ((of_model.parameters - experts) / tensors + experts / of_experts))


def _fp32_copy(r: View) -> bool:
    for name in ("use_precision_aware_optimizer", "fp8_param_gather"):
        if scale.value(r, name):
            raise Unknown(f"how wide --{name.replace('_', '-')} keeps them is not known", "fp32_copy")
    return True


def _degree(name: str) -> Derivation:
    return lambda r: int(r.arg(name) or 1)


def _layer_activations(r: View) -> int:
    """Its norms keep their input in 16 bits alone, and the gate is not kept apart from the product."""
    if scale.value(r, "fp8_format", "fp8"):
        raise Unknown("what is kept in FP8 is not known", "memory_activations")
    return shape(r).fused_activations


SPREAD: dict[str, Derivation] = {
    "sharding_stage": _sharding_stage,
    "model_parallel_size": _model_parallel_size,
    "sequence_parallel": lambda r: bool(scale.value(r, "sequence_parallel")),
    "tensor_parallel_size": _degree("tensor_model_parallel_size"),
    "pipeline_parallel_size": _degree("pipeline_model_parallel_size"),
    "context_parallel_size": _degree("context_parallel_size"),
    "full_recomputation": lambda r: r.arg("recompute_granularity") == "full",
    "offload": lambda r: "states" if scale.value(r, "optimizer_cpu_offload") else "none",
    "fp32_copy": _fp32_copy,
    "layer_activations": _layer_activations,
}
"""How Megatron-LM divides a model, for whoever hands its flags on."""
FACTS: dict[str, Derivation] = {
    **SPREAD,
    "stored_bits": lambda r: None,
    "model": _model,
    "deepspeed": lambda r: None,
    "fsdp": lambda r: None,
    "quantization_bits": lambda r: None,
}
