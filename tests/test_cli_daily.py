"""The options of every day: fixing, hiding, choosing, comparing, reporting in several forms."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from helpers_cli import ARTICLE, trainlint

BROKEN = """lr=2e-4
torchrun --nproc_per_node 8 run_clm_sft_with_peft.py \\
    --model_name_or_path llama --tokenizer_name_or_path llama --dataset_dir nowhere \\@
    --learning_rate ${lr} --output_dir out --do_eval --eval_strategy steps --validation_file v.json
""".replace("@", " ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The article's example, alone in a directory."""
    source = Path(ARTICLE).parent
    for name in ("run_pt.sh", "ds_zero2_no_offload.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "essays.txt").write_bytes((source / "data" / "essays.txt").read_bytes())
    return tmp_path


# ------------------------------------------------------------------------------------------------------------ fixing


def test_fix_applies_only_what_is_safe(folder: Path) -> None:
    before = (folder / "run_pt.sh").read_bytes()
    done = trainlint("lint", "--fix", "run_pt.sh", cwd=folder)
    assert "Nothing was fixed." in done.stderr
    assert (folder / "run_pt.sh").read_bytes() == before
    (folder / "broken.sh").write_text(BROKEN)
    done = trainlint("lint", "--fix", "broken.sh", cwd=folder)
    assert "Fixed 1 finding" in done.stderr
    assert "broken-continuation" not in done.stdout
    assert (folder / "broken.sh").read_text() == BROKEN.replace("\\ \n", "\\\n")


def test_unsafe_fixes_reach_the_published_step(folder: Path) -> None:
    done = trainlint("lint", "--fix", "--unsafe-fixes", "--show-fixes", "run_pt.sh", cwd=folder)
    text = (folder / "run_pt.sh").read_text()
    assert "\ngradient_accumulation_steps=8\nblock_size=512\n" in text
    assert text.endswith("    --gradient_checkpointing \\\n    --warmup_ratio 0.05\n")
    assert "run_pt.sh: batch/tiny-step: set --gradient_accumulation_steps to 8" in done.stdout
    assert subprocess.run(["bash", "-n", "run_pt.sh"], cwd=folder, check=False).returncode == 0
    again = trainlint("lint", "--fix", "--unsafe-fixes", "run_pt.sh", cwd=folder)
    assert "Nothing was fixed." in again.stderr
    assert (folder / "run_pt.sh").read_text() == text


def test_diff_shows_and_changes_nothing_and_git_applies_it(folder: Path) -> None:
    before = (folder / "run_pt.sh").read_bytes()
    done = trainlint("lint", "--diff", "--unsafe-fixes", "run_pt.sh", cwd=folder)
    assert done.returncode == 1
    assert "-block_size=64\n+gradient_accumulation_steps=8\n+block_size=512\n" in done.stdout
    assert (folder / "run_pt.sh").read_bytes() == before
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "-"], input=done.stdout.encode(), cwd=folder, check=True)
    assert "block_size=512" in (folder / "run_pt.sh").read_text()


@pytest.mark.parametrize("name", ["run_pt.sh", "llama_factory.yaml", "axolotl.yaml"])
def test_fixes_do_not_answer_tiny_steps_with_a_higher_learning_rate(name: str) -> None:
    done = trainlint("lint", "--diff", "--unsafe-fixes", name, cwd=Path(ARTICLE).parent)
    assert "512" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith(("-lr", "-learning_rate"))]


