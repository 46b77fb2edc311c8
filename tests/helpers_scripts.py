"""Scripts on disk in a test: what trainlint makes of a command line, and what the script's real parser does."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainlint import readers
from trainlint.dialects import declared
from trainlint.dialects.base import Context
from trainlint.dialects.launchers import start
from trainlint.facts import Arguments
from trainlint.links import Files
from trainlint.scripts import Scripts
from trainlint.text import SourceText

FIXTURES = Path(__file__).parent / "scripts" / "fixtures"
SCRIPTS = Scripts()


def command(text: str, folder: Path = FIXTURES) -> tuple[declared.Declared | None, Arguments]:
    """The script's parser as a launch of it finds it, and the arguments of the launch."""
    document = readers.read(SourceText("run.sh", text, folder / "run.sh"))
    context = Context(Files(readers.read), scripts=SCRIPTS if folder == FIXTURES else Scripts())
    started = start(document, document.invocations[-1].alternatives[0])
    assert started is not None
    own = declared.of(document, started, context)
    return own, own.arguments(document, started, context) if own is not None else Arguments()


def script(folder: Path, text: str, name: str = "train.py", **others: str) -> declared.Declared | None:
    """The parser of a script written to a folder; `others` are files beside it, `__` for the dot."""
    (folder / name).write_text(text, "utf-8")
    for other, content in others.items():
        (folder / other.replace("__", ".")).write_text(content, "utf-8")
    return command(f"python {name}", folder)[0]


def rejected(arguments: Arguments) -> bool:
    """Is the launch said to crash?"""
    return any(issue.certain and issue.kind != "duplicate" for issue in arguments.issues)


def lines(words: Sequence[str], values: Sequence[str], count: int, seed: int = 7) -> list[list[str]]:
    """Command lines of these flags and values, most of them nearly right."""
    chosen = random.Random(seed)
    made = []
    for _ in range(count):
        line: list[str] = []
        for flag in chosen.sample(list(words), chosen.randint(0, 4)):
            style = chosen.random()
            value = chosen.choice(list(values))
            line += [f"{flag}={value}"] if style < 0.2 else [flag] if style < 0.4 else [flag, value]
        made.append(line)
    return made


def oracle(parse: str, cases: Sequence[Sequence[str]], folder: Path = FIXTURES) -> list[dict[str, Any] | None]:
    """What the real parser makes of every command line, None where it rejects one. `parse` is Python that defines `parse`."""
    program = (
        f"import json, sys, io, contextlib\n{parse}\n"
        "for line in json.loads(sys.stdin.read()):\n"
        "    try:\n"
        "        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):\n"
        "            found = parse(line)\n"
        "    except (SystemExit, Exception):\n"
        "        found = None\n"
        "    print(json.dumps(found, default=str))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(cases), capture_output=True, text=True, cwd=folder, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def spoken(line: Sequence[str]) -> str:
    return shlex.join(line)
