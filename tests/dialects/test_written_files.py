"""A configuration that the script writes itself is the one that its run reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_cli import trainlint
from helpers_runs import facts, findings, launches

LAUNCH = "deepspeed train.py --deepspeed ds.json --output_dir o --per_device_train_batch_size 4\n"


def _written(clip: str) -> str:
    return (
        f'c={clip}\ncat > ds.json <<EOF\n{{"gradient_clipping": $c, "zero_optimization": {{"stage": 2}}}}\nEOF\n'
        + LAUNCH
    )


def test_the_written_text_counts(tmp_path: Path) -> None:
    (tmp_path / "ds.json").write_text('{"gradient_clipping": 9.0}')
    assert facts(LAUNCH, folder=tmp_path)["max_grad_norm"] == 9.0
    assert facts(_written("0.5"), folder=tmp_path)["max_grad_norm"] == 0.5
    assert "max_grad_norm" not in facts(_written("$CLIP"), folder=tmp_path)
    assert (tmp_path / "ds.json").read_text() == '{"gradient_clipping": 9.0}'


def test_data_that_the_script_writes_is_not_counted(tmp_path: Path) -> None:
    flags = "--dataset_dir d.jsonl --output_dir o --learning_rate 1e-5"
    script = f"echo '{{}}' > d.jsonl\ntorchrun run_clm_sft_with_peft.py {flags} --train_file d.jsonl\n"
    (launch,) = launches(script, folder=tmp_path)
    for name in ("dataset_bytes", "available_examples"):
        assert not launch.fact(name).known


TYPO = '{"zero_optimization": {"stage": 2}, "gradient_cliping": 1.0}'


@pytest.mark.parametrize(
    ("writing", "shown"),
    [
        (f"cat > ds.json <<EOF\n{TYPO}\nEOF", '"gradient_cliping"'),
        (f"s=2\ncat > ds.json <<'EOF'\n{TYPO}\nEOF", '"gradient_cliping"'),
        (f"echo '{TYPO}' > ds.json", '"gradient_cliping"'),
        ('c=cliping\ncat > ds.json <<EOF\n{"gradient_$c": 1.0}\nEOF', "cat"),
        (f"cat > ds.json <<-EOF\n\t{TYPO}\n\tEOF", "cat"),
    ],
)
def test_findings_point_into_the_script(tmp_path: Path, writing: str, shown: str) -> None:
    found = findings(f"{writing}\n{LAUNCH}", folder=tmp_path)
    (typo,) = [finding for finding in found if finding.rule == "arguments/unknown"]
    assert typo.at.source.path == "run.sh"
    assert typo.at.text.startswith(shown)
    assert all(related.at.source.path == "run.sh" for finding in found for related in finding.related)


def test_no_fix_edits_a_text_that_no_file_holds(tmp_path: Path) -> None:
    text = f"cat > ds.json <<EOF\n{TYPO}\nEOF\n{LAUNCH}"
    (tmp_path / "run.sh").write_text(text)
    output = trainlint("--fix", "--unsafe-fixes", "--select", "arguments/unknown", "run.sh", cwd=tmp_path).stdout
    assert "run.sh:2:37" in output
    assert (tmp_path / "run.sh").read_text() == text
    assert not (tmp_path / "ds.json").exists()
    (tmp_path / "ds.json").write_text(TYPO)  # the script will write over it
    trainlint("--fix", "--unsafe-fixes", "run.sh", cwd=tmp_path)
    assert (tmp_path / "ds.json").read_text() == TYPO
