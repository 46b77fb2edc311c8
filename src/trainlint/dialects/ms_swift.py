"""ms-swift: `swift pt|sft|rlhf` with flags or a YAML file, and `megatron pt|sft|rlhf`; the names of 2.x, 3.x and 4.x."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from trainlint.derive import data, sharding
from trainlint.dialects import argv, continued, hf_script, hf_trainer, megatron_model, ms_swift_memory, scale, tree
from trainlint.dialects.base import Context, Dialect, arg, constant, names
from trainlint.dialects.convert import from_lax
from trainlint.dialects.launchers import Started, counted, product
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Origin
from trainlint.facts import Argument, Arguments, Derivation, Fact, Run, Unknown, View

OF_2 = {
    "sft_type",
    "model_id_or_path",
    "model_type",
    "batch_size",
    "lora_dropout_p",
    "train_dataset_sample",
    "custom_train_dataset_path",
}
"""Names that only 2.x has, or that were all that chose a model there."""
ADAM = {"optim": "adamw_torch"}
"""The Trainer's own default, which its table has as an expression of the version."""
SCHEMAS = {
    "sft": Schema("ms_swift:sft", overrides=ADAM),
    "rlhf": Schema("ms_swift:rlhf", overrides=ADAM),
    "sft_2": Schema("ms_swift:sft_2", "transformers:seq2seq", overrides=ADAM),
    "rlhf_2": Schema("ms_swift:rlhf_2", "transformers:seq2seq", overrides=ADAM),
}
MEGATRON = {"sft": Schema("ms_swift:megatron_sft"), "rlhf": Schema("ms_swift:megatron_rlhf")}
OWN_KEYS = {
    "tuner_type",
    "train_type",
    "sft_type",
    "rlhf_type",
    "tuner_backend",
    "split_dataset_ratio",
    "truncation_strategy",
}
NO_ARGUMENTS = {"ENV", "train", "rollout", "teacher", "colocate_groups", "gpus", "nnodes", "sleep_level"}
"""Keys of a file that are not handed on as flags."""
PROGRAM = re.compile(r"(?:^|.*[/.])swift[/.](?:cli|llm)[/.](_megatron[/.])?(pt|sft|rlhf|dpo|orpo|simpo)(?:\.py)?$")
COMMANDS = ("pt", "sft", "rlhf", "dpo", "orpo", "simpo")
SAMPLED = re.compile(r"#(\d+)$")
REGISTRIES = (
    "columns", "disable_auto_column_mapping", "custom_dataset_info", "custom_register_path", "external_plugins",
    "cached_dataset", "custom_train_dataset_path",
)  # fmt: skip
ANSWERS = (
    "messages", "conversation", "conversations", "response", "answer", "output", "targets", "target", "answer_key",
    "answers", "solution", "text", "completion", "content", "input_ids",
)  # fmt: skip
"""Names of columns that hold an answer or a whole conversation."""
GLOBAL_BATCH = 16
"""What the accumulation makes up to where nothing is said."""
OFFLOADED: dict[str, Any] = {
    "2": {"zero_optimization.offload_optimizer.device": "cpu"},
    "3": {"zero_optimization.offload_optimizer.device": "cpu", "zero_optimization.offload_param.device": "cpu"},
}


def _preset(stage: str, offloaded: bool) -> dict[str, Any]:
    plain = {"zero_optimization.stage": int(stage), "gradient_clipping": "auto"}
    return {**plain, **OFFLOADED.get(stage, {})} if offloaded else plain


PRESETS: dict[str, dict[str, Any]] = {
    form.format(stage): _preset(stage, "offload" in form)
    for stage in "0123"
    for form in ("zero{}", "default-zero{}", "zero{}_offload", "zero{}-offload")
}
"""The DeepSpeed files that come with ms-swift, as far as facts are read from them."""


def _assumed(value: Any) -> Derivation:
    return constant(value, "ms-swift default")


def _stage(r: View) -> str:
    command = r.run.context["command"]
    if r.given("rlhf_type") or command == "rlhf":
        return str(r.arg("rlhf_type"))
    if command is None:
        raise Unknown("nothing says whether swift pt or swift sft reads this file", "stage")
    return str(command)


