"""Parquet files of texts, of which only the footer is real: what a reader finds who does not read the rows."""

from __future__ import annotations

from pathlib import Path

INT32, LIST, STRUCT, TEXT = 5, 9, 12, 8


def write(file: Path, rows: int, text_bytes: dict[str, int]) -> None:
    """Each column holds so many bytes of text. `messages.content` is a list of structures, as conversations are."""
    schema = [struct({4: (TEXT, text(b"root")), 5: (INT32, signed(len(text_bytes)))})]
    for name in text_bytes:
        *outer, leaf = name.split(".")
        schema += [struct({4: (TEXT, text(part.encode())), 5: (INT32, signed(1))}) for part in outer]
        schema.append(struct({1: (INT32, signed(6)), 4: (TEXT, text(leaf.encode()))}))
    columns = [struct({3: (STRUCT, _meta(name, rows, size))}) for name, size in text_bytes.items()]
    group = struct({1: (LIST, listed(STRUCT, columns)), 2: (6, signed(0)), 3: (6, signed(rows))})
    footer = struct({2: (LIST, listed(STRUCT, schema)), 3: (6, signed(rows)), 4: (LIST, listed(STRUCT, [group]))})
    file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _meta(name: str, rows: int, size: int) -> bytes:
    path = listed(TEXT, [text(part.encode()) for part in name.split(".")])
    return struct(
        {
            1: (INT32, signed(6)),
            3: (LIST, path),
            5: (6, signed(rows)),
            6: (6, signed(size + 4 * rows)),
            7: (6, signed(1)),
        }
    )


def number(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def signed(value: int) -> bytes:
    return number(value << 1 if value >= 0 else (-value << 1) - 1)


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def listed(kind: int, values: list[bytes]) -> bytes:
    size = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([0xF0 | kind]) + number(len(values))
    return size + b"".join(values)


def struct(fields: dict[int, tuple[int, bytes]]) -> bytes:
    found, last = b"", 0
    for at, (kind, value) in sorted(fields.items()):
        found += bytes([(at - last) << 4 | kind]) + value
        last = at
    return found + b"\0"
