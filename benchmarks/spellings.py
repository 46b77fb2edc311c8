"""A training run in neutral terms, written down as several frameworks would have it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Settings = Mapping[str, Any]
"""What is known of a run: model, stage, method, learning_rate, batch, accumulation, gpus, length, rank, alpha, …"""

DATA, INFO, DEEPSPEED = "examples.jsonl", "dataset_info.json", "ds.json"
EXAMPLE = {
    "instruction": "Name the number {0}.",
    "input": "",
    "output": "It has a name.",
    "text": "This is number {0}.",
}
PREFERENCE = {**EXAMPLE, "prompt": "Name the number {0}.", "chosen": "Number {0} has a name.", "rejected": "No."}
ZERO_3 = {"zero_optimization": {"stage": 3}, "gradient_clipping": "auto", "train_micro_batch_size_per_gpu": "auto"}
EVERY = {"eval_strategy": "steps", "eval_steps": 100}
TRAINER = {
    "learning_rate": "learning_rate", "batch": "per_device_train_batch_size", "accumulation": "gradient_accumulation_steps",
    "clip": "max_grad_norm", "warmup_ratio": "warmup_ratio", "warmup_steps": "warmup_steps", "scheduler": "lr_scheduler_type",
    "decay": "weight_decay", "epochs": "num_train_epochs", "steps": "max_steps", "optimizer": "optim",
}  # fmt: skip
"""The Trainer's own names, which most frameworks keep."""


@dataclass(frozen=True)
class Written:
    """A configuration as a file, and what only options can say beside it."""

    name: str
    text: str
    stated: dict[str, int] = field(default_factory=dict)


def llama_factory(run: Settings) -> Written | None:
    stage = "dpo" if run["stage"] == "simpo" else run["stage"]
    keys = {
        "stage": stage,
        "do_train": True,
        "finetuning_type": "lora" if run["method"] == "qlora" else run["method"],
        "model_name_or_path": run["model"],
        "dataset": "counted" if run.get("examples") else "elsewhere",
        "dataset_dir": ".",
        "template": "default",
        "output_dir": "out",
        **_named(run, {**TRAINER, "length": "cutoff_len", "max_samples": "max_samples"}),
        **_precision(run),
        "deepspeed": DEEPSPEED,
        **({} if run.get("evaluated") is False else {"val_size": 0.05, **EVERY}),
    }
    if run["method"] != "full":
        keys |= {
            "lora_target": "all",
            **_named(run, {"rank": "lora_rank", "alpha": "lora_alpha", "dropout": "lora_dropout"}),
        }
        keys |= {"additional_target": ",".join(run["saved"])} if run.get("saved") else {}
    if run["method"] == "freeze":
        keys.pop("lora_target")
    if run["method"] == "qlora":
        keys["quantization_bit"] = 4
    if stage == "dpo":
        keys |= {"pref_loss": "simpo" if run["stage"] == "simpo" else "sigmoid", **_named(run, {"beta": "pref_beta"})}
    return Written("llama_factory.yaml", _yaml(keys), _gpus(run))


def axolotl(run: Settings) -> Written | None:
    if run["method"] == "freeze":
        return None
    keys = {
        "base_model": run["model"],
        "datasets": [{"path": _data(run), "type": "completion" if run["stage"] == "pt" else "alpaca"}],
        "output_dir": "out",
        "micro_batch_size": 1,
        **_named(
            run,
            {
                **TRAINER, "batch": "micro_batch_size", "scheduler": "lr_scheduler", "epochs": "num_epochs",
                "length": "sequence_len", "optimizer": "optimizer",
            },
        ),
        **_precision(run),
        "deepspeed": DEEPSPEED,
        **({} if run.get("evaluated") is False else {"val_set_size": 0.05, "eval_steps": 100}),
    }  # fmt: skip
    if run["method"] != "full":
        keys |= {"adapter": run["method"], "lora_target_linear": True, "load_in_4bit": run["method"] == "qlora"}
        keys |= _named(
            run, {"rank": "lora_r", "alpha": "lora_alpha", "dropout": "lora_dropout", "saved": "lora_modules_to_save"}
        )
    if run["stage"] in ("dpo", "simpo"):
        keys |= {"rl": run["stage"]}
    return Written("axolotl.yaml", _yaml(keys), _gpus(run))


