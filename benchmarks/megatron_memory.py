"""Compares the memory of Megatron-LM runs with Megatron-LM's own report: `python -m benchmarks.megatron_memory CHECKOUT`.

`CHECKOUT` is a check-out of NVIDIA/Megatron-LM, whose megatron/training/theoretical_memory_usage.py is called.
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText

GIB = 2**30
MODELS: dict[str, dict[str, Any]] = {
    "Llama 2 7B": {"num_layers": 32, "hidden_size": 4096, "ffn_hidden_size": 11008, "num_attention_heads": 32},
    "Llama 3 8B": {
        "num_layers": 32, "hidden_size": 4096, "ffn_hidden_size": 14336, "num_attention_heads": 32, "num_query_groups": 8,
    },
    "Llama 3 70B": {
        "num_layers": 80, "hidden_size": 8192, "ffn_hidden_size": 28672, "num_attention_heads": 64, "num_query_groups": 8,
    },
    "Mixtral 8x7B": {
        "num_layers": 32, "hidden_size": 4096, "ffn_hidden_size": 14336, "num_attention_heads": 32, "num_query_groups": 8,
        "num_experts": 8, "moe_router_topk": 2, "expert_model_parallel_size": 8, "expert_tensor_parallel_size": 1,
    },
}  # fmt: skip
VOCABULARY, LENGTH, WORLD, MICRO_BATCHES = 131072, 4096, 64, 16
ABSENT = (
    "num_query_groups", "num_experts", "moe_router_topk", "moe_shared_expert_intermediate_size", "moe_latent_size",
    "mtp_num_layers", "q_lora_rank", "virtual_pipeline_model_parallel_size",
)  # fmt: skip


def _theirs(checkout: Path, args: types.SimpleNamespace) -> tuple[float, float]:
    """What Megatron-LM's report comes to, in GiB: weights, gradients and optimizer states, and activations."""
    package = types.ModuleType("theirs")
    package.__path__ = [str(checkout / "megatron" / "training")]
    utils = types.ModuleType("theirs.utils")
    utils.is_hybrid_model = utils.print_rank_0 = lambda *_: None  # type: ignore[attr-defined]
    sys.modules |= {"theirs": package, "theirs.utils": utils}
    from theirs import theoretical_memory_usage as report  # type: ignore[import-not-found]

    states = report.compute_weight_and_optimizer_memory(args)
    return states / GIB, report.compute_activation_memory(args, MICRO_BATCHES) / GIB


def _ours(flags: Mapping[str, Any]) -> tuple[float, float]:
    said = " ".join(
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in flags.items()
    )
    text = f"torchrun --nnodes {WORLD // 8} --nproc_per_node 8 pretrain_gpt.py {said}\n"
    (launch,) = Linter(Settings()).read(SourceText("run.sh", text))[1]
    parts = [launch.fact(f"memory_{name}") for name in ("weights", "gradients", "optimizer", "activations", "logits")]
    *states, activations, logits = (fact.value if fact.known else float("nan") for fact in parts)
    return sum(states), activations + logits


def rows(checkout: Path) -> Iterator[str]:
    for (name, shape), (tensors, stages) in product(MODELS.items(), ((1, 1), (4, 1), (8, 1), (4, 4), (8, 8))):
        experts = {"moe_ffn_hidden_size": shape["ffn_hidden_size"]} if "num_experts" in shape else {}
        flags = {
            **shape, **experts, "seq_length": LENGTH, "max_position_embeddings": LENGTH, "micro_batch_size": 1,
            "tensor_model_parallel_size": tensors, "pipeline_model_parallel_size": stages, "padded_vocab_size": VOCABULARY,
        }  # fmt: skip
        replicas = WORLD // (tensors * stages)
        ours = _ours(
            {
                **{key: value for key, value in flags.items() if key != "padded_vocab_size"},
                **({"group_query_attention": True} if "num_query_groups" in shape else {}),
                "vocab_size": VOCABULARY, "global_batch_size": replicas * MICRO_BATCHES, "train_iters": 1000, "lr": 3e-4,
                "swiglu": True, "bf16": True, "use_distributed_optimizer": True, "sequence_parallel": True,
                "recompute_granularity": "selective", "untie_embeddings_and_output_weights": True,
                "position_embedding_type": "rope", "disable_bias_linear": True, "normalization": "RMSNorm",
            }
        )  # fmt: skip
        theirs = _theirs(
            checkout,
            types.SimpleNamespace(
                **{**dict.fromkeys(ABSENT), "expert_model_parallel_size": 1, "expert_tensor_parallel_size": 1, **flags},
                kv_channels=shape["hidden_size"] // shape["num_attention_heads"],
                group_query_attention="num_query_groups" in shape, swiglu=True, normalization="RMSNorm",
                multi_latent_attention=False, untie_embeddings_and_output_weights=True, moe_layer_freq=1,
                add_bias_linear=False, world_size=WORLD, data_parallel_size=replicas,
                use_distributed_optimizer=True, **({} if experts else {"moe_ffn_hidden_size": None}),
            ),
        )  # fmt: skip
        errors = [mine / yours - 1 for mine, yours in zip(ours, theirs, strict=True)]
        yield (
            f"| {name}, TP {tensors}, PP {stages} | {theirs[0]:.1f} | {ours[0]:.1f} | {errors[0]:+.0%} "
            f"| {theirs[1]:.1f} | {ours[1]:.1f} | {errors[1]:+.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a check-out of NVIDIA/Megatron-LM")
    print("| run | states, theirs | ours | | activations, theirs | ours | |\n|---|---|---|---|---|---|---|")
    for row in rows(parser.parse_args().checkout):
        print(row)


if __name__ == "__main__":
    main()
