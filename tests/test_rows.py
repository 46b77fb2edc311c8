"""The bounded look at data files: what is counted in each format, and that nothing in a file can raise."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint import rows as module
from trainlint.facts import Unknown
from trainlint.rows import Rows, look, merged

ROWS = [
    {"id": 1, "instruction": "Who?", "output": "Ann."},
    {"id": 2, "instruction": "Who?", "output": "Ann."},
    {"id": 3, "instruction": "你好", "output": " "},
    {"id": 4, "instruction": "", "output": ""},
]


def written(folder: Path, name: str, text: str) -> Rows:
    (folder / name).write_text(text, "utf-8")
    return look(folder / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", "\n".join(json.dumps(row) for row in ROWS)),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.json", "\ufeff" + json.dumps(ROWS, ensure_ascii=False)),
        ("a.json", "\n\n".join(json.dumps(row) for row in ROWS) + "\n"),
        ("a.csv", "id,instruction,output\n1,Who?,Ann.\n2,Who?,Ann.\n3,你好, \n4,,\n"),
    ],
)
def test_the_same_rows_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    rows = written(tmp_path, name, text)
    assert (rows.count, rows.looked_at, rows.complete) == (4, 4, True)
    assert (rows.duplicates, rows.empty, rows.unanswered, rows.unreadable) == (1, 1, 1, 0)
    assert rows.columns == {"id", "instruction", "output"}
    assert list(rows.characters)[:3] == [9, 9, 4]
    assert list(rows.chinese) == [0, 0, 2, 0]


def test_the_text_of_a_conversation_is_what_is_said(tmp_path: Path) -> None:
    row = {"source": "somewhere", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}
    assert list(written(tmp_path, "a.json", json.dumps([row])).characters) == [len("Hi\nHo")]


def test_rows_with_other_pictures_are_no_duplicates(tmp_path: Path) -> None:
    found = [{"messages": [{"content": "What is it?"}], "images": [f"{i}.png"]} for i in range(3)]
    assert written(tmp_path, "a.json", json.dumps(found)).duplicates == 0


def test_a_bad_row_is_counted_with_its_line(tmp_path: Path) -> None:
    rows = written(tmp_path, "a.jsonl", '{"text": "a"}\n\n{"text": \n[1]\n{"text": "b"}')
    assert (rows.count, rows.looked_at, rows.unreadable, rows.first_unreadable) == (4, 2, 2, "a.jsonl:3")
    rows = written(tmp_path, "a.json", '[\n{"text": "a"},\n{"text": "b"\n')
    assert (rows.looked_at, rows.unreadable, rows.first_unreadable, rows.complete) == (1, 1, "a.json:3", False)


def test_no_more_than_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"text": f"{i:05}"}) + "\n" for i in range(100)]
    for name, text in (("a.jsonl", "".join(lines)), ("a.json", json.dumps([json.loads(line) for line in lines]))):
        (tmp_path / name).write_text(text)
        rows = look(tmp_path / name, limit=200)
        assert 9 <= rows.looked_at <= 12, name
        assert (rows.complete, rows.unreadable) == (False, 0), name
        assert look(tmp_path / name).complete, name
    (tmp_path / "a.txt").write_text("x" * 300)
    assert not look(tmp_path / "a.txt", limit=200).complete
    monkeypatch.setattr(module, "MAX_ROWS", 10)
    rows = look(tmp_path / "a.jsonl")
    assert (rows.count, rows.looked_at, rows.complete) == (100, 10, True)


@pytest.mark.parametrize(
    "text", ["", "{", '{"data": [\n1]}', "null\n" * 3, "[", "[[[", '"', "[1, 2", "\x00", "[" * 100_000]
)
def test_what_is_no_list_of_rows_is_unknown_or_counted(tmp_path: Path, text: str) -> None:
    for name in ("a.json", "a.jsonl", "a.csv"):
        try:
            rows = written(tmp_path, name, text)
        except Unknown:
            continue
        assert rows.looked_at == len(rows.characters) <= max(rows.count, 1)


@given(st.binary(max_size=300), st.sampled_from([".json", ".jsonl", ".csv", ".txt", ".parquet"]))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    file = tmp_path_factory.getbasetemp() / f"rows{suffix}"
    file.write_bytes(data)
    with suppress(Unknown):
        look(file)


def test_other_kinds_say_why_they_are_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(b"x")
    with pytest.raises(Unknown, match="no kind"):
        look(tmp_path / "a.zst")
    with pytest.raises(Unknown, match="cannot be read"):
        look(tmp_path / "absent.json")


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(Unknown, match="only where pyarrow is installed"):
        look(tmp_path / "a.parquet")


def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    rows = look(tmp_path / "a.parquet")
    assert (rows.count, rows.duplicates, rows.empty, rows.complete) == (4, 1, 1, True)


def test_rows_of_several_files_are_one_data_set(tmp_path: Path) -> None:
    one, two = (written(tmp_path, name, json.dumps(ROWS[:2])) for name in ("a.json", "b.json"))
    whole = merged([one, two], complete=True)
    assert (whole.count, whole.duplicates, whole.complete, str(whole)) == (4, 3, True, "a.json, b.json")
    assert one.duplicates == 1, "the parts stay as they were"
    assert not merged([one], complete=False).complete
    assert one.complete
