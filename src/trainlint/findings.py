"""What a lint run reports. Reporters see nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainlint.text import Edit, Location

Severity = Literal["error", "warning", "note"]
Confidence = Literal["high", "medium", "low"]
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")
"""From the surest to the least sure."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the worst to the mildest."""


OPTIONS = {
    "world_size": "--world-size",
    "gpu_memory": "--gpu-memory or --gpu",
    "gpu_bf16": "--gpu",
    "model": "--model-config DIR",
    "gpu_flops": "--gpu",
    "dataset_bytes": "--dataset-bytes",
    "dataset_tokens": "--tokens",
    "datasets": "--dataset-bytes",
}
"""The command-line option that says a fact which no file does."""


@dataclass(frozen=True, slots=True)
class Related:
    """A further place that the finding speaks of."""

    message: str
    at: Location


ALSO = "and here"
"""The message of a `Related` place where the same is wrong: several runs of a file share one finding."""


FOLLOWS = "so: "
"""What the message of a `Related` place begins with that is a consequence of the finding, and no finding of its own."""


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that would resolve the finding. `safe`: they cannot change what was meant."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False
    sets: frozenset[str] = frozenset()
    """The facts that the edits change."""
    reads: frozenset[str] = frozenset()
    """The facts that the finding and its edits rest on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at one place, with what to do about it.

    `related` is where the judged values came from, in the order of the explanation; `why` is the rule's own short reason.
    """

    rule: str
    severity: Severity
    confidence: Confidence
    message: str
    at: Location
    advice: str
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    why: str = ""
    argument: str = ""
    """The fact or argument that `at` shows, or empty where it shows the launch or the file."""
    supersedes: tuple[str, ...] = ()
    """The rules that say nothing more in a file with this finding."""
    consequences: tuple[str, ...] = ()
    """The rules whose findings follow from this one: they are told with it."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A finding that a comment or the configuration (`at` is None) hides, and the reason given there."""

    finding: Finding
    reason: str
    at: Location | None


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """A rule that could not be decided for a run, and the facts that were missing."""

    rule: str
    path: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not linted, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class InternalError:
    """A rule or a reader that raised; the rest of the run went on."""

    path: str
    where: str
    message: str


@dataclass(slots=True)
class Report:
    """The result of one lint run, ready for a reporter.

    `rules` describes every rule that was enabled (see `RuleInfo`), `examined` the files that discovery looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    not_evaluated: list[NotEvaluated] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    internal_errors: list[InternalError] = field(default_factory=list)
    rules: list[RuleInfo] = field(default_factory=list)
    examined: int = 0
    notes_hidden: bool = False
    suppressed: list[Hidden] = field(default_factory=list)
    known: int = 0
    """Findings left out because a baseline holds them."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a report says of a rule: taken from its Markdown page.

    `strength` is that of the evidence it rests on: strong, moderate, weak, or empty where no source is named.
    """

    id: str
    title: str
    severity: Severity
    summary: str
    markdown: str
    tags: tuple[str, ...]
    sources: tuple[str, ...]
    strength: str = ""
