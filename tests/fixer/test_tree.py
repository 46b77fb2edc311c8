"""Edits of YAML and JSON: the loader sees one other value, a reader of the diff one other line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from helpers_fixes import changed
from helpers_runs import launches
from trainlint.fixer import change
from trainlint.text import SourceText, Span, apply

FACTORY = "stage: sft\nfinetuning_type: lora\nmodel_name_or_path: m\ndataset: d\ntemplate: qwen\n"
"""LLaMA-Factory, which OmegaConf reads."""
AXOLOTL = "base_model: m\ndatasets:\n  - path: d\nadapter: lora\nsequence_len: 512\n"
"""axolotl, which PyYAML reads."""
TRAINER = {"per_device_train_batch_size": 1, "num_train_epochs": 1, "lr_scheduler_type": "cosine"}


def edited(text: str, fact: str, value: str, name: str = "c.yaml") -> str | None:
    """The new text; what the edit did not touch is what it was, and the loader finds one other value."""
    after = changed(text, fact, value, name)
    if after is not None:
        load = json.loads if name.endswith(".json") else yaml.safe_load
        old, new = load(text), load(after)
        differing = {key for key in {*old, *new} if old.get(key, ...) != new.get(key, ...)}
        assert len(differing) == 1
        assert [key for key in new if key in old] == list(old)
    return after


# -------------------------------------------------------------------------------------------------- another value


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("learning_rate: 2.0e-5", "learning_rate: 1.0e-4"),
        ("learning_rate:    2.0e-5   # as published", "learning_rate:    1.0e-4   # as published"),
        ('learning_rate: "2e-5"', 'learning_rate: "1e-4"'),
        ("learning_rate: '2e-5' # text", "learning_rate: '1e-4' # text"),
        ("learning_rate: !!float 2e-5", "learning_rate: !!float 1.0e-4"),
        ('"learning_rate": 2.0e-5', '"learning_rate": 1.0e-4'),
    ],
)
def test_a_number_is_replaced_as_it_is_written(line: str, wanted: str) -> None:
    text = f"# 学习率 🚀\n{AXOLOTL}{line}\nseed: 1\n"
    assert edited(text, "learning_rate", "1e-4") == text.replace(line, wanted)


def test_a_number_is_spelled_for_the_loader() -> None:
    factory, axolotl = FACTORY + "learning_rate: 2.0e-5\n", AXOLOTL + "learning_rate: 2.0e-5\n"
    assert edited(factory, "learning_rate", "1e-4") == FACTORY + "learning_rate: 1e-4\n"
    assert edited(axolotl, "learning_rate", "1e-4") == AXOLOTL + "learning_rate: 1.0e-4\n"
    assert edited(axolotl, "learning_rate", "1e5") == AXOLOTL + "learning_rate: 1.0e+5\n"


@pytest.mark.parametrize(
    ("line", "fact", "value", "wanted"),
    [
        ("eval_strategy: steps", "eval_strategy", "no", 'eval_strategy: "no"'),
        ("eval_strategy: 'steps'", "eval_strategy", "no", "eval_strategy: 'no'"),
        ("eval_strategy: steps", "eval_strategy", "epoch", "eval_strategy: epoch"),
        ("bf16: true", "args.bf16", "false", "bf16: false"),
        ('bf16: "auto"', "args.bf16", "true", "bf16: true"),
        ("optimizer: adamw_torch", "optim", "a: b # c", 'optimizer: "a: b # c"'),
        ("optimizer: adamw_torch", "optim", "1e3x", 'optimizer: "1e3x"'),
        ("optimizer: 'adamw'", "optim", "it's", "optimizer: 'it''s'"),
    ],
)
def test_text_is_quoted_where_the_loader_would_read_another_type(line: str, fact: str, value: str, wanted: str) -> None:
    text = f"{AXOLOTL}{line}\n"
    assert edited(text, fact.removeprefix("args."), value) == text.replace(line, wanted)


@pytest.mark.parametrize(
    "value", ["yes", "off", "null", "~", "1:30", "0x1f", "2024-01-01", ".inf", "- x", "{x", "=", ""]
)
def test_odd_texts_come_back_as_they_are_meant(value: str) -> None:
    after = edited(AXOLOTL + "optimizer: adamw_torch\n", "optim", value)
    assert after is not None
    assert yaml.safe_load(after)["optimizer"] == (None if value == "null" else value)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_line_ends_stay(end: str) -> None:
    newline = end or "\n"
    text = (AXOLOTL + "learning_rate: 2.0e-5\nseed: 1").replace("\n", newline) + end
    assert edited(text, "learning_rate", "1.0e-4") == text.replace("2.0e-5", "1.0e-4")
    wanted = text.replace(f"2.0e-5{newline}", f"2.0e-5{newline}warmup_ratio: 0.05{newline}")
    assert edited(text, "warmup_ratio", "0.05") == wanted


def test_what_another_program_fills_in_is_left_alone() -> None:
    assert changed(AXOLOTL + "learning_rate: ${LR}\n", "learning_rate", "1.0e-4", "c.yaml") is None
    assert changed(AXOLOTL + "learning_rate: '{{ lr }}'\n", "learning_rate", "1.0e-4", "c.yaml") is None


def test_a_value_of_several_lines_is_left_alone() -> None:
    assert changed(AXOLOTL + "optimizer: |\n  adamw_torch\n", "optim", "x", "c.yaml") is None
    assert changed(AXOLOTL + "optimizer: [a, b]\n", "optim", "x", "c.yaml") is None


# ------------------------------------------------------------------------------------------------ anchors and merges


def test_an_alias_is_changed_at_its_anchor() -> None:
    text = "x-rate: &lr 2.0e-5 # both\n" + AXOLOTL + "learning_rate: *lr\n"
    after = changed(text, "learning_rate", "1.0e-4", "c.yaml")
    assert after == text.replace("2.0e-5", "1.0e-4")


@pytest.mark.parametrize(
    "text",
    [
        "x-rate: &lr 2.0e-5\n" + AXOLOTL + "learning_rate: *lr\nlr_embedding: *lr\n",
        AXOLOTL + "learning_rate: &lr 2.0e-5\nembedding_lr: *lr\n",
        AXOLOTL + "embedding_lr: &lr 2.0e-5\nlearning_rate: *lr\n",
    ],
)
def test_a_value_that_stands_for_two_settings_is_left_alone(text: str) -> None:
    assert changed(text, "learning_rate", "1.0e-4", "c.yaml") is None


def test_a_merged_value_is_changed_where_it_is_written() -> None:
    text = "x-common: &common\n  learning_rate: 2.0e-5\n  seed: 1\n<<: *common\n" + AXOLOTL
    assert changed(text, "learning_rate", "1.0e-4", "c.yaml") == text.replace("2.0e-5", "1.0e-4")
    twice = "other:\n  <<: *common\n"
    assert changed(text + twice, "learning_rate", "1.0e-4", "c.yaml") is None


def test_its_own_value_wins_over_a_merged_one() -> None:
    text = "x-common: &common\n  learning_rate: 2.0e-5\n<<: *common\n" + AXOLOTL + "learning_rate: 3.0e-5\n"
    assert changed(text, "learning_rate", "1.0e-4", "c.yaml") == text.replace("3.0e-5", "1.0e-4")


# ------------------------------------------------------------------------------------------------------ a new key


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{0}learning_rate: 1.0e-4 # x\n\n# next\nseed: 1\n", "{0}learning_rate: 1.0e-4 # x\n{1}\n\n# next\nseed: 1\n"),
        ("---\n{0}num_epochs: 1\n...\n", "---\n{0}num_epochs: 1\n{1}\n...\n"),
        ("{0}learning_rate:\n  1.0e-4\nseed: 1\n", "{0}learning_rate:\n  1.0e-4\n{1}\nseed: 1\n"),
        ("{0}learning_rate: 1.0e-4", "{0}learning_rate: 1.0e-4\n{1}"),
    ],
)
def test_a_key_is_added_behind_its_neighbour(text: str, wanted: str) -> None:
    added = "warmup_ratio: 0.05"
    assert edited(text.format(AXOLOTL), "warmup_ratio", "0.05") == wanted.format(AXOLOTL, added)


def test_a_key_is_added_with_the_indentation_of_the_file() -> None:
    text = "  base_model: m\n  adapter: lora\n  learning_rate: 1.0e-4\n  datasets: [{path: d}]\n"
    wanted = text.replace("1.0e-4\n", "1.0e-4\n  warmup_ratio: 0.05\n")
    assert edited(text, "warmup_ratio", "0.05") == wanted


def test_flow_style_stays_flow_style() -> None:
    text = "{base_model: m, adapter: lora, learning_rate: 1.0e-4, datasets: [{path: d}]} # all\n"
    assert edited(text, "warmup_ratio", "0.05") == text.replace("1.0e-4,", "1.0e-4, warmup_ratio: 0.05,")
    assert edited(text, "learning_rate", "2.0e-4") == text.replace("1.0e-4", "2.0e-4")
    lines = "{\n  base_model: m,\n  datasets: [{path: d}],\n  adapter: lora,\n  learning_rate: 1.0e-4 # x\n}\n"
    wanted = lines.replace("1.0e-4 # x", "1.0e-4, # x\n  warmup_ratio: 0.05")
    assert edited(lines, "warmup_ratio", "0.05") == wanted


def test_a_key_that_the_framework_lacks_is_not_added() -> None:
    text = "per_device_train_batch_size: 1\nnum_train_epochs: 1\nlr_scheduler_type: cosine\nlearning_rate: 1.0e-5\n"
    assert changed(text, "sequence_length", "512", "c.yaml") is None


# ----------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", [2, 4, "\t", None])
def test_json_keeps_its_form(indent: int | str | None, newline: str) -> None:
    text = json.dumps({**TRAINER, "learning_rate": 2e-5, "output_dir": "输出"}, indent=indent, ensure_ascii=False)
    text = text.replace("\n", newline)
    assert edited(text, "learning_rate", "1e-4", "c.json") == text.replace("2e-05", "1e-4")
    after = edited(text, "warmup_ratio", "0.05", "c.json")
    assert after is not None
    wanted = {}
    for key, value in json.loads(text).items():
        wanted[key] = value
        if key == "learning_rate":
            wanted["warmup_ratio"] = 0.05
    again = json.dumps(wanted, indent=indent, ensure_ascii=False).replace("\n", newline)
    assert after == again


def test_json_last_key() -> None:
    text = '{\n  "lr_scheduler_type": "cosine",\n  "num_train_epochs": 1,\n  "learning_rate": 2e-5\n}'
    wanted = text.replace("2e-5\n", '2e-5,\n  "warmup_ratio": 0.05\n')
    assert edited(text, "warmup_ratio", "0.05", "c.json") == wanted


def test_json_text_is_always_quoted() -> None:
    text = json.dumps({**TRAINER, "learning_rate": 2e-5, "eval_strategy": "no"})
    assert edited(text, "eval_strategy", "steps", "c.json") == text.replace('"no"', '"steps"')
    without = json.dumps({**TRAINER, "learning_rate": 2e-5})
    after = edited(without, "eval_strategy", "no", "c.json")
    assert after is not None
    assert json.loads(after)["eval_strategy"] == "no"


def test_json_with_comments_and_a_trailing_comma() -> None:
    text = '{\n  "num_train_epochs": 1, // a\n  "lr_scheduler_type": "cosine",\n  "learning_rate": 2e-5 // b\n}\n'
    with_comma = text.replace("2e-5 //", "2e-5, //")
    (launch,) = launches(with_comma, "c.json")
    assert launch.first.arguments.given["learning_rate"].value == 2e-5
    after = changed(text, "warmup_ratio", "0.05", "c.json")
    assert after == text.replace("2e-5 // b\n", '2e-5, // b\n  "warmup_ratio": 0.05\n')
    after = changed(with_comma, "warmup_ratio", "0.05", "c.json")
    assert after == with_comma.replace("// b\n", '// b\n  "warmup_ratio": 0.05,\n')


@pytest.mark.parametrize(
    ("empty", "wanted"),
    [
        ("{}", '{"lr": 1e-4}'),
        ("{\n    }", '{\n      "lr": 1e-4\n    }'),
        ("{ }", '{"lr": 1e-4 }'),
    ],
)
def test_into_an_empty_object(empty: str, wanted: str) -> None:
    from trainlint.fixer import tree
    from trainlint.readers import read

    text = f'{{\n  "optimizer": {{\n    "params": {empty}\n  }}\n}}\n'
    document = read(SourceText("c.json", text))
    edit = tree.insert(read, document, "json", ["optimizer", "params", "lr"], "1e-4", [])
    assert edit is not None
    assert apply(text, [(edit.at.span, edit.text)]) == text.replace(empty, wanted)


def test_a_nested_key_needs_the_mapping_above_it() -> None:
    from trainlint.fixer import tree
    from trainlint.readers import read

    document = read(SourceText("c.json", '{"optimizer": 1}'))
    assert tree.insert(read, document, "json", ["optimizer", "params"], "1", []) is None
    assert tree.insert(read, document, "json", ["scheduler", "params"], "1", []) is None


def test_a_place_that_holds_no_value() -> None:
    from trainlint.fixer import tree
    from trainlint.readers import read

    document = read(SourceText("c.json", '{"a": 1}'))
    assert tree.replace(read, document, "json", Span(1, 4), "1", frozenset()) is None


# ----------------------------------------------------------------------------------------------------------- TOML

TOML = """\
# 学习率 🚀
name = 'a' # run
"rate" = 2e-5

