"""Edits of scripts, with bash as the judge of what they change: the one argument, and nothing else."""

from __future__ import annotations

import pytest

from helpers_fixes import changed, fixed
from helpers_shell import BASH, bash_launches
from trainlint.text import SourceText

pytestmark = pytest.mark.skipif(BASH is None, reason="bash is the judge")

RUN = "torchrun --nproc_per_node 1 run_clm.py --output_dir out --model_name_or_path m"
FLAG = ["--warmup_ratio", "0.05"]


def argv(script: str) -> list[list[str]]:
    return bash_launches(script + "\nwait", "torchrun")


# ----------------------------------------------------------------------------------------------------- a new flag

INSERTIONS = {
    "one line": (f"{RUN} --learning_rate 2e-5\n", " --warmup_ratio 0.05"),
    "its own line": (f"{RUN} \\\n    --learning_rate 2e-5\n", " \\\n    --warmup_ratio 0.05"),
    "indented with a tab": (f"{RUN} \\\n\t--learning_rate 2e-5\n", " \\\n\t--warmup_ratio 0.05"),
    "no newline at the end": (f"{RUN} \\\n  --learning_rate 2e-5", " \\\n  --warmup_ratio 0.05"),
    "redirection": (f"{RUN} \\\n  --learning_rate 2e-5 > log 2>&1\n", " \\\n  --warmup_ratio 0.05"),
    "in the background": (f"{RUN} \\\n  --learning_rate 2e-5 &\n", " \\\n  --warmup_ratio 0.05"),
    "pipe": (f"{RUN} \\\n  --learning_rate 2e-5 | tee log\n", " \\\n  --warmup_ratio 0.05"),
    "pipe on the next line": (f"{RUN} \\\n  --learning_rate 2e-5 \\\n  2>&1 | tee log\n", " \\\n  --warmup_ratio 0.05"),
    "comment": (f"{RUN} \\\n  --learning_rate 2e-5 # as published\n", " \\\n  --warmup_ratio 0.05"),
    "or exit": (f"{RUN} \\\n  --learning_rate '2e-5' || exit 1\n", " \\\n  --warmup_ratio 0.05"),
    "array at the end": (
        f'A=(\n  --seed 1\n)\n{RUN} \\\n  --learning_rate 2e-5 \\\n  "${{A[@]}}"\n',
        " \\\n  --warmup_ratio 0.05",
    ),
    "variable at the end": (f"O='--seed 1 --bf16'\n{RUN} --learning_rate 2e-5 $O\n", " --warmup_ratio 0.05"),
    "before an unknown value": (f"{RUN} \\\n  --learning_rate 2e-5 \\\n  --seed $SEED\n", " \\\n  --warmup_ratio 0.05"),
    "in a string": (f'C="{RUN} \\\n  --learning_rate 2e-5"\neval $C\n', " \\\n  --warmup_ratio 0.05"),
    "behind a string": (f'C="{RUN} --learning_rate 2e-5"\n$C\n', " --warmup_ratio 0.05"),
    "bash -c": (f"bash -c '{RUN} --learning_rate 2e-5'\n", " --warmup_ratio 0.05"),
    "function": (f"f() {{\n  {RUN} --learning_rate 2e-5 --seed $1\n}}\nf 1\nf 2\n", " --warmup_ratio 0.05"),
    "loop": (f"for s in 1 2; do\n  {RUN} --learning_rate 2e-5 --seed $s\ndone\n", " --warmup_ratio 0.05"),
    "branches": (
        f'if [ -n "$X" ]; then D=a; else D=b; fi\n{RUN} --learning_rate 2e-5 --train_file $D\n',
        " --warmup_ratio 0.05",
    ),
    "Chinese and emoji": (f"# 学习率 🚀\n{RUN} --train_file 数据 --learning_rate 2e-5\n", " --warmup_ratio 0.05"),
}


@pytest.mark.parametrize(("script", "added"), INSERTIONS.values(), ids=INSERTIONS)
def test_a_flag_is_added(script: str, added: str) -> None:
    after = changed(script, "warmup_ratio", "0.05")
    assert after is not None
    at = after.index(added)
    assert after[:at] + after[at + len(added) :] == script
    for old, new in zip(argv(script), argv(after), strict=True):
        place = new.index("--warmup_ratio")
        assert new[place : place + 2] == FLAG
        assert new[:place] + new[place + 2 :] == old


