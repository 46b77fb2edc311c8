"""Scripts without unknowns: our arguments are exactly those that bash passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_shell import BASH, bash_accepts, bash_launches, our_launches, parse

pytestmark = pytest.mark.skipif(BASH is None, reason="bash is the oracle")

IDIOMS = [
    # variables and quotes
    "lr=2e-5\nlaunch --lr $lr --bs=${bs:-8}",
    'lr="2e-5"; launch "--lr" "$lr" \'$lr\' $lr"x"y',
    'A=1 B="x $A" C=$B; launch $B "$B" $C',
    "launch a\\ b \"a\\$b\" 'a\\b' $'a\\tb\\'c' \"a\\qb\"",
    'OPTS="--a 1 \\\n  --b 2"\nlaunch $OPTS x',
    "OPTS='--a \"x y\"'\nlaunch $OPTS",
    "X=\nlaunch $X \"$X\" '' a${X}b",
    "X=a; X+=b; X=\"$X c\"; launch $X \"${X}d\"",
    'launch --a "1"\'2\'3 --b=$((1+2))x',
    "launch a#b # comment\nlaunch - -- \\  x",
    # continuations
    "launch --a 1 \\\n  --b 2 \\\n  --c 3",
    "launch --a 1\\\n --b 2",
    "launch --a 1 \\ \n  --b 2",
    "launch --a 1 \\ # note\n  --b 2",
    "launch --a 1 \\  # note\n  --b 2",
    "launch --a 1 \\\n  # --b 2 \\\n  --c 3",
    "launch --a 1 \\\n\n  --b 2",
    "launch --a 1\n  --b 2",
    "launch --a 1 \\\r\n  --b 2\r\n",
    "launch --a 1 \\",
    'launch "a \\\n b" \'a \\\n b\' --l\\\nr 1',
    "launch a `# first` \\\n  b `# second` \\\n  c",
    # parameter expansion
    "x=a.b.c; launch ${x%.*} ${x%%.*} ${x#*.} ${x##*.} ${#x}",
    "x=/p/q/model.bin; launch ${x##*/} ${x%/*} \"${x%.bin}\"",
    "x=abcabc; launch ${x/b/X} ${x//b/X} ${x//b} ${x/#a/Z} ${x/%c/Z} ${x:1} ${x:1:2} ${x: -2} ${x:0:-1}",
    "x=aBc; launch ${x^^} ${x,,} ${x^} ${x,}",
    "x=; y=1; launch ${x:-d} ${x-d} ${y:+--flag $y} ${x:+no} ${x+yes} ${z:=e f} $z",
    'x=; launch "${x:-a b}" ${x:-"c d"} ${x:-e f} "${x:-"g h"}"',
    'y="q r"; launch ${y:+--name "$y"} --end',
    "x=y; y=5; launch ${!x}",
    "x='a*b'; launch \"${x%\\*b}\" \"${x%'*b'}\"",
    # arithmetic
    "a=4 b=8; launch $((a*b)) $(( $a ** 2 )) $((a>b?1:2)) $((0x1f)) $((010)) $((-7/2)) $((-7%3)) $((1<<4|1))",
    "a=3; launch $((a++)) $((a)) $((++a)) $((a+=5)) $a $[1+2] $((a=2, a*3)) $((!a)) $((a==2&&1||0))",
    "let x=2*3 y=x+1; launch $x $y; ((x+=4)); launch $x",
    "A=(1 2 3); i=1; launch $((A[1]*2)) ${A[i]} ${A[$i+1]} ${A[-1]}",
    # arrays
    'A=(--a 1 # note\n  "--b" "x y")\nA+=(--c)\nlaunch "${A[@]}" ${A[@]} "${A[*]}" ${#A[@]}',
    'A=(a b); A[3]=d; A[0]+=z; launch "${A[@]}" "${A[0]}" $A x"${A[@]}"y',
    'A=(); launch "${A[@]}" x "${A[*]}"',
    'A=(1 2 3 4); launch "${A[@]:1}" "${A[@]:1:2}" "${A[@]/#/n}"',
    'declare -A m=([a]=1 [b]="2 3"); m[c]=4; launch "${m[a]}" "${m[b]}" ${m[c]} ${m[nope]}',
    # braces
    "launch {a,b}c x{1..3} {3..1} {01..03} {a,b}{1,2} {} {a} a{,b} '{a,b}' {\"k\":1,\"l\":2}",
    # conditions
    'x=1; if [ "$x" -eq 1 ]; then y=a; else y=b; fi; launch $y',
    'x=abc; if [[ $x == a* && -n $x ]]; then launch 1; elif [ 1 = 1 ]; then launch 2; fi',
    'x=; [ -z "$x" ] && x=5; [[ $x != 5 ]] || launch $x; [ a = b -o 1 -lt 2 ] && launch or',
    "if (( 2 > 1 )) && ! [ 1 = 2 ]; then launch yes; else launch no; fi",
    "x=sft; case $x in pt) launch pt;; sft|dpo) launch $x;; *) launch other;; esac",
    "if test 3 -gt 2; then launch a; fi; false && launch b; true || launch c; false || launch d",
    # loops, functions, nested shells
    'for x in 1 2 "3 4"; do launch $x; done; launch $x',
    "for i in {1..3}; do [ $i = 2 ] && continue; launch $i; done",
    "for i in $(seq 1 3); do for j in a b; do launch $i $j; [ $j = a ] && break; done; done",
    "for ((i=0; i<3; i++)); do launch $i; done; launch $i",
    'f() { local x=$1; launch "$x" $# "$@"; }; x=out; f a "b c"; f; launch $x',
    "f() { [ $1 = a ] && return; launch $1; }; f a; f b",
    "CMD='launch --a 1 \"b c\" $X'; X=7; eval $CMD; eval \"$CMD\"",
    "export X=1; Y=2; bash -c 'launch $X \"$Y\"'; Z=3 bash -c 'launch $Z $1' p q",
    "set -- a b c; launch $1 $#; shift; launch \"$@\"; shift 2; launch $#",
    "(x=1; launch $x); x=${x:-unset}; launch $x | cat; x=2 | cat; launch $x",
    "launch $(echo a b) \"$(basename /p/q.json .json)\" `dirname /p/q` $(expr 2 \\* 4 + 1) $(printf '%s' z)",
    "unset x; launch ${x-gone} \"$x\"; x=1; unset x; launch [$x]",
    "launch a > out.txt b 2>&1 c < /dev/null d &> log\nwait",
    "if true; then x=$(echo $(echo 1)) 2>/dev/null\ny=3 > log\nfi; launch $x $y",
    "launch a\n  --lr=3 2>&1 | tee log\nlaunch b",
    "read -r -d '' CMD <<EOF\nlaunch --a 1 \\\n  --b $((1+1))\nEOF\n$CMD; eval $CMD",
    "x=1; launch 学习率 \"🚀$x\" --名=值; y=é${x}é; launch $y",
    "a=1 b='2 3' L=(p 'q r')\nif [[ $a == 2 ]]; then c=1 d=2\nelse c=3 d=4\nfi\nlaunch $c $d",
    "if true; then c=1 d=$(echo 2)\n  [[ $c = 1 ]] && launch $c $d; fi",
    "launch a; exit; launch b",
    "time launch a; nohup launch b; exec launch c",
    # loops that end
    "set -- --lr 1e-4 --bf16 x --bs=8\nwhile [[ $# -gt 0 ]]; do case $1 in --lr) LR=\"$2\"; shift 2;; --bf16) B=1; shift;; "
    "--bs=*) BS=${1#*=}; shift;; *) REST+=($1); shift;; esac; done; launch $LR $B $BS ${REST[@]} $#",
    "set -- -a 1; while [ -n \"$1\" ]; do case \"$1\" in -a) a=$2; shift ;; esac; shift; done; launch $a",
    "i=0; while (( i < 3 )); do launch $i; (( i++ )); done; launch $i",
    "i=3; until [ $i -le 0 ]; do i=$((i-1)); [ $i = 1 ] && break; launch $i; done; launch end $i",
    "n=2; for ((i=0; i<$n; i++)); do launch $i; done; for ((i=0;;i++)); do [ $i = 2 ] && break; launch b$i; done; launch $i",
    "f() { for ((i=0; i<5; i++)); do [ $i = 1 ] && return; launch $i; done; launch never; }; f; launch $i",
    "while true; do launch once; break; done; launch after",
    # calculations
    'launch $(echo "scale=2; 7/3" | bc) $(bc <<< "2*3.5") $(echo "1.50*4" | bc -l) $(echo "-(1/4)" | bc -l) `echo "2^10" | bc`',
    'x=0.5; launch $(echo "$x * 4" | bc) $(echo "10 / 4" | bc) $(echo "scale=6; 1.5/7" | bc) end',
    "cd /usr/bin; launch $(pwd) $(cd ../lib && pwd) $(cd .. > /dev/null 2>&1; pwd -P) $(realpath /usr/./bin/../lib)",
    "if false; then launch a; fi; x=1; while false; do x=2; done; launch done",
    # what is printed and read
    "x=$(launch a); if y=$(launch b); then launch c; fi; echo $(launch d | cat) > f",
    "f() { local x=$1; echo \"x$x\"; return 0; echo no; }; x=1; y=$(f 5); launch $y $x $(f a b)",
    "f() { for i in 1 2; do echo $i; done; printf '%s-%03d\\n' c 7; echo e >&2; }; launch $(f)",
    "{ echo a; (echo b); } > f; echo c | tee g >> f; launch $(cat f) $(< g)",
    "while IFS=, read -r a b; do launch $a $b; done <<EOF\n1,2\n3,4\nEOF\nread x y <<< '5 6 7'; launch $x \"$y\"",
    "mapfile -t A < <(echo a; echo b c); launch \"${A[@]}\"; IFS=: read -ra B <<< p:q; launch ${B[1]} ${#B[@]}",
    "bash <<EOF\nlaunch a\nEOF\necho 'LR=5' > e.sh; . ./e.sh; launch $LR; echo 'launch $1' > r.sh; bash r.sh 3",
    # names of names
    "declare -A M=([a]=1 [b]=2); M[c]=3; k=c; launch ${M[$k]} ${M[z]-no}; unset M[a]; launch ${#M[@]}",
    "A=(1 2 3); for i in \"${!A[@]}\"; do launch $i ${A[$i]}; done; unset 'A[1]'; launch ${A[@]} ${!A[@]} \"${A[@]:1}\"",
    "f() { local -n out=$1; out+=(7); }; L=(a); f L; launch ${L[@]}; f2() { export \"$1=$2\"; }; f2 k v; launch $k ",
    "set -- a b c; launch \"${@:2}\" \"${@:1:2}\" \"${!#}\" \"${@: -1}\"; printf -v x 'a%sb' 5; launch $x",
    # ways out
    "f() { return 1; }; if f; then launch yes; else launch no; fi",
    "for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; launch $i$j; done; done",
    "for ((i=0, j=5; i<3; i++, j--)); do launch $i $j; done; launch $i",
    "case abc in a*) launch 1;;& *c) launch 2;; *) launch 3;; esac; case x in x) launch f;& y) launch g;; z) launch h;; esac",
    "set -a; X=5; set +a; bash -c 'launch $X'; f() { launch $x; }; x=1; x=3 f; launch $x",
]  # fmt: skip


@pytest.mark.parametrize("script", IDIOMS)
def test_idiom_is_read_as_bash_reads_it(script: str) -> None:
    assert our_launches(script) == bash_launches(script)


@pytest.mark.parametrize("script", IDIOMS)
def test_idiom_has_no_syntax_error(script: str) -> None:
    assert bash_accepts(script)
    assert [problem for problem in parse(script).problems if problem.kind == "file/syntax-error"] == []


# ------------------------------------------------------------------------------------------------ generated scripts

NAMES = st.sampled_from(["a", "b", "c"])
TEXT = st.text(st.sampled_from("abX1. -_/:=,+é学"), max_size=5)
NUMBERS = st.integers(-20, 40)


def _quoted(text: str) -> str:
    return "'" + text + "'"


@st.composite
def words(draw: st.DrawFn) -> str:
    """One word in a form that has no side effect and no unknown."""
    name, text, number = draw(NAMES), draw(TEXT), draw(NUMBERS)
    operator = draw(st.sampled_from(["%", "%%", "#", "##"]))
    pattern = draw(st.sampled_from(["*", "?", "a*", "*.", "[a-z]", "'*'", "1", "*[!a]", '"."*']))
    piece = st.sampled_from(
        [
            _quoted(text),
            '"' + text + '"',
            f"${{{name}}}",
            f'"${name}"',
            f'"x${{{name}}}y"',
            f"${{{name}:-{text}}}",
            f'"${{{name}:-{text}}}"',
            f"${{{name}:+z {text}}}",
            f"${{{name}{operator}{pattern}}}",
            f'"${{{name}//a/{draw(st.sampled_from(["", "Q", "$b"]))}}}"',
            f'"${{{name}/{pattern}/R}}"',
            f"${{{name}:{abs(number) % 4}:2}}",
            f"${{#{name}}}",
            f"${{{name}^^}}",
            f"$((n * {number} + m))",
            f"$(( (n - {number}) % 7 ? n : m ** 2 ))",
            f"$((n {draw(st.sampled_from(['<', '>=', '==', '&&', '||', '|', '^', '<<']))} {abs(number)}))",
            '"${L[@]}"',
            "${L[@]}",
            '"${L[*]}"',
            f"${{L[{abs(number) % 3}]}}",
            "${#L[@]}",
            "{-,${a}}",
            "q\\ r",
            "--flag",
            "--k=v",
        ]
    )
    return draw(st.one_of(st.just(f"${name}"), st.lists(piece, min_size=1, max_size=3).map("".join)))


@st.composite
def statements(draw: st.DrawFn, depth: int = 0) -> str:
    kinds = ["assign", "append", "launch", "array", "number", "prefix"] + (
        ["if", "case", "and", "for"] if depth < 2 else []
    )
    kind = draw(st.sampled_from(kinds))
    name, word = draw(NAMES), draw(words())
    if kind == "assign":
        return f"{draw(st.sampled_from(['', 'export ', 'declare ']))}{name}={draw(TEXT.map(_quoted))}"
    if kind == "append":
        return name + "+=" + draw(st.sampled_from(["x", "'y z'", "1"]))
    if kind == "array":
        if depth:  # nothing that grows with every round of a loop
            return "L+=(x '')"
        return f"L{draw(st.sampled_from(['=', '+=']))}({' '.join(draw(st.lists(words(), max_size=3)))})"
    if kind == "number":
        return f"{draw(st.sampled_from(['n', 'm']))}=$(((n * {draw(NUMBERS)} - m) % 1000))"
    if kind == "if":
        test = draw(
            st.sampled_from(
                [
                    '[ -z "$a" ]',
                    '[ "$a" = "$b" ]',
                    "[[ $a == a* ]]",
                    "(( n > m ))",
                    "[ $n -le 5 ]",
                    "[[ -n $b && ! $c = b ]]",
                ]
            )
        )
        yes, no = draw(statements(depth + 1)), draw(statements(depth + 1))
        return f"if {test}; then\n{yes}\nelse\n{no}\nfi"
    if kind == "case":
        return f"case $a in a*|b) {draw(statements(depth + 1))};; *[1x]) launch case;; *) {draw(statements(depth + 1))};; esac"
    if kind == "and":
        return f'[ -n "${name}" ] && {draw(statements(depth + 1))}'
    if kind == "for":
        return f'for {name} in x1 "${name}" {{u,v}}; do\n{draw(statements(depth + 1))}\ndone'
    arguments = draw(st.lists(words(), max_size=4))
    join = draw(st.sampled_from([" ", " \\\n  "]))
    prefix = f"V={draw(TEXT.map(_quoted))} " if kind == "prefix" else ""
    return prefix + join.join(["launch", word, *arguments])


@settings(max_examples=150)
@given(st.lists(statements(), min_size=1, max_size=7))
def test_generated_scripts_are_read_as_bash_reads_them(lines: list[str]) -> None:
    script = "a=ab.1 b='x y' c= n=3 m=4 L=(p 'q r')\n" + "\n".join(lines) + '\nlaunch "$a" "$b" "$c" $n $m "${L[@]}"\n'
    assert our_launches(script) == bash_launches(script)
