"""Baselines: the findings that a project knows and has put off, so that only new ones are reported.

A finding is recognised by its rule, its file, the argument it points at and the text there, never by its line: moving a line
makes nothing new, changing the value does.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainlint import atomic
from trainlint.findings import Finding, Report

DEFAULT = "trainlint-baseline.json"
VERSION = 1
LONGEST_VALUE = 200
"""Characters of a flagged text that count: a whole mapping may be flagged."""
UNREAD = frozenset({"file/syntax-error", "file/unreadable"})
"""Where one of these is reported, what else the file holds was perhaps not seen."""


class BaselineError(Exception):
    """A baseline that cannot be read or written; the message says why, with the file's name."""


class Key(NamedTuple):
    """What makes two findings the same. `path` is relative to the baseline's directory, with `/`."""

    path: str
    rule: str
    argument: str
    value: str


@dataclass(frozen=True)
class Baseline:
    """How many findings of each key are known. `base` is the directory of the file, which paths are relative to."""

    base: Path
    counts: Counter[Key]

    @property
    def total(self) -> int:
        return self.counts.total()

    @classmethod
    def of(cls, findings: Iterable[Finding], base: Path) -> Baseline:
        return cls(base, Counter(_key(finding, base) for finding in findings))

    @classmethod
    def load(cls, file: Path) -> Baseline:
        """Raises `BaselineError`."""
        try:
            table = _Table.model_validate_json(file.read_bytes())
        except OSError as error:
            raise BaselineError(f"{file}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BaselineError(f"{file} is no baseline: {f'{where}: ' if where else ''}{first['msg']}") from None
        if table.version != VERSION:
            raise BaselineError(f"{file} is a baseline of version {table.version}; this trainlint reads {VERSION}")
        counts: Counter[Key] = Counter()
        for entry in table.findings:
            counts[Key(entry.path, entry.rule, entry.argument, entry.value)] += entry.count
        return cls(_directory(file), counts)

    def save(self, file: Path) -> None:
        """Write the file whole or not at all, one entry a line, sorted. Raises `BaselineError`."""
        entries = [
            json.dumps(
                {"path": key.path, "rule": key.rule, "argument": key.argument, "value": key.value, "count": count},
                ensure_ascii=False,
            )
            for key, count in sorted(self.counts.items())
        ]
        listed = ",\n".join(f"    {entry}" for entry in entries)
        body = f"[\n{listed}\n  ]" if entries else "[]"
        text = f'{{\n  "version": {VERSION},\n  "findings": {body}\n}}\n'
        try:
            atomic.replace(file, text.encode("utf-8", "surrogateescape"))
        except (OSError, UnicodeEncodeError) as error:
            raise BaselineError(f"{file} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def apply(report: Report, baseline: Baseline) -> Report:
    """The report with only the findings that the baseline does not hold; `known` counts the others.

    Where a file has more findings of one key than are known, the last of them are new.
    """
    left = baseline.counts.copy()
    fresh = []
    for finding in report.findings:
        key = _key(finding, baseline.base)
        if left[key] > 0:
            left[key] -= 1
        else:
            fresh.append(finding)
    return replace(report, findings=fresh, known=report.known + len(report.findings) - len(fresh))


def prune(
    baseline: Baseline, report: Report, judged: Mapping[str, Collection[str]], rules: Collection[str]
) -> Baseline:
    """The baseline without what is gone. It never grows.

    `judged` are the ids of the rules that were selected, by the path of each file that was looked at; `rules` all ids that
    there are. An entry is gone if its rule judged its file and found less, if its file is no more, or if its rule is no more.
    What this run could not tell stays: other files, rules that lacked a fact, files that could not be read.
    """
    base = baseline.base
    found = Baseline.of(report.findings, base).counts
    selected = {_relative(path, base): ids for path, ids in judged.items()}
    unread = {_relative(f.at.source.path, base) for f in report.findings if f.rule in UNREAD}
    unread |= {_relative(error.path, base) for error in report.internal_errors}
    undecided = {(_relative(gap.path, base), gap.rule) for gap in report.not_evaluated}

    def remaining(key: Key, count: int) -> int:
        if key.rule not in rules or not (base / key.path).exists():
            return 0
        told = key.path not in unread and (key.path, key.rule) not in undecided
        return min(count, found[key]) if told and key.rule in selected.get(key.path, ()) else count

    return Baseline(base, +Counter({key: remaining(key, count) for key, count in baseline.counts.items()}))


# -------------------------------------------------------------------------------------------------------- the file


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    path: str
    rule: str
    argument: str
    value: str
    count: int = Field(ge=1)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    version: int
    findings: list[_Entry] = []


def _key(finding: Finding, base: Path) -> Key:
    # where no argument is shown, the finding stands at whatever comes first in the file or the launch
    value = " ".join(finding.at.text.split())[:LONGEST_VALUE] if finding.argument else ""
    source = finding.at.source
    return Key(_relative(source.file or source.path, base), finding.rule, finding.argument, value)


def _relative(path: str | Path, base: Path) -> str:
    """As seen from the baseline's directory; a file on another drive keeps its whole name."""
    try:
        return os.path.relpath(path, base).replace(os.sep, "/")
    except ValueError:
        return Path(path).as_posix()


def _directory(file: Path) -> Path:
    return Path(os.path.abspath(file)).parent
