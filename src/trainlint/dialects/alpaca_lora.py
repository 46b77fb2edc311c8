"""Alpaca-LoRA's `finetune.py`: python-fire over one function, with much of the training fixed in its code."""

from __future__ import annotations

from dataclasses import replace

from trainlint.dialects import argv, hf_script
from trainlint.dialects.base import Context, Dialect, arg, constant, from_command
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Origin
from trainlint.facts import Arguments, Derivation, Fact, Run, View

SCHEMA = Schema("alpaca_lora:train")
OWN_KEYS = {
    "micro_batch_size",
    "batch_size",
    "num_epochs",
    "cutoff_len",
    "val_set_size",
    "lora_target_modules",
    "lora_r",
}
WARMUP, EVERY = 100, 200


def _fixed(value: object, what: str) -> Derivation:
    return constant(value, f"fixed in finetune.py: {what}")


def _accumulation(r: View) -> int:
    """The whole batch is stated, and divided by what one device takes and by the number of processes, rounded down."""
    steps = int(r.arg("batch_size")) // int(r.arg("micro_batch_size"))
    return steps if r.world_size == 1 else steps // int(r.world_size)


def _world_size(r: View) -> int:
    """Without torchrun it is one process that spreads the model over the GPUs."""
    started: Started = r.run.context["started"]
    if started.launcher == "python":
        alone = Fact("world_size", 1, "known", Origin("computed", "one process: the model is spread over the GPUs"))
        return int(r.use("launcher.world_size", alone))
    return int(r.use("launcher.world_size", started.processes))


def _evaluates(r: View) -> bool:
    return bool(r.arg("val_set_size") > 0)


FACTS: dict[str, Derivation] = {
    "stage": lambda r: "sft",
    "method": lambda r: "qlora",
    "world_size": _world_size,
    "model_name_or_path": arg("base_model"),
    "tokenizer_name_or_path": arg("base_model"),
    "learning_rate": arg("learning_rate"),
    "lr_scheduler_type": _fixed("linear", "the Trainer's scheduler"),
    "warmup_ratio": _fixed(0.0, "warmup_steps=100"),
    "warmup_steps": _fixed(WARMUP, "warmup_steps=100"),
    "per_device_train_batch_size": arg("micro_batch_size"),
    "gradient_accumulation_steps": _accumulation,
    "sequence_length": arg("cutoff_len"),
    "num_train_epochs": arg("num_epochs"),
    "max_steps": lambda r: None,
    "weight_decay": _fixed(0.0, "the Trainer's weight decay"),
    "max_grad_norm": _fixed(1.0, "the Trainer's clipping"),
    "clipping_set_by": lambda r: "trainer",
    "optim": _fixed("adamw_torch", 'optim="adamw_torch"'),
    "optimizer_family": lambda r: "adam",
    "adam_beta2": _fixed(0.999, "the Trainer's Adam"),
    "mixed_precision": _fixed("fp16", "fp16=True"),
    "torch_dtype": _fixed("float16", "torch_dtype=torch.float16"),
    "lora_rank": arg("lora_r"),
    "lora_alpha": arg("lora_alpha"),
    "lora_dropout": arg("lora_dropout"),
    "target_modules": hf_script.modules("lora_target_modules"),
    "modules_to_save": lambda r: [],
    "quantization_bits": _fixed(8, "load_in_8bit=True"),
    "datasets": hf_script.listed("data_path"),
    "dataset_format": lambda r: "any",
    "dataset_splits": lambda r: ["train" for _ in r.datasets],
    "required_columns": lambda r: [["instruction", "input", "output"] for _ in r.datasets],
    "eval_split": arg("val_set_size"),
    "eval_data": lambda r: "yes" if _evaluates(r) else "no",
    "eval_strategy": lambda r: "steps" if _evaluates(r) else "no",
    "eval_steps": lambda r: EVERY if _evaluates(r) else None,
    "save_strategy": _fixed("steps", 'save_strategy="steps"'),
    "save_steps": _fixed(EVERY, "save_steps=200"),
    "output_dir": arg("output_dir"),
    "deepspeed": lambda r: None,
    "zero_stage": lambda r: 0,
    "offload": lambda r: "none",
    "fsdp": lambda r: None,
    "gradient_checkpointing": _fixed(True, "prepare_model_for_int8_training"),
    "packing": lambda r: False,
    "seed": _fixed(42, "the Trainer's seed"),
    "streaming": lambda r: False,
}
KEYS: dict[str, str | None] = {
    **dict.fromkeys(
        ("lr_scheduler_type", "warmup_ratio", "warmup_steps", "weight_decay", "max_grad_norm", "optim", "adam_beta2",
         "mixed_precision", "torch_dtype", "modules_to_save", "quantization_bits", "save_strategy", "save_steps", "seed",
         "eval_strategy", "eval_steps", "gradient_checkpointing", "tokenizer_name_or_path", "gradient_accumulation_steps",
         "max_steps", "deepspeed", "fsdp")
    ),
    "model_name_or_path": "base_model",
    "per_device_train_batch_size": "micro_batch_size",
    "effective_batch_size": "batch_size",
    "sequence_length": "cutoff_len",
    "num_train_epochs": "num_epochs",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "datasets": "data_path",
    "eval_data": "val_set_size",
}  # fmt: skip


def _literals(arguments: Arguments) -> Arguments:
    """fire reads `[q_proj,v_proj]` as a list, the quotes inside it left out or not."""
    for name, argument in arguments.given.items():
        value = argument.value
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and value[0][:1] in "[(":
            items = [item.strip().strip("'\"") for item in value[0].strip("[]() ").split(",")]
            arguments.given[name] = replace(argument, value=[item for item in items if item])
    return arguments


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    given = hf_script.flags(started)
    if not started.name.endswith(".py") or "base_model" not in given or not given & OWN_KEYS | {"data_path"}:
        return None
    if not hf_script.speaks(given, SCHEMA):
        return None
    arguments = _literals(argv.read(document.source, started.words, SCHEMA, closed=True, abbreviations=False))
    return [from_command(DIALECT, document, started, context, arguments, SCHEMA)]


DIALECT = Dialect("alpaca-lora", "Alpaca-LoRA", FACTS, KEYS, _read_command)