REFUSED_INSERTIONS = {
    "unknown words": f"{RUN} --learning_rate 2e-5 $EXTRA\n",
    "arguments of the script": f'{RUN} --learning_rate 2e-5 "$@"\n',
    "another run gives it": (f'f() {{\n  {RUN} --learning_rate 2e-5 "$@"\n}}\nf --seed 1\nf --warmup_ratio 0.1\n'),
    "a branch gives it": (
        f'O=\nif [ -n "$X" ]; then O="--warmup_ratio 0.1"; fi\n{RUN} --learning_rate 2e-5 --seed 1 $O\n'
    ),
}


@pytest.mark.parametrize("script", REFUSED_INSERTIONS.values(), ids=REFUSED_INSERTIONS)
def test_no_flag_is_added_where_another_may_be(script: str) -> None:
    runs = [changed(script, "warmup_ratio", "0.05")]
    assert runs == [None]


def test_a_flag_that_the_framework_lacks_is_not_added() -> None:
    assert changed(f"{RUN} --learning_rate 2e-5\n", "sequence_length", "512") is None


# -------------------------------------------------------------------------------------------------- another value

REPLACEMENTS = {
    "at the flag": f"{RUN} --learning_rate 2e-5\n",
    "joined": f"{RUN} --learning_rate=2e-5\n",
    "in quotes": f'{RUN} --learning_rate="2e-5"\n',
    "a variable": f"lr=2e-5 # as published\n{RUN} --learning_rate ${{lr}}\n",
    "a quoted variable": f"lr='2e-5'\n{RUN} --learning_rate=$lr\n",
    "a variable of a variable": f'base=2e-5\nlr="$base"\n{RUN} --learning_rate $lr\n',
    "a default": f"lr=${{LR:-2e-5}}\n{RUN} --learning_rate $lr\n",
    "an exported variable": f"export lr=2e-5\nmkdir -p out\n{RUN} --learning_rate $lr\n",
    "a variable that is also shown": f'lr=2e-5\necho "lr $lr"\n{RUN} --learning_rate $lr > out_$lr.log\n',
    "an array": f'A=(--learning_rate 2e-5)\n{RUN} "${{A[@]}}"\n',
    "options in a string": f"O='--seed 1 --learning_rate 2e-5'\n{RUN} $O\n",
    "a command in a string": f'C="{RUN} --learning_rate 2e-5"\neval "$C"\n',
    "an argument of a function": f"f() {{ {RUN} --learning_rate $1; }}\nf 2e-5\n",
    "beside unknown words": f"{RUN} --learning_rate 2e-5 $EXTRA\n",
}


