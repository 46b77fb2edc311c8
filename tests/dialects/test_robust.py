"""No value that a file may hold breaks the reading or the judging of any framework's run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import judge, steady
from trainlint.dialects import generic, hf_trainer, llama_factory
from trainlint.dialects.tables import Schema

FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "torchtune": (
        "x.yaml", "torchtune:recipes",
        {"model._component_": "torchtune.x", "optimizer._component_": "torch.optim.AdamW", "epochs": 1},
    ),
    "torchtitan": ("x.toml", "torchtitan:JobConfig", {"training.steps": 3, "optimizer.lr": 0.1, "model.name": "x"}),
    "verl": ("x.yaml", "verl:ppo", {"actor_rollout_ref.actor.optim.lr": 0.1, "trainer.nnodes": 1}),
    "litgpt": (
        "x.yaml", "litgpt:finetune_lora",
        {"checkpoint_dir": "x", "lora_r": 8, "train.micro_batch_size": 1, "data": "x", "devices": 1},
    ),
    "llm-foundry": (
        "x.yaml", "llm_foundry:TrainConfig",
        {"train_loader": {}, "max_duration": "1ep", "global_train_batch_size": 8},
    ),
    "olmo": (
        "x.yaml", "olmo:TrainConfig",
        {"max_duration": 3, "optimizer.learning_rate": 0.1, "device_train_microbatch_size": 1, "model.d_model": 8},
    ),
    "nanotron": (
        "x.yaml", "nanotron:Config",
        {"tokens.micro_batch_size": 1, "tokens.sequence_length": 8, "tokens.train_steps": 3, "parallelism.dp": 1},
    ),
    "gpt-neox": (
        "x.yml", "gpt_neox:NeoXArgs",
        {"pipe_parallel_size": 1, "model_parallel_size": 1, "num_layers": 2, "hidden_size": 8, "data_path": "x"},
    ),
    "kohya": ("x.toml", "kohya:train", {"network_module": "networks.lora", "network_dim": 8, "learning_rate": 0.1}),
}  # fmt: skip
COMMANDS = {
    "megatron": (
        "torchrun pretrain_gpt.py --num-layers 2 --hidden-size 8 --num-attention-heads 2 --micro-batch-size 1",
        "megatron:pretrain",
    ),
    "openrlhf": ("deepspeed --num_gpus 8 --module openrlhf.cli.train_sft --train.batch_size 8", "openrlhf:train_sft"),
    "kohya": ("python train_network.py --network_module x --network_dim 8", "kohya:train"),
    "torchtitan": ("torchrun -m torchtitan.train --job.config_file x.toml", "torchtitan:JobConfig"),
}
FIXED = steady(25)
ODD = st.sampled_from([None, True, 0, -1, 10**30, 1.5, "", "auto", "1e-4", "x y", [], [1, "a"], [{"a": None}]])
WORDS = st.sampled_from(["0", "-1", "1e400", "nan", "", "auto", "true", "x", "a b", "None", "99999999999999999999"])


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested dictionaries; where a key is both a value and a section, the section wins."""
    nested: dict[str, Any] = {}
    for name, value in sorted(flat.items()):
        inner = nested
        *outer, last = name.split(".")
        for part in outer:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[last] = value
    return nested


def toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items() if v is not None) + "}"
        case list():
            return "[" + ", ".join(toml(v) for v in value if v is not None) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("dialect", FILES)
@FIXED
@given(data=st.data())
def test_files(dialect: str, data: st.DataObject) -> None:
    name, section, marks = FILES[dialect]
    keys = data.draw(st.lists(st.sampled_from(sorted(Schema(section))), max_size=6))
    nested = nest({**{key: data.draw(ODD) for key in keys}, **marks})
    if name.endswith(".toml"):
        text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in nested.items() if value is not None)
    else:
        text = json.dumps(nested)
    judge(text, name, dialect)


@pytest.mark.parametrize("dialect", COMMANDS)
@FIXED
@given(data=st.data())
def test_commands(dialect: str, data: st.DataObject) -> None:
    command, section = COMMANDS[dialect]
    keys = data.draw(st.lists(st.sampled_from(sorted(Schema(section))), max_size=6))
    dash = "-" if dialect == "megatron" else "_"
    flags = [f"--{key.replace('_', dash)} '{data.draw(WORDS)}'" for key in keys if key != "config_file"]
    judge(" ".join([command, *flags]), "run.sh", dialect)


@FIXED
@given(data=st.data())
def test_a_command_of_no_framework(data: st.DataObject) -> None:
    """With a name that is another framework's own it would be that framework's."""
    own = hf_trainer.MARKS | llama_factory.OWN_KEYS | {"output_dir", "config_file"}
    keys = data.draw(st.lists(st.sampled_from(sorted(set(generic.FACT_OF) - own)), max_size=6))
    command = "python fit.py --lr 1 --lora_r 8 --max_seq_length 9 --seed 1"
    judge(" ".join([command, *(f"--{key} '{data.draw(WORDS)}'" for key in keys)]), "run.sh", "generic")
