"""Diffs are judged by the programs that apply them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from trainlint.fixer.diff import diff
from trainlint.text import SourceText

PROGRAMS = {"git": ["git", "apply", "--whitespace=nowarn", "-"], "patch": ["patch", "-p1", "--quiet", "--posix"]}
TEXTS = {
    "one line": ("a: 1\n", "a: 2\n"),
    "in the middle": ("".join(f"k{n}: {n}\n" for n in range(40)), "".join(f"k{n}: {n % 19}\n" for n in range(40))),
    "new last line": ("a: 1\n", "a: 1\nb: 2\n"),
    "no newline at the end": ("a: 1\nb: 2", "a: 1\nb: 3"),
    "a newline less": ("a: 1\nb: 2\n", "a: 1\nb: 2"),
    "a newline more": ("a: 1\nb: 2", "a: 1\nb: 2\n"),
    "CRLF": ("a: 1\r\nb: 2\r\nc: 3\r\n", "a: 1\r\nb: 4\r\nc: 3\r\n"),
    "odd line ends": ("a\rb\x0cc\x85d\u2028e\nf\n", "a\rb\x0cc\x85d\u2028E\nf\n"),
    "Chinese": ("学习率: 1 🚀\n", "学习率: 2 🚀\n"),
    "looks like a diff": ("--- a\n+++ b\n@@ -1 +1 @@\n", "--- a\n+++ c\n@@ -1 +1 @@\n"),
}


def applied(program: str, source: SourceText, text: str, folder: Path) -> bytes:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is the judge")
    file = folder / source.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(source.encode(source.text))
    patch = diff(source, text).encode()
    run = subprocess.run(PROGRAMS[program], cwd=folder, input=patch, capture_output=True, check=False)
    assert run.returncode == 0, run
    return file.read_bytes()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize(("old", "new"), TEXTS.values(), ids=TEXTS)
def test_it_applies(program: str, bom: bool, old: str, new: str, tmp_path: Path) -> None:
    source = SourceText("configs/run.yaml", old, bom=bom)
    assert applied(program, source, new, tmp_path) == source.encode(new)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("path", ["run 1.sh", "a/学习 🚀.yaml", 'quo"te.yaml', "back\\slash.yaml", "tab\there.yaml"])
def test_odd_names(program: str, path: str, tmp_path: Path) -> None:
    if program == "patch" and "\\" in path:
        pytest.skip("POSIX patch takes no quoted names")
    source = SourceText(path, "a\n")
    if program == "patch" and any(char in path for char in '"\t'):
        pytest.skip("POSIX patch takes no quoted names")
    assert applied(program, source, "b\n", tmp_path) == b"b\n"


def test_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mark = "\\ No newline at end of file\n"
    wanted = f"--- a/x/run.sh\n+++ b/x/run.sh\n@@ -1,2 +1,2 @@\n a\n-b\n{mark}+c\n{mark}"
    for path in ("x/run.sh", str(tmp_path / "x" / "run.sh"), "./x/run.sh"):
        assert diff(SourceText(path, "a\nb"), "a\nc") == wanted
    assert diff(SourceText("/elsewhere/run.sh", "a"), "b").startswith("--- a/elsewhere/run.sh\n")


def test_no_change_is_no_diff() -> None:
    assert diff(SourceText("run.sh", "a\n"), "a\n") == ""
