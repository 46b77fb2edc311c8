"""The memory that is worked out for a run, against measured runs and by hand."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks.memory import PAGE, Point, points
from helpers_cli import trainlint
from helpers_runs import facts


@pytest.fixture(scope="module")
def compared() -> list[Point]:
    return points()


def test_the_bound_is_never_above_what_was_measured(compared: list[Point]) -> None:
    measured = [point for point in compared if point.measured is not None and point.bound is not None]
    assert len(measured) > 80
    assert [point for point in measured if (point.bound or 0) > (point.measured or 0)] == []


def test_the_estimate_is_near_what_was_measured(compared: list[Point]) -> None:
    errors = {point: abs(point.error) for point in compared if point.error is not None}
    assert len(errors) > 70
    assert statistics.median(errors.values()) <= 0.1
    assert max(errors.values()) <= 0.25
    for group in {point.group for point in errors}:
        assert statistics.median(errors[point] for point in errors if point.group == group) <= 0.2, group


def test_too_much_is_estimated_by_less_than_the_rule_allows_for(compared: list[Point]) -> None:
    """memory/probably-does-not-fit takes four fifths of the estimate for sure."""
    assert max(point.error for point in compared if point.error is not None) <= 0.25


def test_nothing_is_unknown_without_need(compared: list[Point]) -> None:
    assert [point.run for point in compared if point.estimate is None] == []
    without = [point.run for point in compared if point.bound is None]
    assert all("states on the CPU" in run for run in without)


def test_the_page_has_every_run(compared: list[Point]) -> None:
    page = PAGE.read_text("utf-8")
    assert [point.run for point in compared if f"| {point.run} | " not in page] == []


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
    assert run(stage="dpo", more="pref_loss: orpo")["memory_reference"] == 0
    assert run(stage="dpo", method="lora", more=LORA)["memory_reference"] == 0
    assert run(stage="kto")["memory_logits"] == plain["memory_logits"]
    assert run(stage="dpo", more="ref_model: another")["memory_lower_bound"] == pytest.approx(16 * SIZE / GIB)
    assert run(stage="rm")["memory_reference"] == 0
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
    default = GRPO.format("colocate").replace("vllm_mode: colocate\n", "")  # of which versions think differently
    assert facts(default, "grpo.yaml", world_size=1, gpu="A100-80G")["memory_lower_bound"] == apart


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


SWIFT = """\
CUDA_VISIBLE_DEVICES={} {} swift {} --model Qwen/Qwen2.5-7B-Instruct --dataset notes --torch_dtype bfloat16 --max_length 2048 \\
    --gradient_accumulation_steps 4 {}
"""


def swift(command: str = "sft", more: str = "", devices: str = "0", environment: str = "", **stated: Any) -> Any:
    return facts(SWIFT.format(devices, environment, command, more), **stated)


def test_a_process_that_sees_several_gpus_spreads_its_model() -> None:
    """ms-swift's examples: 27.5 GiB on each GPU with one process for each, 14 with two GPUs for each of two processes."""
    lora = "--tuner_type lora"
    alone = swift(more=lora, devices="0,1", environment="NPROC_PER_NODE=2")
    spread = swift(more=lora, devices="0,1,2,3", environment="NPROC_PER_NODE=2")
    assert spread["memory_lower_bound"] == alone["memory_lower_bound"] / 2 < 14
    assert swift(more=lora, devices="0,1")["memory_lower_bound"] == spread["memory_lower_bound"]
    unknown = facts(SWIFT.format("0", "", "sft", lora).replace("CUDA_VISIBLE_DEVICES=0", ""))
    assert unknown.launch.fact("memory_lower_bound").missing == "world_size"


@pytest.mark.parametrize("more", ["--use_galore true", "--lisa_activated_layers 2", "--freeze_parameters_ratio 0.9"])
def test_what_trains_less_than_everything_has_no_bound(more: str) -> None:
    """ms-swift's examples: 38 GiB with GaLore and 29 with LISA, where Adam's states alone would take 57."""
    assert swift(more=f"--tuner_type full {more}").unknown("memory_lower_bound")
    assert swift(more="--tuner_type full")["memory_lower_bound"] == pytest.approx(56.7, abs=0.1)


def test_ranks_that_share_a_sequence_share_its_activations() -> None:
    found = swift(more="--sequence_parallel_size 4 --tuner_type lora", environment="NPROC_PER_NODE=8")
    plain = swift(more="--tuner_type lora", environment="NPROC_PER_NODE=8")
    assert found["memory_activations"] == plain["memory_activations"] / 4
    assert found["effective_batch_size"] == plain["effective_batch_size"] / 4 == 8


