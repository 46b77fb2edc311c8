"""Which rules judge a file: selectors by id, family, tag and severity, and what wins where they disagree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from trainlint.findings import SEVERITIES, Severity
from trainlint.settings import Layer, Settings, SettingsError, did_you_mean

ALL = "all"
DEFAULT = Layer(select=(ALL,))


class Selectable(Protocol):
    """What a selector looks at; a `Rule` and a `RuleInfo` are such."""

    @property
    def id(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


def matches(selector: str, rule: Selectable, severity: Mapping[str, Severity] | None = None) -> bool:
    """Does a selector mean this rule? `severity` are the severities that the user gave to rules."""
    if selector == ALL:
        return True
    if selector in SEVERITIES:
        return (severity or {}).get(rule.id, rule.severity) == selector
    if selector.startswith("tag:"):
        return selector.removeprefix("tag:") in rule.tags
    return fnmatchcase(rule.id, selector)


def specificity(selector: str) -> tuple[int, int]:
    """The greater, the more specific: all, severity, tag, family (`lora/*`; of two globs the longer one), id."""
    if selector == ALL:
        return 0, 0
    if selector in SEVERITIES:
        return 1, 0
    if selector.startswith("tag:"):
        return 2, 0
    if _is_glob(selector):
        return 3, len(selector)
    return 4, 0


def check(selector: str, rules: Mapping[str, Selectable]) -> None:
    """Raises `SettingsError` for a selector that means no rule at all."""
    if selector == ALL or selector in SEVERITIES:
        return
    tags = sorted({tag for rule in rules.values() for tag in rule.tags})
    if selector.startswith("tag:"):
        if selector.removeprefix("tag:") not in tags:
            raise SettingsError(
                f"no rule has the tag of {selector}{did_you_mean(selector, [f'tag:{t}' for t in tags])}"
            )
        return
    if any(fnmatchcase(id, selector) for id in rules):
        return
    families = sorted({f"{id.partition('/')[0]}/*" for id in rules})
    what = "no rule matches" if _is_glob(selector) else "there is no rule"
    if f"{selector}/*" in families:
        raise SettingsError(f"{what} {selector}; did you mean {selector}/*?")
    known = [*rules, *families, *SEVERITIES, ALL, *(f"tag:{tag}" for tag in tags)]
    hint = did_you_mean(selector, known)
    raise SettingsError(f"{what} {selector}{hint or '; trainlint rules lists them'}")


def selected(rules: Mapping[str, Selectable], settings: Settings, path: Path | None = None) -> set[str]:
    """The ids of the rules that judge a file. Without a path what is ignored for single files does not count.

    In one place the most specific selector wins, `ignore` over `select` where both are equally specific. A later place
    (a configuration over the one it extends, the command line over all) overrides an earlier one. Of a run that only tests
    whether it works, nobody asks what is wrong with every demonstration.
    """
    chosen: set[str] = set()
    for layer in (DEFAULT, *settings.selection):
        if layer.select is not None:
            chosen = set()
        for rule in rules.values():
            verdict = _verdict(layer, rule, settings.severity)
            if verdict is not None:
                (chosen.add if verdict else chosen.discard)(rule.id)
    ignored = _ignored_for(settings, path) + (["tag:demo"] if settings.intent == "smoke" else [])
    return {
        id for id in chosen if not any(matches(selector, rules[id], settings.severity) for selector in ignored)
    }  # fmt: skip


def _verdict(layer: Layer, rule: Selectable, severity: Mapping[str, Severity]) -> bool | None:
    """True: selected here, False: ignored, None: nothing is said of it."""
    wanted = _most(rule, (*(layer.select or ()), *layer.extend_select), severity)
    unwanted = _most(rule, layer.ignore, severity)
    if wanted is None and unwanted is None:
        return None
    return unwanted is None or (wanted is not None and wanted > unwanted)


def _most(rule: Selectable, selectors: Iterable[str], severity: Mapping[str, Severity]) -> tuple[int, int] | None:
    return max((specificity(s) for s in selectors if matches(s, rule, severity)), default=None)


def _ignored_for(settings: Settings, path: Path | None) -> list[str]:
    if path is None or not settings.file_ignores:
        return []
    absolute = Path(os.path.abspath(path))
    return [selector for entry in settings.file_ignores if entry.covers(absolute) for selector in entry.ignore]


def _is_glob(selector: str) -> bool:
    return any(char in selector for char in "*?[")
