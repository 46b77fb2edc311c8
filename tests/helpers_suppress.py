"""Findings at given texts, and what suppressions make of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainlint import readers, suppress
from trainlint.findings import Finding
from trainlint.ruleset import catalogue
from trainlint.text import Location, SourceText, Span, apply

RULES = catalogue()
RATE, SEED, STEP, RANK = "lr/too-high-for-step", "arguments/unknown", "batch/tiny-step", "lora/rank-high"
COMMAND = """\
#!/bin/bash
if [ -n "$BIG" ]; then
    {comment}
    CUDA_VISIBLE_DEVICES=0 torchrun --nproc_per_node 1 train.py \\
        --learning_rate 2e-5 \\
        --lora_rank "64
" \\
        --seed 1 | tee log
    torchrun --nproc_per_node 1 train.py --learning_rate 2e-5
fi
"""


def find(source: SourceText, rule: str, text: str, nth: int = 1) -> Finding:
    """A finding at the nth place of `text`."""
    at = -1
    for _ in range(nth):
        at = source.text.index(text, at + 1)
    return at_offset(source, rule, at, len(text))


def at_offset(source: SourceText, rule: str, at: int, length: int = 1) -> Finding:
    return Finding(rule, "warning", "high", f"{rule} says so", Location(source, Span(at, at + length)), "change it")


Flagged = tuple[str, str] | tuple[str, str, int]
"""A rule, the text that it flags, and which place of that text is meant."""


def judge(text: str, found: Iterable[Flagged] = (), name: str = "run.sh", **more: Any) -> suppress.Suppressed:
    """What becomes of findings at the given texts."""
    source = SourceText(name, text)
    findings = [find(source, *each) for each in found]
    return suppress.apply(readers.read(source), findings, RULES, **more)


def hidden(text: str, *found: Flagged, name: str = "run.sh") -> list[bool]:
    """For each finding, whether a comment hides it."""
    result = judge(text, found, name)
    gone = [each.finding for each in result.suppressed]
    source = SourceText(name, text)
    wanted = [find(source, *each) for each in found]
    return [any((g.rule, g.at.span) == (w.rule, w.at.span) for g in gone) for w in wanted]


def extra(text: str, *found: Flagged, name: str = "run.sh", **more: Any) -> list[Finding]:
    return judge(text, found, name, **more).extra


def repaired(text: str, finding: Finding) -> str:
    assert finding.fix is not None
    return apply(text, [(edit.at.span, edit.text) for edit in finding.fix.edits])


def said(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.rule.partition("/")[2], finding.at.start.line) for finding in findings]
