"""A file is replaced whole or not at all, and stays what it was in all but its text."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.fixer.write import ChangedMeanwhile, write
from trainlint.text import SourceText, Unreadable

OLD, NEW = "lr: 1\n", "lr: 2\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "配置 c.yaml"
    path.write_text(OLD)
    return path


def left(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    write(SourceText.load(file), NEW)
    assert file.read_text() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert left(file) == [file.name]


@pytest.mark.parametrize("data", [b"a: 1\r\nb: 2", codecs.BOM_UTF8 + "学: 1\r\n".encode(), b"", b"\r\r\n\n"])
def test_the_bytes_stay_but_for_the_text(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    source = SourceText.load(file)
    assert source.encode(source.text) == data
    write(source, source.text + "# é\n")
    assert file.read_bytes() == data + "# é\n".encode()


def test_a_link_stays_a_link(file: Path) -> None:
    folder = file.parent / "links"
    folder.mkdir()
    (folder / "one.yaml").symlink_to(os.path.relpath(file, folder))
    (folder / "two.yaml").symlink_to("one.yaml")
    write(SourceText.load(folder / "two.yaml"), NEW)
    assert file.read_text() == NEW
    assert not file.is_symlink()
    assert os.readlink(folder / "two.yaml") == "one.yaml"
    assert sorted(os.listdir(folder)) == ["one.yaml", "two.yaml"]


def test_a_file_that_changed_meanwhile_is_kept(file: Path) -> None:
    source = SourceText.load(file)
    file.write_text("mine\n")
    with pytest.raises(ChangedMeanwhile, match="it was changed after it was read; nothing was written"):
        write(source, NEW)
    assert file.read_text() == "mine\n"
    file.unlink()
    with pytest.raises(ChangedMeanwhile, match="it was removed"):
        write(source, NEW)
    assert left(file) == []


def test_a_change_at_the_last_moment_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceText.load(file)
    _before_the_last_check(monkeypatch, lambda: file.write_text("mine\n"))
    with pytest.raises(ChangedMeanwhile):
        write(source, NEW)
    assert file.read_text() == "mine\n"
    assert left(file) == [file.name]


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceText.load(file)

    def full() -> None:
        raise OSError(28, "No space left on device")

    _before_the_last_check(monkeypatch, full)
    with pytest.raises(OSError, match=r"c\.yaml: it cannot be written: No space left on device"):
        write(source, NEW)
    assert file.read_text() == OLD
    assert left(file) == [file.name]


def _before_the_last_check(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Something happens when the new file is complete and about to be moved."""
    sync = os.fsync

    def interrupted(descriptor: int) -> None:
        sync(descriptor)
        happens()

    monkeypatch.setattr(os, "fsync", interrupted)


def test_a_read_only_file_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceText.load(file)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OSError, match="it is read-only"):
        write(source, NEW)
    assert file.read_text() == OLD


def test_a_text_without_a_file() -> None:
    with pytest.raises(ValueError, match="came from no file"):
        write(SourceText("-", OLD), NEW)


@given(st.binary(max_size=60))
def test_what_can_be_read_can_be_written_back(data: bytes) -> None:
    try:
        source = SourceText.decode(data, "f")
    except Unreadable:
        return
    assert source.encode(source.text) == data
