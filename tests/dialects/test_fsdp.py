"""The file behind `--fsdp_config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write

CONFIG = """{
    "fsdp_transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"],
    "backward_prefetch": "backward_pre",
    "use_orig_params": true,
    "activation_checkpointing": true
}
"""


def test_a_file_alone() -> None:
    assert_states(CONFIG, {"fsdp": "fsdp_config", "gradient_checkpointing": True}, "fsdp.json")
    assert issues(CONFIG, "fsdp.json") == []


def test_the_form_of_ms_swift() -> None:
    text = json.dumps(
        {"fsdp": "full_shard", "fsdp_config": {"fsdp_version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP"}}
    )
    assert dialects_of(text, "fsdp2.json") == ["fsdp"]
    assert issues(text, "fsdp2.json") == []


def test_a_misspelt_key_alone_and_linked(tmp_path: Path) -> None:
    text = CONFIG.replace("backward_prefetch", "backward_prefech")
    assert issues(text, "fsdp.json") == [("unknown", '"backward_prefech"', 3, 5)]
    write(tmp_path, fsdp__json=text)
    script = (
        "torchrun --nproc_per_node 2 train.py --learning_rate 1e-5 --per_device_train_batch_size 1"
        " --fsdp full_shard --fsdp_config fsdp.json"
    )
    assert issues(script, folder=tmp_path) == [("unknown", '"backward_prefech"', 3, 5)]


@pytest.mark.parametrize(("options", "recomputed"), [("--fsdp full_shard", True), ("", False)])
def test_a_linked_file_counts_where_fsdp_is_in_force(tmp_path: Path, options: str, recomputed: bool) -> None:
    write(tmp_path, fsdp__json=CONFIG)
    script = f"torchrun --nproc_per_node 2 train.py --learning_rate 1e-5 --num_train_epochs 1 {options} --fsdp_config fsdp.json"
    assert_states(script, {"gradient_checkpointing": recomputed}, folder=tmp_path)


@pytest.mark.parametrize(
    ("config", "dialects"),
    [
        ({"xla": True, "name": "x"}, []),
        (
            {
                "per_device_train_batch_size": 1, "learning_rate": 1e-5, "output_dir": "o", "fsdp": "full_shard",
                "fsdp_config": {"backward_prefetch": "backward_pre"},
            },
            ["hf-trainer"],
        ),
    ],
)  # fmt: skip
def test_look_alikes(config: dict[str, Any], dialects: list[str]) -> None:
    assert dialects_of(json.dumps(config), "config.json") == dialects
