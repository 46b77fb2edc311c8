"""Nested configurations as dotted arguments: `optimizer.lr`, `key=value` overrides, and `${a.b}` within one file.

OmegaConf and Hydra first put the overrides over the file and then resolve what refers to other keys; so does this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.base import Context
from trainlint.dialects.convert import Rejected
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema, Spec
from trainlint.dialects.tree import Convert, Loader, shown
from trainlint.document import Document, Node, Origin, Word
from trainlint.facts import Argument, ArgumentIssue, Arguments, Unknown
from trainlint.readers.scalars import plain, resolve
from trainlint.text import Location, SourceText, Span

REFERENCE = re.compile(r"\$\{([^{}]*)\}")
MAX_HOPS = 20
OVERRIDE = re.compile(r"(~|\+{0,2})([A-Za-z_][\w./@-]*)\Z")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One key with its value as loaded: a scalar, a list, or a dict that stands for the keys below it.

    `added`: it came through `+key=value`, which adds a key that no schema has.
    """

    key: Location
    at: Location
    value: Any
    origin: Origin
    unknown: str | None = None
    added: bool = False


Leaves = dict[str, Leaf]


def leaves(document: Document, loader: Loader, rename: Callable[[str], str] = str) -> Leaves:
    """Every key of a data file by its dotted name; a key of the file itself wins over one merged into it."""
    found: Leaves = {}
    if document.root is not None and document.root.kind == "mapping":
        _walk(found, document, document.root, "", loader, rename)
    return found


def _walk(
    found: Leaves, document: Document, node: Node, prefix: str, loader: Loader, rename: Callable[[str], str]
) -> None:
    for entry in node.entries:
        name = prefix + rename(entry.key.text)
        if entry.key.kind != "scalar" or (entry.merged and name in found):
            continue
        at = document.at(entry.value.span)
        origin = Origin("literal", f"{name}: {shown(entry.value, at)}", at)
        found[name] = Leaf(document.at(entry.key.span), at, plain(entry.value, loader), origin)
        if entry.value.kind == "mapping":
            _walk(found, document, entry.value, f"{name}.", loader, rename)


# --------------------------------------------------------------------------------------------------------- overrides


def override(found: Leaves, source: SourceText, words: Iterable[Word], component: str = "") -> str | None:
    """Put `a.b=c`, `+a.b=c`, `++a.b=c` and `~a.b` over the leaves. Returns why further ones may be there that nobody sees.

    `component`: the key that names a section's component, which torchtune also takes as `section=path`.
    """
    open_: str | None = None
    for word in words:
        written, equals, _ = word.known_prefix.partition("=")
        match = OVERRIDE.match(written)
        if match is None or (word.text is None and not equals):
            if word.text is None:
                open_ = open_ or word.unknown
            continue
        sign, name = match[1], match[2].lstrip("/").replace("/", ".")
        if sign == "~":
            for gone in [other for other in found if other == name or other.startswith(f"{name}.")]:
                del found[gone]
        elif equals:
            named = f"{name}.{component}"
            _set(found, source, word, named if component and named in found else name, len(written), sign)
    return open_


def _set(found: Leaves, source: SourceText, word: Word, name: str, length: int, sign: str) -> None:
    value = word.after(length + 1)
    at = Location(source, value.span)
    start = word.span.start + len(sign)
    key = Location(source, Span(start, start + length - len(sign)))
    if key.text != source.text[start : start + len(name)] or key.text != name:
        key = Location(source, word.span)
    for below in [other for other in found if other.startswith(f"{name}.")]:
        del found[below]
    parsed = typed(value.text) if value.text is not None else None
    found[name] = Leaf(key, at, parsed, value.origin, value.unknown, added=sign == "+")


