"""Storing a fixed text: all of it or nothing, where the old one was, and only if nobody else changed that meanwhile."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from trainlint.text import SourceText


class ChangedMeanwhile(Exception):
    """The file on disk is not the one that was read."""


def write(source: SourceText, text: str) -> None:
    """Put `text` in the place of the file that `source` was read from, with its byte order mark and encoding.

    The file is replaced in one step and keeps its mode; a symbolic link stays one, and the file that it names is replaced.
    Raises `ChangedMeanwhile` if its bytes are not those that were read, `OSError` with a message for a person if it cannot
    be written, ValueError for a text that came from no file. Whatever is raised, the old file is untouched.
    """
    if source.file is None:
        raise ValueError(f"{source.path}: a text that came from no file cannot be written back")
    try:
        file = source.file.resolve(strict=True)
        _check(source, file)
        if not os.access(file, os.W_OK):
            raise PermissionError(13, "it is read-only")
        _replace(source, file, source.encode(text))
    except FileNotFoundError:
        raise ChangedMeanwhile(f"{source.path}: it was removed after it was read; nothing was written") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{source.path}: it cannot be written: {reason}") from error


def _check(source: SourceText, file: Path) -> None:
    if file.read_bytes() != source.encode(source.text):
        raise ChangedMeanwhile(f"{source.path}: it was changed after it was read; nothing was written")


def _replace(source: SourceText, file: Path, data: bytes) -> None:
    old = file.stat()
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".tmp")
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if hasattr(os, "fchown"):
                with suppress(PermissionError):  # another's file that we may write becomes ours
                    os.fchown(stream.fileno(), old.st_uid, old.st_gid)
            os.chmod(name, stat.S_IMODE(old.st_mode))
            os.fsync(stream.fileno())
        _check(source, file)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _settle(file.parent)


def _settle(directory: Path) -> None:
    """Make the new name last through a power cut, where the system lets a directory be synced."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
