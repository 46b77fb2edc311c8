"""The settings in force for a file: what the command line, a configuration file and the defaults say together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import tomli

from trainlint.document import Origin
from trainlint.facts import Fact
from trainlint.findings import SEVERITIES, Confidence, Severity
from trainlint.patterns import Patterns
from trainlint.readers.caller import Caller

FailOn = Literal["error", "warning", "note", "never"]
Profile = Literal["default", "strict"]
Intent = Literal["train", "smoke"]
DEFAULT_EXCLUDE = (".*/", "node_modules/", "__pycache__/", "venv/", "site-packages/", "dist/", "build/")


class SettingsError(Exception):
    """A setting that cannot be used; the message says what is accepted."""


@dataclass(frozen=True)
class Layer:
    """What one place says of the rules to use. Without a `select` it adds to the layers before it, with one it replaces them."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileIgnores:
    """Selectors of rules that are not used for the files of a pattern; `!pattern` means all other files."""

    pattern: str
    base: Path
    ignore: tuple[str, ...]

    def covers(self, file: Path) -> bool:
        """`file` is absolute."""
        covered = self._patterns.covers(file) is not None
        return covered != self.pattern.startswith("!")

    @cached_property
    def _patterns(self) -> Patterns:
        return Patterns(self.base, (self.pattern.removeprefix("!"),))


@dataclass(frozen=True)
class Ignore:
    """A suppression for a file that can hold no comment. `pointer` is an RFC 6901 pointer, empty for the whole file.

    `rules` are selectors, `where` is how a person finds it: `trainlint.toml:12`.
    """

    path: Patterns
    pointer: str
    rules: tuple[str, ...]
    reason: str
    where: str = ""

    def covers(self, file: Path) -> bool:
        """`file` is absolute."""
        return self.path.covers(file) is not None


@dataclass(frozen=True)
class FileChoice:
    """Which files a search takes: `include` adds candidates by name, `exclude` leaves files and directories out."""

    include: tuple[Patterns, ...] = ()
    exclude: tuple[Patterns, ...] = ()


@dataclass(frozen=True)
class Said:
    """The value of one setting and where it is said: `default`, `trainlint.toml:3`, `command line`."""

    value: Any
    where: str


@dataclass(frozen=True)
class Settings:
    """How to lint a file. `stated` are facts by name, `defines` shell variables by name, `rules` directories of further rules.

    Equal settings lint alike: `provenance` (what `trainlint config` shows, by key) and `source` (the configuration file) do
    not count. Hashable, so that files with equal settings can share a `Linter`.
    """

    profile: Profile = "default"
    intent: Intent = "train"
    """`smoke`: the run only tests that everything works together, so it may be short and its data few."""
    stated: Mapping[str, Fact] = field(default_factory=dict)
    defines: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    """Arguments of the scripts by their numbers."""
    assume_unset_empty: bool = False
    data: bool = True
    """May the training data on this machine be looked into?"""
    rules: tuple[Path, ...] = ()
    selection: tuple[Layer, ...] = ()
    file_ignores: tuple[FileIgnores, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    """By rule: the severity of all its findings. A rule that is `off` is not here but ignored in `selection`."""
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By rule: thresholds that replace its own."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Versions by package."""
    fail_on: FailOn = "warning"
    min_confidence: Confidence = "low"
    require_reason: bool = False
    ignores: tuple[Ignore, ...] = ()
    baseline: Path | None = None
    files: FileChoice = field(default=FileChoice(), compare=False)
    source: Path | None = field(default=None, compare=False)
    provenance: Mapping[str, Said] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        said = tuple(tuple(sorted(table.items())) for table in (self.defines, self.args))
        names = (tuple(sorted(self.stated)), said, tuple(sorted(self.limits)))
        return hash((self.profile, self.intent, self.rules, self.selection, self.file_ignores, self.baseline, names))

    @property
    def caller(self) -> Caller:
        """How the scripts are called, as far as it is said."""
        arguments = {int(number): text for number, text in self.args.items()}
        return Caller(self.defines, arguments, self.assume_unset_empty)

    def fails(self, severity: Severity) -> bool:
        """Does a finding of this severity make the run fail?"""
        return self.fail_on != "never" and SEVERITIES.index(severity) <= SEVERITIES.index(self.fail_on)


def option(key: str, value: Any) -> str:
    """How a value is written on the command line."""
    return f"--{key} {value:g}" if isinstance(value, float) else f"--{key} {value}"


def state(
    world_size: int | None = None,
    gpu: str | None = None,
    gpu_memory: float | None = None,
    dataset_bytes: int | None = None,
    tokens: int | None = None,
    base_model: Path | None = None,
    models: Path | None = None,
    mfu: float | None = None,
    spell: Callable[[str, Any], str] = option,
) -> dict[str, Fact]:
    """The facts that settings state; `spell` says where a key and its value are written.

    Raises `SettingsError` for a GPU that is not in the table.
    """
    facts: dict[str, Fact] = {}

    def add(name: str, value: Any, key: str, said: Any) -> None:
        if said is not None:
            facts[name] = Fact(name, value, "known", Origin("option", spell(key, said)))

    if gpu is not None:
        try:
            known = gpus()[gpu_called(gpu)]
        except ValueError as error:
            raise SettingsError(f"--gpu: {error}") from None
        add("gpu_memory", float(known["memory"]), "gpu", gpu)
        add("gpu_bf16", bool(known["bf16"]), "gpu", gpu)
        add("gpu_flops", float(known["tflops"]) * 1e12, "gpu", gpu)
    add("gpu_memory", gpu_memory, "gpu-memory", gpu_memory)
    add("world_size", world_size, "world-size", world_size)
    add("dataset_bytes", dataset_bytes, "dataset-bytes", dataset_bytes)
    add("dataset_tokens", tokens, "tokens", tokens)
    add("model_config", base_model, "base-model", base_model)
    add("model_catalogue", models, "models", models)
    add("mfu", mfu, "mfu", mfu)
    return facts


@cache
def gpus() -> dict[str, dict[str, Any]]:
    """The GPUs that `--gpu` knows: memory in GiB, whether they compute in bf16, and TFLOPS in 16 bits."""
    text = (files("trainlint") / "data" / "gpus.toml").read_text("utf-8")
    return dict(tomli.loads(text)["gpu"])


def gpu_called(name: str) -> str:
    """The GPU that a name means, however it is cased, spaced or shortened: `h100`, `A100 80GB`. Raises ValueError."""
    plain = _plain(name)
    meant = [gpu for gpu in gpus() if plain in (_plain(gpu), _plain(gpu.partition("-")[0]))]
    if len(meant) == 1:
        return meant[0]
    one_of = f"; is it {' or '.join(meant)}?" if meant else did_you_mean(name, gpus())
    raise ValueError(f"{name} is no known GPU{one_of or '; say gpu-memory instead'}")


def _plain(gpu: str) -> str:
    name = re.sub(r"[^a-z0-9]", "", gpu.lower()).removeprefix("nvidia").removeprefix("geforce")
    return re.sub(r"(\d+g)b$", r"\1", name)


def amount(text: str) -> int:
    """A count that may carry a unit: 250000, 250_000, 250k, 1.5M, 20GB. Raises ValueError."""
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)\s*([kKmMgGtT]?)[bB]?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no amount such as 250000, 1.5M or 20GB")
    number = float(match.group(1).replace("_", "").replace(",", ""))
    return int(number * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}[match.group(2).lower()])


def did_you_mean(word: str, known: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """`; did you mean X?`, or nothing where no known word is near."""
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
