"""The rule pages: every example runs as a test, and every page keeps to the form that the documentation relies on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainlint import settings, text
from trainlint.findings import Report
from trainlint.linter import lint
from trainlint.ruleset import catalogue, home
from trainlint.ruleset.expressions import Expression
from trainlint.ruleset.file import Case, Rule
from trainlint.ruleset.order import SAVES_MOST
from trainlint.testing import RuleExample, rule_examples

RULES = catalogue()
EXAMPLES = rule_examples(home())


@pytest.mark.parametrize("example", EXAMPLES, ids=map(str, EXAMPLES))
def test_example(example: RuleExample, tmp_path: Path) -> None:
    example.check(tmp_path)


every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())


@every_rule
def test_page(rule: Rule) -> None:
    kinds = {example.kind for example in rule.examples}
    assert {"bad", "good"} <= kinds
    assert rule.sources
    assert rule.why
    headings = re.findall(r"(?m)^## (.+)$", rule.markdown)
    assert headings[:2] == ["Why it hurts", "When to ignore it"]
    assert "[[source]]" not in rule.prose
    assert 40 < len(rule.summary) < 400


@every_rule
def test_every_fix_has_an_example(rule: Rule) -> None:
    if any(case.fix for case in rule.cases):
        assert "fixed" in {example.kind for example in rule.examples}


@every_rule
def test_advice_is_given(rule: Rule) -> None:
    parsed_elsewhere = rule.check == "arguments.issues"
    assert parsed_elsewhere or all(case.advice.source for case in rule.cases)


@every_rule
def test_thresholds_are_never_errors(rule: Rule) -> None:
    """An error crashes, or provably does not do what is written; what a limit decides is neither."""
    thresholds = {name for name in rule.limits if name not in ("kinds", "usual", "rounding")}
    for case in rule.cases:
        if case.severity == "error":
            assert not case.when.names & thresholds


def test_titles_are_unique() -> None:
    titles = [rule.title for rule in RULES.values()]
    assert len(set(titles)) == len(titles)


def test_silenced_rules_exist_and_no_rule_silences_itself() -> None:
    for rule in RULES.values():
        assert set(rule.silences) <= set(RULES) - {rule.id}


JARGON = re.compile(r"\b(CPT|KL|CBS|OOM|FT|GA|bs|eb|DDP|TP|PP|hparams?|footgun|SOTA|TL;DR|WIP|LGTM)\b")


@every_rule
def test_prose_explains_itself(rule: Rule) -> None:
    prose = re.sub(r"```.*?```", "", rule.prose, flags=re.DOTALL)
    assert not JARGON.search(prose), JARGON.search(prose)


# ------------------------------------------------------------------------------------- the settings of the article


ARTICLE = """\
lr=2e-5
torchrun --nnodes 1 --nproc_per_node 1 run_clm_pt_with_peft.py \\
    --deepspeed ds.json --model_name_or_path hfl/chinese-llama-2-7b --tokenizer_name_or_path merged_tokenizer \\
    --dataset_dir data --do_train --fp16 --torch_dtype float16 --num_train_epochs 1 --lr_scheduler_type cosine \\
    --per_device_train_batch_size {batch} --gradient_accumulation_steps {accumulation} --block_size {block} \\
    --learning_rate ${{lr}} --save_strategy steps --save_steps 200 --output_dir out \\
    --lora_rank 64 --lora_alpha 128 --modules_to_save embed_tokens,lm_head{more}