def _tuner(r: View) -> str:
    return str(arg("tuner_type", "train_type", "sft_type")(r) or "lora")


def _method(r: View) -> str:
    kind = _tuner(r)
    return "qlora" if kind == "lora" and r.quantization_bits else kind


def _bits(r: View) -> int | None:
    for name in ("quant_bits", "quantization_bit"):
        if r.given(name):
            value = r.arg(name)
            return int(value) if str(value) in ("4", "8") else None
    return None


def _learning_rate(r: View) -> float:
    for name in ("lr", "learning_rate"):
        if r.given(name) and r.arg(name) is not None:
            return float(r.arg(name))
    rate = 1e-5 if _tuner(r) == "full" else 1e-4
    return float(constant(rate, f"ms-swift default for {_tuner(r)}")(r))


def _accumulation(r: View) -> int:
    value = r.arg("gradient_accumulation_steps")
    if value is not None:
        return int(value)
    steps: int = math.ceil(GLOBAL_BATCH / r.per_device_train_batch_size / r.world_size)
    return max(1, steps)


def _per_device(r: View) -> int:
    for name in ("per_device_train_batch_size", "batch_size"):
        if r.given(name) and r.arg(name) is not None:
            return int(r.arg(name))
    return int(_assumed(1)(r))


def _length(r: View) -> int:
    value = arg("max_length", "seq_length")(r)
    if value is None or value == -1:
        raise Unknown("max_length is unset: the model's own maximum", "sequence_length")
    return int(value)


def _targets(r: View) -> list[str]:
    if r.method not in hf_script.LORA:
        return []
    chosen = names(arg("target_modules", "lora_target_modules")(r))
    return ["all-linear"] if chosen == ["ALL"] else chosen


def _precision(r: View) -> str:
    """`bf16` and `fp16` follow the type that the model is loaded in, float32 included."""
    for name in ("bf16", "fp16"):
        if r.given(name) and r.arg(name):
            return name
    kind = arg("torch_dtype", "dtype")(r)
    if kind in ("bfloat16", "bf16"):
        return "bf16"
    if kind in ("float16", "float32", "fp16"):
        return "fp16"
    raise Unknown("torch_dtype is unset: the model's own type decides", "mixed_precision")


def _dtype(r: View) -> str:
    value = arg("torch_dtype", "dtype")(r)
    return "auto" if value in (None, "AUTO") else str(value)


def _entries(r: View) -> list[str]:
    return list(names(arg("dataset", "cached_dataset")(r)))


def _datasets(r: View) -> list[str]:
    """`name#500` takes 500 examples of it."""
    entries = _entries(r)
    if not entries:
        raise Unknown("dataset is not set", "datasets")
    return [SAMPLED.sub("", entry) for entry in entries]


def _sampled(r: View) -> list[int | None]:
    found = [SAMPLED.search(entry) for entry in _entries(r)]
    return [int(match[1]) if match is not None else None for match in found]


def _required_columns(r: View) -> list[list[str | tuple[str, ...]]]:
    """What ms-swift makes an answer of. It renames columns by these names, and drops a row that is left without one."""
    if any(r.given(name) for name in REGISTRIES):
        raise Unknown("a registry of its own may say what the columns are")
    if r.stage not in ("pt", "sft"):
        raise Unknown(f"what {r.stage} reads of a row is not known")
    if r.given("task_type") and r.arg("task_type") != "causal_lm":
        raise Unknown(f"what {r.arg('task_type')} reads of a row is not known")
    return [[(*ANSWERS, *map(str.title, ANSWERS))] for _ in r.datasets]


def _eval_split(r: View) -> float:
    """Without evaluation, with evaluation data of its own and of a stream nothing is split off."""
    if _eval_datasets(r) or r.streaming or r.eval_strategy == "no":
        return 0
    return arg("split_dataset_ratio", "dataset_test_ratio")(r) or 0


def _held_out(r: View) -> int:
    """Of each data set by itself, rounded down, but one at least."""
    share = r.eval_split
    return sum(max(int(count * share), 1) for count in data.used_of_each(r)) if share else 0


def _eval_datasets(r: View) -> list[str]:
    return [SAMPLED.sub("", entry) for entry in names(scale.value(r, "val_dataset", "eval_dataset"))]


