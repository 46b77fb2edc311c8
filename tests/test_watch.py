"""`--watch`: what starts another run, what does not, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from helpers_cli import ARTICLE, CLEAN
from trainlint.cli.watch import watch
from trainlint.settings import SettingsError

Step = Callable[[], object]


def runs(once: Callable[[int], list[Path]], steps: list[Step], *, writes: bool = False) -> int:
    """How many runs there are when these things happen one after the other, each followed by looks that find nothing new."""
    number = 0
    waiting = iter([step for happening in steps for step in (happening, lambda: None)])

    def counted() -> list[Path]:
        nonlocal number
        number += 1
        return once(number)

    def wait() -> None:
        step = next(waiting, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    watch(counted, writes=writes, wait=wait)
    return number


def touch(path: Path, text: str = "x") -> Step:
    """A change that is later than any before it, as the clock of the disk sees it."""

    def change() -> None:
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(before + 10**9, before + 10**9))

    return change


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    path = tmp_path / "a.sh"
    path.write_text("1")
    return path


def test_nothing_happens_without_a_change(file: Path) -> None:
    assert runs(lambda _: [file, file.parent], [lambda: None, lambda: None]) == 1


def test_each_change_is_one_run(file: Path) -> None:
    assert runs(lambda _: [file], [touch(file), touch(file, "y"), file.unlink, touch(file)]) == 5


def test_replacing_a_file_by_another_of_the_same_time_is_a_change(file: Path) -> None:
    def replace() -> None:
        status = file.stat()
        new = file.with_name("new")
        new.write_text("2")
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.replace(file)

    assert runs(lambda _: [file], [replace]) == 2


def test_a_file_made_anywhere_below_is_a_change(file: Path) -> None:
    folder = file.parent
    assert runs(lambda _: [folder], [touch(folder / "deep" / "er" / "new.sh")]) == 2
    assert runs(lambda _: [folder], [touch(folder / "b" / "c.sh"), touch(folder / "b" / "d" / "e.sh")]) == 3


def test_what_is_no_part_of_the_project_is_passed_over(file: Path) -> None:
    folder = file.parent
    for name in (".git", "node_modules"):
        (folder / name / "x").mkdir(parents=True)
    assert (
        runs(lambda _: [folder], [touch(folder / ".git" / "x" / "y"), touch(folder / "node_modules" / "x" / "y")]) == 1
    )


def test_a_change_during_a_run_starts_another_one(file: Path) -> None:
    def once(number: int) -> list[Path]:
        if number == 2:
            touch(file, "while it runs")()
        return [file]

    assert runs(once, [touch(file)]) == 3


def test_what_a_run_writes_itself_starts_no_other(file: Path) -> None:
    def once(number: int) -> list[Path]:
        touch(file, str(number))()
        return [file]

    assert runs(once, [touch(file, "by hand")], writes=True) == 2


@pytest.mark.parametrize("error", [click.UsageError("no good"), SettingsError("no good")])
def test_what_cannot_be_used_is_said_and_waits_for_a_change(
    error: Exception, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def once(number: int) -> list[Path]:
        if number == 2:
            raise error
        return [file]

    assert runs(once, [touch(file), touch(file, "y")]) == 3
    assert capsys.readouterr().err.count("Error: no good") == 1


def test_in_the_first_run_it_is_an_error() -> None:
    def once() -> list[Path]:
        raise click.UsageError("no good")

    with pytest.raises(click.UsageError):
        watch(once)


# ------------------------------------------------------------------------------------------------- the command itself


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "run.sh").write_text(Path(ARTICLE).read_text("utf-8"), "utf-8")
    (tmp_path / "trainlint.toml").write_text("")
    # a job in the background of a shell ignores Ctrl-C, and so would all that it starts
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heeding}; import sys; from trainlint.cli import main; sys.argv[0] = 'trainlint'; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--watch", "--select", "lr/*", "."],
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **CLEAN},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], text: str) -> None:
    """Wait for a run that says `text`: what is written in two steps may be seen, and linted, half way."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        assert "Traceback" not in line
        said += line
        if line.startswith("Watching"):
            if text in said:
                return
            said = ""
    raise AssertionError(f"it ended: {said}")


@pytest.mark.skipif(os.name != "posix", reason="sends an interrupt as a terminal does")
def test_the_command_watches_files_configuration_and_new_files(watched: subprocess.Popen[str], tmp_path: Path) -> None:
    until(watched, "note[lr/too-high-for-step]")
    (tmp_path / "trainlint.toml").write_text('[severity]\n"lr/too-high-for-step" = "error"\n')
    until(watched, "error[lr/too-high-for-step]")
    (tmp_path / "trainlint.toml").write_text("[severity\n")
    until(watched, "trainlint.toml:1")
    (tmp_path / "trainlint.toml").write_text("# nothing\n")
    until(watched, "note[lr/too-high-for-step]")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "other.sh").write_text((tmp_path / "run.sh").read_text("utf-8"), "utf-8")
    until(watched, "in 2 files")
    watched.send_signal(signal.SIGINT)
    assert watched.wait(60) == 0
    assert watched.stdout is not None
    assert "Traceback" not in watched.stdout.read()
