"""What the probe makes of a launch: taken literally, capped, assumed, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlint.findings import Report
from trainlint.fixer.apply import fix
from trainlint.linter import Linter
from trainlint.probe import suggest, text
from trainlint.probe.settings import (
    LINEAR_LAYERS,
    MAX_BLOCK,
    MAX_STEP_BYTES,
    TRANSFER,
    ProbeSettings,
    Reading,
    Refused,
    differences,
    read,
    transfer,
)
from trainlint.text import SourceText

ROOT = Path(__file__).resolve().parents[2]
PT = "torchrun --nproc_per_node {gpus} run_clm_pt_with_peft.py --model_name_or_path m --tokenizer_name_or_path m"
LORA = " --dataset_dir none --lora_rank 16 --lora_alpha 32 --trainable q_proj,v_proj --lora_dropout 0.1 --output_dir o"


def reading(script: str) -> Reading:
    linter = Linter()
    return read(linter.lint(SourceText("run.sh", script), Report())[0])


def pt(flags: str, gpus: int = 1) -> Reading:
    return reading(PT.format(gpus=gpus) + LORA + " " + flags + "\n")


def yaml(body: str) -> Reading:
    linter = Linter()
    return read(linter.lint(SourceText("run.yaml", body), Report())[0])


def test_settings_are_taken_as_they_stand() -> None:
    found = pt(
        "--learning_rate 2e-4 --block_size 128 --per_device_train_batch_size 2 --gradient_accumulation_steps 4"
        " --lr_scheduler_type cosine --warmup_ratio 0.05 --weight_decay 0.01 --max_grad_norm 0.5 --modules_to_save lm_head"
        " --adam_beta2 0.95"
    )
    assert found.settings == ProbeSettings(
        method="lora", learning_rate=2e-4, scheduler="cosine", warmup=0.05, batch=8, block=128, clip=0.5, weight_decay=0.01,
        beta1=0.9, beta2=0.95, rank=16, alpha=32, dropout=0.1, targets=("q_proj", "v_proj"), modules_to_save=("lm_head",),
    )  # fmt: skip
    assert found.notes == ()
    assert not found.sft


def test_gpus_count_as_accumulation_and_large_steps_are_capped_and_said() -> None:
    folded = pt(
        "--learning_rate 2e-4 --block_size 64 --per_device_train_batch_size 1 --gradient_accumulation_steps 2", 4
    )
    assert (folded.settings.batch, folded.settings.block) == (8, 64)
    large = pt("--learning_rate 2e-4 --block_size 1024 --per_device_train_batch_size 8 --gradient_accumulation_steps 8")
    assert large.settings.block == MAX_BLOCK
    assert large.settings.step_bytes == MAX_STEP_BYTES
    assert any("capped" in note for note in large.notes)


def test_rates_too_low_for_a_narrow_model_are_raised_on_both_sides() -> None:
    low = pt("--learning_rate 2e-5 --block_size 64 --per_device_train_batch_size 1 --gradient_accumulation_steps 1")
    high = pt("--learning_rate 2e-4 --block_size 64 --per_device_train_batch_size 1 --gradient_accumulation_steps 1")
    assert transfer(low.settings, low.settings) == TRANSFER
    assert transfer(low.settings, high.settings) == 1


SFT = """\
stage: sft
do_train: true
model_name_or_path: m
dataset: none
output_dir: o
finetuning_type: lora
lora_rank: 8
lora_target: all
cutoff_len: 128
per_device_train_batch_size: 1
gradient_accumulation_steps: 1
learning_rate: 1.0e-4
"""


def test_all_layers_and_fine_tuning() -> None:
    found = yaml(SFT)
    assert found.settings.targets == LINEAR_LAYERS
    assert found.sft
    assert any("GPUs" in note for note in found.notes)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (SFT.replace("stage: sft", "stage: dpo"), "preferences"),
        (SFT + "quantization_bit: 4\n", "quantised"),
        (SFT.replace("finetuning_type: lora", "finetuning_type: freeze"), "freeze"),
        (SFT.replace("model_name_or_path: m", "model_name_or_path: mistralai/Mixtral-8x7B-v0.1"), "mixture of experts"),
        (SFT + "optim: sgd\n", "AdamW"),
    ],
)
def test_refusals_give_the_reason(body: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        yaml(body)


def test_a_missing_number_is_refused_and_not_guessed() -> None:
    with pytest.raises(Refused, match="learning_rate"):
        reading(PT.format(gpus=1) + LORA + " --block_size 64 --per_device_train_batch_size 1 --learning_rate $LR\n")


def test_the_other_side_is_the_text_with_the_fixes_applied() -> None:
    linter, report = Linter(), Report()
    source = SourceText.load(ROOT / "examples/article/run_pt.sh")
    launch = linter.lint(source, report)[0]
    fixed, changes = suggest.suggested(linter, source)
    assert fixed is not None
    made = fix(source, linter.findings, lambda finding: finding.fix is not None)
    assert [change.rule for change in changes] == [finding.rule for finding in made.applied]
    found = {name: (of_a, of_b) for name, of_a, of_b in differences(read(launch).settings, read(fixed).settings)}
    assert found["block"] == (64, 512)
    assert found["batch"][1] > found["batch"][0] == 1
    assert "learning_rate" not in found  # what nobody asked to change


def test_a_healthy_run_has_nothing_to_compare() -> None:
    linter, report = Linter(), Report()
    source = SourceText.load(ROOT / "examples/healthy/run_pt.sh")
    launch = linter.lint(source, report)[0]
    fixed, _ = suggest.suggested(linter, source)
    assert fixed is not None
    assert read(launch).settings == read(fixed).settings


LOOP = """\
for block in 64 64; do
    {command} --learning_rate 2e-5 --num_train_epochs 1 --block_size $block --per_device_train_batch_size $((1 * 1))
