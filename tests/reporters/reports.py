"""Reports made by hand."""

from trainlint.findings import (
    Finding,
    Fix,
    InternalError,
    NotEvaluated,
    Related,
    Report,
    RuleInfo,
    Skipped,
)
from trainlint.text import Edit, Location, SourceText, Span

SCRIPT = """\
#!/bin/bash
lr=2e-4
deepspeed --num_gpus 1 train.py \\
    --model_name_or_path Qwen/Qwen2.5-7B \\
    --dataset 医疗问答😀 \\
    --per_device_train_batch_size 1 \\
    --gradient_accumulation_steps 1 \\
\t--learning_rate ${lr} \\
    --output_dir out \\ \n    --bf16
"""


def at(source: SourceText, text: str, occurrence: int = 0) -> Location:
    """The place of `text` in a source."""
    start = -1
    for _ in range(occurrence + 1):
        start = source.text.index(text, start + 1)
    return Location(source, Span(start, start + len(text)))


def before(place: Location) -> Location:
    return Location(place.source, Span(place.span.start, place.span.start))


def last(place: Location) -> Location:
    return Location(place.source, Span(place.span.end - 1, place.span.end))


def finding(place: Location, **fields: object) -> Finding:
    usual: dict[str, object] = {
        "rule": "lr/too-high",
        "severity": "warning",
        "confidence": "high",
        "message": "the learning rate is too high",
        "advice": "Lower it.",
    }
    return Finding(at=place, **{**usual, **fields})  # type: ignore[arg-type]


def sample() -> Report:
    """A run like a real one, with everything that a report can hold."""
    script = SourceText("examples/继续预训练.sh", SCRIPT)
    config = SourceText("ds config.json", '{"train_batch_size": "auto"}\r\n')
    accumulation = at(script, "--gradient_accumulation_steps 1")
    return Report(
        findings=[
            finding(
                at(script, "${lr}"),
                rule="lr/too-high-for-step",
                message="learning rate 0.0002 on 4,096 tokens per optimizer step is 12x the most daring published recipe",
                why="A step that sees few tokens has a noisy gradient. At this learning rate the noise, not the data, "
                "decides where the weights go, and the model forgets what it knew.",
                advice="Raise gradient_accumulation_steps to 64, or lower the learning rate to 2e-5.",
                confidence="medium",
                related=(
                    Related("learning_rate is 2e-4", at(script, "2e-4")),
                    Related("per_device_train_batch_size is 1", at(script, "--per_device_train_batch_size 1")),
                    Related("gradient_accumulation_steps is 1", accumulation),
                    Related('train_batch_size is "auto" [from the trainer]', at(config, '"auto"')),
                ),
                fix=Fix("Raise gradient_accumulation_steps to 64", (Edit(last(accumulation), "64"),)),
            ),
            finding(
                at(script, "医疗问答😀"),
                rule="data/unknown-dataset",
                severity="note",
                confidence="low",
                message="the dataset 医疗问答😀 is not in dataset_info.json",
                advice="Register it.",
            ),
            finding(
                at(script, "\\ \n"),
                rule="launch/broken-continuation",
                severity="error",
                message="the backslash is followed by a blank, so the command ends here and --bf16 is never passed",
                advice="Remove the blank.",
                fix=Fix("Remove the blank after the backslash", (Edit(at(script, " \n"), "\n"),), safe=True),
            ),
            finding(
                at(config, '"auto"'),
                rule="batch/auto",
                severity="note",
                message="train_batch_size is decided by the trainer",
                advice="",
                fix=Fix("Say it", (Edit(before(at(script, "--learning_rate")), "--max_grad_norm 1.0 \\\n\t"),)),
            ),
        ],
        not_evaluated=[
            NotEvaluated("memory/does-not-fit", "examples/继续预训练.sh", ("gpu_memory",)),
            NotEvaluated("schedule/too-few-steps", "examples/继续预训练.sh", ("dataset_tokens", "world_size")),
            NotEvaluated("schedule/warmup-longer-than-run", "examples/继续预训练.sh", ("dataset_tokens",)),
        ],
        files=["examples/继续预训练.sh", "ds config.json", "clean.yaml"],
        skipped=[Skipped("model.yaml", "not valid UTF-8: byte 0xff invalid start byte")],
        internal_errors=[InternalError("clean.yaml", "lora/rank", "KeyError: 'r'")],
        rules=[
            RuleInfo(
                "lr/too-high-for-step",
                "Learning rate too high for the tokens in one step",
                "warning",
                "A step that sees few tokens has a noisy gradient.",
                "# Learning rate too high\n\nWhy it hurts.",
                ("lr", "pt", "sft"),
                ("https://example.org/paper",),
            ),
            RuleInfo("lora/rank", "LoRA rank", "note", "", "", (), ()),
        ],
        examined=5,
    )
