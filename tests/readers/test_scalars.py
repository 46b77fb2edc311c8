"""Scalars as each loader resolves them, and how a file finds its reader."""

from __future__ import annotations

import datetime

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers_corpus import needs_corpus, real_files
from trainlint.document import Node
from trainlint.readers import detect, read
from trainlint.readers.scalars import Dialect, plain, resolve
from trainlint.text import SourceText

quick = settings(max_examples=500)


def scalar(text: str) -> Node:
    root = read(SourceText("config.yaml", text)).root
    assert root is not None
    return root


def same(left: object, right: object) -> bool:
    return (left == right and type(left) is type(right)) or repr(left) == repr(right)


@pytest.mark.parametrize(
    ("text", "pyyaml_value", "omegaconf_value"),
    [
        ("1e-4", "1e-4", 1e-4),
        ("1E4", "1E4", 1e4),
        ("5e-6", "5e-6", 5e-6),
        ("1.0e5", "1.0e5", 1e5),
        ("1.0e-4", 1e-4, 1e-4),
        ("1.e-4", 1e-4, 1e-4),
        (".5", 0.5, 0.5),
        ("no", False, False),
        ("Yes", True, True),
        ("off", False, False),
        ("y", "y", "y"),
        ("017", 15, 15),
        ("0o17", "0o17", "0o17"),
        ("0x10", 16, 16),
        ("1_000", 1000, 1000),
        ("12:30:45", 45045, 45045),
        ("1:30.5", 90.5, 90.5),
        ("2024-01-31", datetime.date(2024, 1, 31), "2024-01-31"),
        ("2024-02-31", "2024-02-31", "2024-02-31"),
        ("~", None, None),
        ("null", None, None),
        ("NULL", None, None),
        ("None", "None", "None"),
        ("nan", "nan", "nan"),
        ("NaN", "NaN", "NaN"),
        ("-.inf", float("-inf"), float("-inf")),
        ("'1'", "1", "1"),
        ("! '1'", 1, 1),
        ("!!str 1", "1", "1"),
        ("!!float 1e-4", 1e-4, 1e-4),
        ("!!float '3'", 3.0, 3.0),
        ("!!int '7'", 7, 7),
        ("!!int x", "x", "x"),
        ("!!bool x", "x", "x"),
        ("!unknown 1", "1", "1"),
        ("!!seq x", "x", "x"),
        ("!!binary aGk=", b"hi", b"hi"),
        ("=", "=", "="),
        ("|\n  1\n", "1\n", "1\n"),
    ],
)
def test_yaml_scalars(text: str, pyyaml_value: object, omegaconf_value: object) -> None:
    node = scalar(text)
    assert same(resolve(node, "pyyaml"), pyyaml_value)
    assert same(resolve(node, "omegaconf"), omegaconf_value)


@pytest.mark.parametrize("text", ["a:", "a: # why"])
def test_an_empty_value_is_none(text: str) -> None:
    root = scalar(text)
    assert resolve(root.entries[0].value, "pyyaml") is None
    assert resolve(root.entries[0].value, "omegaconf") is None


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("10", 10), ("1.0", 1.0), ("true", True), ("null", None), ('"1"', "1")]
)
def test_json_scalars(text: str, value: object) -> None:
    root = read(SourceText("x.json", text)).root
    assert root is not None
    assert same(resolve(root, "json"), value)


def test_a_json_file_may_meet_a_yaml_loader() -> None:
    root = read(SourceText("x.json", '{"lr": 1e-4, "on": true, "s": "no"}')).root
    assert root is not None
    assert plain(root, "pyyaml") == {"lr": "1e-4", "on": True, "s": "no"}
    assert plain(root, "omegaconf") == {"lr": 1e-4, "on": True, "s": "no"}


def test_absurdly_long_scalars_stay_text() -> None:
    for text in ("1" + ":1" * 100_000, "1" * 5000):
        assert resolve(Node("scalar", scalar(text).span, text), "pyyaml") == text


def test_the_last_of_equal_keys_wins() -> None:
    assert plain(scalar("a: 1\nb: {c: [1, x]}\na: 2\n"), "pyyaml") == {"a": 2, "b": {"c": [1, "x"]}}


number_like = st.text("0123456789.eE+-_:xabnofyNO~tT Z", min_size=1, max_size=12)


@settings(quick, max_examples=1500)
@given(number_like)
def test_number_like_words_resolve_as_pyyaml_does(text: str) -> None:
    assert_same_as(text, pyyaml.SafeLoader, "pyyaml")


@settings(quick, max_examples=1500)
@given(number_like)
def test_number_like_words_resolve_as_omegaconf_does(text: str) -> None:
    assert_same_as(text, omegaconf_loader(), "omegaconf")


def assert_same_as(text: str, loader: type, dialect: Dialect) -> None:
    try:
        expected = pyyaml.load(f"- {text}", loader)
    except (pyyaml.YAMLError, ValueError, OverflowError):
        return
    assert same(plain(scalar(f"- {text}"), dialect), expected)


def omegaconf_loader() -> type:
    omegaconf = pytest.importorskip("omegaconf")
    try:
        from omegaconf._yaml import get_yaml_loader
    except ImportError:
        from omegaconf._utils import get_yaml_loader
    assert omegaconf
    return get_yaml_loader()


@needs_corpus
def test_real_files_resolve_as_omegaconf_does() -> None:
    loader = omegaconf_loader()
    for file in real_files("yaml")[::4]:
        source = SourceText.load(file)
        try:
            expected = pyyaml.load(source.text, loader)
        except pyyaml.YAMLError:
            continue  # duplicate keys
        document = read(source)
        assert document.root is not None
        value = plain(document.root, "omegaconf")
        assert value == expected or repr(value) == repr(expected), file


@pytest.mark.parametrize(
    ("path", "text", "format"),
    [
        ("run.sh", "", "shell"),
        ("run.SLURM", "", "shell"),
        ("a/b.sbatch", "", "shell"),
        ("x.yml", "", "yaml"),
        ("x.YAML", "#!/bin/bash", "yaml"),
        ("ds.json", "", "json"),
        ("run", "#!/usr/bin/env bash\n", "shell"),
        ("run.job", "#!/bin/sh -e\n", "shell"),
        ("run", "#!/usr/bin/env python\n", None),
        ("-", '{"a": 1}', "json"),
        ("-", "# c\n\nlr: 1e-4\n", "yaml"),
        ("-", "- a: 1\n", "yaml"),
        ("-", "echo hello", None),
        ("notes.txt", "a: 1", None),
        ("-", "", None),
    ],
)
def test_detect(path: str, text: str, format: str | None) -> None:
    assert detect(path, text) == format


def test_a_given_format_goes_before_the_name() -> None:
    assert read(SourceText("x.txt", "a: 1"), "yaml").format == "yaml"
    with pytest.raises(ValueError, match="neither the name nor the content"):
        read(SourceText("x.txt", "a: 1"))
