"""The progress bar: for a person who waits for many files, and for nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainlint.cli.progress import MANY, progress

CODE = """
import sys
from trainlint.cli.progress import progress
for _ in progress(range(int(sys.argv[1])), quiet=sys.argv[2] == "quiet"):
    pass
print("done", "rich" in sys.modules)
"""


def test_everything_is_handed_on() -> None:
    assert list(progress(range(200))) == list(range(200))
    assert list(progress([])) == []


def on_a_terminal(number: int, *, quiet: bool = False, **environment: str) -> tuple[str, str]:
    """What comes on the standard output and on the terminal that stderr is."""
    import pty

    terminal, stderr = pty.openpty()
    wanted = {"TERM": "xterm", **environment}
    rest = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "FORCE_COLOR", "TERM")}
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(number), "quiet" if quiet else "loud"],
        stdout=subprocess.PIPE, stderr=stderr, env={**rest, **wanted}, text=True,
    ) as process:  # fmt: skip
        os.close(stderr)
        shown = b""
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # how Linux says that the other side is gone
                break
            if not data:
                break
            shown += data
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    return out, shown.decode()


posix = pytest.mark.skipif(os.name != "posix", reason="needs a terminal that a test can hold")


@posix
def test_many_files_on_a_terminal_have_a_bar_that_is_gone_at_the_end() -> None:
    out, shown = on_a_terminal(MANY)
    assert out == "done True\n"
    assert "Linting" in shown
    assert (
        "Linting" not in shown.rpartition("\x1b[2K")[2]
    )  # the last thing that happens to its line is that it is cleared


@posix
@pytest.mark.parametrize(
    ("number", "quiet", "environment"),
    [
        (MANY - 1, False, {}),
        (1, False, {}),
        (MANY, True, {}),
        (MANY, False, {"CI": "true"}),
        (MANY, False, {"CI": "1"}),
    ],
)
def test_nobody_else_has_one(number: int, quiet: bool, environment: dict[str, str]) -> None:
    out, shown = on_a_terminal(number, quiet=quiet, **environment)
    assert out == "done False\n"
    assert shown == ""


def test_a_pipe_has_none(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(MANY), "loud"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("done False\n", "")
