"""The command line as a user meets it: exit codes, streams, bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers_cli import ARTICLE, EXAMPLES, HEALTHY, trainlint


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([ARTICLE], 1),
        (["lint", ARTICLE], 1),
        (["lint", "--fail-on", "error", ARTICLE], 0),
        (["--fail-on", "never", ARTICLE], 0),
        ([HEALTHY], 0),
        (["--fail-on", "note", HEALTHY], 1),
        (["lint", str(EXAMPLES)], 1),
        (["lint", "no/such/file.sh"], 2),
        (["lint", "--world-size", "0", ARTICLE], 2),
        (["lint", "--gpu", "Z9000", ARTICLE], 2),
        (["lint", "--tokens", "many", ARTICLE], 2),
        (["lint", "--define", "=x", ARTICLE], 2),
        (["lint", "--no-such-option", ARTICLE], 2),
        (["rule", "no/such-rule"], 2),
        (["rules"], 0),
        (["rule", "lr/too-high-for-step"], 0),
        (["explain", ARTICLE], 0),
        (["--version"], 0),
        (["--help"], 0),
        (["lint", "--help"], 0),
    ],
)
def test_exit_codes(arguments: list[str], status: int) -> None:
    assert trainlint(*arguments).returncode == status


def test_a_word_that_is_neither_command_nor_file_is_said_to_be_so(tmp_path: Path) -> None:
    done = trainlint("exlpain", ARTICLE)
    assert done.returncode == 2
    assert "neither a command nor a file exlpain; did you mean explain?" in done.stderr
    (tmp_path / "runs").mkdir()
    assert trainlint("runs", cwd=tmp_path).returncode == 3


def test_the_console_script_lint_is_the_lint_command() -> None:
    done = trainlint(ARTICLE, entry="lint_main")
    assert done.returncode == 1
    assert "warning[lr/too-high-for-step]" in done.stdout


def test_both_console_scripts_are_installed() -> None:
    from importlib.metadata import entry_points

    scripts = {script.name: script.value for script in entry_points(group="console_scripts")}
    assert scripts["trainlint"] == "trainlint.cli:main"
    assert scripts["lint"] == "trainlint.cli:lint_main"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "trainlint", ARTICLE], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "warning[lr/too-high-for-step]" in done.stdout


def test_the_text_report_underlines_and_sums_up() -> None:
    out = trainlint(ARTICLE).stdout
    assert "lr=2e-5\n      |    ^^^^\n" in out
    assert "Found 4 warnings and" in out
    assert "\x1b" not in out


def test_color_is_forced_and_refused() -> None:
    assert "\x1b[" in trainlint(ARTICLE, env={"NO_COLOR": "", "FORCE_COLOR": "1"}).stdout
    assert "\x1b[" not in trainlint(ARTICLE, env={"NO_COLOR": "1", "FORCE_COLOR": "1"}).stdout


def test_json_contract() -> None:
    report = json.loads(trainlint("--format", "json", ARTICLE).stdout)
    assert report["version"] == 1
    assert report["files"] == 1
    finding = next(entry for entry in report["findings"] if entry["rule"] == "lr/too-high-for-step")
    assert finding["severity"] == "warning"
    assert finding["span"] == {"start": {"line": 3, "column": 4}, "end": {"line": 3, "column": 8}}
    assert finding["related"]
    assert {"rule", "path", "missing"} == set(report["not_evaluated"][0])


def test_sarif_is_written() -> None:
    log = json.loads(trainlint("--format", "sarif", ARTICLE).stdout)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert {result["ruleId"] for result in run["results"]} >= {"lr/too-high-for-step", "batch/tiny-step"}
    assert all(rule["help"]["markdown"] for rule in run["tool"]["driver"]["rules"])


def test_stdin_with_and_without_a_name() -> None:
    script = Path(ARTICLE).read_text()
    assert "run.sh:16:12: warning" in trainlint("lint", "-", "--stdin-filename", "run.sh", stdin=script).stdout
    assert "-:16:12: warning" in trainlint("-", stdin=script).stdout


def test_a_directory_is_searched_by_content(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "whatever.sh").write_text(Path(ARTICLE).read_text())
    (tmp_path / "values.yaml").write_text("a: 1\n")
    (tmp_path / "notes.txt").write_text("torchrun\n")
    done = trainlint("lint", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "whatever.sh:16:12" in done.stdout
    assert "in 1 file" in done.stdout
    assert "2 files were looked at" in done.stdout


def test_a_directory_without_configurations_is_exit_3(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1\n")
    done = trainlint("lint", ".", cwd=tmp_path)
    assert done.returncode == 3
    assert "No training configuration" in done.stdout + done.stderr


def test_an_explicit_file_that_is_no_configuration_is_fine_and_said(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1\n")
    done = trainlint("lint", "values.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "no training run" in done.stdout


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("binary.sh", b"\x7fELF\0\0\0torchrun", "binary"),
        ("latin.sh", "lr=1 # \xe9\ntorchrun".encode("latin-1"), "not valid UTF-8"),
        ("big.json", b"[" + b"1," * 2_500_000 + b"1]", "larger than"),
        ("quote.sh", b'lr="2e-5\ntorchrun train.py --learning_rate $lr\n', "syntax-error"),
        ("broken.yaml", b"learning_rate: 1e-4\n  bad: [1, 2\nnum_train_epochs: 3\n", "syntax-error"),
        ("broken.json", b'{"learning_rate": 1e-4,, "num_train_epochs": 3}', "syntax-error"),
    ],
)
def test_bad_input_is_a_finding_with_its_place(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    done = trainlint("lint", name, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in done.stdout
    assert f"{name}:" in done.stdout


@pytest.mark.parametrize(("command", "status"), [("lint", 0), ("explain", 3)])
def test_a_file_of_no_format_that_is_read_is_said_and_no_error(command: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "notebook.ipynb").write_text('{"cells": ["torchrun train.py --learning_rate 1"]}')
    done = trainlint(command, "notebook.ipynb", cwd=tmp_path)
    assert done.returncode == status
    assert "notebook.ipynb" in done.stdout + done.stderr
    assert "Internal error" not in done.stdout


@pytest.mark.parametrize("name", ["empty.sh", "empty.yaml", "empty.json"])
def test_an_empty_file_has_nothing_to_lint(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    done = trainlint("lint", name, cwd=tmp_path)
    assert done.returncode == (1 if name == "empty.json" else 0)


def test_a_directory_that_cannot_be_read_whole_is_still_linted(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_bytes(b"torchrun \0")
    (tmp_path / "b.sh").write_text(Path(ARTICLE).read_text())
    done = trainlint("lint", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "b.sh:16:12" in done.stdout


def test_defines_reach_the_script(tmp_path: Path) -> None:
    script = Path(ARTICLE).read_text().replace("lr=2e-5\n", "").replace("${lr}", "${LR}")
    (tmp_path / "run.sh").write_text(script)
    assert "lr/too-high" not in trainlint("run.sh", "--tokens", "1k", cwd=tmp_path).stdout.partition("not evaluated")[0]
    assert "warning[lr/too-high" in trainlint("run.sh", "--tokens", "1k", "-D", "LR=2e-5", cwd=tmp_path).stdout


def test_explain_card() -> None:
    out = trainlint("explain", ARTICLE).stdout
    titles = [line.split()[0] for line in out.splitlines() if line[:1].isupper()]
    assert titles == ["WHAT", "MODEL", "DATA", "STEP", "LENGTH", "LR", "SAFETY", "MEMORY", "COST", "UNKNOWN"]
    assert "× 1 GPU × 64 tokens = 64 tokens/step" in out
    assert "beside it: embed_tokens, lm_head" in out
    out_of_four = trainlint("explain", "--world-size", "4", "examples/article/axolotl.yaml").stdout
    assert "× 4 GPUs ×" in out_of_four
    assert "gradient clipping at 1*" in out
    assert "run_pt.sh:3:4  lr=2e-5" in trainlint("explain", "--origins", ARTICLE).stdout


def test_explain_json_promises_every_fact() -> None:
    from trainlint.derive.vocabulary import STATUS_FACTS

    (run,) = json.loads(trainlint("explain", "--format", "json", ARTICLE).stdout)["runs"]
    assert tuple(run["facts"]) == STATUS_FACTS
    assert run["dialect"] == "chinese-llama-alpaca"
    assert run["line"] == 21
    rate = run["facts"]["learning_rate"]
    assert (rate["value"], rate["status"]) == (2e-5, "known")
    assert rate["origin"][-1]["line"] == 3
    assert run["facts"]["max_grad_norm"]["status"] == "default"
    assert run["facts"]["tokenizer_vocab_size"]["status"] == "unknown"
    assert run["facts"]["max_position_embeddings"]["origin"][-1]["path"] == ARTICLE


def test_a_rule_that_does_not_exist_is_met_with_the_nearest() -> None:
    assert "did you mean lr/too-high-for-step?" in trainlint("rule", "lr/too-high-for-steps").stderr


def test_a_users_own_rules_judge_too(tmp_path: Path) -> None:
    (tmp_path / "mine" / "house").mkdir(parents=True)
    page = """# Seeds are 42 here

