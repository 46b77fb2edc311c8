"""Facts of a training run: what is known, where it came from, and what is not known.

A derivation or a rule reads facts through a `View`. The view hands out bare values, raises `Unknown` for what nobody said,
and remembers what was read: the origin of a derived fact is what its derivation read, so it cannot be forgotten.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from trainlint.document import Origin
from trainlint.findings import CONFIDENCES, Confidence
from trainlint.text import Location

Status = Literal["known", "default", "one-of", "unknown"]


PLACEHOLDER = re.compile(
    r"^/?(path|your|to)(/|_)(to|your|path|model|data|hf|dir)|path[/_]to[/_]|your[-_](model|data|path|dataset|output|project)"
    r"|^<(?!\||/?s>|(?:pad|bos|eos|unk)>)[^>]*>$|^/?PATH|^x{3,}$|^(YOUR|your)_",
)
"""A value that a template leaves to be filled in. Nothing can be told from it. `</s>` and `<|im_end|>` are tokens."""


class Unknown(Exception):
    """A value that no file and no option says. `name` is the innermost fact that is missing, `reason` says why."""

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(reason)
        self.reason, self.name = reason, name


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value of the run.

    `reads` are the facts that it was derived from; `missing` names the innermost unknown one; `note` says what was assumed.
    """

    name: str
    value: Any
    status: Status
    origin: Origin
    reason: str = ""
    missing: str = ""
    confidence: Confidence = "high"
    reads: tuple[Fact, ...] = ()
    note: str = ""

    @property
    def known(self) -> bool:
        return self.status in ("known", "default")

    @property
    def location(self) -> Location | None:
        """Where a person would look: the deciding literal, else the place in a file that was read last for it."""
        return self.origin.literal or _last_place(self.origin)


# -------------------------------------------------------------------------------------------------------- arguments


@dataclass(frozen=True, slots=True)
class Argument:
    """One of the framework's own arguments as the user gave it, converted as the trainer converts it.

    `name` is the framework's key (dotted for nested ones), `key` where the flag or key stands, `at` where its value stands at
    the use, and `origin` where the value itself came from. `unknown` is the reason why the value cannot be told. `parts` are
    the settings inside a block that the framework takes as one argument, each with a place of its own.
    """

    name: str
    value: Any
    origin: Origin
    key: Location
    at: Location
    unknown: str | None = None
    parts: Mapping[str, Argument] = field(default_factory=dict, hash=False)

    def part(self, name: str) -> Argument | None:
        """The setting of this dotted name inside the block; with the block's own place where it has none."""
        key, _, inside = name.partition(".")
        if self.unknown is not None or not isinstance(self.value, dict) or key not in self.value:
            return None
        found = self.parts.get(key) or replace(self, name=f"{self.name}.{key}", value=self.value[key], parts={})
        return found.part(inside) if inside else found


@dataclass(frozen=True, slots=True)
class ArgumentIssue:
    """An argument that the framework's parser would reject or drop.

    `kind` is `unknown`, `type`, `choice`, `range`, `missing-value`, `missing`, `exclusive`, `ambiguous` or `duplicate`;
    `certain`: it crashes for sure.
    """

    kind: str
    name: str
    message: str
    at: Location
    advice: str
    certain: bool = True
    related: tuple[tuple[str, Location], ...] = ()
    replacement: str | None = None
    superseded: Argument | None = field(default=None, compare=False)
    """The argument that has no effect because a later one wins."""


@dataclass(slots=True)
class Arguments:
    """All arguments of a run. `open` is the reason why absent ones are unknown and not default, if there is one."""

    given: dict[str, Argument] = field(default_factory=dict)
    issues: list[ArgumentIssue] = field(default_factory=list)
    open: str | None = None


# -------------------------------------------------------------------------------------------------------------- runs

Derivation = Callable[["View"], Any]
Default = Callable[[str], tuple[Any, Origin, Confidence]]
"""What the framework does when an argument is absent: value, origin, confidence. Raises `Unknown` where nobody can tell."""


