"""The JSON reader against Python's `json`: the same values, the same verdict, and exact places."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_corpus import needs_corpus, real_files
from helpers_trees import nodes, same
from trainlint.document import Document, Problem
from trainlint.readers import json as reader
from trainlint.readers.scalars import plain, resolve
from trainlint.text import SourceText, apply

FILES = real_files("json")
LENIENT = {"file/json-comment", "file/trailing-comma"}
quick = settings(max_examples=200)


def read(text: str, bom: bool = False) -> Document:
    return reader.read(SourceText("ds_config.json", text, bom=bom))


def problem(text: str) -> Problem:
    [found] = read(text).problems
    return found


def assert_agrees(text: str) -> None:
    document = read(text)
    kinds = {found.kind for found in document.problems}
    for found in document.problems:
        assert 0 <= found.at.span.start <= found.at.span.end <= len(text)
    expected, error = None, None
    try:
        expected = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as caught:
        error = caught
    if "levels deep" in "".join(found.message for found in document.problems):
        assert document.root is None
    elif isinstance(error, json.JSONDecodeError):
        assert kinds & {"file/syntax-error", "launch/placeholder", *LENIENT}
        last = document.problems[-1]
        if last.kind == "file/syntax-error" and not kinds & LENIENT:
            assert last.at.span.start == error.pos
            assert last.message == error.msg or last.kind == "launch/placeholder"
    else:
        assert kinds <= {"file/duplicate-key"}
        assert document.root is not None
        assert same(plain(document.root, "json"), expected)
        for node in nodes(document.root):
            assert same(plain(node, "json"), json.loads(text[node.span.start : node.span.end]))


def test_places_count_code_points() -> None:
    text = '\r\n{"模型🚀": "千\\u95ee\\n",\t"lr" : 1e-5, "on": true, "list": [ ] , "n": {"x": -0.5}}\n'
    pieces = [(node.kind, node.style, text[node.span.start : node.span.end]) for node in nodes(read(text).root)]
    assert pieces[1:] == [
        ("scalar", "quoted", '"模型🚀"'),
        ("scalar", "quoted", '"千\\u95ee\\n"'),
        ("scalar", "quoted", '"lr"'),
        ("scalar", "number", "1e-5"),
        ("scalar", "quoted", '"on"'),
        ("scalar", "literal", "true"),
        ("scalar", "quoted", '"list"'),
        ("sequence", "plain", "[ ]"),
        ("scalar", "quoted", '"n"'),
        ("mapping", "plain", '{"x": -0.5}'),
        ("scalar", "quoted", '"x"'),
        ("scalar", "number", "-0.5"),
    ]
    root = read(text).root
    assert root is not None
    assert root.entries[0].value.text == "千问\n"


def test_comments_and_trailing_commas_are_read_and_noted() -> None:
    text = '{\n  // 注释, ]\n  "url": "http://x", # "\n  "b": [1, 2 , /* ,] */ ],\n}\n'
    document = read(text)
    assert document.root is not None
    assert plain(document.root, "json") == {"url": "http://x", "b": [1, 2]}
    assert [(found.kind, found.at.text) for found in document.problems] == [
        ("file/json-comment", "// 注释, ]"),
        ("file/json-comment", '# "'),
        ("file/trailing-comma", ","),
        ("file/json-comment", "/* ,] */"),
        ("file/trailing-comma", ","),
    ]
    assert [text[span.start : span.end] for span in document.comments] == ["// 注释, ]", '# "', "/* ,] */"]
    edits = [edit for found in document.problems for edit in found.edits]
    assert not [found for found in read(apply(text, edits)).problems if found.kind == "file/trailing-comma"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", (1, 1)),
        ("  \n", (2, 1)),
        ("[,]", (1, 2)),
        ("[1,,]", (1, 4)),
        ('{"a": 1 "b": 2}', (1, 9)),
        ('{"a": "http://x\n}', (1, 16)),
        ('{"a": 1}\n{"a": 2}\n', (2, 1)),
        ("{'a': 1}", (1, 2)),
        ("[1, /* 2]", (1, 5)),
        ('{"训练": tru}', (1, 8)),
        ('{"a": 012}', (1, 8)),
        ('{"a": "\\x"}', (1, 8)),
        ('{"a": [1, 2}', (1, 12)),
    ],
)
def test_what_json_refuses_is_a_syntax_error_in_its_words(text: str, place: tuple[int, int]) -> None:
    found = problem(text)
    with pytest.raises(json.JSONDecodeError) as refusal:
        json.loads(text)
    assert (found.kind, found.message) == ("file/syntax-error", refusal.value.msg)
    assert (found.at.start.line, found.at.start.column) == place
    assert read(text).root is None


def test_an_error_behind_a_comment_is_found_at_its_own_place() -> None:
    document = read('{\n  // why\n  "a": 1\n  "b": 2\n}')
    comment, error = document.problems
    assert (comment.kind, error.kind, error.at.start.line) == ("file/json-comment", "file/syntax-error", 4)


def test_a_comment_sign_in_a_string_that_is_not_closed_is_no_comment() -> None:
    document = read('{"a": "http://x,\n "b": "/*",\n "c": 1}')
    assert [found.kind for found in document.problems] == ["file/syntax-error"]


def test_duplicate_keys() -> None:
    text = '{"lr": 1, "x": {"lr": 2}, "l\\u0072": 3}'
    found = problem(text)
    assert (found.kind, found.at.text, found.related[0][1].text) == ("file/duplicate-key", '"l\\u0072"', '"lr"')
    root = read(text).root
    assert root is not None
    assert [entry.key.text for entry in root.entries] == ["lr", "x", "lr"]
    assert plain(root, "json")["lr"] == 3


def test_a_byte_order_mark_is_refused_as_json_does_but_the_rest_is_read() -> None:
    document = read('{"a": 1}', bom=True)
    [found] = document.problems
    assert (found.kind, found.message) == ("file/syntax-error", "Unexpected UTF-8 BOM (decode using utf-8-sig)")
    assert document.root is not None


def test_nesting_is_capped() -> None:
    assert read("[" * 200 + "]" * 200).problems == []
    assert problem("[" * 201 + "]" * 201).at.span.start == 200
    assert "levels deep" in problem('{"a":' * 100_000).message
    assert read('["' + "[" * 500 + '"]').problems == []


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", '"\\ud800"', '"\\ud83d\\ude80"', "1" * 300, "-0", "1E5", '"\x7f\u2028"', "[[], {}]"]
)
def test_oddities_of_json(text: str) -> None:
    assert_agrees(text)


def test_an_integer_too_long_for_python_does_not_raise() -> None:
    document = read("1" * 5000)
    assert document.problems == []
    assert document.root is not None
    assert resolve(document.root, "json") == "1" * 5000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(blacklist_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab中🚀", max_size=3), inner, max_size=4),
    max_leaves=15,
)
fragments = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        '"a"',
        '"中🚀"',
        "1",
        "-1.5e3",
        "true",
        "nul",
        " ",
        "\n",
        "\\",
        "//",
        "/*",
        "*/",
        "#",
        "\t",
    ]
)


@quick
@given(values, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_what_json_dumps_reads_the_same(value: Any, indent: Any, ascii_only: bool) -> None:
    assert_agrees(json.dumps(value, indent=indent, ensure_ascii=ascii_only))


@settings(quick, max_examples=1000)
@given(st.lists(fragments, max_size=12).map("".join))
def test_the_verdict_on_fragments_is_jsons(text: str) -> None:
    assert_agrees(text)


@quick
@given(values, st.sampled_from(["// x, ]\n", '/* " ] */', "# {\n", "/***/"]))
def test_comments_anywhere_between_tokens_change_nothing(value: Any, comment: str) -> None:
    text = json.dumps(value, indent=1).replace("\n", comment + "\n")
    document = read(text)
    assert {found.kind for found in document.problems} <= {"file/json-comment"}
    assert document.root is not None
    assert same(plain(document.root, "json"), json.loads(json.dumps(value)))


@quick
@given(st.text(st.characters(blacklist_categories=())))
def test_nothing_raises(text: str) -> None:
    read(text)


@needs_corpus
def test_real_files_read_as_json_reads_them() -> None:
    for file in FILES:
        assert_agrees(SourceText.load(file).text)


def test_mutated_files_are_judged_as_json_does() -> None:
    dice = random.Random(7)
    texts = [text for file in FILES if len(text := SourceText.load(file).text) < 4000]
    texts = texts or ['{"a": [1, 2.5e-5, {"b": null}], "模型": "千问 // x"}\n']
    for _ in range(1500):
        text = dice.choice(texts)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(text) + 1)
            text = (
                text[:at]
                + dice.choice(["", ",", '"', "}", "[", "//", "#", "\\", "🚀"])
                + text[at + dice.randint(0, 2) :]
            )
        assert_agrees(text)


@pytest.mark.parametrize("hole", ["${BF16}", "$BF16", "CONFIG_BF16", "GBSIZE"])
def test_a_template_is_told_from_a_broken_file(hole: str) -> None:
    (problem,) = read(f'{{"a": {hole}}}').problems
    assert (problem.kind, problem.at.text) == ("launch/placeholder", hole)