```toml rule
severity = "warning"
when = "seed != 7"
message = "seed {seed} is not 7"
advice = "set {key.seed} to 7"
at = ["seed"]
```
"""
    (tmp_path / "mine" / "house" / "seed.md").write_text(page)
    done = trainlint("lint", "--rules", str(tmp_path / "mine"), ARTICLE)
    assert "warning[house/seed] seed 42 is not 7" in done.stdout


def test_a_rule_page_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "seed.md").write_text("# No fence\n")
    done = trainlint("lint", "--rules", str(tmp_path), ARTICLE)
    assert done.returncode == 2
    assert "seed.md" in done.stderr


def test_arguments_and_an_empty_environment_reach_the_script(tmp_path: Path) -> None:
    script = Path(ARTICLE).read_text().replace("lr=2e-5\n", "lr=$2$NOTHING\n")
    (tmp_path / "run.sh").write_text(script)
    stated = ["--tokens", "1k", "--arg", "2=2e-5"]
    assert "lr/too-high" not in trainlint("run.sh", *stated, cwd=tmp_path).stdout.partition("not evaluated")[0]
    assert "warning[lr/too-high" in trainlint("run.sh", *stated, "--assume-unset-empty", cwd=tmp_path).stdout
    (tmp_path / "trainlint.toml").write_text('assume-unset-empty = true\nargs = {2 = "2e-5"}\n')
    assert "warning[lr/too-high" in trainlint("run.sh", "--tokens", "1k", cwd=tmp_path).stdout
