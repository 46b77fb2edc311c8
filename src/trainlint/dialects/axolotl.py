"""Axolotl's YAML, alone or launched with flags over it. It coerces numeric strings and drops unknown keys without a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trainlint.derive import cost
from trainlint.dialects import argv, axolotl_data, continued, hf_script, hf_trainer, scale, tree
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.convert import Rejected, from_lax
from trainlint.dialects.launchers import Options, Started, torchrun_processes
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Word
from trainlint.facts import Arguments, Derivation, Fact, Run, Unknown, View

SCHEMA = Schema("axolotl:AxolotlInputConfig", "axolotl:plugins", overrides={"optimizer": "adamw_torch_fused"})
OWN_FLAGS = {"launcher", "cloud", "accelerate", "no_accelerate"}
"""Flags of the command that are no settings of the run."""
TRAINER_CLIP, TRAINER_BETA2 = 1.0, 0.999
"""The Trainer's own defaults: axolotl hands these settings on only when they are set."""


def _or(name: str, otherwise: Any) -> Derivation:
    def derive(r: View) -> Any:
        value = r.arg(name)
        return otherwise if value is None else value

    return derive


def _stage(r: View) -> str:
    kind = r.arg("rl") if r.given("rl") else None
    if kind:
        return str(kind)
    if r.given("hatchery"):
        raise Unknown("hatchery.loss_fn may be one of reinforcement learning", "stage")
    if r.given("reward_model") and r.arg("reward_model"):
        return "rm"
    if r.given("process_reward_model") and r.arg("process_reward_model"):
        return "rm"
    if r.given("pretraining_dataset") and r.arg("pretraining_dataset"):
        return "pt"
    kinds = [entry.get("type") for entry in axolotl_data.entries(r, "datasets")]
    return "pt" if kinds and all(kind == "completion" for kind in kinds) else "sft"


def _tokenizer(r: View) -> str:
    own = r.arg("tokenizer_config") if r.given("tokenizer_config") else None
    return str(own or r.arg("base_model"))


def _method(r: View) -> str:
    adapter = r.arg("adapter")
    return "full" if adapter in (None, "") else str(adapter)


def _continues(r: View) -> str | None:
    return "lora_model_dir" if r.given("lora_model_dir") and r.arg("lora_model_dir") else None


def _targets(r: View) -> list[str]:
    if r.method not in hf_script.LORA:
        return []
    return ["all-linear"] if r.arg("lora_target_linear") else names(r.arg("lora_target_modules"))


def _quantization(r: View) -> int | None:
    return 4 if r.arg("load_in_4bit") else 8 if r.arg("load_in_8bit") else None


def _mixed_precision(r: View) -> str:
    bf16 = r.arg("bf16")
    if bf16 == "auto" and r.arg("fp16"):
        return "fp16"  # it turns "auto" off
    if bf16 == "auto":
        r.assume("bf16: auto takes bf16 where the GPU has it")
        return "bf16"
    if bf16 or (r.given("bfloat16") and r.arg("bfloat16")):
        return "bf16"
    return "fp16" if r.arg("fp16") or (r.given("float16") and r.arg("float16")) else "no"


def _warmup_steps(r: View) -> int:
    steps = r.arg("warmup_steps")
    if steps is not None:
        return int(steps) if steps >= 1 or steps == 0 else math.ceil(steps * r.total_steps)
    ratio = r.arg("warmup_ratio")
    total = r.total_steps
    return int(ratio * total) if ratio is not None else min(int(0.03 * total), 100)


def _warmup_ratio(r: View) -> float:
    if r.arg("warmup_steps") is not None:
        return 0.0
    ratio = r.arg("warmup_ratio")
    return float(ratio) if ratio is not None else 0.03


def _eval_data(r: View) -> str:
    return "yes" if r.arg("val_set_size") or (r.given("test_datasets") and r.arg("test_datasets")) else "no"


def _evaluations(r: View) -> int:
    if r.eval_strategy == "steps" and r.given("evals_per_epoch") and r.arg("evals_per_epoch"):
        return int(r.arg("evals_per_epoch") * r.num_train_epochs)
    return cost.evaluations(r)


