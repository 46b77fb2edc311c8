"""The memory that is worked out for a run, against measured runs and by hand."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks.memory import PAGE, Point, points
from helpers_cli import trainlint
from helpers_runs import facts

# QwenLM/Qwen README, "Profiling of Memory and Speed" @2df8e8a: (model, method, nodes, GPUs of each): {tokens: GB of all GPUs}
MEASURED: dict[tuple[str, str, int, int], dict[int, float]] = {
    ("Qwen-1.8B", "Full-parameter", 1, 1): {1024: 43.5, 4096: 47.1, 8192: 48.3},
    ("Qwen-7B", "Full-parameter", 1, 2): {256: 139.2, 1024: 162.0},
    ("Qwen-1.8B", "LoRA", 1, 1): {256: 6.7, 8192: 21.8},
    ("Qwen-7B", "LoRA", 1, 1): {256: 20.1, 8192: 36.6},
    ("Qwen-14B", "LoRA", 1, 1): {2048: 37.4},
    ("Qwen-7B", "LoRA (emb)", 1, 1): {512: 34.1, 2048: 35.1},
    ("Qwen-14B", "LoRA (emb)", 1, 1): {8192: 67.7},
    ("Qwen-7B", "LoRA (multinode)", 2, 2): {256: 74.7, 2048: 95.1},
    ("Qwen-72B", "LoRA + Deepspeed Zero3", 1, 4): {256: 215.4, 8192: 289.2},
    ("Qwen-1.8B", "Q-LoRA", 1, 1): {512: 6.0, 8192: 15.8},
    ("Qwen-7B", "Q-LoRA", 1, 1): {1024: 12.3},
    ("Qwen-14B", "Q-LoRA", 1, 1): {256: 18.7, 8192: 27.9},
    ("Qwen-72B", "Q-LoRA", 1, 1): {256: 61.4, 8192: 75.6},
}


@pytest.fixture(scope="module")
def compared() -> list[Point]:
    return points(
        {
            "model": model, "method": method, "nodes": nodes, "gpus_per_node": gpus, "seq_len": tokens, "micro_batch": 1,
            "grad_accum": 8, "mem_gb": size,
        }
        for (model, method, nodes, gpus), row in MEASURED.items()
        for tokens, size in row.items()
    )  # fmt: skip


def test_the_bound_is_never_above_what_was_measured(compared: list[Point]) -> None:
    assert [point for point in compared if point.measured is None or point.bound > point.measured] == []


def test_the_estimate_is_near_what_was_measured(compared: list[Point]) -> None:
    assert statistics.median(point.error for point in compared) <= 0.1
    assert max(point.error for point in compared) <= 0.25
    for method in {point.method for point in compared}:
        assert statistics.median(point.error for point in compared if point.method == method) <= 0.2, method


def test_the_page_has_every_method(compared: list[Point]) -> None:
    page = PAGE.read_text("utf-8")
    assert all(f"| {method} | " in page for method in {point.method for point in compared})


YAML = """\
stage: {stage}
do_train: true
finetuning_type: {method}
model_name_or_path: {model}
dataset: notes
bf16: true
cutoff_len: 1024
per_device_train_batch_size: 1
{more}
"""


def run(
    model: str = "meta-llama/Llama-2-7b-hf", method: str = "full", stage: str = "pt", more: str = "", **stated: Any
) -> Any:
    return facts(
        YAML.format(model=model, method=method, stage=stage, more=more), "run.yaml", **{"world_size": 1, **stated}
    )


GIB = 2**30
SIZE = 6_738_415_616


def test_the_parts_of_full_training() -> None:
    found = run()
    assert found["memory_weights"] == pytest.approx(6 * SIZE / GIB)
    assert found["memory_gradients"] == pytest.approx(4 * SIZE / GIB)
    assert found["memory_optimizer"] == pytest.approx(8 * SIZE / GIB)
    assert found["memory_logits"] == pytest.approx(1024 * 32000 * 10 / GIB)
    assert run(more="pure_bf16: true")["memory_weights"] == pytest.approx(2 * SIZE / GIB)
    assert run(more="optim: adamw_8bit")["memory_optimizer"] == pytest.approx(2 * SIZE / GIB)
    assert run(more="enable_liger_kernel: true")["memory_logits"] == 0


@pytest.mark.parametrize(("stage", "shares"), [(0, (1, 1, 1)), (1, (1, 1, 8)), (2, (1, 8, 8)), (3, (8, 8, 8))])
def test_zero_shards_by_its_stage(tmp_path: Path, stage: int, shares: tuple[int, int, int]) -> None:
    file = tmp_path / "ds.json"
    file.write_text(f'{{"zero_optimization": {{"stage": {stage}}}}}')
    found = run(more=f"deepspeed: {file}", world_size=8)
    parts = [
        found[f"memory_{part}"] * share
        for part, share in zip(("weights", "gradients", "optimizer"), shares, strict=True)
    ]
    assert parts == pytest.approx([2 * SIZE / GIB, 4 * SIZE / GIB, 12 * SIZE / GIB])
    assert (found["memory_gathered"] > 0) == (stage == 3)


def test_fsdp_shards_all_by_assumption() -> None:
    found = run(more="fsdp: full_shard auto_wrap", world_size=8)
    assert found["memory_optimizer"] == pytest.approx(SIZE / GIB)
    assert found.launch.fact("memory_estimate").confidence == "medium"
    assert found["memory_lower_bound"] == pytest.approx(16 * SIZE / 8 / GIB)
    assert "hybrid" in run(more="fsdp: hybrid_shard", world_size=8).unknown("memory_estimate")
    assert run(more="fsdp: hybrid_shard", world_size=8)["memory_lower_bound"] == found["memory_lower_bound"]
    offloaded = run(more="fsdp: full_shard offload", world_size=8)
    assert [offloaded[f"memory_{part}"] for part in ("weights", "gradients", "optimizer")] == [0, 0, 0]
    assert "off the GPU" in offloaded.unknown("memory_lower_bound")


def test_zero_offload_takes_gradients_and_states_off_the_gpu(tmp_path: Path) -> None:
    """13B parameters train on one V100 of 32 GB (ZeRO-Offload, arXiv:2101.06840)."""
    file = tmp_path / "ds.json"
    file.write_text('{"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}')
    found = run("meta-llama/Llama-2-13b-hf", more=f"deepspeed: {file}")
    assert found["memory_lower_bound"] == pytest.approx(2 * 13_015_864_320 / GIB)
    assert found["memory_lower_bound"] < 32
    assert found["memory_gradients"] == found["memory_optimizer"] == 0


@pytest.mark.parametrize("optim", ["galore_adamw", "apollo_adamw", "adamw_torch_4bit", "paged_adamw_32bit"])
def test_optimizers_that_keep_less_than_adam_have_no_bound(optim: str) -> None:
    assert optim in run(more=f"optim: {optim}").unknown("memory_lower_bound")


def test_recomputation_saves_activations() -> None:
    kept = run(more="disable_gradient_checkpointing: true")["memory_activations"]
    assert kept > 10 * run()["memory_activations"]


@pytest.mark.parametrize(
    ("model", "method", "stage"),
    [
        ("openai/gpt-oss-20b", "full", "sft"),
        ("deepseek-ai/DeepSeek-V3", "full", "sft"),
        ("Qwen/Qwen2-VL-7B-Instruct", "full", "sft"),
        ("zai-org/AutoGLM-Phone-9B", "full", "sft"),
        ("somebody/secret", "full", "sft"),
    ],
)
def test_no_numbers_where_they_could_be_wrong(model: str, method: str, stage: str) -> None:
    found = run(model, method, stage)
    for name in ("memory_lower_bound", "memory_estimate", "memory_weights"):
        assert found.unknown(name), name


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_bound_of_a_quantised_base(bits: int) -> None:
    embeddings = 2 * 32000 * 4096
    found = run(method="lora", more=f"quantization_bit: {bits}")
    norms = 65 * 4096
    assert found["memory_lower_bound"] == pytest.approx(((SIZE - embeddings - norms) * bits / 8 + embeddings) / GIB)


@pytest.mark.parametrize(
    ("model", "bytes_"),
    [("TheBloke/Llama-2-7B-AWQ", 0.5 * 7e9), ("TheBloke/Llama-2-7B-GPTQ", 7e9 / 8), ("zai-org/GLM-4.6V-FP8", 106e9)],
)
def test_the_bound_of_a_checkpoint_with_few_bits(model: str, bytes_: float) -> None:
    found = run(model, "lora")
    assert found["memory_lower_bound"] == pytest.approx(bytes_ / GIB)
    assert found.unknown("memory_estimate")


def test_preference_tuning_keeps_a_second_model_and_two_sequences_for_each_example() -> None:
    found, plain = run(stage="dpo"), run(stage="sft")
    assert found["memory_reference"] == pytest.approx(2 * SIZE / GIB)
    assert found["memory_lower_bound"] == pytest.approx(18 * SIZE / GIB)
    assert found["memory_logits"] == 2 * plain["memory_logits"]
    assert "preference" in found.launch.fact("memory_estimate").note
    assert run(stage="dpo", more="pref_loss: orpo")["memory_reference"] == 0
    assert run(stage="dpo", method="lora", more=LORA)["memory_reference"] == 0
    assert run(stage="kto")["memory_logits"] == plain["memory_logits"]
    assert run(stage="dpo", more="ref_model: another")["memory_lower_bound"] == pytest.approx(16 * SIZE / GIB)
    assert run(stage="rm").unknown("memory_estimate")
    assert facts(DPO.format("false"), "dpo.yaml", world_size=1)["reference_model"] is True
    assert "precompute" in facts(DPO.format("true"), "dpo.yaml", world_size=1).unknown("reference_model")


DPO = """\
model_name_or_path: gpt2
dataset_name: notes
output_dir: out
learning_rate: 1.0e-6
per_device_train_batch_size: 8
bf16: true
beta: 0.1
max_length: 1024
precompute_ref_log_probs: {}
"""
GRPO = """\
model_name_or_path: Qwen/Qwen2.5-7B
output_dir: out
learning_rate: 1.0e-6
per_device_train_batch_size: 8
max_completion_length: 512
dataset_name: notes
num_generations: 8
bf16: true
torch_dtype: bfloat16
use_vllm: true
vllm_mode: {}
vllm_gpu_memory_utilization: 0.5
"""


def test_vllm_beside_the_trainer_takes_its_share() -> None:
    apart = facts(GRPO.format("server"), "grpo.yaml", world_size=1, gpu="A100-80G")["memory_lower_bound"]
    beside = facts(GRPO.format("colocate"), "grpo.yaml", world_size=1, gpu="A100-80G")["memory_lower_bound"]
    assert beside == pytest.approx(apart + 40)


def test_a_mixture_of_experts_holds_all_and_computes_with_some() -> None:
    found = run("mistralai/Mixtral-8x7B-v0.1", more="pure_bf16: true")
    assert found["memory_weights"] == pytest.approx(2 * 46_702_792_704 / GIB)
    assert found["flops_per_token"] == pytest.approx(8 * 12.9e9, rel=0.01)
    assert "experts" in run("mistralai/Mixtral-8x7B-v0.1", "lora").unknown("lora_parameters")


MEGATRON = """\
torchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py --tensor-model-parallel-size 4 --pipeline-model-parallel-size 2 \\
    --num-layers 32 --hidden-size 4096 --ffn-hidden-size 11008 --num-attention-heads 32 --swiglu --seq-length 4096 \\
    --position-embedding-type rope --disable-bias-linear --untie-embeddings-and-output-weights \\
    --max-position-embeddings 4096 --micro-batch-size 1 --global-batch-size 256 --train-iters 5000 --lr 3e-4 --bf16 \\
    --data-path corpus --save out --save-interval 500 {}
