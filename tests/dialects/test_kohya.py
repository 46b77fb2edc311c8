"""kohya's sd-scripts: flags, and the TOML whose sections are dissolved."""

from __future__ import annotations

from pathlib import Path

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

SCRIPT = """\
accelerate launch --num_cpu_threads_per_process 1 --num_processes 2 train_network.py \\
    --pretrained_model_name_or_path=model.safetensors \\
    --dataset_config=data.toml \\
    --output_dir=out \\
    --max_train_steps=400 \\
    --train_batch_size=2 \\
    --learning_rate=1e-4 \\
    --optimizer_type="AdamW8bit" \\
    --mixed_precision="fp16" \\
    --save_every_n_epochs=1 \\
    --network_module=networks.lora --network_dim=32 --network_alpha=16
"""
EXPECTED = {
    "stage": "diffusion", "method": "lora", "learning_rate": 1e-4, "max_steps": 400, "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1, "lora_rank": 32, "lora_alpha": 16.0, "optim": "AdamW8bit", "mixed_precision": "fp16",
    "save_strategy": "epoch", "output_dir": "out", "max_grad_norm": 1.0, "lr_scheduler_type": "constant", "seed": None,
    "warmup_steps": 0,
}  # fmt: skip


def test_flags() -> None:
    run = facts(SCRIPT)
    assert {name: run[name] for name in EXPECTED} == EXPECTED
    assert (run["world_size"], run["effective_batch_size"]) == (2, 4)
    assert run.launch.first.spell("lora_rank") == "--network_dim"
    assert not run.launch.first.arguments.issues


TOML = """\
pretrained_model_name_or_path = "model.safetensors"
[paths]
dataset_config = "data.toml"
output_dir = "out"
[training]
max_train_steps = 400
train_batch_size = 2
learning_rate = 1e-4
optimizer_type = "AdamW8bit"
mixed_precision = "fp16"
save_every_n_epochs = 1
[network]
network_module = "networks.lora"
network_dim = 32
network_alpha = 16
"""


def test_the_same_as_toml() -> None:
    run = facts(TOML, "config.toml")
    assert {name: run[name] for name in EXPECTED} == EXPECTED


def test_flags_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(TOML)
    run = facts("accelerate launch sdxl_train_network.py --config_file config --learning_rate 5e-5", folder=tmp_path)
    assert (run["learning_rate"], run["lora_rank"]) == (5e-5, 32)


def test_what_is_not_known() -> None:
    assert certain_issues(SCRIPT.replace("--network_dim", "--network_dmi"))[0] == (
        "unknown",
        "--network_dmi",
        11,
        36,
        True,
    )
    # in the file a key that nobody asks for is dropped in silence
    assert certain_issues(TOML.replace("network_dim", "network_dmi"), "x.toml") == [
        ("unknown", "network_dmi", 14, 1, False)
    ]
    assert certain_issues(SCRIPT.replace("--learning_rate=1e-4", "--learning_rate=fast"))[0][:2] == ("type", "fast")


def test_a_data_set_is_no_run() -> None:
    assert (
        dialects_of("[general]\nshuffle_caption = true\n[[datasets]]\nresolution = 512\nbatch_size = 4\n", "d.toml")
        == []
    )
    assert dialects_of("python train_network.py --data x") == []


def test_a_script_of_diffusers_with_the_same_name() -> None:
    script = "accelerate launch train_controlnet.py --pretrained_model_name_or_path m --max_train_steps 9 --validation_steps 3"
    assert "kohya" not in dialects_of(script)