def test_a_pack_of_preferences_holds_both_sides() -> None:
    dpo = "--rlhf_type dpo --tuner_type full --deepspeed zero3"
    found = swift("rlhf", f"{dpo} --packing true", environment="NPROC_PER_NODE=4")
    assert (
        2 * found["tokens_per_micro_step"]
        == swift("rlhf", dpo, environment="NPROC_PER_NODE=4")["tokens_per_micro_step"]
    )


def test_proximal_policy_optimisation_trains_a_critic_and_loads_a_judge() -> None:
    more = "--rlhf_type ppo --tuner_type full --deepspeed zero3 --reward_model Qwen/Qwen2.5-3B-Instruct"
    found = swift("rlhf", more, devices="0,1,2,3,4,5,6,7", environment="NPROC_PER_NODE=8")
    trained = found["memory_weights"] + found["memory_gradients"] + found["memory_optimizer"]
    assert found["memory_critic"] == pytest.approx(trained)
    assert found["memory_reference"] == pytest.approx(2 * found["model_parameters"] / 8 / GIB)
    assert found["memory_reward"] == pytest.approx(2 * 3_085_938_688 / 8 / GIB)
    assert found["memory_estimate"] > 2 * trained


def test_the_engine_of_grpo_sleeps_while_the_model_is_trained() -> None:
    more = "--rlhf_type grpo --tuner_type lora --use_vllm true --vllm_mode {} --vllm_gpu_memory_utilization 0.5 --beta 0.04 {}"
    awake, asleep, apart = (
        swift("rlhf", more.format(mode, sleep), gpu="A100-80G")
        for mode, sleep in (("colocate", ""), ("colocate", "--sleep_level 1"), ("server", ""))
    )
    assert awake["memory_rollout"] == 40
    assert asleep["memory_generation"] == pytest.approx(40 + asleep["memory_weights"] + asleep["memory_optimizer"])
    assert asleep["memory_rollout"] == apart["memory_rollout"] == apart["memory_generation"] == 0
    assert awake["memory_estimate"] == pytest.approx(apart["memory_estimate"] + 40)
    assert asleep["memory_estimate"] == pytest.approx(asleep["memory_generation"] + 1.5)
    moved = more.format("colocate", "--sleep_level 1 --offload_model true --offload_optimizer true")
    assert swift("rlhf", moved, gpu="A100-80G")["memory_generation"] == 40
    full = more.format("server", "").replace("lora", "full")
    assert swift("rlhf", full)["reference_model"] is True
    assert swift("rlhf", full.replace("0.04", "0.0"))["reference_model"] is False


def test_a_pipelines_fullest_stage_has_the_embedding_and_all_micro_batches() -> None:
    found = facts(MEGATRON.format("--vocab-size 32000 --recompute-granularity full --recompute-method uniform"))
    size, width = found["model_parameters"], 32256 * 4096
    assert found["memory_weights"] == pytest.approx(2 * ((size - 2 * width) / 2 + width) / 4 / GIB)
    assert found["micro_batches_in_flight"] == 2
    assert found["memory_lower_bound"] < found["memory_weights"] + found["memory_optimizer"] + found["memory_gradients"]


def test_gradients_stay_where_only_the_states_leave() -> None:
    found = facts(MEGATRON.format("--vocab-size 32000 --use-distributed-optimizer --optimizer-cpu-offload"))
    assert found["memory_optimizer"] == 0 < found["memory_gradients"]
    assert found["memory_lower_bound"] == pytest.approx(4 * found["model_parameters"] / 8 / GIB)


VERL = """\
python3 -m verl.trainer.main_ppo algorithm.adv_estimator={} actor_rollout_ref.model.path=Qwen/Qwen2.5-7B-Instruct \\
    data.train_batch_size=256 data.max_prompt_length=1024 data.max_response_length=1024 trainer.n_gpus_per_node=8 \\
    actor_rollout_ref.actor.ppo_mini_batch_size=64 actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2 \\
    actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.gpu_memory_utilization=0.5 {}
"""


def verl(estimator: str = "grpo", more: str = "") -> Any:
    return facts(VERL.format(estimator, more), gpu="H100-80G")


