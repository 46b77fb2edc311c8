"""What the environment of a launch and the script around it do to a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from trainlint.document import Document
from trainlint.facts import Launch, Run
from trainlint.findings import Finding
from trainlint.ruleset.file import Rule
from trainlint.text import Location

LEFT_ON = (
    ("CUDA_LAUNCH_BLOCKING", ("1",), 0, "the CPU waits for every kernel of the GPU"),
    ("TORCH_DISTRIBUTED_DEBUG", ("DETAIL",), 1, "every collective operation is checked against all processes first"),
    ("TORCHDYNAMO_DISABLE", ("1",), 1, "nothing is compiled, whatever torch_compile says"),
    ("NCCL_P2P_DISABLE", ("1",), 1, "the GPUs of a machine talk through its memory, not through NVLink"),
    ("NCCL_IB_DISABLE", ("1",), 1, "the machines talk over Ethernet, not over InfiniBand"),
)
"""Variables, the values that slow a run down, the case of the page, and what they do."""

REASON = re.compile(r"#(?:[ \t]+[^\s=]+){4,}[ \t]*\n[^\n]*\Z")
"""A line of words above it: somebody knows why it stands there."""


def debugging_left_on(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """One finding for each variable of a file, however many launches it starts."""
    told = set()
    for launch in launches:
        started = launch.first.context.get("started")
        environment = started.command.environment if started is not None else {}
        for name, slow, number, effect in LEFT_ON:
            word = environment.get(name)
            if word is None or (word.text or "").upper() not in slow or name in told:
                continue
            told.add(name)
            at = word.origin.literal or Location(document.source, word.span)
            if REASON.search(at.source.text[: at.span.start]):
                continue
            case = rule.cases[number]
            message = f"{name}={word.text} is left on: {effect}"
            yield Finding(rule.id, case.severity, "high", message, at, case.advice.source, (), None, rule.why)


ERREXIT = re.compile(r"(?m)^\s*set\s+(?:-\w*e|-o\s+errexit|.*\s-o\s+errexit)|\A#!\S*sh\s+-\w*e")
PIPEFAIL = re.compile(r"(?m)^\s*set\s+.*pipefail")
REDIRECTION = r"\s*(?:\d*(?:>>?|>&|&>)\s*\S+\s*)*"
PIPED = re.compile(REDIRECTION + r"\|(?!\|)")
GUARDED = re.compile(REDIRECTION + r"(?:&&|\|\||&\s*$)", re.MULTILINE)


def failure_unnoticed(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """A training that goes on from what another one of the script should have written, whether or not it did."""
    if document.format != "shell":
        return
    text = document.source.text
    for before, after in pairwise(launches):
        written = _text(before.first, "output_dir")
        if not written or written.strip("/.") == "" or not _goes_on_from(after.first, written):
            continue
        started = before.first.context.get("started")
        if started is None or after.at.start.line <= before.at.start.line:
            continue
        rest = text[started.command.span.end :]
        piped = PIPED.match(rest) is not None and not PIPEFAIL.search(text)
        if GUARDED.match(rest) or (ERREXIT.search(text) and not piped):
            continue
        case = rule.cases[0]
        through = ", and the pipe behind it hides how it ended" if piped else ""
        message = f"this starts from {written} even where the training that writes it has failed{through}"
        yield Finding(rule.id, case.severity, "high", message, after.at, case.advice.source, (), None, rule.why)


def _goes_on_from(run: Run, directory: str) -> bool:
    starts = (_text(run, "model_name_or_path"), _text(run, "adapter_name_or_path"))
    return any(start == directory or start.startswith(directory.rstrip("/") + "/") for start in starts if start)


def _text(run: Run, name: str) -> str:
    fact = run.fact(name)
    fact = fact if fact.known else run.argument(name)
    return fact.value if fact.known and isinstance(fact.value, str) else ""
