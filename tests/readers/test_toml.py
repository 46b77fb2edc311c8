"""The TOML reader agrees with tomli in what it accepts, what the values are, and says where they stand."""

from __future__ import annotations

from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from trainlint.document import Document, Node
from trainlint.readers import detect, read
from trainlint.readers.scalars import plain
from trainlint.text import SourceText

EVERYTHING = """\
title = "学习率" # 注释 😀
a.b.c = 1e-4
"quoted key".'x y' = 0x10

[training]
steps = 1_000          # comment
when = 1979-05-27T07:32:00Z
at = 07:32:00
list = [
  1, # one
  [2.5, true],
]
inline = { lr = 8e-4, deep.er = "z" }

[[stage]]
text = \"\"\"
two
lines\"\"\"
raw = 'C:\\dir'
[stage.sub]
x = inf
[[stage]]
[[stage.more]]
y = 1
[training.late]
k = -0.0
"""


def document(text: str) -> Document:
    return read(SourceText("x.toml", text))


def value(text: str) -> Any:
    root = document(text).root
    assert root is not None
    return plain(root, "toml")


def find(node: Node, *path: str | int) -> Node:
    for step in path:
        if isinstance(step, int):
            node = node.elements[step]
        else:
            node = next(entry.value for entry in node.entries if entry.key.text == step)
    return node


def test_values_are_those_of_tomli() -> None:
    assert value(EVERYTHING) == tomli.loads(EVERYTHING)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("title",), '"学习率"'),
        (("a", "b", "c"), "1e-4"),
        (("quoted key", "x y"), "0x10"),
        (("training", "steps"), "1_000"),
        (("training", "list", 1, 0), "2.5"),
        (("training", "inline", "deep", "er"), '"z"'),
        (("stage", 0, "raw"), "'C:\\dir'"),
        (("stage", 0, "sub", "x"), "inf"),
        (("stage", 1, "more", 0, "y"), "1"),
        (("training", "late", "k"), "-0.0"),
    ],
)
def test_places(path: tuple[str | int, ...], written: str) -> None:
    found = document(EVERYTHING)
    assert found.root is not None
    assert found.source[find(found.root, *path).span] == written


def test_keys_and_comments_have_places() -> None:
    found = document(EVERYTHING)
    assert found.root is not None
    assert [found.source[entry.key.span] for entry in found.root.entries] == [
        "title",
        "a",
        '"quoted key"',
        "training",
        "stage",
    ]
    assert [found.source[span] for span in found.comments] == ["# 注释 😀", "# comment", "# one"]


def test_a_table_reaches_from_its_header_to_its_last_value() -> None:
    found = document("[a]\nx = 1\n\n[b]\n")
    assert found.root is not None
    assert found.source[find(found.root, "a").span] == "[a]\nx = 1"
    assert found.source[find(found.root, "b").span] == "[b"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\na = 2\n", 2, 6),
        ("[t]\n[t]\n", 2, 3),
        ("a = \n", 1, 5),
        ("\r\n\r\nlr = 1e-\r\n", 3, 7),
        ("a = 2020-02-31\n", 1, 5),
        ("x = " + "[" * 3000 + "]" * 3000, 1, 1),
        ("x = " + "[" * 250 + "]" * 250, 1, 1),
    ],
)
def test_what_tomli_refuses_is_a_problem_at_its_place(text: str, line: int, column: int) -> None:
    (problem,) = document(text).problems
    assert problem.kind == "file/syntax-error"
    assert (problem.at.start.line, problem.at.start.column) == (line, column)


def test_the_suffix_tells_the_format() -> None:
    assert detect("train_configs/llama3_8b.toml", "") == "toml"


def test_crlf_changes_no_value() -> None:
    text = EVERYTHING.replace("\n", "\r\n")
    assert value(text) == tomli.loads(text)


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cc"]), max_size=5)
VALUES = st.recursive(
    st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def toml_of(value: Any) -> str:
    import json

    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{toml_of(key)} = {toml_of(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml_of, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return repr(value)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES), max_size=3))
def test_any_values(top: dict[str, Any], tables: dict[str, dict[str, Any]]) -> None:
    lines = [f"{toml_of(key)} = {toml_of(value)}" for key, value in top.items()]
    for name, body in tables.items():
        if name not in top:
            lines += [f"[{toml_of(name)}]", *(f"{toml_of(key)} = {toml_of(value)}" for key, value in body.items())]
    text = "\n".join(lines)
    assert value(text) == tomli.loads(text)


@given(st.text(max_size=60))
def test_any_text_is_foundas_tomli_judges_it(text: str) -> None:
    try:
        wanted = tomli.loads(text)
    except ValueError:
        assert document(text).problems
    else:
        assert value(text) == wanted