"""


def test_megatron_flags_describe_the_model_and_how_it_is_divided() -> None:
    found = facts(MEGATRON.format("--vocab-size 32000 --use-distributed-optimizer"), gpu="H100-80G")
    size = found["model_parameters"]
    assert size == pytest.approx(6.74e9, rel=0.01)
    assert found["model_vocab_size"] == 32256
    assert found["memory_weights"] == pytest.approx(2 * size / 8 / GIB)
    assert found["memory_optimizer"] == pytest.approx(12 * size / 16 / GIB)
    assert facts(MEGATRON.format("--vocab-size 32000"))["memory_optimizer"] == pytest.approx(12 * size / 8 / GIB)
    assert found["training_flops"] == pytest.approx(6 * size * 256 * 4096 * 5000)
    assert found["gpu_hours"] == pytest.approx(found["training_flops"] / (989e12 * 0.4 * 3600))
    unknown = facts(MEGATRON.format("--tokenizer-type HuggingFaceTokenizer --tokenizer-model ours"))
    assert unknown.unknown("model_parameters")
    assert found["memory_lower_bound"] == pytest.approx((4 / 8 + 12 / 16) * size / GIB)
    for flag in ("--use-precision-aware-optimizer", "--use-megatron-fsdp"):
        other = facts(MEGATRON.format(f"--vocab-size 32000 --use-distributed-optimizer {flag}"))
        assert not other.launch.fact("memory_lower_bound").known or other["memory_lower_bound"] == pytest.approx(
            16 * size / 16 / GIB
        )


def test_megatron_divides_experts_by_their_own_degrees() -> None:
    found = facts(MEGATRON.format("--vocab-size 32000 --num-experts 8 --expert-model-parallel-size 2"))
    experts = 32 * 8 * 3 * 4096 * 11008
    beside = found["model_parameters"] - experts
    # two stages; tensors over four GPUs, experts over four times two
    assert found["memory_weights"] == pytest.approx(2 * (beside / 4 + experts / 8) / 2 / GIB, rel=1e-6)


def test_sequence_parallelism_divides_the_rest_of_the_activations() -> None:
    alone = facts(MEGATRON.format("--vocab-size 32000"))["memory_activations"]
    assert alone > 1.3 * facts(MEGATRON.format("--vocab-size 32000 --sequence-parallel"))["memory_activations"]


def test_the_card_of_a_megatron_script_has_the_origin_of_every_number(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(MEGATRON.format("--vocab-size 32000 --use-distributed-optimizer"))
    card = trainlint("explain", "--origins", "--gpu", "H100-80G", "run.sh", cwd=tmp_path).stdout
    for title in (
        *("MODEL    6.74B parameters", "MEMORY   about ", "COST     2.1e20 FLOPs", "10 kept = 809 GB"),
        *(" = 5.24B tokens · ", "≈ 149 GPU-hours", " = 9.31 hours on 16 GPUs"),
    ):
        assert title in card
    for name in (
        "model_parameters",
        "memory_weights",
        "memory_logits",
        "training_flops",
        "gpu_hours",
        "checkpoint_bytes",
    ):
        assert card.count(f"\n{name} = ") == 1
    assert card.count("run.sh:2:18  32  (literal)") == 1


LORA = "lora_target: q_proj,v_proj\nlora_rank: 8\nmax_steps: 1000\nsave_steps: 100\n"


def test_what_the_run_costs() -> None:
    found = run(method="lora", more=LORA, gpu="A100-80G")
    assert found["lora_parameters"] == 4_194_304
    assert found["flops_per_token"] == pytest.approx((4 + 2) * SIZE, rel=0.01)
    assert found["checkpoint_bytes"] == 4_194_304 * (4 + 8)
    assert found["checkpoints_kept"] == 10
    assert found["first_save_step"] == 100
    assert run(method="lora", more=LORA + "save_only_model: true")["checkpoint_bytes"] == 4_194_304 * 4
    assert run(method="lora", more=LORA + "save_total_limit: 3")["checkpoints_kept"] == 3
    assert run(method="lora", more=LORA + "save_strategy: 'no'")["checkpoints_kept"] == 0
    assert run(method="lora", more=LORA).launch.fact("gpu_hours").missing == "gpu_flops"


def test_examples_that_are_not_packed_cost_what_they_have(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.json").write_text("[" + ",".join(['{"text": "some words"}'] * 1000) + "]")
    (tmp_path / "data" / "dataset_info.json").write_text('{"notes": {"file_name": "notes.json"}}')
    text = YAML.format(model="gpt2", method="full", stage="sft", more="num_train_epochs: 2\nwarmup_steps: 4000\n")
    (tmp_path / "t.yaml").write_text(text)
    found = facts(text, "t.yaml", folder=tmp_path, world_size=1)
    assert found["training_flops"] == pytest.approx(found["flops_per_token"] * found["dataset_tokens"] * 2)
    card = trainlint("explain", "--world-size", "1", "t.yaml", cwd=tmp_path).stdout
    assert " = at most " in card
    assert " without padding" in card
    assert "warmup 4,000 steps (not over at the end)" in card
    assert "FLOPs · say the GPU with --gpu for the hours" in card
    packed = facts(text + "packing: true\n", "t.yaml", folder=tmp_path, world_size=1)
    assert packed["training_flops"] == pytest.approx(
        packed["flops_per_token"] * packed["tokens_per_step"] * packed["total_steps"]
    )


def test_the_share_of_evaluation(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.json").write_text("[" + ",".join(['{"text": "x"}'] * 1000) + "]")
    (tmp_path / "data" / "dataset_info.json").write_text('{"notes": {"file_name": "notes.json"}}')
    more = "packing: false\nnum_train_epochs: 1\ngradient_accumulation_steps: 1\n"
    more += "val_size: 0.1\neval_strategy: steps\neval_steps: 100"
    text = YAML.format(model="gpt2", method="full", stage="sft", more=more)
    found = facts(text, "run.yaml", folder=tmp_path, world_size=1)
    evaluated = 9 * 100 * 2
    assert found["evaluation_share"] == pytest.approx(evaluated / (evaluated + 900 * 8))
