"""Suppressions: comments and configuration that hide findings, for a reason."""

from __future__ import annotations

from trainlint.suppress.judge import Hidden, Suppressed, apply

__all__ = ["Hidden", "Suppressed", "apply"]
