"""The frameworks' argument tables (`data/frameworks/*.json`, generated) and the judgement of one argument by them.

A table holds, for every argument, its editions: runs of released versions in which its definition did not change. The
pydantic type of an argument is made from the edition at hand, so a value is judged as that version would judge it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.resources import files
from itertools import chain
from typing import Any

from trainlint.document import Origin
from trainlint.facts import Unknown
from trainlint.findings import Confidence
from trainlint.text import Location

NO_DEFAULT = object()


def version_key(version: str) -> tuple[int, ...]:
    """Order of release numbers; what is no number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


@dataclass(frozen=True)
class Edition:
    """The definition of one argument from one released version to another, both included."""

    first: str
    last: str
    type: str
    choices: tuple[Any, ...] | None
    default: Any
    default_expression: str | None
    required: bool
    bounds: tuple[tuple[str, float], ...] = ()
    """Pairs of `ge`, `gt`, `le`, `lt` and a number."""
    values: int | str | None = None
    """How many values argparse wants: 0 for a bare switch, "?" for none or one; None: what the type says."""
    possible_defaults: tuple[Any, ...] = ()
    """Where the machine decides what the default is."""
    rejected: str | None = None
    """What the framework says when it refuses the key by name."""
    deprecated: str | None = None
    """What it says of a key that is on its way out, else what to write instead."""
    item_choices: tuple[Any, ...] | None = None
    """What a list may hold."""
    picked: str | None = None
    """The type of several that HfArgumentParser takes words for: of `str | list[str] | None` the first, so one word."""
    bare: bool = False
    """May the flag stand alone? HfArgumentParser wants a value for an optional boolean whose default is None."""
    repeats: bool = False
    """Is every occurrence kept, so that a flag may be given twice?"""
    truthy: bool = False
    """argparse's `type=bool`: every text but the empty one is true."""
    at: Location | None = None
    """Where a script on disk declares it."""

    @cached_property
    def types(self) -> frozenset[str]:
        return frozenset(self.type.split(" | "))

    @cached_property
    def words(self) -> frozenset[str]:
        """The types that words of a command line are converted to."""
        return frozenset(self.picked.split(" | ")) if self.picked else self.types

    def admits(self, value: Any) -> bool:
        """Does the argument's type, made by pydantic in strict mode, admit this value? Choices are not looked at."""
        return _accepts(self.type, value)

    def limits(self, value: Any) -> bool:
        """Do the choices speak about a value of this type? `"auto"` beside a bool leaves every bool allowed."""
        return self.choices is not None and any(type(choice) is type(value) for choice in self.choices)


@dataclass(frozen=True)
class Spec:
    """One argument of a framework over all its versions, newest edition last."""

    name: str
    package: str
    versions: tuple[str, ...]
    editions: tuple[Edition, ...]
    inherited: Spec | None = None
    """The definition that this one replaces: its own again in versions that no longer redefine it."""
    shown: str = ""
    """What people call it, where that is not the key in their file: the component that the key names."""

    @cached_property
    def taken(self) -> tuple[Edition, ...]:
        """The editions in which the framework takes the argument; all of them, where it never does."""
        return tuple(edition for edition in self.editions if edition.rejected is None) or self.editions

    @property
    def newest(self) -> Edition:
        return self.taken[-1]

    @property
    def gone(self) -> bool:
        """Did a later release drop this argument, or come to refuse it by name?"""
        return self.newest.last != self.versions[-1]

    @property
    def last(self) -> int:
        """The place of the last version that has it among all versions of the table."""
        return self.versions.index(self.newest.last)

    @property
    def without(self) -> str:
        """The first version of the table that has lost it."""
        return self.versions[self.last + 1]

    @property
    def released(self) -> bool:
        """Is the last version that has it a release? Who runs a framework from a checkout has no other commit's."""
        return "." in self.newest.last

    def at(self, version: str | None) -> Edition | None:
        """The edition of a version: of the newest one that has the argument when no version is stated.

        A version between those of the table has what either of its neighbours has, the older one first.
        """
        if version is None:
            return self.newest
        return next(iter(self._near(version)), None)

    def _near(self, version: str) -> list[Edition]:
        """The editions of a version, or of those next to it."""
        place = self.versions.index  # commits have no order of their own
        return [
            edition
            for known in self._around(version)
            for edition in self.editions
            if place(edition.first) <= place(known) <= place(edition.last)
        ]

    def judging(self, version: str | None) -> Edition:
        """What judges a value: the definition of a version, between two of the table the widest reading of both, else of all."""
        near = self._near(version) if version else []
        return _wide(near[0], near) if near else self.any_version

    def _around(self, version: str) -> tuple[str, ...]:
        """The version of the table that is meant (4.51 is 4.51.3), else those next to it."""
        same = [known for known in self.versions if known == version or known.startswith(f"{version}.")]
        if same:
            return (same[-1],)
        key = version_key(version)
        below = [known for known in self.versions if version_key(known) < key]
        return (*below[-1:], *self.versions[len(below) :][:1])

    @property
    def span(self) -> str:
        """The versions that have it, for people."""
        first, last = self.taken[0].first, self.newest.last
        return f"{self.package} {last}" if first == last else f"{self.package} {first} to {last}"

    @cached_property
    def any_version(self) -> Edition:
        """The widest reading: what some version takes, with the newest default. Judges where no version is stated."""
        editions = self.taken
        if self.inherited is not None and editions[0].first != self.versions[0]:
            editions = (*self.inherited.taken, *editions)
        return replace(_wide(self.newest, editions), first=self.taken[0].first)


