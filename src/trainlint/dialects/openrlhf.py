"""OpenRLHF: `-m openrlhf.cli.train_*`. Up to 0.9 the flags are plain (`--learning_rate`), from 0.10 on dotted (`--adam.lr`)."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from trainlint.derive import activations, companions
from trainlint.dialects import argv, declared, scale
from trainlint.dialects.base import Context, Dialect, from_command, names
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Derivation, Run, Unknown, View

MODULE = re.compile(r"(?:openrlhf\.cli\.)?(train_(?:sft|dpo|rm|kto|prm|kd|ppo_ray))(?:\.py)?")
STAGES = {
    "train_sft": "sft",
    "train_dpo": "dpo",
    "train_rm": "rm",
    "train_kto": "kto",
    "train_prm": "rm",
    "train_kd": "kd",
}
ESTIMATORS = {"gae": "ppo", "group_norm": "grpo", "dr_grpo": "grpo"}
MARKS = frozenset(
    {
        "micro_train_batch_size",
        "train.micro_batch_size",
        "train_batch_size",
        "train.batch_size",
        "pretrain",
        "zero_stage",
    }
)
NAMES: dict[str, tuple[str, ...]] = {
    "learning_rate": ("adam.lr", "actor.adam.lr", "learning_rate", "actor_learning_rate"),
    "per_device_train_batch_size": ("train.micro_batch_size", "micro_train_batch_size"),
    "effective_batch_size": ("train.batch_size", "train_batch_size"),
    "num_train_epochs": ("train.max_epochs", "max_epochs"),
    "sequence_length": ("data.max_len", "max_len"),
    "lr_scheduler_type": ("lr_scheduler", "actor.lr_scheduler"),
    "warmup_ratio": ("lr_warmup_ratio", "actor.lr_warmup_ratio"),
    "weight_decay": ("adam.weight_decay", "actor.adam.weight_decay", "l2"),
    "max_grad_norm": ("max_norm", "actor.max_norm"),
    "zero_stage": ("ds.zero_stage", "zero_stage"),
    "lora_rank": ("ds.lora.rank", "lora_rank"),
    "lora_alpha": ("ds.lora.alpha", "lora_alpha"),
    "lora_dropout": ("ds.lora.dropout", "lora_dropout"),
    "target_modules": ("ds.lora.target_modules", "target_modules"),
    "save_steps": ("ckpt.save_steps", "save_steps"),
    "eval_steps": ("eval.steps", "eval_steps"),
    "seed": ("train.seed", "seed"),
    "output_dir": ("ckpt.output_dir", "save_path"),
    "model_name_or_path": ("model.model_name_or_path", "actor.model_name_or_path", "pretrain"),
    "datasets": ("data.dataset", "data.prompt_dataset", "dataset", "prompt_data"),
    "max_samples": ("data.max_samples", "max_samples"),
    "packing": ("ds.packing_samples", "packing_samples"),
    "gradient_checkpointing": (
        "model.gradient_checkpointing_enable", "actor.gradient_checkpointing_enable", "gradient_checkpointing",
    ),
    "load_in_4bit": ("ds.load_in_4bit", "load_in_4bit"),
    "optim": ("optim", "actor.optim"),
    "adam_offload": ("ds.adam_offload", "adam_offload"),
    "param_dtype": ("ds.param_dtype",),
    "bf16": ("bf16",),
    "advantage_estimator": ("algo.advantage.estimator", "advantage_estimator"),
    "actor_nodes": ("actor.num_nodes", "actor_num_nodes"),
    "actor_gpus": ("actor.num_gpus_per_node", "actor_num_gpus_per_node"),
    "tensor_parallel_size": ("ds.tensor_parallel_size", "ds_tensor_parallel_size"),
    "ring_attn_size": ("ds.ring_attn_size", "ring_attn_size"),
    "colocate_all": ("train.colocate_all", "colocate_all_models"),
    "colocate_reference": ("train.colocate_actor_ref", "colocate_actor_ref"),
    "states_sleep": ("ds.enable_sleep", "deepspeed_enable_sleep"),
    "kl_coef": ("algo.kl.init_coef", "init_kl_coef"),
    "critic": ("critic.model_name_or_path", "critic_pretrain"),
    "reward": ("reward.model_name_or_path", "reward_pretrain"),
    "reference_offload": ("ref.offload", "ref_reward_offload"),
    "reward_offload": ("reward.offload", "ref_reward_offload"),
    "engines": ("vllm.num_engines", "vllm_num_engines"),
    "engine_apart": ("train.async_enable", "async_train"),
    "engine_sleeps": ("vllm.enable_sleep", "vllm_enable_sleep"),
    "engine_share": ("vllm.gpu_memory_utilization", "vllm_gpu_memory_utilization"),
    "dynamic_batch": ("train.dynamic_batch_enable", "use_dynamic_batch"),
    "tokens_per_gpu": ("train.max_tokens_per_gpu", "train_max_tokens_per_gpu"),
}  # fmt: skip
"""What the two generations of flags call a fact, the newer first."""


@cache
def schema(command: str) -> Schema:
    return Schema(f"openrlhf:{command}")


def _is_new(arguments: Arguments) -> bool:
    return any("." in name for name in arguments.given)


def _name(run: Run, fact: str) -> str | None:
    """The argument's name in the generation of flags that the command speaks."""
    table: Schema = run.context["schema"]
    new = run.context["new"]
    known = [name for name in NAMES[fact] if name in table]
    given = [name for name in known if name in run.arguments.given]
    fitting = [name for name in known if ("." in name) == new]
    return next(iter([*given, *fitting, *known]), None)


