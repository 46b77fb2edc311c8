"""Baselines: what is the same finding, what is new, what is gone; and the files they live in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from trainlint.baseline import Baseline, BaselineError, Key, apply, prune
from trainlint.cli import cli
from trainlint.findings import Finding, InternalError, NotEvaluated, Report
from trainlint.text import Location, SourceText, Span

FILE = "trainlint-baseline.json"
SCRIPT = """\
#!/bin/bash
# 学习率
lr=2e-5
torchrun --nproc_per_node 1 run_clm_pt_with_peft.py \\
    --do_train --model_name_or_path hfl/chinese-llama-2-7b --lora_rank 8 \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 1 --block_size 64 \\
    --learning_rate ${lr}
"""
YAML = """\
stage: pt
do_train: true
finetuning_type: lora
model_name_or_path: meta-llama/Llama-2-7b-hf
dataset: 数据
cutoff_len: 64
per_device_train_batch_size: 1
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
seed: 42
seed: 43
说明: 1
说明: 2
"""
JSON = """\
{
  "model_name_or_path": "meta-llama/Llama-2-7b-hf", "output_dir": "out", "do_train": true, "dataset_dir": "data",
  "per_device_train_batch_size": 1, "learning_rate": 1e-4, "block_size": 64, "seed": 1, "seed": 2
}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run.sh").write_text(SCRIPT, "utf-8")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "pt.yaml").write_text(YAML, "utf-8")
    (tmp_path / "conf" / "args.json").write_text(JSON, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trainlint(*arguments: str, status: int = 0) -> str:
    result: Result = CliRunner().invoke(cli, [*arguments])
    assert result.exit_code == status, result.output
    return result.output


def entries(file: str = FILE) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(Path(file).read_text("utf-8"))["findings"]
    return listed


def edit(name: str, old: str, new: str) -> None:
    file = Path(name)
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


# ----------------------------------------------------------------------------------------------------- the commands


def test_what_is_known_is_not_reported(project: Path) -> None:
    assert " findings in " in trainlint("baseline", "create")
    number = sum(int(str(entry["count"])) for entry in entries())
    assert number > 8
    assert trainlint("baseline", "check") == f"{number} known findings in the baseline, 0 new.\n"
    assert trainlint("lint", "--baseline", FILE).count("warning[") == 0


def test_a_finding_is_known_wherever_its_line_moves(project: Path) -> None:
    trainlint("baseline", "create")
    edit("run.sh", "lr=2e-5\n", "echo start\nlr=2e-5\n\n")
    edit("run.sh", "    --do_train", "    --do_train \\\n  --logging_steps 5")
    Path("conf/pt.yaml").write_text("# 注释\n" + Path("conf/pt.yaml").read_text("utf-8"), "utf-8")
    assert "0 new." in trainlint("baseline", "check")


def test_a_new_first_key_makes_nothing_new(project: Path) -> None:
    """Findings about what is absent stand at the first key."""
    trainlint("baseline", "create")
    edit("conf/pt.yaml", "stage: pt\n", "logging_steps: 5\nstage: pt\n")
    assert "0 new." in trainlint("baseline", "check")


def test_a_changed_value_is_new(project: Path) -> None:
    trainlint("baseline", "create")
    edit("run.sh", "--block_size 64", "--block_size 32")
    out = trainlint("baseline", "check", status=1)
    assert "warning[context/block-too-short]" in out
    assert " 1 new." in out
    assert "1 finding of the baseline gone" in out
    assert "0 new." not in trainlint("baseline", "check", "--fail-on", "error")


def test_a_second_finding_of_the_same_kind_is_new(project: Path) -> None:
    trainlint("baseline", "create")
    edit("conf/pt.yaml", "seed: 43\n", "seed: 43\nseed: 44\n")
    assert " 1 new." in trainlint("baseline", "check", status=1)


def test_a_baseline_never_grows(project: Path) -> None:
    trainlint("baseline", "create")
    before = entries()
    edit("run.sh", "--block_size 64", "--block_size 32")
    trainlint("baseline", "check", status=1)
    assert entries() == before
    assert trainlint("baseline", "prune").startswith("1 finding taken out")
    after = entries()
    assert len(after) == len(before) - 1
    assert all(entry in before for entry in after)
    mode, data = Path(FILE).stat(), Path(FILE).read_bytes()
    assert trainlint("baseline", "prune").startswith("0 findings taken out")
    assert (Path(FILE).read_bytes(), Path(FILE).stat().st_mtime_ns) == (data, mode.st_mtime_ns)


def test_prune_keeps_what_it_did_not_look_at(project: Path) -> None:
    trainlint("baseline", "create")
    edit("run.sh", "--block_size 64", "--block_size 1024")
    edit("conf/pt.yaml", "cutoff_len: 64", "cutoff_len: 1024")
    assert trainlint("baseline", "prune", "--select", "data/*").startswith("0 ")
    assert trainlint("baseline", "prune", "run.sh").startswith("2 ")
    assert trainlint("baseline", "prune", "--no-such-option", status=2)
    Path("conf/pt.yaml").unlink()
    trainlint("baseline", "prune", "run.sh")
    assert "conf/pt.yaml" not in {entry["path"] for entry in entries()}


def test_a_suppressed_finding_is_not_in_a_baseline(project: Path) -> None:
    edit("run.sh", "torchrun", "# trainlint: ignore[context/block-too-short] 试验\ntorchrun")
    trainlint("baseline", "create")
    assert ("run.sh", "context/block-too-short") not in {(e["path"], e["rule"]) for e in entries()}


def test_create_replaces_only_when_forced(project: Path) -> None:
    trainlint("baseline", "create", "run.sh")
    before = Path(FILE).read_bytes()
    assert "--force" in trainlint("baseline", "create", status=2)
    assert Path(FILE).read_bytes() == before
    trainlint("baseline", "create", "--force")
    assert len(Path(FILE).read_bytes()) > len(before)


def test_paths_are_relative_to_the_baseline(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainlint("baseline", "create", "--baseline", "conf/known.json")
    assert {entry["path"] for entry in entries("conf/known.json")} == {"../run.sh", "pt.yaml", "args.json"}
    monkeypatch.chdir(project / "conf")
    assert "0 new." in trainlint("baseline", "check", "--baseline", "known.json", str(project))


def test_the_configuration_names_the_baseline(project: Path) -> None:
    Path("trainlint.toml").write_text('baseline = "conf/known.json"\n')
    assert "no baseline" in trainlint("baseline", "check", status=2)
    trainlint("baseline", "create")
    assert Path("conf/known.json").exists()
    edit("run.sh", "--block_size 64", "--block_size 32")
    assert trainlint("lint", status=1).count("warning[") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "no baseline"),
        ('{"version": 1}x', "Invalid JSON"),
        ('{"version": 2, "findings": []}', "version 2"),
        ('{"version": 1, "findings": [{"rule": "a/b"}]}', "findings.0"),
        ('{"version": 1, "findings": [], "more": 1}', "more"),
        (b"\xff\xfe", "no baseline"),
    ],
)
def test_what_is_no_baseline(project: Path, text: str | bytes, said: str) -> None:
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("check", "prune"):
        assert said in trainlint("baseline", command, status=2)
    assert said in trainlint("lint", "--baseline", FILE, status=2)


