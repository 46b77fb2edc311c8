"""The three generations of Chinese-LLaMA-Alpaca, whose scripts are called alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers_dialects import assert_states, issues, write
from helpers_runs import launches

FIRST = "lora_rank: int\nmax_seq_length = 512\n"
SECOND = "load_in_kbits\nif len(tokenizer) != 55296: raise\n"
THIRD = "load_in_kbits\nlow_cpu_mem_usage\n"
LAUNCH = "torchrun --nproc_per_node 1 run_clm_{}_with_peft.py --model_name_or_path m --output_dir o {}"


@pytest.mark.parametrize(
    ("script", "stage", "flags", "expected"),
    [
        (FIRST, "sft", "", {"sequence_length": 512, "method": "lora", "quantization_bits": None}),
        (FIRST, "sft", "--force_resize_embeddings False", {"sequence_length": 512}),
        (
            SECOND,
            "sft",
            "--load_in_kbits 4",
            {"sequence_length": 1024, "method": "qlora", "required_tokenizer_size": 55296},
        ),
        (THIRD, "sft", "--load_in_kbits 16 --low_cpu_mem_usage", {"sequence_length": 1024, "method": "lora"}),
        (THIRD, "pt", "--block_size 64 --full_finetuning True", {"method": "full", "stage": "pt"}),
    ],
)
def test_the_script_says_which_one_it_is(
    tmp_path: Path, script: str, stage: str, flags: str, expected: dict[str, Any]
) -> None:
    (tmp_path / f"run_clm_{stage}_with_peft.py").write_text(script)
    assert_states(LAUNCH.format(stage, flags), expected, folder=tmp_path)
    assert issues(LAUNCH.format(stage, flags), folder=tmp_path) == []


def test_a_flag_of_another_generation_is_unknown(tmp_path: Path) -> None:
    folder = write(tmp_path, run_clm_sft_with_peft__py=FIRST)
    script = LAUNCH.format("sft", "--load_in_kbits 16")
    assert issues(script, folder=folder) == [("unknown", "--load_in_kbits", 1, 92)]


@pytest.mark.parametrize("flag", ["--force_resize_embeddings False", "--low_cpu_mem_usage", "--load_in_kbits 16"])
def test_without_the_script_no_generation_is_excluded(flag: str) -> None:
    assert issues(LAUNCH.format("sft", flag)) == []


def test_a_default_that_differs_is_marked_as_assumed() -> None:
    (launch,) = launches(LAUNCH.format("sft", ""))
    fact = launch.fact("sequence_length")
    assert (fact.value, fact.confidence) == (1024, "medium")
    assert "512" in fact.note
