"""The catalogue of models: what it says agrees with itself, and which model a name stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers_cli import trainlint
from helpers_runs import facts
from trainlint.derive import architecture
from trainlint.derive.catalogue import CatalogueError, Model, load, own
from trainlint.facts import Unknown

MODELS = list(own())
PT = "torchrun --nproc_per_node 1 run_clm_pt_with_peft.py --dataset_dir data --model_name_or_path {}"


def counted(model: Model) -> architecture.Architecture | None:
    try:
        return architecture.read(model.config)
    except Unknown:
        return None


def test_there_are_many_models_each_with_a_source() -> None:
    shapes = {json.dumps(dict(model.config), sort_keys=True) for model in MODELS}
    assert len(shapes) >= 80
    assert all(len(model.source) > 10 for model in MODELS)
    assert sum(counted(model) is not None for model in MODELS) > 0.9 * len(MODELS)


@pytest.mark.parametrize("model", [model for model in MODELS if counted(model) is not None], ids=str)
def test_parameters_follow_from_the_shape(model: Model) -> None:
    shape = counted(model)
    assert shape is not None
    assert model.parameters is not None
    assert shape.parameters == pytest.approx(model.parameters, rel=0.02)
    if model.active_parameters is not None:  # some publishers leave the embeddings out
        assert (shape.active - shape.embeddings) * 0.95 < model.active_parameters < shape.active * 1.05


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_numbers_are_of_their_kind(model: Model) -> None:
    """Positions come in multiples of 1,024, heads divide the width, and groups of keys the heads."""
    found = {name: architecture.number(model.config, name) for name in architecture.NAMES}
    assert (found["positions"] or 1024) % 1024 == 0
    assert (found["heads"] or 1) % (found["kv_heads"] or 1) == 0
    if found["hidden"] and found["heads"] and not found["head_dim"] and "kv_lora_rank" not in model.config:
        assert found["hidden"] % found["heads"] == 0
    assert found["vocab"] is None or 30_000 <= found["vocab"] <= 300_000
    assert model.dtype in (None, "bfloat16", "float16", "float32")
    if model.active_parameters is not None and model.parameters is not None:
        assert model.active_parameters < model.parameters


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("AutoGLM-Phone-9B", 9e9), ("Kimi-K2-Thinking", 1e12), ("GLM-4.6V-FP8", 106e9), ("HunyuanOCR", 1e9),
        ("GLM-ASR-Nano-2512", 1.5e9), ("GLM-TTS", None), ("Spark-Formalizer-X1-7B", None),
    ],
)  # fmt: skip
def test_the_models_of_which_little_is_known(name: str, named: float | None) -> None:
    model = own().by_last_part(name)
    assert model is not None
    assert model.parameters == named
    assert counted(model) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("META-LLAMA/llama-2-7B-HF", "meta-llama/Llama-2-7b-hf"),
        ("/data/models/Llama-2-7b-hf/", "meta-llama/Llama-2-7b-hf"),
        ("Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("LLM-Research/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B"),
        ("somebody/Llama-2-7b-hf", None),
        ("/data/models/Llama-2-7b-hf-extended", None),
        ("/data/my-Llama-2-7b-hf", None),
        ("7b", None),
    ],
)
def test_which_model_a_name_stands_for(name: str, meant: str | None) -> None:
    fact = facts(PT.format(name)).launch.fact("model")
    assert (str(fact.value) if fact.known else None) == meant
    if meant is not None and "/data" in name:
        assert fact.confidence == "medium"
        assert meant in fact.note


def test_a_model_of_nobody_leaves_its_facts_unknown_and_the_card_says_how_to_supply_them(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(PT.format("somebody/secret"))
    card = trainlint("explain", "run.sh", cwd=tmp_path).stdout
    assert "say it with --model-config DIR" in card
    assert "MODEL" not in card


CONFIG = {
    "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
    "vocab_size": 1000, "tie_word_embeddings": False, "max_position_embeddings": 512,
}  # fmt: skip
COUNT = 2 * 1000 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128) + 5 * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Llama-2-7b-hf").mkdir()
    (tmp_path / "Llama-2-7b-hf" / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_a_directory_beats_the_catalogue(folder: Path) -> None:
    found = facts(PT.format("Llama-2-7b-hf"), folder=folder)
    assert found["model_parameters"] == COUNT
    assert found["model_vocab_size"] == 1000
    assert found.launch.fact("model").origin.kind == "model-file"
    assert found.launch.fact("model_parameters").confidence == "high"


@pytest.mark.parametrize("path", ["Llama-2-7b-hf", "Llama-2-7b-hf/config.json"])
def test_what_the_user_names_beats_both(folder: Path, path: str) -> None:
    (folder / "run.sh").write_text(PT.format("mistralai/Mistral-7B-v0.1"))
    card = trainlint("explain", "--origins", "--model-config", path, "run.sh", cwd=folder).stdout
    assert "vocabulary 1,000" in card
    assert "--base-model" in card
    (folder / "trainlint.toml").write_text(f'base-model = "{path}"\n')
    assert "base-model in trainlint.toml:1" in trainlint("explain", "--origins", "run.sh", cwd=folder).stdout


def test_a_shape_with_parts_beside_the_text_model_is_not_counted(folder: Path) -> None:
    config = {"model_type": "qwen2_vl", "vision_config": {}, "text_config": {**CONFIG, "model_type": "qwen2"}}
    (folder / "Llama-2-7b-hf" / "config.json").write_text(json.dumps(config))
    found = facts(PT.format("Llama-2-7b-hf"), folder=folder)
    assert found["model_vocab_size"] == 1000
    assert found["model_parameters"] == 7e9
    assert found.launch.fact("model_parameters").confidence == "medium"


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}


@pytest.mark.parametrize(
    ("more", "reached", "before"),
    [
        ({}, 512, 512),
        ({"rope_scaling": None}, 512, 512),
        ({"rope_scaling": YARN}, 2048, 512),  # as the cards of Qwen2.5 say to write it
        ({"rope_scaling": {**YARN, "original_max_position_embeddings": 128}}, 512, 128),  # as DeepSeek writes it
        ({"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 128}, 512, 128),
        ({"rope_scaling": {**YARN, "rope_type": "llama3", "original_max_position_embeddings": 128}}, 512, 128),
        ({"rope_parameters": {**YARN, "rope_theta": 10000}}, 2048, 512),
        ({"rope_parameters": {"sliding_attention": {"rope_type": "default"}, "full_attention": YARN}}, 2048, 512),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, None, 512),
        (
            {"rope_scaling": {"type": "linear", "factor": 4.0}},
            None,
            512,
        ),  # vicuna-16k counts it in, deepseek-coder does not
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, None, 512),
    ],
)
def test_positions_that_the_model_stretches_itself(
    folder: Path, more: dict[str, object], reached: int | None, before: int
) -> None:
    (folder / "Llama-2-7b-hf" / "config.json").write_text(json.dumps({**CONFIG, **more}))
    found = facts(PT.format("Llama-2-7b-hf"), folder=folder)
    assert found["original_max_position_embeddings"] == before
    if reached is None:
        assert "scales its positions" in found.unknown("max_position_embeddings")
    else:
        assert found["max_position_embeddings"] == reached


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("Qwen/Qwen2.5-7B", 131072), ("Qwen/Qwen2.5-7B-Instruct", 32768), ("Qwen/Qwen2-7B", 131072),
        ("Qwen/Qwen3-8B-Base", 32768), ("Qwen/Qwen3-8B", 40960), ("meta-llama/Llama-3.1-8B", 131072),
        ("deepseek-ai/DeepSeek-V3", 163840),
        ("microsoft/Phi-3.5-mini-instruct", 131072), ("openai/gpt-oss-20b", 131072), ("THUDM/glm-4-9b", 8192),
        ("bigscience/bloom-7b1", None), ("deepseek-ai/deepseek-coder-6.7b-base", None),
    ],
)  # fmt: skip
def test_the_positions_of_models_whose_kin_differ(name: str, positions: int | None) -> None:
    fact = facts(PT.format(name)).launch.fact("max_position_embeddings")
    assert (fact.value if fact.known else None) == positions


def test_models_of_the_users_own(folder: Path) -> None:
    (folder / "models.toml").write_text(
        '[[model]]\nchat = ["lab/ours"]\nsource = "our own"\nconfig = {model_type = "llama", vocab_size = 77}\n'
        '[[model]]\nbase = ["gpt2"]\nsource = "our own"\nparameters = 5\n'
    )
    (folder / "trainlint.toml").write_text('models = "models.toml"\n')
    (folder / "run.sh").write_text(PT.format("lab/ours"))
    assert "model/pretraining-a-chat-model" in trainlint("run.sh", cwd=folder).stdout
    (folder / "run.sh").write_text(PT.format("gpt2"))
    assert "5 parameters" in trainlint("explain", "run.sh", cwd=folder).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model]\n", "is no TOML file"),
        ("model = 1\n", "consists of tables [[model]]"),
        ('[[model]]\nsource = "x"\n', "model 1: base, chat or other must list its hub ids"),
        ("[[model]]\nbase = [1]\n", "model 1: base, chat or other must list its hub ids"),
        ('[[model]]\nbase = ["a"]\nparams = 1\n', "model 1: params is none of"),
        ('[[model]]\nbase = ["a"]\nparameters = "7B"\n', "model 1: parameters = '7B' is of the wrong type"),
    ],
)
def test_a_file_of_models_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "models.toml").write_text(text)
    (tmp_path / "run.sh").write_text(PT.format("gpt2"))
    with pytest.raises(CatalogueError, match=r"models\.toml"):
        load(tmp_path / "models.toml")
    result = trainlint("--models", "models.toml", "run.sh", cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_adapters_are_counted_by_module() -> None:
    model = own().by_id("meta-llama/Llama-2-7b-hf")
    assert model is not None
    shape = architecture.read(model.config)
    assert shape.adapters(["q_proj", "v_proj"], 8) == 4_194_304  # as peft prints it for LLaMA-7B
    assert shape.adapters(["all"], 8) == 19_988_480
    with pytest.raises(Unknown, match="my_proj"):
        shape.adapters(["my_proj"], 8)
    qwen = own().by_id("Qwen/Qwen-7B")
    assert qwen is not None
    fused = architecture.read(qwen.config).adapters(["c_attn", "c_proj"], 1)
    assert fused == 32 * ((4096 + 3 * 4096) + (4096 + 4096) + (11008 + 4096))
