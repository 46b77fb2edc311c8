"""LLaMA-Factory: its YAML or JSON file, alone or started by `llamafactory-cli train FILE key=value`, or its flags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trainlint.derive import activations, companions, cost
from trainlint.dialects import continued, dotted, hf_script, hf_trainer, tree
from trainlint.dialects.base import Context, Dialect, arg, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document, Origin
from trainlint.facts import PLACEHOLDER, Argument, ArgumentIssue, Derivation, Fact, Run, Unknown, View
from trainlint.text import Location, Span

SECTIONS = ("TrainingArguments", "ModelArguments", "DataArguments", "FinetuningArguments", "GeneratingArguments")
SCHEMA = Schema(*(f"llama_factory:{section}" for section in SECTIONS), overrides={"optim": "adamw_torch"})
OWN_KEYS = {"finetuning_type", "stage", "template", "cutoff_len", "lora_target", "dataset_dir", "val_size"}
ELSEWHERE = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
"""What dataset_info.json has for data that is not beside it."""
USUAL_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output", "messages": "conversations"}
USUAL_TAGS = {
    "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt", "function_tag": "function_call",
    "observation_tag": "observation", "system_tag": "system",
}  # fmt: skip
COLUMNS = (
    *USUAL_COLUMNS, "history", "system", "tools", "images", "videos", "audios", "chosen", "rejected", "kto_tag",
)  # fmt: skip
PREFERENCES, OTHER_STAGES = ("rm", "dpo"), ("pt", "sft", "ppo", "kto")
NOT_APPLICABLE = '"ValueError: The dataset is not applicable in the current training stage."'
NO_SAMPLES = '"RuntimeError: Cannot find valid samples"'
FORMATTINGS = ("alpaca", "sharegpt", "openai")
MEGATRON_KEYS = {"tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size"}
"""With USE_MCA or USE_MEGATRON_BRIDGE further arguments join, which the tables do not hold; `kt_config` belongs to a
transformers built for KTransformers."""
OTHER_OPTIMIZERS = {
    "use_galore": "galore", "use_apollo": "apollo", "use_badam": "block-wise", "use_muon": "muon",
    "use_adam_mini": "adam_mini",
}  # fmt: skip
NOTHING = 1e-6
"""A val_size up to this holds out nothing."""
COMMANDS = ("llamafactory-cli", "lmf")


def _stage(r: View) -> str:
    """`predict` for a file that only evaluates or predicts."""
    if not r.arg("do_train") and (r.arg("do_predict") or r.arg("do_eval")):
        return "predict"
    return str(r.arg("stage"))


def _method(r: View) -> str:
    kind = r.arg("finetuning_type")
    return "qlora" if kind == "lora" and r.quantization_bits else str(kind)


def _alpha(r: View) -> float:
    alpha = r.arg("lora_alpha")
    return float(alpha if alpha is not None else 2 * r.lora_rank)


def _continues(r: View) -> str | None:
    """With create_new_adapter the named ones are merged first, unless the model is of a kind that none can be merged into."""
    if not r.given("adapter_name_or_path") or not r.arg("adapter_name_or_path"):
        return None
    fixed = bool(r.quantization_bits) or r.zero_stage == 3 or r.arg("use_unsloth") or r.arg("use_kt")
    return "adapter_name_or_path" if fixed or not r.arg("create_new_adapter") else None


def _packing(r: View) -> bool:
    packing = r.arg("packing")
    return bool(packing) if packing is not None else r.stage == "pt"


def _data(name: str) -> Derivation:
    """The files behind the data set names, by `dataset_info.json`; the names themselves where that is not here."""

    def derive(r: View) -> list[str]:
        chosen = names(r.arg(name))
        if not chosen and name == "dataset":
            raise Unknown("dataset is not set", "datasets")
        directory = str(r.arg("dataset_dir") or "data")
        try:
            _, info = _dataset_info(r.run, directory)
        except Unknown:
            return chosen
        return [_file(directory, info.get(each), each) for each in chosen]

    return derive


def _required_columns(r: View) -> list[list[str | tuple[str, ...]]]:
    """What the converter of each data set's formatting reads of every row, whatever is in it."""
    if r.arg("tokenized_path"):
        raise Unknown("tokenized_path may hold the data already, as tokens")
    _, info = _dataset_info(r.run, str(r.arg("dataset_dir") or "data"))
    return [_required(info.get(name)) for name in names(r.arg("dataset"))]


