"""Linting, and the probe's own pure parts, where torch and its kin cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'peft', 'safetensors'))); "
CASES = {
    "lint": ("from trainlint.cli import main; sys.argv[1:] = ['lint', '{}']; main()", 1),
    "explain": ("from trainlint.cli import main; sys.argv[1:] = ['explain', '{}']; main()", 0),
    "pure parts": (
        "from trainlint.probe import engines, experiment, plot, report_json, report_text, settings, suggest, text, verdict",
        0,
    ),
    "lint --verify": ("from trainlint.cli import main; sys.argv[1:] = ['lint', '--verify', '{}']; main()", 2),
    "verify": ("from trainlint.cli.verify import command; command(['{}'])", 2),
}


@pytest.mark.parametrize("name", CASES)
def test_with_imports_blocked(name: str) -> None:
    code, status = CASES[name]
    script = BLOCKED + code.format("examples/article/run_pt.sh")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    if "verify" in name:
        assert "pip install 'trainlint[verify]'" in done.stderr
