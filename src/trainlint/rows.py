"""A bounded look at files of training data: their first megabytes, row by row. What is wrong with a row is counted, not raised.

JSON, JSON Lines and CSV are read by the standard library, packed by gzip or not. Of Parquet the footer is read, and its rows
and those of Arrow where pyarrow is installed. Nothing is run or fetched.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import importlib
import io
import json
import re
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from trainlint import examples, parquet
from trainlint.facts import Unknown

MAX_BYTES = 64_000_000
"""So much is read of one data set."""
MAX_ROWS = 200_000
"""Rows beyond are counted but not looked at."""
SHOWN = 3
"""Names of files in the name of a data set of several."""
MAX_COLUMNS = 2000
"""Names of columns and roles are collected up to so many."""
CHINESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+")
"""Han, kana and their punctuation: three bytes each in UTF-8."""
ZSTD = ("compression.zstd", "zstandard")
BETWEEN = re.compile(r"[\s,]*")


@dataclass(eq=False)
class Rows:
    """What was seen. The three arrays have an entry for each row that was looked at; text files have no rows, only text."""

    name: str
    count: int = 0
    bytes_read: int = 0
    """Of the text, unpacked."""
    bytes_on_disk: int = 0
    """Of the files, those that the counted rows are in."""
    text_bytes: int | None = None
    """Of all texts, where a file says it without being looked into."""
    complete: bool = True
    """False: there is more in the files than was read."""
    characters: array[int] = field(default_factory=lambda: array("L"))
    chinese: array[int] = field(default_factory=lambda: array("L"))
    other_bytes: array[int] = field(default_factory=lambda: array("L"))
    """UTF-8 bytes of all characters that are not Chinese."""
    contents: set[int] = field(default_factory=set)
    """Hashes of the rows, their identifiers left out."""
    columns: set[str] = field(default_factory=set)
    empty: int = 0
    unanswered: int = 0
    """Rows that have a question and an empty answer."""
    unfinished: int = 0
    """Conversations that end with the user."""
    undecided: int = 0
    """Preferences between two answers that are the same."""
    damaged: int = 0
    """Rows with traces of a wrong encoding; of a text file its lines."""
    unreadable: int = 0
    first_unreadable: str = ""
    """Its file and line."""
    divided: bool = True
    """False for a text file, which is not made of examples."""
    lines: int = 0
    """Of a text file, those that are not empty."""

    def __repr__(self) -> str:
        return self.name

    @property
    def looked_at(self) -> int:
        return len(self.characters)

    @property
    def duplicates(self) -> int:
        return self.looked_at - len(self.contents)

    def add(self, row: Any, line: int) -> None:
        self.count += 1
        if self.looked_at >= MAX_ROWS:
            return
        try:
            texts = list(examples.texts(row)) if isinstance(row, dict) else None
            content = hash(repr([row[key] for key in row if key not in examples.IDENTIFIERS])) if texts else 0
        except RecursionError:
            texts = None
        if texts is None:
            self.spoil(line)
            return
        text = "\n".join(texts)
        blank = not text.strip()
        if len(self.columns) < MAX_COLUMNS:
            self.columns.update(examples.shape(row))
        self.contents.add(content)
        self.empty += blank
        self.unanswered += not blank and examples.is_unanswered(row)
        self.unfinished += examples.is_unfinished(row)
        self.undecided += examples.is_undecided(row)
        self.damaged += examples.is_damaged(text)
        self.measure(text)

    def measure(self, text: str) -> None:
        chinese = 0 if text.isascii() else sum(map(len, CHINESE.findall(text)))
        self.characters.append(len(text))
        self.chinese.append(chinese)
        self.other_bytes.append(len(text.encode("utf-8", "surrogatepass")) - 3 * chinese)

    def spoil(self, line: int) -> None:
        self.unreadable += 1
        self.first_unreadable = self.first_unreadable or f"{self.name}:{line}"


def merged(parts: list[Rows], complete: bool) -> Rows:
    """The rows of several files as those of one data set. `complete`: these are all its files."""
    if len(parts) == 1 and complete:
        return parts[0]
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    whole = Rows(", ".join(part.name for part in parts[:SHOWN]) + more, complete=complete)
    for part in parts:
        whole.count += part.count
        whole.bytes_read += part.bytes_read
        whole.bytes_on_disk += part.bytes_on_disk
        if part.text_bytes is not None:
            whole.text_bytes = (whole.text_bytes or 0) + part.text_bytes
        whole.complete &= part.complete
        whole.divided &= part.divided
        for name in ("empty", "unanswered", "unfinished", "undecided", "damaged", "lines", "unreadable"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        whole.first_unreadable = whole.first_unreadable or part.first_unreadable
        whole.columns |= part.columns
        whole.contents |= part.contents
        for name in ("characters", "chinese", "other_bytes"):
            getattr(whole, name).extend(getattr(part, name))
    return whole


def look(file: Path, limit: int = MAX_BYTES) -> Rows:
    """The rows in the first `limit` bytes of a file. Raises `Unknown` where it is of no kind that can be read."""
    rows = Rows(file.name)
    opener = PACKED.get(file.suffix)
    reader = READERS.get(file.suffix if opener is None else Path(file.stem).suffix)
    if reader is None:
        raise Unknown(f"{file.name} is of no kind that is looked into")
    try:
        if not file.is_file():  # opening a pipe would wait for its writer
            raise Unknown(f"{file.name} is no file that holds data")
        with file.open("rb") as disk, opener(disk) if opener is not None else disk as data:
            reader(rows, data, limit)
            rows.complete = rows.complete and not data.read(1)
            rows.bytes_on_disk = file.stat().st_size if rows.complete else disk.tell()
    except OSError as error:
        raise Unknown(f"{file.name} cannot be read: {error.strerror or error}") from None
    except _unpacking_errors():
        raise Unknown(f"{file.name} is damaged: it cannot be unpacked to its end") from None
    return rows


def _unpacking_errors() -> tuple[type[Exception], ...]:
    """What the modules that unpack raise of damaged data; those of zstd may be there or not."""
    return (EOFError, zlib.error, *(getattr(sys.modules.get(name), "ZstdError", EOFError) for name in ZSTD))


def _gunzip(disk: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=disk))


def _zstd(disk: BinaryIO) -> BinaryIO:
    for name in ZSTD:
        try:
            opened: BinaryIO = importlib.import_module(name).open(disk)
        except ImportError:
            continue
        return opened
    raise Unknown("files packed by zstd can be looked into from Python 3.14 on, or where zstandard is installed")


PACKED = {".gz": _gunzip, ".zst": _zstd}


# ---------------------------------------------------------------------------------------------------------- formats


Reader = Callable[[Rows, BinaryIO, int], None]


def _lines(rows: Rows, data: BinaryIO, limit: int) -> Iterator[str]:
    """The lines within the limit; one that the limit cuts through is left out. What is not UTF-8 is counted as unreadable."""
    number = 0
    while rows.bytes_read < limit and (line := data.readline(limit)):
        if len(line) == limit and not line.endswith(b"\n"):
            rows.complete = False
            return
        rows.bytes_read += len(line)
        number += 1
        try:
            yield line.decode("utf-8-sig")
        except UnicodeDecodeError:
            rows.spoil(number)
            yield line.decode("utf-8", "replace")


def _json_lines(rows: Rows, data: BinaryIO, limit: int) -> None:
    decode = json.JSONDecoder(strict=False).decode
    for number, line in enumerate(_lines(rows, data, limit), 1):
        if line.isspace():
            continue
        try:
            row = decode(line)
        except (ValueError, RecursionError):
            rows.count += 1
            rows.spoil(number)
        else:
            rows.add(row, number)
        if rows.looked_at >= MAX_ROWS:
            break
    rest = data.read(max(limit - rows.bytes_read, 0)) if rows.complete else b""
    rows.bytes_read += len(rest)
    rows.count += sum(1 for line in io.BytesIO(rest) if line.strip())


def _json(rows: Rows, data: BinaryIO, limit: int) -> None:
    """A list of rows, or JSON Lines under another name. Raises `Unknown` for one object."""
    start = data.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    data.seek(0)
    if start == b"[":
        _json_list(rows, data, limit)
        return
    try:
        json.loads(data.readline(limit) or b"{}", strict=False)
    except (ValueError, RecursionError):
        raise Unknown(f"{rows.name} is neither a list of rows nor one row a line") from None
    data.seek(0)
    _json_lines(rows, data, limit)


def _json_list(rows: Rows, data: BinaryIO, limit: int) -> None:
    read = data.read(limit)
    rows.bytes_read = len(read)
    cut = len(read) == limit
    text = _decoded(rows, read, limit)
    decode = json.JSONDecoder(strict=False).raw_decode
    at, line, counted = text.index("[") + 1, 1, 0
    while True:
        at = _after(BETWEEN, text, at)
        if text[at : at + 1] == "]":
            return
        line += text.count("\n", counted, at)
        counted = at
        try:
            row, at = decode(text, at)
        except (ValueError, RecursionError):
            rows.complete = False
            if not cut:
                rows.spoil(line)
            return
        rows.add(row, line)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found is not None else at


def _table(separator: str) -> Reader:
    def read(rows: Rows, data: BinaryIO, limit: int) -> None:
        try:
            for number, row in enumerate(csv.DictReader(_lines(rows, data, limit), delimiter=separator), 2):
                rows.add(row, number)
        except csv.Error:  # a field longer than Python's reader takes
            rows.complete = False

    return read


def _text(rows: Rows, data: BinaryIO, limit: int) -> None:
    read = data.read(limit)
    rows.bytes_read, rows.divided, rows.columns = len(read), False, {"text"}
    text = _decoded(rows, read, limit)
    lines = [line for line in text.splitlines() if line.strip()]
    rows.lines, rows.damaged = len(lines), sum(map(examples.is_damaged, lines))
    rows.measure(text)


def _decoded(rows: Rows, read: bytes, limit: int) -> str:
    """The text, which the limit may have cut within a character. Where it is not UTF-8, that is counted as unreadable."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(read, final=len(read) < limit)
    except UnicodeDecodeError as error:
        rows.spoil(read.count(b"\n", 0, error.start) + 1)
        return read.decode("utf-8-sig", "replace")
    return read.decode("utf-8-sig", "ignore")


