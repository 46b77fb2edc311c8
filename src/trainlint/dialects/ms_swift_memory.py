"""How ms-swift spreads a run over its GPUs, and what it loads beside the model that is trained."""

from __future__ import annotations

from trainlint.derive import activations, companions, sharding
from trainlint.dialects import hf_script, scale
from trainlint.dialects.base import names
from trainlint.facts import Derivation, Unknown, View


def _gpus(r: View) -> int:
    """Where a process sees several GPUs, it spreads its model over them (`device_map`)."""
    if scale.value(r, "device_map"):
        raise Unknown("device_map says where the layers go", "gpus")
    if r.deepspeed or "started" not in r.run.context or "world_size" in r.run.stated:
        return int(r.world_size)
    if r.run.context["started"].command.environment.keys() & {"NPROC_PER_NODE", "NNODES"}:
        visible = r.run.fact("visible_devices")
        return max(r.world_size, r.use("visible_devices", visible)) if visible.known else int(r.world_size)
    visible = r.run.fact("visible_devices")
    if not visible.known:
        raise Unknown("one process spreads the model over all GPUs that it sees", "world_size")
    return int(r.visible_devices)


def _pipeline_parallel_size(r: View) -> int:
    return int(sharding.pipeline_parallel_size(r) * r.gpus // r.world_size)


def _context_parallel_size(r: View) -> int:
    return int(scale.value(r, "sequence_parallel_size", absent=1))


def _sequences_per_example(r: View) -> int:
    """A pack has room for `max_length` tokens, the chosen and the rejected ones together."""
    return 1 if r.packing else activations.sequences_per_example(r)


def _generates(r: View) -> bool:
    return r.stage in ("grpo", "ppo")


def _logit_tokens(r: View) -> int:
    if r.stage != "grpo":
        return int(r.tokens_per_micro_step)
    return int(r.per_device_train_batch_size * r.arg("max_completion_length"))


def _reference_model(r: View) -> bool:
    if not _generates(r):
        return companions.reference_model(r)
    if r.arg("ref_model"):
        raise Unknown(f"the size of {r.arg('ref_model')} is not known", "reference_model")
    return r.method not in hf_script.LORA and not (r.stage == "grpo" and r.arg("beta") == 0)


def _critic_parameters(r: View) -> int:
    if not _generates(r):
        return companions.critic_parameters(r)
    return int(r.model_parameters) if r.stage == "ppo" else 0


def _reward_parameters(r: View) -> int:
    if not _generates(r):
        return companions.reward_parameters(r)
    return sum(companions.named_size(r, name) for name in names(r.arg("reward_model")))


def _engine(r: View) -> tuple[float, float]:
    beside = bool(r.arg("use_vllm")) and r.arg("vllm_mode") == "colocate"
    return companions.vllm(r, beside, bool(r.arg("sleep_level")), "vllm_gpu_memory_utilization")


def _generation(r: View) -> float:
    """The model and its optimizer stay beside the engine, unless they are offloaded for that long."""
    if r.stage != "grpo":
        return 0.0
    model = () if r.arg("offload_model") else ("weights", "reference")
    states = () if r.arg("offload_optimizer") else ("optimizer",)
    return companions.while_generating(r, _engine(r)[1], (*model, *states))


FACTS: dict[str, Derivation] = {
    "gpus": _gpus,
    "pipeline_parallel_size": _pipeline_parallel_size,
    "micro_batches_in_flight": lambda r: 1,
    "context_parallel_size": _context_parallel_size,
    "data_parallel_size": lambda r: scale.count(r.world_size, r.context_parallel_size),
    "effective_batch_size": scale.made_of_replicas,
    "sequences_per_example": _sequences_per_example,
    "answers_per_prompt": lambda r: (
        int(r.arg("num_generations") * scale.value(r, "num_iterations", absent=1)) if r.stage == "grpo" else 1
    ),
    "logit_tokens": _logit_tokens,
    "reference_model": _reference_model,
    "critic_parameters": _critic_parameters,
    "reward_parameters": _reward_parameters,
    "memory_rollout": lambda r: (
        _engine(r)[0] if r.stage == "grpo" else 0.0 if _generates(r) else companions.memory_rollout(r)
    ),
    "memory_generation": _generation,
}