def _arg(fact: str, absent: Any = None) -> Derivation:
    def derive(r: View) -> Any:
        name = _name(r.run, fact)
        return absent if name is None else r.arg(name)

    return derive


def _stage(r: View) -> str:
    command = r.run.context["command"]
    if command == "train_ppo_ray":
        estimator = str(_arg("advantage_estimator", "gae")(r))
        return ESTIMATORS.get(estimator, estimator)
    for name in ("pretrain_mode", "model.pretrain_mode_enable"):
        if r.given(name) and r.arg(name):
            return "pt"
    return STAGES[command]


def _method(r: View) -> str:
    if not _arg("lora_rank", 0)(r):
        return "full"
    return "qlora" if _arg("load_in_4bit")(r) else "lora"


def _adapter(fact: str) -> Derivation:
    return lambda r: _arg(fact)(r) if r.method != "full" else None


def _world_size(r: View) -> int:
    """Of the actor, where Ray places the models; else what the launcher starts."""
    if r.run.context["command"] == "train_ppo_ray":
        return int(_arg("actor_nodes", 1)(r) * _arg("actor_gpus", 8)(r))
    return int(r.use("launcher.world_size", r.run.context["started"].processes))


def _replicas(r: View) -> int:
    shared = int(_arg("tensor_parallel_size", 1)(r) or 1) * int(_arg("ring_attn_size", 1)(r) or 1)
    return scale.count(r.world_size, shared)


def _precision(r: View) -> str:
    if r.run.context["new"]:
        return str(_arg("param_dtype", "bf16")(r))
    return "bf16" if _arg("bf16")(r) else "no"


def _interval(fact: str) -> Derivation:
    """-1 is never on the way."""

    def derive(r: View) -> Any:
        steps = _arg(fact)(r)
        return int(steps) if steps and steps > 0 else None

    return derive


def _datasets(r: View) -> list[str]:
    found = names(_arg("datasets")(r))
    if not found:
        raise Unknown("no dataset is named", "datasets")
    return found


def _generates(r: View) -> bool:
    return bool(r.run.context["command"] == "train_ppo_ray")


def _sequence_length(r: View) -> int:
    length = _arg("sequence_length")(r)
    return int(length if length is not None else r.arg("prompt_max_len") + r.arg("generate_max_len"))


def _tokens_per_micro_step(r: View) -> int:
    if _arg("dynamic_batch")(r):
        return int(_arg("tokens_per_gpu")(r))
    return activations.tokens_per_micro_step(r)


def _reference_model(r: View) -> bool:
    """A copy even beside an adapter; none where nothing pulls towards it."""
    return bool(_arg("kl_coef")(r)) if _generates(r) else r.stage in ("dpo", "kto")


def _memory_reference(r: View) -> float:
    """Reinforcement learning has it on GPUs of its own, unless it is put beside the actor."""
    beside = not _generates(r) or _arg("colocate_all")(r) or _arg("colocate_reference")(r)
    return companions.memory_reference(r) if beside and not _arg("reference_offload")(r) else 0.0


def _critic_parameters(r: View) -> int:
    if r.stage != "ppo":
        return 0
    return companions.named_size(r, _arg("critic")(r) or _arg("reward")(r) or r.model_name_or_path)


