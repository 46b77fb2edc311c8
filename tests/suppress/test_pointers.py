"""Files that hold no comments, and files that others name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers_suppress import (
    RATE,
    RULES,
    SEED,
    STEP,
    at_offset,
    extra,
    find,
)
from trainlint import readers, suppress
from trainlint.patterns import Patterns
from trainlint.settings import Ignore
from trainlint.text import SourceText


def ignore(tmp_path: Path, path: str, pointer: str, *rules: str) -> Ignore:
    return Ignore(Patterns(tmp_path, (path,)), pointer, rules, "because")


def load(tmp_path: Path, name: str, text: str) -> SourceText:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return SourceText.load(file, name)


JSON = '{"optimizer": {"params": {"lr": 2e-5, "a/b~c": [1, {"x": 3}]}},\n "seed": 42}\n'


@pytest.mark.parametrize(
    ("path", "pointer", "rule", "expected"),
    [
        ("ds.json", "/optimizer/params/lr", RATE, [True, False, False]),
        ("*.json", "/optimizer", "lr/*", [True, True, False]),
        ("/sub/ds.json", "/optimizer/params/a~1b~0c/1/x", RATE, [False, True, False]),
        ("ds.json", "", "all", [True, True, True]),
        ("ds.json", "/seed", "warning", [False, False, True]),
        ("ds.json", "/optimizer/params/lr/x", RATE, [False, False, False]),
        ("ds.json", "/optimizer/params/a~1b~0c/9", RATE, [False, False, False]),
        ("other.json", "", RATE, [False, False, False]),
        ("ds.json", "", STEP, [False, False, False]),
    ],
)
def test_json_through_the_configuration(
    tmp_path: Path, path: str, pointer: str, rule: str, expected: list[bool]
) -> None:
    source = load(tmp_path, "sub/ds.json", JSON)
    found = [find(source, RATE, text) for text in ("2e-5", "3", "42")]
    result = suppress.apply(readers.read(source), found, RULES, ignores=[ignore(tmp_path, path, pointer, rule)])
    assert [finding not in result.kept for finding in found] == expected
    assert all((gone.reason, gone.at) == ("because", None) for gone in result.suppressed)


def test_a_selector_hides_no_syntax_error(tmp_path: Path) -> None:
    source = load(tmp_path, "ds.json", '{"a": }')
    (found,) = [find(source, "file/syntax-error", "}")]
    document = readers.read(source)
    assert suppress.apply(document, [found], RULES, ignores=[ignore(tmp_path, "*", "", "file/*", "all")]).kept == [
        found
    ]
    named = ignore(tmp_path, "*", "", "file/syntax-error")
    assert suppress.apply(document, [found], RULES, ignores=[named]).kept == []


def test_comments_in_json_are_told_where_to_go() -> None:
    (finding,) = extra(f'{{\n // # trainlint: ignore[{RATE}] r\n "lr": 2e-5}}', name="ds.json")
    assert finding.rule == "suppressions/malformed"
    assert "configuration" in finding.advice


def test_a_linked_file_speaks_for_itself(tmp_path: Path) -> None:
    script = load(tmp_path, "run.sh", f"# trainlint: ignore-file[{RATE}] r\nllamafactory-cli train a.yaml\n")
    linked = load(tmp_path, "a.yaml", f"lr: 2e-5\nseed: 1  # trainlint: ignore[{SEED}] r\n")
    data = load(tmp_path, "ds.json", JSON)
    found = [find(linked, RATE, "2e-5"), find(linked, SEED, "1"), find(data, RATE, "42"), find(script, RATE, "train")]
    ignores = [ignore(tmp_path, "ds.json", "/seed", RATE)]
    result = suppress.apply(readers.read(script), found, RULES, ignores=ignores)
    assert result.kept == found[:1]
    assert result.extra == []


def test_add_for_json(tmp_path: Path) -> None:
    source = load(tmp_path, "sub/d[s].json", JSON)
    shown = [find(source, RATE, "2e-5"), find(source, SEED, "3"), find(source, STEP, "2e-5")]
    absent = at_offset(source, SEED, 1)  # without an argument it is about the file
    found = [*(replace(finding, argument="lr") for finding in shown), absent]
    result = suppress.add(readers.read(source), found, '说 "好"', base=tmp_path)
    assert (result.edits, result.left) == ((), ())
    assert [(entry.pointer, entry.rules) for entry in result.entries] == [
        ("", (SEED,)), ("/optimizer/params/a~1b~0c/1/x", (SEED,)), ("/optimizer/params/lr", (STEP, RATE)),
    ]  # fmt: skip
    import tomli

    tables = tomli.loads("".join(entry.toml() for entry in result.entries))["ignores"]
    assert tables[2]["reason"] == '说 "好"'
    ignores = [ignore(tmp_path, table["path"], table["pointer"], *table["rules"]) for table in tables]
    assert suppress.apply(readers.read(source), found, RULES, ignores=ignores).kept == []
