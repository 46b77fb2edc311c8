"""GPT-NeoX: dashes for underscores, JSON-like YAML, several files to a run."""

from __future__ import annotations

from pathlib import Path

from helpers_dialects import certain_issues, dialects_of
from helpers_runs import facts

MODEL = """\
{
   "pipe-parallel-size": 1,
   "model-parallel-size": 2,
   "num-layers": 24,
   "hidden-size": 2048,
   "num-attention-heads": 16,
   "seq-length": 2048,
   "max-position-embeddings": 2048,
   "optimizer": {
     "type": "Adam",
     "params": {
       "lr": 0.0002,
       "betas": [0.9, 0.95],
       "eps": 1.0e-8,
     }
   },
   "zero_optimization": {"stage": 1},
   "train_micro_batch_size_per_gpu": 4,
   "gradient_accumulation_steps": 2,
   "gradient_clipping": 1.0,
   "weight-decay": 0.1,
   "fp16": {"enabled": true},
   "train-iters": 320000,
   "lr-decay-iters": 320000,
   "lr-decay-style": "cosine",
   "warmup": 0.01,
   "checkpoint-factor": 10000,
   "eval-interval": 1000,
}
"""
LOCAL = '{\n  "data-path": "data/enwik8",\n  "save": "checkpoints",\n  "vocab-file": "v.json"\n}\n'


def test_a_file_and_what_others_may_add() -> None:
    run = facts(MODEL, "1-3B.yml", world_size=8)
    expected = {
        "method": "full", "learning_rate": 2e-4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
        "data_parallel_size": 4, "effective_batch_size": 32, "sequence_length": 2048, "max_steps": 320000,
        "warmup_steps": 3200, "warmup_ratio": 0.01, "max_grad_norm": 1.0, "weight_decay": 0.1, "adam_beta2": 0.95,
        "optim": "Adam", "mixed_precision": "fp16", "zero_stage": 1, "lr_scheduler_type": "cosine", "eval_steps": 1000,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    for name in ("save_strategy", "seed", "stage"):
        assert "another of the files" in run.unknown(name)


def test_several_files_make_one_run(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "1-3B.yml").write_text(MODEL)
    (tmp_path / "configs" / "local.yml").write_text(LOCAL)
    run = facts("python ./deepy.py train.py -d configs 1-3B local.yml", folder=tmp_path)
    assert (run["stage"], run["seed"], run["datasets"], run["save_steps"]) == ("scratch", 1234, ["data/enwik8"], 10000)
    assert not run.launch.first.arguments.issues


def test_a_key_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(MODEL)
    (tmp_path / "b.yml").write_text(LOCAL.replace('"save"', '"num-layers": 3, "save"'))
    (issue,) = certain_issues("python deepy.py train.py a.yml b.yml", folder=tmp_path)
    assert issue == ("unknown", '"num-layers"', 3, 3, True)


def test_keys_that_the_dataclass_lacks() -> None:
    assert certain_issues(MODEL.replace("lr-decay-style", "lr-decay-stile"), "x.yml") == [
        ("unknown", '"lr-decay-stile"', 25, 4, True)
    ]
    assert certain_issues(MODEL.replace('"warmup": 0.01', '"warmup": "often"'), "x.yml")[0][:2] == ("type", '"often"')


def test_what_is_no_model() -> None:
    assert dialects_of(LOCAL, "local_setup.yml") == []
    assert dialects_of("num_layers: 2\nhidden_size: 8\nnum_attention_heads: 2\nlr: 3\n", "x.yml") == []
    assert dialects_of("python train.py --lr 1\n") == []