def test_verl_shards_weights_in_32_bits_and_frees_the_engine_before_it_trains() -> None:
    found = verl()
    size = found["model_parameters"]
    assert found["memory_weights"] == pytest.approx(4 * size / 8 / GIB)
    assert found["memory_optimizer"] == pytest.approx(8 * size / 8 / GIB)
    assert found["tokens_per_micro_step"] == 2 * 2048
    assert found["memory_rollout"] == 0
    assert found["memory_generation"] == pytest.approx(40 + found["memory_weights"] + found["memory_optimizer"])
    assert found["memory_estimate"] == pytest.approx(found["memory_generation"] + 1.5)
    assert verl(more="actor_rollout_ref.rollout.free_cache_engine=False")["memory_rollout"] == 40
    actor = "actor_rollout_ref.actor"
    offload = f"{actor}.fsdp_config.param_offload=True {actor}.fsdp_config.optimizer_offload=True"
    assert verl(more=offload)["memory_generation"] == 40
    dynamic = f"{actor}.use_dynamic_bsz=True {actor}.ppo_max_token_len_per_gpu=24000"
    assert verl(more=dynamic)["tokens_per_micro_step"] == 24000
    assert verl(more=f"{actor}.ulysses_sequence_parallel_size=4")["tokens_per_micro_step"] == 1024
    assert verl(more=f"{actor}.strategy=megatron").unknown("memory_estimate")
    assert verl(more=f"{actor}.strategy=megatron").unknown("memory_lower_bound")
    assert verl(more=f"{actor}.fsdp_config.offload_policy=True").unknown("memory_lower_bound")


def test_verl_keeps_what_it_does_not_train_off_the_gpu() -> None:
    assert verl(more="actor_rollout_ref.actor.use_kl_loss=True")["memory_reference"] == 0
    assert "critic" in verl("gae").unknown("memory_estimate")
    found = verl("gae", "critic.model.path=Qwen/Qwen2.5-7B-Instruct")
    assert found["memory_critic"] == pytest.approx(16 * found["model_parameters"] / 8 / GIB)


OPENRLHF = """\
python3 -m openrlhf.cli.train_ppo_ray --actor.num_gpus_per_node 8 --vllm.num_engines 4 --vllm.gpu_memory_utilization 0.5 \\
    --actor.model_name_or_path meta-llama/Meta-Llama-3-8B --reward.model_name_or_path OpenRLHF/Llama-3-8b-rm-700k \\
    --train.batch_size 128 --train.micro_batch_size 4 --data.max_len 2048 --ds.zero_stage 3 --data.prompt_dataset notes \\
    --actor.gradient_checkpointing_enable {}
"""


def test_openrlhf_puts_models_on_gpus_of_their_own_or_together() -> None:
    apart = facts(OPENRLHF.format(""), gpu="H100-80G")
    parts = ("critic", "reward", "reference", "rollout", "generation")
    assert [apart[f"memory_{part}"] for part in parts] == [0] * 5
    together = facts(OPENRLHF.format("--train.colocate_all"), gpu="H100-80G")
    size = together["model_parameters"]
    assert together["memory_critic"] == pytest.approx(18 * 8e9 / 8 / GIB)
    assert together["memory_reward"] == pytest.approx(2 * 8e9 / 8 / GIB)
    assert together["memory_reference"] == pytest.approx(2 * size / 8 / GIB)
    assert together["memory_rollout"] == 40
    asleep = facts(OPENRLHF.format("--train.colocate_all --vllm.enable_sleep --ds.enable_sleep"), gpu="H100-80G")
    assert asleep["memory_rollout"] == asleep["memory_critic"] == 0
    assert asleep["memory_generation"] == 40
    asynchronous = facts(OPENRLHF.format("--train.colocate_all --train.async_enable"), gpu="H100-80G")
    assert asynchronous["memory_rollout"] == asynchronous["memory_generation"] == 0


def test_what_preference_tuning_and_reinforcement_learning_compute() -> None:
    more = "max_steps: 1000\ngradient_accumulation_steps: 8"
    tokens = 1024 * 8 * 1000
    sft, dpo, kto, orpo, rm = (
        run(stage=stage, more=f"{more}\n{extra}")["training_flops"]
        for stage, extra in (("sft", ""), ("dpo", ""), ("kto", ""), ("dpo", "pref_loss: orpo"), ("rm", ""))
    )
    assert sft == pytest.approx(8 * SIZE * tokens)
    assert dpo == pytest.approx((8 + 2) * SIZE * 2 * tokens)
    assert kto == pytest.approx((8 + 6) * SIZE * tokens)
    assert orpo == rm == pytest.approx(8 * SIZE * 2 * tokens)
    text = GRPO.format("server") + "max_prompt_length: 512\nmax_steps: 100\nbeta: 0.04\n"
    grpo = facts(text, "grpo.yaml", world_size=2)
    passes = (8 if grpo["full_recomputation"] else 6) + 2
    assert grpo["training_flops"] == pytest.approx(passes * grpo["active_parameters"] * 2 * 8 * 1024 * 100)
    assert "generated" in grpo.launch.fact("training_flops").note


