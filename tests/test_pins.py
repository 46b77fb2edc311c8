"""The version that a project's files pin: read as `packaging` reads them, used as if it had been stated."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from helpers_cli import trainlint
from trainlint.pins import Pins, stated

RELEASES = [f"{major}.{minor}.{patch}" for major, minor, patch in product(range(3, 6), range(42, 48), range(4))]
RANGES = ["4.44", "4.44.0", "4.44.2", "4.45", "4.45.0", "4.46.1", "5.0", "5"]


@pytest.mark.parametrize(
    ("specifiers", "version"),
    [
        ("==4.44.2", "4.44.2"),
        ("==4.44.2,>=4.0", "4.44.2"),
        ("==2.1.0+cu118", "2.1.0"),
        ("==4.44.*", "4.44"),
        ("~=4.44.0", "4.44"),
        (">=4.44,<4.45", "4.44"),
        (">=4.44.1,<4.45.0,!=4.44.2", "4.44"),
        (">4.44.0,<=4.44.3", "4.44"),
        ("~=4.44", None),
        ("==4.*", None),
        (">=4.44", None),
        ("<4.45", None),
        (">=4.43,<4.45", None),
        ("==4.44.1,==4.44.2", None),
        (">=4.47,<5.0", None),
        ("", None),
    ],
)
def test_what_is_stated(specifiers: str, version: str | None) -> None:
    assert stated(SpecifierSet(specifiers)) == version


@pytest.mark.parametrize(("lower", "upper"), [*product([">=", ">", "~=", "==", "!="], ["<", "<=", "!=", "~=", "=="])])
def test_nothing_is_stated_that_packaging_would_not_say(lower: str, upper: str) -> None:
    """No release outside the stated one satisfies the specifiers."""
    for one, other in product(RANGES, RANGES):
        if (lower == "~=" and "." not in one) or (upper == "~=" and "." not in other):
            continue
        specifiers = SpecifierSet(f"{lower}{one},{upper}{other}")
        version = stated(specifiers)
        if version is not None:
            left = {*specifiers.filter(RELEASES)}
            assert all(
                release == version or release.startswith(f"{version}.") or f"{release}.0" == version for release in left
            )


def pinned(*directories: Path) -> dict[str, str]:
    return {package: pin.version for package, pin in Pins().of(directories).items()}


def test_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# transformers==1.0\n-r other.txt\n\ntransformers == 4.44.2  # the last that works\nPEFT==0.13.2 --hash=sha256:aa\n"
        "trl>=0.9\ndeepspeed==0.9.5; sys_platform == 'linux'\ngit+https://example.org/x.git\n!!\n"
        "accelerate[all]==1.6.0 \\\n  --hash=sha256:bb\naxolotl==0.8.0\naxolotl==0.10.0\n"
    )
    assert pinned(tmp_path) == {"transformers": "4.44.2", "peft": "0.13.2", "accelerate": "1.6.0"}
    assert Pins().of([tmp_path])["transformers"].at.start.line == 4


def test_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = [\n  "transformers>=4.40",\n  "trl==0.12.2",\n]\n'
        '[project.optional-dependencies]\nft = ["peft~=0.13.0"]\n'
        '[dependency-groups]\ndev = ["deepspeed==0.16.4", {include-group = "ft"}]\n'
    )
    assert pinned(tmp_path) == {"trl": "0.12.2", "peft": "0.13", "deepspeed": "0.16.4"}
    assert Pins().of([tmp_path])["trl"].at.start.line == 5


@pytest.mark.parametrize("text", ["[project", "project = 3", "[project]\ndependencies = 3", "dependency-groups = []"])
def test_a_pyproject_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert pinned(tmp_path) == {}


def test_the_nearest_file_that_names_a_package_decides(tmp_path: Path) -> None:
    near = tmp_path / "scripts"
    near.mkdir()
    (near / "requirements.txt").write_text("transformers>=4.40\ntrl==0.9.6\n")
    (tmp_path / "requirements.txt").write_text("transformers==4.44.2\ntrl==0.12.2\npeft==0.13.2\n")
    assert pinned(near, tmp_path) == {"trl": "0.9.6", "peft": "0.13.2"}


SCRIPT = """\
torchrun --nproc_per_node 1 run_clm.py --model_name_or_path m --output_dir out --learning_rate 1e-5 \\
    --evaluation_strategy no --overwrite_output_dir
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run.sh").write_text(SCRIPT)
    (tmp_path / "requirements.txt").write_text("torch\ntransformers==5.0.0\n")
    return tmp_path


def test_a_pin_counts_as_a_stated_version(project: Path) -> None:
    judge = ("lint", "--isolated", "--select", "arguments/version", "scripts/run.sh")
    done = trainlint(*judge, cwd=project)
    assert "warning[arguments/version]" in done.stdout
    assert "not 5.0.0, which requirements.txt:2 pins" in " ".join(done.stdout.split())
    (project / "requirements.txt").write_text("transformers==4.44.2\n")
    assert "No problems found" in trainlint(*judge, cwd=project).stdout


def test_what_the_user_states_goes_before_it(project: Path) -> None:
    judge = ("lint", "--isolated", "--select", "arguments/version", "--target", "transformers==4.44", "scripts/run.sh")
    assert "No problems found" in trainlint(*judge, cwd=project).stdout


def test_explain_says_where_the_version_is_from(project: Path) -> None:
    shown = trainlint("explain", "--isolated", "scripts/run.sh", cwd=project).stdout
    assert "transformers 5.0.0, from requirements.txt:2" in shown
    assert "torch " not in shown.splitlines()[1]
    stated = trainlint("explain", "--isolated", "--target", "transformers==4.44", "scripts/run.sh", cwd=project).stdout
    assert "transformers 4.44, as stated" in stated
    data = json.loads(trainlint("explain", "--isolated", "--format", "json", "scripts/run.sh", cwd=project).stdout)
    assert data["runs"][0]["versions"] == {"transformers": {"version": "5.0.0", "from": "requirements.txt:2"}}


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("", "transformers 5.0.0, from requirements.txt:2"),
        ("# pip install transformers==4.46.3\n", "transformers 4.46.3, from scripts/train.py:1"),
    ],
)
def test_explain_says_so_of_python_too(project: Path, first: str, said: str) -> None:
    code = "from transformers import Trainer, TrainingArguments\nTrainer(model, TrainingArguments('out', seed=1))\n"
    (project / "scripts" / "train.py").write_text(first + code)
    assert said in trainlint("explain", "--isolated", "scripts/train.py", cwd=project).stdout
    stated = trainlint(
        "explain", "--isolated", "--target", "transformers==4.44", "scripts/train.py", cwd=project
    ).stdout
    assert "transformers 4.44, as stated" in stated


@pytest.mark.parametrize(
    ("version", "clip"),
    [
        ("0.16.4", "no gradient clipping"),
        ("0.19.8", "at 1"),
        ("0.19.3", "at ?"),
        ("0.19.*", "at ?"),
        ("0.16.*", "no gradient clipping"),
        (None, "at ?"),
    ],
)
def test_the_default_of_a_linked_deepspeed_file(project: Path, version: str | None, clip: str) -> None:
    (project / "requirements.txt").write_text(f"deepspeed=={version}\n" if version else "")
    (project / "ds.json").write_text('{"zero_optimization": {"stage": 2}}')
    (project / "scripts" / "run.sh").write_text(SCRIPT.rstrip() + " --deepspeed ds.json\n")
    shown = trainlint("explain", "--isolated", "scripts/run.sh", cwd=project).stdout
    assert clip in shown
    assert (version is not None) == ("from requirements.txt:1" in shown)