def _required(entry: Any) -> list[str | tuple[str, ...]]:
    """Without `columns` they have the usual names; with it, a role that it does not name is not read."""
    if not isinstance(entry, dict):
        return []
    columns, tags = entry.get("columns", USUAL_COLUMNS), {**USUAL_TAGS, **(entry.get("tags") or {})}
    if not isinstance(columns, dict):
        return []
    form = entry.get("formatting", "alpaca")
    roles = ["images", "videos", "audios", "kto_tag", *(["chosen", "rejected"] if entry.get("ranking") else [])]
    if form == "alpaca":
        roles += ["history", "prompt", "query", "system", *([] if entry.get("ranking") else ["response"])]
    roles += ["tools"] if form != "openai" else []
    messages = columns.get("messages") if form != "alpaca" else None
    found: list[str | tuple[str, ...]] = [columns[role] for role in roles if isinstance(columns.get(role), str)]
    if isinstance(messages, str):
        speaker = f"{messages}[].{tags['role_tag']}"
        answers = tuple(f"{speaker} = {tags[tag]}" for tag in ("assistant_tag", "function_tag"))
        found += [messages, speaker, f"{messages}[].{tags['content_tag']}"]
        found += [answers] if not entry.get("ranking") else []
    return found


def _dataset_info(run: Run, directory: str) -> tuple[Path, dict[str, Any]]:
    """The file that says what each data set is. Raises `Unknown` where it is not here."""
    files = run.context["files"]
    path: Path = files.find(directory, run.context["directories"]) / "dataset_info.json"
    info = files.json(path)
    if not isinstance(info, dict):
        raise Unknown(f"{path} is no JSON object")
    return path, info


def _file(directory: str, entry: Any, name: str) -> str:
    """An address on a hub goes before a file."""
    if not isinstance(entry, dict) or any(key in entry for key in ELSEWHERE):
        return name
    file = entry.get("file_name")
    return f"{directory}/{file}" if isinstance(file, str) else name


def _check_datasets(run: Run) -> None:
    """LLaMA-Factory stops at a data set that its dataset_info.json does not have."""
    directory = run.argument("dataset_dir")
    if not directory.known or directory.value == "ONLINE":
        return
    try:
        path, info = _dataset_info(run, str(directory.value or "data"))
    except Unknown:
        return
    asked = run.argument("stage")
    stage = asked.value if asked.known else None
    for argument in (run.arguments.given.get(name) for name in ("dataset", "eval_dataset")):
        if argument is None or argument.unknown is not None or not isinstance(argument.value, (str, list)):
            continue
        for name in names(argument.value):
            if name not in info and not PLACEHOLDER.search(name):
                run.arguments.issues.append(_undefined(argument, name, path, list(info)))
            elif isinstance(entry := info.get(name), dict):
                problems = [*_problems(entry), *_unfit(entry, stage)]
                run.arguments.issues += [_refused(argument, name, path, *problem) for problem in problems]


