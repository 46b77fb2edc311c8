"""Bash itself as the oracle: what does it pass to a stub named `launch`, and what do we say that it passes?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from trainlint.document import Command, Document
from trainlint.readers.caller import ANYONE, Caller
from trainlint.readers.shell import read
from trainlint.text import SourceText

BASH = shutil.which("bash")
_STUB = """#!/bin/sh
{ for word in "$@"; do printf '%s\\0' "$word"; done; printf 'END\\0'; } >> "${0%/*}/log"
"""


def parse(script: str, caller: Caller = ANYONE, file: Path | None = None) -> Document:
    return read(SourceText("run.sh", script, file), caller)


def bash_accepts(script: str) -> bool:
    assert BASH is not None
    run = subprocess.run([BASH, "-n"], input=script.encode(), capture_output=True, check=False)
    return run.returncode == 0


def bash_launches(
    script: str, name: str = "launch", arguments: tuple[str, ...] = (), files: dict[str, str] | None = None
) -> list[list[str]]:
    """The arguments of every `launch` (or `name`) that bash makes of a script beside `files`, in the order of their texts."""
    assert BASH is not None
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        stubs, work = directory / "stubs", directory / "work"
        stubs.mkdir()
        work.mkdir()
        stub = stubs / name
        stub.write_text(_STUB)
        stub.chmod(0o755)
        for file, text in {**(files or {}), "run.sh": script}.items():
            (work / file).parent.mkdir(parents=True, exist_ok=True)
            (work / file).write_bytes(text.encode())
            (work / file).chmod(0o755)
        environment = {"PATH": f"{stubs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        subprocess.run(
            [BASH, "run.sh", *arguments], cwd=work, env=environment, capture_output=True, check=False, timeout=20
        )
        log = stubs / "log"
        words = os.fsdecode(log.read_bytes()).split("\0")[:-1] if log.exists() else []
    launches: list[list[str]] = [[]]
    for word in words:
        if word == "END":
            launches.append([])
        else:
            launches[-1].append(word)
    return sorted(launches[:-1])


def commands(script: str, name: str = "launch", caller: Caller = ANYONE, file: Path | None = None) -> list[Command]:
    found = [command for each in parse(script, caller, file).invocations for command in each.alternatives]
    return [command for command in found if command.name.text == name]


def our_launches(script: str, caller: Caller = ANYONE, file: Path | None = None) -> list[list[str | None]]:
    """The same as `bash_launches` from our reader; None for a word that it does not know."""
    return sorted(
        ([word.text for word in command.words[1:]] for command in commands(script, caller=caller, file=file)),
        key=lambda words: [word or "" for word in words],
    )
