"""The footer of a Parquet file: how many rows there are, in which columns, and how much text, without reading the rows.

It is written in Thrift's compact protocol, of which only what a footer uses is read.
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b"PAR1"
MAX_FOOTER = 64_000_000
MAX_DEPTH = 16
BYTE_ARRAY = 6
"""The physical type of texts."""


class NoParquet(Exception):
    """The file is none, or its footer is damaged or encrypted."""


@dataclass(frozen=True)
class Footer:
    rows: int
    columns: tuple[str, ...]
    text_bytes: dict[tuple[str, ...], int]
    """Uncompressed bytes of each leaf that holds texts, without the four bytes of each one's length."""


def footer(data: BinaryIO) -> Footer:
    """Raises `NoParquet`."""
    size = data.seek(0, 2)
    data.seek(max(size - 8, 0))
    end = data.read(8)
    length = int.from_bytes(end[:4], "little")
    if len(end) < 8 or end[4:] != MAGIC or not 0 < length <= min(size - 12, MAX_FOOTER):
        raise NoParquet("it does not end as a Parquet file does")
    data.seek(size - 8 - length)
    try:
        found = _Thrift(data.read(length)).struct()
        sizes: dict[tuple[str, ...], int] = {}
        for group in found.get(4, []):
            for column in group[1]:
                meta = column[3]
                if meta[1] == BYTE_ARRAY:
                    path = tuple(part.decode("utf-8", "replace") for part in meta[3])
                    sizes[path] = sizes.get(path, 0) + max(int(meta[6]) - 4 * int(meta[5]), 0)
        return Footer(int(found[3]), tuple(_columns(found[2])), sizes)
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise NoParquet("its footer is damaged") from error


def _columns(schema: list[dict[int, Any]]) -> list[str]:
    """The children of the root; the schema lists every element before its own children."""
    found, at = [], 1
    for _ in range(schema[0][5]):
        found.append(schema[at][4].decode("utf-8", "replace"))
        inside = 1
        while inside:
            inside += schema[at].get(5, 0) - 1
            at += 1
    return found


class _Thrift:
    """A reader of the compact protocol. A struct is a dictionary by field number; bad data raises one of `footer`'s errors."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def text(self) -> bytes:
        length = self.number()
        self.at += length
        if self.at > len(self.data):
            raise IndexError("the footer ends within a text")
        return self.data[self.at - length : self.at]

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        found: dict[int, Any] = {}
        number = 0
        while header := self.byte():
            number = number + (header >> 4) if header >> 4 else self.signed()
            kind = header & 0x0F
            found[number] = kind == 1 if kind in (1, 2) else self.value(kind, depth)
        return found

    def value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:  # truth values in a list, and bytes
                return self.byte()
            case 4 | 5 | 6:
                return self.signed()
            case 7:
                self.at += 8
                return None
            case 8:
                return self.text()
            case 9 | 10:
                header = self.byte()
                length = self.number() if header >> 4 == 15 else header >> 4
                if length > len(self.data):
                    raise ValueError("a list longer than the footer")
                return [self.value(header & 0x0F, depth + 1) for _ in range(length)]
            case 12:
                return self.struct(depth + 1)
        raise ValueError(f"no type of a footer: {kind}")
