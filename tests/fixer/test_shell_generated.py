"""Scripts of many layouts: whatever is edited, bash passes the same words but for the one argument."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_fixes import changed
from helpers_shell import BASH, bash_accepts, bash_launches

pytestmark = pytest.mark.skipif(BASH is None, reason="bash is the judge")

FLAGS = ("learning_rate", "weight_decay", "adam_epsilon", "max_grad_norm", "label_smoothing_factor")
VALUES = ("2e-5", "0.1", "3e-4")
ENDS = ("", " > log", " 2>&1 | cat", " # note", " || exit 1", " & wait", " < /dev/null >> log 2>&1", ";")


@st.composite
def scripts(draw: st.DrawFn) -> str:
    """Assignments, a run whose flags take literals and these variables, and perhaps a second run and a label."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    lines = []
    for number, name in enumerate(names):
        sources = [*VALUES, *(f'"{value}"' for value in VALUES), "${ENV:-0.1}"]
        sources += [f"${{{earlier}}}" for earlier in names[:number]]
        lines.append(f"{draw(st.sampled_from(['', 'export ']))}{name}={draw(st.sampled_from(sources))}")
    values = st.sampled_from([*VALUES, *(form for n in names for form in (f"${n}", f"${{{n}}}", f'"${n}"', f"1${n}"))])
    if draw(st.booleans()):
        lines.append(f"OPTS=(--seed {draw(st.sampled_from(['1', f'${names[0]}']))} --bf16)")
    lines += draw(st.sampled_from([[], [f"echo ${names[0]}"], [f'if [ "${names[0]}" = 0.1 ]; then s=1; else s=2; fi']]))
    lines.append(draw(_run(values, lines)))
    if draw(st.booleans()):
        lines.append(f"torchrun eval.py --rate {draw(values)}")
    if draw(st.booleans()):
        lines = ["f() {", *(f"  {line}" for line in lines), "}", "f"]
    return "\n".join(lines) + draw(st.sampled_from(["\n", ""]))


@st.composite
def _run(draw: st.DrawFn, values: st.SearchStrategy[str], before: list[str]) -> str:
    flags = draw(st.lists(st.sampled_from(FLAGS), min_size=1, unique=True))
    words = ["torchrun --nproc_per_node 1 run_clm.py", "--output_dir out", "--num_train_epochs 1"]
    words += [f"--{flag}{draw(st.sampled_from([' ', '=']))}{draw(values)}" for flag in flags]
    if any(line.startswith("OPTS") for line in before):
        words.append('"${OPTS[@]}"')
    gaps = draw(st.lists(st.sampled_from([" ", " \\\n    ", "  \\\n\t"]), min_size=len(words), max_size=len(words)))
    text = "".join(word + gap for word, gap in zip(words, [*gaps[:-1], ""], strict=True))
    quote = draw(st.sampled_from(["", "", "eval"]))
    if quote and '"' not in text:
        return f'CMD="{text}"\neval $CMD'
    return text + draw(st.sampled_from(ENDS))


def argv(script: str) -> list[list[str]]:
    return bash_launches(script + "\nwait\n", "torchrun")


@settings(max_examples=60)
@given(scripts(), st.sampled_from(FLAGS), st.sampled_from(["7e-6", "0.5"]))
def test_one_argument_changes(script: str, flag: str, value: str) -> None:
    assert bash_accepts(script)
    after = changed(script, flag, value)
    if after is None:
        return
    old, new = argv(script), argv(after)
    kept = [words for words in new if words in old]
    assert len(old) == len(new) == len(kept) + 1
    (was,) = [words for words in old if words not in kept]
    (now,) = [words for words in new if words not in kept]
    if len(was) == len(now):
        ((before, behind),) = [pair for pair in zip(was, now, strict=True) if pair[0] != pair[1]]
        at = now.index(behind)
        assert behind == f"--{flag}={value}" or (behind == value and now[at - 1] == f"--{flag}")
        assert before != behind
    else:
        at = now.index(f"--{flag}")
        assert now[at + 1] == value
        assert [*now[:at], *now[at + 2 :]] == was
        assert not any(word.partition("=")[0] == f"--{flag}" for word in was)
