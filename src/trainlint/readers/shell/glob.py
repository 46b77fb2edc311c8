"""Glob patterns of `case`, `[[ == ]]` and `${x%pattern}`, without a regular expression that could run away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_CLASSES: dict[str, Callable[[str], bool]] = {
    "alpha": str.isalpha,
    "digit": str.isdigit,
    "alnum": str.isalnum,
    "upper": str.isupper,
    "lower": str.islower,
    "space": str.isspace,
}
_EXTENDED = re.compile(r"[?*+@!]\(")


class Undecidable(Exception):
    """A pattern of a kind that is not interpreted."""


@dataclass(frozen=True)
class Pattern:
    """One entry a character: None for `*`, else a test of one character."""

    tests: tuple[Callable[[str], bool] | None, ...]

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, bool]]) -> Pattern:
        """From texts and whether each is quoted. Raises `Undecidable` for extended patterns."""
        tests: list[Callable[[str], bool] | None] = []
        for text, quoted in pieces:
            if quoted:
                tests += [char.__eq__ for char in text]
                continue
            if _EXTENDED.search(text):
                raise Undecidable
            at = 0
            while at < len(text):
                char = text[at]
                at += 1
                if char == "*":
                    if not tests or tests[-1] is not None:
                        tests.append(None)
                elif char == "?":
                    tests.append(lambda _: True)
                elif char == "[" and (end := text.find("]", at + 1 + text.startswith(("!", "^"), at))) > 0:
                    if text.startswith("[:", at):
                        end = text.find("]", end + 1) if text.find("]", end + 1) > 0 else end
                    tests.append(_bracket(text[at:end]))
                    at = end + 1
                else:
                    tests.append(char.__eq__)
        return cls(tuple(tests))

    def matches(self, text: str) -> bool:
        tests, at, test, star, mark = self.tests, 0, 0, -1, 0
        while at < len(text):
            if test < len(tests) and (one := tests[test]) is None:
                star, mark = test, at
                test += 1
            elif test < len(tests) and one is not None and one(text[at]) is True:
                test, at = test + 1, at + 1
            elif star >= 0:
                mark += 1
                test, at = star + 1, mark
            else:
                return False
        return all(one is None for one in tests[test:])


def _bracket(body: str) -> Callable[[str], bool]:
    negated = body.startswith(("!", "^"))
    body = body[negated:]
    ranges: list[tuple[str, str]] = []
    kinds = [_CLASSES[name] for name in re.findall(r"\[:(\w+):\]", body) if name in _CLASSES]
    body = re.sub(r"\[:\w+:\]", "", body)
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            ranges.append((body[at], body[at + 2]))
            at += 3
        else:
            ranges.append((body[at], body[at]))
            at += 1

    def test(char: str) -> bool:
        return (any(low <= char <= high for low, high in ranges) or any(kind(char) for kind in kinds)) != negated

    return test
