"""Reading a command line as argparse would, over words that may be unknown.

The open-world rule: after an unresolved word in argument position (`"$@"`, `$EXTRA`) nobody can say which flags follow, so
absent arguments are unknown and not default.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from trainlint.dialects.convert import Rejected, from_text
from trainlint.dialects.tables import Schema, Spec
from trainlint.document import Origin, Part, Word
from trainlint.facts import PLACEHOLDER, Argument, ArgumentIssue, Arguments
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


def cut(words: Sequence[Word], greedy: Collection[str] = ()) -> Line:
    """Cut the words of a program into flags with what follows them. A greedy flag takes the next word, whatever it is."""
    line = Line()
    for word in words:
        last = line.flags[-1] if line.flags else None
        if word.text in LEFT_OUT and word.origin.kind != "literal" and last is not None and not last.following:
            last.following.append(Word((Part(None, word.origin, "it is still to be filled in"),), word.span))
        elif word.text in LEFT_OUT:
            line.open = line.open or "a part of the command is left out"
        elif last is not None and last.name in greedy and last.inline is None and not last.following:
            last.following.append(word)
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
    positionals: int | None = 0,
    fills: Collection[str] = (),
    greedy: Collection[str] = (),
) -> Arguments:
    """The arguments that a HfArgumentParser (argparse) over `schema` makes of `words`.

    `closed`: the schema is the whole parser, so a flag that it lacks is rejected; else the script may declare more.
    `dashes`: the flags are spelled `--micro-batch-size`; `abbreviations`: a closed parser takes unique beginnings;
    `positionals`: so many words that belong to no flag are taken; None: any number; `fills`: the arguments that further
    ones of them give a value to, unless a flag does.
    """
    line = cut(words, greedy)
    # the only word that such a parser takes without a flag is a file of arguments
    file = next((word.unknown for word in line.positionals if word.text is None), None) if positionals == 0 else None
    arguments = Arguments(open=line.open or file)
    loose = [(word, "no flag stands before it", "remove it") for word in line.positionals]
    for flag in line.flags:
        name, found = _resolve(flag, schema, closed and abbreviations)
        key, exact = _key(source, flag)
        values, stray = _values(flag, schema, name)
        why, advice = (
            f"{flag.name} takes {_arity(flag, schema, name)}",
            f"quote the value of {flag.name}, or remove the word",
        )
        loose += [(word, why, advice) for word in stray if not _in_placeholder([*values, *stray])]
        # what `$EXTRA` behind a bare switch holds are flags of their own
        arguments.open = arguments.open or next((word.unknown for word in stray if word.text is None), None)
        if found == "ambiguous":
            arguments.issues.append(_ambiguous(flag.name, name, key))
        elif found == "unknown" and not schema.free(name):
            issue = _undeclared(flag.name, name, key, schema, closed, dashes, abbreviations)
            if issue is not None:
                arguments.issues.append(issue if exact else replace(issue, replacement=None))
        elif name in schema and schema.edition(name).bare and values and values[0].several:
            # a flag that may stand alone says nothing about what `$EXTRA` behind it holds
            arguments.open = arguments.open or values[0].unknown
        argument, issues = _argument(source, name, schema, flag, key, values)
        if name not in schema or not schema.edition(name).repeats:
            _note_duplicate(arguments, argument)
        arguments.given[name] = argument
        arguments.issues += issues
    if positionals is not None:
        taken = positionals + len(set(fills) - arguments.given.keys())
        arguments.issues += _strays(source, loose, taken, closed)
    return arguments


def first_word(words: Sequence[Word], schema: Schema, abbreviations: bool, greedy: Collection[str] = ()) -> int | None:
    """The place of the first word that belongs to no flag, for a parser in which it is the name of a subcommand."""
    line = cut(words, greedy)
    found = list(line.positionals)
    for flag in line.flags:
        name, known = _resolve(flag, schema, abbreviations)
        found += _values(flag, schema, name)[1] if known == "known" else flag.following
    chosen = {id(word) for word in found}
    return next((place for place, word in enumerate(words) if id(word) in chosen), None)


def _strays(
    source: SourceText, loose: Sequence[tuple[Word, str, str]], taken: int, closed: bool
) -> Iterator[ArgumentIssue]:
    """The words that neither a flag nor the script itself takes. One before all flags may name a file of arguments."""
    for word, why, advice in sorted(loose, key=lambda each: each[0].span.start)[taken:]:
        before = advice == "remove it"
        if word.text is not None and not (before and (not closed or word.text.endswith((".json", ".yaml", ".yml")))):
            yield _stray(source, word, why, advice, closed)


def _values(flag: Flag, schema: Schema, name: str) -> tuple[list[Word], list[Word]]:
    """The words that the flag takes, and those that are left over because it takes one."""
    if flag.inline is not None:
        return [flag.inline], flag.following
    count = _count(flag, schema, name)
    if isinstance(count, int):
        return flag.following[:count], flag.following[count:]
    if name not in schema or any(kind.startswith("list") for kind in schema.edition(name).words):
        return flag.following, []
    return flag.following[:1], flag.following[1:]


def _in_placeholder(words: Sequence[Word]) -> bool:
    """`<path to model>` in an array or a string is several words, of which a person has to make one."""
    return any((word.text or "").startswith("<") for word in words)


def _count(flag: Flag, schema: Schema, name: str) -> int | str | None:
    """How many values a flag wants, as `Edition.values` says it: `--no_x` none."""
    return 0 if _negated(flag, name) else schema.edition(name).values if name in schema else None


def _negated(flag: Flag, name: str) -> bool:
    """Is this `--no_x` or, to absl and fire, `--nox` for an argument `x`?"""
    own = flag.name.lstrip("-").replace("-", "_")
    return own in (f"no_{name}", f"no{name}")


def _arity(flag: Flag, schema: Schema, name: str) -> str:
    count = _count(flag, schema, name)
    return "no value" if count == 0 else f"{count} values" if isinstance(count, int) and count > 1 else "one value"


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


Found = Literal["known", "unknown", "ambiguous"]


def _resolve(flag: Flag, schema: Schema, abbreviations: bool) -> tuple[str, Found]:
    """The argument's name, and whether there is one."""
    name = flag.name.lstrip("-")
    underscored = name.replace("-", "_")
    if schema.spellings is not None:
        return _spelled(flag, underscored, schema, schema.spellings, abbreviations)
    for known in (name, underscored):
        if known in schema:
            return schema.own[known].name if known in schema.own else known, "known"
    if _switched_off(underscored, schema):
        return underscored[3:], "known"
    if abbreviations and flag.name.startswith("--"):
        matches = [candidate for candidate in schema.present() if candidate.startswith(underscored)]
        if len(matches) == 1:
            return matches[0], "known"
        if matches:
            return underscored, "ambiguous"
    return underscored, "unknown"