def _memory_critic(r: View) -> float:
    """On GPUs of its own, or beside the actor, where it may leave while the actor is trained."""
    beside = _arg("colocate_all")(r) and not _arg("states_sleep")(r)
    return companions.memory_critic(r) if beside else 0.0


def _reward_parameters(r: View) -> int:
    return companions.named_size(r, _arg("reward")(r)) if _generates(r) else 0


def _memory_reward(r: View) -> float:
    return companions.memory_reward(r) if _arg("colocate_all")(r) and not _arg("reward_offload")(r) else 0.0


def _engine(r: View) -> tuple[float, float]:
    together = _generates(r) and _arg("colocate_all")(r) and not _arg("engine_apart")(r)
    beside = bool(together and _arg("engines")(r))
    name = _name(r.run, "engine_share") or ""
    return companions.vllm(r, beside, bool(_arg("engine_sleeps")(r)), name)


def _generation(r: View) -> float:
    """Beside the engine stays what is trained, unless its states sleep, too."""
    stays = () if _arg("states_sleep")(r) else ("weights", "optimizer")
    return companions.while_generating(r, _engine(r)[1], stays)


def _warmup_steps(r: View) -> int:
    ratio = r.warmup_ratio
    return int(-(-ratio * r.total_steps // 1)) if ratio else 0


FACTS: dict[str, Derivation] = {
    **scale.FACTS,
    "stage": _stage,
    "method": _method,
    "world_size": _world_size,
    "data_parallel_size": _replicas,
    "tensor_parallel_size": lambda r: int(_arg("tensor_parallel_size", 1)(r) or 1),
    "context_parallel_size": lambda r: int(_arg("ring_attn_size", 1)(r) or 1),
    "tokens_per_micro_step": _tokens_per_micro_step,
    "reference_model": _reference_model,
    "memory_reference": _memory_reference,
    "critic_parameters": _critic_parameters,
    "memory_critic": _memory_critic,
    "reward_parameters": _reward_parameters,
    "memory_reward": _memory_reward,
    "memory_rollout": lambda r: _engine(r)[0],
    "memory_generation": _generation,
    **{fact: _arg(fact) for fact in ("learning_rate", "per_device_train_batch_size", "effective_batch_size", "num_train_epochs",
       "lr_scheduler_type", "weight_decay", "max_grad_norm", "zero_stage", "seed", "output_dir",
       "model_name_or_path", "max_samples", "packing", "gradient_checkpointing")},
    "sequence_length": _sequence_length,
    "warmup_ratio": lambda r: float(_arg("warmup_ratio")(r) or 0.0),
    "warmup_steps": _warmup_steps,
    "gradient_accumulation_steps": scale.accumulated,
    "optim": lambda r: str(_arg("optim", "adam")(r)),
    "mixed_precision": _precision,
    "lora_rank": _adapter("lora_rank"),
    "lora_alpha": _adapter("lora_alpha"),
    "lora_dropout": _adapter("lora_dropout"),
    "target_modules": lambda r: names(_arg("target_modules")(r)) if r.method != "full" else [],
    "quantization_bits": lambda r: 4 if _arg("load_in_4bit")(r) else None,
    "datasets": _datasets,
    "save_strategy": lambda r: "steps" if r.save_steps else "no",
    "save_steps": _interval("save_steps"),
    "eval_strategy": lambda r: "steps" if r.eval_steps else "no",
    "eval_steps": _interval("eval_steps"),
    "deepspeed": lambda r: "OpenRLHF's own",
    "offload": lambda r: "optimizer" if _arg("adam_offload")(r) else "none",
    "torch_dtype": lambda r: "auto",
}  # fmt: skip


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    match = MODULE.fullmatch(started.name)
    if match is None:
        return None
    command = match[1]
    known, closed = declared.extend(schema(command), document, started, context, True)
    arguments = argv.read(document.source, started.words, known, closed=closed)
    if not started.name.startswith("openrlhf.") and not set(arguments.given) & MARKS:
        return None
    run = from_command(DIALECT, document, started, context, arguments, known, command=command, new=_is_new(arguments))
    run.spell = lambda fact: f"--{(_name(run, fact) if fact in NAMES else None) or fact}"
    return [run]


DIALECT = Dialect("openrlhf", "OpenRLHF", FACTS, {}, _read_command)
