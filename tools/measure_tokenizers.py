"""How many tokens does a tokenizer make of English, of Chinese and of code? The families of `derive/tokenizer.py` come from this.

    python tools/measure_tokenizers.py --english FILE… --chinese FILE… --other FILE… -- TOKENIZER…

A TOKENIZER is a `tokenizer.json`, a sentencepiece model, a rank file of tiktoken behind the name of the pattern that splits
its words (`O200K_BASE:tokenizer.model`), or a vocabulary that the package splintr-rs carries (`splintr:glm4`). Of a JSON file
the strings are the text. Needs `pip install tokenizers sentencepiece tiktoken splintr-rs`.

Two numbers are fitted so that the largest error is least: bytes a token first, on the English texts, then tokens a Chinese
character, on the Chinese ones. The error of all texts is printed, whatever they were fitted to.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainlint.derive.tokenizer import Family
from trainlint.rows import CHINESE

MAX_CHARACTERS = 1_000_000
PIECE = 20_000
"""Characters that are tokenized at a time."""
BYTES = [number / 10 for number in range(20, 60)]
CHARACTERS = [number / 100 for number in range(30, 260)]

Count = Callable[[str], int]


@dataclass(frozen=True)
class Text:
    name: str
    text: str

    @property
    def chinese(self) -> int:
        return sum(map(len, CHINESE.findall(self.text)))

    @property
    def other_bytes(self) -> int:
        return len(self.text.encode("utf-8", "surrogatepass")) - 3 * self.chinese

    def tokens(self, count: Count) -> int:
        return sum(count(self.text[start : start + PIECE]) for start in range(0, len(self.text), PIECE))


@dataclass(frozen=True)
class Measured:
    """A text, and the tokens that a tokenizer really made of it."""

    text: Text
    chinese: int
    other_bytes: int
    tokens: int

    def error(self, family: Family) -> float:
        return family.tokens(self.chinese, self.other_bytes) / self.tokens - 1


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _text(file: Path) -> Text:
    read = file.read_text("utf-8", errors="replace")
    if file.suffix == ".json":
        read = "\n".join(_strings(json.loads(read)))
    return Text(file.name, read[:MAX_CHARACTERS])


def _counter(named: str) -> Count:
    kind, colon, rest = named.rpartition(":")
    if kind == "splintr":
        bundled = importlib.import_module("splintr").Tokenizer.from_pretrained(rest)
        return lambda text: len(bundled.encode(text))
    if colon:
        return _ranks(Path(rest), getattr(importlib.import_module("splintr"), f"{kind}_PATTERN"))
    if named.endswith(".json"):
        loaded = importlib.import_module("tokenizers").Tokenizer.from_file(named)
        return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
    pieces = importlib.import_module("sentencepiece").SentencePieceProcessor(model_file=named)
    return lambda text: len(pieces.EncodeAsIds(text))


def _ranks(file: Path, pattern: str) -> Count:
    pairs = (line.split() for line in file.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    encoding = importlib.import_module("tiktoken").Encoding(
        file.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def _worst(measured: list[Measured], family: Family) -> float:
    return max(abs(one.error(family)) for one in measured)


def fit(name: str, english: list[Measured], chinese: list[Measured]) -> Family:
    """English text has a Chinese character or none, so that a character's tokens are as good as any for the first number."""
    size = min(BYTES, key=lambda size: _worst(english, Family(name, size, 1)))
    each = min(CHARACTERS, key=lambda each: _worst(chinese, Family(name, size, each)))
    return Family(name, size, each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for language in ("english", "chinese", "other"):
        parser.add_argument(f"--{language}", nargs="+", type=Path, default=[], metavar="FILE")
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER")
    options = parser.parse_args()
    texts = {
        language: [_text(file) for file in getattr(options, language)] for language in ("english", "chinese", "other")
    }
    for name in options.tokenizers:
        count = _counter(name)
        english, chinese, other = (
            [Measured(text, text.chinese, text.other_bytes, text.tokens(count)) for text in group]
            for group in texts.values()
        )
        family = fit(name, english, chinese)
        print(
            f"{name}: {family.bytes_per_token} bytes a token, {family.tokens_per_chinese} tokens a Chinese character,",
            end="",
        )
        print(f" worst error {_worst(english + chinese, family):.0%}")
        print(
            "   ",
            ", ".join(f"{one.text.name} {one.error(family):+.0%}" for one in english + chinese + other),
            flush=True,
        )


if __name__ == "__main__":
    main()
