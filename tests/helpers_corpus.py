"""Real configurations of public projects. They lie beside the checkout or where TRAINLINT_CORPUS says, if at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("TRAINLINT_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the real configurations are not here")


def real_files(*suffixes: str) -> list[Path]:
    """Those of one of the suffixes, in order."""
    return sorted(file for suffix in suffixes for file in CORPUS.rglob(f"*.{suffix}"))
