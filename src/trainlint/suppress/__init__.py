"""Suppressions: comments and configuration that hide findings, for a reason."""

from __future__ import annotations

from trainlint.suppress.add import Added, Entry, add
from trainlint.suppress.judge import Suppressed, apply

__all__ = ["Added", "Entry", "Suppressed", "add", "apply"]
