"""Packages as text: wheels and source tarballs, by path of their Python and YAML files."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SUFFIXES = (".py", ".yaml")
PURE = re.compile(r"[^/]+\.data/purelib/")
"""Where a wheel made for one platform may keep its Python files."""


class Wheel(Mapping[str, str]):
    """The Python and YAML files of a wheel by path, each read when asked for: torch alone has thousands."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._names = {PURE.sub("", n): n for n in self._archive.namelist() if n.endswith(SUFFIXES)}

    def __getitem__(self, name: str) -> str:
        return self._archive.read(self._names[name]).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_tarball(path: Path) -> Mapping[str, str]:
    """The Python and YAML files of a source tarball, by path below its import root."""
    files: dict[str, str] = {}
    with tarfile.open(path) as tarball:
        for member in tarball:
            if member.isfile() and member.name.endswith(SUFFIXES) and (handle := tarball.extractfile(member)):
                inner = member.name.partition("/")[2]
                files[inner.removeprefix("src/")] = handle.read().decode("utf-8", "replace")
    return files


def read_archive(path: Path) -> Mapping[str, str]:
    """The Python and YAML files of a package by path (``trl/trainer/sft_config.py``)."""
    return Wheel(path) if path.suffix == ".whl" else read_tarball(path)


def find_archive(package: str, version: str, places: Iterable[Path]) -> Path | None:
    """The wheel or tarball of ``package`` at ``version`` in one of ``places``."""
    stems = {f"{package}-{version}", f"{package.replace('-', '_')}-{version}"}
    for place in places:
        for path in sorted(place.iterdir()):
            stem = path.name.removesuffix(".tar.gz") if path.name.endswith(".tar.gz") else path.stem
            # a wheel carries its tags, and perhaps a local version, after the version
            if path.is_file() and any(stem == s or stem.startswith((f"{s}-", f"{s}+")) for s in stems):
                return path
    return None
