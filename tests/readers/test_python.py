"""Python is read without running it: the values are Python's own where they can be told, and unknown everywhere else."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlint.document import Call, Value
from trainlint.readers.python import NotPlain, plain, read
from trainlint.text import SourceText


def calls(text: str, defines: dict[str, str] | None = None) -> list[Call]:
    """The calls of a function called `f`, which the texts here use to show a value."""
    document = read(SourceText("train.py", text), defines or {})
    assert not document.problems
    return [call for call in document.calls if call.function.name == "f"]


def value_of(text: str, defines: dict[str, str] | None = None) -> Value:
    return calls(text, defines)[-1].positional[0]


def seen(text: str, defines: dict[str, str] | None = None) -> Any:
    """The value handed to the last `f(…)`, or `...` where it is unknown."""
    try:
        return plain(value_of(text, defines))
    except NotPlain:
        return ...


# ------------------------------------------------------------------------------------------------- Python as the oracle

scalars = st.one_of(
    st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False, width=32), st.booleans(), st.none(),
    st.text("aä学😀'\"\\{} \n", max_size=5),
)  # fmt: skip
literals = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3) | st.tuples(inner, inner),
).map(repr)
operators = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "<<", "|", "and", "or", "==", "!=", "<", ">=", "in", "not in"]
)
expressions = st.recursive(
    literals,
    lambda inner: st.one_of(
        st.tuples(inner, operators, inner).map(lambda each: f"({each[0]} {each[1]} {each[2]})"),
        inner.map(lambda each: f"(not {each})"),
        inner.map(lambda each: f"(-{each})"),
        st.tuples(inner, inner, inner).map(lambda each: f"({each[0]} if {each[1]} else {each[2]})"),
        st.tuples(st.sampled_from(["int", "float", "str", "len", "abs", "max", "min", "bool"]), inner).map(
            lambda each: f"{each[0]}({each[1]})"
        ),
        st.tuples(inner, inner).map(lambda each: f"{each[0]}[{each[1]}]"),
        inner.map(lambda each: f'f"x{{ {each} }}y"' if '"' not in each and "\\" not in each else each),
        st.tuples(inner, inner).map(lambda each: f"[*{each[0]}, {each[1]}]"),
        st.tuples(inner, inner).map(lambda each: f"{{**{each[0]}, 'k': {each[1]}}}"),
        inner.map(lambda each: f"dict(a={each})"),
    ),
    max_leaves=6,
)


@settings(max_examples=400)
@given(expressions)
def test_what_is_known_is_what_python_says(expression: str) -> None:
    try:
        expected = eval(expression, {})  # generated above: literals and operators alone
    except Exception:
        # a condition may fail between two values that are the same
        assert " if " in expression or seen(f"f({expression})") is ...
        return
    found = seen(f"f({expression})")
    if found is not ...:
        assert type(found) is type(expected)
        assert repr(found) == repr(expected)


@given(literals)
def test_every_literal_is_known(literal: str) -> None:
    assert repr(seen(f"x = {literal}\ny = x\nf(y)")) == repr(eval(literal, {}))


@pytest.mark.parametrize(
    "expression",
    ["2e-5", "1e-4 * 2", "2**10", "-1", "64 // (4 * 2)", "f'out/{8}-{2e-5:.1e}'", "dict(a=1, **{'b': 2})", "[1] * 3", "'a' 'b'",
     "max(1, 2)", "int(0.03 * 1000)", "None is None", "1 if 'x' in ['x'] else 2", "'A'.lower()", "{'a': {'b': 3}}['a']['b']"],
)  # fmt: skip
def test_what_people_write_is_computed(expression: str) -> None:
    assert seen(f"f({expression})") == eval(expression, {})


@pytest.mark.parametrize(
    "expression",
    ["9**9**9", "'a' * 10**9", "1 << 10**9", "'%0999999999d' % 1", "f'{1:999999999}'", "[0] * 10**9", "int('9' * 5000)",
     "1/0", "(1).__class__", "open('x')", "[x for x in [1]]", "lambda: 1", "1 + 1j", "'a'.replace('', 'b' * 9999)"],
)  # fmt: skip
def test_what_is_too_much_or_not_plain_is_unknown(expression: str) -> None:
    assert seen(f"f({expression})") is ...


def test_a_text_that_nests_too_deeply_is_unknown() -> None:
    assert seen(f"f({'-' * 500}1)") is ...
    assert seen(f"f({'1+' * 900}1)") is ...


# ------------------------------------------------------------------------------------------------------ order of statements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr = 1\nlr = 2\nf(lr)\nlr = 3", 2),
        ("lr = 1\nlr += 1\nf(lr)", 2),
        ("a = b = 2\nf(a * b)", 4),
        ("a, (b, c) = 1, [2, 3]\nf(c)", 3),
        ("lr: float = 1\nf(lr)", 1),
        ("if x:\n  lr = 1\nf(lr)", 1),  # else it fails with a NameError
        ("lr = 1\nif x:\n  lr = 2\nf(lr)", ...),
        ("lr = 1\nif x:\n  lr = 2\nelse:\n  lr = 2\nf(lr)", 2),
        ("lr = 1\nif x:\n  lr = 2\n  raise SystemExit\nf(lr)", 1),
        ("big = True\nif big:\n  lr = 1\nelse:\n  lr = 2\nf(lr)", 1),
        ("if __name__ == '__main__':\n  f(1)", 1),
        ("lr = 1\nfor lr in range(3):\n  pass\nf(lr)", ...),
        ("lr = 1\nfor i in x:\n  f(lr)\n  lr = 2", ...),
        ("for i in [1, 2]:\n  f(i)", ...),
        ("lr = 1\nwhile x:\n  lr *= 2\nf(lr)", ...),
        ("lr = 1\ntry:\n  lr = 2\nexcept E:\n  pass\nf(lr)", ...),
        ("try:\n  import a\nexcept E:\n  lr = 1\nf(lr)", 1),
        ("lr = 1\nwith x as lr:\n  pass\nf(lr)", ...),
        ("lr = 1\ndel lr\nf(lr)", ...),
        ("lr = 1\nfrom x import *\nf(lr)", ...),
        ("from x import *\nlr = 1\nf(lr)", 1),
        ("lr = 1\nexec(open('x').read())\nf(lr)", ...),
        ("lr = 1\nmatch x:\n  case 1:\n    lr = 2\nf(lr)", ...),
        ("lr = 1\nmatch x:\n  case [lr]:\n    pass\nf(lr)", ...),
        ("f(y := 3)\nf(y)", 3),
        ("lr = 1\nlr: int\nf(lr)", 1),
        ("assert (lr := 2)\nf(lr)", 2),
        ("lr = 1\n[lr := x for x in y]\nf(lr)", ...),
    ],
)
def test_the_order_decides_or_nobody_does(text: str, expected: object) -> None:
    assert seen(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr = 1\ndef main():\n  f(lr)", 1),
        ("def main():\n  f(lr)\nlr = 1", 1),
        ("lr = 1\ndef main():\n  f(lr)\nlr = 2", ...),
        ("lr = 1\ndef main():\n  lr = 2\n  f(lr)", 2),
        ("lr = 1\ndef main(lr=2):\n  f(lr)", ...),
        ("lr = 1\ndef main():\n  def inner():\n    f(lr)", 1),
        ("lr = 1\ndef main():\n  lr = 2\n  def inner():\n    f(lr)", 2),
        ("lr = 1\ndef change():\n  global lr\n  lr = 2\nf(lr)", ...),
        ("k = {'a': 1}\ndef change():\n  k['a'] = 2\nf(k)", ...),
        ("class A:\n  lr = 1\n  def main(self):\n    f(lr)", ...),
        ("lr = 3\nclass A:\n  def main(self):\n    f(lr)", 3),
        ("async def main():\n  await f(1)", 1),
    ],
)
def test_functions_see_what_has_one_value(text: str, expected: object) -> None:
    assert seen(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k = {'a': 1}\nk['b'] = 2\nf(k)", {"a": 1, "b": 2}),
        ("k = dict(a=1)\nk.update(b=2)\nk.update({'a': 3})\nf(k)", {"a": 3, "b": 2}),
        ("k = [1]\nk.append(2)\nf(k)", [1, 2]),
        ("k = [1]\nk.sort()\nf(k)", ...),
        ("k = {'a': 1}\nm = k\nm['a'] = 2\nf(k)", {"a": 2}),
        ("k = {'a': 1}\nm = k.copy()\nm['a'] = 2\nf(k)", {"a": 1}),
        ("k = {'a': 1}\nif x:\n  k['a'] = 2\nf(k)", ...),
        ("k = {'a': 1}\nif x:\n  k.update(b=2)\nf(k)", ...),
        ("k = {'a': 1}\nchange(k)\nf(k)", ...),
        ("k = {'a': 1}\ndel k['a']\nf(k)", ...),
        ("k = {'a': 1}\nk[x] = 2\nf(k)", ...),
        ("k = {'a': 1}\nf(k.get('a', 2))", 1),
        ("k = {'a': 1}\nf(k.get('b', 2))", 2),
        ("k = [1, 2]\nk += [3]\nf(k)", [1, 2, 3]),
    ],
)
def test_lists_and_dicts_are_followed_or_given_up(text: str, expected: object) -> None:
    assert seen(text) == expected


def test_environment_variables_are_unknown_unless_the_user_gives_them() -> None:
    for text in (
        "import os\nf(os.environ['LR'])",
        "import os\nf(os.getenv('LR', 1))",
        "from os import environ\nf(environ.get('LR'))",
    ):
        assert seen(text) is ...
        assert seen(text, {"LR": "2e-5"}) == "2e-5"
    assert "--define LR=" in (value_of("import os\nf(os.environ['LR'])").unknown or "")


# ---------------------------------------------------------------------------------------------------------- calls


def test_calls_have_the_names_that_imports_give() -> None:
    text = """\
