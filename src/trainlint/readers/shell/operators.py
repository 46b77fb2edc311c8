"""The operators of parameter expansion on known text: `${x%.*}`, `${x/a/b}`, `${x:1:2}`, `${x^^}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.glob import Undecidable
from trainlint.readers.shell.lexer import Parameter, Piece, Text
from trainlint.readers.shell.state import reason_of, short, text_of

if TYPE_CHECKING:
    from trainlint.readers.shell.expand import Expander

_LONGEST_PATTERN_TEXT = 5_000
_LONGEST_REPLACED_TEXT = 500


def slice_bounds(expander: Expander, piece: Parameter) -> tuple[int, int | None]:
    start, end = piece.argument
    colon = expander.code.text.find(":", start, end)
    if "?" in expander.code.text[start:end]:
        raise Undetermined(f"{short(expander.source(piece))} is not interpreted")
    if colon < 0:
        return expander.arithmetic((start, end)), None
    return expander.arithmetic((start, colon)), expander.arithmetic((colon + 1, end))


def apply(expander: Expander, piece: Parameter, text: str) -> str:
    operator, (start, end) = piece.operator, piece.argument
    if len(text) > _LONGEST_PATTERN_TEXT:
        raise Undecidable
    if operator == ":":
        first, length = slice_bounds(expander, piece)
        first = len(text) + first if first < 0 else first
        if first < 0:
            return ""
        last = len(text) if length is None else len(text) + length if length < 0 else first + length
        return text[first:last]
    if operator in ("^", "^^", ",", ",,"):
        if start != end:
            raise Undecidable
        convert = str.upper if operator[0] == "^" else str.lower
        return convert(text) if len(operator) == 2 else convert(text[:1]) + text[1:]
    if operator[0] == "/":
        return _replaced(expander, piece, text)
    pattern = expander.pattern(expander.lexer.pieces(start, end, "argument")[0])
    lengths = range(len(text) + 1) if len(operator) == 1 else range(len(text), -1, -1)
    for length in lengths:
        if operator[0] == "#" and pattern.matches(text[:length]):
            return text[length:]
        if operator[0] == "%" and pattern.matches(text[len(text) - length :]):
            return text[: len(text) - length]
    return text


def _replaced(expander: Expander, piece: Parameter, text: str) -> str:
    start, end = piece.argument
    pieces, _ = expander.lexer.pieces(start, end, "argument")
    cut = _slash(expander.code.text, pieces, start + (piece.operator in ("/", "//")), end)
    pattern = expander.pattern(expander.lexer.pieces(start, cut, "argument")[0])
    new_value = expander.range((min(cut + 1, end), end), "argument")
    new = text_of(new_value)
    if new is None:
        raise Undetermined(reason_of(new_value))
    anchor = piece.operator[-1] if piece.operator[-1] in "#%" else ""
    if not pattern.tests:
        return new + text if anchor == "#" else text + new if anchor else text
    if not text:
        return new if pattern.matches("") else ""
    if "&" in new or len(text) > _LONGEST_REPLACED_TEXT:
        raise Undecidable
    done, at = "", 0
    while at <= len(text):
        ends = [last for last in range(len(text), at, -1) if pattern.matches(text[at:last])]
        if anchor == "%":
            ends = [last for last in ends if last == len(text)]
        if ends:
            done, at = done + new, ends[0]
            if piece.operator != "//":
                break
        elif anchor == "#":
            break
        else:
            done, at = done + text[at : at + 1], at + 1
    return done + text[at:]


def _slash(code_text: str, pieces: Iterable[Piece], start: int, end: int) -> int:
    """Where the pattern of `${x/pattern/new}` ends."""
    for piece in pieces:
        if isinstance(piece, Text) and not piece.quoted:
            found = code_text.find("/", max(piece.start, start), piece.end)
            if found >= 0:
                return found
    return end
