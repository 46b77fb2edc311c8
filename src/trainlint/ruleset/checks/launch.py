"""What is wrong with a launch as such."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlint.document import Document
from trainlint.facts import PLACEHOLDER, Launch
from trainlint.findings import Finding, Related
from trainlint.ruleset.checks.document import problems
from trainlint.ruleset.file import Rule
from trainlint.text import Location

TEXTS = re.compile("token|template|format|prompt|instruction|system")
"""Arguments whose texts have `<…>` in them for good: special tokens, templates."""


def placeholders(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One note for a file: the values that are still those of a template. A template of a whole file is its own note."""
    for finding in problems(rule, document, launches):
        yield finding
        return
    found: dict[str, Location] = {}
    for launch in launches:
        for argument in launch.first.arguments.given.values():
            value = argument.value
            if argument.unknown is not None or TEXTS.search(argument.name):
                continue
            if isinstance(value, str) and PLACEHOLDER.search(value):
                found.setdefault(value, argument.origin.literal or argument.at)
    if not found:
        return
    case = rule.cases[0]
    (first, at), *rest = found.items()
    more = f" and {len(rest)} more" if rest else ""
    message = f"{first}{more} still to be filled in: what depends on the real value was not judged"
    related = tuple(Related(value, place) for value, place in rest[:8])
    yield Finding(rule.id, case.severity, "high", message, at, case.advice.source, related, None, rule.why)


SEEDS = ("seed", "data_seed", "random_seed")
CHANGES = ("RANDOM", "SECONDS", "date", "process id")
"""What the reason of an unknown value names where it comes from the clock or from chance."""


RANKS = frozenset(
    {"RANK", "LOCAL_RANK", "NODE_RANK", "MACHINE_RANK", "GROUP_RANK", "SLURM_PROCID", "SLURM_NODEID", "SLURM_LOCALID",
     "OMPI_COMM_WORLD_RANK", "PMI_RANK"}
)  # fmt: skip
"""Variables that hold another number on each machine or for each process."""


def random_seed(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """A seed that the shell makes up when the run starts. Several machines each make up their own: the first case."""
    for launch in launches:
        for name in SEEDS:
            argument = launch.first.arguments.given.get(name)
            if argument is None or argument.unknown is None:
                continue
            if any(word in argument.unknown for word in CHANGES):
                many = _machines(launch) > 1
                own = ", and each machine makes up its own" if many else ""
                message = f"{argument.key.text} is made up when the run starts{own}"
            elif (rank := _rank(argument.unknown)) is not None and _together(launch):
                many, message = True, f"{argument.key.text} is made of ${rank}, so each machine has its own"
            else:
                continue
            case = rule.cases[0 if many else -1]
            yield Finding(
                rule.id, case.severity, "high", message, argument.at, case.advice.source, (), None, rule.why, name
            )


def _rank(reason: str) -> str | None:
    """Of the variables that an unknown value depends on, the one that numbers machines or processes."""
    return next((word for word in re.findall(r"\w+", reason) if word in RANKS), None)


def _together(launch: Launch) -> bool:
    """Do the processes train one model? Plain python under srun may be a run for each seed."""
    started = launch.first.context.get("started")
    return started is not None and started.launcher != "python"


def _machines(launch: Launch) -> int:
    """As the launcher states it; 1 where it does not."""
    started = launch.first.context.get("started")
    if started is None:
        return 1
    nodes = [fact for fact in started.processes.reads if fact.name in ("nnodes", "num-nodes") and fact.known]
    return int(nodes[0].value) if nodes else 1


def device_selection(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """deepspeed's options that exclude each other (first case), and the variable that one of them overrules (last case)."""
    for launch in launches:
        started = launch.first.context.get("started")
        if started is None or started.launcher != "deepspeed":
            continue
        own = {
            word.known_prefix.partition("=")[0].replace("_", "-"): Location(document.source, word.span)
            for word in started.command.words
            if word.span.start < started.program.span.start
        }
        chosen = next((name for name in ("--include", "-i", "--exclude", "-e") if name in own), None)
        counted = next((name for name in ("--num-gpus", "--num-nodes") if name in own), None)
        if chosen and counted:
            case, message = (
                rule.cases[0],
                f"{own[counted].text} beside {own[chosen].text}: deepspeed stops with a ValueError",
            )
        elif chosen in ("--include", "-i") and "CUDA_VISIBLE_DEVICES" in started.command.environment:
            case, message = rule.cases[-1], "CUDA_VISIBLE_DEVICES has no effect: deepspeed takes the GPUs of --include"
        else:
            continue
        yield Finding(rule.id, case.severity, "high", message, own[chosen], case.advice.source, (), None, rule.why)
