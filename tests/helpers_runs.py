"""Reading a configuration in a test: from text to launches, without touching the disk unless files are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.linter import Linter
from trainlint.settings import Settings, state
from trainlint.testing import findings
from trainlint.text import SourceText

__all__ = ["facts", "findings", "launches", "rules_of"]


def launches(text: str, name: str = "run.sh", *, folder: Path | None = None, **stated: Any) -> list[Launch]:
    """The launches of a text called `name`; in `folder`, where linked files are looked for."""
    defines = stated.pop("defines", {})
    file = folder / name if folder is not None else None
    source = SourceText(name, text, file)
    return Linter(Settings(stated=state(**stated), defines=defines)).read(source)[1]


def facts(text: str, name: str = "run.sh", **more: Any) -> dict[str, Any]:
    """The known facts of the only launch in a text, by name; what is unknown or differs is left out."""
    (launch,) = launches(text, name, **more)
    return _Facts(launch)


class _Facts(dict[str, Any]):
    def __init__(self, launch: Launch) -> None:
        super().__init__()
        self.launch = launch

    def __missing__(self, name: str) -> Any:
        fact = self.launch.fact(name)
        if not fact.known:
            raise KeyError(f"{name} is {fact.status}: {fact.reason}")
        return fact.value

    def unknown(self, name: str) -> str:
        """The reason why a fact is unknown."""
        fact = self.launch.fact(name)
        assert fact.status == "unknown", f"{name} is {fact.value!r}"
        return fact.reason


def rules_of(found: list[Finding]) -> Mapping[str, str]:
    """Severities by rule."""
    return {finding.rule: finding.severity for finding in found}
