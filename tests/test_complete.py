"""Shell completion, asked for as a shell asks click for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, ShellComplete

from trainlint.cli import COMMANDS, cli
from trainlint.reporters import FORMATS
from trainlint.ruleset import home, pages
from trainlint.settings import gpus

RULES = set(pages(home()))


def offered(*words: str) -> list[str]:
    """What is offered for the last word after `trainlint`; `<file>` where the shell is to offer files."""
    *before, last = words
    completion = ShellComplete(cli, {}, "trainlint", "_TRAINLINT_COMPLETE")
    items = completion.get_completions(list(before), last)
    return [f"<{item.type}>" if item.type != "plain" else item.value for item in items]


def test_commands() -> None:
    assert set(COMMANDS) <= set(offered(""))
    assert offered("expl") == ["explain"]
    assert offered("rule") == ["rules", "rule"]


def test_a_file_may_stand_where_a_command_may() -> None:
    assert offered("run_p") == ["<file>"]
    assert offered("./") == ["<file>"]


def test_the_options_of_lint_may_stand_there_too() -> None:
    assert {"--fix", "--select", "--version", "--help"} <= set(offered("--"))
    assert offered("--unsafe") == ["--unsafe-fixes"]
    assert len(offered("--")) == len(set(offered("--")))


@pytest.mark.parametrize("before", [["lint"], ["lint", "run.sh"], ["run.sh"], ["run.sh", "--quiet"], ["--quiet"]])
def test_lint_is_completed_with_and_without_its_name(before: list[str]) -> None:
    assert offered(*before, "run") == ["<file>"]
    assert offered(*before, "--unsafe") == ["--unsafe-fixes"]
    assert offered(*before, "--format", "js") == [name for name in FORMATS if name.startswith("js")]
    assert offered(*before, "--fail-on", "w") == ["warning"]
    assert offered(*before, "--select", "lr/too-high-for") == ["lr/too-high-for-step"]


def test_rules_have_their_titles() -> None:
    assert set(offered("rule", "")) == RULES
    assert offered("rule", "lr/too-high-for-s") == ["lr/too-high-for-step"]
    completion = ShellComplete(cli, {}, "trainlint", "_TRAINLINT_COMPLETE")
    (item,) = completion.get_completions(["rule"], "lr/too-high-for-s")
    assert item.help == "Learning rate too high for the tokens in one step"


def test_selectors_are_completed_after_each_comma() -> None:
    assert {"all", "error", "warning", "note", "lora/*", *RULES} <= set(offered("--select", ""))
    assert offered("--ignore", "lora/*,ba") == [f"lora/*,{name}" for name in offered("--ignore", "ba")]
    assert "note,note" not in offered("--extend-select", "note,")


def test_gpus_and_outputs() -> None:
    assert offered("explain", "--gpu", "") == list(gpus())
    assert offered("--output", "sar") == ["sarif"]


@pytest.mark.parametrize("words", [["explain", "x"], ["baseline", "create", "x"], ["lint", "--config", "x"]])
def test_files(words: list[str]) -> None:
    assert offered(*words) == ["<file>"]


def test_what_cannot_be_completed_is_met_with_silence() -> None:
    assert offered("rules", "x") == []
    assert offered("lint", "--world-size", "x") == []
    assert offered("no-such-file", "--no-such-option", "x") == ["<file>"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    code = "from trainlint.cli import main; main()"
    environment = {**os.environ, "_TRAINLINT_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "_TRAINLINT_COMPLETE" in done.stdout, done.stderr


def test_bash_itself_completes(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    program = tmp_path / "trainlint"
    program.write_text(f"#!{sys.executable}\nfrom trainlint.cli import main\nmain()\n")
    program.chmod(0o755)
    script = BashComplete(cli, {}, "trainlint", "_TRAINLINT_COMPLETE")
    lines = [
        script.source_template % script.source_vars(),
        "COMP_WORDS=(trainlint rule lr/too-high-for-s) COMP_CWORD=2",
        "compopt() { :; }",
        f"{script.func_name} trainlint",
        'echo "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        [bash, "-c", "\n".join(lines)], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == ["lr/too-high-for-step"], done.stderr
