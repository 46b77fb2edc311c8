"""What the shell knows at one moment on one path through the script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trainlint.document import Origin, Part, Word, Written
from trainlint.readers.caller import Caller
from trainlint.readers.shell.code import Value
from trainlint.text import Span

MOST_PATHS = 16
MOST_WORDS = 2000
_OF_BASH = """
BASH BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_COMMAND BASH_LINENO BASH_REMATCH BASH_SOURCE BASH_VERSION BASH_VERSINFO
COLUMNS DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HOME HOSTNAME HOSTTYPE IFS LANG LINENO LINES LOGNAME
MACHTYPE OLDPWD OPTIND OSTYPE PATH PIPESTATUS PPID PWD RANDOM SECONDS SHELL SHELLOPTS SHLVL SRANDOM TERM UID USER
? $ ! 0 - _"""
ALWAYS_SET = frozenset(_OF_BASH.split())
"""What no call of a script leaves unset, or what bash itself sets."""

BLANKS = " \t\n"
_DEEPEST_ORIGIN = 24
_MOST_PARENTS = 12
_LONGEST_VALUE = 200_000

Elements = tuple[tuple[int | str, Word], ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that the script sets: a scalar's parts, or an array's elements. `unset`: known to have no value."""

    value: Value = ()
    elements: Elements | None = None
    exported: bool = False
    unset: bool = False
    associative: bool = False
    """Declared with `-A`: its keys are texts."""
    reference: str | None = None
    """The variable that this one is another name of: `declare -n`."""

    def scalar(self) -> Value:
        """What `$x` means: of an array, its element 0."""
        if self.elements is None:
            return self.value
        if any(word.several for _, word in self.elements):
            return next(word.parts for _, word in self.elements if word.several)
        return next((word.parts for key, word in self.elements if key in (0, "0")), ())


@dataclass(slots=True)
class State:
    variables: dict[str, Variable] = field(default_factory=dict)
    positional: tuple[Word, ...] | None = None
    functions: dict[str, Any] = field(default_factory=dict)
    directory: str | None = ""
    status: bool | None = True
    """Whether the last command succeeded; None where only a run could tell."""
    leaving: str | None = None
    """`break`, `continue` or `return`: what the path skips until."""
    levels: int = 1
    """How many loops `break` and `continue` are for."""
    exporting: bool = False
    """After `set -a`: whether all that is set is exported."""
    saved: tuple[dict[str, Variable | None], ...] = ()
    """What `local` hides, one mapping for each function that runs."""

    files: Mapping[str, Written] = field(default_factory=dict)
    """What the script has written, by path."""
    output: Value | None = None
    """What was printed so far where something catches it; None where only a run could tell or nothing does."""
    input: Value | None = None
    """What is still to be read from the standard input, as far as that is known."""
    unset_is_empty: bool = False
    """Whether what the script does not set is empty, instead of unknown."""

    @classmethod
    def initial(cls, caller: Caller) -> State:
        stated = {
            name: Variable((Part(value, Origin("option", f"--define {name}={value}")),), exported=True)
            for name, value in caller.variables.items()
        }
        return cls(
            {"IFS": Variable((Part(BLANKS, Origin("literal", "IFS")),)), **stated},
            _positional(caller),
            unset_is_empty=caller.unset_is_empty,
        )

    def silent(self, name: str) -> bool:
        """Whether nothing says what a variable is, so that it is the environment's."""
        return name not in self.variables and not (self.unset_is_empty and name not in ALWAYS_SET)

    def copy(self) -> State:
        return replace(
            self,
            variables=dict(self.variables),
            functions=dict(self.functions),
            saved=tuple(dict(frame) for frame in self.saved),
        )

    def aimed(self, name: str) -> str:
        """The variable that a name is for: itself, or what it refers to."""
        for _ in range(8):
            variable = self.variables.get(name)
            if variable is None or variable.reference is None:
                break
            name = variable.reference
        return name

    def set(self, name: str, variable: Variable) -> None:
        name = self.aimed(name)
        old = self.variables.get(name)
        if (self.exporting or (old is not None and old.exported)) and not variable.exported:
            variable = replace(variable, exported=True)
        self.variables[name] = variable

    def size(self, name: str) -> int:
        """How many parts the value of a variable has."""
        variable = self.variables.get(self.aimed(name))
        words = variable.elements or () if variable is not None else ()
        return 0 if variable is None else len(variable.value) + sum(len(word.parts) for _, word in words)

    def forget(self, names: Iterable[str], reason: str) -> None:
        for name in names:
            self.set(name, Variable((Part(None, Origin("unresolved", name), reason),)))

    def forget_all(self, reason: str) -> None:
        """After an assignment to nobody knows which variable."""
        self.forget([name for name in self.variables if name != "IFS"], reason)
        self.unset_is_empty = False

    def forget_world(self, reason: str) -> None:
        """After commands that nobody follows."""
        self.forget_all(reason)
        self.files = {path: Written(None, (), file.at) for path, file in self.files.items()}
        self.directory = self.output = self.input = self.status = None

    def separators(self) -> str | None:
        """The characters that words are split at; None where they are not known."""
        variable = self.variables.get("IFS")
        return BLANKS if variable is None or variable.unset else text_of(variable.scalar())

    def print(self, text: Value | None) -> None:
        self.output = None if self.output is None or text is None else bounded((*self.output, *text))

    def same_world(self, other: State) -> bool:
        return (
            self.variables == other.variables
            and self.positional == other.positional
            and self.directory == other.directory
            and (self.leaving, self.levels, self.exporting) == (other.leaving, other.levels, other.exporting)
            and self.unset_is_empty == other.unset_is_empty
            and same_text(self.output, other.output)
            and same_text(self.input, other.input)
            and self.saved == other.saved
            and self.functions == other.functions
            and self.files == other.files
        )


