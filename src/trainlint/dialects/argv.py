"""Reading a command line as argparse would, over words that may be unknown.

The open-world rule: after an unresolved word in argument position (`"$@"`, `$EXTRA`) nobody can say which flags follow, so
absent arguments are unknown and not default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from trainlint.dialects.convert import Rejected, from_text
from trainlint.dialects.tables import Schema, Spec
from trainlint.document import Origin, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments
from trainlint.text import Location, SourceText, Span

NEGATIVE_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")
"""What argparse takes for a value although it begins with a dash. `-1e-4` is not among them."""
LEFT_OUT = ("...", "…")
"""How documentation says that more flags follow."""


@dataclass(slots=True)
class Flag:
    """A flag with the words that follow it up to the next flag."""

    name: str
    word: Word
    inline: Word | None = None
    following: list[Word] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    """A command line cut into flags and positionals. `open` is why further flags may be there that nobody sees."""

    flags: list[Flag] = field(default_factory=list)
    positionals: list[Word] = field(default_factory=list)
    open: str | None = None


def is_flag(word: Word) -> bool:
    """Would argparse take this word for a flag? An unknown word counts as none."""
    text = word.known_prefix
    if len(text) < 2 or not text.startswith("-") or NEGATIVE_NUMBER.match(text):
        return False
    return " " not in text.partition("=")[0]


def cut(words: Sequence[Word]) -> Line:
    """Cut the words of a program into flags with what follows them."""
    line = Line()
    for word in words:
        if word.text in LEFT_OUT:
            line.open = line.open or "a part of the command is left out"
        elif is_flag(word):
            name, equals, _ = word.known_prefix.partition("=")
            if equals:
                line.flags.append(Flag(name, word, inline=word.after(len(name) + 1)))
            elif word.text is None:
                line.open = line.open or word.unknown
                line.flags.append(Flag(name, word))
            else:
                line.flags.append(Flag(name, word))
        elif line.flags and line.flags[-1].inline is None:
            flag = line.flags[-1]
            if word.several and flag.following:
                line.open = line.open or word.unknown
            flag.following.append(word)
        else:
            if word.several:
                line.open = line.open or word.unknown
            line.positionals.append(word)
    return line


def read(
    source: SourceText,
    words: Sequence[Word],
    schema: Schema,
    *,
    closed: bool,
    dashes: bool = False,
    abbreviations: bool = True,
    positionals: int = 0,
) -> Arguments:
    """The arguments that a HfArgumentParser (argparse) over `schema` makes of `words`.

    `closed`: the schema is the whole parser, so a flag that it lacks is rejected; else the script may declare more.
    `dashes`: the flags are spelled `--micro-batch-size`; `abbreviations`: a closed parser takes unique beginnings;
    `positionals`: so many words before the first flag belong there.
    """
    line = cut(words)
    arguments = Arguments(open=line.open)
    for word in line.positionals[positionals:]:
        if closed and word.text is not None and not word.text.endswith((".json", ".yaml", ".yml")):
            arguments.issues.append(_stray(source, word, "no flag stands before it", "remove it", closed))
    for flag in line.flags:
        name, certain = _resolve(flag.name, schema, closed and abbreviations)
        key, exact = _key(source, flag)
        values, stray = _values(flag, schema, name)
        arity = "no value" if _takes_none(flag, schema, name) else "one value"
        advice = f"quote the value of {flag.name}, or remove the word"
        arguments.issues += [
            _stray(source, word, f"{flag.name} takes {arity}", advice, closed)
            for word in stray
            if word.text is not None and not _in_placeholder([*values, *stray])
        ]
        # what `$EXTRA` behind a bare switch holds are flags of their own
        arguments.open = arguments.open or next((word.unknown for word in stray if word.text is None), None)
        if not certain:
            arguments.issues.append(_ambiguous(flag.name, name, key))
        elif name not in schema and not schema.free(name):
            issue = unknown_argument(name, key, schema, closed, spelled="--{}", dashes=dashes)
            if issue is not None:
                arguments.issues.append(issue if exact else replace(issue, replacement=None))
        elif name in schema and schema.edition(name).bare and values and values[0].several:
            # a flag that may stand alone says nothing about what `$EXTRA` behind it holds
            arguments.open = arguments.open or values[0].unknown
        argument, issues = _argument(source, name, schema, flag, key, values)
        _note_duplicate(arguments, argument)
        arguments.given[name] = argument
        arguments.issues += issues
    return arguments


def _values(flag: Flag, schema: Schema, name: str) -> tuple[list[Word], list[Word]]:
    """The words that the flag takes, and those that are left over because it takes one."""
    if flag.inline is not None:
        return [flag.inline], flag.following
    if _takes_none(flag, schema, name):
        return [], flag.following
    if name not in schema or any(kind.startswith("list") for kind in schema.edition(name).words):
        return flag.following, []
    return flag.following[:1], flag.following[1:]


def _in_placeholder(words: Sequence[Word]) -> bool:
    """`<path to model>` in an array or a string is several words, of which a person has to make one."""
    return any((word.text or "").startswith("<") for word in words)


def _takes_none(flag: Flag, schema: Schema, name: str) -> bool:
    """Is it a bare switch, `--no_x` included?"""
    return name in schema and (schema.edition(name).values == 0 or _negates(flag, name))


def _negates(flag: Flag, name: str) -> bool:
    own = flag.name.lstrip("-").replace("-", "_")
    return own.startswith("no_") and own != name


def _stray(source: SourceText, word: Word, why: str, advice: str, certain: bool) -> ArgumentIssue:
    message = f"{word.text!r} belongs to no argument: {why}"
    at = word.origin.literal or Location(source, word.span)
    return ArgumentIssue("unknown", word.text or "", message, at, advice, certain)


def _key(source: SourceText, flag: Flag) -> tuple[Location, bool]:
    """Where the flag's name stands: in the command, or in the array or variable that holds it; and whether it does exactly."""
    literal = flag.word.parts[0].origin.literal
    for place in (Location(source, flag.word.span), literal):
        if place is not None and place.text.startswith(flag.name):
            start = place.span.start
            return Location(place.source, Span(start, start + len(flag.name))), True
    return literal or Location(source, flag.word.span), False


