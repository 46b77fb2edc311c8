"""Python itself as the oracle for the order of statements: whatever way a program goes, a value that is known is right.

Where branches decide between known values, some way through them explains all that a call is handed together.

The programs are generated here, out of assignments, branches, loops and functions; `coin()` decides where they go.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import steady
from trainlint.document import Origin, Value
from trainlint.readers.python import NotPlain, plain, read
from trainlint.text import Location, SourceText

NOWHERE = Origin("unresolved", "")

NAMES = ("a", "b", "k", "m")
name = st.sampled_from(["a", "b"])
# numbers and text alone: which of several names for one dict a loop changes is not followed
value = st.one_of(
    name,
    st.integers(0, 3).map(str),
    st.sampled_from(["None", "'s'", "k['x']", "k.get('y', 0)", "len(m)", "(a := 5)"]),
    st.tuples(name, name).map(lambda both: f"({both[0]} + {both[1]})"),
    st.tuples(name, name).map(lambda both: f"({both[0]} if coin() else {both[1]})"),
    name.map(lambda each: f"({each} or 7)"),
)
simple = st.one_of(
    st.tuples(name, value).map(lambda each: f"{each[0]} = {each[1]}"),
    st.tuples(name, name, value).map(lambda each: f"{each[0]} = {each[1]} = {each[2]}"),
    st.tuples(name, name, value, value).map(lambda each: f"{each[0]}, {each[1]} = {each[2]}, {each[3]}"),
    st.tuples(name, value).map(lambda each: f"{each[0]} += {each[1]}"),
    value.map(lambda each: f"k['x'] = {each}"),
    value.map(lambda each: f"k.update(x={each})"),
    value.map(lambda each: f"k = {{**k, 'y': {each}}}"),
    value.map(lambda each: f"k = dict(x={each})"),
    value.map(lambda each: f"m.append({each})"),
    value.map(lambda each: f"m = [*m, {each}]"),
    st.sampled_from(
        ["m += [3]", "m = [1]", "del a", "del k['x']", "change(k)", "change(m)", "k = k.copy()", "m.clear()"]
    ),
    st.sampled_from(NAMES).map(lambda each: f"show(TAG, {each})"),
    st.tuples(name, st.sampled_from(NAMES)).map(lambda each: f"show(TAG, {each[0]}, {each[1]})"),
    st.sampled_from(["risky()", "pass", "one()", "two()"]),
)


def indented(block: list[str]) -> list[str]:
    return [f"    {line}" for line in block]


def compound(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    test = st.sampled_from(["coin()", "True", "a", "not b", "a == b", "coin() and a"])
    leave = st.sampled_from([[], [], ["break"], ["continue"]])
    return st.one_of(
        st.tuples(test, inner, inner).map(lambda x: [f"if {x[0]}:", *indented(x[1]), "else:", *indented(x[2])]),
        st.tuples(test, inner).map(lambda x: [f"if {x[0]}:", *indented(x[1])]),
        st.tuples(name, inner, leave).map(lambda x: [f"for {x[0]} in (1, 2):", *indented([*x[1], *x[2]])]),
        st.tuples(inner, leave, inner).map(
            lambda x: ["while coin():", *indented([*x[0], *x[1]]), "else:", *indented(x[2])]
        ),
        st.tuples(inner, inner, inner).map(
            lambda x: ["try:", *indented(x[0]), "except Exception:", *indented(x[1]), "finally:", *indented(x[2])]
        ),
        inner.map(lambda x: ["with here() as a:", *indented(x)]),
        st.tuples(name, inner).map(
            lambda x: [
                "match coin():",
                "    case True:",
                *indented(indented(x[1])),
                f"    case {x[0]}:",
                "        pass",
            ]
        ),
    )


def joined(parts: list[list[str]]) -> list[str]:
    return [line for part in parts for line in part]


blocks = st.recursive(
    simple.map(lambda line: [line]),
    lambda inner: st.lists(st.one_of(inner, compound(inner)), min_size=1, max_size=4).map(joined),
    max_leaves=14,
)
functions = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["pass", "global a", "global k"]), blocks).map(
    lambda x: [f"def {x[0]}(b=0):", *indented([x[1], *x[2]])]
)
HEAD, FOOT = ["a, b, k, m = 0, 1, {'x': 0}, [0]"], [f"show(TAG, {each})" for each in NAMES]
programs = st.lists(st.one_of(blocks, blocks, functions), min_size=1, max_size=4).map(
    lambda parts: number(joined([HEAD, *parts, FOOT]))
)


def number(lines: list[str]) -> str:
    return "\n".join(line.replace("TAG", str(at)) for at, line in enumerate(lines)) + "\n"


class _Stop(Exception):
    pass


def executed(program: str, seed: int) -> dict[int, list[list[str]]]:
    """What `show` is handed at each place, one way through the program."""
    chance, steps = random.Random(seed), iter(range(60))
    shown: dict[int, list[list[str]]] = {}

    def coin() -> bool:
        if next(steps, None) is None:
            raise _Stop
        return chance.random() < 0.5

    def risky() -> None:
        if coin():
            raise ValueError

    def change(given: Any) -> None:
        if isinstance(given, dict):
            given["changed"] = True
        elif isinstance(given, list):
            given.append("changed")

    class Here:
        def __enter__(self) -> int:
            return 9

        def __exit__(self, *_: object) -> None:
            pass

    world: dict[str, Callable[..., Any]] = {
        "coin": coin, "risky": risky, "change": change, "here": Here, "one": lambda: 0, "two": lambda: 0,
        "show": lambda tag, *given: shown.setdefault(tag, []).append([repr(each) for each in given]),
    }  # fmt: skip
    with suppress(Exception):
        exec(program, world)  # generated above
    return shown


def explained(values: list[Value], found: list[str], picks: dict[Location, int]) -> bool:
    """Does some way through the branches make these values what they are? What is unknown may be anything."""
    for value, text in zip(values, found, strict=True):
        while value.either is not None:
            at = value.either.at
            if at not in picks:
                return any(explained(values, found, {**picks, at: way}) for way in range(len(value.either.values)))
            value = value.either.values[picks[at]]
        with suppress(NotPlain):
            if repr(plain(value)) != text:
                return False
    return True


@steady(300)
@given(programs)
def test_a_known_value_is_right_on_every_way(program: str) -> None:
    calls = read(SourceText("a.py", program)).calls
    given = {plain(call.positional[0]): call.positional[1:] for call in calls if call.function.name == "show"}
    for seed in range(6):
        for tag, times in executed(program, seed).items():
            for found in times:
                assert explained(given.get(tag, [Value(None, NOWHERE, "?")] * len(found)), found, {}), f"line {tag + 1}"
