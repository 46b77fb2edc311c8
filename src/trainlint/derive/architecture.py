"""The shape of a model as its config.json states it, and the parameters that follow from the shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainlint.facts import Unknown

GATED = frozenset(
    {"llama", "mistral", "mixtral", "qwen", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3_text",
     "phi3", "phimoe", "internlm", "internlm2", "baichuan", "yi", "chatglm", "glm", "glm4", "glm4_moe", "deepseek",
     "deepseek_v2", "deepseek_v3", "kimi_k2", "olmo", "olmo2", "olmo3", "olmoe", "stablelm", "smollm3", "cohere", "granite",
     "minicpm", "gpt_oss", "seed_oss", "exaone4", "internlm3", "minimax_m2", "ernie4_5", "ernie4_5_moe",
     "glm4_moe_lite", "minicpm3"}
)  # fmt: skip
"""Model types whose feed-forward block has three matrices."""
PLAIN = frozenset(
    {"gpt2", "gptj", "gpt_neox", "gpt_bigcode", "phi", "opt", "bloom", "falcon", "mpt", "starcoder2", "nemotron"}
)
"""Model types whose feed-forward block has two matrices."""
TIED = frozenset(
    {"gpt2", "opt", "bloom", "falcon", "mpt", "gpt_bigcode", "starcoder2", "gemma", "gemma2", "gemma3_text", "cohere",
     "smollm3", "ernie4_5", "ernie4_5_moe"}
)  # fmt: skip
"""Model types whose output layer is the embedding where config.json does not say."""
LEARNED_POSITIONS = frozenset({"gpt2", "opt", "gpt_bigcode"})
NAMES: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "multi_query_group_num"),
    "feed_forward": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "inner_hidden_size"),
    "vocab": ("padded_vocab_size", "vocab_size"),
    "head_dim": ("head_dim", "kv_channels"),
    "positions": ("max_position_embeddings", "n_positions", "seq_length", "max_seq_len"),
    "experts": ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"),
    "chosen": ("num_experts_per_tok", "moe_k"),
    "shared": ("n_shared_experts", "moe_num_shared_experts"),
    "first_dense": ("first_k_dense_replace", "moe_layer_start_index"),
}
"""What the model types call the same number."""


def number(config: Mapping[str, Any], name: str) -> int | None:
    """The number that goes by one of several names, None where config.json does not state it."""
    for key in NAMES[name]:
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


@dataclass(frozen=True)
class Architecture:
    """A decoder as far as its parameters and its memory depend on it.

    `attention` and `feed_forward` are the (rows, columns) of the matrices of one layer, by the names that LoRA targets have;
    `expert` are those of one expert, of which `expert_layers` layers hold `experts` and use `chosen` for a token.
    """

    layers: int
    hidden: int
    vocab: int
    tied: bool
    attention: Mapping[str, tuple[int, int]]
    feed_forward: Mapping[str, tuple[int, int]]
    positions: int = 0
    experts: int = 0
    chosen: int = 0
    expert: Mapping[str, tuple[int, int]] | None = None
    shared: int = 0
    expert_layers: int = 0

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding, the output layer and learned positions."""
        return self.vocab * self.hidden * (1 if self.tied else 2) + self.positions * self.hidden

    @property
    def matrices(self) -> int:
        """Parameters of all linear layers but the output layer."""
        return self._matrices(self.experts)

    @property
    def of_experts(self) -> int:
        """Parameters of the experts that are chosen among."""
        return self.expert_layers * self.experts * _size(self.expert) if self.expert is not None else 0

    @property
    def parameters(self) -> int:
        return self.embeddings + self.matrices + self._norms

    @property
    def active(self) -> int:
        """Parameters that one token passes through."""
        return self.embeddings + self._matrices(self.chosen) + self._norms

    @property
    def _norms(self) -> int:
        return (2 * self.layers + 1) * self.hidden

    def _matrices(self, experts: int) -> int:
        dense = self.layers * _size(self.attention) + (self.layers - self.expert_layers) * _size(self.feed_forward)
        if self.expert is None:
            return dense
        of_experts = experts * _size(self.expert) + self.shared + self.hidden * self.experts
        return dense + self.expert_layers * of_experts

    @property
    def activations(self) -> int:
        """Bytes that one token leaves behind in one layer in 16 bits, with an attention that keeps no score matrix."""
        heads = sum(rows for name, (_, rows) in self.attention.items() if name != "o_proj")
        # two norms keep their input in 16 and in 32 bits, each block its input and its output; the product of the gate is kept
        return 16 * self.hidden + 2 * heads + 4 * self._between

    @property
    def fused_activations(self) -> int:
        """The same where norms and gate are fused: nothing in 32 bits, and of the gate what goes in and what comes out."""
        saved = 6 * self.hidden + self._between * (1 if "gate_proj" in (self.expert or self.feed_forward) else 0)
        return self.activations - saved

    @property
    def _between(self) -> int:
        """Numbers inside the feed-forward block that one token passes through."""
        wide = self.expert if self.expert is not None else self.feed_forward
        count = self.chosen if self.expert is not None else 1
        return count * sum(rows for name, (_, rows) in wide.items() if name != "down_proj")

    def adapters(self, targets: list[str], rank: int) -> int:
        """Parameters of LoRA on these modules. Raises `Unknown` for a module that this model is not known to have."""
        modules = {**self.attention, **self.feed_forward}
        return (
            self.layers * rank * sum(_adapter([modules[name] for name in group]) for group in self._targeted(targets))
        )

    def into_adapters(self, targets: list[str]) -> int:
        """Width of all that goes into LoRA's modules in one layer. Raises `Unknown` as above."""
        modules = {**self.attention, **self.feed_forward}
        return sum(modules[name][0] for group in self._targeted(targets) for name in group)

    def _targeted(self, targets: list[str]) -> list[set[str]]:
        if self.expert is not None:
            raise Unknown("which experts get an adapter is not known", "lora_parameters")
        modules = {**self.attention, **self.feed_forward}
        whole = bool({"all", "all-linear"} & set(targets))
        return [{name} for name in modules] if whole else [_named(target, modules) for target in targets]


