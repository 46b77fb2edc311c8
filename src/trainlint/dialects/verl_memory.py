"""How verl spreads a run over its GPUs, and what shares them with the model that is trained."""

from __future__ import annotations

from trainlint.derive import activations, companions
from trainlint.dialects import scale
from trainlint.facts import Derivation, Unknown, View

ACTOR = "actor_rollout_ref.actor"
WIDTHS = {"fp32": "float32", "bf16": "bfloat16", "bfloat16": "bfloat16", "fp16": "float16"}


def is_sft(r: View) -> bool:
    return bool(r.run.context["sft"])


def _uses_fsdp(r: View) -> bool:
    """Over all GPUs, not within groups of them."""
    strategy = "fsdp" if is_sft(r) else str(r.arg(f"{ACTOR}.strategy"))
    size = scale.value(r, "engine.fsdp_size" if is_sft(r) else f"{ACTOR}.fsdp_config.fsdp_size", absent=-1)
    return strategy.startswith("fsdp") and (size < 1 or size >= r.world_size)


def _torch_dtype(r: View) -> str:
    of_sft = ("engine.model_dtype", "model.fsdp_config.model_dtype")
    names_ = of_sft if is_sft(r) else (f"{ACTOR}.fsdp_config.model_dtype",)
    return WIDTHS.get(str(scale.value(r, *names_, absent="fp32")), "auto")


def _offload(r: View) -> str:
    """What FSDP keeps on the CPU for good; `param_offload` and its kin bring it back for training."""
    if not _uses_fsdp(r):
        raise Unknown("what Megatron keeps on the CPU is not known", "offload")
    names_ = ("engine.offload_policy", "model.fsdp_config.cpu_offload", "model.fsdp_config.offload_params")
    kept = scale.value(r, *names_) if is_sft(r) else scale.value(r, f"{ACTOR}.fsdp_config.offload_policy")
    return "parameters" if kept else "none"


def _sequences_shared(r: View) -> int:
    own = "ulysses_sequence_parallel_size" if is_sft(r) else f"{ACTOR}.ulysses_sequence_parallel_size"
    return int(scale.value(r, own, absent=1))


def _tokens_per_micro_step(r: View) -> int:
    """With `use_dynamic_bsz` as many sequences as come to a number of tokens, which counts for each GPU."""
    if not is_sft(r) and r.arg(f"{ACTOR}.use_dynamic_bsz"):
        return int(r.arg(f"{ACTOR}.ppo_max_token_len_per_gpu"))
    return activations.tokens_per_micro_step(r)


def _reference_model(r: View) -> bool:
    if is_sft(r):
        return False
    compared = r.arg(f"{ACTOR}.use_kl_loss") or r.arg("algorithm.use_kl_in_reward")
    return bool(compared) and r.method == "full"


def _critic_parameters(r: View) -> int:
    if r.stage != "ppo":
        return 0
    if not r.given("critic.model.path"):
        raise Unknown("the critic is not named", "critic_parameters")
    return companions.named_size(r, r.arg("critic.model.path"))


def _memory_critic(r: View) -> float:
    """On the GPU with the actor, unless it leaves while the actor is trained."""
    away = [
        scale.value(r, f"critic.model.fsdp_config.{what}_offload", f"critic.fsdp.{what}_offload")
        for what in ("param", "optimizer")
    ]
    return 0.0 if all(away) else companions.memory_critic(r)


def _held_for_fsdp(r: View) -> float:
    """FSDP workers keep the weights of models that are not trained off the GPU, whatever the file says (`CPUOffload`)."""
    if not r.reference_model and not scale.value(r, "reward_model.enable"):
        return 0.0
    if r.spread_by != "FSDP":
        raise Unknown(f"where {r.spread_by} keeps other models is not known", "memory_reference")
    return 0.0


def _engine(r: View) -> tuple[float, float]:
    """The actor's shards stay beside the engine, unless they are offloaded. It frees its memory after each generation."""
    if is_sft(r) or r.arg("actor_rollout_ref.rollout.name") == "hf":
        return 0.0, 0.0
    asleep = bool(r.arg("actor_rollout_ref.rollout.free_cache_engine"))
    return companions.vllm(r, True, asleep, "actor_rollout_ref.rollout.gpu_memory_utilization")


def _generation(r: View) -> float:
    offloads = {"weights": "param", "optimizer": "optimizer"}
    stays = [part for part, what in offloads.items() if not scale.value(r, f"{ACTOR}.fsdp_config.{what}_offload")]
    return companions.while_generating(r, _engine(r)[1], stays)


FACTS: dict[str, Derivation] = {
    "spread_by": lambda r: "FSDP" if _uses_fsdp(r) else "Megatron or FSDP within groups",
    "zero_stage": lambda r: 0,
    "deepspeed": lambda r: None,
    "offload": _offload,
    "quantization_bits": lambda r: None,
    "torch_dtype": _torch_dtype,
    "context_parallel_size": _sequences_shared,
    "tokens_per_micro_step": _tokens_per_micro_step,
    "fused_loss": lambda r: bool(
        scale.value(r, "actor_rollout_ref.model.use_fused_kernels", f"{ACTOR}.use_fused_kernels")
    ),
    "reference_model": _reference_model,
    "critic_parameters": _critic_parameters,
    "reward_parameters": lambda r: 0,
    "memory_reference": _held_for_fsdp,
    "memory_critic": _memory_critic,
    "memory_rollout": lambda r: _engine(r)[0],
    "memory_generation": _generation,
}
