"""No value that a file or a command may hold breaks the reading or the judging of a run of the Hugging Face family."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import judge, steady
from helpers_runs import launches
from trainlint.dialects.tables import Schema

FILES: dict[str, tuple[str, Schema, dict[str, Any]]] = {
    "ms-swift": ("x.yaml", Schema("ms_swift:sft"), {"model": "m", "dataset": ["d#5"], "tuner_type": "lora"}),
    "ms-swift-megatron": (
        "x.yaml",
        Schema("ms_swift:megatron_sft"),
        {"model": "m", "dataset": "d", "tuner_type": "lora", "micro_batch_size": 1, "global_batch_size": 8},
    ),
    "open-instruct": (
        "x.yaml",
        Schema("open_instruct:finetune"),
        {"per_device_train_batch_size": 1, "with_tracking": True, "use_slow_tokenizer": False, "tokenizer_name": "t"},
    ),
    "alignment-handbook": (
        "sft/x.yaml",
        Schema("alignment_handbook:ScriptArguments", "trl:SFTConfig"),
        {
            "dataset_mixture": {"datasets": [{"id": "x"}]},
            "per_device_train_batch_size": 1,
            "learning_rate": 1,
            "seed": 3,
        },
    ),
    "firefly": (
        "x.json",
        Schema("firefly:train"),
        {"max_seq_length": 8, "train_file": "t", "model_name_or_path": "m", "train_mode": "qlora"},
    ),
    "accelerate": (
        "x.yaml",
        Schema("accelerate_config:ClusterConfig"),
        {"distributed_type": "DEEPSPEED", "num_processes": 2, "mixed_precision": "bf16", "use_cpu": False},
    ),
    "fsdp": ("x.json", Schema("fsdp:fsdp_config"), {"use_orig_params": True}),
    "peft": ("x.json", Schema("peft:LoraConfig"), {"peft_type": "LORA", "r": 8, "lora_alpha": 8}),
}
COMMANDS: dict[str, tuple[str, str]] = {
    "ms-swift": ("swift sft --model m --dataset d", "ms_swift:sft"),
    "ms-swift-megatron": ("megatron rlhf --model m --dataset d", "ms_swift:megatron_rlhf"),
    "fastchat": ("torchrun fastchat/train/train_lora.py", "fastchat:train_lora"),
    "qlora": ("python qlora.py --bits 4", "qlora:train"),
    "open-instruct": ("accelerate launch --num_processes 2 open_instruct/finetune.py", "open_instruct:finetune"),
    "alpaca-lora": ("python finetune.py --base_model m --data_path d", "alpaca_lora:train"),
    "stanford-alpaca": (
        "torchrun train.py --model_name_or_path m --data_path d --output_dir o",
        "stanford_alpaca:train",
    ),
    "chinese-llama-alpaca": ("torchrun run_clm_pt_with_peft.py", "chinese_llama_alpaca_3:pt"),
}
FIXED = steady(25)
ODD = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", "auto", "1e-4", "x y", [], [1, "a"], [{"a": None}], {"a": 1}]
)
WORDS = st.sampled_from(
    ["0", "-1", "1e400", "nan", "", "auto", "true", "x", "a b", "None", "99999999999999999999", "[a,b]"]
)


@pytest.mark.parametrize("dialect", FILES)
@FIXED
@given(data=st.data())
def test_files(dialect: str, data: st.DataObject) -> None:
    name, schema, kept = FILES[dialect]
    assert launches(json.dumps(kept), name)[0].first.dialect == dialect
    chosen = data.draw(st.lists(st.sampled_from(sorted(schema)), max_size=8, unique=True))
    judge(json.dumps({**kept, **{key: data.draw(ODD) for key in chosen}}), name)


@pytest.mark.parametrize("dialect", COMMANDS)
@FIXED
@given(data=st.data())
def test_commands(dialect: str, data: st.DataObject) -> None:
    command, section = COMMANDS[dialect]
    assert launches(command)[0].first.dialect == dialect
    chosen = data.draw(st.lists(st.sampled_from(sorted(Schema(section))), max_size=8))
    judge(" ".join([command, *(f"--{key} {shlex.quote(data.draw(WORDS))}" for key in chosen)]), "run.sh")
