"""The catalogue: every rule page found, parsed and ordered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from trainlint import plugins
from trainlint.ruleset.expressions import RuleError
from trainlint.ruleset.file import Rule, load

ID = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*")
MAX_PAGES = 2000


@cache
def home() -> Path:
    """The directory of the rules that come with trainlint: inside the package, or beside `src/` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "rules", package.parents[1] / "rules"):
        if candidate.is_dir():
            return candidate
    raise RuleError(f"the rules that come with trainlint are missing beside {package}")


@cache
def shipped() -> dict[str, Rule]:
    """The rules that come with trainlint, by id."""
    rules: dict[str, Rule] = {}
    _add(rules, home())
    return rules


def catalogue(extra: Iterable[Path] = ()) -> dict[str, Rule]:
    """All rules by id: trainlint's own, those of plugins, those of the user's directories `extra`.

    Raises `RuleError` for a page that cannot be used. If it is a plugin's, none of its pages is used and the plugin's error
    is noted instead.
    """
    rules = dict(shipped())
    seen = {home()}
    for plugin, directory in (*((p, p.rules) for p in plugins.installed()), *((None, path) for path in extra)):
        if directory is None or directory.resolve() in seen:
            continue
        seen.add(directory.resolve())
        try:
            _add(rules, directory)
        except RuleError as error:
            if plugin is None:
                raise
            plugins.failed(plugin, str(error))
    return rules


def pages(directory: Path) -> dict[str, Path]:
    """The pages of a rules directory by the id of their rule, sorted. Raises `RuleError` for what can be no page.

    Hidden folders and a README.md are nobody's rules. A page must lie in the directory itself: a link out of it could make
    any file of this machine a part of what is reported.
    """
    if not directory.is_dir():
        raise RuleError(f"{directory} is no directory")
    root = directory.resolve()
    found: dict[str, Path] = {}
    for file in sorted(directory.glob("*/*.md")):
        if file.parent.name.startswith(".") or file.name == "README.md":
            continue
        id = f"{file.parent.name}/{file.stem}"
        if not ID.fullmatch(id):
            raise RuleError(f"{file}: the names of a rule and its folder are made of a-z, 0-9, - and _")
        try:
            inside = file.resolve(strict=True).is_relative_to(root) and file.is_file()
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            raise RuleError(f"{file}: it is no file in {directory}")
        found[id] = file
        if len(found) > MAX_PAGES:
            raise RuleError(f"{directory}: more than {MAX_PAGES:,} pages are no directory of rules")
    return found


def _add(rules: dict[str, Rule], directory: Path) -> None:
    """Add the rules of one directory, all or none. Raises `RuleError`."""
    from trainlint.ruleset.checks import checks  # which are written in terms of this package's rules

    added: dict[str, Rule] = {}
    for id, file in pages(directory).items():
        if id in rules:
            raise RuleError(f"{file}: a rule {id} exists already")
        added[id] = load(file, id)
    for rule in added.values():
        for other in rule.silences:
            if other not in added and other not in rules:
                raise RuleError(f"{rule.id} silences {other}, which does not exist")
        if rule.check is not None and rule.check not in checks():
            raise RuleError(f"{rule.id}: there is no check {rule.check}; there are {', '.join(sorted(checks()))}")
    rules.update(added)