def test_a_file_that_another_one_names_is_fixed_once_for_both(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text(
        "torchrun --nproc_per_node 1 run_clm.py --output_dir o --model_name_or_path m --do_train \\\n"
        "    --learning_rate 1e-5 --deepspeed ds.json\n"
    )
    text = '{\n  "zero_optimization": {"stage": 2,},\n  "train_batch_size": 8,\n  "gradient_clipping": 0,\n}\n'
    (tmp_path / "ds.json").write_text(text)
    done = trainlint("lint", ".", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert "changed after" not in done.stderr
    fixed = (tmp_path / "ds.json").read_text()
    assert '"gradient_clipping": 1.0' in fixed
    assert ",}" not in fixed.replace("\n", "")
    again = trainlint("lint", ".", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert "Nothing was fixed" in again.stderr


def test_fix_only_reports_nothing_else(folder: Path) -> None:
    (folder / "broken.sh").write_text(BROKEN)
    done = trainlint("lint", "--fix-only", "broken.sh", cwd=folder)
    assert done.stdout == ""
    assert "Fixed 1 finding" in done.stderr


def test_the_file_keeps_its_mode_and_its_link(folder: Path) -> None:
    (folder / "real.sh").write_text(BROKEN)
    (folder / "real.sh").chmod(0o751)
    (folder / "link.sh").symlink_to("real.sh")
    trainlint("lint", "--fix", "link.sh", cwd=folder)
    assert (folder / "link.sh").is_symlink()
    assert (folder / "real.sh").stat().st_mode & 0o777 == 0o751
    assert "\\ \n" not in (folder / "real.sh").read_text()


@pytest.mark.parametrize(
    "arguments", [["--unsafe-fixes", ARTICLE], ["--show-fixes", ARTICLE], ["--fix", "-"], ["--watch", "-"]]
)
def test_options_that_make_no_sense_together(arguments: list[str]) -> None:
    assert trainlint("lint", *arguments).returncode == 2


# ------------------------------------------------------------------------------------------------------------ hiding


def test_comments_hide_findings_and_can_be_overruled(folder: Path) -> None:
    script = folder / "run_pt.sh"
    script.write_text(
        script.read_text().replace("lr=2e-5\n", "lr=2e-5  # trainlint: ignore[lr/too-high-for-step] a test\n")
    )
    done = trainlint("run_pt.sh", cwd=folder)
    assert "warning[lr/too-high-for-step]" not in done.stdout
    assert "1 finding suppressed" in done.stdout
    assert "warning[lr/too-high-for-step]" in trainlint("lint", "--no-ignores", "run_pt.sh", cwd=folder).stdout


def test_a_comment_that_hides_nothing_is_a_finding_and_fix_removes_it(folder: Path) -> None:
    script = folder / "run_pt.sh"
    text = script.read_text()
    script.write_text(text.replace("lora_rank=64\n", "lora_rank=64  # trainlint: ignore[lora/rank-high]\n"))
    assert "suppressions/unused" in trainlint("run_pt.sh", cwd=folder).stdout
    trainlint("lint", "--fix", "run_pt.sh", cwd=folder)
    assert script.read_text() == text


def test_add_ignores_leaves_a_clean_file(folder: Path) -> None:
    assert trainlint("lint", "--add-ignores", "--reason", "known", "run_pt.sh", cwd=folder).returncode == 0
    done = trainlint("lint", "--fail-on", "note", "run_pt.sh", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "# trainlint: ignore[lr/too-high-for-step, schedule/no-warmup] known" in (folder / "run_pt.sh").read_text()


@pytest.mark.parametrize("indent", [1, 4, None])
def test_a_notebook_is_fixed_and_its_findings_are_hidden_in_its_cells(tmp_path: Path, indent: int | None) -> None:
    lines = [
        "from peft import LoraConfig\n",
        "from transformers import BitsAndBytesConfig\n",
        "q = BitsAndBytesConfig(load_in_4bits=True)  # 学\n",
        "c = LoraConfig(r=8, lora_alpha=4096)",
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# load_in_4bits"]},
        {"cell_type": "code", "execution_count": 3, "outputs": [{"text": ["a\\u00e9"]}], "source": lines},
    ]
    before = json.dumps({"cells": cells, "nbformat": 4}, indent=indent, ensure_ascii=False) + "\n"
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(before, "utf-8")
    trainlint("lint", "--fix", "--unsafe-fixes", "a.ipynb", cwd=tmp_path)
    fixed = before.replace("load_in_4bits=True", "load_in_4bit=True")
    assert notebook.read_text("utf-8") == fixed
    assert "lora/alpha-scale" in trainlint("lint", "a.ipynb", cwd=tmp_path).stdout
    done = trainlint("lint", "--add-ignores", "--reason", 'a "trial"', "a.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    comment = '  # trainlint: ignore[lora/alpha-scale] a \\"trial\\"'
    assert notebook.read_text("utf-8") == fixed.replace("=4096)", f"=4096){comment}")
    assert trainlint("lint", "--fail-on", "note", "a.ipynb", cwd=tmp_path).returncode == 0


def test_a_baseline_hides_what_is_known_and_only_that(folder: Path) -> None:
    assert trainlint("baseline", "create", "run_pt.sh", cwd=folder).returncode == 0
    done = trainlint("lint", "--baseline", "trainlint-baseline.json", "run_pt.sh", cwd=folder)
    assert done.returncode == 0
    script = folder / "run_pt.sh"
    script.write_text(script.read_text().replace("lr=2e-5", "lr=3e-5"))
    done = trainlint("lint", "--baseline", "trainlint-baseline.json", "run_pt.sh", cwd=folder)
    assert done.returncode == 1
    assert "warning[lr/too-high-for-step]" in done.stdout
    assert "batch/tiny-step" not in done.stdout.partition("not evaluated")[0]


# ---------------------------------------------------------------------------------------------- choosing, configuring


def test_the_nearest_configuration_counts(folder: Path) -> None:
    (folder / "trainlint.toml").write_text(
        'ignore = ["data/*"]\nfail-on = "error"\n'
        '[severity]\n"batch/tiny-step" = "error"\n[limits."context/block-too-short"]\nfloor = 32\n'
    )
    done = trainlint("lint", "run_pt.sh", cwd=folder)
    assert "data/too-small" not in done.stdout
    assert "error[batch/tiny-step]" in done.stdout
    assert "warning[context/block-too-short]" not in done.stdout
    assert done.returncode == 1
    assert "warning[data/too-small-for-pretraining]" in trainlint("lint", "--isolated", "run_pt.sh", cwd=folder).stdout


def test_limits_reach_rules_that_are_judged_in_python(folder: Path) -> None:
    (folder / "notes.json").write_text('{"a": 1,}\n')
    (folder / "typo.sh").write_text(
        "torchrun run_clm_pt_with_peft.py --do_train --output_dir out --learnin_rate 1e-4\n"
    )
    linted = ("notes.json", "typo.sh", "--format", "concise")
    plain = trainlint(*linted, cwd=folder).stdout
    assert "arguments/unknown" in plain
    assert "file/trailing-comma" not in plain
    (folder / "trainlint.toml").write_text(
        '[limits."file/trailing-comma"]\nruns_only = false\n[limits."arguments/unknown"]\nkinds = ["ambiguous"]\n'
    )
    limited = trainlint(*linted, cwd=folder).stdout
    assert "arguments/unknown" not in limited
    assert "file/trailing-comma" in limited


def test_an_unknown_key_is_met_with_the_nearest_and_its_line(folder: Path) -> None:
    (folder / "trainlint.toml").write_text('profile = "default"\nselct = ["lr/*"]\n')
    done = trainlint("run_pt.sh", cwd=folder)
    assert done.returncode == 2
    assert "trainlint.toml:2" in done.stderr
    assert "did you mean select" in done.stderr


def test_selecting_a_family(folder: Path) -> None:
    done = trainlint("lint", "--select", "lr/*", "--format", "json", "run_pt.sh", cwd=folder)
    assert {finding["rule"] for finding in json.loads(done.stdout)["findings"]} == {"lr/too-high-for-step"}


def test_min_confidence(folder: Path) -> None:
    done = trainlint("lint", "--min-confidence", "high", "--format", "json", "run_pt.sh", cwd=folder)
    assert {finding["confidence"] for finding in json.loads(done.stdout)["findings"]} == {"high"}


# --------------------------------------------------------------------------------------------------------- reporting


def test_several_outputs_at_once(folder: Path) -> None:
    done = trainlint(
        "lint",
        "--output",
        "sarif:out.sarif",
        "--output",
        "junit:out.xml",
        "--output",
        "concise",
        "run_pt.sh",
        cwd=folder,
    )
    assert json.loads((folder / "out.sarif").read_text())["version"] == "2.1.0"
    assert (folder / "out.xml").read_text().startswith("<?xml")
    assert "run_pt.sh:3:4: warning lr/too-high-for-step" in done.stdout


@pytest.mark.parametrize("spec", ["nope", "sarif:no/such/dir/x", "text:"])
def test_an_output_that_cannot_be_is_a_usage_error(spec: str) -> None:
    assert trainlint("lint", "--output", spec, ARTICLE).returncode == 2


def test_statistics_and_quiet_and_show_files(folder: Path) -> None:
    assert "lr/too-high-for-step" in trainlint("lint", "--statistics", "run_pt.sh", cwd=folder).stdout
    assert "Found" not in trainlint("lint", "--quiet", "run_pt.sh", cwd=folder).stdout
    (folder / "notes.yaml").write_text("a: 1\n")
    listed = trainlint("lint", "--show-files", ".", cwd=folder).stdout
    assert "run_pt.sh: linted" in listed
    assert "notes.yaml: describes no training run" in listed


def test_statistics_as_json_beside_a_report_in_a_file(folder: Path) -> None:
    asked = ("lint", "--statistics", "--output", "sarif:out.sarif", "run_pt.sh")
    counted = json.loads(trainlint(*asked, "--format", "json", cwd=folder).stdout)
    assert counted["version"] == 1
    assert {"rule": "batch/tiny-step", "severity": "warning", "count": 1, "fixable": 1} in counted["rules"]
    assert json.loads((folder / "out.sarif").read_text())["version"] == "2.1.0"
    assert trainlint(*asked, cwd=folder).stdout.startswith("1  warning  ")
    assert trainlint(*asked, "--format", "junit", cwd=folder).returncode == 2


def test_gitignore_is_respected(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("run_pt.sh\nds_*\n")
    assert trainlint("lint", ".", cwd=folder).returncode == 3
    assert trainlint("lint", "run_pt.sh", cwd=folder).returncode == 1
    assert trainlint("lint", "--force-exclude", "run_pt.sh", cwd=folder).returncode == 0


def test_included_files_are_told_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "trainlint.toml").write_text('include = ["*.job"]\n', "utf-8")
    (tmp_path / "a.job").write_text("#SBATCH -N 1\nsrun torchrun run_clm.py --learning_rate 2e-5 --bf16\n", "utf-8")
    (tmp_path / "b.job").write_text("a learning_rate that is only talked about\n", "utf-8")
    (tmp_path / "notes.txt").write_text("Title: learning_rate\n\nso: it: is\n", "utf-8")
    ran = trainlint("lint", "--show-files", "--format", "concise", ".", cwd=tmp_path)
    shown = ran.stdout + ran.stderr
    assert "a.job: linted" in shown
    assert "b.job: neither its name nor its content tells the format" in shown
    assert trainlint("notes.txt", cwd=tmp_path).returncode == 0
