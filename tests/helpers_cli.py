"""Running the command line in a test, as a user would: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
ARTICLE = str(EXAMPLES / "article" / "run_pt.sh")
HEALTHY = str(EXAMPLES / "healthy" / "run_pt.sh")
CLEAN = {"NO_COLOR": "1", "COLUMNS": "100"}


def trainlint(
    *arguments: str,
    stdin: str | bytes = "",
    cwd: Path | None = None,
    entry: str = "main",
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    code = f"import sys; from trainlint.cli import {entry}; sys.argv[0] = 'trainlint'; {entry}()"
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=data, capture_output=True, cwd=cwd, timeout=120, check=False, env={**os.environ, **CLEAN, **(env or {})},
    )  # fmt: skip
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err, out + err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
