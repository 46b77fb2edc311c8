"""Each framework's own spelling, defaults and parser, as facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers_runs import facts, findings, launches

CLA = "torchrun --nproc_per_node 2 run_clm_{}_with_peft.py {}"


def test_chinese_llama_alpaca_pretraining() -> None:
    script = """
lr=2e-4
torchrun --nnodes 1 --nproc_per_node 2 run_clm_pt_with_peft.py \\
    --model_name_or_path llama-2-7b --tokenizer_name_or_path merged \\
    --per_device_train_batch_size 1 --gradient_accumulation_steps 8 --block_size 512 \\
    --learning_rate ${lr} --warmup_ratio 0.05 --lr_scheduler_type cosine \\
    --lora_rank 64 --lora_alpha 128 --trainable q_proj,v_proj --modules_to_save embed_tokens,lm_head \\
    --fp16 --do_train --save_steps 200 --load_in_kbits 16 --output_dir out
"""
    run = facts(script)
    expected = {
        "stage": "pt", "method": "lora", "learning_rate": 2e-4, "effective_batch_size": 16, "tokens_per_step": 8192,
        "sequence_length": 512, "lora_rank": 64, "lora_alpha": 128.0, "lora_dropout": 0.1, "target_modules": ["q_proj", "v_proj"],
        "modules_to_save": ["embed_tokens", "lm_head"], "trains_embeddings": True, "mixed_precision": "fp16",
        "max_grad_norm": 1.0,
        "eval_strategy": "no", "eval_data": "yes", "save_steps": 200, "world_size": 2, "warmup_ratio": 0.05, "packing": True,
        "model_parameters": 7_000_000_000, "zero_stage": 0, "quantization_bits": None, "num_train_epochs": 3.0, "max_steps": None,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.fact("learning_rate").location.start.line == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stage", "flags", "expected"),
    [
        ("sft", "--max_seq_length 256", {"stage": "sft", "sequence_length": 256, "packing": False}),
        ("sft", "", {"sequence_length": 1024}),
        ("pt", "--block_size 64 --full_finetuning True", {"method": "full", "lora_rank": None, "target_modules": []}),
        ("pt", "--block_size 64 --load_in_kbits 4", {"method": "qlora", "quantization_bits": 4}),
        (
            "pt",
            "--do_eval --eval_strategy steps --eval_steps 50",
            {"eval_strategy": "steps", "eval_steps": 50, "eval_data": "yes"},
        ),
        ("pt", "--evaluation_strategy epoch", {"eval_strategy": "epoch", "eval_steps": None}),
        ("pt", "--max_grad_norm 0", {"max_grad_norm": 0.0}),
        ("pt", "--max_steps 100 --warmup_steps 10", {"total_steps": 100, "warmup_steps": 10}),
        ("pt", "--max_steps 100 --warmup_ratio 0.03", {"warmup_steps": 3}),
        ("pt", "--max_steps 100 --warmup_ratio 0.03 --lr_scheduler_type constant", {"warmup_steps": 0}),
        ("pt", "--save_strategy no", {"save_strategy": "no", "save_steps": None}),
        ("pt", "--bf16", {"mixed_precision": "bf16"}),
        ("pt", "--optim paged_adamw_8bit", {"optimizer_family": "adam"}),
        ("pt", "--optim adafactor", {"optimizer_family": "adafactor"}),
    ],
)
def test_chinese_llama_alpaca_settings(stage: str, flags: str, expected: dict[str, Any]) -> None:
    run = facts(CLA.format(stage, flags))
    assert {name: run[name] for name in expected} == expected


def test_continuing_an_adapter_leaves_its_settings_unknown() -> None:
    run = facts(CLA.format("pt", "--peft_path old --lora_rank 8"))
    assert "peft_path" in run.unknown("lora_rank")


@pytest.mark.parametrize(
    ("config", "clip", "by"),
    [
        ({"gradient_clipping": "auto"}, 0.5, "trainer"),
        ({"gradient_clipping": 2.0}, 2.0, "deepspeed"),
        ({}, None, "deepspeed-default"),
    ],
)
def test_under_deepspeed_its_file_decides_the_clipping(
    tmp_path: Path, config: dict[str, Any], clip: float | None, by: str
) -> None:
    (tmp_path / "ds.json").write_text(
        json.dumps({"zero_optimization": {"stage": 2}, "bf16": {"enabled": True}, **config})
    )
    run = facts(CLA.format("pt", "--deepspeed ds.json --max_grad_norm 0.5"), folder=tmp_path)
    assert run["clipping_set_by"] == by
    assert (run["zero_stage"], run["mixed_precision"]) == (2, "bf16")
    if clip is None:
        assert "0.19.5" in run.unknown("max_grad_norm")
    else:
        assert run["max_grad_norm"] == clip


def test_a_deepspeed_file_that_is_not_here_leaves_what_it_decides_unknown() -> None:
    run = facts(CLA.format("pt", "--deepspeed ds.json --learning_rate 1e-4"))
    assert "not on this machine" in run.unknown("max_grad_norm")
    assert run["learning_rate"] == 1e-4


LLAMA_FACTORY = """
model_name_or_path: Qwen/Qwen2.5-7B
stage: sft
finetuning_type: lora
lora_rank: 16
lora_target: q_proj, v_proj
dataset: alpaca_en
template: qwen
cutoff_len: 2048
per_device_train_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 1e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
val_size: 0.1
output_dir: saves/qwen
"""


def test_a_file_for_llama_factorys_evaluation_describes_no_run() -> None:
    text = "model_name_or_path: gpt2\nfinetuning_type: lora\ntemplate: fewshot\ntask: mmlu_test\nlang: en\nn_shot: 5\n"
    assert launches(text, "eval.yaml") == []


def test_llama_factory_yaml() -> None:
    run = facts(LLAMA_FACTORY, "train.yaml", world_size=4)
    expected = {
        "stage": "sft", "method": "lora", "learning_rate": 1e-4, "effective_batch_size": 32, "sequence_length": 2048,
        "lora_rank": 16, "lora_alpha": 32.0, "lora_dropout": 0.0, "target_modules": ["q_proj", "v_proj"], "packing": False,
        "mixed_precision": "bf16", "eval_data": "yes", "gradient_checkpointing": True, "datasets": ["alpaca_en"],
        "model_parameters": 7_615_616_512, "max_grad_norm": 1.0,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("lora_rank") == "lora_rank"
    assert run.launch.first.spell("sequence_length") == "cutoff_len"


def test_a_data_file_does_not_say_the_world_size() -> None:
    run = facts(LLAMA_FACTORY, "train.yaml")
    assert "launch command" in run.unknown("world_size")
    assert "launch command" in run.unknown("tokens_per_step")
    assert run["tokens_per_device_step"] == 2 * 4 * 2048


def test_llama_factory_data_sets_are_found_by_their_registry(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset_info.json").write_text('{"alpaca_en": {"file_name": "alpaca.json"}}')
    (tmp_path / "data" / "alpaca.json").write_text(json.dumps([{"instruction": "a", "output": "b"}] * 40))
    run = facts(
        LLAMA_FACTORY.replace("val_size", "max_samples: 30\nval_size"), "train.yaml", folder=tmp_path, world_size=1
    )
    assert run["datasets"] == ["data/alpaca.json"]
    assert (run["dataset_examples"], run["eval_examples"]) == (27, 3)
    assert run["total_steps"] == 12  # ceil(30 / 2) batches, four of which make a step, three times


def test_llamafactory_cli_reads_the_file_with_its_overrides(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(LLAMA_FACTORY)
    script = "export NPROC_PER_NODE=4 NNODES=2\nFORCE_TORCHRUN=1 llamafactory-cli train train.yaml learning_rate=5e-5 bf16=false"
    run = facts(script, folder=tmp_path)
    assert run["world_size"] == 8
    assert run["learning_rate"] == 5e-5
    assert run["mixed_precision"] == "no"
    assert run["lora_rank"] == 16
    assert run.launch.at.source.path.endswith("train.yaml")


def test_llamafactory_cli_with_flags() -> None:
    run = facts(
        "CUDA_VISIBLE_DEVICES=0 llamafactory-cli train --stage pt --finetuning_type full --cutoff_len 512 --dataset wiki"
    )
    assert (run["stage"], run["method"], run["world_size"], run["sequence_length"]) == ("pt", "full", 1, 512)


AXOLOTL = """
base_model: NousResearch/Llama-3.2-1B
load_in_4bit: true
adapter: qlora
lora_r: 32
lora_alpha: 16
lora_target_linear: true
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
val_set_size: 0.1
sequence_len: 2048
sample_packing: true
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 1
optimizer: adamw_bnb_8bit
learning_rate: 2e-4
max_steps: 1000
bf16: auto
"""


def test_axolotl_yaml_with_its_own_names_and_defaults() -> None:
    run = facts(AXOLOTL, "config.yml", world_size=1)
    expected = {
        "stage": "sft", "method": "qlora", "learning_rate": 2e-4, "lora_rank": 32, "lora_dropout": 0.0, "quantization_bits": 4,
        "tokens_per_step": 2 * 4 * 2048, "target_modules": ["all-linear"], "lr_scheduler_type": "cosine", "warmup_steps": 30,
        "eval_strategy": "epoch", "eval_data": "yes", "save_strategy": "epoch", "max_grad_norm": 1.0, "mixed_precision": "bf16",
        "seed": 42, "packing": True,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert run.launch.first.spell("per_device_train_batch_size") == "micro_batch_size"


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ("rl: dpo", "dpo"),
        ("pretraining_dataset: allenai/c4", "pt"),
        ("reward_model: true", "rm"),
        ("wandb_project: x", "sft"),
    ],
)
def test_axolotl_stage(change: str, stage: str) -> None:
    assert facts(f"{AXOLOTL}{change}\n", "config.yml")["stage"] == stage


def test_axolotl_leaves_the_stage_to_hatchery() -> None:
    assert "hatchery" in facts(f"{AXOLOTL}hatchery: {{loss_fn: ppo}}\n", "config.yml").unknown("stage")


def test_axolotl_data_that_is_here_is_weighed(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "a.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    text = "base_model: m\ndatasets:\n  - path: rows\n    type: alpaca\n  - path: json\n    data_files: b.jsonl\n"
    found = facts(text, "x.yml", folder=tmp_path)
    assert (found["dataset_bytes"], found["dataset_examples"]) == (9 + 18, 3)
    assert facts(text + "  - path: org/hub\n", "x.yml", folder=tmp_path).unknown("dataset_bytes")


@pytest.mark.parametrize(("key", "fact"), [("evals_per_epoch", "eval_steps"), ("saves_per_epoch", "save_steps")])
def test_axolotl_intervals_by_the_epoch_are_no_number_of_steps(key: str, fact: str) -> None:
    assert facts(AXOLOTL, "config.yml")[fact] is None
    assert facts(f"{AXOLOTL}{key}: 4\n", "config.yml").unknown(fact)


def test_axolotl_coerces_text_and_drops_what_it_does_not_know() -> None:
    (launch,) = launches(AXOLOTL.replace("lora_alpha", "lora_aplha"), "config.yml")
    (issue,) = launch.first.arguments.issues
    assert (issue.kind, issue.at.text, issue.replacement) == ("unknown", "lora_aplha", "lora_alpha")
    assert launch.fact("learning_rate").value == 2e-4


TRL = """
model_name_or_path: Qwen/Qwen2-0.5B
dataset_name: trl-lib/Capybara
learning_rate: 2e-4
num_train_epochs: 1
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
max_length: 2048
use_peft: true
lora_r: 32
lora_alpha: 16
eval_strategy: "no"
output_dir: out
"""


def test_trl_yaml_takes_numbers_in_text() -> None:
    run = facts(TRL, "sft/config.yaml", world_size=1)
    expected = {
        "stage": "sft", "method": "lora", "learning_rate": 2e-4, "lora_rank": 32, "sequence_length": 2048,
        "effective_batch_size": 16, "lora_dropout": 0.05, "gradient_checkpointing": True,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    assert not run.launch.first.arguments.issues


def test_without_a_list_peft_chooses_the_modules_by_the_models_type() -> None:
    flags = "accelerate launch -m trl.scripts.sft --use_peft --output_dir o --dataset_name d --model_name_or_path "
    assert facts(flags + "meta-llama/Llama-3.1-70B")["target_modules"] == ["q_proj", "v_proj"]
    assert facts(flags + "meta-llama/Llama-3.1-70B")["lora_parameters"] == 80 * 16 * (2 * 8192 + 8192 + 1024)
    assert facts(flags + "gpt2")["target_modules"] == ["c_attn"]
    assert facts(flags + "acme/unheard-of").unknown("target_modules")


def test_trl_without_use_peft_trains_everything() -> None:
    assert facts(TRL.replace("use_peft: true", ""), "sft.yaml")["method"] == "full"


@pytest.mark.parametrize(
    ("command", "stage"),
    [
        ("trl sft --dataset_name x --learning_rate 1e-5 --output_dir o", "sft"),
        ("accelerate launch --num_processes 1 examples/scripts/dpo.py --dataset_name x --learning_rate 1e-6", "dpo"),
        ("python -m trl.scripts.sft --dataset_name x --learning_rate 1e-5", "sft"),
    ],
)
def test_trl_commands(command: str, stage: str) -> None:
    assert facts(command)["stage"] == stage


def test_trainer_script_with_its_own_arguments_is_read_openly() -> None:
    run = facts(
        "torchrun --nproc_per_node 8 finetune.py --learning_rate 1e-5 --num_train_epochs 3 --data_path x.json --my_own 3 --bf16"
    )
    assert run.launch.first.dialect == "hf-trainer"
    assert not run.launch.first.arguments.issues
    assert run["stage"] == "sft"
    assert run["mixed_precision"] == "bf16"
    assert "adapter in its own code" in run.unknown("method")
    assert "own argument" in run.unknown("sequence_length")


def test_arguments_in_json_are_read_as_they_are_typed() -> None:
    text = json.dumps(
        {"per_device_train_batch_size": 4, "learning_rate": "1e-4", "num_train_epochs": 3, "output_dir": "o"}
    )
    (launch,) = launches(text, "args.json")
    (issue,) = launch.first.arguments.issues
    assert (issue.kind, issue.at.text, issue.certain) == ("type", '"1e-4"', True)


def test_the_scripts_own_json_is_read_by_its_dialect() -> None:
    text = json.dumps(
        {
            "learning_rate": 2e-5,
            "block_size": 64,
            "lora_rank": 64,
            "trainable": "q_proj",
            "per_device_train_batch_size": 1,
        }
    )
    run = facts(text, "args.json")
    assert run.launch.first.dialect == "chinese-llama-alpaca"
    assert run["sequence_length"] == 64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: 1\nb: 2\n", "values.yaml"),
        ('{"name": "x", "version": "1"}', "package.json"),
        ("version: 3\nservices:\n  web:\n    image: x\n", "compose.yaml"),
        (
            "model:\n  _component_: torchtune.models.llama3\nbatch_size: 2\noutput_dir: x\nseed: 1\noptim: a\n",
            "tune.yaml",
        ),
        ("echo hello\nls -la\npython setup.py install\n", "run.sh"),
        ("pip install torch\npython -m http.server\n", "x.sh"),
    ],
)
def test_what_is_no_training_configuration_is_not_taken_for_one(text: str, name: str) -> None:
    assert launches(text, name) == []


def test_deepspeed_json_on_its_own() -> None:
    config = {
        "zero_optimization": {"stage": 3, "overlap_com": True},
        "train_micro_batch_size_per_gpu": 4,
        "gradient_clipping": "auto",
        "fp16": {"enabled": True},
        "optimizer": {"type": "AdamW", "params": {"lr": 3e-5}},
    }
    run = facts(json.dumps(config), "ds.json")
    assert (run["zero_stage"], run["per_device_train_batch_size"], run["learning_rate"]) == (3, 4, 3e-5)
    assert run["mixed_precision"] == "fp16"
    assert "auto" in run.unknown("max_grad_norm")
    (issue,) = run.launch.first.arguments.issues
    assert (issue.kind, issue.at.text) == ("unknown", '"overlap_com"')


# --------------------------------------------------------------------------------------- branches and the open world


def test_branches_that_nobody_can_decide_give_one_of() -> None:
    script = 'lr=1e-4\nif [ "$1" = big ]; then lr=2e-5; fi\n' + CLA.format("pt", "--learning_rate $lr --block_size 512")
    (launch,) = launches(script)
    fact = launch.fact("learning_rate")
    assert fact.status == "one-of"
    assert sorted(fact.value) == [2e-5, 1e-4]
    assert launch.fact("sequence_length").value == 512


def test_several_launches_in_one_file() -> None:
    script = CLA.format("pt", "--block_size 64") + "\n" + CLA.format("sft", "--max_seq_length 128")
    assert [launch.fact("stage").value for launch in launches(script)] == ["pt", "sft"]


def test_after_an_unresolved_word_absent_settings_are_unknown() -> None:
    run = facts(CLA.format("pt", "--block_size 64 $EXTRA_ARGS --bf16"))
    assert run["sequence_length"] == 64
    for name in ("learning_rate", "max_grad_norm", "eval_strategy"):
        assert "EXTRA_ARGS" in run.unknown(name)


def test_the_user_says_what_no_file_does() -> None:
    script = "torchrun --nproc_per_node $GPUS run_clm_pt_with_peft.py --block_size 64 --learning_rate $LR"
    run = facts(script, defines={"LR": "3e-5"}, world_size=16, tokens=1000)
    assert (run["learning_rate"], run["world_size"], run["dataset_tokens"]) == (3e-5, 16, 1000)
    assert run.launch.fact("world_size").origin.kind == "option"


def test_a_flag_in_an_array_is_found_where_it_is_written() -> None:
    script = 'ARGS=(\n  --block_size 64\n  --learing_rate 1e-4\n)\ntorchrun run_clm_pt_with_peft.py --do_train "${ARGS[@]}"\n'
    (launch,) = launches(script)
    (issue,) = launch.first.arguments.issues
    assert (issue.at.text, issue.at.start.line) == ("--learing_rate", 3)
    assert launch.fact("sequence_length").location.start.line == 2  # type: ignore[union-attr]


def test_a_flag_made_of_pieces_has_no_correction() -> None:
    script = "name=learing_rate\ntorchrun run_clm_pt_with_peft.py --do_train --$name 1e-4\n"
    (issue,) = launches(script)[0].first.arguments.issues
    assert issue.replacement is None


def test_numbers_of_arguments_that_only_the_script_declares() -> None:
    run = facts(
        "deepspeed --num_gpus 8 run_clm.py --learning_rate 1e-4 --num_train_epochs 1 --block_size 128 --use_lora false"
    )
    assert run["tokens_per_step"] == 8 * 8 * 128
    assert run.launch.first.spell("sequence_length") == "--block_size"
    assert run["method"] == "full"


def test_a_loop_repeats_nothing() -> None:
    launch = "torchrun run_clm.py --output_dir $n --per_device_train_batch_size 1 --seed 1 --seed 2"
    found = findings(f"for n in 1 2 3; do\n  {launch}\ndone\n")
    assert [finding.rule for finding in found].count("arguments/duplicate") == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("swift sft --model m --learning_rate '<lr>'", "run.sh"),
        ("base_model: m\ndatasets: []\nlora_r: <rank>\n", "x.yml"),
    ],
)
def test_what_is_still_to_be_filled_in_is_no_error(text: str, name: str) -> None:
    (launch,) = launches(text, name)
    assert launch.first.arguments.issues == []
    assert "filled in" in launch.first.argument("learning_rate" if name == "run.sh" else "lora_r").reason


def test_the_beginning_of_a_name_may_be_a_flag_of_the_scripts_own() -> None:
    (launch,) = launches("python train.py --num_train_epochs 1 --output_dir o --load_best_model --learning_rat 1e-5\n")
    assert [issue.name for issue in launch.first.arguments.issues] == ["learning_rat"]
