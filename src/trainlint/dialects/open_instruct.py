"""open-instruct: `open_instruct/finetune.py`, `dpo_tune_cache.py`, …, with a training loop of its own on accelerate."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from trainlint.dialects import hf_script, hf_trainer, tree
from trainlint.dialects.base import Context, Dialect, arg, constant, linked, names
from trainlint.dialects.convert import Rejected, from_loaded
from trainlint.dialects.launchers import Started, start
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Word
from trainlint.facts import Derivation, Run, Unknown, View

PROGRAM = re.compile(r"(?:^|.*[/.])open_instruct[/.](\w+?)(?:\.py)?$")
PARSER_OF = {
    "finetune": "finetune", "olmo_core_finetune": "olmo_core", "dpo": "dpo", "dpo_tune": "dpo", "dpo_tune_cache": "dpo",
    "grpo_fast": "grpo", "grpo": "grpo", "grpo_vllm_thread_ray_gtrl": "grpo", "reward_modeling": "rm", "ppo2": "ppo",
    "ppo_fast": "ppo", "ppo_vllm_thread": "ppo", "ppo_vllm_thread_ray": "ppo", "ppo_vllm_thread_ray_gtrl": "ppo",
    "online_dpo_vllm_thread": "online_dpo",
}  # fmt: skip
STAGES = {"finetune": "sft", "olmo_core": "sft"}
ROLLOUTS = ("grpo", "ppo", "online_dpo")
OVERRIDES = {"grpo": {"max_grad_norm": 1.0, "per_device_train_batch_size": 1, "warmup_ratio": 0.0}}
"""Defaults that a script sets over those of its classes."""
SCHEMAS = {
    parser: Schema(f"open_instruct:{parser}", overrides=OVERRIDES.get(parser))
    for parser in dict.fromkeys(PARSER_OF.values())
}
OWN_KEYS = {
    "use_slow_tokenizer", "dataset_mixer_list", "with_tracking", "checkpointing_steps", "keep_last_n_checkpoints",
    "dataset_mix_dir", "max_train_steps", "use_flash_attn", "hf_metadata_dataset", "try_launch_beaker_eval_jobs",
    "tokenizer_name", "add_bos",
}  # fmt: skip
TARGETS = ["q_proj", "o_proj", "v_proj", "k_proj", "gate_proj", "up_proj", "down_proj"]


def _method(r: View) -> str:
    if not any(r.given(name) and r.arg(name) for name in ("use_lora", "use_qlora")):
        return "full"
    return "qlora" if r.given("use_qlora") and r.arg("use_qlora") else "lora"


def _epochs(r: View) -> float:
    return float(arg("num_train_epochs", "num_epochs")(r))


def _max_steps(r: View) -> int | None:
    value = r.arg("max_train_steps")
    return int(value) if value else None


def _warmup_steps(r: View) -> int:
    return 0 if r.lr_scheduler_type == "constant" else int(r.warmup_ratio * r.total_steps)


def _clip(r: View) -> float:
    """The loop clips where it is told to; under DeepSpeed the engine clips, and its "auto" is accelerate's 1.0."""
    if hf_trainer.has_deepspeed(r):
        value = linked(r, "deepspeed", "gradient_clipping")
        if value is None:
            r.read.clear()
            reason = "the DeepSpeed file has no gradient_clipping: off up to DeepSpeed 0.19.0, 1.0 from 0.19.5 on"
            raise Unknown(reason, "gradient_clipping")
        return float(constant(1.0, "accelerate's default for DeepSpeed")(r)) if value == "auto" else float(value)
    value = (
        arg("clip_grad_norm", "max_grad_norm")(r)
        if "clip_grad_norm" in r.run.context["schema"]
        else r.arg("max_grad_norm")
    )
    return float(value) if value is not None and value > 0 else 0.0


def _clipping_set_by(r: View) -> str:
    if hf_trainer.has_deepspeed(r):
        return "deepspeed"
    return "trainer" if r.run.context["parser"] == "grpo" else "request"


def _precision(r: View) -> str:
    settings = r.run.context["started"].settings if r.run.context.get("started") is not None else None
    if settings is None:
        raise Unknown("the launch by accelerate decides the precision", "mixed_precision")
    if "mixed_precision" not in settings.given:
        raise Unknown("accelerate's own configuration decides the precision", "mixed_precision")
    from trainlint.dialects import accelerate

    return accelerate.mixed_precision(settings)


def _optim(r: View) -> str:
    return "adamw_8bit" if r.given("use_8bit_optimizer") and r.arg("use_8bit_optimizer") else "adamw_torch"


