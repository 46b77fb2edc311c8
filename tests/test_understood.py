"""How much of a file was understood, by the measure of docs/frameworks.md."""

from __future__ import annotations

import json
from pathlib import Path

from helpers_cli import trainlint
from helpers_runs import launches
from trainlint.coverage import Coverage, coverage

SCRIPT = """\
torchrun --nproc_per_node $1 run_clm.py --output_dir $OUT --learning_rate $LR \\
    --num_train_epochs 1 --my_own_flag 3 --per_device_train_batch_size 2
"""


def of(text: str, name: str = "run.sh", **more: Path) -> Coverage:
    (launch,) = launches(text, name, **more)
    return coverage(launch)


def test_values_and_names() -> None:
    found = of(SCRIPT)
    assert (found.arguments, found.understood, found.open) == (5, 2, None)
    assert [(gap.kind, gap.name, gap.where) for gap in found.gaps] == [
        ("value", "output_dir", "run.sh:1:54"),
        ("value", "learning_rate", "run.sh:1:75"),
        ("name", "my_own_flag", "run.sh:2:26"),
    ]
    assert "LR" in found.gaps[1].reason


def test_the_facts_that_it_hides() -> None:
    """The launcher's word counts, too; what is unknown for another reason does not."""
    found = of(SCRIPT)
    assert {"learning_rate", "world_size", "effective_batch_size"} <= set(found.unknown)
    assert not {"method", "seed", "model_parameters", "dataset_bytes"} & set(found.unknown)
    assert "seed" in of(SCRIPT.rstrip() + ' "$@"\n').unknown


def test_an_open_list() -> None:
    found = of("torchrun run_clm.py --output_dir o --learning_rate 1e-5 $EXTRA\n")
    assert (found.understood, found.arguments) == (2, 2)
    assert "EXTRA" in (found.open or "")


def test_everything() -> None:
    found = of("torchrun run_clm.py --output_dir o --learning_rate 1e-5\n")
    assert (found.understood, found.gaps, found.open) == (2, (), None)


def test_a_rejected_value_and_a_dropped_key() -> None:
    text = "base_model: m\ndatasets: []\nlora_r: many\nmicro_bacth_size: 2\n"
    assert [(gap.kind, gap.name) for gap in of(text, "x.yml").gaps] == [
        ("value", "lora_r"),
        ("name", "micro_bacth_size"),
    ]


def test_a_section_that_takes_any_key() -> None:
    text = (
        "optimizer:\n  _component_: torch.optim.AdamW\n  lr: 2e-5\ndataset:\n  _component_: my.Own\n  my_key: 8\n"
        "model:\n  _component_: torchtune.models.llama3.llama3_8b\ntokenizer:\n  _component_: t.T\nepochs: 1\n"
        "batch_size: 2\nmax_steps_per_epoch: null\ngradient_accumulation_steps: 1\nmy_key: 3\n"
    )
    assert [gap.name for gap in of(text, "x.yaml").gaps] == ["my_key"]


def test_an_argument_that_one_branch_leaves_unknown() -> None:
    text = 'if [ "$A" = 1 ]; then lr=1e-5; else lr=$LR; fi\ntorchrun run_clm.py --output_dir o --learning_rate $lr\n'
    found = of(text)
    assert (found.arguments, [gap.name for gap in found.gaps]) == (2, ["learning_rate"])


def test_the_commands(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(SCRIPT)
    shown = trainlint("explain", "--isolated", "--coverage", "run.sh", cwd=tmp_path)
    assert (shown.returncode, "COVERAGE 2 of 5 arguments understood (40 %)" in shown.stdout) == (0, True)
    assert "run.sh:1:75  --learning_rate: environment variable LR" in shown.stdout
    assert "COVERAGE" not in trainlint("explain", "--isolated", "run.sh", cwd=tmp_path).stdout
    data = json.loads(trainlint("explain", "--isolated", "--format", "json", "run.sh", cwd=tmp_path).stdout)
    found = data["runs"][0]["coverage"]
    assert (found["arguments"], found["understood"], found["open"]) == (5, 2, None)
    assert found["not_understood"][1] | {"reason": ""} == {
        "argument": "learning_rate", "unknown": "value", "reason": "", "path": "run.sh", "line": 1, "column": 75,
    }  # fmt: skip
    assert "LR" in found["unknown_facts"]["learning_rate"]


def test_strict_unknown(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(SCRIPT)
    for command in ("lint", "explain"):
        loose = trainlint(command, "--isolated", "run.sh", cwd=tmp_path)
        strict = trainlint(command, "--isolated", "--strict-unknown", "run.sh", cwd=tmp_path)
        assert (loose.returncode, strict.returncode) == (0, 1)
        assert "run.sh:1:75: unresolved: --learning_rate: environment variable LR" in strict.stderr
        assert "my_own_flag" not in strict.stderr
        known = trainlint(
            command, "--isolated", "--strict-unknown", "-D", "LR=1e-5", "-D", "OUT=o", "run.sh", cwd=tmp_path
        )
        assert known.returncode == 0
