"""The keywords that load a model: what `BitsAndBytesConfig` drops and what `from_pretrained` fails at."""

from __future__ import annotations

import pytest

from helpers_dialects import issues
from trainlint.linter import lint
from trainlint.settings import Settings
from trainlint.text import SourceText

TRAINS = """\
import transformers
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, LlamaForCausalLM
LoraConfig(r=8)
"""


def found(line: str, head: str = TRAINS) -> list[tuple[str, str]]:
    return [(issue[0], issue[1]) for issue in issues(f"{head}{line}\n", "a.py")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("BitsAndBytesConfig(load_in_4bits=True)", [("unknown", "load_in_4bits")]),
        ("BitsAndBytesConfig(bnb_4bit_computer_dtype='bfloat16')", [("unknown", "bnb_4bit_computer_dtype")]),
        ("BitsAndBytesConfig(load_in_4bit=True, quantise_twice=1)", [("unknown", "quantise_twice")]),
        ("BitsAndBytesConfig(load_in_4bit='yes')", [("type", "'yes'")]),
        ("BitsAndBytesConfig(bnb_4bit_quant_type='nf5')", [("choice", "'nf5'")]),
        ("BitsAndBytesConfig(bnb_4bit_compute_dtype='bf16')", [("choice", "'bf16'")]),
        ("BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type='nf4', bnb_4bit_compute_dtype=dtype)", []),
        ("BitsAndBytesConfig(load_in_4bit=True, load_in_8bit=True)", [("exclusive", "load_in_8bit")]),
        ("BitsAndBytesConfig(True, load_in_4bit=True)", [("exclusive", "True")]),
        ("BitsAndBytesConfig(load_in_4bit=True, load_in_8bit=False)", []),
        ("BitsAndBytesConfig(load_in_4bit=four, load_in_8bit=not four)", []),
        ("BitsAndBytesConfig(**settings)", []),
        ("AutoModelForCausalLM.from_pretrained('m', torch_dytpe='auto')", [("unknown", "torch_dytpe")]),
        ("LlamaForCausalLM.from_pretrained('m', attn_implemenation='sdpa')", [("unknown", "attn_implemenation")]),
        ("AutoModelForCausalLM.from_pretrained('m', devicemap='auto')", [("unknown", "devicemap")]),
        # a model's configuration takes its own names, and a remote one any
        ("AutoModelForCausalLM.from_pretrained('m', use_cache=False, rope_scaling=None, use_flash_attn=1)", []),
        ("AutoModelForCausalLM.from_pretrained('m', _attn_implementation='eager', use_flash_attention=True)", []),
        ("AutoModelForCausalLM.from_pretrained('m', dtype='auto', device_map='auto', token=t)", []),
        ("AutoTokenizer.from_pretrained('m', revisions='main')", []),
        ("transformers.FlaxAutoModelForCausalLM.from_pretrained('m', dtypes=1)", []),
        ("PeftModel.from_pretrained(m, 'a', revisions='main')", []),
    ],
)
def test_keywords(line: str, expected: list[tuple[str, str]]) -> None:
    assert found(line) == expected


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("BitsAndBytesConfig(load_in_4bits=True)", "error"),  # dropped
        ("BitsAndBytesConfig(quantise_twice=True)", "warning"),  # or newer than the tables
        ("AutoModelForCausalLM.from_pretrained('m', torch_dytpe='auto')", "error"),  # a TypeError
    ],
)
def test_what_is_dropped_or_fails_is_an_error(line: str, severity: str) -> None:
    report = lint([SourceText("a.py", f"{TRAINS}{line}\n")], Settings())
    assert [(each.rule, each.severity) for each in report.findings] == [("arguments/unknown", severity)]
    (finding,) = report.findings
    assert (finding.fix is not None) is (severity == "error")


def test_an_adapter_is_judged_whoever_takes_it() -> None:
    head = "from peft import LoraConfig\nfrom transformers import Trainer, TrainingArguments\n"
    train = "Trainer(wrap(model, lora), TrainingArguments('o'))\n"
    report = lint([SourceText("a.py", f"{head}lora = LoraConfig(lora_alfa=8)\n{train}{train}")], Settings())
    assert [each.at.text for each in report.findings if each.rule == "arguments/unknown"] == ["lora_alfa"]


def test_a_class_of_another_project_may_take_more() -> None:
    head = TRAINS.replace("from transformers", "from mine")
    for line in (
        "BitsAndBytesConfig(quantise_twice=1)",
        "AutoModelForCausalLM.from_pretrained('m', torch_dytpe='auto')",
    ):
        assert found(line, head) == []


def test_unsloth_takes_names_of_its_own() -> None:
    head = "from unsloth import FastLanguageModel\nFastLanguageModel.get_peft_model(m, r=8)\n"
    assert (
        found("FastLanguageModel.from_pretrained('m', max_seq_length=1, load_in_4bit=True, fast_inference=True)", head)
        == []
    )
    assert found("FastLanguageModel.from_pretrained('m', max_seq_lenght=1)", head) == [("unknown", "max_seq_lenght")]


@pytest.mark.parametrize(
    ("line", "target", "severity"),
    [
        ("AutoModelForCausalLM.from_pretrained('m', load_in_4bit=True)", "5.0.0", "warning"),
        ("AutoModelForCausalLM.from_pretrained('m', load_in_4bit=True)", "4.51.3", None),
        ("AutoModelForCausalLM.from_pretrained('m', load_in_4bit=True)", None, "note"),
        ("AutoModelForCausalLM.from_pretrained('m', dtype='auto')", "4.46.3", "warning"),
        ("AutoModelForCausalLM.from_pretrained('m', torch_dtype='auto')", "5.23.0", None),
        ("AutoModelForCausalLM.from_pretrained('m', cache_dir='c')", "5.23.0", None),
    ],
)
def test_versions(line: str, target: str | None, severity: str | None) -> None:
    targets = {"transformers": target} if target is not None else {}
    report = lint([SourceText("a.py", f"{TRAINS}{line}\n")], Settings(targets=targets))
    assert [each.severity for each in report.findings if each.rule == "arguments/version"] == [severity] * (
        severity is not None
    )
