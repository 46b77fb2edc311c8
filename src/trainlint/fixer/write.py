"""Storing a fixed text: all of it or nothing, where the old one was, and only if nobody else changed that meanwhile."""

from __future__ import annotations

import os

from trainlint import atomic
from trainlint.text import SourceText


class ChangedMeanwhile(Exception):
    """The file on disk is not the one that was read."""


def write(source: SourceText, text: str) -> None:
    """Put `text` in the place of the file that `source` was read from, with its byte order mark and encoding.

    The file is replaced in one step and keeps its mode; a symbolic link stays one, and the file that it names is replaced.
    Raises `ChangedMeanwhile` if its bytes are not those that were read, `OSError` with a message for a person if it cannot
    be written, ValueError for a text that came from no file. Whatever is raised, the old file is untouched.
    """
    file = source.file
    if file is None:
        raise ValueError(f"{source.path}: a text that came from no file cannot be written back")

    def check() -> None:
        if file.read_bytes() != source.encode(source.text):
            raise ChangedMeanwhile(f"{source.path}: it was changed after it was read; nothing was written")

    try:
        check()
        if not os.access(file, os.W_OK):
            raise OSError("it is read-only")
        atomic.replace(file, source.encode(text), check)
    except FileNotFoundError:
        raise ChangedMeanwhile(f"{source.path}: it was removed after it was read; nothing was written") from None
    except OSError as error:
        raise OSError(f"{source.path}: it cannot be written: {error.strerror or error}") from error
