"""torchtitan's TOML, its flags, and `run_train.sh` with its environment."""

from __future__ import annotations

from pathlib import Path

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

TOML = """\
[job]
dump_folder = "./outputs"

[model]
name = "llama3"
flavor = "8B"

[optimizer]
name = "AdamW"
lr = 3e-4

[lr_scheduler]
warmup_steps = 200

[training]
local_batch_size = 1
seq_len = 8192
max_norm = 1.0  # grad norm clipping
steps = 1000
dataset = "c4"

[parallelism]
tensor_parallel_degree = 2

[checkpoint]
enable = true
interval = 250

[activation_checkpoint]
mode = "selective"
"""


def test_a_file() -> None:
    run = facts(TOML, "llama3_8b.toml", world_size=16)
    expected = {
        "stage": "scratch", "method": "full", "learning_rate": 3e-4, "warmup_steps": 200, "per_device_train_batch_size": 1,
        "data_parallel_size": 8, "effective_batch_size": 8, "gradient_accumulation_steps": 1, "tokens_per_step": 8 * 8192,
        "max_steps": 1000, "total_steps": 1000, "max_grad_norm": 1.0, "weight_decay": 0.1, "optim": "AdamW",
        "lr_scheduler_type": "linear", "mixed_precision": "bf16", "torch_dtype": "float32", "save_strategy": "steps",
        "save_steps": 250, "eval_strategy": "no", "output_dir": "./outputs", "datasets": ["c4"], "gradient_checkpointing": True,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    place = run.launch.fact("learning_rate").location
    assert place is not None
    assert (place.text, place.start.line, place.start.column) == ("3e-4", 10, 6)


def test_a_stated_global_batch_is_accumulated() -> None:
    run = facts(
        TOML.replace("local_batch_size = 1", "local_batch_size = 1\nglobal_batch_size = 32"), "x.toml", world_size=16
    )
    assert (run["effective_batch_size"], run["gradient_accumulation_steps"]) == (32, 4)


def test_old_names_are_read() -> None:
    old = TOML.replace("local_batch_size = 1", "batch_size = 4").replace("enable = true", "enable_checkpoint = true")
    run = facts(old, "x.toml")
    assert (run["per_device_train_batch_size"], run["save_strategy"]) == (4, "steps")
    assert certain_issues(old, "x.toml") == []


def test_a_key_that_the_configuration_lacks() -> None:
    assert certain_issues(TOML.replace("max_norm", "max_nrom"), "x.toml") == [("unknown", "max_nrom", 18, 1, True)]
    assert certain_issues(f'{TOML}\n[hf_transformers]\nmodel = "x"\n', "x.toml") == []
    assert certain_issues(TOML.replace("lr = 3e-4", 'lr = "3e-4x"'), "x.toml") == [("type", '"3e-4x"', 10, 6, True)]


def test_flags_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "llama.toml").write_text(TOML)
    flags = "--job.config_file llama.toml --optimizer.lr 1e-4 --training.steps=50"
    script = f"torchrun --nproc_per_node=8 -m torchtitan.train {flags}"
    run = facts(script, folder=tmp_path)
    assert (run["learning_rate"], run["max_steps"], run["world_size"], run["warmup_steps"]) == (1e-4, 50, 8, 200)
    assert run.launch.first.spell("learning_rate") == "--optimizer.lr"


def test_the_script_and_its_environment(tmp_path: Path) -> None:
    (tmp_path / "llama.toml").write_text(TOML)
    run = facts("NGPU=4 CONFIG_FILE=./llama.toml ./run_train.sh --training.seq_len 2048", folder=tmp_path)
    assert (run["world_size"], run["sequence_length"], run["learning_rate"]) == (4, 2048, 3e-4)


def test_a_file_that_is_not_here() -> None:
    run = facts("torchrun -m torchtitan.train --job.config_file ${CONFIG} --training.seq_len 2048")
    assert run["sequence_length"] == 2048
    assert "CONFIG" in run.unknown("learning_rate")


def test_other_toml() -> None:
    assert dialects_of('[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n', "pyproject.toml") == []
    assert dialects_of('[model]\nname = "x"\n[training]\nsteps = 3\n', "x.toml") == []
