"""What a look at the data says of a run: facts, the card, findings, and that `--no-data` prevents it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import helpers_parquet
from helpers_cli import trainlint
from helpers_runs import facts, launches

FACTORY = """\
model_name_or_path: meta-llama/Llama-2-7b-hf
stage: {stage}
do_train: true
finetuning_type: lora
lora_target: all
template: llama2
cutoff_len: 512
dataset: notes
dataset_dir: .
"""
AXOLOTL = """\
base_model: meta-llama/Llama-2-7b-hf
micro_batch_size: 2
learning_rate: 0.0002
adapter: lora
datasets:
  - path: notes.json
    type: {type}
"""
CLA = "torchrun run_clm_sft_with_peft.py --dataset_dir data --validation_file held_out.json --learning_rate 1e-4"


def factory(folder: Path, entry: dict[str, Any], row: dict[str, Any], stage: str = "sft") -> Any:
    (folder / "dataset_info.json").write_text(json.dumps({"notes": {"file_name": "notes.json", **entry}}))
    (folder / "notes.json").write_text(json.dumps([row]))
    return facts(FACTORY.format(stage=stage), "x.yaml", folder=folder)


@pytest.mark.parametrize(
    ("entry", "row", "missing"),
    [
        ({}, {"instruction": "a", "input": "", "output": "b"}, []),
        ({}, {"instruction": "a", "output": "b"}, ["input"]),
        ({"columns": {"prompt": "q", "response": "a"}}, {"q": "a", "a": "b"}, []),
        ({"columns": {"prompt": "q", "response": "a", "history": "h"}}, {"q": "a", "a": "b"}, ["h"]),
        ({"formatting": "sharegpt"}, {"conversations": []}, []),
        ({"formatting": "sharegpt"}, {"messages": []}, ["conversations"]),
        ({"formatting": "sharegpt", "columns": {"messages": "m", "system": "s"}}, {"m": []}, []),
        ({"formatting": "sharegpt", "columns": {"messages": "m", "tools": "t"}}, {"m": []}, ["t"]),
        (
            {"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}},
            {"q": "", "c": "", "r": ""},
            [],
        ),
        ({"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}}, {"q": "", "r": ""}, ["c"]),
        ({"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}}, {"q": "", "c": ""}, ["r"]),
        ({"columns": ["odd"]}, {"a": "b"}, []),
        ({"formatting": "openai", "columns": {"messages": "m", "tools": "t", "system": "s"}}, {"m": []}, []),
        (
            {"formatting": "sharegpt"},
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            [],
        ),
        (
            {"formatting": "sharegpt"},
            {"conversations": [{"role": "user", "content": "a"}]},
            ["conversations[].from", "conversations[].value"],
        ),
        (
            {"formatting": "sharegpt"},
            {"conversations": [{"from": "user", "value": "a"}, {"from": "assistant", "value": "b"}]},
            ["conversations[].from = gpt or conversations[].from = function_call"],
        ),
        (
            {
                "formatting": "sharegpt",
                "columns": {"messages": "m"},
                "tags": {"role_tag": "role", "content_tag": "content", "assistant_tag": "assistant"},
            },
            {"m": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            [],
        ),
    ],
)
def test_columns_that_llama_factory_reads(tmp_path: Path, entry: Any, row: Any, missing: list[str]) -> None:
    found = factory(tmp_path, entry, row)["missing_columns"]
    assert found == [f"{column} (notes.json)" for column in missing]


@pytest.mark.parametrize(
    ("stage", "entry", "said"),
    [
        ("sft", {"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}}, "not applicable"),
        ("dpo", {}, "not applicable"),
        ("rm", {"ranking": False}, "not applicable"),
        ("dpo", {"ranking": True, "columns": {"prompt": "q"}}, "without the columns chosen and rejected"),
        ("dpo", {"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}}, ""),
        ("kto", {}, "without a kto_tag"),
        ("kto", {"columns": {"prompt": "q", "response": "a", "kto_tag": "good"}}, ""),
        ("sft", {"columns": {"prompt": "q"}}, "without a response"),
        ("sft", {"columns": {"prompt": "q", "respones": "a"}}, "did you mean response"),
        ("pt", {"columns": {"prompt": "text"}}, ""),
        ("sft", {"formatting": "chatml"}, "converter chatml not found"),
        ("sft", {"split": "test"}, "split train only"),
        ("sft", {"split": "train[:10%]"}, ""),
        ("sft", {"hf_hub_url": "org/data", "split": "test"}, ""),
        ("sft", {"formatting": "sharegpt", "tags": {"user_tag": "user"}}, "tags without role_tag"),
        ("sft", {"formatting": "sharegpt", "tags": {"role_tag": "role", "content_tag": "content"}}, ""),
    ],
)
def test_entries_that_llama_factory_refuses(tmp_path: Path, stage: str, entry: Any, said: str) -> None:
    factory(tmp_path, entry, {"instruction": "a", "input": "", "output": "b"})
    (launch,) = launches(FACTORY.format(stage=stage), "x.yaml", folder=tmp_path)
    messages = [issue.message for issue in launch.first.arguments.issues]
    assert (said in messages[0]) if said else not messages


def test_data_that_is_tokenized_already_is_not_judged(tmp_path: Path) -> None:
    factory(tmp_path, {}, {"instruction": "a"})
    text = FACTORY.format(stage="sft") + "tokenized_path: ready\n"
    assert "tokenized_path" in facts(text, "x.yaml", folder=tmp_path).unknown("missing_columns")


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("alpaca", ["output or input_ids"]),
        ("completion", ["text or input_ids"]),
        ("completion\n    field: instruction", []),
        ("chat_template", ["messages or input_ids"]),
        ("chat_template\n    field_messages: instruction", []),
        ("alpaca_chat.load_qa", ["question or input_ids", "answer or input_ids"]),
        ("gpteacher:chat", ["response or input_ids"]),
        ("input_output", ["segments or input_ids"]),
        ("some.module", []),
        ("{field_instruction: instruction, format: '{instruction}'}", []),
    ],
)
def test_columns_that_axolotl_reads(tmp_path: Path, kind: str, missing: list[str]) -> None:
    (tmp_path / "notes.json").write_text('[{"instruction": "a"}]')
    run = facts(AXOLOTL.format(type=kind), "x.yml", folder=tmp_path)
    assert run["stage"] == ("pt" if kind.startswith("completion") else "sft")
    found = run["missing_columns"]
    assert found == [f"{column} (notes.json)" for column in missing]


@pytest.mark.parametrize(
    ("rl", "kind", "missing"),
    [
        ("dpo", "chatml.intel", ["question"]),
        ("dpo", "llama3.icr", ["input"]),
        ("ipo", "chatml", []),
        ("simpo", "llama3.default", []),
        ("dpo", "chatml.argilla_chat", []),
        ("dpo", "chat_template.default", ["messages"]),
        ("dpo", "chat_template.default\n    field_messages: prompt\n    field_chosen: best", ["best"]),
        ("dpo", "chat_template.argilla_chat", []),
        ("dpo", "zephyr.nectar", ["answers"]),
        ("dpo", "{field_prompt: question}", ["question"]),
        ("dpo", "", []),
        ("dpo", "some.module", []),
        ("orpo", "chat_template.argilla", []),
        ("kto", "llama3.argilla", ["instruction", "completion"]),
        ("kto", "{field_completion: chosen}", ["label"]),
        ("kto", "", ["completion"]),
        ("grpo", "chatml.intel", []),
    ],
)
def test_columns_that_axolotl_reads_of_preferences(tmp_path: Path, rl: str, kind: str, missing: list[str]) -> None:
    (tmp_path / "notes.json").write_text('[{"prompt": "a", "chosen": "b", "rejected": "c"}]')
    found = facts(AXOLOTL.format(type=kind) + f"\nrl: {rl}\n", "x.yml", folder=tmp_path)["missing_columns"]
    assert found == [f"{column} or input_ids (notes.json)" for column in missing]


SFT = "--model_name_or_path gpt2 --output_dir out"


@pytest.mark.parametrize(
    ("command", "row", "missing"),
    [
        (f"torchrun fastchat/train/train.py {SFT} --data_path notes.json", {"messages": []}, ["conversations"]),
        (f"python train.py {SFT} --data_path notes.json", {"instruction": "a"}, ["output"]),
        (
            "python finetune.py --base_model gpt2 --data_path notes.json --batch_size 8",
            {"instruction": "a"},
            ["input", "output"],
        ),
        (f"python qlora.py {SFT} --dataset notes.json --bits 4", {"input": "a", "response": "b"}, ["output"]),
        (f"python qlora.py {SFT} --dataset notes.json --dataset_format chip2 --bits 4", {"text": "a"}, []),
        ("swift sft --model gpt2 --dataset notes.json", {"query": "a", "Response": "b"}, []),
        ("swift sft --model gpt2 --dataset notes.json --columns '{}'", {"question": "a"}, None),
        ("swift sft --model gpt2 --dataset notes.json --task_type seq_cls", {"query": "a", "label": 1}, None),
        ("trl sft --model_name_or_path gpt2 --dataset_name data", {"messages": []}, []),
        ("trl sft --model_name_or_path gpt2 --dataset_name data", {"prompt": "", "completion": ""}, []),
        ("trl sft --model_name_or_path gpt2 --dataset_name data --dataset_text_field body", {"body": ""}, []),
        ("trl dpo --model_name_or_path gpt2 --dataset_name data", {"prompt": "a", "chosen": "b", "rejected": "c"}, []),
        ("trl dpo --model_name_or_path gpt2 --dataset_name org/hub", {"prompt": "a"}, None),
    ],
)
def test_columns_that_other_frameworks_read(tmp_path: Path, command: str, row: Any, missing: list[str] | None) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("# What this is")
    for name in ("notes.json", "data/train.jsonl"):
        (tmp_path / name).write_text(json.dumps([row] if name == "notes.json" else row))
    run = facts(command, folder=tmp_path)
    if missing is None:
        assert run.unknown("missing_columns")
    else:
        assert run["missing_columns"] == [f"{column} (notes.json)" for column in missing]


def test_one_of_several_columns_will_do(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text('{"prompt": "a"}')
    run = facts("trl sft --model_name_or_path gpt2 --dataset_name data", folder=tmp_path)
    (missing,) = run["missing_columns"]
    assert missing == "messages or conversations or text or input_ids or completion (train.jsonl)"


def test_chinese_llama_alpaca(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.json").write_text(json.dumps([{"instruction": str(i), "output": "b"} for i in range(4)]))
    (tmp_path / "held_out.json").write_text(
        '[{"instruction": "1", "output": "b"}, {"instruction": "9", "output": "b"}]'
    )
    run = facts(CLA, folder=tmp_path)
    assert run["missing_columns"] == ["input (a.json)"]
    assert run["evaluation_overlap"] == 0.5
    assert (run["examined_examples"], run["duplicate_examples"], run["p95_characters"]) == (4, 0, 3)
    assert run["mean_characters"] == 3


def test_a_file_of_bad_rows_alone(tmp_path: Path) -> None:
    run = factory(tmp_path, {"file_name": "bad.jsonl"}, {})
    (tmp_path / "bad.jsonl").write_text("{\n{\n")
    assert (run["unreadable_examples"], run["first_unreadable"]) == (2, "bad.jsonl:1")
    for name in ("mean_characters", "p95_characters", "duplicate_examples", "truncated_share"):
        assert "no example" in run.unknown(name)
    assert run.unknown("chinese_share")


def test_evaluation_data_that_is_not_here(tmp_path: Path) -> None:
    factory(tmp_path, {}, {"instruction": "a"})
    run = facts(FACTORY.format(stage="sft"), "x.yaml", folder=tmp_path)
    assert run["eval_datasets"] == []
    run = facts(FACTORY.format(stage="sft") + "eval_dataset: hub\n", "x.yaml", folder=tmp_path)
    assert run.launch.fact("evaluation_overlap").missing == "data_sample"


def test_text_files_have_no_examples(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\none\n")
    run = facts("torchrun run_clm_pt_with_peft.py --dataset_dir .", folder=tmp_path)
    assert "not divided" in run.unknown("duplicate_examples")
    assert run["chinese_share"] == 0


def test_answers_that_are_preferred_are_not_one_sequence(tmp_path: Path) -> None:
    assert "dpo" in factory(tmp_path, {}, {"instruction": "a" * 9999}, "dpo").unknown("truncated_share")
    assert factory(tmp_path, {}, {"instruction": "a" * 9999})["truncated_share"] == 1


def test_a_data_set_is_read_as_far_as_the_limit_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlint import links

    (tmp_path / "data").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "data" / f"{name}.json").write_text(json.dumps([{"instruction": name}] * 10))
    size = (tmp_path / "data" / "a.json").stat().st_size
    monkeypatch.setattr(links, "MAX_BYTES", 2 * size)
    run = facts(CLA, folder=tmp_path)
    assert (run["examined_examples"], run["duplicate_examples"]) == (20, 18)
    assert "too large" in run.unknown("dataset_examples")


def test_the_card_and_the_findings_and_neither_with_no_data(tmp_path: Path) -> None:
    factory(tmp_path, {}, {"instruction": "a", "output": ""})
    (tmp_path / "x.yaml").write_text(FACTORY.format(stage="sft"))
    assert "1 examples: 2 characters on average" in trainlint("explain", "x.yaml", cwd=tmp_path).stdout
    found = trainlint("x.yaml", cwd=tmp_path)
    assert "error[data/missing-columns]" in found.stdout
    assert "warning[data/empty-examples]" in found.stdout
    assert "[data/" not in trainlint("x.yaml", "--no-data", cwd=tmp_path).stdout
    card = trainlint("explain", "x.yaml", "--no-data", cwd=tmp_path).stdout
    assert "characters on average" not in card
    assert "DATA" in card
    (tmp_path / "trainlint.toml").write_text("data = false\n")
    assert "[data/" not in trainlint("x.yaml", cwd=tmp_path).stdout


def test_shards_of_parquet_beyond_the_limit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As are those that are looked into: a footer is short, however large the file."""
    monkeypatch.setattr("trainlint.links.MAX_BYTES", 1)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # these files have a footer alone
    for shard, rows in enumerate((1000, 2000, 3000)):
        helpers_parquet.write(tmp_path / f"train-{shard}.parquet", rows, {"text": 50 * rows})
    command = "swift pt --model gpt2 --dataset 'train-*.parquet'"
    run = facts(command, folder=tmp_path)
    assert run["dataset_examples"] == 6000
    assert run["dataset_tokens"] == 75_000
    monkeypatch.setattr("trainlint.links.MAX_COUNTED", 1)
    assert "too large" in facts(command, folder=tmp_path).unknown("dataset_examples")
