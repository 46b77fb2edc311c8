"""Scripts as they are called: with arguments, with an empty environment, beside the files that they source and write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_shell import BASH, bash_launches, commands, our_launches, parse
from trainlint.readers.caller import Caller
from trainlint.readers.shell.calculator import Uncertain, calculate

pytestmark = pytest.mark.skipif(BASH is None, reason="bash is the oracle")

OPTIONS = """MODEL=7b LR=1e-4
while [[ $# -gt 0 ]]; do
  case "$1" in
    --lr) LR="$2"; shift 2 ;;
    --model=*) MODEL="${1#*=}"; shift ;;
    *) REST="$REST $1"; shift ;;
  esac
done
launch --lr $LR --model $MODEL $REST $#
"""
CALLED = [
    ('launch $1 "$2" ${3:-d} $# "$@"', ("a", "b c")),
    ("shift; launch $1 $#; set -- x $@; launch $@", ("a", "b", "c")),
    ('f() { launch "$1" $#; }; f $2; launch ${10} ${11}', tuple("abcdefghijk")),
    ('if [ -z "$1" ]; then launch none; else launch $1; fi; for x; do launch - $x; done', ("a", "b")),
    (OPTIONS, ("--model=13b", "--lr", "3e-5", "y")),
    (OPTIONS, ()),
    ("while getopts 'a:b' o; do launch $o; done", ()),
]


def _stated(arguments: tuple[str, ...]) -> Caller:
    return Caller(arguments=dict(enumerate(arguments, 1)), unset_is_empty=True)


@pytest.mark.parametrize(("script", "arguments"), CALLED)
def test_arguments_of_a_call(script: str, arguments: tuple[str, ...]) -> None:
    ours = our_launches(script, _stated(arguments))
    assert ours == bash_launches(script, arguments=arguments) or "getopts" in script


EMPTY = [
    "launch --lr $LR --bs ${BS:-8} end",
    'launch "$A" x$B $((N + 1)) ${#C} ${D[@]} "${E[@]}" ${F:+f} ${G-g} end',
    "A+=x; A+=($B y); launch ${A[@]}; export C; bash -c 'launch \"$C\" $D'",
    "if [ -z $X ]; then launch empty; fi; [[ $Y == '' ]] && launch too; case $Z in '') launch case;; *) launch other;; esac",
    'for x in $LIST a; do launch $x; done; launch $# "$@" $1',
    "if [ $ENV = dsw ]; then N=1; elif [ $ENV = dlc ]; then N=2; fi; launch --n $N --end",
]


@pytest.mark.parametrize("script", EMPTY)
def test_what_nothing_sets_is_empty_if_that_is_assumed(script: str) -> None:
    assert our_launches(script, Caller(unset_is_empty=True)) == bash_launches(script)


def test_what_is_always_set_is_not_assumed_empty() -> None:
    assert our_launches("launch $HOME $RANDOM $USER", Caller(unset_is_empty=True)) == [[None, None, None]]


def test_a_descriptor_that_the_shell_chooses_is_unknown() -> None:
    assert our_launches("exec {fd}> lock; launch $fd", Caller(unset_is_empty=True)) == [[None]]


def test_arguments_that_nobody_states_stay_unknown() -> None:
    (command,) = commands("launch $1 $2 $3 $#", caller=Caller(arguments={2: "b"}))
    assert [word.text for word in command.words[1:]] == [None, "b", None, None]
    (shifted,) = commands("shift; launch $1 $2", caller=Caller(arguments={1: "a", 2: "b"}))
    assert [word.text for word in shifted.words[1:]] == ["b", None]


def test_an_option_loop_over_unknown_arguments_decides_nothing() -> None:
    (command,) = commands(OPTIONS)
    assert command.words[2].text is None
    assert command.words[2].unknown == "assigned inside a while loop"


def test_a_loop_without_a_known_end_is_looked_at_once() -> None:
    assert our_launches("while true; do launch a; sleep 1; done; launch b") == [["a"], ["b"]]
    assert our_launches("for ((;;)); do launch a; done") == [["a"]]


def test_an_unknown_part_of_what_eval_gets_may_be_several_words() -> None:
    script = 'if [ -z "$A" ]; then A=(--x 1); fi\ncmd="launch ${A[@]} --y 2"\neval $cmd'
    found = commands(script)
    assert [
        [word.text for word in command.words] for command in found if not any(w.several for w in command.words)
    ] == [["launch", "--x", "1", "--y", "2"]]
    assert [[word.several for word in command.words] for command in found if command.words[1].text is None] == [
        [False, True, False, False]
    ]


# ------------------------------------------------------------------------------------------------- sourced files

COMMON = 'LR=2e-5\nnames() { launch "$@"; }\nARGS=(--bs 4 "$1")\nlaunch sourced $LR\n'
SOURCING = [
    "source ./common.sh; launch $LR ${ARGS[@]}; names a b",
    ". common.sh x y; launch ${ARGS[@]} $#",
    'source "$(dirname "$0")/common.sh"; launch $LR',
    'source "$(dirname "${BASH_SOURCE[0]}")/common.sh"; launch $LR',
    'DIR="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" >/dev/null 2>&1 && pwd)"; . "$DIR/common.sh"; launch $LR',
    "DIR=$(dirname $(readlink -f $0)); source ${DIR}/sub/more.sh; launch $MORE $LR",
    "cd sub; source ../common.sh; launch $LR",
    'launch "$(basename "$0")" $(basename $0 .sh)',
    'if [ 1 = 1 ]; then source common.sh; fi; for x in 1 2; do . ./common.sh $x; done; launch "${ARGS[@]}"',
    "source common.sh; LR=1; launch $LR; source sub/returns.sh; launch $DONE",
]
FILES = {
    "common.sh": COMMON,
    "sub/more.sh": 'source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"\nMORE=1\n',
    "sub/returns.sh": "DONE=1\nreturn\nDONE=2\n",
}


def test_a_sourced_value_stands_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "common.sh").write_text(COMMON)
    script = "x=1\nsource common.sh\nlaunch --lr $LR\n"
    inner, outer = commands(script, file=tmp_path / "run.sh")
    literal = outer.words[2].origin.literal
    assert literal is not None
    assert (literal.source.path, literal.text) == ("common.sh", "2e-5")
    assert script[inner.span.start : inner.span.end] == "source common.sh"
    assert parse(script, file=tmp_path / "run.sh").sourced == [tmp_path / "common.sh"]


@pytest.mark.parametrize(
    "text", ["source gone.sh", "source $UNKNOWN/bin/activate", "source", ". /proc/self/mem", "source run.sh"]
)
def test_what_cannot_be_sourced_changes_nothing(tmp_path: Path, text: str) -> None:
    script = f"lr=1; {text}; launch $lr"
    (tmp_path / "run.sh").write_text(script)
    assert {tuple(words) for words in our_launches(script, file=tmp_path / "run.sh")} == {("1",)}


STARTING = [
    'LR=1 export EPOCHS=3; bash train.sh 2e-5 "a b"',
    "LR=1; bash -e train.sh; launch $LR $EPOCHS",
    'BS=4 bash ./train.sh "$@" x; launch ${BS:-none}',
    "for lr in 1e-5 2e-5; do ./train.sh $lr; done",
    'D=$(cd "$(dirname "$0")" && pwd); nohup bash $D/sub/inner.sh one two > log 2>&1',
    "cd sub; sh ../train.sh; bash inner.sh 7",
    "f() { launch f; }; bash train.sh; set -- q; bash train.sh $1",
    "bash sub/options.sh --lr 3e-5 --model=13b rest; bash gone.sh 1; x=$(bash train.sh)",
    "echo bash train.sh 1; printf '%s ' bash train.sh; echo bash -c 'launch x'; LR=7 bash train.sh",
    "bash train.sh | tee log; (bash train.sh 2); if bash train.sh 3; then launch yes; fi",
]
STARTED = {
    "train.sh": 'launch "$#" "$1" ${EPOCHS:-0} ${BS:-8} "$LR" "$(basename "$0")"\nEPOCHS=99\n',
    "sub/inner.sh": 'cd "$(dirname "$0")"\nlaunch inner $2\nbash ../train.sh "$1"\n',
    "sub/options.sh": OPTIONS,
}


@pytest.mark.parametrize(
    ("script", "files"), [*((script, FILES) for script in SOURCING), *((script, STARTED) for script in STARTING)]
)
def test_files_that_a_script_sources_or_starts(tmp_path: Path, script: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ours = our_launches(script, Caller(unset_is_empty=True), tmp_path / "run.sh")
    assert ours == bash_launches(script, files=files)


@pytest.mark.parametrize("script", ["sbatch $0", 'bash "$0" again', "bash run.sh", "./run.sh; bash other.sh"])
def test_a_script_that_starts_itself_comes_to_an_end(tmp_path: Path, script: str) -> None:
    script = f"launch 1; {script}"
    (tmp_path / "run.sh").write_text(script)
    (tmp_path / "other.sh").write_text("launch 2; bash run.sh; bash other.sh")
    found = {tuple(words) for words in our_launches(script, file=tmp_path / "run.sh")}
    assert {("1",)} <= found <= {("1",), ("2",)}


@pytest.mark.parametrize("carrier", ["docker run -e LR=3 image", "sudo", "ssh host"])
def test_what_the_script_sets_may_not_be_there_elsewhere(tmp_path: Path, carrier: str) -> None:
    (tmp_path / "train.sh").write_text('launch "$1" ${LR:-0}')
    script = f"export LR=2; LR=5 {carrier} bash train.sh 1"
    assert our_launches(script, Caller(unset_is_empty=True), tmp_path / "run.sh") == [["1", None]]


@pytest.mark.parametrize("header", ["", "#SBATCH --nodes=2\n"])
def test_a_queued_script_is_followed_where_the_limits_of_the_job_are_its_own(tmp_path: Path, header: str) -> None:
    (tmp_path / "train.slurm").write_text('launch "$1" ${LR:-0}')
    script = f"#!/bin/bash\n{header}sbatch -N 2 --time 1:00 train.slurm 5"
    assert our_launches(script, Caller(unset_is_empty=True), tmp_path / "run.sh") == ([] if header else [["5", "0"]])


def test_a_file_that_is_handed_to_the_script_may_set_anything() -> None:
    (found,) = commands('lr=1; source "$CONFIG"; launch $lr')
    assert found.words[1].text is None
    assert "CONFIG" in (found.words[1].unknown or "")


# ------------------------------------------------------------------------------------------------- written files

WRITING = [
    'bs=4\ncat > ds.json <<EOF\n{"a": $bs, "b": "$(basename /x/y)"}\nEOF',
    'cat <<\'EOF\' > ds.json\n{"a": "$bs"}\nEOF',
    'cat <<-EOF >ds.json\n\t{\n\t"a": 1}\n\tEOF',
    'echo \'{"a": 1}\' > ds.json; echo "# x" >> ds.json',
    "printf '%s\\n' '{}' > ./ds.json",
    "mkdir -p o; cat > o/../ds.json << EOF\n{}\nEOF",
    "cat > ds.json <<EOF\n{1}\nEOF\ncat > ds.json <<EOF\n{2}\nEOF",
]


@pytest.mark.parametrize("script", WRITING)
def test_written_files_hold_what_bash_writes(script: str) -> None:
    ((text,),) = bash_launches(f'{script}\nIFS= read -r -d "" x < ds.json; launch "$x"')
    written = parse(f"{script}\ntorchrun train.py --deepspeed ds.json").written
    assert {path: file.text for path, file in written.items()} == {"ds.json": text}


@pytest.mark.parametrize(
    "script",
    [
        "cat > ds.json <<EOF\n{$UNKNOWN}\nEOF",
        "sed s/a/b/ t.json > ds.json",
        "echo x >> ds.json",
        "echo 1 > ds.json; sed -i s/1/2/ ds.json",
        "echo 1 > ds.json; envsubst < t.json > ds.json",
        "echo 1 > ds.json; cp other.json ds.json",
        "echo 1 > ds.json; for x in $LIST; do (echo $x > ds.json); done",
        "if [ $A = 1 ]; then echo 1 > ds.json; else echo 2 > ds.json; fi",
    ],
)
def test_text_that_only_a_run_knows(script: str) -> None:
    written = parse(f"{script}\ntorchrun train.py --deepspeed=ds.json").written
    assert {path: file.text for path, file in written.items()} == {"ds.json": None}


# ---------------------------------------------------------------------------------------------------- calculator

_NUMBERS = st.one_of(st.integers(0, 500).map(str), st.decimals(0, 50, places=2).map(str), st.sampled_from([".5", "3."]))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(_NUMBERS, st.sampled_from("+-*/%"), st.booleans()), min_size=1, max_size=4),
    _NUMBERS,
    st.sampled_from(["", "scale=3; "]),
)
def test_calculations_as_bc_makes_them(terms: list[tuple[str, str, bool]], last: str, scale: str) -> None:
    expression = scale + "".join(f"{'-' * minus}{number} {sign} " for number, sign, minus in terms) + last
    try:
        ours = calculate(expression)
    except Uncertain:
        return
    assert [[ours]] == bash_launches(f'launch "$(echo "{expression}" | bc)"')


def test_a_list_too_long_to_follow_is_unknown_and_not_its_own_spelling() -> None:
    (words,) = our_launches("for seed in {1..1000}; do launch $seed; done")
    assert words == [None]
    assert our_launches("launch {1..1000}") == [[None]]
    (words,) = our_launches("A=(x); for i in {1..12}; do A+=(${A[@]}); done; launch ${A[@]}")
    assert set(words) == {None}


# Each of these takes hours where it is followed to its end.
ENDLESS = [
    """x='eval "$x"; eval "$x"'; eval "$x" """,
    """x='bash -c "$x"; bash -c "$x"'; export x; bash -c "$x" """,
    "f() { if foo; then x=$lr$x; fi; if bar; then f; else f; fi; }; f",
    'f() { lr=$(f)$(f); echo "$lr"; }; f',
    'for i in {1..32}; do set -- a "$@" "$@"; done',
    'A=(a b c); for i in {1..32}; do A+=("${A[@]}"); done',
    "echo " + "{a," * 500 + "b" + "}" * 500,
]


@pytest.mark.parametrize("script", ENDLESS)
def test_what_grows_without_end_is_given_up(script: str) -> None:
    assert len(our_launches(f"{script}\nlaunch 1")) == 1


def test_what_is_not_followed_may_have_set_anything() -> None:
    script = "lr=1; f() { f; f; eval lr=2; }; f; launch $lr"
    assert {tuple(words) for words in our_launches(script)} <= {(None,), ("2",)}