def _parquet(rows: Rows, data: BinaryIO, limit: int) -> None:
    """The footer has the number of rows and their columns; the rows themselves need a reader of their own.

    With a limit of 0 the footer is all that is read.
    """
    try:
        footer = parquet.footer(data)
    except parquet.NoParquet as error:
        raise Unknown(f"{rows.name} cannot be read: {error}") from None
    data.seek(0)
    try:
        library = importlib.import_module("pyarrow.parquet") if limit else None
    except ImportError:
        library = None
    if library is None:
        rows.text_bytes = sum(size for path, size in footer.text_bytes.items() if _is_text(path, footer.columns))
    else:
        _batches(rows, lambda: library.ParquetFile(data).iter_batches(batch_size=1024), limit)
    rows.count, rows.columns, rows.complete = footer.rows, set(footer.columns), True
    data.seek(0, 2)


def _is_text(path: tuple[str, ...], columns: Iterable[str]) -> bool:
    """Is this leaf of a table among the texts that `examples.texts` would give?"""
    named = path[0] in examples.TEXT_COLUMNS or not examples.TEXT_COLUMNS & set(columns)
    return named and path[-1] not in examples.SPEAKERS


def _arrow(rows: Rows, data: BinaryIO, limit: int) -> None:
    try:
        library = importlib.import_module("pyarrow.ipc")
    except ImportError:
        raise Unknown(f"{rows.name} can be looked into only where pyarrow is installed") from None
    start = data.read(6)
    data.seek(0)
    if start == b"ARROW1":  # the form with an index; what datasets writes is a stream
        raise Unknown(f"{rows.name} is no stream of Arrow")
    rows.complete = _batches(rows, lambda: library.open_stream(data), limit)


def _batches(rows: Rows, opened: Callable[[], Iterable[Any]], limit: int) -> bool:
    """The rows of pyarrow's batches up to the limit. False: there are more."""
    try:
        for batch in opened():
            for row in batch.to_pylist():
                rows.add(row, rows.count + 1)
            rows.bytes_read += batch.nbytes
            if rows.bytes_read >= limit:
                return False
    except Exception as error:  # pyarrow has many of its own
        raise Unknown(f"{rows.name} cannot be read: {str(error).splitlines()[0] if str(error) else error!r}") from None
    return True


READERS: dict[str, Reader] = {
    ".jsonl": _json_lines, ".json": _json, ".csv": _table(","), ".tsv": _table("\t"), ".txt": _text, ".md": _text,
    ".parquet": _parquet, ".arrow": _arrow,
}  # fmt: skip