def _eval_data(r: View) -> str:
    if r.given("val_dataset") or r.given("eval_dataset"):
        return "yes"
    return "yes" if arg("split_dataset_ratio", "dataset_test_ratio")(r) else "no"


def _eval_strategy(r: View) -> str:
    if r.eval_data == "no":
        return "no"
    value = arg("eval_strategy", "evaluation_strategy")(r)
    return str(value) if value is not None else str(r.save_strategy)


def _eval_steps(r: View) -> Any:
    if r.eval_strategy != "steps":
        return None
    value = arg("eval_steps", "eval_interval")(r)
    return value if value is not None else r.save_steps


def _fsdp(r: View) -> Any:
    return r.arg("fsdp") or None


def _optim(r: View) -> str:
    return "galore" if scale.value(r, "use_galore") else str(r.arg("optim"))


def _continues(r: View) -> str | None:
    """An adapter that is named is gone on with; of the two arguments for it, the checkpoint goes first."""
    return next((name for name in ("resume_from_checkpoint", "adapters") if r.given(name) and r.arg(name)), None)


def _whole_length(r: View) -> int:
    """Prompts are cut to `max_length`, and answers of their own length come after them."""
    if r.stage == "grpo":
        return int(_length(r) + r.arg("max_completion_length"))
    return _length(r) + (int(r.arg("response_length") or r.arg("max_completion_length")) if r.stage == "ppo" else 0)


OWN_ADAPTER: dict[str, Derivation] = {
    "lora_rank": hf_script.lora("lora_rank"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": hf_script.lora("lora_dropout", "lora_dropout_p"),
    "target_modules": _targets,
    "modules_to_save": hf_script.modules("modules_to_save", "lora_modules_to_save"),
}
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model", "model_id_or_path", "model_type"),
    "tokenizer_name_or_path": arg("model", "model_id_or_path", "model_type"),
    "learning_rate": _learning_rate,
    "per_device_train_batch_size": _per_device,
    "gradient_accumulation_steps": _accumulation,
    "sequence_length": _whole_length,
    "mixed_precision": _precision,
    "torch_dtype": _dtype,
    **continued.over(OWN_ADAPTER, _continues),
    "quantization_bits": _bits,
    "datasets": _datasets,
    "sampled_examples": _sampled,
    "eval_datasets": _eval_datasets,
    "required_columns": _required_columns,
    "eval_split": _eval_split,
    "held_out_examples": _held_out,
    "eval_data": _eval_data,
    "eval_strategy": _eval_strategy,
    "eval_steps": _eval_steps,
    "packing": arg("packing"),
    "fsdp": _fsdp,
    "optim": _optim,
    **ms_swift_memory.FACTS,
}
KEYS: dict[str, str | None] = {
    "model_name_or_path": "model",
    "tokenizer_name_or_path": None,
    "sequence_length": "max_length",
    "method": "tuner_type",
    "stage": "rlhf_type",
    "mixed_precision": "torch_dtype",
    "quantization_bits": "quant_bits",
    "datasets": "dataset",
    "eval_data": "split_dataset_ratio",
}
OLD_KEYS: dict[str, str | None] = {
    "model_name_or_path": "model_id_or_path",
    "method": "sft_type",
    "per_device_train_batch_size": "batch_size",
    "quantization_bits": "quantization_bit",
    "eval_data": "dataset_test_ratio",
    "mixed_precision": "dtype",
}


# --------------------------------------------------------------------------------------------------------- megatron


def _epochs(r: View) -> float:
    value = arg("num_train_epochs", "max_epochs")(r)
    if value is None:
        raise Unknown("train_iters decides the length", "num_train_epochs")
    return float(value)


def _iterations(r: View) -> int | None:
    value = r.arg("train_iters")
    return int(value) if value else None


def _warmup_steps(r: View) -> int:
    share = r.arg("lr_warmup_fraction")
    return int(share * r.total_steps) if share else int(r.arg("lr_warmup_iters") or 0)