def _spelled(
    flag: Flag, name: str, schema: Schema, spellings: Mapping[str, str], abbreviations: bool
) -> tuple[str, Found]:
    """The same for a parser that takes its flags as they are spelled, `-b4` for `-b 4` among them."""
    if flag.name in spellings:
        return spellings[flag.name], "known"
    if not flag.name.startswith("--"):
        short = spellings.get(flag.name[:2])
        if short is not None and flag.inline is None and schema.edition(short).values != 0:
            flag.inline = flag.word.after(2)
        return (short, "known") if short is not None else (name, "unknown")
    matches = {spellings[long] for long in spellings if long.startswith(flag.name)} if abbreviations else set()
    if len(matches) == 1:
        return matches.pop(), "known"
    return name, "ambiguous" if matches else "unknown"


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
        return Argument(name, not _negated(flag, name), literal, key, key), []
    at = Location(source, Span(values[0].span.start, values[-1].span.end))
    origin = values[0].origin if len(values) == 1 else Origin("computed", at.text, at, tuple(w.origin for w in values))
    unresolved = next((word for word in values if word.text is None), None)
    if unresolved is not None:
        return Argument(name, None, origin, key, at, unknown=unresolved.unknown), []
    texts = [word.text or "" for word in values]
    if edition is not None and isinstance(edition.values, int) and 0 < edition.values != len(values):
        message = f"{flag.name} takes {edition.values} values and is given {len(values)}"
        return Argument(name, None, origin, key, at, unknown=message), [
            ArgumentIssue("missing-value", name, message, origin.literal or at, f"give it {edition.values} values")
        ]
    if edition is not None and edition.at is not None and _count(flag, schema, name) == 0:
        message = f"{flag.name} takes no value and is given {texts[0]!r}"
        return Argument(name, None, origin, key, at, unknown=message), [
            ArgumentIssue("type", name, message, origin.literal or at, f"write {flag.name} alone, or leave it out")
        ]
    if edition is None:
        return Argument(name, texts[0] if len(texts) == 1 else texts, origin, key, at), []
    try:
        return Argument(name, from_text(edition, texts), origin, key, at), []
    except Rejected as rejected:
        if len(texts) == 1 and PLACEHOLDER.search(texts[0]):
            return Argument(name, texts[0], origin, key, at), []
        place = origin.literal or at
        advice = f"give {flag.name} a value of the kind that {schema[name].package} takes"
        issue = ArgumentIssue(rejected.kind, name, f"{flag.name}: {rejected.message}", place, advice, rejected.certain)
        return Argument(name, None, origin, key, at, unknown=rejected.message), [issue]


