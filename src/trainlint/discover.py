"""Finding the training configurations below a directory: by what the files say, not by their names alone.

A directory is searched as git would list it: what a `.gitignore` leaves out is left out, and what the settings exclude. Every
file that is passed over is kept with the reason, so that nobody has to guess.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from trainlint.findings import Skipped
from trainlint.patterns import Patterns, exclude_file, read_ignore_file, repository_of
from trainlint.places import called
from trainlint.plugins import installed
from trainlint.readers import SUFFIXES
from trainlint.settings import DEFAULT_EXCLUDE, FileChoice
from trainlint.text import most_bytes

TOOLS = frozenset({"pyproject.toml", "trainlint.toml", ".trainlint.toml"})
"""They name frameworks, but they configure tools."""
HINTS = re.compile(
    rb"batch[_-]size|learning[_-]rate|gradient[_-]accumulation|num[_-]train[_-]epochs|train[_-]iters|model[_-]parallel|seq_len"
    rb"|zero_optimization|finetuning_type|base_model|pretrained_model|distributed_type|ppo_trainer|verl[./]"
    rb"|torchrun|torch\.distributed|deepspeed|accelerate|llamafactory-cli|trl "
)
"""A file with none of these describes no run that any dialect reads, so it need not be parsed."""
JSON_LINES = re.compile(rb"\s*\{.*\}[ \t\r]*\n\s*\{")
"""What no JSON text begins with: an object in one line and another one below it."""
CALLS = re.compile(rb"(?:TrainingArguments|(?:SFT|DPO|KTO|ORPO|CPO|GRPO|RLOO|Reward|Lora)Config|get_peft_model)\s*\(")
"""The same for Python and notebooks, most of which have to do with something else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to lint. `explicit`: the user named the file itself, so it is looked at whatever it holds."""

    path: Path
    explicit: bool


@dataclass
class Found:
    """Files to lint, in order, and what was passed over. `examined` counts the files whose name made them candidates."""

    files: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    examined: int = 0


def default_choice(directory: Path) -> FileChoice:
    """Which files to choose where no configuration says it."""
    return FileChoice(exclude=(Patterns(directory, DEFAULT_EXCLUDE, "exclude, by default"),))


def discover(
    paths: Iterable[Path],
    choice: Callable[[Path], FileChoice] = default_choice,
    *,
    gitignore: bool = True,
    force_exclude: bool = False,
) -> Found:
    """The files that `paths` name and the configurations below its directories; each file once, in the order of `paths`.

    `choice` gives the include and exclude patterns for the files of a directory (absolute). `force_exclude`: a file that is
    named is left out, too, where it is excluded or describes no run. Never raises for what it meets:
    a path that is not there is an entry like any other, and reading it will say so.
    """
    walk = _Walk(choice, gitignore)
    paths = list(paths)
    walk.explicit = {os.path.realpath(path) for path in paths if not path.is_dir()}
    for path in paths:
        reason = walk.left_out(path) if force_exclude else None
        if reason is not None:
            walk.skip(path, reason)
        elif path.is_dir():
            walk.directory(path)
        else:
            walk.file(path, as_found=force_exclude)
    return walk.found


class _Walk:
    def __init__(self, choice: Callable[[Path], FileChoice], gitignore: bool) -> None:
        self.found = Found()
        self.explicit: set[str] = set()
        self._choice, self._gitignore = choice, gitignore
        self._seen: dict[str, Path] = {}
        self._examined: set[str] = set()

    def file(self, path: Path, as_found: bool) -> None:
        """A file that was named: by the user, or `as_found` by a program that names whatever has changed."""
        self._examine(path)
        as_found = as_found and path.exists()
        reason = why_not(path) if as_found else None
        if reason is not None:
            self.skip(path, reason)
        else:
            self._take(path, not as_found)

    def directory(self, top: Path) -> None:
        """A directory that the user named: what leaves it out as a whole does not count."""
        absolute = Path(os.path.abspath(top))
        ignores = [patterns.without(absolute) for patterns in self._ignores_above(absolute)]
        unlisted = partial(_unlisted, self)
        pending: dict[str, list[Patterns]] = {str(top): ignores}
        for root, folders, names in os.walk(top, onerror=unlisted):
            folder = Path(os.path.abspath(root))
            here = self._enter(folder, Path(root), pending.pop(root), at_top=folder == absolute)
            choice = self._choice(folder)
            exclude = [patterns.without(absolute) for patterns in choice.exclude]
            for name in sorted(names):
                self._candidate(Path(root, name), folder / name, here, choice, exclude)
            descend = []
            for name in sorted(folders):
                reason = self._folder(folder / name, here, exclude)
                if reason is None:
                    descend.append(name)
                    pending[os.path.join(root, name)] = here
                else:
                    self.skip(Path(root, name), reason)
            folders[:] = descend

    def _candidate(
        self, path: Path, absolute: Path, ignores: list[Patterns], choice: FileChoice, exclude: list[Patterns]
    ) -> None:
        if path.suffix.lower() not in SUFFIXES and not _matches(choice.include, absolute):
            self.skip(path, "of no format that is read (an include pattern would add it)")
            return
        if path.name in TOOLS:
            self.skip(path, "configures tools, not a run")
            return
        self._examine(path)
        if os.path.realpath(path) in self.explicit:
            return
        reason = _ruled_out(absolute, False, ignores, exclude) or why_not(path)
        if reason is not None:
            self.skip(path, reason)
        else:
            self._take(path, False)

    def _folder(self, absolute: Path, ignores: list[Patterns], exclude: list[Patterns]) -> str | None:
        if absolute.name == ".git":
            return "git's own"
        reason = _ruled_out(absolute, True, ignores, exclude)
        if reason is None and absolute.is_symlink():
            return "a symbolic link to a directory"
        if reason is None and (absolute / "pyvenv.cfg").is_file():
            return "a Python virtual environment"
        return reason

    def _examine(self, path: Path) -> None:
        self._examined.add(os.path.realpath(path))
        self.found.examined = len(self._examined)

    def _take(self, path: Path, explicit: bool) -> None:
        real = os.path.realpath(path)
        if real in self._seen:
            if str(self._seen[real]) != str(path):
                self.skip(path, f"the same file as {self._seen[real]}")
            return
        self._seen[real] = path
        self.found.files.append(Entry(path, explicit))

    def skip(self, path: Path, reason: str) -> None:
        self.found.skipped.append(Skipped(str(path), reason))

    # ------------------------------------------------------------------------------------------------ .gitignore

    def _ignores_above(self, directory: Path) -> list[Patterns]:
        """The ignore files that hold for the entries of `directory` from above it, weakest first."""
        if not self._gitignore:
            return []
        repository = repository_of(directory)
        if repository is None:
            return []
        steps = [step for step in reversed(directory.parents) if step.is_relative_to(repository)]
        found = [_exclude_of(repository), *(_ignore_file(step, step / ".gitignore") for step in steps)]
        return [patterns for patterns in found if patterns is not None]

    def _enter(self, folder: Path, shown: Path, ignores: list[Patterns], at_top: bool) -> list[Patterns]:
        """The ignore files for the entries of a folder; another repository begins anew."""
        if not self._gitignore:
            return []
        if not at_top and (folder / ".git").exists():
            outer = _exclude_of(folder)
            ignores = [outer] if outer is not None else []
        own = _ignore_file(shown, folder / ".gitignore")
        return ignores if own is None else [*ignores, own]

    def left_out(self, path: Path) -> str | None:
        """Why a path that the user named would not have been found by searching."""
        absolute = Path(os.path.abspath(path))
        ignores = self._ignores_above(absolute)
        top = repository_of(absolute.parent) if self._gitignore else None
        for step in (*reversed(absolute.parents), absolute):
            if top is None or step == top or not step.is_relative_to(top):
                continue
            above = [patterns for patterns in ignores if step.parent.is_relative_to(patterns.base)]
            reason = _ruled_out(step, step != absolute or path.is_dir(), above, [])
            if reason is not None:
                return reason
        for patterns in self._choice(absolute.parent).exclude:
            decision = patterns.covers(absolute, directory=path.is_dir())
            if decision is not None:
                return _excluded(decision.pattern, patterns)
        return None


def _unlisted(walk: _Walk, error: OSError) -> None:
    walk.skip(Path(error.filename), f"cannot be listed: {error.strerror}")


def _ignore_file(shown: Path, file: Path) -> Patterns | None:
    return read_ignore_file(file, label=called(shown / ".gitignore"))


def _exclude_of(repository: Path) -> Patterns | None:
    file = exclude_file(repository)
    return read_ignore_file(file, repository, called(file)) if file is not None else None


def _ruled_out(absolute: Path, directory: bool, ignores: list[Patterns], exclude: Iterable[Patterns]) -> str | None:
    for patterns in reversed(ignores):
        decision = patterns.decide(absolute, directory)
        if decision is not None:
            if decision.positive:
                return f"ignored by {patterns.label}:{decision.line}"
            break
    for patterns in exclude:
        decision = patterns.decide(absolute, directory)
        if decision is not None and decision.positive:
            return _excluded(decision.pattern, patterns)
    return None


def _excluded(pattern: str, patterns: Patterns) -> str:
    return f"excluded by {pattern} ({patterns.label})"


def _matches(include: Iterable[Patterns], absolute: Path) -> bool:
    decisions = (patterns.decide(absolute) for patterns in include)
    return any(decision is not None and decision.positive for decision in decisions)


def why_not(path: Path) -> str | None:
    """Why a file is not worth parsing; None where it is."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "no regular file"
        if status.st_size > (most := most_bytes(path.name)):
            return f"larger than {most:,} bytes"
        data = path.read_bytes()
    except FileNotFoundError:
        return "a symbolic link to nothing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if b"\0" in data:
        return "not a text file"
    hints = CALLS if SUFFIXES.get(path.suffix.lower()) in ("python", "notebook") else HINTS
    if hints.search(data) is None and not any(hint in data for hint in _plugin_hints()):
        return "describes no training run"
    if path.suffix.lower() == ".json" and JSON_LINES.match(data):
        return "JSON Lines, which is data"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "not a text file in UTF-8"
    return None


@cache
def _plugin_hints() -> tuple[bytes, ...]:
    return tuple(hint.encode() for plugin in installed() for hint in plugin.hints)