def _problems(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What LLaMA-Factory stops at, or passes over, in what dataset_info.json says of a data set, and what to do instead."""
    form, columns, tags = entry.get("formatting", "alpaca"), entry.get("columns"), entry.get("tags")
    if form not in FORMATTINGS:
        yield (
            f'formatting {form}: "ValueError: Dataset converter {form} not found."',
            f"write {' or '.join(FORMATTINGS)}",
        )
    split = entry.get("split")
    local = "file_name" in entry and not any(key in entry for key in ELSEWHERE)
    if local and isinstance(split, str) and re.match(r"\w*", split)[0] != "train":  # type: ignore[index]
        yield f"split {split} of a file, which has the split train only: ValueError", "remove split"
    for kind, given, known in (("columns", columns, COLUMNS), ("tags", tags, tuple(USUAL_TAGS))):
        for key in given if isinstance(given, dict) else ():
            close = get_close_matches(key, known, n=1, cutoff=0.8)
            if key not in known and close:
                yield f"{kind}.{key} is passed over; did you mean {close[0]}?", f"write {close[0]}"
    if isinstance(tags, dict) and form != "alpaca":
        for key in ("role_tag", "content_tag"):
            if key not in tags:
                yield (
                    f"tags without {key}: what is not named there has no default, and each message is asked for it",
                    f"add {key}",
                )


def _unfit(entry: dict[str, Any], stage: Any) -> Iterator[tuple[str, str]]:
    """Why it cannot be used in this stage."""
    ranking = bool(entry.get("ranking"))
    columns = entry.get("columns", USUAL_COLUMNS)
    columns = columns if isinstance(columns, dict) else USUAL_COLUMNS
    alpaca = entry.get("formatting", "alpaca") == "alpaca"
    if stage in PREFERENCES and not ranking:
        yield (
            f"{stage} needs a data set with ranking: true: {NOT_APPLICABLE}",
            "choose a preference data set, or state ranking",
        )
    elif stage in OTHER_STAGES and ranking:
        yield (
            f"{stage} takes no data set with ranking: true: {NOT_APPLICABLE}",
            "choose another data set, or stage dpo or rm",
        )
    elif ranking and not {"chosen", "rejected"} <= set(columns):
        yield "ranking without the columns chosen and rejected stops with a KeyError", "name both under columns"
    elif stage == "kto" and not ranking and "kto_tag" not in columns:
        yield f"kto drops every example without a kto_tag among its columns: {NO_SAMPLES}", "name kto_tag under columns"
    elif stage == "sft" and alpaca and "response" not in columns:
        yield (
            f"sft drops every example without a response among its columns: {NO_SAMPLES}",
            "name response under columns",
        )


def _refused(argument: Argument, name: str, path: Path, problem: str, advice: str) -> ArgumentIssue:
    message = f"{argument.name} {name}: {os.path.relpath(path)}: {problem}"
    return ArgumentIssue("choice", argument.name, message, _named(argument, name), advice)


def _undefined(argument: Argument, name: str, path: Path, known: list[str]) -> ArgumentIssue:
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    meant = f"; did you mean {close[0]}?" if close else ""
    advice = f"write {close[0]}" if close else f"add {name} to {path.name}"
    message = f"{argument.name}: {os.path.relpath(path)} has no data set {name}{meant}"
    return ArgumentIssue("choice", argument.name, message, _named(argument, name), advice)


def _named(argument: Argument, name: str) -> Location:
    """Where in the argument the name stands."""
    place = argument.origin.literal or argument.at
    start = place.text.find(name)
    if start < 0:
        return place
    return Location(place.source, Span(place.span.start + start, place.span.start + start + len(name)))


def _eval_data(r: View) -> str:
    return "yes" if r.arg("eval_dataset") or r.arg("val_size") else "no"


def _eval_split(r: View) -> float:
    size = r.arg("val_size")
    return size if size > NOTHING else 0


def _sampled(r: View) -> list[int | None]:
    """`num_samples` draws so many, some of them twice where there are fewer, but not from a stream."""
    try:
        _, info = _dataset_info(r.run, str(r.arg("dataset_dir") or "data"))
    except Unknown:
        return [None for _ in r.datasets]
    entries = [info.get(name) for name in names(r.arg("dataset"))]
    numbers = [entry.get("num_samples") if isinstance(entry, dict) else None for entry in entries]
    return [None if r.streaming else number for number in numbers]


def _optim(r: View) -> str:
    """These keep Adam's name in `optim` and are others: their states are smaller and their learning rates their own."""
    for name, called in OTHER_OPTIMIZERS.items():
        if r.arg(name):
            return called
    return str(r.arg("optim"))


def _spread_by(r: View) -> str | None:
    if r.arg("use_kt"):
        return "KTransformers"
    return "Megatron" if any(r.given(name) for name in MEGATRON_KEYS) else None


GROWS_BY = ("resize_vocab", "add_tokens", "add_special_tokens", "new_special_tokens")
"""What gives the embedding new rows."""


def _modules_to_save(r: View) -> list[str]:
    """Beside a new adapter, LLaMA-Factory trains the layers of a vocabulary that grows by itself."""
    named: list[str] = hf_script.modules("additional_target")(r)
    if named or r.method not in hf_script.LORA:
        return named
    return ["embed_tokens", "lm_head"] if any(r.given(name) and r.arg(name) for name in GROWS_BY) else []


def _offload(r: View) -> str:
    return "parameters" if r.arg("use_kt") else hf_trainer.offload(r)


def _compares_with_none(r: View) -> bool:
    return r.stage == "dpo" and r.arg("pref_loss") in ("orpo", "simpo")


def _fused_loss(r: View) -> bool:
    """Liger's kernels leave the logits to every loss but that of plain training."""
    return r.stage in ("pt", "sft") and activations.fused_loss(r)


def _logit_bytes(r: View) -> float:
    """A reward model is a language model with a head beside its own, whose logits are made, in both widths, and not used."""
    return 6.0 if r.stage == "rm" else activations.logit_bytes(r)


def _tokens_per_micro_step(r: View) -> int:
    """PPO has the answers after the prompts."""
    more = r.per_device_train_batch_size * r.arg("max_new_tokens") if r.stage == "ppo" else 0
    return int(activations.tokens_per_micro_step(r) + more)


def _reward_parameters(r: View) -> int:
    """As an adapter, or behind an address, it is none of its own."""
    if r.stage != "ppo":
        return companions.reward_parameters(r)
    return companions.named_size(r, r.arg("reward_model")) if r.arg("reward_model_type") == "full" else 0


def _reference_model(r: View) -> bool:
    """Loaded for DPO, KTO and PPO but for the losses that need none; with an adapter it is the base, unless another is named."""
    if r.stage not in ("dpo", "kto", "ppo") or _compares_with_none(r):
        return False
    if r.arg("ref_model"):
        raise Unknown(f"the size of {r.arg('ref_model')} is not known", "reference_model")
    return str(r.method) not in hf_script.LORA


OWN_ADAPTER: dict[str, Derivation] = {
    "lora_rank": hf_script.lora("lora_rank"),
    "lora_alpha": lambda r: _alpha(r) if r.method in hf_script.LORA else None,
    "lora_dropout": hf_script.lora("lora_dropout"),
    "target_modules": hf_script.modules("lora_target"),
    "modules_to_save": _modules_to_save,
}
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    "stage": _stage,
    "method": _method,
    "model_name_or_path": arg("model_name_or_path"),
    "tokenizer_name_or_path": arg("model_name_or_path"),
    "sequence_length": arg("cutoff_len"),
    **continued.over(OWN_ADAPTER, _continues),
    "quantization_bits": arg("quantization_bit"),
    "datasets": _data("dataset"),
    "eval_datasets": _data("eval_dataset"),
    "required_columns": _required_columns,
    "eval_data": _eval_data,
    "eval_split": _eval_split,
    "sampled_examples": _sampled,
    "packing": _packing,
    "gradient_checkpointing": lambda r: not r.arg("disable_gradient_checkpointing"),
    "torch_dtype": lambda r: "auto",
    "fp32_copy": lambda r: bool(r.deepspeed) or not r.arg("pure_bf16"),
    "max_samples": arg("max_samples"),
    "optim": _optim,
    "spread_by": _spread_by,
    "offload": _offload,
    "reference_model": _reference_model,
    "critic_parameters": lambda r: 0,
    "reward_parameters": _reward_parameters,
    "memory_rollout": lambda r: 0.0,
    "fused_loss": _fused_loss,
    "comparisons": lambda r: 0 if _compares_with_none(r) else cost.comparisons(r),
    "logit_bytes": _logit_bytes,
    "tokens_per_micro_step": _tokens_per_micro_step,
}
KEYS = {
    "sequence_length": "cutoff_len",
    "target_modules": "lora_target",
    "modules_to_save": "additional_target",
    "quantization_bits": "quantization_bit",
    "datasets": "dataset",
    "eval_data": "val_size",
    "method": "finetuning_type",
    "gradient_checkpointing": "disable_gradient_checkpointing",
    "torch_dtype": None,
    "tokenizer_name_or_path": None,
}