MEGATRON_FACTS: dict[str, Derivation] = {
    **FACTS,
    **scale.FACTS,
    "learning_rate": _learning_rate,
    "lr_scheduler_type": arg("lr_decay_style"),
    "warmup_ratio": lambda r: float(r.arg("lr_warmup_fraction") or 0.0),
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": arg("micro_batch_size"),
    "data_parallel_size": scale.replicas(
        "tensor_model_parallel_size", "pipeline_model_parallel_size", "context_parallel_size"
    ),
    "effective_batch_size": arg("global_batch_size"),
    "gradient_accumulation_steps": scale.accumulated,
    "num_train_epochs": _epochs,
    "max_steps": _iterations,
    "max_grad_norm": lambda r: float(r.arg("clip_grad")),
    "optim": arg("optimizer"),
    "eval_data": _eval_data,
    "eval_strategy": lambda r: "steps" if r.eval_data == "yes" else "no",
    "save_strategy": lambda r: "steps",
    "save_steps": arg("save_steps", "save_interval"),
    "modules_to_save": hf_script.modules("modules_to_save"),
    "output_dir": arg("output_dir", "save"),
    "deepspeed": lambda r: None,
    "zero_stage": lambda r: 0,
    "fsdp": lambda r: None,
    "spread_by": lambda r: "Megatron",
    **megatron_model.SPREAD,
    "gpus": sharding.gpus,
    "gradient_checkpointing": lambda r: r.arg("recompute_granularity") not in (None, "none"),
}
MEGATRON_KEYS: dict[str, str | None] = {
    **KEYS,
    "learning_rate": "lr",
    "lr_scheduler_type": "lr_decay_style",
    "warmup_ratio": "lr_warmup_fraction",
    "warmup_steps": "lr_warmup_iters",
    "per_device_train_batch_size": "micro_batch_size",
    "effective_batch_size": "global_batch_size",
    "gradient_accumulation_steps": None,
    "max_steps": "train_iters",
    "max_grad_norm": "clip_grad",
    "optim": "optimizer",
    "gradient_checkpointing": "recompute_granularity",
}


# ---------------------------------------------------------------------------------------------------------- reading


def _counted(count: Fact) -> Derivation:
    return lambda r: r.use(count.name, count)


def _processes(started: Started) -> Fact:
    """NPROC_PER_NODE × NNODES as torchrun takes them; without both it is one process that spreads the model."""
    environment = started.command.environment
    if "NPROC_PER_NODE" not in environment and "NNODES" not in environment:
        reason = "one process: the model is spread over the GPUs that it sees"
        return Fact("world_size", 1, "known", Origin("computed", reason))
    one = Fact("one", 1, "default", Origin("framework-default", "torchrun's default, 1"))
    counts = [counted(name, environment[name]) if name in environment else one for name in ("NPROC_PER_NODE", "NNODES")]
    return product(*counts)


def _link_preset(run: Run) -> Run:
    argument = run.arguments.given.get("deepspeed")
    preset = PRESETS.get(str(argument.value)) if argument is not None else None
    if argument is None or preset is None or "deepspeed" in run.linked:
        return run
    given = {name: Argument(name, value, argument.origin, argument.key, argument.at) for name, value in preset.items()}
    run.linked = {**run.linked, "deepspeed": Arguments(given)}
    return run


def _finish(run: Run, command: str | None, old: bool) -> list[Run]:
    run.context = {**run.context, "command": "rlhf" if command in ("dpo", "orpo", "simpo") else command}
    if old:
        spell = run.spell
        run.spell = lambda fact: spell(OLD_KEYS.get(fact) or fact)
    return [_link_preset(run)]