def _eval_strategy(r: View) -> str:
    if r.eval_data == "no":
        return "no"
    if r.arg("eval_steps") or r.arg("evals_per_epoch"):
        return "steps"
    return str(arg("eval_strategy", "evaluation_strategy")(r) or "epoch")


def _save_strategy(r: View) -> str:
    if r.arg("save_steps") or r.arg("saves_per_epoch"):
        return "steps"
    return str(r.arg("save_strategy") or "epoch")


def _every(steps: str, per_epoch: str) -> Derivation:
    def interval(r: View) -> Any:
        if r.given(per_epoch) and r.arg(per_epoch):
            raise Unknown(f"{per_epoch} depends on the number of steps in an epoch", steps)
        return r.arg(steps)

    return interval


def _max_grad_norm(r: View) -> float:
    return hf_trainer.max_grad_norm(r, _or("max_grad_norm", TRAINER_CLIP))


def _fsdp(r: View) -> Any:
    """From version 2 on `fsdp_config` alone switches it on."""
    return r.arg("fsdp") or r.arg("fsdp_config") or None


def _spread_by(r: View) -> str | None:
    for name in ("tensor_parallel_size", "expert_parallel_size"):
        if r.given(name) and (r.arg(name) or 1) > 1:
            return name
    return "layer_offloading" if _offloads_layers(r) else None


def _context_parallel_size(r: View) -> int:
    return int(scale.value(r, "context_parallel_size", "sequence_parallel_degree", absent=1))


def _replicas(r: View) -> int:
    return scale.count(r.world_size, r.context_parallel_size * scale.value(r, "tensor_parallel_size", absent=1))


def _offloads_layers(r: View) -> bool:
    return bool(r.given("layer_offloading") and r.arg("layer_offloading"))


OWN_ADAPTER: dict[str, Derivation] = {
    "lora_rank": hf_script.lora("lora_r"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": lambda r: _or("lora_dropout", 0.0)(r) if r.method in hf_script.LORA else None,
    "target_modules": _targets,
    "modules_to_save": hf_script.modules("lora_modules_to_save"),
}
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("base_model"),
    "tokenizer_name_or_path": _tokenizer,
    "per_device_train_batch_size": arg("micro_batch_size"),
    "gradient_accumulation_steps": _or("gradient_accumulation_steps", 1),
    "num_train_epochs": arg("num_epochs"),
    "sequence_length": arg("sequence_len"),
    "lr_scheduler_type": _or("lr_scheduler", "cosine"),
    "warmup_ratio": _warmup_ratio,
    "warmup_steps": _warmup_steps,
    "optim": arg("optimizer"),
    "adam_beta2": _or("adam_beta2", TRAINER_BETA2),
    "weight_decay": _or("weight_decay", 0.0),
    "max_grad_norm": _max_grad_norm,
    "mixed_precision": _mixed_precision,
    "torch_dtype": lambda r: "auto",
    **continued.over(OWN_ADAPTER, _continues),
    "quantization_bits": _quantization,
    "datasets": axolotl_data.datasets,
    "dataset_splits": axolotl_data.dataset_splits,
    "sampled_examples": axolotl_data.sampled_examples,
    "eval_datasets": axolotl_data.eval_datasets,
    "eval_dataset_splits": axolotl_data.eval_dataset_splits,
    "eval_split": lambda r: r.arg("val_set_size") or 0,
    "evaluations": _evaluations,
    "required_columns": axolotl_data.required_columns,
    "eval_data": _eval_data,
    "eval_strategy": _eval_strategy,
    "eval_steps": _every("eval_steps", "evals_per_epoch"),
    "save_strategy": _save_strategy,
    "save_steps": _every("save_steps", "saves_per_epoch"),
    "packing": lambda r: bool(r.arg("sample_packing")) or r.stage == "pt",
    "gradient_checkpointing": lambda r: bool(r.arg("gradient_checkpointing")) or hf_trainer.fsdp_recomputes(r),
    "seed": _or("seed", 42),
    "output_dir": arg("output_dir"),
    "fsdp": _fsdp,
    "spread_by": _spread_by,
    "context_parallel_size": _context_parallel_size,
    "data_parallel_size": _replicas,
    "effective_batch_size": scale.made_of_replicas,
    "offload": lambda r: "parameters" if _offloads_layers(r) else hf_trainer.offload(r),
}  # fmt: skip
KEYS = {
    "model_name_or_path": "base_model",
    "tokenizer_name_or_path": "tokenizer_config",
    "per_device_train_batch_size": "micro_batch_size",
    "num_train_epochs": "num_epochs",
    "sequence_length": "sequence_len",
    "lr_scheduler_type": "lr_scheduler",
    "optim": "optimizer",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "modules_to_save": "lora_modules_to_save",
    "quantization_bits": "load_in_4bit",
    "eval_data": "val_set_size",
    "packing": "sample_packing",
    "method": "adapter",
    "torch_dtype": None,
}


