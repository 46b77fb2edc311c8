"""Writing suppressions hides what was found and changes nothing else."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers_corpus import needs_corpus, real_files
from helpers_shell import bash_launches
from helpers_suppress import (
    COMMAND,
    RATE,
    RULES,
    SEED,
    STEP,
    Flagged,
    at_offset,
    find,
    judge,
    repaired,
)
from trainlint import readers, suppress
from trainlint.text import SourceText, Span, apply


def added(text: str, *found: Flagged, name: str = "run.sh", reason: str = "稍后") -> str:
    source = SourceText(name, text)
    result = suppress.add(readers.read(source), [find(source, *each) for each in found], reason)
    assert not result.left
    written = apply(text, [(edit.at.span, edit.text) for edit in result.edits])
    again = judge(written, (), name)
    assert "malformed" not in {finding.rule.partition("/")[2] for finding in again.extra}
    return written


def test_add_at_the_end_of_a_line() -> None:
    text = "lr=2e-5\nx=1 # 说明  \n"
    assert added(text, (RATE, "2e-5"), (STEP, "2e-5"), (SEED, "1")) == (
        f"lr=2e-5  # trainlint: ignore[{STEP}, {RATE}] 稍后\nx=1 # 说明  # trainlint: ignore[{SEED}] 稍后  \n"
    )


def test_add_above_a_command() -> None:
    text = COMMAND.format(comment="# 说明")
    expected = COMMAND.format(comment=f"# 说明\n    # trainlint: ignore[{SEED}, {RATE}]")
    assert added(text, (RATE, "2e-5"), (SEED, "64"), reason="") == expected


def test_add_into_a_suppression_that_is_there() -> None:
    text = COMMAND.format(comment=f"# trainlint: ignore[{RATE}] 原因")
    assert added(text, (SEED, "64"), (STEP, "2e-5")) == text.replace(RATE, f"{RATE}, {SEED}, {STEP}")
    trailing = f"lr=1  # trainlint: ignore[{RATE}] r\n"
    assert added(trailing, (STEP, "1")) == trailing.replace(RATE, f"{RATE}, {STEP}")
    whole = f"# trainlint: ignore-file[{RATE}] r\nlr=1\n"
    assert added(whole, (STEP, "1")) == f"{whole[:-1]}  # trainlint: ignore[{STEP}] 稍后\n"


def test_add_in_an_array() -> None:
    text = "args=(\n  --learning_rate 2e-5\n  --seed 1\n)\n"
    assert added(text, (RATE, "2e-5")) == text.replace("2e-5", f"2e-5  # trainlint: ignore[{RATE}] 稍后")


def test_add_with_carriage_returns() -> None:
    text = "lr=2e-5\r\n  x=3\r\n"
    assert added(text, (RATE, "3")) == f"lr=2e-5\r\n  # trainlint: ignore[{RATE}] 稍后\r\n  x=3\r\n"
    yaml = "lr: 2e-5\r\nseed: 3\r\n"
    assert added(yaml, (RATE, "3"), name="a.yaml") == f"lr: 2e-5\r\nseed: 3  # trainlint: ignore[{RATE}] 稍后\r\n"


def test_add_above_a_batch_header() -> None:
    text = "#!/bin/bash\n#SBATCH --gres=gpu:8\nlr=1\n"
    assert added(text, (SEED, "gpu")) == f"#!/bin/bash\n# trainlint: ignore[{SEED}] 稍后\n#SBATCH --gres=gpu:8\nlr=1\n"


def test_add_in_yaml_and_toml() -> None:
    text = 'a: |\n  x\n  y\nb:\n  - "1\n    2"\n  - 3\n'
    assert added(text, (RATE, "1"), (SEED, "3"), name="a.yaml") == (
        f'a: |\n  x\n  y\nb:\n  # trainlint: ignore[{RATE}] 稍后\n  - "1\n    2"\n  - 3  # trainlint: ignore[{SEED}] 稍后\n'
    )
    assert added("lr = 2e-5", (RATE, "2e-5"), name="a.toml") == f"lr = 2e-5  # trainlint: ignore[{RATE}] 稍后"


def test_add_keeps_a_reason_on_one_line() -> None:
    assert added("lr=1\n", (RATE, "1"), reason=" a\n  b ") == f"lr=1  # trainlint: ignore[{RATE}] a b\n"


def test_add_leaves_what_no_comment_can_hide() -> None:
    source = SourceText("run.sh", "#!/bin/bash\ncat > x.yaml <<EOF\nlr: 2e-5\nEOF\n# trainlint: ignore\n")
    other = SourceText("b.sh", "lr=1\n")
    found = [
        at_offset(source, RATE, 3), find(source, "file/syntax-error", "cat"), at_offset(other, RATE, 3),
        find(source, "suppressions/malformed", "# trainlint"),
    ]  # fmt: skip
    result = suppress.add(readers.read(source), found, "r")
    assert result.edits == ()
    assert set(map(id, result.left)) == set(map(id, found))


# Fragments of scripts. Any character of any of them may be flagged.
FRAGMENTS = [
    "lr=2e-5\n", "lr=${LR:-2e-5} seed=1\n", "# 注释\n", "\n", "#SBATCH --nodes=2\n",
    "launch --a $lr \\\n    --b '1\n  2' \\\n  --c 3\n", "launch \\\n  --a 1 | cat\n", "launch --a 1 && launch \\\n  --b 2\n",
    "args=(\n  --a 1  # 说明\n  # 注\n  '--b\n2'\n)\nlaunch \"${args[@]}\"\n",
    "if [ -n \"$lr\" ]; then\n  launch --a 1 \\\n    --b 2\nelse\n  lr=3\nfi\n",
    "for i in 1 \\\n  2; do launch $i\ndone\n", "cat <<EOF > x\nlr: 1 # no\nEOF\n", "x=$(echo \\\n  2)\n",
    "launch --a 1 \\ \n  --b 2\n", "launch --a 1 \\\n# 断\n  --b 2\n", "f() {\n\tlaunch --f \"$1\" # f\n}\nf 1\n",
    "bash -c \"launch --a \\\n  1\"\n", "launch --a '学习率' # trainlint: ignore[lr/*] 原因\n",
    "# trainlint: ignore[arguments/unknown] r\nlaunch --a 1 \\\n  --b 2\n", "(\n  launch 1\n)\n", "launch 1 >log 2>&1\n",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0, 0.999), st.sampled_from([RATE, SEED, STEP])), min_size=1, max_size=4),
    st.booleans(),
)
def test_added_comments_hide_and_change_nothing_else(
    fragments: list[str], places: list[tuple[float, str]], crlf: bool
) -> None:
    text = "".join(fragments)
    if crlf:
        text = text.replace("\n", "\r\n")
    source = SourceText("run.sh", text)
    found = [at_offset(source, rule, int(place * len(text))) for place, rule in places]
    document = readers.read(source)
    open_ = suppress.apply(document, found, RULES).kept
    result = suppress.add(document, open_, "稍后")
    edits = [(edit.at.span, edit.text) for edit in result.edits]
    written = SourceText("run.sh", apply(text, edits))
    moved = [at_offset(written, f.rule, _moved(f.at.span.start, edits)) for f in open_ if f not in result.left]
    assert suppress.apply(readers.read(written), moved, RULES).kept == []
    if edits:
        assert bash_launches(written.text) == bash_launches(text)


def _moved(offset: int, edits: list[tuple[Span, str]]) -> int:
    return offset + sum(len(text) - (span.end - span.start) for span, text in edits if span.start <= offset)


@given(st.text(st.sampled_from("# trainlint:ignore-file[]lr/*,， \n=学\\'\"x"), max_size=80))
def test_any_text_can_be_judged(text: str) -> None:
    for name in ("a.sh", "a.yaml", "a.json", "a.toml"):
        source = SourceText(name, text)
        found = [at_offset(source, RATE, n, 0) for n in range(0, len(text) + 1, 7)]
        document = readers.read(source)
        result = suppress.apply(document, found, RULES, require_reason=True)
        assert len(result.kept) + len([g for g in result.suppressed if g.finding in found]) == len(found)
        for finding in result.extra:
            if finding.fix is not None:
                repaired(text, finding)
        suppress.add(document, result.kept, "r")


@needs_corpus
def test_real_files_mean_the_same_with_their_suppressions() -> None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    seen = 0
    for file in real_files("yaml", "yml")[::12]:
        source = SourceText.load(file, file.name)
        document = readers.read(source)
        if document.root is None or not document.root.entries:
            continue
        found = [
            at_offset(source, RATE, entry.value.span.start) for entry in document.root.entries if not entry.merged
        ][:12]
        result = suppress.add(document, found, "稍后")
        assert result.left == ()
        edits = [(edit.at.span, edit.text) for edit in result.edits]
        written = apply(source.text, edits)
        assert [*yaml.load_all(written, loader)] == [*yaml.load_all(source.text, loader)]
        text = SourceText(file.name, written)
        moved = [at_offset(text, RATE, _moved(f.at.span.start, edits)) for f in found]
        judged = suppress.apply(readers.read(text), moved, RULES)
        assert (judged.kept, judged.extra) == ([], [])
        seen += 1
    assert seen > 20
