"""The versions that a project's own files pin: `requirements.txt` and `pyproject.toml`, beside a script or above it.

Only what leaves no choice states a version: an exact pin, or a range within one minor release, which states that release. A
library's ranges state nothing. The nearest file that names a package decides, even where it leaves the version open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from trainlint.places import called
from trainlint.text import Location, SourceText, Span, Unreadable

COMMENT = re.compile(r"(^|\s)#.*$")
OPTION = re.compile(r"\s--\w.*$")
"""`--hash=…` behind a requirement."""


@dataclass(frozen=True)
class Pin:
    """A version and where it is written."""

    version: str
    at: Location

    @property
    def where(self) -> str:
        return f"{self.at.source.path}:{self.at.start.line}"


class Pins:
    """Reads each file once. `read` are the files that were looked at and are there."""

    def __init__(self) -> None:
        self._files: dict[Path, dict[str, Pin | None]] = {}

    @property
    def read(self) -> list[Path]:
        return [path for path, named in self._files.items() if named]

    def of(self, directories: Sequence[Path]) -> dict[str, Pin]:
        """The pinned versions by package, as seen from the first of these directories."""
        found: dict[str, Pin | None] = {}
        for directory in directories:
            for name, parse in (("requirements.txt", _requirements), ("pyproject.toml", _pyproject)):
                path = directory / name
                if path not in self._files:
                    source = _load(path)
                    self._files[path] = _named(source, parse(source)) if source is not None else {}
                for package, pin in self._files[path].items():
                    found.setdefault(package, pin)
        return {package: pin for package, pin in found.items() if pin is not None}


def _load(path: Path) -> SourceText | None:
    try:
        return SourceText.load(path, called(path)) if path.is_file() else None
    except (OSError, Unreadable):
        return None


def _named(source: SourceText, written: Iterator[tuple[str, Span]]) -> dict[str, Pin | None]:
    """The packages that a file names; None where it leaves the version open or contradicts itself."""
    found: dict[str, Pin | None] = {}
    for text, span in written:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        package = canonicalize_name(requirement.name)
        version = stated(requirement.specifier) if requirement.marker is None else None
        pin = Pin(version, Location(source, span)) if version is not None else None
        earlier = found.get(package, pin)
        agrees = earlier is not None and pin is not None and earlier.version == pin.version
        found[package] = earlier if agrees else None
    return found


def stated(specifiers: SpecifierSet) -> str | None:
    """The version that is left: `4.44.2` for an exact one, `4.44` for a range within a minor release, else None."""
    exact = {s.version for s in specifiers if s.operator == "==" and not s.version.endswith(".*")}
    if exact:
        (version, *others) = exact
        return str(Version(version).public) if not others else None
    lower = {series for s in specifiers if (series := _from(s)) is not None}
    upper = {series for s in specifiers if (series := _below(s)) is not None}
    both = lower & upper
    return ".".join(map(str, both.pop())) if len(both) == len(lower) == 1 else None


def _from(specifier: Specifier) -> tuple[int, int] | None:
    """The minor release that a specifier begins in."""
    if specifier.operator in (">=", ">", "~=", "=="):
        return _series(specifier.version.removesuffix(".*"))
    return None


def _below(specifier: Specifier) -> tuple[int, int] | None:
    """The minor release that a specifier ends in."""
    release = _release(specifier.version.removesuffix(".*"))
    if specifier.operator in ("<=", "==") or (specifier.operator == "~=" and len(release) > 2):
        return _series(specifier.version.removesuffix(".*"))
    if specifier.operator == "<" and len(release) > 1:
        if any(release[2:]):
            return release[0], release[1]
        return (release[0], release[1] - 1) if release[1] > 0 else None
    return None


def _series(version: str) -> tuple[int, int] | None:
    release = _release(version)
    return (release[0], release[1]) if len(release) > 1 else None


def _release(version: str) -> tuple[int, ...]:
    try:
        return Version(version).release
    except InvalidVersion:
        return ()


def _requirements(source: SourceText) -> Iterator[tuple[str, Span]]:
    for line in range(1, source.line_count + 1):
        span = source.line_span(line)
        text = OPTION.sub("", COMMENT.sub("", source[span]).rstrip(" \\")).strip()
        if text:
            yield text, span


def _pyproject(source: SourceText) -> Iterator[tuple[str, Span]]:
    """The requirements of the project, its extras and its dependency groups."""
    try:
        content = tomli.loads(source.text)
    except (tomli.TOMLDecodeError, RecursionError):
        return
    project = content.get("project")
    tables = [content.get("dependency-groups")]
    lists: list[Any] = []
    if isinstance(project, dict):
        lists.append(project.get("dependencies"))
        tables.append(project.get("optional-dependencies"))
    lists += [group for table in tables if isinstance(table, dict) for group in table.values()]
    for group in lists:
        for text in group if isinstance(group, list) else ():
            if isinstance(text, str):
                at = max(source.text.find(text), 0)
                yield text, Span(at, at + len(text))