def _is_config(document: Document) -> bool:
    keys = tree.keys(document)
    if {"task", "n_shot"} & keys and "do_train" not in keys:
        return False  # for `llamafactory-cli eval`
    return "finetuning_type" in keys or ("stage" in keys and len(keys & OWN_KEYS) >= 3)


def _read(document: Document, context: Context) -> Run:
    loader: tree.Loader = "json" if document.format == "json" else "omegaconf"
    closed = _is_closed(tree.keys(document))
    return hf_trainer.tree_run(DIALECT, document, context, SCHEMA, loader, from_loaded, closed=closed)


def _is_closed(keys: set[str]) -> bool:
    return not keys & (MEGATRON_KEYS | {"kt_config"})


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    return _checked(_read(document, context)) if _is_config(document) else None


def _checked(run: Run) -> list[Run]:
    _check_datasets(run)
    return [run]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    words = started.words
    if started.name in COMMANDS:
        if not words or words[0].text != "train":
            return None
        words = words[1:]
        started = replace(started, words=words)
    elif started.name != "train.py" and not started.name.startswith("llamafactory"):
        return None
    file = words[0].text if words else None
    if file is not None and file.endswith((".yaml", ".yml", ".json")):
        return _launched_file(document, started, context, file)
    flags = {word.known_prefix.partition("=")[0].lstrip("-") for word in words}
    if not flags & OWN_KEYS - {"dataset_dir"}:
        return None
    return _checked(hf_trainer.command_run(DIALECT, document, started, context, SCHEMA, closed=True))


