"""What the shell reader says about scripts: origins, unknowns, alternatives, places, problems."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_shell import BASH, bash_accepts, commands, parse
from trainlint.document import Problem, Word
from trainlint.readers.caller import Caller
from trainlint.text import apply


def word(script: str, number: int = -1, **defines: str) -> Word:
    """A word of the only `launch` in a script."""
    (command,) = commands(script, caller=Caller(defines))
    return command.words[number]


def values(script: str, number: int = -1) -> list[str | None]:
    return [command.words[number].text for command in commands(script)]


def problems(script: str, kind: str) -> list[Problem]:
    return [problem for problem in parse(script).problems if problem.kind == kind]


# --------------------------------------------------------------------------------------------------------- origins


@pytest.mark.parametrize(
    "script",
    [
        "launch --lr [2e-5]",
        "launch --lr '[2e-5]'",
        "lr=[2e-5]\nlaunch --lr $lr",
        'lr="[2e-5]"\nlaunch --lr "${lr}"',
        "a=[2e-5]; b=$a; export c=${b}; launch --lr $c",
        "launch --lr ${lr:-[2e-5]}",
        ": ${lr:=[2e-5]}; launch --lr $lr",
        "OPTS='--bs 8 --lr [2e-5]'; launch $OPTS",
        'OPTS="--bs $n \\\n  --lr [2e-5]"; launch $OPTS',
        "A=(--bs 8 --lr [2e-5]); A+=(x); unset 'B[0]'; launch ${A[@]:0:4}",
        "CMD='launch --lr [2e-5]'; eval $CMD",
        "bash -c 'x=学; launch --lr [2e-5]'",
        "# 学习率 🚀\n名=1; launch --x 🚀 --lr [2e-5]",
        "f() { launch --lr $1; }; f [2e-5]",
        "for lr in [2e-5]; do launch --lr $lr; done",
    ],
)
def test_literal_is_where_a_fix_would_write(script: str) -> None:
    start = script.index("[2e-5]")
    script = script.replace("[2e-5]", "2e-5", 1)
    value = word(script)
    assert value.text == "2e-5"
    literal = value.origin.literal
    assert literal is not None
    assert (literal.span.start, literal.text) == (start, "2e-5")


@pytest.mark.parametrize("value", ["$((2 * a))", "${a%.*}", "$(echo 1)", "x$a"])
def test_what_is_computed_has_no_literal_to_edit(value: str) -> None:
    assert word(f"a=4; launch {value}").origin.literal is None


def test_chain_of_origins() -> None:
    chain = [(origin.kind, origin.text) for origin in word('lr="2e-5"\nlaunch ${lr}').origin.chain()]
    assert chain == [("expansion", "${lr}"), ("assignment", "lr=2e-5"), ("literal", "2e-5")]
    kinds = [origin.kind for origin in word("launch ${lr:-2e-5}").origin.chain()]
    assert kinds == ["expansion", "default-value", "literal"]


def test_product_names_its_factors() -> None:
    origin = word("a=4 b=8; launch $((a * b))").origin
    assert origin.kind == "computed"
    assert [parent.text for parent in origin.parents] == ["a=4", "b=8"]


def test_value_behind_an_equals_sign() -> None:
    value = word("launch --lr=2e-5").after(5)
    assert value.origin.literal is not None
    assert (value.text, value.origin.literal.text) == ("2e-5", "2e-5")
    split = word("O='--lr=2e-5'; launch $O").after(5)
    assert split.origin.literal is not None
    assert split.origin.literal.span.start == 8


def test_word_span_is_the_expansion_in_the_command() -> None:
    document = parse('学=1; lr=2e-5; launch "$lr"x')
    (command,) = document.invocations[-1].alternatives
    assert document.source[command.words[1].span] == '"$lr"x'
    assert document.source[command.span] == 'launch "$lr"x'


# -------------------------------------------------------------------------------------------------------- unknowns


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("$NUM_GPUS", "environment variable NUM_GPUS is not set in this script"),
        ("$RANDOM", "$RANDOM differs on every run"),
        ("$(date +%F)", "the output of $(date +%F) is only known when the script runs"),
        ("$1", "positional argument $1"),
        ("$((N * 2))", "environment variable N is not set in this script"),
        ("${X%.*}", "environment variable X is not set in this script"),
        ("$((1 / 0))", "division by zero"),
        ("$((9223372036854775807 + 1))", "the result is too large for bash's integers"),
        ("<path/to/model>", "the placeholder <path/to/model> is not filled in"),
    ],
)
def test_unknown_says_why(value: str, reason: str) -> None:
    assert word(f"launch {value}").unknown == reason


def test_only_an_unquoted_unknown_may_be_several_words() -> None:
    assert word("launch $X").several
    assert word('launch "$@"').several
    assert word('launch "${A[@]}"').several
    assert not word('launch "$X"').several
    assert not word("launch out/$X").several
    assert word("launch out/$X").known_prefix == "out/"


def test_loop_variables_are_unknown_afterwards() -> None:
    assert word("lr=1\nwhile read l; do lr=2; done\nlaunch $lr").unknown == "assigned inside a while loop"
    assert word("for f in *.x $(ls); do lr=2; done; launch $lr").unknown is not None


def test_define_is_the_environment() -> None:
    assert word("launch ${lr:-1}", lr="3").text == "3"
    assert [o.text for o in word("launch $lr", lr="3").origin.chain()] == ["$lr", "--define lr=3"]
    assert word("lr=2; launch $lr", lr="3").text == "2"


def test_eval_keeps_what_is_known() -> None:
    (command,) = commands('CMD="launch --a $1 --lr 2e-5"; eval $CMD')
    assert [each.text for each in command.words] == ["launch", "--a", None, "--lr", "2e-5"]


# ---------------------------------------------------------------------------------------------------- alternatives


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('if [ "$1" = a ]; then x=1; else x=2; fi; launch $x', ["1", "2"]),
        ("x=1; [ -z $Y ] && x=2; launch $x", ["2", "1"]),
        ("x=1; [ -f cfg ] || x=2; launch $x", ["2", "1"]),
        ("x=1; if foo; then x=1; fi; launch $x", ["1"]),
        ("case $1 in a) x=1;; b) x=2;; esac; launch ${x:-3}", ["1", "2", "3"]),
        ("if foo; then exit 1; fi; x=1; launch $x", ["1"]),
        ("if [ $# -lt 1 ]; then x=1; elif bar; then x=2; else x=3; fi; launch $x", ["1", "2", "3"]),
    ],
)
def test_undecidable_branches_are_both_taken(script: str, expected: list[str]) -> None:
    (invocation,) = [each for each in parse(script).invocations if each.alternatives[0].name.text == "launch"]
    assert sorted(str(command.words[-1].text) for command in invocation.alternatives) == sorted(expected)


def test_too_many_branches_become_one_in_which_the_difference_is_unknown() -> None:
    script = "same=1\n" + "".join(f"x{n}=0; foo && x{n}=1\n" for n in range(6)) + "launch $same $x0 $x5"
    for command in commands(script):
        assert command.words[1].text == "1"
    assert any(command.words[2].unknown == "differs between branches" for command in commands(script))


def test_loop_iterations_and_calls_are_runs_of_their_own() -> None:
    launches = parse("for x in 1 2; do launch $x; done").invocations
    assert [len(each.alternatives) for each in launches] == [1, 1]
    assert values("f() { launch $1; }\nf 1\nf 2") == ["1", "2"]


def test_environment_and_directory() -> None:
    (command,) = commands("export A=1; B=2; cd sub/dir; C=3 launch x")
    assert {name: value.text for name, value in command.environment.items()} == {"A": "1", "C": "3"}
    assert command.directory == "sub/dir"
    assert commands("cd $HOME; launch")[0].directory is None
    assert commands("(cd x); launch")[0].directory == ""


def test_headers_and_comments() -> None:
    document = parse("#!/bin/bash\n#SBATCH --nodes=2  \n# note\nlaunch\n")
    assert [(text, at.start.line) for text, at in document.headers] == [("--nodes=2", 2)]
    assert [document.source[span] for span in document.comments][-1] == "# note"


# ---------------------------------------------------------------------------------------------- broken continuations

BROKEN = {
    "blank after the backslash": ("launch --a 1 \\ \n  --b 2\n", "\\", "launch --a 1 \\\n  --b 2\n"),
    "comment after the backslash": ("launch --a 1 \\  # 注\n  --b 2\n", "\\", "launch --a 1 \\\n  --b 2\n"),
    "comment line inside": ("launch --a 1 \\\n  # x \\\n  --b 2\n", "# x \\", "launch --a 1 \\\n  --b 2\n"),
    "blank line inside": ("launch --a 1 \\\n\n  --b 2\n", "\\", "launch --a 1 \\\n  --b 2\n"),
    "no backslash": ("launch --a 学\n  --b 2\n", "学", "launch --a 学 \\\n  --b 2\n"),
    "carriage returns": ("launch --a 1 \\\r\n  --b 2\n", "\\", "launch --a 1 \\\n  --b 2\n"),
    "hydra overrides": (
        "launch a.b=1 \\\n # x\n  a.lr=2 \\\n  a.c=3\n",
        "# x",
        "launch a.b=1 \\\n  a.lr=2 \\\n  a.c=3\n",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_continuation_is_found_and_mended(case: str) -> None:
    script, at, mended = BROKEN[case]
    (problem,) = problems(script, "launch/broken-continuation")
    assert problem.at.text == at
    assert problem.message.startswith("the command ends here: ")
    assert ("--b" if "hydra" not in case else "a.lr") in problem.message
    assert [location.text.split()[0] for _, location in problem.related] == ["--b" if "hydra" not in case else "a.lr=2"]
    assert apply(script, problem.edits) == mended
    assert problems(mended, "launch/broken-continuation") == []
    lost = {each.text for command in commands(script) for each in command.words}
    assert not lost & {"--b", "2", "a.lr=2", "a.c=3"}


def test_several_breaks_of_one_command_are_one_problem() -> None:
    script = "launch --a 1\n  --b 2\n  --c 3 \\\n  --d\n"
    (problem,) = problems(script, "launch/broken-continuation")
    assert "the 3 flags below (--b, --c, --d) as separate commands" in problem.message
    assert apply(script, problem.edits) == "launch --a 1 \\\n  --b 2 \\\n  --c 3 \\\n  --d\n"


def test_stray_argument_without_flags_below() -> None:
    (problem,) = problems("launch --a 1 \\ \necho\n", "launch/broken-continuation")
    assert problem.related == ()
    assert "blank" in problem.message


@pytest.mark.parametrize(
    "script",
    [
        "launch --a 1 \\\n  --b 2 \\\n",
        "launch --a 1 \\\n\necho done\n",
        "launch --a 1 \\\n\n",
        "launch --a 1 \\\n  # --resume x\n\necho done\n",
        "launch --a 1 \\",
        "launch a\\ b \\\n c\n",
        "launch '\\ \n --a'\n",
        "launch --a 1\n\n# --b 2\necho -- x\n",
        "cat <<EOF\nlaunch \\ \n  --b\nEOF\n",
        "# launch --a \\ \n#  --b\n",
        "launch --x y\nif foo; then\n  bar\nfi\n",
        "A=(--a 1 # one\n  # two\n  --b 2)\nlaunch ${A[@]}\n",
    ],
)
def test_harmless_lookalikes_are_silent(script: str) -> None:
    assert parse(script).problems == []


# ------------------------------------------------------------------------------------------- syntax and placeholders


@pytest.mark.parametrize(
    ("script", "line", "says"),
    [
        ("launch 'a\nb\n", 1, "never closed"),
        ('x=1\nlaunch "a\n', 2, "never closed"),
        ("if a; then\n  b\n", 1, ""),
        ("for x in 1; do\n# nothing\ndone\n", 3, "no command between `do` and `done`"),
        ("if a; then b; fi; fi\n", 1, ""),
        ("if a; then\r\n  b\r\nfi\r\n", 1, "CRLF"),
        ("launch (a)\n", 1, ""),
    ],
)
def test_syntax_error_has_a_place(script: str, line: int, says: str) -> None:
    (problem,) = problems(script, "file/syntax-error")
    assert problem.at.start.line == line
    assert says in problem.message
    if BASH:
        assert not bash_accepts(script)


@pytest.mark.parametrize(
    "script",
    [
        *[
            "launch \\",
            "launch \\\n    ",
            "A=1; B=${A:$N+1}",
            "x=${that s}",
            'A=${A:-["x","y"]}\nB="${B:-[\'z\']}"\nlaunch $A "$B" ${C:=[1]} ${D-["a b"]}',
            "launch a\\ \n",
            "x=`# c`",
            "echo $()",
            "a= b=1\nlaunch\n",
            "",
        ],
        *[
            "launch\n --lr=3 > log 2>&1 &\n",
            "launch\n--lr=3 2>&1 | tee log\nlaunch\n",
            "if true; then\n--a=3 > b\nfi\n",
        ],
        "if a; then\nX=$(launch $(c)) 2>/dev/null || Y=1 >b 2>&1 # d\nfi\n(A=1 < b)\n{ A=1 >b; }",
    ],
)
def test_gaps_of_the_grammar_are_no_syntax_errors(script: str) -> None:
    if BASH:
        assert bash_accepts(script)
    assert problems(script, "file/syntax-error") == []


def test_placeholder_is_a_word_that_nobody_filled_in() -> None:
    script = "launch --model <模型 path> --lr 1 < in > out\n"
    (problem,) = parse(script).problems
    assert (problem.kind, problem.at.text) == ("launch/placeholder", "<模型 path>")
    (command,) = commands(script)
    assert [each.text for each in command.words] == ["launch", "--model", None, "--lr", "1"]


# ----------------------------------------------------------------------------------------------------------- robust

MARKS = "' \" ` $( ${ $(( )) } ) ( { \\ # <<E a = $x ;; ; && | & [ ] [[ ]] % / * @ A[ += 1 <p --a ! :- ? 学 🚀"
WORDS = "if then fi for do done case in esac eval f() local"
FRAGMENTS = st.sampled_from(
    [*MARKS.split(), *(f"{word} " for word in WORDS.split()), "\\\n", "\n", "\r", "\t", " ", "E\n"]
)


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=25).map("".join)))
def test_never_raises(script: str) -> None:
    document = parse(script.replace("\0", ""))
    for problem in document.problems:
        assert 0 <= problem.at.span.start <= problem.at.span.end <= len(script)
    for invocation in document.invocations:
        for command in invocation.alternatives:
            assert 0 <= command.span.start <= command.span.end <= len(script)


@pytest.mark.parametrize(
    "script",
    [
        "$(" * 20_000,
        "${a:-" * 5_000 + "}" * 5_000,
        "(" * 5_000,
        "if a; then " * 3_000,
        "A=(" * 3_000,
        "x=$((" + "(" * 5_000 + "1" + ")" * 5_000 + "))",
        "f() { f; f; }; f",
        "x=a; " + 'x="$x$x"; ' * 60 + "launch $x",
        "a=1 b=1; " + "a=$((a+b)); b=$((a+b)); " * 80 + "launch $a",
        "for a in {1..30}; do for b in {1..30}; do for c in {1..30}; do for d in {1..30}; do launch $a; done; done; done; done",
        'X=\'eval "$X"\'; eval "$X"',
        "x=" + "a" * 1_000_000 + "; launch ${x%a*b}",
        "launch {" + "{a,b}" * 60 + "}",
        "\U000ef703{\U000d86ba\u00cf6",  # a crash of the grammar's scanner on high code points
    ],
    ids=range(14),
)
def test_never_raises_on_the_pathological(script: str) -> None:
    parse(script)


@pytest.mark.parametrize(
    ("script", "written"),
    [
        ("launch $HOME/a", "$HOME/a"),
        ('launch "${HOME}/a"', "$HOME/a"),
        ("D=$HOME/data; launch $D/a", "$HOME/data/a"),
        ("launch ${D:-$HOME}/a", "$HOME/a"),
        ("launch a/b", "a/b"),
        ("launch $(date)/a", None),
        ("launch $RANDOM/a", None),
        ("launch ${HOME%/}/a", None),
        ("D=$(pwd); launch $HOME/$D", None),
    ],
)
def test_how_a_value_of_the_environment_is_written(script: str, written: str | None) -> None:
    assert word(script).origin.written == written