def _wide(base: Edition, editions: Sequence[Edition]) -> Edition:
    """One of several editions, that takes what any of them takes."""
    types = dict.fromkeys(name for edition in editions for name in edition.type.split(" | "))
    choices = _widest([edition.choices for edition in editions])
    item_choices = _widest([edition.item_choices for edition in editions])
    bounds = base.bounds if all(edition.bounds == base.bounds for edition in editions) else ()
    bare = any(edition.bare for edition in editions)
    words = dict.fromkeys(name for edition in editions for name in (edition.picked or edition.type).split(" | "))
    picked = " | ".join(words) if any(edition.picked for edition in editions) else None
    return replace(
        base,
        type=" | ".join(types),
        choices=choices,
        bounds=bounds,
        bare=bare,
        item_choices=item_choices,
        picked=picked,
    )


def _widest(choices: Sequence[tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
    """Everything that one of several closed sets holds; None where one is open."""
    closed = [each for each in choices if each is not None]
    return tuple(dict.fromkeys(chain(*closed))) if len(closed) == len(choices) else None


class Schema(Mapping[str, Spec]):
    """The arguments that one parser knows: some sections of tables, the first one wins where two define a name."""

    def __init__(
        self,
        *sections: str,
        overrides: Mapping[str, Any] | None = None,
        targets: Mapping[str, str] | None = None,
        own: Mapping[str, Spec] | None = None,
        spellings: Mapping[str, str] | None = None,
        added: Mapping[str, Spec] | None = None,
        sections_free: tuple[str, ...] = (),
    ) -> None:
        self.sections = sections
        self.own = own or {}
        """What the script at hand declares itself; it goes before every section."""
        self.added = added or {}
        """What it adds to a framework's parser; it goes after every section."""
        self.sections_free = sections_free
        """The beginnings of dotted names that take any keys besides those of the table."""
        self.spellings = spellings
        """The only flags that there are, with the names of their arguments; None: any spelling of a name will do."""
        self.overrides = overrides or {}
        """Defaults that the framework itself puts over its parser's, by name."""
        self.targets = targets or {}
        """The versions that the run will use, by package."""

    def aimed(self, targets: Mapping[str, str]) -> Schema:
        """The same arguments as these versions define them."""
        return self._with(targets=targets) if targets else self

    def extended(self, added: Mapping[str, Spec], free: tuple[str, ...] = ()) -> Schema:
        """The same arguments and these; below `free` any others may be."""
        return self._with(added=added, sections_free=free) if added else self

    def _with(self, **changed: Any) -> Schema:
        same = {"overrides": self.overrides, "targets": self.targets, "own": self.own, "spellings": self.spellings}
        return Schema(*self.sections, **{**same, "added": self.added, "sections_free": self.sections_free, **changed})

    @property
    def package(self) -> str:
        """The package that the framework itself is; none for a script of one's own."""
        return str(table(self.sections[0].partition(":")[0])["package"]) if self.sections else ""

    def target(self, spec: Spec) -> str | None:
        """The stated version of the argument's package."""
        return self.targets.get(spec.package)

    def present(self) -> list[str]:
        """The names that the stated version has, else the newest."""
        return [name for name, spec in self.items() if spec.at(self.target(spec) or spec.versions[-1]) is not None]

    @cached_property
    def _specs(self) -> dict[str, Spec]:
        specs = dict(self.own)
        for section in self.sections:
            for name, spec in _section(section).items():
                specs.setdefault(name, self._in_force(spec))
        return {**specs, **{name: spec for name, spec in self.added.items() if name not in specs}}

    def _in_force(self, spec: Spec) -> Spec:
        while spec.inherited is not None and spec.at(self.target(spec) or spec.versions[-1]) is None:
            spec = spec.inherited
        return spec

    def __getitem__(self, name: str) -> Spec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def free(self, name: str) -> bool:
        """Does a dotted name lie in a section that takes any keys, perhaps because the table has none below it?"""
        if name.startswith(self.sections_free):
            return True
        while "." in name:
            name = name.rpartition(".")[0]
            if name in self:
                return name not in self._sections_above
        return False

    @cached_property
    def _sections_above(self) -> frozenset[str]:
        """The names that have others below them."""
        return frozenset(name[:at] for name in self for at, char in enumerate(name) if char == ".")

    def edition(self, name: str) -> Edition:
        """The definition that judges an argument: of the stated version, else the widest over all versions."""
        spec = self[name]
        return spec.judging(self.target(spec))

    def default(self, name: str) -> tuple[Any, Origin, Confidence]:
        """What the framework does when the argument is absent. Raises `Unknown` where the table cannot say."""
        spec = self.get(name)
        if spec is None:
            raise Unknown(f"{name} is not set, and its default is not known", name)
        target = self.target(spec)
        # what the target lacks has another name there, and mostly the same default
        edition = spec.at(target) or spec.newest
        edition = edition if edition.rejected is None else spec.newest
        if edition.at is not None and not edition.required and edition.default is not NO_DEFAULT:
            said = f"{edition.at.source.path.rpartition('/')[2]} line {edition.at.start.line}"
            return edition.default, Origin("framework-default", said, edition.at), "high"
        label = f"{spec.package} {target or edition.last} default"
        if name in self.overrides:
            return self.overrides[name], Origin("framework-default", f"{spec.package} default"), "high"
        if edition.required:
            raise Unknown(f"{name} is required and not set", name)
        if edition.possible_defaults:
            choices = " or ".join(map(str, edition.possible_defaults))
            raise Unknown(f"the default of {name} depends on the machine: {choices}", name)
        if edition.default is NO_DEFAULT:
            raise Unknown(f"the default of {name} is computed: {edition.default_expression}", name)
        settled = all(other.default == edition.default for other in spec.editions)
        return edition.default, Origin("framework-default", label), "high" if settled or target else "medium"


@cache
def table(package: str) -> dict[str, Any]:
    """The generated table of one package, as it stands in its file."""
    file = files("trainlint") / "data" / "frameworks" / f"{package}.json"
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


@cache
def _section(name: str) -> dict[str, Spec]:
    """`package:Section` with everything that it extends."""
    package, _, section = name.partition(":")
    content = table(package)
    versions = tuple(content["versions"])
    body = content["sections"][section]
    specs = {
        argument: Spec(argument, content["package"], versions, tuple(map(_edition, editions)))
        for argument, editions in body["arguments"].items()
    }
    for argument, editions in body["arguments"].items():
        for alias in chain(*(edition.get("aliases", ()) for edition in editions)):
            specs.setdefault(alias, specs[argument])
    if body.get("extends"):
        for argument, spec in _section(body["extends"]).items():
            specs[argument] = replace(specs[argument], inherited=spec) if argument in specs else spec
    return specs


def declared(name: str, entry: Mapping[str, Any], script: str, at: Location | None) -> Spec:
    """An argument of a script on disk, which has one version: this one."""
    edition = _edition({"from": "", "to": "", **entry})
    return Spec(name, script, ("",), (replace(edition, at=at),))


def _edition(entry: Mapping[str, Any]) -> Edition:
    types = entry.get("picked", entry["type"]).split(" | ")
    values = entry.get("values")
    optional = "bool" in types and (types == ["bool"] or entry.get("default") is not None)
    bare = values in (0, "?") or (values is None and ("any" in types or optional))
    return Edition(
        entry["from"],
        entry["to"],
        entry["type"],
        tuple(entry["choices"]) if entry.get("choices") else None,
        entry.get("default", NO_DEFAULT),
        entry.get("default_expression"),
        entry.get("required", False),
        tuple((bound, entry[bound]) for bound in ("ge", "gt", "le", "lt") if bound in entry),
        values,
        tuple(entry.get("default_one_of", ())),
        _text(entry.get("rejected"), "it is refused"),
        _text(entry.get("deprecated"), f"use {entry['replaced_by']}" if "replaced_by" in entry else "it is deprecated"),
        tuple(entry["item_choices"]) if entry.get("item_choices") else None,
        entry.get("picked"),
        bare,
        entry.get("repeats", False),
        entry.get("truthy", False),
    )


def _text(said: str | bool | None, otherwise: str) -> str | None:
    return said if isinstance(said, str) else otherwise if said else None


@cache
def _adapter(type_: str) -> Any:
    from pydantic import TypeAdapter

    scalars: dict[str, Any] = {
        "bool": bool, "int": int, "float": float, "str": str, "dict": dict[str, Any], "any": Any, "None": None,
        "list": list[Any], "list[str]": list[str], "list[int]": list[int], "list[float]": list[float],
    }  # fmt: skip
    union: Any = None
    for i, part in enumerate(type_.split(" | ")):
        kind = scalars.get(part, Any)
        union = kind if i == 0 else union | kind if kind is not None else union | None
    return TypeAdapter(union)


def _accepts(type_: str, value: Any) -> bool:
    from pydantic import ValidationError

    try:
        _adapter(type_).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