def _datasets(r: View) -> list[str]:
    """A mixer lists names and weights in turn."""
    for name in ("train_file", "dataset_name", "dataset_mixer", "dataset_mixer_list", "mixer_list"):
        if r.given(name) and r.arg(name) is not None:
            value: Any = r.arg(name)
            if isinstance(value, dict):
                return list(value)
            found = names(value)
            return found[::2] if name.endswith("mixer_list") else found
    raise Unknown("no data set is named", "datasets")


def _sampled(r: View) -> list[int | None]:
    """A mixer has an amount beside each name: with a point it is a share, and without one a number of examples."""
    name = next((name for name in ("dataset_mixer_list", "mixer_list") if r.given(name) and r.arg(name)), None)
    if name is None:
        if r.given("dataset_mixer") and r.arg("dataset_mixer"):
            raise Unknown("a mixture takes a part of each data set", "dataset_examples")
        return [None for _ in r.datasets]
    return [_number(amount) for amount in names(r.arg(name))[1::2]]


def _number(amount: str) -> int | None:
    if "." not in amount:
        return int(amount)
    if float(amount) != 1:
        raise Unknown(f"the share {amount} of a data set is taken", "dataset_examples")
    return None


def _eval_datasets(r: View) -> list[str]:
    """Fine-tuning and preference tuning evaluate nothing."""
    name = "dataset_mixer_eval_list"
    if name not in r.run.context["schema"]:
        return []
    listed = names(r.arg(name))
    if any(_number(amount) is not None for amount in listed[1::2]):
        raise Unknown("a part of the evaluation data is taken", "eval_examples")
    return listed[::2]


COLUMNS = {"finetune": ["messages"], "dpo": ["chosen", "rejected"]}


def _required_columns(r: View) -> list[list[str]]:
    """What the usual transformation of each script reads of every row."""
    parser = r.run.context["parser"]
    if parser not in COLUMNS or r.given("dataset_transform_fn") or r.given("transform_fn"):
        raise Unknown("a transformation of its own may read other columns")
    return [COLUMNS[parser] for _ in r.datasets]


def _checkpoints(r: View) -> Any:
    return r.arg("checkpointing_steps") if "checkpointing_steps" in r.run.context["schema"] else None


def _save_strategy(r: View) -> str:
    every = _checkpoints(r)
    return "no" if every is None else "epoch" if every == "epoch" else "steps"


def _save_steps(r: View) -> int | None:
    return int(_checkpoints(r)) if _save_strategy(r) == "steps" else None


def _loop(derive: Derivation) -> Derivation:
    """What holds for the loops over a fixed data set: reinforcement learning counts its batches in other ways."""

    def only(r: View) -> Any:
        if r.stage in ROLLOUTS:
            raise Unknown("rollouts decide it", "per_device_train_batch_size")
        return derive(r)

    return only


FACTS: dict[str, Derivation] = {
    "stage": lambda r: STAGES.get(r.run.context["parser"], r.run.context["parser"]),
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": lambda r: arg("tokenizer_name", "tokenizer_name_or_path")(r) or r.model_name_or_path,
    "learning_rate": arg("learning_rate"),
    "lr_scheduler_type": arg("lr_scheduler_type"),
    "warmup_ratio": arg("warmup_ratio", "warm_up_steps"),
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": _loop(arg("per_device_train_batch_size")),
    "gradient_accumulation_steps": _loop(arg("gradient_accumulation_steps")),
    "sequence_length": _loop(arg("max_seq_length", "max_token_length")),
    "num_train_epochs": _epochs,
    "max_steps": _max_steps,
    "weight_decay": arg("weight_decay"),
    "max_grad_norm": _clip,
    "clipping_set_by": _clipping_set_by,
    "optim": _optim,
    "optimizer_family": lambda r: "adam",
    "adam_beta2": constant(0.999, "torch's AdamW"),
    "mixed_precision": _precision,
    "torch_dtype": constant("bfloat16", "fixed in open-instruct: the model is loaded in bfloat16"),
    "lora_rank": hf_script.lora("lora_rank"),
    "lora_alpha": hf_script.lora("lora_alpha"),
    "lora_dropout": hf_script.lora("lora_dropout"),
    "target_modules": lambda r: TARGETS if r.method in hf_script.LORA else [],
    "modules_to_save": lambda r: [],
    "quantization_bits": lambda r: 4 if r.method == "qlora" else None,
    "datasets": _datasets,
    "sampled_examples": _sampled,
    "eval_datasets": _eval_datasets,
    "required_columns": _required_columns,
    "dataset_format": lambda r: "any",
    "eval_data": lambda r: "unknown",
    "save_strategy": _save_strategy,
    "save_steps": _save_steps,
    "output_dir": arg("output_dir"),
    "deepspeed": lambda r: "accelerate" if hf_trainer.has_deepspeed(r) else None,
    "zero_stage": hf_trainer.zero_stage,
    "offload": hf_trainer.offload,
    "fsdp": lambda r: None,
    "gradient_checkpointing": arg("gradient_checkpointing"),
    "packing": arg("packing"),
    "seed": arg("seed"),
    "streaming": lambda r: False,
}
KEYS: dict[str, str | None] = {
    "tokenizer_name_or_path": "tokenizer_name",
    "sequence_length": "max_seq_length",
    "max_steps": "max_train_steps",
    "max_grad_norm": "clip_grad_norm",
    "datasets": "dataset_mixer_list",
    "save_strategy": "checkpointing_steps",
    "save_steps": "checkpointing_steps",
    "quantization_bits": "use_qlora",
    "method": "use_lora",
    **dict.fromkeys(
        ("optim", "adam_beta2", "mixed_precision", "torch_dtype", "target_modules", "modules_to_save", "deepspeed", "eval_data",
         "eval_strategy", "eval_steps")
    ),
}  # fmt: skip