@dataclass(eq=False)
class Run:
    """One training run as one way through its file describes it.

    `derivations` maps a fact to the function that finds it (the dialect's own first, then the general ones); `stated` holds
    what the user said on our command line; `linked` the arguments of files that this run names, by role (`deepspeed`).
    """

    dialect: str
    title: str
    at: Location
    arguments: Arguments
    default: Default
    derivations: Mapping[str, Derivation]
    spell: Callable[[str], str]
    stated: Mapping[str, Fact] = field(default_factory=dict)
    linked: Mapping[str, Arguments] = field(default_factory=dict)
    placeholders: list[tuple[str, Location]] = field(default_factory=list)
    confidence: Confidence = "high"
    """The most that anything said of this run deserves: low where the framework is not known."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What the dialect keeps for its own derivations: the launcher, the directories to look for files in."""
    part: bool = False
    """Is the file a part of a run, such as a DeepSpeed configuration? What it leaves open, another file says."""
    _facts: dict[str, Fact] = field(default_factory=dict)

    def fact(self, name: str) -> Fact:
        """The fact of this name; its status is `unknown` where it cannot be told. Never raises `Unknown`."""
        if name not in self._facts:
            self._facts[name] = _unknown(name, Unknown("it depends on itself", name))
            self._facts[name] = self._derive(name)
        return self._facts[name]

    def _derive(self, name: str) -> Fact:
        if name in self.stated:
            return self.stated[name]
        derivation = self.derivations.get(name)
        if derivation is None:
            return _unknown(name, Unknown(f"{self.title} has no setting for {name}", name))
        view = View(self)
        try:
            value = derivation(view)
        except Unknown as missing:
            return _unknown(name, missing, tuple(view.read.values()))
        except (TypeError, ValueError, ArithmeticError, AttributeError):
            # a value of a kind that the trainer would not take either; whoever wrote it is told so elsewhere
            said = ", ".join(f"{read} = {fact.value!r}" for read, fact in view.read.items())
            return _unknown(name, Unknown(f"it cannot be worked out from {said}", name), tuple(view.read.values()))
        return view.conclude(name, value)

    def argument(self, name: str) -> Fact:
        """The framework's own argument, given or default."""
        argument = self.arguments.given.get(name) or self._part(name)
        if argument is not None:
            if argument.unknown is not None:
                return _unknown(name, Unknown(argument.unknown, name), origin=argument.origin)
            if isinstance(argument.value, float) and not math.isfinite(argument.value):
                return _unknown(name, Unknown(f"{argument.value} is no finite number", name), origin=argument.origin)
            if isinstance(argument.value, str) and PLACEHOLDER.search(argument.value):
                return _unknown(
                    name, Unknown(f"{argument.value} is still to be filled in", name), origin=argument.origin
                )
            return Fact(name, argument.value, "known", argument.origin)
        if self.arguments.open is not None:
            return _unknown(name, Unknown(self.arguments.open, name))
        try:
            value, origin, confidence = self.default(name)
        except Unknown as missing:
            return _unknown(name, Unknown(missing.reason, missing.name or name))
        return Fact(name, value, "default", origin, confidence=confidence)

    def given(self, name: str) -> bool:
        """Did the user set this argument? Raises `Unknown` where an unresolved word may have."""
        if name in self.arguments.given or self._own_name(name) in self.arguments.given or self._part(name):
            return True
        if name in self.context.get("elsewhere", ()):
            return True
        block = self._block(name)
        unknown = (block.unknown if block is not None else None) or self.arguments.open
        if unknown is not None:
            raise Unknown(unknown, name)
        return False

    def _part(self, name: str) -> Argument | None:
        """`fsdp_config.offload_params`: a setting inside a block, or in the file that is named in its place."""
        block = self._block(name)
        if block is None:
            return None
        inside = name[len(block.name) + 1 :]
        linked = self.linked.get(block.name) if isinstance(block.value, str) else None
        return linked.given.get(inside) if linked is not None else block.part(inside)

    def _block(self, name: str) -> Argument | None:
        """The innermost given argument that a dotted name lies in."""
        while "." in name:
            name = name.rpartition(".")[0]
            if name in self.arguments.given:
                return self.arguments.given[name]
        return None

    def _own_name(self, name: str) -> str:
        """The framework's argument for a fact that it calls by another name (`optimizer.lr` for `learning_rate`)."""
        schema = self.context.get("schema")
        own = self.spell(name).lstrip("-").replace("-", "_")
        return name if schema is None or (name in schema and "." not in own) else own