"""
DEEPSPEED = '{"zero_optimization": {"stage": 2}, "gradient_clipping": "auto", "train_micro_batch_size_per_gpu": "auto"}'


def _article(directory: Path, profile: str = "default") -> Report:
    (directory / "ds.json").write_text(DEEPSPEED, "utf-8")
    (directory / "data").mkdir()
    (directory / "data" / "essays.txt").write_text("a few words and no more. " * 20_000, "utf-8")
    script = directory / "run_pt.sh"
    script.write_text(ARTICLE.format(batch=1, accumulation=1, block=64, more=""), "utf-8")
    chosen = settings.Settings(profile="strict" if profile == "strict" else "default")
    return lint([text.SourceText.load(script, "run_pt.sh")], chosen)


def _by_severity(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"error": set(), "warning": set(), "note": set()}
    for finding in report.findings:
        found[finding.severity].add(finding.rule)
    return found


def test_article(tmp_path: Path) -> None:
    assert _by_severity(_article(tmp_path)) == {
        "error": set(),
        "warning": {
            "batch/tiny-step",
            "context/block-too-short",
            "data/too-small-for-pretraining",
            "lr/too-high-for-step",
        },
        "note": {
            "monitoring/no-evaluation",
            "precision/fp16",
            "schedule/no-warmup",
            "tokenizer/other-than-model",
        },
    }


def test_article_to_the_letter(tmp_path: Path) -> None:
    found = _by_severity(_article(tmp_path, "strict"))
    assert found["warning"] == {
        "batch/tiny-step",
        "context/block-too-short",
        "data/too-small-for-pretraining",
        "lora/alpha-scale",
        "lora/rank-high",
        "lr/too-high-for-step",
        "monitoring/no-evaluation",
        "precision/fp16",
        "schedule/no-warmup",
        "stability/clipping",
        "tokenizer/other-than-model",
    }
    assert not found["error"]


def test_published_settings_on_plenty_of_data(tmp_path: Path) -> None:
    (tmp_path / "ds.json").write_text(DEEPSPEED, "utf-8")
    script = tmp_path / "run_pt.sh"
    body = ARTICLE.format(batch=1, accumulation=8, block=512, more=" --warmup_ratio 0.05").replace("2e-5", "2e-4")
    script.write_text(body, "utf-8")
    stated = settings.state(dataset_bytes=20_000_000_000)
    report = lint([text.SourceText.load(script, "run_pt.sh")], settings.Settings(stated=stated))
    found = _by_severity(report)
    assert not found["error"]
    assert not found["warning"]


PARTS = {
    "tokens_per_step": {
        "per_device_train_batch_size", "gradient_accumulation_steps", "world_size", "sequence_length",
    },
    "tokens_per_device_step": {"per_device_train_batch_size", "gradient_accumulation_steps", "sequence_length"},
    "lora_scale": {"lora_alpha", "lora_rank"},
    "base_kind": {"model_name_or_path"},
}  # fmt: skip
"""Facts that are known wherever one derived from them is."""


def _reads(rule: Rule, case: Case, expression: Expression) -> set[str]:
    """The names behind an expression, those of its let included."""
    names = set(expression.names)
    for name in expression.names & set(case.let):
        names |= _reads(rule, case, case.let[name])
    return names - set(rule.limits) - set(case.let) | {f"{base}.{name}" for base, name in expression.attributes}


@every_rule
def test_messages_name_only_what_decided(rule: Rule) -> None:
    """A fact that did not decide may be unknown, and a message with a hole is worse than a short one."""
    for case in rule.cases:
        decided = _reads(rule, case, case.when) | set(rule.applies)
        templates = (case.message, case.advice, *case.fix.values())
        for hole in (expression for template in templates for expression in template.expressions):
            decided |= {part for name in decided for part in PARTS.get(name, ())}
            said = {name for name in _reads(rule, case, hole) if not name.startswith("key.")}
            assert said <= decided, (case.message.source, said - decided)


ODD = [
    "0",
    "-1",
    "1e400",
    ".nan",
    "null",
    "[]",
    "{a: b}",
    "abc",
    '""',
    "true",
    "99999999999999999999",
    "${NAME}",
    "path/to/it",
]
SETTINGS = """\
stage: pt
do_train: true
finetuning_type: full
model_name_or_path: meta-llama/Llama-2-7b-hf
dataset: notes
cutoff_len: 512
learning_rate: 1.0e-4
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
num_train_epochs: 3
max_steps: 100
warmup_steps: 10
save_steps: 10
save_total_limit: 3
max_samples: 100
val_size: 0.1
eval_steps: 10
lora_rank: 8
lora_alpha: 16
max_grad_norm: 1.0
"""


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("key", [line.partition(":")[0] for line in SETTINGS.splitlines()])
def test_no_value_breaks_a_rule(key: str, value: str, tmp_path: Path) -> None:
    body = re.sub(rf"(?m)^{key}: .*$", lambda _: f"{key}: {value}", SETTINGS)
    file = tmp_path / "config.yaml"
    for kind in ("full", "lora"):
        file.write_text(body.replace("finetuning_type: full", f"finetuning_type: {kind}"), "utf-8")
        stated = settings.state(world_size=8, gpu="A100-80G", tokens=1_000_000)
        report = lint([text.SourceText.load(file, "config.yaml")], settings.Settings(stated=stated))
        assert not report.internal_errors


def test_only_the_case_that_fires_supersedes(tmp_path: Path) -> None:
    """Little data is a reason against a higher learning rate only where it is too little."""
    config = "stage: sft\ndo_train: true\nfinetuning_type: lora\nlora_target: all\nmodel_name_or_path: org/m-7b\n"
    config += "dataset: d\ndataset_dir: .\ncutoff_len: 2048\nlearning_rate: 1.0e-5\n"
    (tmp_path / "dataset_info.json").write_text('{"d": {"file_name": "d.json"}}', "utf-8")
    for examples, silenced in ((300, False), (50, True)):
        (tmp_path / "d.json").write_text(f"[{', '.join(['{}'] * examples)}]", "utf-8")
        file = tmp_path / "run.yaml"
        file.write_text(config, "utf-8")
        found = {finding.rule for finding in lint([text.SourceText.load(file)], settings.Settings()).findings}
        assert "data/too-few-examples" in found
        assert ("lr/too-low-for-lora" not in found) is silenced


def test_a_consequence_is_told_below_its_cause_and_not_by_itself() -> None:
    script = (
        "trl dpo --model_name_or_path gpt2 --dataset_name org/pairs --output_dir out \\\n"
        "    --learning_rate 1e-4 --lora_r 16{}\n"
    )
    [cause] = lint([text.SourceText("run.sh", script.format(""))], settings.Settings()).findings
    assert cause.rule == "arguments/ignored"
    [consequence] = [place for place in cause.related if place.message.startswith("so: ")]
    assert "for full preference training" in consequence.message
    assert (consequence.at.start.line, cause.at.start.line) == (2, 2)
    found = lint([text.SourceText("run.sh", script.format(" --use_peft"))], settings.Settings()).findings
    assert [finding.rule for finding in found] == ["lr/preference"]


def test_what_is_told_first_exists_and_stands_once() -> None:
    assert set(SAVES_MOST) <= set(RULES)
    assert len(set(SAVES_MOST)) == len(SAVES_MOST)


def test_what_saves_most_is_told_before_what_stands_above_it() -> None:
    script = (
        "torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --do_train --dataset_dir data --output_dir out \\\n"
        "    --model_name_or_path Llama-2-7b-hf --tokenizer_name_or_path llama --lora_rank 8 --weight_decay 10 \\\n"
        "    --learning_rate 2e-3 --max_steps 1000 --block_size 1024 --per_device_train_batch_size 8\n"
    )
    found = [each.rule for each in lint([text.SourceText("run.sh", script)], settings.Settings()).findings]
    assert found.index("lr/lora-ceiling") < found.index("arguments/cannot-be-meant")
