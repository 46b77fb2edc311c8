"""What a path is called, and where the relative paths of a file may start."""

from pathlib import Path

import pytest

from trainlint.places import called, starts
from trainlint.text import SourceText


def _starts(tmp_path: Path, repository: bool) -> list[str]:
    folder = tmp_path / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    if repository:
        (tmp_path / "a" / ".git").mkdir()
    (folder / "run.sh").write_text("")
    found = starts(SourceText.load(folder / "run.sh"))
    return [path.relative_to(tmp_path).as_posix() for path in found]


def test_a_repository_is_searched_up_to_its_root(tmp_path: Path) -> None:
    assert _starts(tmp_path, repository=True) == ["a/b/c/d", "a/b/c", "a/b", "a"]


def test_without_a_repository_the_search_ends_soon(tmp_path: Path) -> None:
    assert _starts(tmp_path, repository=False) == ["a/b/c/d", "a/b/c", "a/b"]


def test_without_a_repository_our_own_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert _starts(tmp_path, repository=False)[-1] == "a"


@pytest.mark.parametrize(
    ("file", "name"),
    [("here/run.sh", "run.sh"), ("here/a/../run.sh", "run.sh"), ("elsewhere/run.sh", None), ("hereafter/run.sh", None)],
)
def test_a_path_is_called_as_seen_from_here(
    file: str, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert called(tmp_path / file) == (name or str(tmp_path / file))
