"""The Trainer and TRL in Python: what the file says is what the run is, and what it does not say is unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers_cli import trainlint
from helpers_dialects import assert_states, dialects_of, issues, judge, steady, write
from helpers_runs import facts, launches
from trainlint.dialects.tables import Schema
from trainlint.document import Call
from trainlint.linter import lint
from trainlint.settings import Settings
from trainlint.text import SourceText

SFT = """\
import torch
from datasets import load_dataset
from peft import LoraConfig, TaskType
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from trl import SFTConfig, SFTTrainer

MODEL = "meta-llama/Llama-2-7b-hf"
quantization = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained(MODEL, quantization_config=quantization, dtype=torch.bfloat16)
tokenizer = AutoTokenizer.from_pretrained(MODEL)
lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.05, target_modules=["q_proj", "v_proj"], task_type=TaskType.CAUSAL_LM)
batch = 4
args = SFTConfig(
    output_dir="out",
    per_device_train_batch_size=batch,
    gradient_accumulation_steps=32 // batch,
    learning_rate=2e-4,
    num_train_epochs=3,
    lr_scheduler_type="cosine",
    warmup_ratio=0.03,
    bf16=True,
    max_length=2048,
    packing=True,
)
trainer = SFTTrainer(model=model, args=args, train_dataset=load_dataset("x", split="train"), peft_config=lora)
trainer.train()
"""
PLAIN = """\
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
model = AutoModelForCausalLM.from_pretrained("org/base-7b")
args = TrainingArguments("out", learning_rate=1e-5, fp16=True)
Trainer(model, args, train_dataset=data).train()
"""
UNSLOTH = """\
from unsloth import FastLanguageModel
from trl import SFTConfig, SFTTrainer
model, tokenizer = FastLanguageModel.from_pretrained(model_name="unsloth/Llama-3.2-1B", max_seq_length=2048, load_in_4bit=True)
model = FastLanguageModel.get_peft_model(model, r=8, lora_alpha=16, target_modules=["q_proj"])
trainer = SFTTrainer(model=model, tokenizer=tokenizer, args=SFTConfig(learning_rate=2e-4, max_steps=60, dataset_num_proc=2))
"""


def run(text: str, **more: Any) -> Any:
    return facts(text, "train.py", **more)


# ----------------------------------------------------------------------------------------------------------- facts


def test_sft_with_qlora() -> None:
    assert_states(
        SFT,
        {
            "stage": "sft", "method": "qlora", "model_name_or_path": "meta-llama/Llama-2-7b-hf", "quantization_bits": 4,
            "learning_rate": 2e-4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 8, "num_train_epochs": 3,
            "lr_scheduler_type": "cosine", "warmup_ratio": 0.03, "mixed_precision": "bf16", "sequence_length": 2048,
            "packing": True, "lora_rank": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": ["q_proj", "v_proj"],
            "modules_to_save": [], "eval_data": "no", "lora_scale": 2.0,
        },
        "train.py",
    )  # fmt: skip
    assert dialects_of(SFT, "train.py") == ["trl"]
    assert issues(SFT, "train.py") == []
    judge(SFT, "train.py", "trl")


def test_the_plain_trainer() -> None:
    assert_states(
        PLAIN,
        {"method": "full", "model_name_or_path": "org/base-7b", "learning_rate": 1e-5, "mixed_precision": "fp16",
         "output_dir": "out", "per_device_train_batch_size": 8, "lora_rank": None, "quantization_bits": None},
        "train.py",
    )  # fmt: skip
    assert dialects_of(PLAIN, "train.py") == ["hf-trainer"]
    (launch,) = launches(PLAIN, "train.py")
    assert launch.fact("stage").value == ["pt", "sft"]
    for name in ("world_size", "datasets", "sequence_length", "torch_dtype"):
        assert launch.fact(name).status == "unknown", name
    judge(PLAIN, "train.py", "hf-trainer")


def test_unsloth() -> None:
    assert_states(
        UNSLOTH,
        {"stage": "sft", "method": "qlora", "model_name_or_path": "unsloth/Llama-3.2-1B", "sequence_length": 2048,
         "lora_rank": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "max_steps": 60, "total_steps": 60},
        "train.py",
    )  # fmt: skip
    assert run(UNSLOTH).get("lora_dropout") is None  # Unsloth's own default, which no table here holds
    judge(UNSLOTH, "train.py", "trl")


def test_a_notebook_is_the_program_that_its_cells_are() -> None:
    head, tail = SFT.split("batch = 4\n")
    cells = [{"cell_type": "markdown", "source": ["# SFT"]}] + [
        {"cell_type": "code", "source": text.splitlines(keepends=True)}
        for text in (f"%pip install trl\n{head}", f"batch = 4\n{tail}")
    ]
    text = json.dumps({"cells": cells}, indent=1)
    run = assert_states(text, {"learning_rate": 2e-4, "gradient_accumulation_steps": 8, "method": "qlora"}, "sft.ipynb")
    assert run["lora_rank"] == 16
    (launch,) = launches(text, "sft.ipynb")
    assert launch.first.title == "TRL in Python, cell 3"
    assert text.splitlines()[launch.at.start.line - 1].strip() == '"args = SFTConfig(\\n",'


@pytest.mark.parametrize(
    ("old", "new", "fact", "value"),
    [
        ("learning_rate=2e-4", "learning_rate=rates[i]", "learning_rate", None),
        ("peft_config=lora", "peft_config=lora if use_lora else None", "method", None),
        ("peft_config=lora", "peft_config=None", "method", None),  # an adapter is made, and who takes it is not seen
        ("lora = LoraConfig(", "lora = None; f(", "method", "full"),
        ("r=16, ", "", "lora_rank", 8),
        ("quantization_config=quantization, ", "", "method", "lora"),
        ("load_in_4bit=True", "load_in_4bit=four", "method", None),
        ("quantization_config=quantization", "load_in_8bit=True", "quantization_bits", 8),
        ("model=model,", "model=MODEL,", "model_name_or_path", "meta-llama/Llama-2-7b-hf"),
        ("model=model,", "model=MODEL,", "quantization_bits", None),
        ("model=model,", "model=MODEL,", "method", "lora"),
        ('"out",', '"out", model_init_kwargs=more,', "method", "qlora"),  # the trainer is handed a model
        ("model=model,", "model=build(model),", "model_name_or_path", None),
        ("max_length=2048", "max_length=None", "sequence_length", None),
        ("trainer.train()", "args.learning_rate = 1e-4", "learning_rate", 1e-4),
        ("trainer.train()", "if cheap: args.learning_rate = 1e-4", "learning_rate", None),
        ("peft_config=lora", "peft_config=lora, optimizers=(opt, None)", "learning_rate", None),
        ("peft_config=lora", "peft_config=lora, eval_dataset=load_dataset('y')", "eval_data", "yes"),
        ("peft_config=lora", "peft_config=lora, **more", "eval_data", "unknown"),
        ('"out",', '"out", **more,', "weight_decay", None),
        ('"out",', '"out", deepspeed={"zero_optimization": {"stage": 2}, "gradient_clipping": 0.5},', "zero_stage", 2),
        ('"out",', '"out", deepspeed={"zero_optimization": {"stage": 2}, "gradient_clipping": 0.5},', "max_grad_norm", 0.5),
        ("SFTTrainer", "DPOTrainer", "stage", "sft"),
        ("SFTConfig", "DPOConfig", "stage", "dpo"),
        ("SFTConfig", "RewardConfig", "stage", "rm"),
    ],
)  # fmt: skip
def test_one_change(old: str, new: str, fact: str, value: object) -> None:
    assert old in SFT
    (launch,) = launches(SFT.replace(old, new), "train.py")
    found = launch.fact(fact)
    assert (found.value if found.known else None) == value


def test_a_model_for_another_task_is_no_language_model() -> None:
    text = PLAIN.replace("ForCausalLM", "ForSequenceClassification")
    assert run(text)["stage"] == "AutoModelForSequenceClassification"


def test_old_trl_hands_the_length_to_the_trainer() -> None:
    text = PLAIN.replace("Trainer(model, args,", "SFTTrainer(model, args, max_seq_length=512, packing=True,")
    assert_states(text, {"stage": "sft", "sequence_length": 512, "packing": True}, "train.py")


# ---------------------------------------------------------------------------------------------------- what is a run


def test_each_trainer_is_a_run_and_arguments_without_one_are_too() -> None:
    more = "other = TrainingArguments('b')\nTrainer(model, args)\n"
    assert len(launches(PLAIN + more, "train.py")) == 3
    build = "def build(lr):\n    return TrainingArguments('o', learning_rate=lr, seed=1)\n"
    lone = f"from transformers import TrainingArguments\n{build}"
    (launch,) = launches(lone, "train.py")
    assert launch.fact("seed").value == 1
    assert not launch.fact("learning_rate").known
    assert not launch.fact("method").known


@pytest.mark.parametrize(
    "text",
    [
        "from transformers import pipeline\npipeline('text-generation')('TrainingArguments(')\n",
        "class TrainingArguments: pass\nTrainingArguments()\n",
        "def TrainingArguments(**k): pass\nTrainingArguments(learning_rate='x')\n",
        "class SFTConfig(TrainingArguments):\n    beta: float = 0.1\n",
        "x = 1\n",
        "",
    ],
)
def test_what_trains_nothing_has_no_run(text: str) -> None:
    assert launches(text, "a.py") == []
    report = lint([SourceText("a.py", text)], Settings())
    assert report.findings == []
    assert report.internal_errors == []


# ------------------------------------------------------------------------------------------------------- arguments


def test_a_misspelt_keyword_is_an_error_only_where_the_class_is_the_frameworks() -> None:
    wrong = PLAIN.replace("learning_rate", "learning_rat")
    assert issues(wrong, "train.py") == [("unknown", "learning_rat", 3, 33)]
    (launch,) = launches(wrong, "train.py")
    assert launch.first.arguments.issues[0].certain
    for text in (
        wrong.replace(
            "args = ", "class Mine(TrainingArguments):\n    learning_rat: float = 1\nargs = Mine if 0 else "
        ).replace("else TrainingArguments(", "else Mine("),
        wrong.replace("from transformers import", "from mine import"),
        "import unsloth\nunsloth.f()\n" + wrong,
    ):
        assert all(
            not issue.certain for launch in launches(text, "train.py") for issue in launch.first.arguments.issues
        )


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ('learning_rate="2e-5"', [("type", '"2e-5"')]),
        ("warmup_steps='100'", [("type", "'100'")]),
        ("save_strategy='step'", [("choice", "'step'")]),
        ("save_strategy=False", [("choice", "False")]),
        ("lr_scheduler_type=SchedulerType.COSINE", []),
        ("fp16=1, num_train_epochs=3, max_steps=-1, logging_steps=0.1, report_to=['wandb']", []),
        ("eval_strategy=None, deepspeed=None, warmup_steps=0.1", []),
        ("evaluation_strategy='epoch', warmup_ratio=0.1", []),
    ],
)
def test_values_are_judged_as_the_class_takes_them(argument: str, found: list[tuple[str, str]]) -> None:
    text = f"from transformers import TrainingArguments, SchedulerType\nTrainingArguments('o', {argument})\n"
    assert [issue[:2] for issue in issues(text, "train.py")] == found


def test_the_adapter_is_judged_too() -> None:
    assert [issue[:2] for issue in issues(SFT.replace("lora_alpha=32", "lora_alfa=32"), "train.py")] == [
        ("unknown", "lora_alfa")
    ]
    assert issues(UNSLOTH.replace("r=8", "r=8, use_gradient_checkpointing='unsloth', random_state=1"), "train.py") == []


@pytest.mark.parametrize(
    ("path", "section"),
    [("transformers.Seq2SeqTrainingArguments", "transformers:seq2seq"), ("trl.GRPOConfig", "trl:GRPOConfig")],
)
def test_every_name_of_the_tables_is_taken(path: str, section: str) -> None:
    package, _, name = path.partition(".")
    names = "".join(f"    {argument}=unknown,\n" for argument in Schema(section))
    assert issues(f"from {package} import {name}\n{name}(\n{names})\n", "train.py") == []


def test_a_stated_version_counts() -> None:
    text = PLAIN.replace("fp16=True", "evaluation_strategy='epoch'")
    report = lint([SourceText("train.py", text)], Settings(targets={"transformers": "5.0.0"}))
    assert [
        (finding.rule, finding.severity, finding.at.text)
        for finding in report.findings
        if finding.rule == "arguments/version"
    ] == [("arguments/version", "warning", "evaluation_strategy")]


@pytest.mark.parametrize(
    ("line", "finds"),
    [
        ("!pip install -q transformers==5.0.0 trl==0.22.2", True),
        ("# pip install 'transformers==5.0.0'", True),
        ('#     "transformers==5.0.0",', True),
        ('%pip install --upgrade \\\n  "transformers[torch]==5.0.0" \\\n  "trl==0.22.2"', True),
        ('%pip install --upgrade \\\n  "datasets==3.1.0"\nversions = ["transformers==5.0.0"]', False),
        ("!pip install transformers==4.40.2", False),
        ("!pip install transformers==5.0.0\n!pip install transformers==4.40.2", False),
        ("!pip install transformers>=5.0.0", False),
        ("# tested with transformers==5.0.0.dev0, transformers==5.0.0", False),
    ],
)
def test_the_versions_that_a_file_installs_count(line: str, finds: bool) -> None:
    code = f"{line}\n{PLAIN}".replace("fp16=True", "evaluation_strategy='epoch'")
    text = json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}]}, indent=1)
    found = {finding.rule: finding.severity for finding in lint([SourceText("a.ipynb", text)], Settings()).findings}
    assert (found.get("arguments/version") == "warning") is finds


def test_what_a_file_installs_goes_before_what_its_project_pins(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("transformers==4.40.2\n")
    script = tmp_path / "train.py"

    def lacks(text: str) -> bool:
        script.write_text(text)
        return "the stated version does not have eval_strategy" in trainlint(str(script)).stdout

    code = PLAIN.replace("fp16=True", "eval_strategy='epoch'")
    assert lacks(code)
    assert not lacks(f"# pip install 'transformers>=5.0.0'\n{code}")
    assert lacks(f"# pip install sentence-transformers\n{code}")


def test_an_older_trl_has_what_the_trainer_has() -> None:
    text = f"# pip install trl==0.12.2 transformers==4.46.3\n{SFT}".replace("max_length", "max_seq_length").replace(
        " dtype=", " torch_dtype="
    )
    (launch,) = launches(text.replace("bf16=True", "logging_steps=1, gradient_checkpointing=True"), "train.py")
    assert launch.fact("seed").confidence == "high"
    assert launch.first.argument("bf16").value is False
    assert {finding.rule for finding in lint([SourceText("a.py", text)], Settings()).findings} & {
        "arguments/version"
    } == set()


def test_findings_stand_at_the_literal() -> None:
    report = lint(
        [SourceText("train.py", SFT.replace("2e-4", "rate").replace("batch = 4", "batch, rate = 4, 2e-2"))], Settings()
    )
    (finding,) = [finding for finding in report.findings if finding.rule == "lr/lora-ceiling"]
    assert (finding.at.text, finding.at.start.line, finding.at.start.column) == ("2e-2", 12, 18)


def test_the_call_of_a_run_is_kept() -> None:
    (launch,) = launches(SFT, "train.py")
    assert isinstance(launch.first.context["call"], Call)
    assert launch.at.text == "SFTConfig"


# ---------------------------------------------------------------------------------------------------------- launched


def test_a_command_gives_the_processes_of_its_script(tmp_path: Path) -> None:
    write(tmp_path, train__py=SFT, two__py=PLAIN + "Trainer(model, TrainingArguments('b'))\n")
    shell = "torchrun --nproc_per_node 8 {}\n"
    run = assert_states(
        shell.format("train.py"), {"world_size": 8, "learning_rate": 2e-4, "effective_batch_size": 256}, folder=tmp_path
    )
    assert run["launcher"] == "torchrun"
    (launch,) = launches(shell.format("train.py"), folder=tmp_path)
    assert (launch.at.source.path.endswith("train.py"), launch.at.text) == (True, "SFTConfig")
    assert launches(shell.format("two.py"), folder=tmp_path) == []
    assert launches(shell.format("gone.py"), folder=tmp_path) == []


def test_what_the_command_line_says_comes_first(tmp_path: Path) -> None:
    write(tmp_path, train__py=PLAIN)
    (launch,) = launches("python train.py --learning_rate 3e-4 --num_train_epochs 2 --output_dir o\n", folder=tmp_path)
    assert launch.fact("learning_rate").value == 3e-4


def test_the_findings_of_a_launched_script_stand_in_the_script(tmp_path: Path) -> None:
    write(tmp_path, train__py=SFT.replace("2e-4", "2e-2"), run__sh="torchrun --nproc_per_node 8 train.py\n")
    report = lint([SourceText.load(tmp_path / name) for name in ("run.sh", "train.py")], Settings())
    found = [finding for finding in report.findings if finding.rule == "lr/lora-ceiling"]
    assert [(Path(finding.at.source.path).name, finding.at.text) for finding in found] == [("train.py", "2e-2")]


# ------------------------------------------------------------------------------------------------------------ robust


@steady(60)
@given(
    st.sampled_from([SFT, PLAIN, UNSLOTH]),
    st.integers(0, 900),
    st.integers(0, 60),
    st.text("()=,.*[]{}'\"\n a1#学", max_size=4),
)
def test_damaged_files_are_read_all_the_same(text: str, at: int, length: int, put: str) -> None:
    damaged = text[:at] + put + text[at + length :]
    judge(damaged, "train.py")
    judge(json.dumps({"cells": [{"cell_type": "code", "source": damaged.splitlines(keepends=True)}]}), "train.ipynb")


@pytest.mark.parametrize(
    "value",
    ["None", "[]", "{}", "'x'", "1", "1.5", "True", "unknown", "f()", "()", "-1", "float('nan')", "torch.x", "1e999"],
)
def test_values_of_any_kind_break_nothing(value: str) -> None:
    config = ", ".join(f"{name}={value}" for name in Schema("trl:SFTConfig"))
    adapter = ", ".join(f"{name}={value}" for name in Schema("peft:LoraConfig"))
    base = f"M.from_pretrained({value}, quantization_config=BitsAndBytesConfig(load_in_4bit={value}), dtype={value})"
    judge(
        f"from trl import *\nSFTTrainer({base}, SFTConfig({config}), peft_config=LoraConfig({adapter}), eval_dataset={value})\n",
        "a.py",
    )


def test_what_holds_itself_breaks_nothing() -> None:
    judge(
        "from transformers import Trainer, TrainingArguments\nfrom peft import get_peft_model\nk = {'a': 1}\nk['k'] = k\n"
        "model = get_peft_model(m)\nmodel.model = model\nTrainer(model, TrainingArguments('o', deepspeed=k, **k))\n",
        "a.py",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("    max_length=2048,\n", ""), "max_length is not set"),
        (("    max_length=2048,\n", "    # pip install trl==0.12.1\n"), "max_seq_length is not set"),
        (("max_length=2048", "max_length=1024"), None),
        (("max_length=2048", 'dataset_kwargs={"skip_prepare_dataset": True}'), None),
    ],
)
def test_the_default_length_is_said_where_it_holds(change: tuple[str, str], message: str | None) -> None:
    found = [
        f
        for f in lint([SourceText("a.py", SFT.replace("packing=True,", "").replace(*change))], Settings()).findings
        if f.rule == "context/default-length"
    ]
    assert [finding.message.partition(":")[0] for finding in found] == ([message] if message else [])


@pytest.mark.parametrize(
    "text",
    [
        UNSLOTH.replace("max_seq_length=2048", "max_seq_length=1024"),
        SFT.replace("    max_length=2048,\n", "").replace("SFTTrainer(", "SFTTrainer(data_collator=collate, "),
    ],
)
def test_a_length_that_is_decided_elsewhere_is_no_default(text: str) -> None:
    assert "context/default-length" not in {
        finding.rule for finding in lint([SourceText("a.py", text)], Settings()).findings
    }