def _command_of(started: Started) -> tuple[str, bool, tuple[Any, ...]] | None:
    """Subcommand, whether Megatron runs it, and the words after it."""
    if started.name in ("swift", "megatron"):
        command = started.words[0].text if started.words else None
        return (command, started.name == "megatron", started.words[1:]) if command in COMMANDS else None
    found = PROGRAM.match(started.program.text or "")
    if found is not None:
        return found[2], found[1] is not None, started.words
    if re.fullmatch(r"llm_(pt|sft|dpo|rlhf)\.py", started.name):
        return started.name[4:-3], False, started.words
    return None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    found = _command_of(started)
    if found is None:
        return None
    command, megatron, words = found
    processes = (
        started.processes if started.launcher in ("torchrun", "accelerate", "deepspeed") else _processes(started)
    )
    started = replace(started, words=words, processes=processes)
    given = hf_script.flags(started)
    kind = "rlhf" if command in ("rlhf", "dpo", "orpo", "simpo") else "sft"
    file = hf_script.value(started, "config") or (words[0].text if words else None)
    if file is not None and file.endswith((".yaml", ".yml", ".json")):
        config = hf_script.config_file(document, started, context, file)
        if config is None:
            return []
        run = _tree(config, context, megatron, kind, command)
        over = argv.read(document.source, words, run.context["schema"], closed=True)
        hf_script.override(run, over, {"config"})
        ray = run.derivations["world_size"] if "train" in tree.keys(config) else None
        hf_script.launched(run, document, started, context)
        run.derivations = {**run.derivations, "world_size": ray} if ray is not None else run.derivations
        return [_link_preset(run)]
    old = not megatron and bool(given & OF_2) and not given & {"model", "tuner_type", "train_type"}
    schema = MEGATRON[kind] if megatron else SCHEMAS[f"{kind}_2" if old else kind]
    dialect = MEGATRON_DIALECT if megatron else DIALECT
    run = hf_trainer.command_run(dialect, document, started, context, schema, closed=True)
    if "config" in given:
        run.arguments.issues = [issue for issue in run.arguments.issues if issue.name != "config"]
        run.arguments.open = run.arguments.open or "the file that --config names is not known"
    return _finish(run, command, old)


def _tree(document: Document, context: Context, megatron: bool, kind: str, command: str | None) -> Run:
    """A file becomes flags: every value is written out as text and parsed again."""
    loader: tree.Loader = "json" if document.format == "json" else "pyyaml"
    schema = MEGATRON[kind] if megatron else SCHEMAS[kind]
    dialect = MEGATRON_DIALECT if megatron else DIALECT
    run = hf_trainer.tree_run(dialect, document, context, schema, loader, _as_flag, closed=True)
    _read_groups(run, document, schema, loader)
    return _finish(run, command, False)[0]


def _as_flag(edition: Edition, value: Any) -> Any:
    """A mapping becomes JSON, which a text takes."""
    return value if isinstance(value, dict) and "str" in edition.types else from_lax(edition, value)


def _read_groups(run: Run, document: Document, schema: Schema, loader: tree.Loader) -> None:
    """`ENV:` holds environment variables; under Ray `train:` holds more arguments, and its GPUs are the processes."""
    given = run.arguments.given
    for entry in document.root.entries if document.root is not None else ():
        if entry.key.text == "train" and entry.value.kind == "mapping":
            for inner in entry.value.entries:
                if inner.key.text != "gpus":
                    tree.read_entry(
                        run.arguments, document, inner, inner.key.text, schema, loader, _as_flag, closed=True
                    )
            gpus = given["train"].value.get("gpus") if isinstance(given["train"].value, dict) else None
            if isinstance(gpus, int):
                count = Fact("train.gpus", gpus, "known", Origin("literal", f"train.gpus: {gpus}", given["train"].key))
                run.derivations = {**run.derivations, "world_size": _counted(count)}
    for name in NO_ARGUMENTS & set(given):
        del given[name]
    run.arguments.issues = [issue for issue in run.arguments.issues if issue.name not in NO_ARGUMENTS]


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if not {"model", "dataset"} <= keys or not keys & OWN_KEYS:
        return None
    megatron = bool(keys & {"micro_batch_size", "global_batch_size", "tensor_model_parallel_size"})
    kind = "rlhf" if "rlhf_type" in keys else "sft"
    if megatron and kind == "sft" and "tuner_type" not in keys and "train_type" not in keys:
        return None
    named = re.search(r"(?:^|[^a-z])(pt|sft)(?:[^a-z]|$)", document.source.path.replace("\\", "/").rpartition("/")[2])
    return [_tree(document, context, megatron, kind, named[1] if named is not None else None)]


DIALECT = Dialect("ms-swift", "ms-swift", FACTS, KEYS, _read_command, _read_tree)
MEGATRON_DIALECT = Dialect("ms-swift-megatron", "ms-swift with Megatron", MEGATRON_FACTS, MEGATRON_KEYS)