def _ambiguous(flag: str, name: str, key: Location) -> ArgumentIssue:
    return ArgumentIssue(
        "ambiguous", name, f"{flag} is ambiguous: several arguments begin like it", key, "write it out"
    )


def _undeclared(
    flag: str, name: str, key: Location, schema: Schema, closed: bool, dashes: bool, abbreviations: bool
) -> ArgumentIssue | None:
    """What to say of a flag that nothing declares. It is a crash for sure where the script says all of its parser."""
    if schema.spellings is None:
        issue = unknown_argument(name, key, schema, closed, spelled="--{}", dashes=dashes, beginnings=closed)
    elif abbreviations and not closed and any(long.startswith(flag) for long in schema.spellings):
        return None  # argparse takes a beginning for the flag, whoever else declares more
    else:
        known = {long: schema[own] for long, own in schema.spellings.items()}
        issue = unknown_argument(flag, key, known, closed, beginnings=closed)
    whole = closed and bool(schema.own) and not schema.sections
    return replace(issue, certain=whole or issue.certain) if issue is not None else None


def unknown_argument(
    name: str,
    key: Location,
    schema: Mapping[str, Spec],
    closed: bool,
    spelled: str = "{}",
    dashes: bool = False,
    beginnings: bool = True,
) -> ArgumentIssue | None:
    """What to say of an argument that the schema lacks. With an open schema only a near miss is worth saying.

    `beginnings`: the beginning of a known name is a near miss of it. It is none where argparse takes it, or a script its own.
    """
    close = _near(name, list(schema), 0.85 if closed else 0.9, beginnings)
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
    message = f"unknown argument {shown}: {f'{spec.package} {versions}'.rstrip()} has none of this name"
    return ArgumentIssue("unknown", name, message, key, f"remove {shown} or correct its name", certain=False)


def refused_argument(name: str, key: Location, schema: Schema) -> ArgumentIssue | None:
    """What the framework says of a key that it knows and refuses by name."""
    reason = schema.edition(name).rejected
    if reason is None:
        return None
    message = f"{schema[name].package} refuses {name}: {reason}"
    return ArgumentIssue("unknown", name, message, key, f"remove {name}")


def _near(name: str, known: list[str], cutoff: float, beginnings: bool) -> str | None:
    """The known name that was probably meant: a close spelling, or the only one that begins like it."""
    close = get_close_matches(name, known, n=1, cutoff=cutoff)
    if close:
        return close[0]
    longer = [other for other in known if other.startswith(name)] if beginnings and len(name) >= 6 else []
    shortest = min(longer, key=len, default=None)
    return shortest if shortest is not None and all(other.startswith(shortest) for other in longer) else None


def _note_duplicate(arguments: Arguments, argument: Argument) -> None:
    earlier = arguments.given.get(argument.name)
    if earlier is None or earlier.unknown or argument.unknown or earlier.value == argument.value:
        return
    flag = argument.key.text
    first, last = earlier.at.text, argument.at.text
    if first == last:  # one variable holds both
        first, last = str(earlier.value), str(argument.value)
    message = f"{flag} is given twice, as {first} and as {last}: the last one wins, silently"
    arguments.issues.append(
        ArgumentIssue(
            "duplicate", argument.name, message, argument.key, f"remove the {flag} that is not meant",
            related=(("the first one, without effect", earlier.key),), superseded=earlier,
        )
    )  # fmt: skip