import transformers as t
from transformers import TrainingArguments as TA
from trl import *
class Mine(TA): pass
class TA2: pass
t.TrainingArguments(); TA(); SFTConfig(); Mine(); TA2()
"""
    found = [(call.function.path, call.function.source) for call in read(SourceText("a.py", text)).calls]
    assert found == [
        ("transformers.TrainingArguments", "imported"),
        ("transformers.TrainingArguments", "imported"),
        ("SFTConfig", "free"),
        ("transformers.TrainingArguments", "extended"),
        ("TA2", "local"),
    ]


def test_keywords_come_from_dicts_and_from_later_assignments() -> None:
    text = """\
more = dict(b=2)
args = f(1, a=1, **more)
args.c = 3
if x:
    args.d = 4
setattr(args, "e", 5)
"""
    (call,) = calls(text)
    assert call.open is None
    assert {name: keyword.value.value for name, keyword in call.keywords.items() if keyword.value.unknown is None} == {
        "a": 1, "b": 2, "c": 3, "e": 5
    }  # fmt: skip
    assert call.keywords["d"].value.unknown == "it depends on x"
    assert [keyword.key.text for keyword in call.keywords.values()][:3] == ["a", "b", "args.c"]


@pytest.mark.parametrize("text", ["f(**kw)", "f(*a)", "def g(**kw):\n  f(**kw)", "a = f()\na.set_training(lr=1)"])
def test_unknown_keywords_leave_a_call_open(text: str) -> None:
    (call,) = calls(text)
    assert call.open is not None


def test_what_a_call_makes_is_handed_on() -> None:
    text = "model, tok = load('m')\nmodel = wrap(model.to('cuda'))\ntrainer = f(model)\ntrainer.train()"
    (call,) = calls(text)
    wrapped = call.positional[0].value
    assert wrapped.function.name == "wrap"
    assert wrapped.positional[0].value.function.name == "load"
    assert [method.function.name for method in call.methods] == ["train"]


def test_places_are_right_with_chinese_and_emoji_and_carriage_returns() -> None:
    text = "# 学习率 😀\r\nlr = 2e-5\r\nf('学😀', lr=lr, n=-3)\r\n"
    (call,) = calls(text)
    lr, n = call.keywords["lr"], call.keywords["n"]
    assert (lr.key.text, lr.at.text, n.at.text) == ("lr", "lr", "-3")
    assert lr.value.origin.literal is not None
    assert lr.value.origin.literal.text == "2e-5"
    assert (lr.value.origin.literal.start.line, lr.value.origin.literal.start.column) == (2, 6)
    assert n.at.start.column == 18


def test_only_a_value_that_stands_alone_has_a_literal_to_change() -> None:
    assert value_of("lr = 2e-5\nmine = lr\nf(mine)").origin.literal is not None
    assert value_of("lr = 2e-5\nf(lr * 2)").origin.literal is None


def test_a_syntax_error_is_a_problem_at_its_place() -> None:
    document = read(SourceText("a.py", "x = 1\ny = = 2\n"))
    (problem,) = document.problems
    assert problem.kind == "file/syntax-error"
    assert (problem.at.start.line, problem.at.start.column) == (2, 5)


def test_comments_are_found() -> None:
    document = read(SourceText("a.py", "x = '# no'  # yes 学\n# two\n"))
    assert [document.source[span] for span in document.comments] == ["# yes 学", "# two"]


@given(st.text(max_size=60) | st.text("()[]{}=:,.#'\"\\\n\t abf1*@-", max_size=80))
def test_any_text_is_read(text: str) -> None:
    read(SourceText("a.py", text))


def test_numbers_that_are_no_numbers() -> None:
    assert math.isinf(seen("f(float('inf'))"))


def test_what_holds_itself_or_much_is_unknown() -> None:
    assert seen("k = {}\nk['k'] = k\nf(k)") is ...
    assert seen("m = [0]\nm.append(m)\nf(m == m)") is ...
    assert seen("m = [0]\n" + "m = [m, m]\n" * 40 + "f(m)") is ...


@pytest.mark.skipif(sys.version_info < (3, 11), reason="except* is new in Python 3.11")
def test_what_a_newer_python_adds_is_not_guessed() -> None:
    assert seen("lr = 1\ntry:\n  lr = 2\nexcept* E:\n  pass\nf(lr)") is ...
