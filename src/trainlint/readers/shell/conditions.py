"""`[ … ]`, `test` and `[[ … ]]`: true, false, or None where only a run could tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from trainlint.document import Word
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.glob import Undecidable
from trainlint.readers.shell.lexer import RawWord
from trainlint.readers.shell.state import text_of

_NUMERIC: dict[str, Callable[[int, int], bool]] = {
    "-eq": int.__eq__,
    "-ne": int.__ne__,
    "-lt": int.__lt__,
    "-le": int.__le__,
    "-gt": int.__gt__,
    "-ge": int.__ge__,
}
_BINARY = {"=", "==", "!=", "<", ">", "=~", "-nt", "-ot", "-ef", *_NUMERIC}
_UNARY = re.compile(r"-[a-zA-Z]")
_TOKEN = re.compile(r"\s+|\\\n|&&|\|\||[()<>]|!(?=\s)")


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _and(left: bool | None, right: bool | None) -> bool | None:
    return False if left is False or right is False else None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    return _not(_and(_not(left), _not(right)))


def simple_test(words: Sequence[Word]) -> bool | None:
    """The words between `[` and `]`, or after `test`."""
    if any(word.several for word in words):
        return None
    return _Simple(words).decide()


class _Simple:
    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._at = 0

    def decide(self) -> bool | None:
        words = self._words
        if not words:
            return False
        if len(words) == 1:
            return _non_empty(words[0])
        if len(words) == 2 and words[0].text in _BINARY:
            return False  # `[ $unset = x ]`: an error, which counts as no
        if words[0].text == "!" and len(words) <= 3 and not (len(words) == 3 and words[1].text in _BINARY):
            return _not(simple_test(words[1:]))
        value = self._or()
        return value if self._at == len(words) else None

    def _peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        return self._words[at].text if at < len(self._words) else None

    def _or(self) -> bool | None:
        value = self._and()
        while self._peek() == "-o":
            self._at += 1
            value = _or(value, self._and())
        return value

    def _and(self) -> bool | None:
        value = self._primary()
        while self._peek() == "-a":
            self._at += 1
            value = _and(value, self._primary())
        return value

    def _primary(self) -> bool | None:
        if self._at >= len(self._words):
            return None
        if self._peek() == "!":
            self._at += 1
            return _not(self._primary())
        if self._peek() == "(":
            self._at += 1
            value = self._or()
            self._at += 1
            return value
        left = self._words[self._at]
        if (operator := self._peek(1)) in _BINARY and operator is not None and self._at + 2 < len(self._words):
            right = self._words[self._at + 2]
            self._at += 3
            return compare(left.text, operator, right.text)
        if left.text and _UNARY.fullmatch(left.text) and self._at + 1 < len(self._words):
            self._at += 2
            return _unary(left.text, self._words[self._at - 1])
        self._at += 1
        return _non_empty(left)


def _non_empty(word: Word) -> bool | None:
    """Whether a word has characters: known as soon as one part of it has."""
    if any(part.text for part in word.parts):
        return True
    return None if word.text is None else False


def _unary(operator: str, word: Word) -> bool | None:
    if operator == "-n":
        return _non_empty(word)
    return _not(_non_empty(word)) if operator == "-z" else None


def compare(left: str | None, operator: str, right: str | None) -> bool | None:
    if left is None or right is None:
        return None
    if operator in _NUMERIC:
        if not (re.fullmatch(r"\s*[-+]?\d+\s*", left) and re.fullmatch(r"\s*[-+]?\d+\s*", right)):
            return False
        return _NUMERIC[operator](int(left), int(right))
    if operator in ("=", "==", "!="):
        return (left == right) == (operator != "!=")
    return None


class DoubleBracket:
    """The text between `[[` and `]]`, decided in one state."""

    def __init__(self, expander: Expander, start: int, end: int) -> None:
        self._expander = expander
        self._tokens = list(self._split(start, end))
        self._at = 0

    def _split(self, at: int, end: int) -> list[RawWord | str]:
        text = self._expander.code.text
        found: list[RawWord | str] = []
        while at < end:
            match = _TOKEN.match(text, at, end)
            regex = bool(found) and _spelling(text, found[-1]) == "=~"
            if match and (match[0].isspace() or match[0] == "\\\n"):
                at = match.end()
            elif match and not regex:
                found.append(match[0])
                at = match.end()
            elif regex:  # a regular expression is not read: skip to the next blank
                stop = re.compile(r"\s").search(text, at, end)
                last = stop.start() if stop else end
                found.append(RawWord((), at, last))
                at = last
            else:
                word = self._expander.lexer.word(at, end)
                extended = word.end < end and text[word.end] == "("
                if extended:
                    close = self._expander.lexer.close(word.end + 1, ")", end)
                    word = RawWord(word.pieces, at, close, ())
                found.append(word)
                at = word.end
        return found

    def decide(self) -> bool | None:
        value = self._or()
        return value if self._at >= len(self._tokens) else None

    def _peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        return _spelling(self._expander.code.text, self._tokens[at]) if at < len(self._tokens) else None

    def _or(self) -> bool | None:
        value = self._and()
        while self._peek() == "||":
            self._at += 1
            value = _or(value, self._and())
        return value

    def _and(self) -> bool | None:
        value = self._primary()
        while self._peek() == "&&":
            self._at += 1
            value = _and(value, self._primary())
        return value

    def _primary(self) -> bool | None:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None:
            return None
        self._at += 1
        if token == "!":
            return _not(self._primary())
        if token == "(":
            value = self._or()
            self._at += 1
            return value
        if isinstance(token, str):
            return None
        operator = self._peek()
        if operator in _BINARY and operator is not None and self._at + 1 < len(self._tokens):
            right = self._tokens[self._at + 1]
            self._at += 2
            return self._compare(token, operator, right) if isinstance(right, RawWord) else None
        spelling = _spelling(self._expander.code.text, token)
        if _UNARY.fullmatch(spelling) and self._at < len(self._tokens):
            operand = self._tokens[self._at]
            self._at += 1
            return _unary(spelling, self._word(operand)) if isinstance(operand, RawWord) else None
        return _non_empty(self._word(token))

    def _word(self, raw: RawWord) -> Word:
        return Word(self._expander.value(raw.pieces), self._expander.code.span(raw.start, raw.end))

    def _compare(self, left: RawWord, operator: str, right: RawWord) -> bool | None:
        text = text_of(self._expander.value(left.pieces))
        if operator in _NUMERIC:
            try:
                evaluate = self._expander.evaluator().evaluate
                other = text_of(self._expander.value(right.pieces))
                if text is None or other is None:
                    return None
                return _NUMERIC[operator](evaluate(text), evaluate(other))
            except Undetermined:
                return None
        if operator not in ("=", "==", "!=") or text is None or right.elements is not None:
            return None
        try:
            return self._expander.pattern(right.pieces).matches(text) == (operator != "!=")
        except (Undecidable, Undetermined):
            return None


def _spelling(text: str, token: RawWord | str) -> str:
    return token if isinstance(token, str) else text[token.start : token.end]