def trl(run: Settings) -> Written | None:
    if run["stage"] not in ("sft", "dpo") or run["method"] == "freeze":
        return None
    keys = {
        "model_name_or_path": run["model"],
        "dataset_name": _data(run),
        "output_dir": "out",
        **_named(run, {**TRAINER, "length": "max_length"}),
        **_precision(run),
        "deepspeed": DEEPSPEED,
        **({} if run.get("evaluated") is False else EVERY),
    }
    if run["method"] != "full":
        keys |= {"use_peft": True, "load_in_4bit": run["method"] == "qlora"}
        keys |= _named(run, {"rank": "lora_r", "alpha": "lora_alpha", "dropout": "lora_dropout"})
    if run["stage"] == "dpo":
        keys |= _named(run, {"beta": "beta"})
    processes = f"--num_processes {run['gpus']} " if run.get("gpus") else ""
    return Written("trl.sh", _command(f"accelerate launch {processes}-m trl.scripts.{run['stage']}", keys))


def ms_swift(run: Settings) -> Written | None:
    if run["method"] == "freeze":
        return None
    keys: dict[str, Any] = {
        "model": run["model"],
        "dataset": _data(run),
        "output_dir": "out",
        "tuner_type": "full" if run["method"] == "full" else "lora",
        **_named(run, {**TRAINER, "length": "max_length"}),
        **_precision(run),
        "deepspeed": "zero3",
        **({"split_dataset_ratio": 0.0} if run.get("evaluated") is False else {"split_dataset_ratio": 0.05, **EVERY}),
    }
    if run["method"] != "full":
        keys |= _named(
            run, {"rank": "lora_rank", "alpha": "lora_alpha", "dropout": "lora_dropout", "saved": "modules_to_save"}
        )
    if run["method"] == "qlora":
        keys |= {"quant_bits": 4, "quant_method": "bnb"}
    command = run["stage"]
    if command in ("dpo", "simpo"):
        keys, command = {"rlhf_type": command, **keys, **_named(run, {"beta": "beta"})}, "rlhf"
    started = f"NPROC_PER_NODE={run['gpus']} " if run.get("gpus") else ""
    return Written("ms_swift.sh", _command(f"{started}swift {command}", keys))


def chinese_llama_alpaca(run: Settings) -> Written | None:
    if run["stage"] not in ("pt", "sft") or run["method"] == "freeze":
        return None
    keys = {
        "model_name_or_path": run["model"],
        "tokenizer_name_or_path": run["model"],
        "dataset_dir": "data",
        "do_train": True,
        "output_dir": "out",
        **_named(run, {**TRAINER, "length": "block_size" if run["stage"] == "pt" else "max_seq_length"}),
        **_precision(run),
        **({} if run.get("deepspeed") is False else {"deepspeed": DEEPSPEED}),
        **({} if run.get("evaluated") is False else {"do_eval": True, **EVERY}),
        **_named(run, {"dtype": "torch_dtype"}),
    }
    if run["stage"] == "sft" and run.get("evaluated") is not False:
        keys["validation_file"] = "held_out.json"
    if run["method"] == "full":
        keys["full_finetuning"] = True
    else:
        keys |= _named(run, {"rank": "lora_rank", "alpha": "lora_alpha", "dropout": "lora_dropout"})
        keys["trainable"] = ",".join(run.get("targets") or ["q_proj", "v_proj"])
        keys |= {"modules_to_save": ",".join(run["saved"])} if run.get("saved") else {}
    if run["method"] == "qlora":
        keys["load_in_kbits"] = 4
    processes = f"--nproc_per_node {run.get('gpus', '$GPUS')}"
    return Written("run.sh", _command(f"torchrun {processes} run_clm_{run['stage']}_with_peft.py", keys))


