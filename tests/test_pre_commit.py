"""The pre-commit hooks: valid for pre-commit, quiet about what is none of their business, and failing where they should."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers_cli import ARTICLE, HEALTHY, trainlint

MANIFEST = Path(__file__).parents[1] / ".pre-commit-hooks.yaml"
HOOKS: dict[str, dict[str, Any]] = {hook["id"]: hook for hook in yaml.safe_load(MANIFEST.read_text("utf-8"))}
every_hook = pytest.mark.parametrize("id", HOOKS)

BROKEN = "torchrun run_clm_pt_with_peft.py --do_train \\ \n    --output_dir out\n"
IRRELEVANT = {
    "large.json": json.dumps(list(range(200_000))).encode(),
    "latin.yaml": b"name: caf\xe9\n",
    "tsconfig.json": b'{\n  // comments are usual here\n  "compilerOptions": {"strict": true,},\n}\n',
    "helm.yaml": b"{{- if .Values.enabled }}\nname: {{ .Values.name }}\n{{- end }}\n",
    "documents.yaml": b"a: 1\n---\na: 2\n",
    "tags.yaml": b"a: !Ref x\nb: !Sub y\na: 2\n",
    "broken.yaml": b"a: [1\nb: }\n",
    "empty.json": b"",
    "trailing.json": b'{"a": 1,}',
    "quote.sh": b'echo "unterminated\n',
    "binary.sh": b"#!/bin/sh\n\0\0",
    "inference.py": b"from transformers import pipeline\n",
    "old.py": b"print 'TrainingArguments'\n",
    "empty.ipynb": b"",
    "plot.ipynb": b'{"cells": [{"cell_type": "code", "source": ["plot(learning_rate)"]}]}',
    "notes.txt": b"torchrun train.py --learning_rate 1e-4\n",
    "pyproject.toml": b'[project]\nname = "x"\n',
}


def run(id: str, files: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """The hook as pre-commit starts it: its entry with the files behind it."""
    program, *arguments = shlex.split(HOOKS[id]["entry"])
    assert program == "trainlint"
    return trainlint(*arguments, *files, cwd=folder)


@pytest.mark.skipif(find_spec("pre_commit") is None, reason="pre-commit is not installed")
def test_pre_commit_accepts_the_manifest() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_hook_to_find_and_one_to_fix() -> None:
    assert set(HOOKS) == {"trainlint", "trainlint-fix"}
    for hook in HOOKS.values():
        assert hook["language"] == "python"
        assert (
            hook["require_serial"] is True
        )  # the files that several name are read once, and each finding is said once
        assert {"python", "jupyter"} <= set(hook["types_or"])


@every_hook
def test_irrelevant_files_are_passed_over_in_silence(id: str, tmp_path: Path) -> None:
    for name, data in IRRELEVANT.items():
        (tmp_path / name).write_bytes(data)
    done = run(id, list(IRRELEVANT), tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert {name: (tmp_path / name).read_bytes() for name in IRRELEVANT} == IRRELEVANT


@every_hook
def test_a_ruinous_script_fails_and_a_published_one_passes(id: str, tmp_path: Path) -> None:
    for name, script in (("bad one.sh", ARTICLE), ("gut é 好.sh", HEALTHY)):
        (tmp_path / name).write_text(Path(script).read_text("utf-8"), "utf-8")
    assert run(id, ["gut é 好.sh"], tmp_path).returncode == 0
    done = run(id, ["gut é 好.sh", "bad one.sh", "./bad one.sh"], tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("warning[batch/tiny-step]") == 1


@every_hook
def test_what_the_project_excludes_stays_excluded(id: str, tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "bad.sh").write_text(Path(ARTICLE).read_text("utf-8"), "utf-8")
    (tmp_path / "trainlint.toml").write_text('exclude = ["vendor"]\n')
    assert run(id, ["vendor/bad.sh"], tmp_path).returncode == 0


def test_only_the_fix_hook_changes_files(tmp_path: Path) -> None:
    script = tmp_path / "broken.sh"
    script.write_text(BROKEN)
    assert run("trainlint", ["broken.sh"], tmp_path).returncode == 1
    assert script.read_text() == BROKEN
    run("trainlint-fix", ["broken.sh"], tmp_path)
    assert script.read_text() == BROKEN.replace("\\ \n", "\\\n")


def test_a_file_that_is_gone_is_still_an_error(tmp_path: Path) -> None:
    assert run("trainlint", ["gone.sh"], tmp_path).returncode == 2
