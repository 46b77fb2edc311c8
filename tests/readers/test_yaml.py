"""The YAML reader against PyYAML itself: the same values, the same verdict, and exact places."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_corpus import needs_corpus, real_files
from helpers_trees import nodes, same
from trainlint.document import Document, Problem
from trainlint.readers import yaml as reader
from trainlint.readers.scalars import plain, resolve
from trainlint.text import SourceText

FILES = real_files("yaml", "yml")
quick = settings(max_examples=200)


def read(text: str) -> Document:
    return reader.read(SourceText("config.yaml", text))


def problem(text: str, kind: str = "file/syntax-error") -> Problem:
    [found] = read(text).problems
    assert found.kind == kind
    return found


def assert_agrees(text: str) -> None:
    """Our verdict and our value are those of `yaml.safe_load`, as far as both speak about the same thing."""
    document = read(text)
    refused = any(found.kind == "file/syntax-error" for found in document.problems)
    for found in document.problems:
        assert 0 <= found.at.span.start <= found.at.span.end <= len(text)
    if not refused:
        for node in nodes(document.root):
            assert 0 <= node.span.start <= node.span.end <= len(text)
    expected, error = None, None
    try:
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as caught:
        error = caught
    if isinstance(error, yaml.constructor.ConstructorError):
        # an unknown tag and the like: the value stays text
        assert refused or not ("unhashable key" in str(error) or "for merging" in str(error)), error
    elif isinstance(error, yaml.YAMLError):
        assert refused or "expected a single document" in str(error), error
    elif error is None and refused:
        # what PyYAML takes and we do not
        assert "part of" in document.problems[-1].message or "levels deep" in document.problems[-1].message
    elif error is None:
        value = None if document.root is None else plain(document.root, "pyyaml")
        assert same(value, expected)


# --------------------------------------------------------------------------------------------------------- places


def spans(text: str) -> list[tuple[str, str]]:
    return [(node.kind, text[node.span.start : node.span.end]) for node in nodes(read(text).root)]


def test_places_count_code_points() -> None:
    text = "# 训练 🚀\r\n模型: 'Qwen/千问'\r\nlr: 1e-4  # 学习率\r\nlist:\r\n- 🚀\r\n- b\r\n"
    document = read(text)
    assert spans(text)[1:] == [
        ("scalar", "模型"),
        ("scalar", "'Qwen/千问'"),
        ("scalar", "lr"),
        ("scalar", "1e-4"),
        ("scalar", "list"),
        ("sequence", "- 🚀\r\n- b"),
        ("scalar", "🚀"),
        ("scalar", "b"),
    ]
    assert [text[span.start : span.end] for span in document.comments] == ["# 训练 🚀", "# 学习率"]
    assert document.root is not None
    assert document.source.position(document.root.entries[1].value.span.start).line == 3


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\u2029", "\r"])
def test_unusual_line_breaks_do_not_shift_places(separator: str) -> None:
    text = f"# a{separator}b: 'x{separator}y'{separator}c: 1\nd: 2\n"
    document = read(text)
    assert document.root is not None
    assert [text[entry.value.span.start : entry.value.span.end] for entry in document.root.entries] == [
        f"'x{separator}y'",
        "1",
        "2",
    ]
    assert [text[span.start : span.end] for span in document.comments] == ["# a"]


def test_blocks_end_with_their_last_value() -> None:
    text = "a:\n  b: 1  # one\n  # two\n\nc:\n- - x\n  -\n# three\nd: {e: [1, f: 2 ], }\n"
    assert [piece for kind, piece in spans(text) if kind != "scalar"] == [
        text.rstrip(),
        "b: 1",
        "- - x\n  -",
        "- x\n  -",
        "{e: [1, f: 2 ], }",
        "[1, f: 2 ]",
        "f: 2",
    ]


def test_anchor_and_tag_are_no_part_of_the_span() -> None:
    text = "a: &x !!float 1\nb: !!str\nc: &y\n  # why\n  d: 1\ne: !!seq [1]\nf: [&z , &w]\ng: ! '5'\nh: *x\n"
    document = read(text)
    assert document.root is not None
    values = {entry.key.text: text[entry.value.span.start : entry.value.span.end] for entry in document.root.entries}
    assert values == {"a": "1", "b": "", "c": "d: 1", "e": "[1]", "f": "[&z , &w]", "g": "'5'", "h": "*x"}
    assert plain(document.root, "pyyaml") == yaml.safe_load(text)


def test_alias_has_its_own_place_and_the_anchors_content() -> None:
    text = "a: &x {lr: 1e-4}\nb: *x\n"
    root = read(text).root
    assert root is not None
    alias = root.entries[1].value
    assert text[alias.span.start : alias.span.end] == "*x"
    assert alias.entries == root.entries[0].value.entries


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("a: b#c # d\n", ["# d"]),
        ("a: '# no' # yes", ["# yes"]),
        ('a: "x\n  # no"\n# yes', ["# yes"]),
        ("a: | # head\n  # no\n# yes\nb: >-\n  # no\n", ["# head", "# yes"]),
        ("%YAML 1.1 # directive\n--- # start\na: 1\n", ["# directive", "# start"]),
        ("a: x\u3000# no\n", []),
        ("a: [1, # one\n  2] # two", ["# one", "# two"]),
        ("#a\n#b", ["#a", "#b"]),
    ],
)
def test_comments(text: str, comments: list[str]) -> None:
    assert [text[span.start : span.end] for span in read(text).comments] == comments


# ---------------------------------------------------------------------------------------------------- merge, alias


def test_merged_entries_yield_to_explicit_ones() -> None:
    text = "base: &b {lr: 1, bs: 2}\nother: &o {bs: 3, ga: 4}\nrun:\n  lr: 5\n  <<: [*b, *o]\n  x: 6\n"
    root = read(text).root
    assert root is not None
    run = root.entries[2].value
    assert {(entry.key.text, entry.value.text, entry.merged) for entry in run.entries} == {
        ("lr", "5", False),
        ("x", "6", False),
        ("bs", "2", True),
        ("ga", "4", True),
    }
    merged = next(entry for entry in run.entries if entry.key.text == "ga")
    assert text[merged.value.span.start : merged.value.span.end] == "4"
    assert plain(root, "pyyaml") == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: 1}\nb: {<<: *a, <<: {x: 2, y: 3}}\n",
        "a: &a {x: 1, x: 2}\nb: &b {<<: *a, y: 1}\nc: {<<: *b}\n",
        'a: {"<<": {x: 1}}\n',
        "a: {<<: []}\n",
        "a: {<<: [{x: 1}, {x: 2}]}\n",
        "a: {!!str <<: {x: 1}}\n",
        "- &k key\n- {*k : 1}\n",
        "a: &a\nb: *a\n",
        "=: 1\n",
    ],
)
def test_merging_is_pyyamls(text: str) -> None:
    assert_agrees(text)


def test_bombs_are_refused_cheaply() -> None:
    laughs = "a0: &a0 [lol, lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 40))
    assert "aliases stand for more than 100,000 values" in problem(laughs).message
    merges = "m0: &m0 {k: 1}\n" + "".join(f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}]}}\n" for i in range(1, 60))
    assert "aliases stand for more than 100,000 values" in problem(merges).message


def test_nesting_is_capped_also_through_aliases() -> None:
    assert read("[" * 200 + "]" * 200).problems == []
    assert problem("[" * 201 + "]" * 201).at.span.start == 200
    assert problem("[" * 30_000).message == "nested more than 200 levels deep"
    assert problem("- " * 5_000).message == "nested more than 200 levels deep"
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300))
    assert problem(chain).message == "nested more than 200 levels deep"


# ------------------------------------------------------------------------------------------------------- problems


def test_duplicate_keys() -> None:
    text = "lr: 1\nbs: 2\n'lr': 3\nnest: {a: 1, a: 1}\n"
    document = read(text)
    first, second = document.problems
    assert (first.kind, first.at.start.line, first.at.text) == ("file/duplicate-key", 3, "'lr'")
    assert "takes the last" in first.message
    assert [place.start.line for _, place in first.related] == [1]
    assert second.at.start.line == 4
    assert document.root is not None
    assert [entry.key.text for entry in document.root.entries] == ["lr", "bs", "lr", "nest"]
    assert plain(document.root, "pyyaml")["lr"] == 3


def test_keys_are_equal_when_their_values_are() -> None:
    assert read("1: a\n'1': b\n").problems == []
    assert problem("1: a\n0x1: b\n", "file/duplicate-key").at.text == "0x1"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_empty_file_is_no_problem(text: str) -> None:
    document = read(text)
    assert (document.root, document.problems) == (None, [])


def test_the_first_document_that_is_not_empty_is_the_root() -> None:
    root = read("---\n---\na: &x 1\n---\na: &x 2\n").root
    assert root is not None
    assert plain(root, "pyyaml") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "place", "at", "says"),
    [
        ("a: 1\nlr:1e-4\nb: 2\n", (2, 1), "lr:", "write a space after `lr:`"),
        ("lr:1e-4\nb: 2\n", (1, 1), "lr:", "write a space after `lr:`"),
        ("t:\n  a: 1\n  lr:1e-4\n", (3, 3), "lr:", "could not find expected ':'"),
        ("模型: 'x\nb: 1\n", (1, 5), "'", "found unexpected end of stream"),
        ('a: 1\nb: "x\nc: 1\n', (2, 4), '"', "found unexpected end of stream"),
        ("a: [1, 2\nb: 3\n", (1, 4), "[", "expected ',' or ']'"),
        ("a: [1,\n  2", (1, 4), "[", "expected ',' or ']'"),
        ("a: 1\nb: [{c: 1},\n", (2, 4), "[", "found '<stream end>'"),
        ("a: {b: 1\nc: 2\n", (1, 4), "{", "expected ',' or '}'"),
        ("a: [\n 1,\n 2 3: 'x' y\n]\n", (3, 11), "y", "expected ',' or ']'"),
        ("a:\n\tb: 1\n", (2, 1), "\t", "never with tabs"),
        ("a: 1\n\tb: 1\n", (2, 1), "\t", "never with tabs"),
        ("a: \t1\n", (1, 4), "\t", "never with tabs"),
        ("a: b: c\n", (1, 5), ":", "mapping values are not allowed"),
        ("a: @x\n", (1, 4), "@", "cannot start any token"),
        ("{% if x %}\na: 1\n", (1, 2), "%", "a template"),
        ("a: {{ lr }}\n", (1, 5), "{ lr }", "is this a template?"),
        ("a: *b\n", (1, 4), "*b", "found undefined alias 'b'"),
        ("a: &b [*b]\n", (1, 8), "*b", "part of"),
        ("a: &b 1\nc: &b 2\n", (2, 7), "2", "found duplicate anchor 'b'"),
        ("é🚀: \x07\n", (1, 5), "\x07", "U+0007"),
        ("a: {<<: 1}\n", (1, 9), "1", "for merging, but found scalar"),
        ("a: \ud800\n", (1, 4), "\ud800", "U+D800"),
        ('a: "\\q"\n', (1, 6), "q", "unknown escape"),
        ("\ufeffa: 'x", (1, 5), "'", "end of stream"),
    ],
)
def test_syntax_errors_say_where_a_person_would_look(text: str, place: tuple[int, int], at: str, says: str) -> None:
    found = problem(text)
    assert (found.at.start.line, found.at.start.column, found.at.text) == (*place, at)
    assert says in found.message


@pytest.mark.parametrize("text", ["a: \t1", "a: |# x\n  b", "a: [what?]", "a: [!!str, b]", "a\n\ufeff"])
def test_safe_load_judges_where_libyaml_differs(text: str) -> None:
    assert_agrees(text)


def test_a_glued_key_can_be_mended() -> None:
    [(span, insertion)] = problem("a: 1\nlr:1e-4\nb: 2\n").edits
    assert (span.start, span.end, insertion) == (8, 8, " ")


# -------------------------------------------------------------------------------------------------------- oracles

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)
    | st.sampled_from(
        ["1e-4", "no", "# x", "a: b", "012", "1_0", "<<", "=", "~", "", " x", "x\n\n", "\ty", "路径", "2024-01-01"]
    )
)
keys = st.text("abk<:# '\"中🚀-", max_size=6) | st.integers() | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=15
)


@quick
@given(
    values,
    st.sampled_from([None, True, False]),
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_pyyaml_dumps_reads_the_same(value: Any, flow: Any, style: Any, unicode: bool, line_break: str) -> None:
    text = yaml.safe_dump(
        value, default_flow_style=flow, default_style=style, allow_unicode=unicode, line_break=line_break, width=30
    )
    assert_agrees(text)


# fmt: off
fragments = st.sampled_from([
    "a", "b", ": ", ":", "- ", "-", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "&x ", "*x ", "!!str ", "! ", "!t ",
    "'", '"', "# ", "|", ">", "<<: ", "? ", "1e-4", "0x1", "~", "---\n", "...\n", "%", "?", "\t", "中", "🚀", "\u2028", "\r\n",
    "{{ x }}",
])
# fmt: on


@settings(quick, max_examples=1500)
@given(st.lists(fragments, max_size=14).map("".join))
def test_the_verdict_on_fragments_is_pyyamls(text: str) -> None:
    assert_agrees(text)


@quick
@given(st.text(st.characters(blacklist_categories=())))
def test_nothing_raises(text: str) -> None:
    read(text)


@quick
@given(values, st.sampled_from([None, True, False]))
def test_a_scalar_alone_reads_as_it_does_in_its_place(value: Any, flow: Any) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, width=30)
    assert_slices_read_alike(text)


def assert_slices_read_alike(text: str) -> None:
    for node in nodes(read(text).root):
        piece = text[node.span.start : node.span.end]
        if node.kind != "scalar" or node.tag or piece.startswith("*"):
            continue
        if node.style == "block" and any(char.isdigit() for char in piece.split("\n", 1)[0]):
            continue  # an indentation indicator counts from the parent
        if piece in ("---", "...", "=", "<<"):
            continue
        assert same(resolve(node, "pyyaml"), yaml.safe_load(piece)), (piece, node)


# ------------------------------------------------------------------------------------------------ real files


@needs_corpus
def test_real_files_read_as_pyyaml_reads_them() -> None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in FILES:
        source = SourceText.load(file)
        document = reader.read(source)
        assert [found for found in document.problems if found.kind != "file/duplicate-key"] == [], file
        value = None if document.root is None else plain(document.root, "pyyaml")
        assert same(value, yaml.load(source.text, loader)), file


@needs_corpus
def test_scalars_of_real_files_read_alone() -> None:
    for file in FILES[::8]:
        assert_slices_read_alike(SourceText.load(file).text)


def test_the_pure_parser_gives_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a: &x [1, b: 2 ]\nc: !!str 中\nd: |\n  🚀\n# e\nf: {g: *x}\nh:\n- i\n", "\ufeffa: 1\n"]
    texts += [SourceText.load(file).text for file in FILES[::40]]
    fast = [read(text) for text in texts]
    monkeypatch.setattr(reader, "_FAST", yaml.SafeLoader)
    for text, document in zip(texts, fast, strict=True):
        assert read(text).root == document.root
        assert read(text).comments == document.comments


def test_mutated_files_are_judged_as_pyyaml_does() -> None:
    dice = random.Random(7)
    texts = [SourceText.load(file).text for file in FILES[::9]]
    texts = [text for text in texts if len(text) < 4000] or ["a: &x [1, b: 2 ]\nc: {d: *x}\ne: |\n  f\n# g\n"]
    for _ in range(400):
        text = dice.choice(texts)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text) + 1)
            text = (
                text[:at]
                + dice.choice(["", " ", "\t", "\n", ":", "'", '"', "[", "}", "- ", "&a ", "*a", "🚀", "#"])
                + text[at + dice.randint(0, 2) :]
            )
        assert_agrees(text)