def _resolve(flag: str, schema: Schema, closed: bool) -> tuple[str, bool]:
    """The argument's name, and False where an abbreviation is ambiguous."""
    name = flag.lstrip("-")
    if name in schema:
        return name, True
    underscored = name.replace("-", "_")
    if underscored in schema:
        return underscored, True
    if _switched_off(underscored, schema):
        return underscored[3:], True
    if closed and flag.startswith("--"):
        matches = [candidate for candidate in schema.present() if candidate.startswith(underscored)]
        if len(matches) == 1:
            return matches[0], True
        if matches:
            return underscored, False
    return underscored, True


def _switched_off(name: str, schema: Schema) -> bool:
    """HfArgumentParser adds `--no_x` for a boolean that some version has on by default."""
    spec = schema.get(name[3:]) if name.startswith("no_") else None
    return spec is not None and any(edition.default is True for edition in spec.editions)


def _argument(
    source: SourceText, name: str, schema: Schema, flag: Flag, key: Location, values: list[Word]
) -> tuple[Argument, list[ArgumentIssue]]:
    edition = schema.edition(name) if name in schema else None
    literal = Origin("literal", key.text, key)
    if not values:
        if edition is not None and not edition.bare:
            message = f"{flag.name} expects a value and is followed by none"
            advice = f"give {flag.name} a value or remove it"
            issue = ArgumentIssue("missing-value", name, message, key, advice)
            return Argument(name, None, literal, key, key, unknown="it has no value"), [issue]
        return Argument(name, not _negates(flag, name), literal, key, key), []
    at = Location(source, Span(values[0].span.start, values[-1].span.end))
    origin = values[0].origin if len(values) == 1 else Origin("computed", at.text, at, tuple(w.origin for w in values))
    unresolved = next((word for word in values if word.text is None), None)
    if unresolved is not None:
        return Argument(name, None, origin, key, at, unknown=unresolved.unknown), []
    texts = [word.text or "" for word in values]
    if edition is None:
        return Argument(name, texts[0] if len(texts) == 1 else texts, origin, key, at), []
    try:
        return Argument(name, from_text(edition, texts), origin, key, at), []
    except Rejected as rejected:
        place = origin.literal or at
        advice = f"give {flag.name} a value of the kind that {schema[name].package} takes"
        issue = ArgumentIssue(rejected.kind, name, f"{flag.name}: {rejected.message}", place, advice, rejected.certain)
        return Argument(name, None, origin, key, at, unknown=rejected.message), [issue]


def _ambiguous(flag: str, name: str, key: Location) -> ArgumentIssue:
    return ArgumentIssue(
        "ambiguous", name, f"{flag} is ambiguous: several arguments begin like it", key, "write it out"
    )


def unknown_argument(
    name: str,
    key: Location,
    schema: Mapping[str, Spec],
    closed: bool,
    spelled: str = "{}",
    dashes: bool = False,
) -> ArgumentIssue | None:
    """What to say of an argument that the schema lacks. With an open schema only a near miss is worth saying."""
    close = _near(name, list(schema), 0.85 if closed else 0.9)
    if dashes:
        name, close = name.replace("_", "-"), close.replace("_", "-") if close is not None else None
    shown = spelled.format(name)
    spec = next(iter(schema.values()), None)
    if close is not None:
        right = spelled.format(close)
        message = f"unknown argument {shown}; did you mean {right}?"
        return ArgumentIssue("unknown", name, message, key, f"write {right}", certain=closed, replacement=right)
    if not closed or spec is None:
        return None
    versions = spec.versions[0] if len(spec.versions) == 1 else f"{spec.versions[0]} to {spec.versions[-1]}"
    message = f"unknown argument {shown}: {spec.package} {versions} has none of this name"
    return ArgumentIssue("unknown", name, message, key, f"remove {shown} or correct its name", certain=False)


def refused_argument(name: str, key: Location, schema: Schema) -> ArgumentIssue | None:
    """What the framework says of a key that it knows and refuses by name."""
    reason = schema.edition(name).rejected
    if reason is None:
        return None
    message = f"{schema[name].package} refuses {name}: {reason}"
    return ArgumentIssue("unknown", name, message, key, f"remove {name}")


def _near(name: str, known: list[str], cutoff: float) -> str | None:
    """The known name that was probably meant: a close spelling, or the only one that begins like it."""
    close = get_close_matches(name, known, n=1, cutoff=cutoff)
    if close:
        return close[0]
    longer = [other for other in known if other.startswith(name)] if len(name) >= 6 else []
    shortest = min(longer, key=len, default=None)
    return shortest if shortest is not None and all(other.startswith(shortest) for other in longer) else None


def _note_duplicate(arguments: Arguments, argument: Argument) -> None:
    earlier = arguments.given.get(argument.name)
    if earlier is None or earlier.unknown or argument.unknown or earlier.value == argument.value:
        return
    flag = argument.key.text
    message = f"{flag} is given twice, as {earlier.at.text} and as {argument.at.text}: the last one wins, silently"
    arguments.issues.append(
        ArgumentIssue(
            "duplicate", argument.name, message, argument.key, f"remove the {flag} that is not meant",
            related=(("the first one, without effect", earlier.key),), superseded=earlier,
        )
    )  # fmt: skip