def _adapter(parts: list[tuple[int, int]]) -> int:
    """Inputs and outputs of one module; parts with the same input are fused into one that has it once."""
    return sum({columns for columns, _ in parts}) + sum(rows for _, rows in parts)


def _size(matrices: Mapping[str, tuple[int, int]]) -> int:
    return sum(columns * rows for columns, rows in matrices.values())


FUSED = {
    "q_proj": ("query_key_value", "qkv_proj", "W_pack", "c_attn", "Wqkv", "wqkv", "linear_qkv", "wq"),
    "k_proj": ("query_key_value", "qkv_proj", "W_pack", "c_attn", "Wqkv", "wqkv", "linear_qkv", "wk"),
    "v_proj": ("query_key_value", "qkv_proj", "W_pack", "c_attn", "Wqkv", "wqkv", "linear_qkv", "wv"),
    "o_proj": ("dense", "c_proj", "wo", "out_proj", "output_proj", "linear_proj"),
    "gate_proj": ("w1", "gate_up_proj", "dense_h_to_4h", "linear_fc1"),
    "up_proj": ("w2", "w3", "gate_up_proj", "dense_h_to_4h", "fc1", "c_fc", "linear_fc1"),
    "down_proj": ("c_proj", "w2", "dense_4h_to_h", "fc2", "linear_fc2"),
}
"""Other names of the same modules, and of modules that several are fused into."""


def _named(target: str, modules: Mapping[str, tuple[int, int]]) -> set[str]:
    name = target.rsplit(".", 1)[-1]
    found = {module for module in modules if name == module or name in FUSED.get(module, ())}
    if not found:
        raise Unknown(f"{target} is not known to be a part of this model", "lora_parameters")
    return found


