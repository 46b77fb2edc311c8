"""A configuration that the script writes itself is the one that its run reads."""

from __future__ import annotations

from pathlib import Path

from helpers_runs import facts, launches

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
