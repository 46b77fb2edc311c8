"""What no expression can say: named functions over the document and its launches. A rule page names its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from trainlint import plugins
from trainlint.document import Document
from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.ruleset.checks import (
    accelerate,
    arguments,
    deepspeed,
    deepspeed_file,
    document,
    environment,
    launch,
    machines,
    removal,
    security,
    versions,
)
from trainlint.ruleset.file import Rule

Check = Callable[[Rule, Document, list[Launch]], Iterator[Finding]]


def _elsewhere(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """Suppressions can be judged only after everything else: `suppress.apply` finds what is wrong with them."""
    return iter(())


CHECKS: dict[str, Check] = {
    "accelerate.settings": accelerate.settings,
    "arguments.issues": arguments.issues,
    "arguments.versions": versions.gone,
    "deepspeed.disagreements": deepspeed.disagreements,
    "deepspeed.settings": deepspeed_file.settings,
    "document.duplicate_keys": document.duplicate_keys,
    "document.problems": document.problems,
    "launch.debugging_left_on": environment.debugging_left_on,
    "launch.device_selection": launch.device_selection,
    "launch.failure_unnoticed": environment.failure_unnoticed,
    "launch.machines_do_not_meet": machines.machines_do_not_meet,
    "launch.placeholders": launch.placeholders,
    "launch.random_seed": launch.random_seed,
    "launch.removes_from_root": removal.removes_from_root,
    "launch.slurm": machines.slurm,
    "security.literal_secrets": security.literal_secrets,
    "suppressions": _elsewhere,
}


def checks() -> Mapping[str, Check]:
    """The checks that a page may name: trainlint's own and those of installed plugins."""
    return {**CHECKS, **plugins.offered("checks", CHECKS)}
