"""The version that a run will use: which arguments it has, and its defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_cli import trainlint
from trainlint.dialects.tables import Schema
from trainlint.facts import Launch
from trainlint.findings import Finding
from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText

SCRIPT = """\
torchrun --nproc_per_node 1 run_clm.py --model_name_or_path m --output_dir out --learning_rate 1e-5 \\
    --evaluation_strategy no --overwrite_output_dir
torchrun --nproc_per_node 1 run_clm.py --model_name_or_path m --output_dir out --learning_rate 2e-5 \\
    --evaluation_strategy no
"""


def judged(text: str, **targets: str) -> tuple[list[Finding], list[Launch]]:
    linter = Linter(Settings(targets=targets))
    source = SourceText("run.sh", text)
    found = [finding for finding in linter.findings(source) if finding.rule == "arguments/version"]
    return found, linter.read(source)[1]


def test_without_a_version_one_note_for_the_file() -> None:
    (finding,), _ = judged(SCRIPT)
    assert (finding.severity, finding.at.text, finding.at.start.line) == ("note", "--evaluation_strategy", 2)
    assert "--evaluation_strategy (gone by transformers 4.51.3)" in finding.message
    assert finding.advice == (
        "write eval_strategy instead of --evaluation_strategy; "
        "else leave it out, or state with --target which release is installed"
    )
    assert [related.at.text for related in finding.related] == ["--overwrite_output_dir"]


@pytest.mark.parametrize(
    ("version", "lacking"),
    [
        ("4.44", []),
        ("4.44.2", []),
        ("4.51", ["--evaluation_strategy"]),
        ("5.0.0", ["--evaluation_strategy", "--overwrite_output_dir"]),
        ("99.0", ["--evaluation_strategy", "--overwrite_output_dir"]),
    ],
)
def test_with_a_version_what_it_lacks(version: str, lacking: list[str]) -> None:
    found, _ = judged(SCRIPT, transformers=version)
    assert [finding.severity for finding in found] == ["warning"] * bool(lacking)
    assert all(flag in finding.message for finding in found for flag in lacking)
    assert sum(finding.message.count("--") for finding in found) == len(lacking)


def test_a_version_of_another_package_changes_nothing() -> None:
    (same,), (plain,) = judged(SCRIPT, trl="0.12.2")[0], judged(SCRIPT)[0]
    assert (same.severity, same.message) == (plain.severity, plain.message)


def test_a_version_between_those_of_the_table_has_what_its_neighbours_have() -> None:
    spec = Schema("transformers:TrainingArguments")["evaluation_strategy"]
    assert spec.at("4.50") is not None  # 4.49.0 has it, 4.51.3 does not
    assert spec.at("4.52") is None
    assert spec.at("1.0") is spec.editions[0]


def test_a_version_between_those_of_the_table_takes_the_values_that_its_neighbours_take() -> None:
    spec = Schema("peft:LoraConfig")["init_lora_weights"]  # a bool in 0.5.0, since 0.7.1 the name of a method, too
    between, before = spec.judging("0.7.0"), spec.judging("0.5.0")
    assert between.admits("gaussian")
    assert between.default == before.default
    assert not before.admits("gaussian")


def test_defaults_are_those_of_the_version() -> None:
    old, new = (Schema("trl:SFTConfig", targets={"trl": version}) for version in ("0.9.6", "1.16.0"))
    assert "trl 0.9.6 default" in old.default("packing")[1].text
    assert new.default("learning_rate") != old.default("learning_rate")
    fact = judged(SCRIPT, transformers="4.44")[1][0].fact("weight_decay")
    assert (fact.status, fact.confidence) == ("default", "high")


def test_the_option(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(SCRIPT)
    judge = ("lint", "--isolated", "--select", "arguments/version", "run.sh")
    done = trainlint(*judge, "--target", "transformers==5.0.0", cwd=tmp_path)
    assert (done.returncode, "warning[arguments/version]" in done.stdout) == (1, True)
    wrong = trainlint(*judge, "--target", "transformers=5", cwd=tmp_path)
    assert (wrong.returncode, "is not PACKAGE==VERSION" in wrong.stderr) == (2, True)


def test_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(SCRIPT)
    (tmp_path / "trainlint.toml").write_text('[targets]\ntransformers = "4.44"\n')
    done = trainlint("lint", "--select", "arguments/version", "run.sh", cwd=tmp_path)
    assert (done.returncode, "No problems found" in done.stdout) == (0, True)


def test_what_a_framework_runs_on_is_its_own_affair() -> None:
    text = "stage: sft\nfinetuning_type: lora\nmodel_name_or_path: m\ntemplate: t\ndataset: d\nwarmup_ratio: 0.1\n"
    source = SourceText("x.yaml", text)
    assert "arguments/version" not in {finding.rule for finding in Linter().findings(source)}
    lacking = Linter(Settings(targets={"transformers": "5.23"})).findings(source)
    assert "arguments/version" in {finding.rule for finding in lacking}


def test_a_script_that_is_gone_as_a_whole() -> None:
    names = [name for name, spec in Schema("open_instruct:ppo").items() if spec.gone]
    flags = " ".join(f"--{name} 1" for name in names[:9])
    found, launches = judged(f"python open_instruct/ppo_vllm_thread_ray_gtrl.py {flags}\n")
    assert (launches[0].first.dialect, found) == ("open-instruct", [])


def test_commits_are_found_by_their_place() -> None:
    spec = Schema("open_instruct:dpo")["gradient_checkpointing"]
    assert spec.at(spec.versions[0]) is not None
    assert spec.at(spec.versions[-1]) is None


AXOLOTL = """\
base_model: m
datasets:
  - path: d
    type: alpaca
