"""The bounded look at data files: what is counted in each format, and that nothing in a file can raise."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import helpers_parquet
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


@given(
    st.binary(max_size=300),
    st.sampled_from([".json", ".jsonl", ".csv", ".txt", ".parquet", ".jsonl.gz", ".json.zst", ".arrow"]),
)
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    file = tmp_path_factory.getbasetemp() / f"rows{suffix}"
    file.write_bytes(data)
    with suppress(Unknown):
        look(file)


def test_other_kinds_say_why_they_are_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(Unknown, match="no kind"):
        look(tmp_path / "a.xlsx")
    with pytest.raises(Unknown, match="no file that holds data"):
        look(tmp_path / "absent.json")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(Unknown, match="no file that holds data"):
        look(tmp_path / "pipe.jsonl")


def test_a_link_is_followed(tmp_path: Path) -> None:
    written(tmp_path, "a.jsonl", json.dumps(ROWS[0]))
    (tmp_path / "b.jsonl").symlink_to("a.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    assert look(tmp_path / "b.jsonl").count == 1
    with pytest.raises(Unknown):
        look(tmp_path / "loop.jsonl")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.jsonl").write_text("{}")
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(Unknown, match="cannot be read: Permission denied"):
        look(tmp_path / "a.jsonl")


def test_what_is_packed_is_unpacked_up_to_the_limit(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"{i:05}"}) + "\n" for i in range(5000)).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    rows = look(tmp_path / "a.jsonl.gz")
    assert (rows.count, rows.complete, rows.bytes_read) == (5000, True, len(lines))
    assert rows.bytes_on_disk == (tmp_path / "a.jsonl.gz").stat().st_size
    rows = look(tmp_path / "a.jsonl.gz", limit=1000)
    assert (rows.complete, rows.bytes_read < 1100) == (False, True)
    for damaged in (gzip.compress(lines)[:-40], b"no gzip", b"\x1f\x8b\x08" + b"\xff" * 40):
        (tmp_path / "b.jsonl.gz").write_bytes(damaged)
        with pytest.raises(Unknown, match=r"damaged|cannot be read"):
            look(tmp_path / "b.jsonl.gz")


def test_a_field_of_a_table_may_hold_lines(tmp_path: Path) -> None:
    rows = written(tmp_path, "a.csv", 'prompt,completion\n"one\ntwo, three","a ""b"""\nlast,z\n')
    assert (rows.count, rows.columns, list(rows.characters)) == (2, {"prompt", "completion"}, [20, 6])
    assert written(tmp_path, "a.tsv", "prompt\tcompletion\nhello\tyou, there\n").columns == {"prompt", "completion"}


def test_the_footer_of_parquet_says_how_many_rows_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    helpers_parquet.write(tmp_path / "a.parquet", 1000, {"messages.content": 9000, "messages.role": 50, "url": 7})
    rows = look(tmp_path / "a.parquet")
    assert (rows.count, rows.complete, rows.looked_at, rows.text_bytes) == (1000, True, 0, 9000)
    assert rows.columns == {"messages", "url"}
    assert rows.bytes_on_disk == (tmp_path / "a.parquet").stat().st_size
    whole = (tmp_path / "a.parquet").read_bytes()
    for damaged in (b"", b"PAR1", whole[:-1], b"PAR1" + b"\xff" * 40 + whole[-8:], whole[:-20] + whole[-8:]):
        (tmp_path / "b.parquet").write_bytes(damaged)
        with pytest.raises(Unknown, match="cannot be read"):
            look(tmp_path / "b.parquet")


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
