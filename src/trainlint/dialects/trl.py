"""TRL: `trl sft|dpo|…` and its scripts, from flags, a YAML file, or flags over the file that `--config` names.

The YAML becomes argparse defaults, so its text is re-parsed.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.derive import companions
from trainlint.dialects import argv, hf_script, hf_trainer, peft, scale, tree, trl_data
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.convert import from_lax, from_text
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema, table
from trainlint.document import Document
from trainlint.facts import Derivation, Fact, Run, Unknown, View

CONFIGS = {
    "sft": "SFTConfig", "dpo": "DPOConfig", "kto": "KTOConfig", "rm": "RewardConfig", "grpo": "GRPOConfig",
    "rloo": "RLOOConfig", "orpo": "ORPOConfig", "cpo": "CPOConfig",
}  # fmt: skip
OWN_KEYS = {"use_peft", "lora_target_modules", "attn_implementation", "dataset_name", "dataset_mixer", "chat_template"}
MARKS = {"grpo": {"num_generations", "max_completion_length"}, "dpo": {"loss_type", "beta", "max_prompt_length"}}


def _engine(r: View) -> tuple[float, float]:
    beside = r.given("use_vllm") and r.arg("use_vllm") and r.arg("vllm_mode") == "colocate"
    asleep = r.given("vllm_enable_sleep_mode") and r.arg("vllm_enable_sleep_mode")
    return companions.vllm(r, bool(beside), bool(asleep), "vllm_gpu_memory_utilization")


def _sequence_length(r: View) -> int | None:
    """Of reinforcement learning the prompt and the answer; from 1.0 on nothing cuts the prompt."""
    if r.stage != "grpo":
        return arg("max_length", "max_seq_length")(r)  # type: ignore[no-any-return]
    prompt = r.arg("max_prompt_length")
    if prompt is None:
        raise Unknown("prompts are not cut", "sequence_length")
    return int(prompt + r.arg("max_completion_length"))


def _logit_tokens(r: View) -> int:
    """Of an answer alone, where there is a prompt before it."""
    if r.stage != "grpo":
        return int(r.tokens_per_micro_step)
    return int(r.per_device_train_batch_size * r.arg("max_completion_length"))


def _reference_model(r: View) -> bool:
    if r.stage != "grpo":
        return companions.reference_model(r)
    return r.method == "full" and bool(r.arg("beta"))


def _reward_parameters(r: View) -> int:
    if r.stage != "grpo":
        return companions.reward_parameters(r)
    return companions.named_size(r, scale.value(r, "reward_model_name_or_path"))


def schema(stage: str, *more: str) -> Schema:
    """The arguments of one TRL command: its config class first, then the model's, the script's and those of its kin.

    `more` are sections of a project that adds its own.
    """
    sections = table("trl")["sections"]
    chosen = CONFIGS.get(stage, "SFTConfig")
    order = [chosen, "ModelConfig", "ScriptArguments", *(name for name in sections if name != chosen)]
    return Schema(
        *(f"trl:{name}" for name in dict.fromkeys(order) if name in sections),
        *more,
        overrides={"optim": "adamw_torch"},
    )


def _stage(r: View) -> str:
    stage = r.run.context["stage"]
    if stage is None:
        raise Unknown("nothing says which TRL trainer reads this file", "stage")
    if r.run.context["stage_from_name"]:
        r.assume("the stage is read off the file's name")
    return str(stage)


def _method(r: View) -> str:
    if not r.given("use_peft") or not r.arg("use_peft"):
        return "full"
    return "qlora" if r.arg("load_in_4bit") else "lora"


def _adapter(derive: Derivation) -> Derivation:
    return lambda r: derive(r) if r.method in ("lora", "qlora") else None


def _targets(r: View) -> list[str]:
    if r.method == "full":
        return []
    return names(r.arg("lora_target_modules")) or peft.default_targets(r)


def _mixed_precision(r: View) -> str:
    if r.given("fp16") and r.arg("fp16"):
        return "fp16"
    bf16 = r.arg("bf16") if r.given("bf16") else None
    if bf16 is None:
        r.assume("bf16 is the default from TRL 0.20 on")
        return "bf16"
    return "bf16" if bf16 else "no"


def _required_columns(r: View) -> list[list[str | tuple[str, ...]]]:
    """What its trainers read of every row: conversations, text, or a prompt and what follows; or tokens, as they are."""
    if r.stage == "sft":
        text = str(arg("dataset_text_field")(r) or "text")
        whole = ("messages", "conversations", text, "input_ids")
        wanted: list[str | tuple[str, ...]] = [(*whole, "prompt"), (*whole, "completion")]
    elif r.stage in ("dpo", "rm", "orpo", "cpo"):
        wanted = [(name, f"{name}_ids", f"{name}_input_ids") for name in ("chosen", "rejected")]
    elif r.stage == "grpo":
        wanted = ["prompt"]
    else:
        raise Unknown(f"what {r.stage} reads of a row is not known")
    return [wanted for _ in r.datasets]


def _eval_data(r: View) -> str:
    return "unknown"


FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "memory_rollout": lambda r: _engine(r)[0],
    "memory_generation": lambda r: companions.while_generating(r, _engine(r)[1], ("weights", "optimizer", "reference")),
    "reference_model": _reference_model,
    "critic_parameters": lambda r: 0 if r.stage == "grpo" else companions.critic_parameters(r),
    "reward_parameters": _reward_parameters,
    "logit_tokens": _logit_tokens,
    "answers_per_prompt": lambda r: int(r.arg("num_generations") * r.arg("num_iterations")) if r.stage == "grpo" else 1,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": _sequence_length,
    "lora_rank": _adapter(arg("lora_r")),
    "lora_alpha": _adapter(arg("lora_alpha")),
    "lora_dropout": _adapter(arg("lora_dropout")),
    "target_modules": _targets,
    "modules_to_save": lambda r: names(r.arg("lora_modules_to_save")) if r.method != "full" else [],
    "quantization_bits": lambda r: 4 if r.arg("load_in_4bit") else 8 if r.arg("load_in_8bit") else None,
    "mixed_precision": _mixed_precision,
    "datasets": trl_data.datasets,
    "dataset_splits": trl_data.dataset_splits,
    "sampled_examples": trl_data.sampled_examples,
    "eval_datasets": trl_data.eval_datasets,
    "eval_dataset_splits": trl_data.eval_dataset_splits,
    "eval_split": trl_data.eval_split,
    "saved_datasets": trl_data.saved_datasets,
    "undivided_mixture": trl_data.undivided_mixture,
    "dataset_format": lambda r: "any",
    "required_columns": _required_columns,
    "eval_data": _eval_data,
    "packing": arg("packing"),
}
KEYS = {
    "sequence_length": "max_length",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "modules_to_save": "lora_modules_to_save",
    "quantization_bits": "load_in_4bit",
    "datasets": "dataset_name",
    "eval_data": "dataset_test_split",
    "method": "use_peft",
}


def length_key(schema: Schema) -> str:
    """What the stated version calls the longest sequence."""
    spec = schema.get("max_length")
    target = schema.target(spec) if spec is not None else None
    return "max_seq_length" if spec is not None and target is not None and spec.at(target) is None else "max_length"


def _finish(run: Run, stage: str | None, from_name: bool) -> list[Run]:
    run.context = {**run.context, "stage": stage, "stage_from_name": from_name}
    spell, length = run.spell, length_key(run.context["schema"])
    run.spell = lambda fact: spell(fact).replace("max_length", length) if fact == "sequence_length" else spell(fact)
    return [run]


def _named(text: str) -> str | None:
    match = re.search(r"(?:^|[^a-z])(sft|dpo|kto|grpo|rloo|orpo|cpo|reward)(?:[^a-z]|$)", text.lower())
    return None if match is None else "rm" if match.group(1) == "reward" else match.group(1)


def converted(edition: Edition, value: Any) -> Any:
    """As TrlParser: words go through argparse, and what YAML has typed already is taken as it is. Raises `Rejected`."""
    words = isinstance(value, str) and edition.picked is not None
    return from_text(edition, [value]) if words else from_lax(edition, value)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    keys = tree.keys(document)
    if hf_trainer.trainer_marks(document) < 3 or not keys & OWN_KEYS or document.format != "yaml":
        return None
    stage = next((stage for stage, marks in MARKS.items() if keys & marks), None)
    from_name = stage is None
    if stage is None:
        stage = _named("/".join(document.source.path.replace("\\", "/").split("/")[-3:]))
    run = hf_trainer.tree_run(DIALECT, document, context, schema(stage or ""), "pyyaml", converted, closed=False)
    return _finish(run, stage, from_name)


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    stage: str | None
    if started.name == "trl" and started.words:
        stage = _named(started.words[0].text or "")
        if stage is None:
            return None
    else:
        match = re.fullmatch(
            r"(?:run_)?(sft|dpo|kto|grpo|rloo|orpo|cpo|reward)(?:_\w+)?\.py|trl\.scripts\.(\w+)", started.name
        )
        flags = {word.known_prefix.partition("=")[0].lstrip("-") for word in started.words}
        if match is None or not (flags & OWN_KEYS or _names_a_file(document, started, context)):
            return None
        stage = _named(started.name)
    if "config" in hf_script.flags(started):
        return _with_file(document, started, context, stage)
    run = hf_trainer.command_run(DIALECT, document, started, context, schema(stage or ""), closed=False)
    return _finish(run, stage, False)


def _named_file(document: Document, started: Started, context: Context) -> Document | None:
    name = hf_script.value(started, "config")
    return hf_script.config_file(document, started, context, name) if name is not None else None


def _names_a_file(document: Document, started: Started, context: Context) -> bool:
    """Does `--config` name a file of the Trainer's keys? Other people's scripts are called sft.py, too."""
    config = _named_file(document, started, context)
    return config is not None and hf_trainer.trainer_marks(config) >= 3


def _with_file(document: Document, started: Started, context: Context, stage: str | None) -> list[Run]:
    """The flags over what the file says; where it is not here, nobody can tell what it says."""
    config = _named_file(document, started, context)
    words = started.words[1:] if started.name == "trl" else started.words
    if config is None:
        run = hf_trainer.command_run(DIALECT, document, started, context, schema(stage or ""), closed=False)
        run.arguments.open = run.arguments.open or "the file that --config names is not on this machine"
        return _finish(run, stage, False)
    run = hf_trainer.tree_run(DIALECT, config, context, schema(stage or ""), "pyyaml", converted, closed=False)
    _finish(run, stage, False)
    hf_script.override(run, argv.read(document.source, words, run.context["schema"], closed=False), {"config"})
    return hf_script.launched(run, document, started, context, _processes(run) if started.name == "trl" else None)


def _processes(run: Run) -> Fact | None:
    """`trl` hands what its own parser does not know to accelerate, from the file as well."""
    count = run.arguments.given.get("num_processes")
    if count is None or count.unknown is not None or not str(count.value).isdigit():
        return None
    return Fact("num_processes", int(str(count.value)), "known", count.origin)


DIALECT = Dialect("trl", "TRL", FACTS, KEYS, _read_command, _read_tree)
