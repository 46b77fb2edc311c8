"""Dotted arguments: overrides, references, unknown keys; OmegaConf is the oracle of references."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainlint.dialects import dotted
from trainlint.readers import read
from trainlint.text import SourceText


def leaves(text: str) -> dotted.Leaves:
    found = dotted.leaves(read(SourceText("x.yaml", text)), "omegaconf")
    dotted.interpolate(found)
    return found


def test_a_whole_reference_keeps_type_and_place() -> None:
    found = leaves("a: 3\nb:\n  c: ${a}\n  d: ${.c}\n  e: x${a}y\n")
    assert [found[name].value for name in ("b.c", "b.d", "b.e")] == [3, 3, "x3y"]
    place = found["b.d"].origin.literal
    assert place is not None
    assert (place.text, place.start.line) == ("3", 1)
    assert found["b.e"].origin.literal is None


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("${a}", "refers to itself"),
        ("${nowhere}", "not in this file"),
        ("${oc.env:HOME}", "environment"),
        ("${my.resolver:1}", "worked out by a program"),
        ("${oc.env:HOME}/x", "environment"),
        ("${${b}", "later"),
    ],
)
def test_what_cannot_be_told(reference: str, reason: str) -> None:
    assert reason in str(leaves(f"a: '{reference}'\nb: 1\n")["a"].unknown)


def test_selection_with_a_default() -> None:
    found = leaves("a: ${oc.select:b,7}\nc: ${oc.select:d,8}\nd: 2\nl: [4, 5]\ne: ${l[1]}\n")
    assert [found[name].value for name in "ace"] == [7, 2, 5]


NAMES = st.sampled_from(["a", "b", "c", "d.e", "d.f"])
VALUES = st.integers(0, 9) | st.sampled_from(["x", "y z"]) | NAMES.map(lambda name: f"${{{name}}}")
VALUES |= st.tuples(NAMES, NAMES).map(lambda pair: f"${{{pair[0]}}}-${{{pair[1]}}}")


@given(st.fixed_dictionaries(dict.fromkeys(("a", "b", "c", "d.e", "d.f"), VALUES)))
def test_references_resolve_as_omegaconf_resolves_them(values: dict[str, Any]) -> None:
    nested: dict[str, Any] = {"d": {}}
    for name, value in values.items():
        (nested["d"] if "." in name else nested)[name.removeprefix("d.")] = value
    text = OmegaConf.to_yaml(OmegaConf.create(nested))
    found, config = leaves(text), OmegaConf.create(nested)
    for name in values:
        try:
            wanted = OmegaConf.select(config, name)
        except (OmegaConfBaseException, RecursionError):
            assert found[name].unknown is not None
        else:
            assert found[name].value == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("true", True),
        ("null", None),
        ("[1,a]", [1, "a"]),
        ("'x y'", "x y"),
        ("{a: 1}", {"a": 1}),
        ("a b", "a b"),
    ],
)
def test_values_of_overrides(text: str, value: Any) -> None:
    assert dotted.typed(text) == value
