"""JSON as Python's `json` reads it, with the place of every value.

`json` judges, and this module only finds the places in a text that passed: the scanner need not know what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainlint.document import Document, Entry, Node, Problem, repeated_key
from trainlint.text import SourceText, Span

MAX_DEPTH = 200

_STRING = (
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'  # an unclosed one ends with its line, so that the rest is seen as it is meant
)
# one that is not closed is skipped, to be judged, and not searched for an end at each `/*` in it
_COMMENT = re.compile(rf"{_STRING}|(//[^\n]*|\#[^\n]*|(?s:/\*.*?\*/))|(?s:/\*.*)")
# a comma after an opening bracket or another comma is no trailing comma but an error
_TRAILING_COMMA = re.compile(rf"{_STRING}|[\[{{,][ \t\n\r]*,|(,)[ \t\n\r]*[\]}}]")
_BRACKET = re.compile(rf"{_STRING}|([\[{{])|([\]}}])")
_TEMPLATE = re.compile(r"\$\{\w+\}|\$\w+|(?!(?:TRUE|FALSE|NULL|NONE)\b)[A-Z][A-Z0-9_]{2,}\b")
_TOKEN = re.compile(rf'{_STRING}|[\[\]{{}},:]|[^\s\[\]{{}},:"]+')


def read(source: SourceText) -> Document:
    """The value of the file as a tree. Never raises.

    What `json.loads` refuses is a `file/syntax-error` with its message and no root. Comments (`//`, `#`, `/* */`) and
    trailing commas are read, as DeepSpeed's hjson does, and noted as `file/json-comment` and `file/trailing-comma`: strict
    JSON has neither. A placeholder (`${STAGE}`, `CONFIG_LR`) where a value should stand is a `launch/placeholder`: the file is
    a template. A byte order mark, which `json.load` refuses, is a `file/syntax-error`, too, but the rest is read.
    """
    document = Document(source, "json")
    text = source.text
    if source.bom:
        _problem(document, "file/syntax-error", "Unexpected UTF-8 BOM (decode using utf-8-sig)", Span(0, 0))
    if (deep := _too_deep(text)) is not None:
        _problem(document, "file/syntax-error", f"nested more than {MAX_DEPTH} levels deep", Span(deep, deep + 1))
        return document
    if _judge(text) is not None:
        text = _relaxed(document)
        if (error := _judge(text)) is not None:
            at = min(error.pos, len(text))
            if (template := _TEMPLATE.match(text, at)) and error.msg == "Expecting value":
                message = f"{template[0]} is filled in by something else before this file is read: it was not judged"
                _problem(document, "launch/placeholder", message, Span(at, template.end()))
            else:
                _problem(document, "file/syntax-error", error.msg, Span(at, min(at + 1, len(text))))
            return document
    document.root = _build(document, text)
    document.problems.sort(key=lambda problem: problem.at.span)
    return document


def _judge(text: str) -> json.JSONDecodeError | None:
    try:
        # without the conversion, which refuses more than 4,300 digits
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return error
    return None


def _relaxed(document: Document) -> str:
    """The text with blanks for comments and trailing commas, so that all offsets stay."""
    text = document.source.text
    document.comments = [Span(*match.span(1)) for match in _COMMENT.finditer(text) if match[1]]
    for span in document.comments:
        _problem(document, "file/json-comment", "a comment, which JSON does not have", span)
    text = _blank(text, document.comments)
    commas = [Span(*match.span(1)) for match in _TRAILING_COMMA.finditer(text) if match[1]]
    for span in commas:
        message = "a comma after the last value, which JSON does not allow"
        document.problems.append(Problem("file/trailing-comma", message, document.at(span), edits=((span, ""),)))
    return _blank(text, commas)


def _blank(text: str, spans: list[Span]) -> str:
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], " " * (span.end - span.start)]
        at = span.end
    return "".join([*pieces, text[at:]])


def _too_deep(text: str) -> int | None:
    """Where the text nests too deeply: `json` itself recurses."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return None
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += 1 if match[1] else -1 if match[2] else 0
        if depth > MAX_DEPTH:
            return match.start()
    return None


@dataclass(slots=True)
class _Open:
    node: Node
    key: Node | None = None


def _build(document: Document, text: str) -> Node:
    """The tree of a text that `json` accepts."""
    stack: list[_Open] = []
    for match in _TOKEN.finditer(text):
        token, span = match[0], Span(*match.span())
        if token in ",:":
            continue
        if token in "[{":
            stack.append(_Open(Node("sequence" if token == "[" else "mapping", span)))
            continue
        if token in "]}":
            node = stack.pop().node
            node.span = Span(node.span.start, span.end)
            document.problems += _duplicate_keys(document, node)
        else:
            node = _scalar(token, span)
        if not stack:
            return node
        parent = stack[-1]
        if parent.node.kind == "sequence":
            parent.node.elements.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            parent.node.entries.append(Entry(parent.key, node))
            parent.key = None
    raise AssertionError("json accepted a text without a value")


def _scalar(token: str, span: Span) -> Node:
    if token[0] == '"':
        return Node("scalar", span, json.loads(token) if "\\" in token else token[1:-1], "quoted")
    return Node("scalar", span, token, "number" if token[-1].isdigit() else "literal")


def _duplicate_keys(document: Document, node: Node) -> Iterator[Problem]:
    seen: dict[str, Entry] = {}
    for entry in node.entries:
        if (first := seen.setdefault(entry.key.text, entry)) is not entry:
            yield repeated_key(document.source, first, entry, "json")


def _problem(document: Document, kind: str, message: str, span: Span) -> None:
    document.problems.append(Problem(kind, message, document.at(span)))
