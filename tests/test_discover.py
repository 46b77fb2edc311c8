"""Which files a search takes: git is the judge of ignore files, and every file passed over has its reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers_corpus import CORPUS, needs_corpus
from trainlint.discover import Found, default_choice, discover
from trainlint.linter import Linter
from trainlint.patterns import Patterns
from trainlint.settings import FileChoice
from trainlint.text import SourceText

RUN = "torchrun train.py --learning_rate 1e-4\n"
NO_CONFIG = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_DIR": None, "GIT_WORK_TREE": None}


def git(folder: Path, *arguments: str) -> list[str]:
    env = {key: value for key, value in {**os.environ, **NO_CONFIG}.items() if value is not None}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, capture_output=True, check=True, timeout=60)
    return [name for name in os.fsdecode(done.stdout).split("\0") if name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.fsencode(text))


def nothing_excluded(directory: Path) -> FileChoice:
    return FileChoice()


def names(found: Found, folder: Path) -> list[str]:
    return [entry.path.relative_to(folder).as_posix() for entry in found.files]


def reasons(found: Found, folder: Path) -> dict[str, str]:
    return {os.path.relpath(skipped.path, folder): skipped.reason for skipped in found.skipped}


# --------------------------------------------------------------------------------------------------- git as the oracle


def both(folder: Path) -> tuple[set[str], set[str]]:
    """What the search takes, and what git lists as neither ignored nor its own."""
    found = discover([folder], nothing_excluded)
    listed = git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    return set(names(found, folder)), {name for name in listed if name.endswith(".sh")}


TREE = {
    f"{folder}{name}": RUN
    for folder in ("", "a/", "a/b/", "a/b/c/", "x/", "x/a/", "build/", "x/build/", "a b/", "ü/")
    for name in ("run.sh", "a.sh", "keep.sh", "[1].sh", "über.sh", "#.sh", "!.sh")
}

IGNORE_FILES = {
    "names": {".gitignore": "a.sh\n"},
    "directories only": {".gitignore": "a/\nrun.sh/\n"},
    "anchored": {".gitignore": "/run.sh\nx/a\n"},
    "negation": {".gitignore": "*.sh\n!keep.sh\n"},
    "no way back into an excluded directory": {".gitignore": "a/\n!a/keep.sh\n"},
    "a way back by the directory": {".gitignore": "a/*\n!a/b/\n"},
    "directories only beside a glob of files": {".gitignore": "*.sh\n!x/\n"},
    "the last line wins": {".gitignore": "!run.sh\nrun.sh\n!a.sh\n"},
    "nested": {".gitignore": "*.sh\n", "a/.gitignore": "!run.sh\n", "a/b/.gitignore": "run.sh\n!a.sh\n"},
    "nested and anchored": {"a/.gitignore": "/b\n", "x/.gitignore": "/b\na/*.sh\n"},
    "a nested directory pattern says nothing of the files": {".gitignore": "*.sh\n", "x/.gitignore": "!a/\n"},
    "stars": {".gitignore": "**/b/**\nx/**/run.sh\n/**/keep.sh\n"},
    "all below": {".gitignore": "a/**\n!a/b\n"},
    "a star is not a slash": {".gitignore": "a*run.sh\na/*.sh\n"},
    "all directories": {".gitignore": "*/\n!x/\n"},
    "brackets": {".gitignore": "[ab].sh\n\\[1].sh\n[!r]*.sh\n!keep.sh\n"},
    "escapes and blanks": {".gitignore": "\\#.sh\n#.sh\n\\!.sh\nrun.sh   \na\\ b/  \n"},
    "crlf and blank lines": {".gitignore": "a.sh\r\n\r\n  \r\n/x/\r\n"},
    "a byte order mark": {".gitignore": "\ufeffa.sh\n"},
    "no newline at the end": {".gitignore": "über.sh"},
    "an odd directory": {".gitignore": "ü/\na b\n"},
    "info/exclude": {".git/info/exclude": "run.sh\nx/\n", ".gitignore": "!a/b/run.sh\n"},
    "nothing but slashes": {".gitignore": "/\n//\n!\n\n!/\n"},
    "question marks": {".gitignore": "?.sh\nr?n.sh\na?run.sh\n"},
}


@pytest.mark.parametrize("ignore", IGNORE_FILES.values(), ids=IGNORE_FILES)
def test_ignore_files_mean_what_git_says(tmp_path: Path, ignore: dict[str, str]) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, TREE)
    write(tmp_path, ignore)
    ours, theirs = both(tmp_path)
    assert ours == theirs


WORDS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "x",
        "run.sh",
        "a.sh",
        "*",
        "**",
        "*.sh",
        "a*",
        "?",
        "?.sh",
        "[ab]",
        "[!a]*",
        "build",
        "\\#.sh",
        "*\\[1].sh",
    ]
)
LINES = st.builds(
    lambda no, root, words, end: no + root + "/".join(words) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
FILES = st.dictionaries(
    st.sampled_from([".gitignore", "a/.gitignore", "a/b/.gitignore", ".git/info/exclude"]),
    st.lists(LINES, min_size=1, max_size=4).map("\n".join),
    min_size=1,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(FILES)
def test_generated_ignore_files_mean_what_git_says(generated_tree: Path, ignore: dict[str, str]) -> None:
    for name in (".gitignore", "a/.gitignore", "a/b/.gitignore", ".git/info/exclude"):
        (generated_tree / name).unlink(missing_ok=True)
    write(generated_tree, ignore)
    ours, theirs = both(generated_tree)
    assert ours == theirs


@pytest.fixture
def generated_tree() -> Path:  # type: ignore[misc]
    folder = Path(tempfile.mkdtemp())
    git(folder, "init", "-q")
    write(folder, {name: RUN for name in TREE if not name.startswith(("ü", "a b"))})
    yield folder  # type: ignore[misc]
    shutil.rmtree(folder)


def test_a_search_below_the_root_knows_the_ignore_files_above(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {**TREE, ".gitignore": "b/\n/a/run.sh\n", ".git/info/exclude": "keep.sh"})
    found = discover([tmp_path / "a"], nothing_excluded)
    listed = git(tmp_path, "ls-files", "-z", "--others", "--exclude-standard", "--", "a")
    assert set(names(found, tmp_path)) == set(listed)


def test_a_repository_inside_another_begins_anew(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {".gitignore": "run.sh\n", "inner/run.sh": RUN, "inner/a.sh": RUN, "run.sh": RUN})
    git(tmp_path, "init", "-q", "inner")
    write(tmp_path, {"inner/.gitignore": "a.sh\n"})
    assert names(discover([tmp_path], nothing_excluded), tmp_path) == ["inner/run.sh"]


def test_a_worktree_shares_the_excludes_of_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    main.mkdir()
    git(main, "init", "-q")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(main, *identity, "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", "-q", str(tree))
    write(main, {".git/info/exclude": "a.sh\n"})
    write(tree, {"a.sh": RUN, "b.sh": RUN})
    assert names(discover([tree], nothing_excluded), tree) == ["b.sh"]


def test_without_a_repository_ignore_files_count_from_the_searched_directory(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "sub/\n", "sub/.gitignore": "a.sh\n", "sub/a.sh": RUN, "sub/b.sh": RUN})
    assert names(discover([tmp_path]), tmp_path) == []
    assert names(discover([tmp_path / "sub"]), tmp_path) == ["sub/b.sh"]


def test_git_may_be_disregarded(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.sh\n", "a.sh": RUN})
    assert names(discover([tmp_path], gitignore=False), tmp_path) == ["a.sh"]


# ---------------------------------------------------------------------------------------------------------- exclusion


def test_every_file_passed_over_has_its_reason(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "# results\n\nout/\nold_*\n",
            "out/run.sh": RUN,
            "old_run.sh": RUN,
            ".hidden/run.sh": RUN,
            "node_modules/run.sh": RUN,
            "env/pyvenv.cfg": "",
            "env/run.sh": RUN,
            "values.yaml": "a: 1\n",
            "binary.sh": RUN + "\0",
            "latin.sh": RUN + "\udce9",
            "large.json": "learning_rate" + " " * 1_000_000,
            "train.txt": "learning_rate = 1\n",
            "run.sh": RUN,
        },
    )
    found = discover([tmp_path])
    assert names(found, tmp_path) == ["run.sh"]
    ignore = tmp_path / ".gitignore"
    assert reasons(found, tmp_path) == {
        "out": f"ignored by {ignore}:3",
        "old_run.sh": f"ignored by {ignore}:4",
        ".hidden": "excluded by .*/ (exclude, by default)",
        "node_modules": "excluded by node_modules/ (exclude, by default)",
        "env": "a Python virtual environment",
        "values.yaml": "describes no training run",
        "binary.sh": "not a text file",
        "latin.sh": "not a text file in UTF-8",
        "large.json": "larger than 1,000,000 bytes",
        "train.txt": "of no format that is read (an include pattern would add it)",
        ".gitignore": "of no format that is read (an include pattern would add it)",
    }
    assert found.examined == 6


def test_places_are_shown_as_seen_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"sub/.gitignore": "a.sh\n", "sub/a.sh": RUN, "sub/b.sh": RUN})
    monkeypatch.chdir(tmp_path)
    found = discover([Path(".")])
    assert [str(entry.path) for entry in found.files] == ["sub/b.sh"]
    assert ("sub/a.sh", "ignored by sub/.gitignore:1") in [(s.path, s.reason) for s in found.skipped]


def choosing(base: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> FileChoice:
    return FileChoice((Patterns(base, include, "include"),), (Patterns(base, exclude, "exclude"),))


def test_include_adds_files_by_name_and_content_still_counts(tmp_path: Path) -> None:
    write(tmp_path, {"a.args": RUN, "b.args": "hello\n", "c.txt": RUN})
    found = discover([tmp_path], lambda _: choosing(tmp_path, include=("*.args",)))
    assert names(found, tmp_path) == ["a.args"]
    assert reasons(found, tmp_path)["b.args"] == "describes no training run"


def test_patterns_are_relative_to_their_base(tmp_path: Path) -> None:
    write(tmp_path, {"old/a.sh": RUN, "sub/old/a.sh": RUN, "sub/legacy/a.sh": RUN, "sub/b.sh": RUN})
    found = discover([tmp_path], lambda _: choosing(tmp_path, exclude=("/old", "legacy/", "*.sh", "!a.sh")))
    assert names(found, tmp_path) == ["sub/old/a.sh"]


def test_what_is_named_is_taken_although_excluded(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "out/\n*.log.sh\n", "out/a.sh": RUN, "out/deep/b.log.sh": RUN, "build/c.sh": RUN})
    assert names(discover([tmp_path / "out/a.sh"]), tmp_path) == ["out/a.sh"]
    assert names(discover([tmp_path / "build"]), tmp_path) == ["build/c.sh"]
    git(tmp_path, "init", "-q")
    assert names(discover([tmp_path / "out"]), tmp_path) == ["out/a.sh"]


def test_force_exclude_holds_for_named_paths_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {".gitignore": "out/\n!out/a.sh\n", "out/a.sh": RUN, "build/deep/c.sh": RUN, "d.sh": RUN})
    paths = [tmp_path / name for name in ("out/a.sh", "build/deep/c.sh", "build", "d.sh")]

    def choice(directory: Path) -> FileChoice:
        return default_choice(tmp_path)

    found = discover(paths, choice, force_exclude=True)
    assert names(found, tmp_path) == ["d.sh"]
    assert reasons(found, tmp_path) == {
        "out/a.sh": f"ignored by {tmp_path / '.gitignore'}:1",
        "build/deep/c.sh": "excluded by build/ (exclude, by default)",
        "build": "excluded by build/ (exclude, by default)",
    }


# -------------------------------------------------------------------------------------------------- odd file systems


def test_each_file_is_linted_once_in_the_order_given(tmp_path: Path) -> None:
    write(tmp_path, {"b/z.sh": RUN, "b/a.sh": RUN, "a.sh": RUN, "b/c/a.sh": RUN})
    (tmp_path / "link.sh").symlink_to("a.sh")
    found = discover([tmp_path / "b", tmp_path, tmp_path / "b" / "z.sh", tmp_path / "a.sh"])
    assert names(found, tmp_path) == ["b/a.sh", "b/c/a.sh", "b/z.sh", "a.sh"]
    assert [entry.explicit for entry in found.files] == [False, False, True, True]
    assert found.examined == 4


def test_a_link_to_a_file_that_was_seen(tmp_path: Path) -> None:
    write(tmp_path, {"a.sh": RUN})
    (tmp_path / "b.sh").symlink_to("a.sh")
    found = discover([tmp_path])
    assert names(found, tmp_path) == ["a.sh"]
    assert reasons(found, tmp_path)["b.sh"] == f"the same file as {tmp_path / 'a.sh'}"


def test_links_that_lead_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, {"a/run.sh": RUN})
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "gone.sh").symlink_to("nothing")
    (tmp_path / "self.sh").symlink_to("self.sh")
    found = discover([tmp_path])
    assert names(found, tmp_path) == ["a/run.sh"]
    said = reasons(found, tmp_path)
    assert said["a/up"] == "a symbolic link to a directory"
    assert said["gone.sh"] == "a symbolic link to nothing"
    assert said["self.sh"].startswith("cannot be read")


def test_a_named_link_to_a_directory_is_searched(tmp_path: Path) -> None:
    write(tmp_path, {"real/run.sh": RUN})
    (tmp_path / "link").symlink_to("real")
    assert names(discover([tmp_path / "link"]), tmp_path) == ["link/run.sh"]


def test_a_directory_that_cannot_be_listed_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a/run.sh": RUN, "b/run.sh": RUN})
    scan = os.scandir

    def refuse(path: str) -> object:
        if os.path.basename(path) == "a":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover([tmp_path])
    assert names(found, tmp_path) == ["b/run.sh"]
    assert reasons(found, tmp_path) == {"a": "cannot be listed: Permission denied"}


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sh")
    assert reasons(discover([tmp_path]), tmp_path) == {"pipe.sh": "no regular file"}


def test_a_path_that_is_not_there_is_left_to_the_reader(tmp_path: Path) -> None:
    (entry,) = discover([tmp_path / "none.sh"]).files
    assert (entry.path, entry.explicit) == (tmp_path / "none.sh", True)


@needs_corpus
def test_no_run_of_the_corpus_is_missed() -> None:
    linter = Linter()
    missed = []
    for skipped in discover([CORPUS], nothing_excluded).skipped:
        if skipped.reason == "describes no training run":
            _, launches = linter.read(SourceText.load(Path(skipped.path)))
            if launches:
                missed.append((skipped.path, launches[0].first.dialect))
    assert not missed


def test_json_lines_are_data(tmp_path: Path) -> None:
    row = '{"text": "what learning_rate and batch_size mean"}\n'
    write(tmp_path, {"data.json": row * 2, "one.json": row, "list.json": f"[\n{row},\n{row}]"})
    assert reasons(discover([tmp_path]), tmp_path) == {"data.json": "JSON Lines, which is data"}