def read(config: Mapping[str, Any]) -> Architecture:
    """The shape that a config.json states. Raises `Unknown` for a model type whose parameters cannot be counted here."""
    kind = str(config.get("model_type"))
    if kind not in GATED | PLAIN:
        raise Unknown(f"the parameters of model type {kind} cannot be counted", "model_parameters")
    layers, hidden, vocab = (_required(config, name) for name in ("layers", "hidden", "vocab"))
    gated = kind in GATED and not (kind == "chatglm" and "inner_hidden_size" in config)
    wide = number(config, "feed_forward") or 4 * hidden
    if kind == "qwen":
        wide //= 2  # its config.json states the gate and the other half together
    shape = _experts(config, kind, hidden, layers)
    tied = config.get("tie_word_embeddings")
    return Architecture(
        layers=layers,
        hidden=hidden,
        vocab=vocab,
        tied=tied if isinstance(tied, bool) else kind in TIED or (not gated and kind == "chatglm"),
        attention=_attention(config, kind, hidden),
        feed_forward=_block(hidden, wide, gated),
        positions=_required(config, "positions") if kind in LEARNED_POSITIONS else 0,
        **shape,
    )


def _required(config: Mapping[str, Any], name: str) -> int:
    value = number(config, name)
    if value is None:
        raise Unknown(f"nothing says the model's {' or '.join(NAMES[name][:2])}", "model_parameters")
    return value


def _block(hidden: int, wide: int, gated: bool) -> dict[str, tuple[int, int]]:
    matrices = {"up_proj": (hidden, wide), "down_proj": (wide, hidden)}
    return {"gate_proj": (hidden, wide), **matrices} if gated else matrices


def _attention(config: Mapping[str, Any], kind: str, hidden: int) -> dict[str, tuple[int, int]]:
    heads = _required(config, "heads")
    if config.get("kv_lora_rank"):
        return _latent_attention(config, hidden, heads)
    kv_heads = number(config, "kv_heads") or heads
    if config.get("multi_query") and not config.get("new_decoder_architecture") and "num_key_value_heads" not in config:
        kv_heads = 1
    size = number(config, "head_dim") or hidden // heads
    return {
        "q_proj": (hidden, heads * size),
        "k_proj": (hidden, kv_heads * size),
        "v_proj": (hidden, kv_heads * size),
        "o_proj": (heads * size, hidden),
    }


def _latent_attention(config: Mapping[str, Any], hidden: int, heads: int) -> dict[str, tuple[int, int]]:
    """DeepSeek's attention, whose keys and values pass through a narrow layer."""
    try:
        rank, plain, rotary, value = (
            int(config[key]) for key in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        )
    except (KeyError, TypeError, ValueError):
        raise Unknown("the model's config.json does not state its attention", "model_parameters") from None
    query = config.get("q_lora_rank")
    out = heads * (plain + rotary)
    of_query = {"q_a_proj": (hidden, query), "q_b_proj": (query, out)} if query else {"q_proj": (hidden, out)}
    return {
        **of_query,
        "kv_a_proj_with_mqa": (hidden, rank + rotary),
        "kv_b_proj": (rank, heads * (plain + value)),
        "o_proj": (heads * value, hidden),
    }


def _experts(config: Mapping[str, Any], kind: str, hidden: int, layers: int) -> dict[str, Any]:
    count = number(config, "experts")
    if not count:
        return {}
    chosen = number(config, "chosen")
    wide = config.get("moe_intermediate_size") or number(config, "feed_forward")
    if chosen is None or not isinstance(wide, int) or config.get("decoder_sparse_step", 1) != 1:
        raise Unknown("the model's config.json does not state its experts", "model_parameters")
    shared = config.get("shared_expert_intermediate_size") or wide * (number(config, "shared") or 0)
    return {
        "experts": count,
        "chosen": chosen,
        "expert": _block(hidden, wide, True),
        "shared": 3 * hidden * shared,
        "expert_layers": layers - (number(config, "first_dense") or 0),
    }