def torchtune(run: Settings) -> Written | None:
    if run["stage"] != "sft" or run["method"] == "freeze" or (run.get("warmup_ratio") and not run.get("warmup_steps")):
        return None
    adapter = {"lora_rank": run.get("rank", 8), "lora_alpha": run.get("alpha", 16)} if run["method"] != "full" else {}
    builder = {"full": "llama3_8b", "lora": "lora_llama3_8b", "qlora": "qlora_llama3_8b"}[run["method"]]
    keys: dict[str, Any] = {
        "tokenizer": {"_component_": "torchtune.models.llama3.llama3_tokenizer", "path": "/m/tokenizer.model"},
        "checkpointer": {"_component_": "torchtune.training.FullModelHFCheckpointer", "checkpoint_dir": f"/{run['model']}"},
        "model": {"_component_": f"torchtune.models.llama3.{builder}", **adapter},
        "dataset": {"_component_": "torchtune.datasets.alpaca_dataset"},
        "optimizer": {
            "_component_": "torch.optim.AdamW", **_named(run, {"learning_rate": "lr", "decay": "weight_decay"})
        },
        "lr_scheduler": {
            "_component_": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
            "num_warmup_steps": run.get("warmup_steps") or 0,
        },
        "clip_grad_norm": run.get("clip", 1.0),
        "epochs": run.get("epochs", 1),
        **_named(run, {"batch": "batch_size", "accumulation": "gradient_accumulation_steps", "steps": "max_steps_per_epoch"}),
        "dtype": "bf16",
        "output_dir": "out",
    }  # fmt: skip
    if run.get("length"):
        keys["tokenizer"]["max_seq_len"] = run["length"]
    return Written("torchtune.yaml", _yaml(keys), _gpus(run))


SPELLINGS: dict[str, Callable[[Settings], Written | None]] = {
    "LLaMA-Factory": llama_factory,
    "axolotl": axolotl,
    "TRL": trl,
    "ms-swift": ms_swift,
    "Chinese-LLaMA-Alpaca": chinese_llama_alpaca,
    "torchtune": torchtune,
}
"""Each gives None where its framework has no such run."""


def lay_out(run: Settings, folder: Path) -> None:
    """The data of the run, as many short examples as it has, and the DeepSpeed file that all runs share."""
    preferred = run["stage"] in ("dpo", "simpo")
    columns = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
    kind = {"ranking": True, "columns": columns} if preferred else {}
    known = {"counted": {"file_name": DATA, **kind}, "elsewhere": {"hf_hub_url": "org/data", **kind}}
    (folder / INFO).write_text(json.dumps(known), "utf-8")
    (folder / DEEPSPEED).write_text(json.dumps(ZERO_3), "utf-8")
    if run.get("examples"):
        line = json.dumps(PREFERENCE if preferred else EXAMPLE) + "\n"
        rows = "".join(line.replace("{0}", str(number)) for number in range(run["examples"]))
        (folder / DATA).write_text(rows, "utf-8")
        (folder / "data").mkdir()
        (folder / "data" / "examples.json").write_text(rows, "utf-8")


def _data(run: Settings) -> str:
    return DATA if run.get("examples") else "org/data"


def _named(run: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    return {key: run[name] for name, key in names.items() if run.get(name) is not None}


def _precision(run: Settings) -> dict[str, Any]:
    return {run["precision"]: True} if run.get("precision") in ("bf16", "fp16") else {}


def _gpus(run: Settings) -> dict[str, int]:
    return {"world_size": run["gpus"]} if run.get("gpus") else {}


def _yaml(keys: Mapping[str, Any]) -> str:
    """JSON is YAML, apart from exponents without a dot, which are text to PyYAML."""
    return "".join(f"{key}: {_value(value)}\n" for key, value in keys.items())


def _command(program: str, keys: Mapping[str, Any]) -> str:
    flags = [f"--{key} {shlex.quote(_word(value))}" for key, value in keys.items()]
    return " \\\n    ".join([program, *flags]) + "\n"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0") + ("0" if float(value).is_integer() else "")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