[train]
  lr = 2e-5   # peak
  steps = 100
  mode = "x"
optimizer = {lr = 1, eps = 1e-8}
"""


def toml(path: str, value: str, *, new: bool = False) -> str | None:
    """The text after a value is set or a key is added; `tomli` must find exactly that."""
    import tomli

    from trainlint.fixer import tree
    from trainlint.readers import read

    document = read(SourceText("c.toml", TOML))
    *above, name = path.split(".")
    if new:
        edit = tree.insert(read, document, "toml", path.split("."), value, ["lr"])
    else:
        node = document.root
        for key in path.split("."):
            assert node is not None
            node = next(entry.value for entry in node.entries if entry.key.text == key)
        assert node is not None
        edit = tree.replace(read, document, "toml", node.span, value, frozenset())
    if edit is None:
        return None
    after = apply(TOML, [(edit.at.span, edit.text)])
    wanted = tomli.loads(TOML)
    section = wanted
    for key in above:
        section = section[key]
    section[name] = tomli.loads(after)
    for key in path.split("."):
        section[name] = section[name][key]
    assert tomli.loads(after) == wanted
    return after


@pytest.mark.parametrize(
    ("path", "value", "old", "wanted"),
    [
        ("rate", "1e-4", "2e-5\n\n", "1e-4\n\n"),
        ("train.lr", "0.5", "2e-5   #", "0.5   #"),
        ("train.mode", "no", '"x"', '"no"'),
        ("name", "b c", "'a'", "'b c'"),
        ("name", "it's", "'a'", '"it\'s"'),
        ("train.optimizer.lr", "3", "lr = 1,", "lr = 3,"),
    ],
)
def test_toml_values(path: str, value: str, old: str, wanted: str) -> None:
    assert toml(path, value) == TOML.replace(old, wanted)


def test_toml_keys() -> None:
    assert toml("seed", "1", new=True) == TOML.replace("# run\n", "# run\nseed = 1\n")
    assert toml("train.warmup", "no", new=True) == TOML.replace("# peak\n", '# peak\n  warmup = "no"\n')
    assert toml("train.optimizer.beta", "0.9", new=True) == TOML.replace("lr = 1,", "lr = 1, beta = 0.9,")
    assert toml("train.nothing", "null", new=True) is None


# -------------------------------------------------------------------------------------------------- several files


def test_a_linked_file_that_decides_is_changed(tmp_path: Path) -> None:
    config = tmp_path / "ds.json"
    config.write_text('{"zero_optimization": {"stage": 2}, "gradient_clipping": 0}')
    script = "torchrun --nproc_per_node 1 run_clm.py --output_dir o --learning_rate 1e-5 --deepspeed ds.json"
    (launch,) = launches(script, folder=tmp_path)
    edit = change(launch.first, "max_grad_norm", "1.0")
    assert edit is not None
    assert edit.at.source.file == config
    assert edit.at.source.text[edit.at.span.start - 2 : edit.at.span.end] == ": 0"


def test_a_setting_is_changed_on_the_command_line_that_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "sft.yaml").write_text(FACTORY + "learning_rate: 1.0e-5\n")
    script = "lr=2e-5\nllamafactory-cli train sft.yaml learning_rate=$lr\n"
    assert changed(script, "learning_rate", "1e-4", folder=tmp_path) == script.replace("2e-5", "1e-4")
    (launch,) = launches("llamafactory-cli train sft.yaml\n", folder=tmp_path)
    edit = change(launch.first, "warmup_ratio", "0.05")
    assert edit is not None
    assert edit.at.source.path.endswith("sft.yaml")
    assert edit.text == "\nwarmup_ratio: 0.05"