def _positional(caller: Caller) -> tuple[Word, ...] | None:
    """The arguments of the script; None where nothing is known of them."""
    if not caller.arguments:
        return () if caller.unset_is_empty else None
    words = []
    for number in range(1, max(caller.arguments) + 1):
        said = caller.arguments.get(number, "" if caller.unset_is_empty else None)
        if said is not None:
            part = Part(said, Origin("option", f"--arg {number}={said}"))
        else:
            part = Part(None, Origin("positional", f"${number}"), f"positional argument ${number}")
        words.append(Word((part,), Span(0, 0)))
    if not caller.unset_is_empty:
        part = Part(None, Origin("positional", "$@"), "$@, the arguments that the script is called with")
        words.append(Word((part,), Span(0, 0), several=True))
    return tuple(words)


States = list[State]


def merge(states: States) -> States:
    """Make one of equal states, and at most `MOST_PATHS` of all."""
    kept: States = []
    for state in states:
        for other in kept:
            if state.same_world(other):
                other.status = other.status if other.status == state.status else None
                break
        else:
            kept.append(state)
    if len(kept) <= MOST_PATHS:
        return kept
    first, *others = kept
    names = {name for state in kept for name in state.variables}
    first.forget(
        sorted(name for name in names if any(o.variables.get(name) != first.variables.get(name) for o in others)),
        "differs between branches",
    )
    if any(other.positional != first.positional for other in others):
        first.positional = None
    if any(other.directory != first.directory for other in others):
        first.directory = None
    if not all(same_text(other.output, first.output) for other in others):
        first.output = None
    if not all(same_text(other.input, first.input) for other in others):
        first.input = None
    first.unset_is_empty = all(state.unset_is_empty for state in kept)
    first.files = files_of(kept)
    first.status = first.leaving = None
    return [first]


def files_of(states: States) -> Mapping[str, Written]:
    """What the script has written if it went one of these ways."""
    first, *others = states
    if all(other.files == first.files for other in others):
        return first.files
    found = {path: file for state in states for path, file in state.files.items()}
    return {
        path: file if all(state.files.get(path) == file for state in states) else Written(None, (), file.at)
        for path, file in found.items()
    }


def same_text(one: Value | None, other: Value | None) -> bool:
    """Whether two values hold the same characters, wherever they came from."""
    if one is None or other is None:
        return one is other
    return one == other or (text_of(one) == text_of(other) and text_of(one) is not None)


def with_status(states: Iterable[State], status: bool | None) -> States:
    states = list(states)
    for state in states:
        state.status = status
    return states


def flipped(states: States) -> States:
    for state in states:
        state.status = None if state.status is None else not state.status
    return states


def wrapped(part: Part, origin: Origin) -> Part:
    """The same text, seen through one more hop. Very long chains lose their middle."""
    inner = part.origin
    if sum(1 for _ in inner.chain()) > _DEEPEST_ORIGIN:
        inner = [*inner.chain()][-1]
    return Part(part.text, replace(origin, parents=(inner,)), part.unknown)


def computed(text: str, origin: Origin, sources: Iterable[Part]) -> Part:
    """A text made of others; the origin names them all, or only where they began once they are many."""
    parents = list(dict.fromkeys(part.origin for part in sources))
    if sum(1 for parent in parents for _ in _some(parent)) > _MOST_PARENTS * 4:
        parents = list(dict.fromkeys(_ending(parent) for parent in parents))[:_MOST_PARENTS]
    return Part(text, replace(origin, parents=tuple(parents)))


def _some(origin: Origin) -> Iterable[Origin]:
    for count, hop in enumerate(origin.walk()):
        if count > _MOST_PARENTS * 4:
            return
        yield hop


def _ending(origin: Origin) -> Origin:
    *_, last = origin.chain()
    return replace(last, parents=())


def text_of(value: Value) -> str | None:
    texts = [part.text for part in value]
    return None if None in texts else "".join(text for text in texts if text is not None)


def reason_of(value: Value) -> str:
    return next((part.unknown for part in value if part.text is None and part.unknown), "not known")


def bounded(value: Value) -> Value:
    """A value of sane size: scripts that double a string in a loop are not followed to the end."""
    if len(value) > 2000 or sum(len(part.text or "") for part in value) > _LONGEST_VALUE:
        return (Part(None, Origin("unresolved", "…"), "the value is too long to be followed"),)
    return value


def bounded_words(words: Sequence[Word]) -> tuple[Word, ...]:
    """The same for the elements of an array and the arguments of a function."""
    if len(words) <= MOST_WORDS and sum(len(word.parts) for word in words) <= 2 * MOST_WORDS:
        return tuple(words)
    part = Part(None, Origin("unresolved", "…"), "the list is too long to be followed")
    return (Word((part,), words[0].span, several=True),)


def short(text: str) -> str:
    """A piece of source as a message can show it."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "…"
