"""verl: Hydra overrides `a.b=c`, `+a.b=c`, `~a.b` behind `verl.trainer.main_ppo` and its kin, and its YAML files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from trainlint.dialects import dotted, scale, verl_memory
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree, names
from trainlint.dialects.convert import Rejected, is_number
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema
from trainlint.dialects.verl_memory import ACTOR, is_sft
from trainlint.document import Document, Word
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

MODULE = re.compile(
    r"(?:verl\.trainer\.)?(main_ppo|fsdp_sft_trainer|sft_trainer(?:_ray)?)(?:\.py)?|[\w.]*main\w*(?:\.py)?"
)
PPO, SFT = Schema("verl:ppo", "verl:ppo_megatron"), Schema("verl:sft", "verl:sft_engine")
CONFIG_NAME = re.compile(r"--?(config-name|config-path|cn|cp|config_name|config_path)(?:=|\Z)")
SFT_MARKS = frozenset(
    {"model.partial_pretrain", "data.micro_batch_size_per_gpu", "data.max_length", "optim.lr", "model.path"}
)
USUAL_CHOICE = "fsdp"
"""What the shipped files compose where no `optim=megatron` says otherwise."""
SHIPPED = ("ppo_trainer", "ppo_megatron_trainer", "sft_trainer", "sft_trainer_engine")
OWN = re.compile(r"(actor_rollout_ref|critic|algorithm|reward_model)\.")


def _either(sft: str, ppo: str) -> Derivation:
    return lambda r: r.arg(sft if is_sft(r) else ppo)


def _first(*options: str) -> Derivation:
    """The first of several generations' names that is given, else the default of the first."""
    return arg(*options)


def _stage(r: View) -> str:
    if is_sft(r):
        return "sft"
    estimator = str(r.arg("algorithm.adv_estimator"))
    return "ppo" if estimator == "gae" else estimator


def _rank(r: View) -> int:
    return int((r.arg("model.lora_rank") if is_sft(r) else r.arg("actor_rollout_ref.model.lora_rank")) or 0)


def _adapter(name: str) -> Derivation:
    return lambda r: _either(f"model.{name}", f"actor_rollout_ref.model.{name}")(r) if r.method != "full" else None


def _per_device(r: View) -> int:
    micro = (
        _first("data.micro_batch_size_per_gpu", "data.micro_batch_size")(r)
        if is_sft(r)
        else r.arg(f"{ACTOR}.ppo_micro_batch_size_per_gpu")
    )
    if micro is None:
        raise Unknown("no micro-batch size per GPU is set", "per_device_train_batch_size")
    return int(micro)


def _effective_batch_size(r: View) -> int:
    """For PPO and its kin: the answers of one optimizer step, several to each prompt."""
    if is_sft(r):
        return int(r.arg("data.train_batch_size"))
    return int(r.arg(f"{ACTOR}.ppo_mini_batch_size") * r.arg("actor_rollout_ref.rollout.n"))


def _sequence_length(r: View) -> int:
    if is_sft(r):
        return int(r.arg("data.max_length"))
    return int(r.arg("data.max_prompt_length") + r.arg("data.max_response_length"))


def _world_size(r: View) -> int:
    """Ray places the workers; torchrun starts those of the SFT trainer."""
    started = r.run.context.get("started")
    if is_sft(r) and started is not None:
        return int(r.use("launcher.world_size", started.processes))
    return int(r.arg("trainer.n_gpus_per_node") * r.arg("trainer.nnodes"))


def _max_steps(r: View) -> int | None:
    steps = r.arg("trainer.total_training_steps")
    return int(steps) if steps and steps > 0 else None