def test_nothing_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainlint("baseline", "create", status=3)
    trainlint("baseline", "create", "no/such/file.sh", status=2)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there(project: Path) -> None:
    assert "cannot be written" in trainlint("baseline", "create", "--baseline", "no/such/known.json", status=2)


# --------------------------------------------------------------------------------------------------------- the file


def test_the_file_is_sorted_with_an_entry_a_line(project: Path) -> None:
    trainlint("baseline", "create")
    text = Path(FILE).read_text("utf-8")
    lines = text.splitlines()
    assert lines[:3] == ["{", '  "version": 1,', '  "findings": [']
    assert lines[-2:] == ["  ]", "}"]
    assert [json.loads(line.rstrip(",")) for line in lines[3:-2]] == entries()
    assert '"value": "说明"' in text
    keys = [(e["path"], e["rule"], e["argument"], e["value"]) for e in entries()]
    assert keys == sorted(keys)  # type: ignore[type-var]
    trainlint("baseline", "create", "--force", "run.sh", "conf/args.json", "conf/pt.yaml")
    assert Path(FILE).read_text("utf-8") == text


def test_a_write_keeps_links_and_modes(project: Path) -> None:
    real = project / "kept.json"
    real.write_text("{}")
    real.chmod(0o600)
    Path(FILE).symlink_to(real)
    trainlint("baseline", "create", "--force")
    assert Path(FILE).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert json.loads(real.read_text("utf-8"))["version"] == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_write_that_fails_leaves_what_was_there(project: Path) -> None:
    trainlint("baseline", "create")
    before = Path(FILE).read_bytes()
    project.chmod(0o500)
    try:
        assert "cannot be written" in trainlint("baseline", "create", "--force", status=2)
    finally:
        project.chmod(0o700)
    assert Path(FILE).read_bytes() == before


