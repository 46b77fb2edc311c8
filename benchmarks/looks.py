"""How long does the look at a data file take, and how much memory? `python -m benchmarks.looks [--write]`

Files of 64 MB are written and looked into, each in a process of its own: the seconds of the processor, the least of three times,
and how much the process grew, as Linux counts it. Parquet takes part where pyarrow is installed. `--write` puts the table into
docs/data.md.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainlint.rows import MAX_BYTES, look

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
MARK = "<!-- table: python -m benchmarks.looks -->"
TIMES = 3
ENGLISH = "The key is under the mat, and the mat is in front of the door that nobody uses. "
CHINESE = "钥匙在垫子下面，垫子在没有人用的那扇门前。"
MB = 1_000_000


@dataclass(frozen=True)
class Look:
    seconds: float
    megabytes: float


def _examples(sentence: str) -> Iterator[dict[str, str]]:
    """No two alike, of 100 to 4,000 characters."""
    for number in itertools.count():
        question, answer = sentence * (1 + number % 5), sentence * (1 + number % 37)
        yield {"instruction": f"{number}. {question}", "input": "", "output": answer}


def _lines(sentence: str) -> Iterator[str]:
    return (json.dumps(example, ensure_ascii=False) for example in _examples(sentence))


def _cut(lines: Iterator[str], size: int = MAX_BYTES) -> Iterator[str]:
    for line in lines:
        size -= len(line.encode()) + 1
        if size < 0:
            return
        yield line


def write(folder: Path) -> dict[str, Path]:
    """The files, by what the table calls them."""
    files: dict[str, Path] = {}

    def add(title: str, name: str, data: bytes) -> None:
        files[title] = folder / name
        files[title].write_bytes(data)

    english = list(_cut(_lines(ENGLISH)))
    add("JSON Lines, English", "english.jsonl", "\n".join(english).encode())
    add("JSON Lines, Chinese", "chinese.jsonl", "\n".join(_cut(_lines(CHINESE))).encode())
    add("the same, packed by gzip", "english.jsonl.gz", gzip.compress("\n".join(english).encode(), 6))
    add("a JSON list, English", "english.json", f"[{','.join(english)}]".encode())
    add("a JSON list, Chinese", "chinese.json", f"[{','.join(_cut(_lines(CHINESE)))}]".encode())
    add("CSV, English", "english.csv", "\n".join(_cut(f'{i},"{ENGLISH * 9}"' for i in itertools.count())).encode())
    add("text, Chinese", "chinese.txt", "\n".join(_cut(CHINESE * 20 for _ in itertools.count())).encode())
    add(
        "JSON Lines, rows of 20 bytes",
        "short.jsonl",
        "\n".join(_cut(f'{{"text": "{i:08}"}}' for i in itertools.count())).encode(),
    )
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        return files
    files["Parquet, English"] = folder / "english.parquet"
    table = importlib.import_module("pyarrow").Table.from_pylist([json.loads(line) for line in english])
    parquet.write_table(table, files["Parquet, English"])
    return files


def measure(file: Path) -> Look:
    """In this process, which must have done nothing else."""
    before = _peak()
    start = time.process_time()
    look(file)
    seconds = time.process_time() - start
    return Look(seconds, (_peak() - before) / MB)


def _peak() -> int:
    """Bytes that this process had at most. What `getrusage` says begins with the parent's."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0]) * 1024


def _apart(file: Path) -> Look:
    command = [sys.executable, "-m", "benchmarks.looks", "--measure", str(file)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Look(*map(float, printed.split()))


def table(found: dict[str, Look]) -> str:
    rows = [f"| {title} | {one.seconds:.1f} s | {round(one.megabytes, -1):.0f} MB |" for title, one in found.items()]
    return "\n".join(["| 64 MB of | processor | memory |", "|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/data.md")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        one = measure(options.measure)
        print(one.seconds, one.megabytes)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {
            title: min((_apart(file) for _ in range(TIMES)), key=lambda one: one.seconds)
            for title, file in write(Path(folder)).items()
        }
    print(table(found))
    if options.write:
        page = PAGE.read_text("utf-8")
        PAGE.write_text(
            re.sub(re.escape(MARK) + r"\n\n.*?\n\n", f"{MARK}\n\n{table(found)}\n\n", page, flags=re.DOTALL), "utf-8"
        )


if __name__ == "__main__":
    main()
