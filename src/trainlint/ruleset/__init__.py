"""The catalogue: every rule page found, parsed and ordered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from trainlint.ruleset.expressions import RuleError
from trainlint.ruleset.file import Rule, load


@cache
def home() -> Path:
    """The directory of the rules that come with trainlint: inside the package, or beside `src/` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "rules", package.parents[1] / "rules"):
        if candidate.is_dir():
            return candidate
    raise RuleError(f"the rules that come with trainlint are missing beside {package}")


def catalogue(extra: Iterable[Path] = ()) -> dict[str, Rule]:
    """All rules by id, sorted. `extra` are the user's rule directories. Raises `RuleError` for a page that cannot be used."""
    rules: dict[str, Rule] = {}
    for directory in (home(), *extra):
        if not directory.is_dir():
            raise RuleError(f"{directory} is no directory")
        for file in sorted(directory.glob("*/*.md")):
            id = f"{file.parent.name}/{file.stem}"
            if id in rules:
                raise RuleError(f"{file}: a rule {id} exists already")
            rules[id] = load(file, id)
    for rule in rules.values():
        for other in rule.supersedes:
            if other not in rules:
                raise RuleError(f"{rule.id} supersedes {other}, which does not exist")
    return rules
