"""Reading the keys of a YAML or JSON file as a framework's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from trainlint.dialects.argv import refused_argument, unknown_argument
from trainlint.dialects.convert import Rejected
from trainlint.dialects.tables import Edition, Schema
from trainlint.document import Document, Entry, Node, Origin
from trainlint.facts import PLACEHOLDER, Argument, ArgumentIssue, Arguments
from trainlint.readers.scalars import plain
from trainlint.text import Location

TEMPLATE = re.compile(r"\$\{[^}]*\}|\{\{.*?\}\}")
"""`${NAME}` and `{{ name }}`: another program puts the value there before the trainer sees it."""
Loader = Literal["pyyaml", "omegaconf", "json", "toml"]
Convert = Callable[[Edition, Any], Any]


def keys(document: Document) -> set[str]:
    """The top-level keys of a data file."""
    root = document.root
    return {entry.key.text for entry in root.entries} if root is not None and root.kind == "mapping" else set()


def read(document: Document, schema: Schema, loader: Loader, convert: Convert, *, closed: bool) -> Arguments:
    """The top-level keys as arguments. `closed`: the framework rejects (or drops) a key that the schema lacks."""
    arguments = Arguments()
    for entry in document.root.entries if document.root is not None else ():
        read_entry(arguments, document, entry, entry.key.text, schema, loader, convert, closed=closed)
    return arguments


def read_entry(
    arguments: Arguments,
    document: Document,
    entry: Entry,
    name: str,
    schema: Schema,
    loader: Loader,
    convert: Convert,
    *,
    closed: bool,
) -> None:
    """Add one key to `arguments` under `name`; a key of the file itself wins over one merged into it."""
    if entry.merged and name in arguments.given:
        return
    key, at = document.at(entry.key.span), document.at(entry.value.span)
    value = plain(entry.value, loader)
    origin = Origin("literal", f"{name}: {shown(entry.value, at)}", at)
    if entry.value.kind == "scalar" and TEMPLATE.search(entry.value.text):
        arguments.given[name] = Argument(name, None, origin, key, at, unknown=f"{at.text} is filled in later")
        return
    if name not in schema:
        # a key without a value (`debug:`) asks for nothing
        issue = unknown_argument(name, key, schema, closed) if value is not None else None
        if issue is not None:
            arguments.issues.append(issue)
    elif value and (refused := refused_argument(name, key, schema)) is not None:
        arguments.issues.append(refused)
    else:
        try:
            value = convert(schema.edition(name), value)
        except Rejected as rejected:
            if isinstance(value, str) and PLACEHOLDER.search(value):
                arguments.given[name] = Argument(name, value, origin, key, at)
                return
            advice = _advice(rejected, entry.value, name)
            message = f"{name}: {rejected.message}"
            arguments.issues.append(ArgumentIssue(rejected.kind, name, message, at, advice, rejected.certain))
            arguments.given[name] = Argument(name, None, origin, key, at, unknown=rejected.message)
            return
    arguments.given[name] = Argument(name, value, origin, key, at, parts=_parts(document, entry.value, name, loader))


def _parts(document: Document, node: Node, block: str, loader: Loader) -> dict[str, Argument]:
    """The settings inside a block as they are loaded; the block is judged as a whole."""
    found = {}
    for entry in node.entries:
        key, at = document.at(entry.key.span), document.at(entry.value.span)
        name = f"{block}.{entry.key.text}"
        template = entry.value.kind == "scalar" and TEMPLATE.search(entry.value.text)
        unknown = f"{at.text} is filled in later" if template else None
        origin = Origin("literal", f"{entry.key.text}: {shown(entry.value, at)}", at)
        value = plain(entry.value, loader) if unknown is None else None
        parts = _parts(document, entry.value, name, loader)
        found[entry.key.text] = Argument(name, value, origin, key, at, unknown, parts)
    return found


def shown(node: Node, at: Location) -> str:
    """A value as a person would quote it: scalars as they stand, collections by their kind."""
    return at.text if node.kind == "scalar" else {"mapping": "{…}", "sequence": "[…]"}[node.kind]


def _advice(rejected: Rejected, node: Node, name: str) -> str:
    text = node.text
    if rejected.kind == "type" and node.style in ("plain", "quoted"):
        mantissa, e, exponent = text.lower().partition("e")
        if e and "." not in mantissa and mantissa.lstrip("+-").isdigit():
            return f"write {name}: {mantissa}.0e{exponent}, which YAML 1.1 reads as a number"
    if rejected.kind == "choice" and text.lower() in ("no", "off"):
        return f'quote it: {name}: "no"'
    return f"give {name} a value that the trainer takes"