micro_batch_size: 1
learning_rate: 0.0002
rope_scaling:
  type: linear
evaluation_strategy: steps
rpo_alpha: 1.0
"""


def said(text: str, name: str, **targets: str) -> list[tuple[str, str, str, int]]:
    found = Linter(Settings(targets=targets)).findings(SourceText(name, text))
    return [(f.rule, f.severity, f.message, f.at.start.line) for f in found if f.rule.startswith("arguments/")]


def test_a_key_that_every_version_refuses_is_an_error_with_the_frameworks_own_reason() -> None:
    (refused, note) = said(AXOLOTL, "a.yaml")
    assert refused[::3] == ("arguments/unknown", 7)
    assert (refused[1], "no longer supported, it should now be be a key under `model_config`" in refused[2]) == (
        "error",
        True,
    )
    assert (note[1], "rpo_alpha (gone by axolotl 0.16.0)" in note[2]) == ("note", True)


def test_a_key_that_the_stated_version_refuses_or_calls_deprecated() -> None:
    assert [row[:2] for row in said(AXOLOTL, "a.yaml", axolotl="0.13.0")] == [
        ("arguments/unknown", "error"),
        ("arguments/version", "note"),
    ]
    refused, also, ageing = sorted(said(AXOLOTL, "a.yaml", axolotl="0.19.0"), key=lambda row: row[1])
    assert {refused[3], also[3]} == {7, 10}
    assert "evaluation_strategy is deprecated, use eval_strategy instead" in ageing[2]


def test_what_deepspeed_has_removed() -> None:
    text = '{"zero_optimization": {"stage": 2, "cpu_offload": true},\n "compression_training": {"x": 1}}\n'
    assert said(text, "ds.json") == []
    ((rule, severity, message, line),) = said(text, "ds.json", deepspeed="0.19.8")
    assert (rule, severity, line) == ("arguments/unknown", "error", 2)
    assert "compression library has been removed" in message


TRL = "python sft.py --model_name_or_path m --dataset_name d --output_dir out --learning_rate 1e-5 --bf16 --packing\n"


@pytest.mark.parametrize(("targets", "refused"), [({}, []), ({"trl": "0.12.2"}, []), ({"trl": "1.16.0"}, ["--bf16"])])
def test_what_an_older_version_inherited_counts_where_none_is_stated(
    targets: dict[str, str], refused: list[str]
) -> None:
    findings = Linter(Settings(targets=targets)).findings(SourceText("run.sh", TRL))
    assert [finding.at.text for finding in findings if finding.rule == "arguments/invalid-value"] == refused


VERL = "python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo critic.model.fsdp_config.param_offload=False\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nname = "verl"\ndynamic = ["version"]\n'),
        ("setup.py", 'setup(\n    name="verl",\n)\n'),
    ],
)
def test_a_script_in_the_source_tree_of_its_framework_is_of_that_version(tmp_path: Path, name: str, text: str) -> None:
    script = tmp_path / "examples" / "run.sh"
    script.parent.mkdir()
    script.write_text(VERL)
    before = trainlint(str(script), "--select", "arguments/version")
    (tmp_path / name).write_text(text)
    after = trainlint(str(script), "--select", "arguments/version")
    assert "param_offload (gone by verl" in before.stdout
    assert "param_offload" not in after.stdout


def test_what_only_another_commit_has_is_not_said() -> None:
    text = "accelerate launch open_instruct/finetune.py --model_name_or_path m --gradient_checkpointing True\n"
    assert judged(text)[0] == []