class View:
    """The run as a derivation or a rule sees it: `r.learning_rate` is a bare value. Records everything that was read."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.read: dict[str, Fact] = {}
        self.notes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return self.use(name, self.run.fact(name))

    def use(self, name: str, fact: Fact) -> Any:
        self.read[name] = fact
        if not fact.known:
            raise Unknown(fact.reason, fact.missing or name)
        return fact.value

    def arg(self, name: str) -> Any:
        """The framework's own argument, given or default."""
        return self.use(f"args.{name}", self.run.argument(name))

    def given(self, name: str) -> bool:
        return self.run.given(name)

    def written(self, name: str) -> Any:
        """An argument that may hold variables of the environment: its value, else how it is written."""
        fact = self.run.argument(name)
        if not fact.known and (text := fact.origin.written):
            fact = Fact(name, text, "known", fact.origin)
        return self.use(f"args.{name}", fact)

    def assume(self, note: str) -> None:
        """Say what the value rests on; it lowers the confidence of whatever is concluded."""
        self.notes.append(note)

    @property
    def confidence(self) -> Confidence:
        levels = [CONFIDENCES.index(fact.confidence) for fact in self.read.values()]
        return CONFIDENCES[max([*levels, 1 if self.notes else 0, CONFIDENCES.index(self.run.confidence)])]

    def conclude(self, name: str, value: Any) -> Fact:
        """The fact that follows from what was read."""
        reads = tuple(self.read.values())
        note = "; ".join(self.notes)
        same = [
            fact
            for read, fact in self.read.items()
            if "." in read and type(fact.value) is type(value) and fact.value == value
        ]
        if len(same) == 1 and not self.notes:
            # an argument handed on as it is; what else was read only chose it
            return replace(same[0], name=name, confidence=self.confidence)
        if not reads:
            return Fact(name, value, "known", Origin("computed", note), "", "", self.confidence, (), note)
        status: Status = "default" if all(fact.status == "default" for fact in reads) else "known"
        said = ", ".join(f"{fact.name} = {fact.value!r}" for fact in reads)
        origin = Origin("computed", said, None, tuple(fact.origin for fact in reads))
        return Fact(name, value, status, origin, "", "", self.confidence, reads, note)


def _unknown(name: str, missing: Unknown, reads: tuple[Fact, ...] = (), origin: Origin | None = None) -> Fact:
    parents = tuple(fact.origin for fact in reads)
    origin = origin or Origin("computed", missing.reason, None, parents)
    return Fact(name, None, "unknown", origin, missing.reason, missing.name or name, reads=reads)


def _last_place(origin: Origin) -> Location | None:
    for parent in reversed(origin.parents):
        found = parent.literal or _last_place(parent)
        if found is not None:
            return found
    # the place of a script's default is nowhere that the person who launches it would change
    return origin.at if origin.kind != "framework-default" else None


@dataclass(eq=False)
class Launch:
    """One place in a file that starts a training run, with one `Run` for each way that the branches before it may go."""

    at: Location
    alternatives: list[Run]

    def __iter__(self) -> Iterator[Run]:
        return iter(self.alternatives)

    @property
    def first(self) -> Run:
        return self.alternatives[0]

    def fact(self, name: str) -> Fact:
        """The fact over all alternatives: one-of where they differ, unknown where any is unknown."""
        facts = [run.fact(name) for run in self.alternatives]
        unknown = next((fact for fact in facts if not fact.known), None)
        if unknown is not None:
            return unknown
        distinct = [fact for i, fact in enumerate(facts) if fact.value not in [other.value for other in facts[:i]]]
        if len(distinct) == 1:
            return facts[0]
        origin = Origin("computed", "differs between the branches before it", None, tuple(f.origin for f in distinct))
        return Fact(name, [fact.value for fact in distinct], "one-of", origin, reads=tuple(distinct))