KEYS = st.builds(Key, st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=9))


@given(st.dictionaries(KEYS, st.integers(1, 9), max_size=5))
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, counts: dict[Key, int]) -> None:
    from collections import Counter

    file = tmp_path_factory.getbasetemp() / "known.json"
    try:
        Baseline(file.parent, Counter(counts)).save(file)
    except BaselineError:  # half of a surrogate pair, which no file name and no text has
        return
    assert Baseline.load(file) == Baseline(file.parent, Counter(counts))


# ------------------------------------------------------------------------------------------------- without the linter


def finding(
    rule: str = "lr/too-high", text: str = "2e-5", argument: str = "learning_rate", path: str = "a.sh"
) -> Finding:
    source = SourceText(path, f"lr={text}\n")
    at = Location(source, Span(3, 3 + len(text)))
    return Finding(rule, "warning", "high", "m", at, "a", argument=argument)


def test_the_message_does_not_count(tmp_path: Path) -> None:
    from dataclasses import replace

    old = finding()
    baseline = Baseline.of([old], tmp_path)
    report = apply(Report(findings=[replace(old, message="another", severity="note"), old]), baseline)
    assert (report.findings, report.known) == ([old], 1)


@pytest.mark.parametrize(
    "other",
    [finding(rule="a/b"), finding(text="2e-4"), finding(argument="seed"), finding(path="b.sh"), finding(argument="")],
)
def test_what_makes_a_difference(other: Finding, tmp_path: Path) -> None:
    baseline = Baseline.of([finding()], tmp_path)
    assert apply(Report(findings=[other]), baseline).findings == [other]


def test_spacing_and_length_do_not_count(tmp_path: Path) -> None:
    baseline = Baseline.of([finding(text="[1,\n 2]" + "x" * 999)], tmp_path)
    assert apply(Report(findings=[finding(text="[1,\r\n\t2]" + "x" * 998)]), baseline).known == 1


def test_prune_waits_for_a_verdict(tmp_path: Path) -> None:
    file = tmp_path / "a.sh"
    file.write_text("")
    name = str(file)
    rule = "lr/too-high"
    baseline = Baseline.of([finding(path=name), finding(path=name)], tmp_path)

    def left(report: Report, judged: dict[str, set[str]] | None = None, rules: set[str] | None = None) -> int:
        return prune(baseline, report, {name: {rule}} if judged is None else judged, rules or {rule}).total

    assert left(Report()) == 0
    assert left(Report(findings=[finding(path=name)])) == 1
    assert left(Report(findings=[finding(path=name)] * 3)) == 2
    assert left(Report(), judged={}) == 2
    assert left(Report(), judged={name: set()}) == 2
    assert left(Report(not_evaluated=[NotEvaluated(rule, name, ("world_size",))])) == 2
    assert left(Report(internal_errors=[InternalError(name, rule, "boom")])) == 2
    assert left(Report(findings=[finding("file/syntax-error", path=name, argument="")])) == 2
    assert left(Report(), judged={}, rules={"a/b"}) == 0
    file.unlink()
    assert left(Report(), judged={}) == 0