def _finish(run: Run, parser: str) -> list[Run]:
    run.context = {**run.context, "parser": parser}
    if parser != "finetune":
        spell = run.spell
        run.spell = lambda fact: spell(fact).replace("clip_grad_norm", "max_grad_norm")
    return [run]


def _inside(document: Document, started: Started, context: Context) -> Started | None:
    """What `mason.py … -- command` starts: the last of the commands after the `--`, which the shell hands on escaped."""
    words: list[Word] = list(started.words)
    marks = [index for index, word in enumerate(words) if word.text == "--"]
    if not marks:
        return None
    words = words[marks[0] + 1 :]
    steps = [index for index, word in enumerate(words) if word.known_prefix.startswith(("&&", ";"))]
    if steps:
        last = words[steps[-1]]
        joined = last.after(len(last.known_prefix) - len(last.known_prefix.lstrip("&;")))
        words = [*([joined] if joined.text else []), *words[steps[-1] + 1 :]]
    while words and re.match(r"[A-Z_]+=", words[0].known_prefix):
        words = words[1:]
    if not words:
        return None
    inner = start(document, replace(started.command, words=tuple(words)))
    if inner is None or inner.program.text is None:
        return None
    from trainlint.dialects import accelerate

    return accelerate.complete(document, inner, context)


def _as_loaded(edition: Edition, value: Any) -> Any:
    """A number where a text is declared is taken as it is (`checkpointing_steps: 1000`)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and edition.types <= {"str", "None"}:
        return str(value)
    return from_loaded(edition, value)


def _alone(edition: Edition, value: Any) -> Any:
    """Nothing here is certain: `submit_finetune_job.py` makes flags of the file, whose text is parsed anew."""
    try:
        return _as_loaded(edition, value)
    except Rejected as rejected:
        raise Rejected(rejected.kind, rejected.message, certain=False) from None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    if started.name == "mason.py":
        inner = _inside(document, started, context)
        known = inner is not None and PROGRAM.match(inner.program.text or "") is not None
        return (_read_command(document, inner, context) or []) if inner is not None and known else []
    found = PROGRAM.match(started.program.text or "")
    parser = PARSER_OF.get(found[1]) if found is not None else None
    if parser is None:
        return None
    file = started.words[0].text if started.words else None
    if file is not None and file.endswith((".yaml", ".yml")):
        config = hf_script.config_file(document, started, context, file)
        if config is None:
            return []
        run = hf_trainer.tree_run(DIALECT, config, context, SCHEMAS[parser], "pyyaml", _as_loaded, closed=True)
        return _finish(hf_script.launched(run, document, started, context)[0], parser)
    run = hf_trainer.command_run(DIALECT, document, started, context, SCHEMAS[parser], closed=True)
    return _finish(run, parser)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if document.format != "yaml" or "per_device_train_batch_size" not in keys or len(keys & OWN_KEYS) < 2:
        return None
    parser = "dpo" if keys & {"beta", "dpo_beta", "dpo_loss_type", "loss_type"} else "finetune"
    run = hf_trainer.tree_run(DIALECT, document, context, SCHEMAS[parser], "pyyaml", _alone, closed=True)
    return _finish(run, parser)


DIALECT = Dialect("open-instruct", "open-instruct", FACTS, KEYS, _read_command, _read_tree)
