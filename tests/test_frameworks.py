"""The table of docs/frameworks.md: what is counted of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.frameworks import OWN, readings, rows, table
from trainlint.dialects import dialects

AXOLOTL = "base_model: m\ndatasets: []\nmicro_batch_size: 2\nmy_key: 3\n"
SCRIPT = "torchrun run_clm.py --output_dir out --learning_rate $LR --num_train_epochs 1\n"
PYTHON = "from transformers import TrainingArguments\nargs = TrainingArguments(output_dir='o', learning_rate=read())\n"


@pytest.fixture
def projects(tmp_path: Path) -> list[Path]:
    files = {
        "a/axolotl-ai-cloud+axolotl/lora.yml": AXOLOTL,
        "a/axolotl-ai-cloud+axolotl/infer.yml": "batch_size: 2\n",
        "a/axolotl-ai-cloud+axolotl/notes.yml": "a: 1\n",
        "a/axolotl-ai-cloud+axolotl/train.py": PYTHON,
        "b/somebody+own/lora.yml": AXOLOTL,
        "b/somebody+own/run.sh": SCRIPT,
        "b/axolotl-ai-cloud+axolotl/other.yml": AXOLOTL,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return sorted(path for path in tmp_path.glob("*/*"))


def test_what_is_counted(projects: list[Path]) -> None:
    """A project that is given twice counts once, and a file without a hint of a run is not tried."""
    found = rows(readings(projects))
    assert [*found] == ["axolotl", "hf-trainer", "python"]
    axolotl, trainer, python = found.values()
    assert (axolotl.tried, axolotl.own, axolotl.others, axolotl.arguments) == (2, 1, 1, 8)
    assert (axolotl.gaps, axolotl.share) == ({"my_key (name)": 2}, "75.0 %")
    assert (trainer.tried, trainer.own, trainer.others, trainer.share) == (4, 1, 0, "66.7 %")
    assert (python.tried, python.own, python.arguments, python.gaps) == (1, 1, 2, {"learning_rate (value)": 1})


def test_a_file_that_cannot_be_read_is_tried(tmp_path: Path) -> None:
    (tmp_path / "o+p").mkdir()
    (tmp_path / "o+p/broken.json").write_text('{"learning_rate": ')
    (reading,) = readings([tmp_path / "o+p"])
    assert reading.runs == ()


def test_a_tag_behind_the_name_is_of_the_same_project(tmp_path: Path) -> None:
    for name in ("pytorch+torchtitan", "pytorch+torchtitan@v0.2.2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.toml").write_text("[training]\nbatch_size = 2\n")
    assert {reading.project for reading in readings([*tmp_path.iterdir()])} == {"pytorch+torchtitan"}


def test_the_table(projects: list[Path]) -> None:
    shown = table(rows(readings(projects)), 1)
    assert "| axolotl | 2 | 1 | 1 | 8 | 75.0 % |\n" in shown
    assert shown.splitlines()[-5::2] == [
        "axolotl: my_key (name) 2×",
        "hf-trainer: learning_rate (value) 1×",
        "python: learning_rate (value) 1×",
    ]


def test_the_projects_are_of_dialects() -> None:
    assert set(OWN) <= {dialect.name for dialect in dialects()}
