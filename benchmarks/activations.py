"""Measures on the CPU what a layer leaves behind for the backward pass, against the formula: `python -m benchmarks.activations`.

Needs torch, transformers and peft. PyTorch's hooks on saved tensors see every tensor that the backward pass will need; weights
and their copies are left out. Two depths of one model give the bytes of a layer, whatever lies around the layers.
"""

from __future__ import annotations

from typing import Any

from trainlint.derive import architecture

TOKENS = 256
SHAPES: dict[str, dict[str, Any]] = {
    "Llama, all heads": {"model_type": "llama", "num_key_value_heads": 8, "intermediate_size": 1408},
    "Llama, grouped heads": {"model_type": "llama", "num_key_value_heads": 2, "intermediate_size": 1792},
    "Qwen2, grouped heads": {"model_type": "qwen2", "num_key_value_heads": 2, "intermediate_size": 2752},
    "Mistral, grouped heads": {"model_type": "mistral", "num_key_value_heads": 2, "intermediate_size": 1792},
}
COMMON = {
    "hidden_size": 512, "num_attention_heads": 8, "vocab_size": 1000, "max_position_embeddings": TOKENS, "use_cache": False,
    "tie_word_embeddings": False,
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "full, 16-bit weights": {},
    "full, 32-bit weights": {"wide": True},
    "LoRA on queries and values": {"targets": ["q_proj", "v_proj"]},
    "LoRA on all layers": {"targets": "all-linear"},
    "LoRA on all layers, dropout": {"targets": "all-linear", "dropout": 0.05},
}


def formula(shape: dict[str, Any]) -> int:
    """Bytes of one token in one layer, and without recomputation all of them are kept."""
    return architecture.read({**COMMON, **shape, "num_hidden_layers": 1}).activations


def of_a_layer(shape: dict[str, Any], *, recompute: bool = False, **way: Any) -> float:
    """Measured bytes of one token in one layer."""
    shallow, deep = (_saved({**COMMON, **shape, "num_hidden_layers": layers}, recompute, **way) for layers in (2, 4))
    return (deep - shallow) / 2 / TOKENS


def _saved(
    config: dict[str, Any], recompute: bool, wide: bool = False, targets: Any = None, dropout: float = 0.0
) -> int:
    """Bytes that one forward pass saves, as the Trainer runs it: under autocast, the adapters in 32 bits."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    kind = config["model_type"]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), attn_implementation="sdpa")
    model = model.to(torch.float32 if wide else torch.bfloat16)
    if targets is not None:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=8, target_modules=targets, lora_dropout=dropout))
        model.enable_input_require_grads()
    model.train()
    if recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    shapes = {tuple(sorted(weight.shape)) for weight in model.parameters() if weight.dim() == 2}
    kept: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tuple(sorted(tensor.shape)) not in shapes:
            kept[storage.data_ptr()] = tensor  # held, so that its place is not used again
        return tensor

    ids = torch.randint(0, config["vocab_size"], (1, TOKENS))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        model(input_ids=ids, labels=ids)
    assert kept, kind
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def main() -> None:
    print("| model | | formula | measured | | recomputed |\n|---|---|---|---|---|---|")
    for model, shape in SHAPES.items():
        for name, way in WAYS.items():
            expected, seen = formula(shape), of_a_layer(shape, **way)
            between = of_a_layer(shape, recompute=True, **way) / COMMON["hidden_size"]
            print(
                f"| {model} | {name} | {expected:,} | {seen:,.0f} | {expected / seen - 1:+.0%} | {between:g} × width |"
            )


if __name__ == "__main__":
    main()
