"""Brace expansion, which comes before everything else: `{a,b}` and `{1..3}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from trainlint.readers.shell.lexer import Piece, Text

_SEQUENCE = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(-?\d{1,9}))?|([A-Za-z])\.\.([A-Za-z])", re.ASCII)
_MOST_WORDS = 500
_MOST_GROUPS = 50


class TooMany(Exception):
    """More words than anybody would follow."""


def alternatives(pieces: Sequence[Piece], text: str) -> list[Sequence[Piece]]:
    """The words, as pieces, that one written word stands for; itself alone when it has no braces. Raises `TooMany`."""
    done: list[Sequence[Piece]] = []
    waiting: list[Sequence[Piece]] = [pieces]
    if sum(char == "{" for _, _, char in _marks(pieces, text)) > _MOST_GROUPS:
        raise TooMany
    while waiting:
        word = waiting.pop()
        expanded = _first_group(word, text)
        if len(done) + len(waiting) > _MOST_WORDS:
            raise TooMany
        if expanded is None:
            done.append(word)
        else:
            waiting.extend(reversed(expanded))
    return done


def _marks(pieces: Sequence[Piece], text: str) -> Iterator[tuple[int, int, str]]:
    """The characters that structure braces, by piece and offset."""
    for index, piece in enumerate(pieces):
        if isinstance(piece, Text) and not piece.quoted and piece.decoded is None:
            for offset in range(piece.start, piece.end):
                if text[offset] in "{},":
                    yield index, offset, text[offset]


def _first_group(pieces: Sequence[Piece], text: str) -> list[Sequence[Piece]] | None:
    marks = list(_marks(pieces, text))
    for number, (index, offset, char) in enumerate(marks):
        if char != "{":
            continue
        depth, cuts = 0, [(index, offset)]
        for here, at, mark in marks[number:]:
            depth += {"{": 1, "}": -1}.get(mark, 0)
            if depth == 0 or (mark == "," and depth == 1):
                cuts.append((here, at))
            if depth == 0:
                before, after = _between(pieces, None, cuts[0]), _between(pieces, cuts[-1], None)
                if len(cuts) > 2:
                    pairs = pairwise(cuts)
                    return [[*before, *_between(pieces, low, high), *after] for low, high in pairs]
                if sequence := _sequence(text, cuts):
                    return [[*before, item, *after] for item in sequence]
                break
    return None


def _between(pieces: Sequence[Piece], low: tuple[int, int] | None, high: tuple[int, int] | None) -> list[Piece]:
    """The pieces after the mark `low` and before the mark `high`."""
    found = []
    first, last = low[0] if low else 0, high[0] if high else len(pieces) - 1
    for index in range(first, last + 1):
        piece = pieces[index]
        start = low[1] + 1 if low and index == first else piece.start
        end = high[1] if high and index == last else piece.end
        if start < end or (start, end) == (piece.start, piece.end):
            found.append(replace(piece, start=start, end=end))
    return found


def _sequence(text: str, cuts: list[tuple[int, int]]) -> list[Piece]:
    (low_piece, low), (high_piece, high) = cuts
    match = _SEQUENCE.fullmatch(text, low + 1, high)
    if match is None or low_piece != high_piece:
        return []
    if match[4]:
        first, last, step = ord(match[4]), ord(match[5]), 1
    else:
        first, last, step = int(match[1]), int(match[2]), abs(int(match[3] or 1)) or 1
    step = step if first <= last else -step
    values = range(first, last + (1 if step > 0 else -1), step)
    if len(values) > _MOST_WORDS:
        raise TooMany
    width = max(len(match[1]), len(match[2])) if match[1] and re.search(r"(^|-|\.)0\d", match[0]) else 0
    texts = [chr(value) if match[4] else f"{value:0{width}d}" for value in values]
    return [Text(low + 1, high, False, item) for item in texts]
