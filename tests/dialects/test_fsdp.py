"""The file behind `--fsdp_config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, dialects_of, issues, write
from helpers_runs import launches
from trainlint.facts import Unknown

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


RUN = {"per_device_train_batch_size": 1, "learning_rate": 0.00001, "output_dir": "o", "num_train_epochs": 1}
SHARDED = {
    **RUN,
    "fsdp": "full_shard auto_wrap",
    "fsdp_config": {"forward_prefetch": True, "xla_fsdp_settings": {"a": 7}},
}


@pytest.mark.parametrize(("name", "lines"), [("a.json", (8, 10)), ("a.yaml", (8, 10))])
def test_a_setting_inside_the_block_has_its_own_place(name: str, lines: tuple[int, int]) -> None:
    (launch,) = launches(json.dumps(SHARDED, indent=1), name)  # which is YAML, too
    outer = launch.first.argument("fsdp_config.forward_prefetch")
    inner = launch.first.argument("fsdp_config.xla_fsdp_settings.a")
    assert (outer.value, inner.value) == (True, 7)
    assert tuple(fact.location.start.line for fact in (outer, inner) if fact.location is not None) == lines


def test_a_setting_in_the_linked_file_is_read_like_one_in_the_block(tmp_path: Path) -> None:
    write(tmp_path, fsdp__json=CONFIG)
    script = "torchrun train.py --learning_rate 1e-5 --num_train_epochs 1 --fsdp full_shard --fsdp_config "
    (launch,) = launches(script + "fsdp.json", folder=tmp_path)
    fact = launch.first.argument("fsdp_config.backward_prefetch")
    assert (fact.value, fact.location.start.line if fact.location is not None else 0) == ("backward_pre", 3)
    assert not launch.first.given("fsdp_config.forward_prefetch")
    (launch,) = launches(script + "$FSDP", folder=tmp_path)
    with pytest.raises(Unknown):
        launch.first.given("fsdp_config.forward_prefetch")