def _convert(edition: Edition, value: Any) -> Any:
    """As pydantic does, which makes no list of words and no dictionary of a single value. Raises `Rejected`."""
    single = value is not None and not isinstance(value, (list, dict))
    if single and all(kind in ("dict", "None") or kind.startswith("list[") for kind in edition.types):
        wanted = "a dictionary" if "dict" in edition.types else "a list"
        raise Rejected("type", f"{value!r} is not {wanted}")
    if isinstance(value, str) and edition.types == {"float", "str"}:  # a text that a validator makes a number of
        try:
            return float(value)
        except ValueError:
            raise Rejected("type", f"{value!r} is not a number") from None
    return from_lax(edition, value)


def _is_config(document: Document) -> bool:
    keys = tree.keys(document)
    marks = {"datasets", "pretraining_dataset", "sequence_len", "micro_batch_size", "adapter"}
    return "base_model" in keys and bool(keys & marks)


def _read(document: Document, context: Context) -> Run:
    loader: tree.Loader = "json" if document.format == "json" else "pyyaml"
    return hf_trainer.tree_run(DIALECT, document, context, SCHEMA, loader, _convert, closed=True)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    return [_read(document, context)] if _is_config(document) else None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """`axolotl train FILE --learning-rate 1e-4 -- --nproc_per_node 2`, `… -m axolotl.cli.train FILE --learning_rate=1e-4`."""
    words, processes = started.words, None
    if started.name == "axolotl":
        if not words or words[0].text != "train":
            return None
        end = next((i for i, word in enumerate(words) if word.text == "--"), len(words))
        processes = _processes(started, words[end + 1 :])
        words = words[1:end]
    elif started.name != "axolotl.cli.train":
        return None
    file = next((word.text for word in words if (word.text or "").endswith((".yaml", ".yml"))), None)
    config = hf_script.config_file(document, started, context, file) if file is not None else None
    if config is None or not _is_config(config) or "sweep" in hf_script.flags(started):
        return []
    run = _read(config, context)
    given = _switched(argv.read(document.source, words, run.context["schema"], closed=False, positionals=1))
    hf_script.override(run, given, OWN_FLAGS)
    return hf_script.launched(run, document, started, context, processes)


def _switched(arguments: Arguments) -> Arguments:
    """A setting that is true or false may stand alone here, and `--no-x` is its opposite."""
    alone = {name: argument for name, argument in arguments.given.items() if argument.at == argument.key}
    for name, argument in alone.items():
        setting = name if name in SCHEMA else name.removeprefix("no_")
        if setting in SCHEMA and "bool" in SCHEMA.edition(setting).types:
            del arguments.given[name]
            arguments.given[setting] = replace(argument, name=setting, value=setting == name, unknown=None)
            arguments.issues = [issue for issue in arguments.issues if issue.at != argument.key]
    return arguments


def _processes(started: Started, words: Sequence[Word]) -> Fact | None:
    """What is handed on to the launcher that `axolotl train` starts, which is accelerate unless told otherwise."""
    launcher = hf_script.value(started, "launcher") or "accelerate"
    if launcher == "accelerate":
        absent = "axolotl starts accelerate, which uses every GPU unless its config file says otherwise"
        return Options("accelerate", words).number("--num-processes", "-n", absent=absent)
    return torchrun_processes(Options("torchrun", words)) if launcher == "torchrun" else None


DIALECT = Dialect("axolotl", "axolotl", FACTS, KEYS, _read_command, _read_tree)