def typed(text: str) -> Any:
    """The value of an override as OmegaConf reads it: YAML with `1e-4` as a number. What is no YAML stays text."""
    stripped = text.strip()
    if stripped[:1] in ("[", "{"):
        return _collection(stripped)
    if stripped[:1] in ("'", '"') and stripped[-1:] == stripped[:1] and len(stripped) > 1:
        return stripped[1:-1]
    return resolve(Node("scalar", Span(0, 0), stripped), "omegaconf")


def _collection(text: str) -> Any:
    from trainlint.readers import yaml

    document = yaml.read(SourceText("override", text))
    return text if document.root is None else plain(document.root, "omegaconf")


# ------------------------------------------------------------------------------------------------------ interpolation


def interpolate(found: Leaves) -> None:
    """Resolve `${a.b}` against the other keys. What refers to the environment or to nothing here becomes unknown."""
    original = dict(found)
    for name, leaf in original.items():
        if isinstance(leaf.value, str) and "${" in leaf.value:
            found[name] = _resolved(original, name, leaf, ())


def _resolved(found: Mapping[str, Leaf], name: str, leaf: Leaf, hops: tuple[str, ...]) -> Leaf:
    text = leaf.value
    if not isinstance(text, str) or "${" not in text or leaf.unknown is not None:
        return leaf
    if name in hops or len(hops) > MAX_HOPS:
        return replace(leaf, value=None, unknown=f"{name} refers to itself")
    parents: list[Origin] = []
    while (match := REFERENCE.search(text)) is not None:
        target = _target(found, name, match[1].strip(), (*hops, name))
        if target.unknown is not None:
            return replace(leaf, value=None, unknown=target.unknown)
        if match[0] == leaf.value:
            origin = Origin("expansion", match[0], leaf.at, (target.origin,))
            return replace(leaf, value=target.value, origin=origin)
        parents.append(target.origin)
        text = text[: match.start()] + str(target.value) + text[match.end() :]
        if len(parents) > MAX_HOPS or len(text) > 10_000:
            return replace(leaf, value=None, unknown=f"{name} refers to too much")
    if "${" in text:
        return replace(leaf, value=None, unknown=f"{leaf.value} is filled in later")
    return replace(leaf, value=text, origin=Origin("computed", str(leaf.value), leaf.at, tuple(parents)))


def _target(found: Mapping[str, Leaf], name: str, reference: str, hops: tuple[str, ...]) -> Leaf:
    here = found[hops[0]]
    function, colon, rest = reference.partition(":")
    if colon:
        if function.strip() == "oc.select":
            key, comma, default = rest.partition(",")
            if key.strip() in found or not comma:
                return _target(found, name, key.strip(), hops)
            return replace(here, value=typed(default), origin=Origin("computed", reference))
        source = "an environment variable" if function.strip() in ("oc.env", "env") else "worked out by a program"
        return replace(here, value=None, unknown=f"${{{reference}}} is {source}")
    path = _absolute(name, reference.replace("[", ".").replace("]", ""))
    if path in found:
        return _resolved(found, path, found[path], hops)
    holder, _, index = path.rpartition(".")
    if holder in found and isinstance(found[holder].value, list) and index.isdigit():
        values = found[holder].value
        if int(index) < len(values):
            return replace(found[holder], value=values[int(index)])
    return replace(here, value=None, unknown=f"{path} is not in this file")


def _absolute(name: str, reference: str) -> str:
    """`${.x}` is beside the key itself, every further dot one level up."""
    dots = len(reference) - len(reference.lstrip("."))
    if not dots:
        return reference
    above = name.split(".")[: -dots or None]
    return ".".join([*above, reference.lstrip(".")])


# --------------------------------------------------------------------------------------------------------- arguments


def named_file(words: Sequence[Word], document: Document, started: Started, context: Context) -> Leaves | None:
    """The leaves of the YAML file that the first word names; None where it names none, or one that is not here."""
    name = words[0].text or "" if words else ""
    if not name.endswith((".yaml", ".yml")):
        return None
    try:
        return leaves(context.open(name, document, started), "omegaconf")
    except Unknown:
        return None


