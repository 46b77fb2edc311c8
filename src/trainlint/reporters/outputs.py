"""Where reports go: one to the standard output, any number into files, each in a format of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, TextIO

from trainlint import atomic
from trainlint.findings import Report
from trainlint.reporters.style import WIDTH


class ReporterError(Exception):
    """An output that cannot be written; the message says what is wanted instead."""


class Output(NamedTuple):
    """A format, and the file it goes to; None is the standard output."""

    format: str
    path: Path | None = None


def outputs(specs: Sequence[str]) -> list[Output]:
    """The outputs that `FORMAT` and `FORMAT:PATH` ask for; `text` when nothing does. A path `-` is the standard output.

    Raises `ReporterError` for a format that does not exist, for a path that cannot be written to, for two outputs to
    one place.
    """
    wanted = [_parse(spec) for spec in specs or ("text",)]
    taken: dict[Path | None, str] = {}
    for spec, output in zip(specs, wanted, strict=False):
        place = output.path and output.path.resolve()
        if place in taken:
            where = f"the file {output.path}" if output.path else "the standard output (say FORMAT:PATH for the others)"
            raise ReporterError(f"both {taken[place]} and {spec} go to {where}")
        taken[place] = spec
    return wanted


def write(
    report: Report,
    wanted: Sequence[Output],
    *,
    color: bool = False,
    width: int = WIDTH,
    quiet: bool = False,
    suppressed: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Write the report to all outputs: whole files or none of their bytes. Colour is for the standard output only.

    Raises `ReporterError` when a file cannot be written; the files before it are complete then, the standard output is
    written last.
    """
    from trainlint.reporters import render  # it imports this module

    stream = stream or sys.stdout
    texts = [
        render(
            output.format,
            report,
            color=color and output.path is None,
            width=width if output.path is None else WIDTH,
            quiet=quiet,
            suppressed=suppressed,
        )
        for output in wanted
    ]
    for output, text in sorted(zip(wanted, texts, strict=True), key=lambda pair: pair[0].path is None):
        if output.path is None:
            _print(text, stream)
            continue
        try:
            atomic.replace(output.path, text.encode("utf-8", "replace"))
        except OSError as error:
            raise ReporterError(f"{output.path}: cannot be written: {error.strerror or error}") from None


def _parse(spec: str) -> Output:
    from trainlint.reporters import formats  # it imports this module

    known = formats()
    name, colon, path = spec.partition(":")
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ReporterError(f"{name!r} is no format; {hint}")
    if not colon or path == "-":
        return Output(name)
    if not path:
        raise ReporterError(f"{spec!r} names no file; say {name} or {name}:PATH")
    if "\0" in path:
        raise ReporterError(f"{spec!r}: no file name holds a null character")
    file = Path(path)
    try:
        if file.is_dir():
            raise ReporterError(f"{spec}: {path} is a directory")
        if not file.parent.is_dir():
            raise ReporterError(f"{spec}: the directory {file.parent} does not exist")
    except OSError as error:
        raise ReporterError(f"{spec}: {error.strerror or error}") from None
    return Output(name, file)


def _print(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()