def _launched_file(document: Document, started: Started, context: Context, file: str) -> list[Run]:
    """The run of a configuration file, with the launch command's overrides and world size."""
    config = hf_script.config_file(document, started, context, file)
    if config is None or not _is_config(config):
        return []
    run = _read(config, context)
    found: dotted.Leaves = {}
    unseen = dotted.override(found, document.source, started.words[1:])
    closed = _is_closed(tree.keys(config) | found.keys())
    given = dotted.arguments(found, run.context["schema"], from_loaded, closed=closed, open_=unseen)
    hf_script.override(run, given)
    (run,) = hf_script.launched(
        run, document, started, context, _processes(started) if started.name in COMMANDS else None
    )
    return _checked(run)


def _processes(started: Started) -> Fact:
    """`llamafactory-cli` starts NPROC_PER_NODE processes on each of NNODES nodes, or one on every visible GPU."""
    environment = started.command.environment
    per_node, nodes = environment.get("NPROC_PER_NODE"), environment.get("NNODES")
    if per_node is None and nodes is None:
        if started.visible_devices.known:
            return started.visible_devices
        reason = "llamafactory-cli starts one process on every visible GPU"
        return Fact("world_size", None, "unknown", Origin("computed", reason), reason, "world_size")
    counts = [word.text if word is not None else "1" for word in (per_node, nodes)]
    if per_node is None or any(text is None or not text.isdigit() for text in counts):
        reason = "NPROC_PER_NODE × NNODES is decided on the machine that runs it"
        return Fact("world_size", None, "unknown", Origin("computed", reason), reason, "world_size")
    if nodes is None:
        return Fact("world_size", int(counts[0] or 1), "known", per_node.origin)
    origin = Origin(
        "computed", f"NPROC_PER_NODE {counts[0]} × NNODES {counts[1]}", None, (per_node.origin, nodes.origin)
    )
    return Fact("world_size", int(counts[0] or 1) * int(counts[1] or 1), "known", origin)


DIALECT = Dialect("llama-factory", "LLaMA-Factory", FACTS, KEYS, _read_command, _read_tree)
