"""How the formats for programs name files and places: relative to the working directory, on one line."""

from __future__ import annotations

import os
from pathlib import PurePath
from urllib.parse import quote

from trainlint.text import Location, Span


def relative(path: str) -> str:
    """The path with `/`, without `./`, and from the working directory on where it lies below that."""
    pure = PurePath(path)
    if pure.is_absolute() and pure.is_relative_to(os.getcwd()):
        pure = pure.relative_to(os.getcwd())
    return valid(pure.as_posix())


def uri(path: str) -> str:
    """As a URI: relative where `relative` is, its special characters escaped."""
    pure = PurePath(os.fsdecode(os.fsencode(path)))
    if pure.is_absolute() and not pure.is_relative_to(os.getcwd()):
        return pure.as_uri()
    if pure.is_absolute():
        pure = pure.relative_to(os.getcwd())
    return quote(os.fsencode(pure.as_posix()))


def valid(text: str) -> str:
    """A file name need not be valid text, and a lone surrogate is no valid JSON to most readers."""
    return text.encode("utf-8", "replace").decode("utf-8")


def usable(at: Location) -> Location:
    """A place that does not lie in its text becomes the file's first line."""
    if 0 <= at.span.start <= at.span.end <= len(at.source.text):
        return at
    return Location(at.source, at.source.line_span(1))


def first_line(at: Location) -> Location:
    """The place as far as its first line goes: a pull request shows an alert only when all its lines are in the diff.

    A place without extent has nothing to show; the line it stands on has.
    """
    at = usable(at)
    line = at.source.line_span(at.start.line)
    span = Span(at.span.start, min(at.span.end, line.end))
    return Location(at.source, span if span.start < span.end else line)
