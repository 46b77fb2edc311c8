"""Whether the processes of a launch meet, and whether Slurm gives them what they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlint.dialects.launchers import Options, Started
from trainlint.document import Document, Word
from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.ruleset.file import Case, Rule
from trainlint.text import Location

TORCHRUN = ("torchrun", "torch.distributed.run", "torch.distributed.launch")
HERE = ("localhost", "127.0.0.1")


def machines_do_not_meet(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """torchrun on several machines that each wait on themselves."""
    for launch in launches:
        started: Started | None = launch.first.context.get("started")
        options = _torchrun(started)
        if started is None or options is None:
            continue
        nodes = options.number("--nnodes", default=1)
        if not nodes.known or nodes.value < 2 or options.open or "PET_MASTER_ADDR" in started.command.environment:
            continue
        cause = _waits_on_itself(options)
        if cause is not None:
            word, said = cause
            at = Location(document.source, (word or options.given["--nnodes"]).span)
            message = f"{said} with --nnodes {nodes.value}: each machine waits for the others on itself"
            yield _finding(rule, rule.cases[0], message, at)


def _torchrun(started: Started | None) -> Options | None:
    if started is None or started.launcher != "torchrun":
        return None
    words = started.command.words
    first = next((i for i, word in enumerate(words) if (word.text or "").rpartition("/")[2] in TORCHRUN), None)
    return None if first is None else Options("torchrun", words[first + 1 :])


def _waits_on_itself(options: Options) -> tuple[Word | None, str] | None:
    if "--standalone" in options:
        return options.given["--standalone"], "--standalone"
    rank = options.given.get("--node-rank")
    if rank is None or rank.text == "0":
        return None  # the first machine may call itself so
    backend, endpoint = options.given.get("--rdzv-backend"), options.given.get("--rdzv-endpoint")
    if endpoint is not None:
        host = (endpoint.text or "").partition(":")[0]
        return (endpoint, f"--rdzv-endpoint {endpoint.text}") if host in HERE else None
    if backend is not None and backend.text != "static":
        return None
    address = options.given.get("--master-addr")
    if address is None:
        return None, "no --master_addr, which is 127.0.0.1 then (MASTER_ADDR of the environment is not read),"
    return (address, f"--master_addr {address.text}") if address.text in HERE else None


# ------------------------------------------------------------------------------------------------------------ Slurm

UNREAD, UNEXPANDED, TASKS, GPUS, IDLE = range(5)
"""The cases of `launch/slurm`, in the order of the page."""
GPU_COUNTS = re.compile(r"--(?:gpus-per-node|gres)[= ]+(?:gpu:)?(?:[A-Za-z][\w.-]*:)?(\d+)(?:\s|$)")
TASK_COUNTS = re.compile(r"--ntasks-per-node[= ]+(\d+)")


def slurm(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """The `#SBATCH` lines of a script against sbatch's way to read them, and against what torchrun starts."""
    if not launches or not document.headers:
        return
    first = _first_command(document)
    for text, at in document.headers:
        if at.start.line > first:
            message = f"#SBATCH {text} stands below the first command: sbatch does not read it"
            yield _finding(rule, rule.cases[UNREAD], message, at)
        elif re.search(r"\$[{A-Za-z]", text):
            option = text.replace("=", " ").split()[0]
            message = f"the variable in #SBATCH {option} stays as it is written: sbatch puts no values in"
            yield _finding(rule, rule.cases[UNEXPANDED], message, at)
    read = [(text, at) for text, at in document.headers if at.start.line < first]
    for launch in launches:
        found = _against(rule, read, launch.first.context.get("started"))
        if found is not None:
            yield found
            return


def _first_command(document: Document) -> int:
    lines = document.source.text.splitlines()
    return next(
        (number for number, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")),
        len(lines) + 1,
    )


def _against(rule: Rule, headers: list[tuple[str, Location]], started: Started | None) -> Finding | None:
    """What torchrun starts on one machine, against the tasks and the GPUs that Slurm gives there."""
    options = _torchrun(started)
    if options is None or started is None:
        return None
    processes = options.number("--nproc-per-node", default=1)
    if not processes.known:
        return None
    tasks, gpus = _counted(TASK_COUNTS, headers), _counted(GPU_COUNTS, headers)
    before = [word.known_prefix for word in started.command.words if word.span.start < started.program.span.start]
    if tasks and tasks[0] > 1 and before[0] == "srun" and processes.value > 1 and not _tasks_of_its_own(before):
        message = f"{tasks[0]} tasks on a machine, each of which starts torchrun with {processes.value} processes"
        return _finding(rule, rule.cases[TASKS], message, tasks[1])
    if gpus and processes.value > gpus[0]:
        message = f"torchrun starts {processes.value} processes on a machine of which Slurm gives {gpus[0]} GPUs"
        return _finding(rule, rule.cases[GPUS], message, gpus[1])
    if gpus and processes.value < gpus[0] and before[0] in ("srun", *TORCHRUN):
        message = f"Slurm gives {gpus[0]} GPUs on a machine, and torchrun starts {processes.value} processes"
        return _finding(rule, rule.cases[IDLE], message, gpus[1])
    return None


def _tasks_of_its_own(words: list[str]) -> bool:
    return any(word.startswith(("--ntasks", "-n")) for word in words if not word.startswith(("--nproc", "--nnodes")))


def _counted(pattern: re.Pattern[str], headers: list[tuple[str, Location]]) -> tuple[int, Location] | None:
    found = [(int(match[1]), at) for text, at in headers if (match := pattern.search(text))]
    return found[-1] if found else None


def _finding(rule: Rule, case: Case, message: str, at: Location) -> Finding:
    return Finding(rule.id, case.severity, "high", message, at, case.advice.source, (), None, rule.why)