def arguments(
    found: Leaves,
    schema: Schema,
    convert: Convert | None,
    *,
    closed: bool,
    certain: bool = True,
    open_: str | None = None,
    free: tuple[str, ...] = (),
    strict: tuple[str, ...] = (),
) -> Arguments:
    """The leaves as arguments. `closed`: a key that the schema lacks is rejected; `certain`: with an error, not silently.

    `free` are the beginnings of names whose section depends on what is plugged in, so that any key may be right; `strict`
    those of sections that are closed where the rest is not.
    """
    result = Arguments(open=open_)
    for name, leaf in found.items():
        argument = Argument(name, leaf.value, leaf.origin, leaf.key, leaf.at, leaf.unknown)
        issue: ArgumentIssue | None = None
        if name in schema:
            if convert is not None and leaf.unknown is None and not isinstance(leaf.value, dict):
                argument, issue = converted(argument, schema[name], schema.edition(name), convert)
        elif not (leaf.added or leaf.value is None or _may_be(name, found, schema, free)):
            issue = _unknown(name, leaf, schema, closed or name.startswith(strict))
            if issue is not None and not certain:
                issue = replace(issue, certain=False)
        result.given[name] = argument
        if issue is not None:
            result.issues.append(issue)
    return result


def converted(
    argument: Argument, spec: Spec, edition: Edition, convert: Convert
) -> tuple[Argument, ArgumentIssue | None]:
    """The argument with its value as the framework takes it, or what it would say against the value."""
    try:
        return replace(argument, value=convert(edition, argument.value)), None
    except Rejected as rejected:
        message = f"{argument.name}: {rejected.message}"
        place = argument.origin.literal or argument.at
        advice = f"give {argument.name} a value of the kind that {spec.package} takes"
        issue = ArgumentIssue(rejected.kind, argument.name, message, place, advice, rejected.certain)
        return replace(argument, value=None, unknown=rejected.message), issue


def _may_be(name: str, found: Leaves, schema: Schema, free: tuple[str, ...]) -> bool:
    """May any key stand here? So it is, too, where a section above is unknown: then that was said."""
    unknown_above = any(above in found and above not in schema for above in above_of(name))
    # beside the keywords that a component is known to take a near miss of one is still worth saying
    anything = schema.free(name) and not name.startswith(schema.sections_free)
    return unknown_above or name.startswith(free) or anything


def _unknown(name: str, leaf: Leaf, schema: Schema, closed: bool) -> ArgumentIssue | None:
    prefix = name.rpartition(".")[0]
    prefix = f"{prefix}." if prefix else ""
    siblings = {
        other[len(prefix) :]: schema[other]
        for other in schema
        if other.startswith(prefix) and "." not in other[len(prefix) :]
    }
    last = name[len(prefix) :]
    issue = unknown_argument(last, leaf.key, siblings, closed)
    if issue is None:
        return None
    message = issue.message.replace(f"unknown argument {last}", f"unknown argument {name}", 1)
    # a file has the last part of the name as its key, an override the whole of it
    written = {last: "", name: prefix}.get(leaf.key.text)
    meant = None if written is None or issue.replacement is None else written + issue.replacement
    return replace(issue, name=name, message=message, replacement=meant)


def above_of(name: str) -> Iterator[str]:
    """The sections that a dotted name lies in, innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def components(found: Mapping[str, Leaf], key: str = "_component_") -> Iterator[str]:
    """The values of all keys called `key`, wherever they stand."""
    for name, leaf in found.items():
        if (name == key or name.endswith(f".{key}")) and isinstance(leaf.value, str):
            yield leaf.value


def pairs(words: Sequence[Word]) -> list[Word]:
    """The words that have the form of an override, known or not."""
    return [word for word in words if not word.known_prefix.startswith("-")]
