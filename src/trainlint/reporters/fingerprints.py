"""What makes a finding the same finding in the next version of a file."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from trainlint.findings import Finding
from trainlint.reporters.places import uri, usable
from trainlint.text import SourceText


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """One for each finding, version 1: over rule, file, argument, flagged text, and which of the equal ones it is.

    Lines that move, and changes elsewhere in the file, leave it as it is; no two findings share one.
    """
    order = sorted(range(len(findings)), key=lambda i: (usable(findings[i].at).span, findings[i].message))
    seen: Counter[tuple[str, ...]] = Counter()
    prints = [""] * len(findings)
    for i in order:
        at = usable(findings[i].at)
        key = (findings[i].rule, uri(at.source.path), findings[i].argument, at.text)
        seen[key] += 1
        prints[i] = sha256("\0".join([*key, str(seen[key])]).encode("utf-8", "surrogatepass")).hexdigest()
    return prints


BLOCK = 100
END = "\uffff"


def line_hashes(source: SourceText) -> list[str]:
    """`primaryLocationLineHash` of each line, as GitHub computes it where a log has none.

    Of the text without blanks and tabs, its line breaks being `\\n`: the hash of a line is that of the hundred UTF-16
    units from its start on, as a polynomial in 37 modulo 2**64, the text being followed by 0xFFFF and zeros. Lines with
    the same hundred units are told apart by a running number.
    """
    text = re.sub(r"[ \t]", "", re.sub(r"\r\n?", "\n", "\ufeff" * source.bom + source.text))
    units = (text + END + "\0" * (BLOCK - 1)).encode("utf-16-le", "surrogatepass")
    seen: Counter[bytes] = Counter()
    hashes, start = [], 0
    for line in (text + END).split("\n"):
        block = units[start : start + 2 * BLOCK]
        seen[block] += 1
        hashes.append(f"{_polynomial(block):x}:{seen[block]}")
        start += len(f"{line}\n".encode("utf-16-le", "surrogatepass"))
    return hashes


def _polynomial(block: bytes) -> int:
    value = 0
    for (unit,) in struct.iter_unpack("<H", block):
        value = value * 37 + unit
    return value % 2**64
