"""What a run loads beside the model that it trains: one to compare with, a critic, a judge, an engine that generates. In GiB."""

from __future__ import annotations

from collections.abc import Iterable

from trainlint.derive.activations import GIB
from trainlint.derive.model import size_of
from trainlint.derive.sharding import shares_of_fullest
from trainlint.facts import Unknown, View

FROZEN = ("lora", "qlora")
COMPARED = frozenset({"dpo", "ipo", "kto"})
"""Stages that compare the model with what it was before."""
ALONE = frozenset({"pt", "sft", "scratch", "orpo", "simpo", "cpo", "rm"})
"""Stages that need nothing beside the model."""
WITHOUT_REFERENCE = ("precompute_ref_log_probs", "reference_free", "ref_model_init_kwargs", "ref_model")
"""Settings that may spare the copy to compare with, or make it another model."""


def _understood(r: View, wanted: str) -> None:
    """Raises `Unknown` for reinforcement learning and distillation, of which the dialect has to know."""
    if r.stage not in ALONE | COMPARED:
        raise Unknown(f"what {r.stage} keeps in memory beside the model is not known", wanted)


def reference_model(r: View) -> bool:
    """Adapters are switched off to get the model as it was; in full training a second copy is loaded."""
    for name in WITHOUT_REFERENCE:
        if r.given(name) and r.arg(name):
            raise Unknown(f"whether a copy of the model stays loaded with {name} is not known", "reference_model")
    _understood(r, "reference_model")
    return r.stage in COMPARED and r.method not in FROZEN


def critic_parameters(r: View) -> int:
    _understood(r, "critic_parameters")
    return 0


def reward_parameters(r: View) -> int:
    _understood(r, "reward_parameters")
    return 0


def memory_rollout(r: View) -> float:
    _understood(r, "memory_rollout")
    return 0.0


def memory_generation(r: View) -> float:
    return 0.0


def memory_reference(r: View) -> float:
    """16 bits wide, unless weights are loaded in 32."""
    if not r.reference_model or r.offload == "parameters":
        return 0.0
    width = 4 if r.torch_dtype == "float32" and not r.deepspeed else 2
    return float(r.model_parameters * width / shares_of_fullest(r, 3) / GIB)


def memory_critic(r: View) -> float:
    """A critic is trained as the model is."""
    if not r.critic_parameters:
        return 0.0
    trained = r.memory_weights + r.memory_gradients + r.memory_optimizer
    return float(trained * r.critic_parameters / r.model_parameters)


def memory_reward(r: View) -> float:
    """The model that judges answers is not trained; 16 bits wide."""
    if not r.reward_parameters:
        return 0.0
    return float(2 * r.reward_parameters / shares_of_fullest(r, 3) / GIB)


# ------------------------------------------------------------------------------------------------- what frameworks share


def named_size(r: View, name: object) -> int:
    """Parameters of another model of the run, by its name; none where there is none."""
    return size_of(r, str(name)) if name else 0


def while_generating(r: View, engine: float, stays: Iterable[str]) -> float:
    """What the engine takes, and the parts of the model that stay beside it; nothing where there is none."""
    return engine + sum(getattr(r, f"memory_{part}") for part in stays) if engine else 0.0


def vllm(r: View, beside: bool, asleep: bool, share: str) -> tuple[float, float]:
    """GiB that vLLM holds while the model is trained, and while it generates; `share` is the argument for its part of the GPU.

    On the same GPUs it takes its share at the start and keeps it, unless it is put to sleep.
    """
    if not beside:
        return 0.0, 0.0
    taken = float(r.arg(share) * r.gpu_memory)
    return (0.0, taken) if asleep else (taken, taken)
