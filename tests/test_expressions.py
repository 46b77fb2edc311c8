"""The expressions of rule files: three-valued, and unable to do anything but compute."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.facts import Unknown
from trainlint.ruleset.expressions import Expression, RuleError, Template, tidy


class Names:
    """A namespace of plain values; what is missing is unknown."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def lookup(self, name: str) -> Any:
        if name not in self.values:
            raise Unknown(f"{name} is not said", name)
        return self.values[name]

    def attribute(self, base: str, name: str) -> Any:
        return self.lookup(f"{base}.{name}")


def value(source: str, **values: Any) -> Any:
    return Expression.parse(source).evaluate(Names(**values))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("known and missing", False),
        ("missing and known", False),
        ("truth or missing", True),
        ("missing or truth", True),
        ("not known or missing > 3", True),
    ],
)
def test_unknown_does_not_decide_what_is_decided(source: str, expected: bool) -> None:
    assert value(source, known=False, truth=True) is expected


@pytest.mark.parametrize(
    "source", ["missing", "missing > 1", "truth and missing", "known or missing", "not missing", "missing + 1"]
)
def test_unknown_propagates_where_it_matters(source: str) -> None:
    with pytest.raises(Unknown, match="missing"):
        value(source, known=False, truth=True)


def kleene(op: str, left: bool | None, right: bool | None) -> bool | None:
    """The truth tables, written down the long way."""
    deciding = op == "or"
    if left is deciding or right is deciding:
        return deciding
    return None if left is None or right is None else not deciding


@given(st.sampled_from(["and", "or"]), st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))
def test_kleene_tables(op: str, left: bool | None, right: bool | None) -> None:
    names = {name: v for name, v in (("left", left), ("right", right)) if v is not None}
    try:
        result: bool | None = value(f"left {op} right", **names)
    except Unknown:
        result = None
    assert result is kleene(op, left, right)


def test_arithmetic_and_functions() -> None:
    assert value("8e-5 * max(7 / p, sqrt(7 / p)) * sqrt(t / 262144)", p=7, t=262144) == pytest.approx(8e-5)
    assert value("1 < x <= 3", x=3) is True
    assert value("stage in ['pt', 'sft']", stage="pt") is True
    assert (
        value("given.warmup_steps and args.warmup_steps >= 1", **{"given.warmup_steps": True, "args.warmup_steps": 5})
        is True
    )


def test_what_a_run_does_not_have_is_on_neither_side_of_a_threshold() -> None:
    assert value("lora_rank > 32", lora_rank=None) is False
    assert value("lora_rank <= 32", lora_rank=None) is False
    assert value("lora_rank is None", lora_rank=None) is True


@pytest.mark.parametrize(
    "source",
    [
        "().__class__", "x.real", "open('f')", "__import__('os')", "[i for i in x]", "f'{x}'", "lambda: 1", "x if y else",
        "a := 1",
        "max(*x)", "min(x, key=len)", "'a'.zfill(9)", "x[0]", "{**x}", "1; 2", "x = 1", "await x", "key['a']",
    ],
)  # fmt: skip
def test_everything_else_is_refused_when_the_rule_is_loaded(source: str) -> None:
    with pytest.raises(RuleError):
        Expression.parse(source)


def test_what_can_be_called_stays_the_same_once_something_was_computed() -> None:
    assert value("1 + 1") == 2
    with pytest.raises(RuleError, match="can be called"):
        Expression.parse("list('abc')")


def test_threads_do_not_see_each_others_values() -> None:
    """One waits in the middle of an expression while the other works out its own."""
    reached, go_on = Event(), Event()

    class Waiting(Names):
        def lookup(self, name: str) -> Any:
            reached.set()
            assert go_on.wait(10)
            return super().lookup(name)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Expression.parse("a + args.b").evaluate, Waiting(a=1, **{"args.b": 2}))
        assert reached.wait(10)
        fast = value("a + args.b", a=10, **{"args.b": 20})
        go_on.set()
        assert (slow.result(10), fast) == (3, 30)


@pytest.mark.parametrize(
    "source", ["'a' * 1000000000", "9 ** 9 ** 9", "2 ** 10000", "'%1000000000d' % 1", "[1] * 1000000000", "1 / 0"]
)
def test_a_costly_or_impossible_computation_is_an_error_of_the_rule(source: str) -> None:
    with pytest.raises(RuleError):
        Expression.parse(source).evaluate(Names())


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_a_rule_error(source: str) -> None:
    with contextlib.suppress(RuleError, Unknown):
        Expression.parse(source).evaluate(Names())


def test_messages_format_numbers_as_people_write_them() -> None:
    text = Template.parse("lr {lr:g} on {tokens:,} tokens, {ratio:.1f}x, rank {rank}, {share:.0%}, {names}")
    names = Names(lr=2e-05, tokens=262144.0, ratio=3.14, rank=64, share=0.25, names=["a", "b"])
    assert text.render(names) == "lr 2e-5 on 262,144 tokens, 3.1x, rank 64, 25%, a, b"
    assert Template.parse("{gone} of {rank}").render(Names(rank=1)) == "? of 1"


@pytest.mark.parametrize("source", ["{x!r}", "{x:>1000000000}", "{x:{y}}", "{", "{x.y}", "{x[0]}"])
def test_formats_that_could_do_harm_are_refused(source: str) -> None:
    with pytest.raises(RuleError):
        Template.parse(source)


def test_tidy_leaves_plain_numbers_alone() -> None:
    assert [tidy(text) for text in ("2e-05", "1e+06", "0.05", "100", "1e-10")] == [
        "2e-5",
        "1e6",
        "0.05",
        "100",
        "1e-10",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{n} GPUs", "1 GPU"),
        ("{n} visible GPUs", "1 visible GPU"),
        ("after {n:,} optimizer steps", "after 1 optimizer step"),
        ("{n} processes", "1 process"),
        ("0.{n} steps", "0.1 steps"),
        ("2,00{n} steps", "2,001 steps"),
    ],
)
def test_one_is_singular(text: str, shown: str) -> None:
    assert Template.parse(text).render(Names(n=1)) == shown


def test_a_nested_name_is_an_argument_and_never_an_attribute_of_a_value() -> None:
    assert value("args.optim.lr > 1", **{"args.optim.lr": 2}) is True
    with pytest.raises(Unknown):
        value("args.seed.real", **{"args.seed": 42})


def test_an_argument_of_another_kind_is_unknown() -> None:
    with pytest.raises(Unknown, match="kwargs is of a kind"):
        value("'min_lr' in args.kwargs", **{"args.kwargs": 1})


def test_a_message_can_show_a_number_beyond_all_floats() -> None:
    template = Template.parse("{x:g} steps")
    assert template.render(Names(x=10**400)) == "1e400 or more steps"
    assert template.render(Names(x=-(10**400))) == "-1e400 or more steps"