def test_reward_models_have_no_logits_but_those_that_llama_factory_does_not_use() -> None:
    found, plain = run(stage="rm"), run(stage="sft")
    assert found["memory_logits"] == pytest.approx(2 * 0.6 * plain["memory_logits"])
    assert swift("rlhf", "--rlhf_type rm --tuner_type lora")["memory_logits"] == 0


def test_liger_leaves_the_logits_to_preference_losses_of_llama_factory() -> None:
    assert run(stage="dpo", more="enable_liger_kernel: true")["memory_logits"] > 0
    assert run(stage="sft", more="enable_liger_kernel: true")["memory_logits"] == 0


def test_the_card_shows_what_generation_needs_and_why_there_is_no_estimate(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(VERL.format("grpo", ""))
    card = trainlint("explain", "--origins", "--gpu", "H100-80G", "run.sh", cwd=tmp_path).stdout
    assert " while answers are generated\n" in card
    assert "\nmemory_generation = " in card
    (tmp_path / "run.sh").write_text(VERL.format("gae", ""))
    assert "memory_estimate: the critic is not named" in trainlint("explain", "run.sh", cwd=tmp_path).stdout


def test_megatrons_own_report_says_the_same_of_weights_gradients_and_states() -> None:
    """NVIDIA/Megatron-LM theoretical_memory_usage.py @d98e8a6: 20.2 GiB (benchmarks/megatron_memory.py has the whole grid)."""
    text = """\
torchrun --nnodes 8 --nproc_per_node 8 pretrain_gpt.py --tensor-model-parallel-size 8 --pipeline-model-parallel-size 8 \\
    --num-layers 80 --hidden-size 8192 --ffn-hidden-size 28672 --num-attention-heads 64 --group-query-attention \\
    --num-query-groups 8 --swiglu --seq-length 4096 --max-position-embeddings 4096 --vocab-size 131072 --bf16 \\
    --position-embedding-type rope --disable-bias-linear --untie-embeddings-and-output-weights --use-distributed-optimizer \\
    --micro-batch-size 1 --global-batch-size 16 --train-iters 1000 --lr 3e-4 --data-path corpus {}
"""
    found = facts(text.format(""))
    assert found["memory_weights"] + found["memory_gradients"] + found["memory_optimizer"] == pytest.approx(
        20.2, abs=0.05
    )
    assert facts(text.format("--load checkpoints/llama_fp8"))["memory_weights"] == found["memory_weights"]
    assert "FP8" in facts(text.format("--fp8-format hybrid")).unknown("memory_activations")


AXOLOTL = """\
base_model: Qwen/Qwen2.5-7B
datasets: [{path: notes, type: alpaca}]
sequence_len: 4096
micro_batch_size: 1
num_epochs: 1
learning_rate: 1.0e-5
optimizer: adamw_torch_fused
bf16: true
"""


def test_axolotl_recomputes_by_fsdp_and_shares_sequences() -> None:
    block = "fsdp_version: 2\nfsdp_config: {offload_params: false, activation_checkpointing: true}\n"
    found = facts(AXOLOTL + block, "run.yaml", world_size=8)
    kept = facts(AXOLOTL + block.replace("true", "false"), "run.yaml", world_size=8)
    assert found["gradient_checkpointing"]
    assert 10 * found["memory_activations"] < kept["memory_activations"]
    shared = facts(AXOLOTL + "context_parallel_size: 4\ngradient_accumulation_steps: 2\n", "run.yaml", world_size=8)
    assert (shared["tokens_per_micro_step"], shared["effective_batch_size"]) == (1024, 4)


def test_a_part_of_axolotls_weights_has_no_bound() -> None:
    part = AXOLOTL + "unfrozen_parameters: ['^lm_head.weight$']\n"
    assert "unfrozen_parameters" in facts(part, "run.yaml", world_size=1).unknown("memory_lower_bound")