@pytest.mark.parametrize("script", REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_a_value_is_changed_where_it_stands(script: str) -> None:
    after = changed(script, "learning_rate", "1e-4")
    assert after == script.replace("2e-5", "1e-4")
    assert argv(after) == [[word.replace("2e-5", "1e-4") for word in words] for words in argv(script)]


REFUSED_REPLACEMENTS = {
    "another argument": f"lr=2e-5\n{RUN} --learning_rate $lr --weight_decay $lr\n",
    "part of another argument": f"lr=2e-5\n{RUN} --learning_rate $lr --run_name r_$lr\n",
    "another command": f"lr=2e-5\n{RUN} --learning_rate $lr\npython eval.py --lr $lr\n",
    "another run": f"lr=2e-5\n{RUN} --learning_rate $lr\n{RUN} --learning_rate $lr --seed 2\n",
    "computed from it": f"lr=2\n{RUN} --learning_rate $lr --seed $((lr * 3))\n",
    "unknown, made of it": f"lr=2e-5\n{RUN} --learning_rate $lr --warmup_steps $(steps_for $lr)\n",
    "a program may read it": f"export lr=2e-5\npython eval.py\n{RUN} --learning_rate $lr\n",
    "a condition on it": f'lr=2e-5\nif [ "$lr" = 2e-5 ]; then S=1; else S=2; fi\n{RUN} --learning_rate $lr --seed $S\n',
    "one branch of two": f'if [ -n "$X" ]; then lr=2e-5; else lr=3e-5; fi\n{RUN} --learning_rate $lr\n',
    "made of pieces": f"m=2\n{RUN} --learning_rate ${{m}}e-5\n",
    "only known when it runs": f"{RUN} --learning_rate $(cat lr)\n",
    "the environment's": f"{RUN} --learning_rate $LR\n",
}


@pytest.mark.parametrize("script", REFUSED_REPLACEMENTS.values(), ids=REFUSED_REPLACEMENTS)
def test_no_value_is_changed_that_means_more(script: str) -> None:
    assert changed(script, "learning_rate", "1e-4") is None


def test_batch_size_and_evaluation_batch_size_from_one_variable() -> None:
    script = f"bs=4\n{RUN} --per_device_train_batch_size ${{bs}} --per_device_eval_batch_size ${{bs}}\n"
    assert changed(script, "per_device_train_batch_size", "8") is None
    alone = script.replace(" --per_device_eval_batch_size ${bs}", "")
    assert changed(alone, "per_device_train_batch_size", "8") == alone.replace("bs=4", "bs=8")


def test_an_old_name_is_not_joined_by_the_new_one() -> None:
    script = f"{RUN} --learning_rate 1e-4 --evaluation_strategy no\n"
    assert changed(script, "eval_strategy", "steps") == script.replace("strategy no", "strategy steps")


# ------------------------------------------------------------------------------------------------- a flag too many

DUPLICATES = {
    "lines": (
        f"{RUN} \\\n  --learning_rate 1e-5 \\\n  --seed 1 \\\n  --learning_rate 1e-4\n",
        f"{RUN} \\\n  --seed 1 \\\n  --learning_rate 1e-4\n",
    ),
    "one line": (
        f"{RUN} --learning_rate 1e-5 --learning_rate 1e-4 > log\n",
        f"{RUN} --learning_rate 1e-4 > log\n",
    ),
    "first on a line": (
        f"{RUN} \\\n  --learning_rate 1e-5 --seed 1 \\\n  --learning_rate 1e-4\n",
        f"{RUN} \\\n  --seed 1 \\\n  --learning_rate 1e-4\n",
    ),
    "last on a line": (
        f"{RUN} \\\n  --seed 1 --learning_rate 1e-5 \\\n  --learning_rate 1e-4\n",
        f"{RUN} \\\n  --seed 1 \\\n  --learning_rate 1e-4\n",
    ),
    "joined": (
        f'{RUN} \\\n  --learning_rate="1e-5" \\\n  --learning_rate 1e-4\n',
        f"{RUN} \\\n  --learning_rate 1e-4\n",
    ),
    "value from a variable": (
        f"lr=1e-5\n{RUN} --learning_rate $lr --learning_rate 1e-4\n",
        f"lr=1e-5\n{RUN} --learning_rate 1e-4\n",
    ),
}


@pytest.mark.parametrize(("script", "wanted"), DUPLICATES.values(), ids=DUPLICATES)
def test_the_flag_without_effect_is_removed(script: str, wanted: str) -> None:
    result = fixed(SourceText("run.sh", script), unsafe=False)
    assert result.text == wanted
    assert [finding.rule for finding in result.applied] == ["arguments/duplicate"]
    (old,), (new,) = argv(script), argv(result.text)
    at = next(i for i, word in enumerate(old) if word.startswith("--learning_rate"))
    assert new == old[:at] + old[at + len(old) - len(new) :]


def test_a_duplicate_that_two_commands_share_stays() -> None:
    script = f"O='--learning_rate 1e-5'\n{RUN} $O --learning_rate 1e-4\n{RUN} $O --seed 2\n"
    assert not fixed(SourceText("run.sh", script), unsafe=False).changed


# ------------------------------------------------------------------------------------------- broken continuations


def test_a_broken_continuation_is_repaired_although_that_uncovers_what_it_hid() -> None:
    script = f"{RUN} \\\n  --num_train_epochs 1 \\ \n  --learning_rate 1e-5 \\\n  --learning_rate 1e-4\n"
    result = fixed(SourceText("run.sh", script), unsafe=False)
    assert [finding.rule for finding in result.applied] == ["launch/broken-continuation", "arguments/duplicate"]
    assert result.text == f"{RUN} \\\n  --num_train_epochs 1 \\\n  --learning_rate 1e-4\n"
    assert argv(result.text)[0][-2:] == ["--learning_rate", "1e-4"]