done
"""


def test_a_value_without_a_place_in_the_file_is_advised_and_tried() -> None:
    linter = Linter()
    source = SourceText("run.sh", LOOP.format(command=PT.format(gpus=1) + LORA))
    launch = linter.lint(source, Report())[0]
    fixed, changes = suggest.suggested(linter, source)
    assert fixed is not None
    advised = [change for change in changes if change.facts]
    assert advised
    assert all("advised" in change.title for change in advised)
    assert read(fixed).settings.step_bytes > read(launch).settings.step_bytes


def test_changes_are_tried_alone_on_the_text_as_it_was() -> None:
    linter = Linter()
    source = SourceText.load(ROOT / "examples/article/run_pt.sh")
    launch = linter.lint(source, Report())[0]
    _, changes = suggest.suggested(linter, source)
    for change, alone in suggest.alone(linter, source, changes):
        assert alone is not None
        names = {name for name, _, _ in differences(read(launch).settings, read(alone).settings)}
        assert names <= {"batch", "block", "warmup"}
        assert len(names) <= 1, change.title


def test_fixes_in_a_file_that_the_run_names_count_and_are_taken_back(tmp_path: Path) -> None:
    (tmp_path / "ds.json").write_text('{"zero_optimization": {"stage": 2}, "gradient_clipping": 0}', encoding="utf-8")
    (tmp_path / "run.sh").write_text(PT.format(gpus=1) + LORA + " --learning_rate 1e-5 --deepspeed ds.json\n")
    linter = Linter()
    source = SourceText.load(tmp_path / "run.sh")
    fixed, changes = suggest.suggested(linter, source)
    assert fixed is not None
    assert fixed.fact("max_grad_norm").value == 1.0
    assert linter.lint(source, Report())[0].fact("max_grad_norm").value == 0
    clipping = [(change, launch) for change, launch in suggest.alone(linter, source, changes) if "clip" in change.rule]
    assert [launch and launch.fact("max_grad_norm").value for _, launch in clipping] == [1.0]
    assert linter.lint(source, Report())[0].fact("max_grad_norm").value == 0


def test_small_or_absent_data_is_replaced_and_said() -> None:
    linter, report = Linter(), Report()
    launch = linter.lint(SourceText.load(ROOT / "examples/article/run_pt.sh"), report)[0]
    found = text.of(launch.first)
    assert found.name == text.OWN
    assert "2,445 bytes" in found.note
    assert "refused" in found.note


def test_the_users_own_text_is_used_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text(text.own().training.decode()[:12000], encoding="utf-8")
    script = tmp_path / "run.sh"
    flags = " --learning_rate 2e-4 --block_size 64 --per_device_train_batch_size 1\n"
    script.write_text(PT.format(gpus=1) + LORA.replace("none", "data") + flags, encoding="utf-8")
    launch = Linter().lint(SourceText.load(script), Report())[0]
    found = text.of(launch.first)
    assert found.note == ""
    assert found.name == "data"
    assert found.size >= text.MIN_BYTES
    (tmp_path / "data" / "a.txt").write_text("plain English, over and over again\n" * 1000, encoding="utf-8")
    assert "ASCII" in text.of(Linter().lint(SourceText.load(script), Report())[0].first).note


def test_held_out_lines_are_not_trained_on() -> None:
    found = text.own()
    assert found.size >= 60_000
    assert len(found.held_out) >= text.MIN_HELD_OUT
    held = {line for line in found.held_out.splitlines() if len(line) > 60}
    assert held
    assert not held & set(found.training.splitlines())
