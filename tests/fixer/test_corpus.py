"""Real configurations, fixed in a copy: the same values but the fixed ones, the same bytes but the edits, and only once.

Every third file by default; all of them with TRAINLINT_WHOLE_CORPUS=1 in the environment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli
import yaml

from helpers_corpus import CORPUS, needs_corpus, real_files
from helpers_fixes import fixed
from trainlint.fixer.apply import Fixed
from trainlint.fixer.write import write
from trainlint.settings import Settings, state
from trainlint.text import SourceText, Unreadable

FILES = real_files("yaml", "yml", "json", "toml")
STEP = 1 if os.environ.get("TRAINLINT_WHOLE_CORPUS") else 3
SETTINGS = Settings(profile="strict", stated=state(world_size=1, tokens=100_000_000))
"""As many findings as can be had."""
PARTS = 8
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(file: Path) -> Any:
    """The documents of a file as a trainer's loader makes them, or None where it refuses the file."""
    text = file.read_text("utf-8-sig")
    try:
        if file.suffix == ".toml":
            return [tomli.loads(text)]
        return [json.loads(text)] if file.suffix == ".json" else list(yaml.load_all(text, LOADER))
    except (ValueError, yaml.YAMLError):
        return None


def leaves(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not isinstance(value, (dict, list)):
        yield path, repr(value)
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def keys_of(result: Fixed) -> set[str]:
    """The keys that the titles of the applied fixes name, and those that were misspelled."""
    found = set()
    for finding in result.applied:
        assert finding.fix is not None
        for name in re.findall(r"[\w.]+", f"{finding.fix.title} {finding.at.text}"):
            found |= {name, name.rpartition(".")[2]}  # optimizer.lr is the key lr of a mapping
    return found


def check_bytes(before: bytes, result: Fixed, after: bytes) -> None:
    """Pass by pass: what no edit covers is there again, byte for byte and in its order."""
    text = result.source.text
    for splices in result.passes:
        new, at = "", 0
        for span, inserted in sorted(splices):
            assert span.start >= at
            new += text[at : span.start] + inserted
            at = span.end
        text = new + text[at:]
    mark = before[:3] if result.source.bom else b""
    assert after == mark + text.encode()


@needs_corpus
@pytest.mark.parametrize("part", range(PARTS))
def test_real_files(part: int, tmp_path: Path) -> None:
    changed = 0
    for file in FILES[::STEP][part::PARTS]:
        copy = tmp_path / file.relative_to(CORPUS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
        try:
            result = fixed(SourceText.load(copy, str(file.relative_to(CORPUS))), SETTINGS)
        except Unreadable:
            continue
        if not result.changed:
            assert copy.read_bytes() == file.read_bytes()
            continue
        changed += 1
        write(result.source, result.text)
        check_bytes(file.read_bytes(), result, copy.read_bytes())
        old, new = load(file), load(copy)
        assert (old is None) == (new is None), file
        old_leaves, new_leaves = dict(leaves(old)), dict(leaves(new))
        differing = {
            path for path in {*old_leaves, *new_leaves} if old_leaves.get(path, ...) != new_leaves.get(path, ...)
        }
        assert {str(path[-1]) for path in differing} <= keys_of(result), (file, differing)
        assert bool(differing) == (old is not None), file
        again = fixed(SourceText.load(copy, str(file.relative_to(CORPUS))), SETTINGS)
        assert not again.changed, (file, again.applied)
    assert changed
