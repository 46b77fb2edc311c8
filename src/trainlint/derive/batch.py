"""How much one optimizer step sees."""

from __future__ import annotations

from trainlint.facts import Unknown, View


def launcher(r: View) -> str:
    """What starts the processes; `none` for a command that needs no launcher."""
    started = r.run.context.get("started")
    if started is None:
        raise Unknown("the launch command is not in this file", "launcher")
    return str(started.launcher or "none")


def processes_per_node(r: View) -> int:
    """What torchrun starts on one machine. Other launchers count the processes of all machines."""
    started = r.run.context.get("started")
    if started is None or started.launcher != "torchrun":
        raise Unknown("only torchrun says how many processes a machine gets", "processes_per_node")
    counts = started.processes.reads or (started.processes,)
    own = next((fact for fact in counts if fact.name == "nproc-per-node"), None)
    if own is None:
        raise Unknown("the number of processes on one machine is not stated", "processes_per_node")
    return int(r.use("processes_per_node", own))


def _some(count: float, name: str) -> int:
    if count < 1:
        raise Unknown("none of its parts may be below 1", name)
    return int(count)


def effective_batch_size(r: View) -> int:
    return _some(r.per_device_train_batch_size * r.gradient_accumulation_steps * r.world_size, "effective_batch_size")


def tokens_per_device_step(r: View) -> int:
    """Tokens that one GPU contributes to an optimizer step; an upper bound where sequences are not packed."""
    tokens = r.per_device_train_batch_size * r.gradient_accumulation_steps * r.sequence_length
    return _some(tokens, "tokens_per_device_step")


def tokens_per_step(r: View) -> int:
    """Tokens of one optimizer step; an upper bound where sequences are not packed."""
    return _some(r.effective_batch_size * r.sequence_length, "tokens_per_step")