def _total_steps(r: View) -> int:
    """Optimizer steps are not the trainer's steps: each of those updates on its batch in mini-batches."""
    if is_sft(r):
        raise Unknown("the length of the data decides", "dataset_examples")
    steps = r.max_steps
    if steps is None:
        steps = r.dataset_examples // r.arg("data.train_batch_size") * r.num_train_epochs
    return int(steps * max(1, r.arg("data.train_batch_size") // r.arg(f"{ACTOR}.ppo_mini_batch_size")))


def _clip(r: View) -> float:
    names_ = ("optim.clip_grad",) if is_sft(r) else (f"{ACTOR}.grad_clip", f"{ACTOR}.optim.clip_grad")
    clip = next((r.arg(name) for name in names_ if r.given(name)), r.arg(names_[0]))
    return 0.0 if clip is None else float(clip)


def _warmup_ratio(r: View) -> float:
    ratio = _either("optim.lr_warmup_steps_ratio", f"{ACTOR}.optim.lr_warmup_steps_ratio")(r)
    return float(ratio or 0.0)


def _warmup_steps(r: View) -> int:
    steps = None if is_sft(r) else scale.value(r, f"{ACTOR}.optim.lr_warmup_steps")
    if steps is not None and steps >= 0:
        return int(steps)
    ratio = r.warmup_ratio
    return math.floor(ratio * r.total_steps) if ratio else 0


def _scheduler(r: View) -> str:
    if is_sft(r):
        return str(arg("optim.lr_scheduler")(r))
    options = (f"{ACTOR}.optim.lr_scheduler_type", f"{ACTOR}.optim.warmup_style")
    return str(next((r.arg(name) for name in options if r.given(name) and r.arg(name)), r.arg(options[0])))


def _datasets(r: View) -> list[str]:
    found = names(r.arg("data.train_files"))
    if not found:
        raise Unknown("data.train_files is not set", "datasets")
    return found


def _model(r: View) -> str:
    if not is_sft(r):
        return str(r.arg("actor_rollout_ref.model.path"))
    return str(_first("model.partial_pretrain", "model.path")(r))


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": lambda r: "lora" if _rank(r) else "full",
    "model_name_or_path": _model,
    "learning_rate": _either("optim.lr", f"{ACTOR}.optim.lr"),
    "lr_scheduler_type": _scheduler,
    "warmup_ratio": _warmup_ratio,
    "warmup_steps": _warmup_steps,
    "per_device_train_batch_size": _per_device,
    "effective_batch_size": _effective_batch_size,
    "data_parallel_size": lambda r: int(r.world_size),
    "gradient_accumulation_steps": scale.accumulated,
    "world_size": _world_size,
    "sequence_length": _sequence_length,
    "num_train_epochs": arg("trainer.total_epochs"),
    "max_steps": _max_steps,
    "total_steps": _total_steps,
    "weight_decay": _either("optim.weight_decay", f"{ACTOR}.optim.weight_decay"),
    "max_grad_norm": _clip,
    "optim": lambda r: "AdamW",
    "mixed_precision": lambda r: "bf16",
    "lora_rank": lambda r: _rank(r) or None,
    "lora_alpha": _adapter("lora_alpha"),
    "target_modules": lambda r: names(_adapter("target_modules")(r)),
    "datasets": _datasets,
    "packing": lambda r: False,
    "eval_strategy": lambda r: "steps" if r.eval_steps else "no",
    "eval_steps": scale.interval("trainer.test_freq"),
    "save_strategy": lambda r: "steps" if r.save_steps else "no",
    "save_steps": scale.interval("trainer.save_freq"),
    "output_dir": arg("trainer.default_local_dir"),
    "gradient_checkpointing": _either(
        "model.enable_gradient_checkpointing", "actor_rollout_ref.model.enable_gradient_checkpointing"
    ),
    "seed": lambda r: scale.value(r, "data.seed", "trainer.seed", absent=None if not is_sft(r) else 1),
    **verl_memory.FACTS,
}
KEYS = {
    "num_train_epochs": "trainer.total_epochs",
    "max_steps": "trainer.total_training_steps",
    "save_steps": "trainer.save_freq",
    "save_strategy": "trainer.save_freq",
    "eval_steps": "trainer.test_freq",
    "eval_strategy": "trainer.test_freq",
    "output_dir": "trainer.default_local_dir",
    "datasets": "data.train_files",
}
SFT_KEYS = {
    "learning_rate": "optim.lr",
    "per_device_train_batch_size": "data.micro_batch_size_per_gpu",
    "effective_batch_size": "data.train_batch_size",
    "gradient_accumulation_steps": "data.train_batch_size",
    "sequence_length": "data.max_length",
    "weight_decay": "optim.weight_decay",
    "max_grad_norm": "optim.clip_grad",
    "warmup_ratio": "optim.lr_warmup_steps_ratio",
    "lora_rank": "model.lora_rank",
    "lora_alpha": "model.lora_alpha",
    "target_modules": "model.target_modules",
    "model_name_or_path": "model.partial_pretrain",
    "gradient_checkpointing": "model.enable_gradient_checkpointing",
}
PPO_KEYS = {
    "learning_rate": f"{ACTOR}.optim.lr",
    "per_device_train_batch_size": f"{ACTOR}.ppo_micro_batch_size_per_gpu",
    "effective_batch_size": f"{ACTOR}.ppo_mini_batch_size",
    "gradient_accumulation_steps": f"{ACTOR}.ppo_mini_batch_size",
    "sequence_length": "data.max_response_length",
    "weight_decay": f"{ACTOR}.optim.weight_decay",
    "max_grad_norm": f"{ACTOR}.grad_clip",
    "warmup_ratio": f"{ACTOR}.optim.lr_warmup_steps_ratio",
    "warmup_steps": f"{ACTOR}.optim.lr_warmup_steps",
    "lora_rank": "actor_rollout_ref.model.lora_rank",
    "lora_alpha": "actor_rollout_ref.model.lora_alpha",
    "target_modules": "actor_rollout_ref.model.target_modules",
    "model_name_or_path": "actor_rollout_ref.model.path",
    "gradient_checkpointing": "actor_rollout_ref.model.enable_gradient_checkpointing",
}


def _speak(run: Run, sft: bool) -> list[Run]:
    own = {**KEYS, **(SFT_KEYS if sft else PPO_KEYS)}
    run.context = {**run.context, "sft": sft}
    run.spell = lambda fact: own.get(fact, fact)
    return [run]


def _is_run(names_: Iterable[str], composed: Any = None) -> bool | None:
    """True: the SFT trainer's settings; False: those of PPO and its kin; None: neither. `composed` is the file's `defaults`."""
    known = set(names_)
    shipped = {str(name) for name in composed or () if not isinstance(name, dict)} & set(SHIPPED)
    if shipped:
        return any("sft" in name for name in shipped)
    if "trainer.total_epochs" in known and "data.train_files" in known and not any(OWN.match(name) for name in known):
        return True
    if any(OWN.match(name) for name in known):
        trains = any(name.startswith((f"{ACTOR}.", "trainer.")) for name in known)
        return False if trains else None
    sections = {name.partition(".")[0] for name in known}
    return (
        True
        if len(SFT_MARKS & known) >= 2 and {"data", "model", "optim"} & sections == {"data", "model", "optim"}
        else None
    )


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    match = MODULE.fullmatch(started.name)
    written = [word.known_prefix.partition("=")[0].lstrip("+~") for word in started.words]
    if match is None or not started.words:
        return None
    sft = match[1] is not None and "sft" in match[1]
    if match[1] is None or not started.name.startswith("verl."):
        marks = sum(1 for name in written if OWN.match(name)) if not sft else len(SFT_MARKS & set(written))
        if marks < 2:
            return None
    config, overrides = _split(started.words)
    found: dotted.Leaves = {}
    open_ = _own_config(found, config, document, started, context) if config else None
    chosen = _chosen(overrides, SFT if sft else PPO)
    more = dotted.override(found, document.source, [word for word in overrides if word not in chosen.values()])
    other = next((f"{name}=… brings settings of its own" for name in chosen), None)
    arguments = _arguments(found, sft, closed=not config and match[1] is not None, open_=open_ or more or other)
    arguments.issues = [issue for issue in arguments.issues if issue.name.partition(".")[0] not in chosen]
    run = from_command(DIALECT, document, started, context, arguments, SFT if sft else PPO, flag="")
    return _speak(run, sft)


def _chosen(overrides: list[Word], schema: Schema) -> dict[str, Word]:
    """By section, the words that put another file than the shipped one there, `optim=megatron`. Nobody knows its keys here."""
    sections = {name.partition(".")[0] for name in schema if "." in name}
    named = ((word.known_prefix.partition("=")[0], word) for word in overrides)
    return {
        name: word for name, word in named if name in sections and not (word.text or "").endswith(f"={USUAL_CHOICE}")
    }


def _numbers(edition: Edition, value: Any) -> Any:
    """Hydra takes any value; a word where the shipped file has a number fails where it is used. Raises `Rejected`."""
    numeric = type(edition.default) in (int, float) and edition.types <= {"int", "float", "None"}
    if numeric and isinstance(value, str) and not is_number(value):
        raise Rejected("type", f"{value!r} is not a number", certain=False)
    return value


def _arguments(found: dotted.Leaves, sft: bool, closed: bool, open_: str | None = None) -> Arguments:
    """What Hydra takes for itself is no setting of the run."""
    dotted.interpolate(found)
    found = {name: leaf for name, leaf in found.items() if name.partition(".")[0] not in ("defaults", "hydra")}
    return dotted.arguments(found, SFT if sft else PPO, _numbers, closed=closed, open_=open_)


def _split(words: tuple[Word, ...]) -> tuple[dict[str, Word], list[Word]]:
    """Hydra's own `--config-name=X`, and the overrides."""
    config: dict[str, Word] = {}
    rest: list[Word] = []
    waiting: str | None = None
    for word in words:
        match = CONFIG_NAME.match(word.known_prefix)
        if match is not None:
            name = {"cn": "config-name", "cp": "config-path"}.get(match[1], match[1].replace("_", "-"))
            waiting = None if match[0].endswith("=") else name
            if waiting is None:
                config[name] = word.after(len(match[0]))
        elif waiting is not None:
            config[waiting], waiting = word, None
        else:
            rest.append(word)
    return config, rest


def _own_config(
    found: dotted.Leaves, config: dict[str, Word], document: Document, started: Started, context: Context
) -> str | None:
    """The keys of the file that `--config-path` and `--config-name` point to; why it cannot be read, if so."""
    folder, name = config.get("config-path"), config.get("config-name")
    if name is None or name.text is None or (folder is not None and folder.text is None):
        return "the configuration is chosen when it runs"
    if folder is None:
        return None if name.text.removesuffix(".yaml") in SHIPPED else f"{name.text} is not on this machine"
    file = f"{folder.text}/{name.text}" + ("" if name.text.endswith(".yaml") else ".yaml")
    try:
        found.update(dotted.leaves(context.open(file, document, started), "omegaconf"))
    except Unknown as missing:
        return missing.reason
    return None


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if document.format != "yaml":
        return None
    found = dotted.leaves(document, "omegaconf")
    sft = _is_run(found, found["defaults"].value if "defaults" in found else None)
    if sft is None:
        return (
            []
            if any(str(leaf.value).startswith("verl.") for name, leaf in found.items() if name == "_target_")
            else None
        )
    arguments = _arguments(found, sft, closed=False)
    run = from_tree(DIALECT, document, context, arguments, SFT if sft else PPO, loader="omegaconf")
    run.derivations = {**run.derivations, "world_size": _world_size}
    return _speak(run, sft)


DIALECT = Dialect("verl", "verl", FACTS, KEYS, _read_command, _read_tree)
