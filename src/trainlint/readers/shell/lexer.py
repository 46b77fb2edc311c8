"""Words of shell text: quotes, expansions and their extents, before anything is expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from trainlint.readers.shell.code import PLACEHOLDER

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a word as written, `text[start:end]`; `quoted`: no word splitting, no globbing."""

    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Text(Piece):
    """Characters that stand for themselves. `decoded` is what they mean where that differs: `$'\\n'`."""

    decoded: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter(Piece):
    """`$x` and `${x:-d}`."""

    name: str
    prefix: str = ""
    subscript: Range | None = None
    operator: str = ""
    argument: Range = (0, 0)


@dataclass(frozen=True, slots=True)
class Arithmetic(Piece):
    inner: Range


@dataclass(frozen=True, slots=True)
class Substitution(Piece):
    """`$(…)`, backticks, and (with `process`) `<(…)`."""

    inner: Range
    process: bool = False


@dataclass(frozen=True, slots=True)
class Unfilled(Piece):
    """`<path to model>`."""


@dataclass(frozen=True, slots=True)
class RawWord:
    pieces: tuple[Piece, ...]
    start: int
    end: int
    elements: tuple[RawWord, ...] | None = None
    """The words of `A=( … )`."""

    @property
    def extent(self) -> Range:
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class RawAssignment:
    name: str
    subscript: Range | None
    append: bool
    value: RawWord


@dataclass(slots=True)
class RawCommand:
    """A simple command as written: up to the unquoted end of line, `;`, `|`, `&`, bracket or comment."""

    start: int
    end: int
    words: list[RawWord] = field(default_factory=list)
    redirects: list[tuple[str, RawWord]] = field(default_factory=list)
    """Operators with the descriptors that they are for, as far as those are not the usual ones: `>`, `2>`, `<<<`."""
    descriptors: list[str] = field(default_factory=list)
    """The variables of `{name}> file`."""


class Unclosed(Exception):
    """A quote or bracket that opens at `at` and is never closed."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


_META = frozenset(" \t\n;|&()<>")
_STOP = {
    "word": re.compile(r"[\s;|&()<>\\'\"$`]"),
    "argument": re.compile(r"[\\'\"$`]"),
    "string": re.compile(r"[\\\"$`]"),
    "heredoc": re.compile(r"[\\$`]"),
}
_SPECIAL = re.compile(r"[\\'\"`(){}#$]")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PARAMETER = re.compile(r"(?P<prefix>[!#](?=[\w@*#?$!-]))?(?P<name>[A-Za-z_]\w*|\d+|[@*#?$!-])", re.ASCII)
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|%%?|##?|//?[#%]?|\^\^?|,,?|:|@")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<subscript>\[[^\]\n]*\])?(?P<append>\+?)=", re.ASCII)
_LINE_BREAK = re.compile(r"[ \t]*\n\s*")
_REDIRECT = re.compile(
    r"(?:0(?=<)|1(?=>)|(?P<number>\d+)|\{(?P<descriptor>\w+)\})?(?P<operator>&>>?|<<<|<<-?|<>|<&|>&|>>|>\||<|>)"
)
_ANSI = re.compile(r"\\(?:([abeEfnrtv\\'\"?])|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3}))")
_ANSI_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


class Lexer:
    """Reads words from one text. Offsets are into that text. Raises `Unclosed`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def commands(self, start: int, end: int) -> list[RawCommand]:
        """The simple commands of a stretch that the grammar calls one; it joins `a= b=1` with the line below."""
        found = [self.command(start)]
        while gap := _LINE_BREAK.match(self.text, found[-1].end, end):
            if gap.end() >= end:
                break
            found.append(self.command(gap.end()))
        return found

    def command(self, start: int, end: int | None = None) -> RawCommand:
        text, limit = self.text, len(self.text) if end is None else end
        command, at = RawCommand(start, start), start
        while at < limit:
            char = text[at]
            if char in " \t":
                at += 1
            elif text.startswith("\\\n", at):
                at += 2
            elif (match := _REDIRECT.match(text, at, limit)) and not self._is_word(at):
                at = self._redirect(command, match, limit)
            elif char in "\n;|&()#":
                break
            else:
                word = self.word(at, limit)
                command.words.append(word)
                command.end = at = word.end
        return command

    def _is_word(self, at: int) -> bool:
        return self.text.startswith(("<(", ">("), at) or PLACEHOLDER.match(self.text, at) is not None

    def _redirect(self, command: RawCommand, match: re.Match[str], limit: int) -> int:
        at = match.end()
        command.descriptors += [match["descriptor"]] if match["descriptor"] else []
        while at < limit and (self.text[at] in " \t" or self.text.startswith("\\\n", at)):
            at += 1
        if at < limit and (self.text[at] not in _META or self._is_word(at)):
            target = self.word(at, limit)
            command.redirects.append(((match["number"] or match["descriptor"] or "") + match["operator"], target))
            at = target.end
        command.end = at
        return at

    def words(self, at: int, limit: int) -> list[RawWord]:
        """The words of an array or of a list over lines, without its comments."""
        found = []
        while at < limit:
            if self.text[at].isspace():
                at += 1
            elif self.text.startswith("\\\n", at):
                at += 2
            elif self.text[at] == "#":
                line = self.text.find("\n", at, limit)
                at = limit if line < 0 else line
            elif self.text[at] in _META and not self._is_word(at):
                at += 1
            else:
                found.append(self.word(at, limit))
                at = found[-1].end
        return found

    def word(self, start: int, limit: int) -> RawWord:
        pieces, at = self.pieces(start, limit, "word")
        if at < limit and self.text[at] == "(" and (match := _ASSIGNMENT.fullmatch(self.text, start, at)):
            end = self.close(at + 1, ")", limit)
            return RawWord(tuple(pieces), start, end, tuple(self.words(match.end() + 1, end - 1)))
        return RawWord(tuple(pieces), start, max(at, start + 1))

    def assignment(self, word: RawWord) -> RawAssignment | None:
        """The word as `NAME=value`, if it is written as one."""
        match = _ASSIGNMENT.match(self.text, word.start, word.end)
        if match is None:
            return None
        subscript = match.span("subscript")
        pieces, _ = self.pieces(match.end(), word.end, "word") if word.elements is None else ([], 0)
        value = RawWord(tuple(pieces), match.end(), word.end, word.elements)
        inner = (subscript[0] + 1, subscript[1] - 1) if match["subscript"] else None
        return RawAssignment(match["name"], inner, bool(match["append"]), value)

    def pieces(self, at: int, limit: int, mode: str) -> tuple[list[Piece], int]:
        """Read until an unquoted metacharacter (mode `word`) or to the limit (`argument`, `string`, `heredoc`)."""
        text, stop, quoted = self.text, _STOP[mode], mode in ("string", "heredoc")
        found: list[Piece] = []
        while at < limit:
            match = stop.search(text, at, limit)
            run = match.start() if match else limit
            if run > at:
                found.append(Text(at, run, quoted))
                at = run
                continue
            char = text[at]
            if char == "\\":
                at = self._escape(found, at, limit, mode)
            elif char == "$":
                at = self._dollar(found, at, limit, quoted)
            elif char == "`":
                end = self.close(at + 1, "`", limit)
                found.append(Substitution(at, end, quoted, (at + 1, end - 1)))
                at = end
            elif char == '"':
                if quoted:  # "${x:-"a b"}": the inner quotes change nothing
                    at += 1
                    continue
                end = self.close(at + 1, '"', limit)
                inner, _ = self.pieces(at + 1, end - 1, "string")
                found += inner or [Text(at + 1, at + 1, True)]
                at = end
            elif char == "'":
                end = self._single(at, limit)
                found.append(Text(at + 1, end - 1, True))
                at = end
            elif char in "<>" and (match := PLACEHOLDER.match(text, at, limit)):
                found.append(Unfilled(at, match.end(), False))
                at = match.end()
            elif text.startswith(("<(", ">("), at):
                end = self.close(at + 2, ")", limit)
                found.append(Substitution(at, end, False, (at + 2, end - 1), process=True))
                at = end
            elif char in _META:
                break
            else:  # blanks that are none to bash: \r, \v, NBSP
                found.append(Text(at, at + 1, quoted))
                at += 1
        return found, at

    def _single(self, at: int, limit: int) -> int:
        end = self.text.find("'", at + 1, limit)
        if end < 0:
            raise Unclosed(at)
        return end + 1

    def _escape(self, found: list[Piece], at: int, limit: int, mode: str) -> int:
        following = self.text[at + 1 : min(at + 2, limit)]
        if following == "\n":
            return at + 2
        if not following:
            if mode != "word":
                found.append(Text(at, at + 1, True))
            return at + 1
        if mode in ("string", "heredoc") and following not in '$`"\\'[: 4 if mode == "string" else 2] + "\\":
            found.append(Text(at, at + 2, True))
        else:
            found.append(Text(at + 1, at + 2, True))
        return at + 2

    def _dollar(self, found: list[Piece], at: int, limit: int, quoted: bool) -> int:
        text = self.text
        if text.startswith("${", at):
            end = self.close(at + 2, '}"' if quoted else "}", limit)
            found.append(self._parameter(at, end, quoted))
            return end
        if text.startswith("$(", at):
            end = self.close(at + 2, ")", limit)
            if (
                text.startswith("$((", at)
                and text.endswith("))", at, end)
                and self.close(at + 3, ")", limit) == end - 1
            ):
                found.append(Arithmetic(at, end, quoted, (at + 3, end - 2)))
            else:
                found.append(Substitution(at, end, quoted, (at + 2, end - 1)))
            return end
        if text.startswith("$[", at) and (end := text.find("]", at, limit) + 1):
            found.append(Arithmetic(at, end, quoted, (at + 2, end - 1)))
            return end
        if text.startswith("$'", at) and not quoted:
            return self._ansi(found, at, limit)
        if text.startswith('$"', at) and not quoted:
            return at + 1
        if match := _NAME.match(text, at + 1, limit):
            found.append(Parameter(at, match.end(), quoted, match[0]))
            return match.end()
        if at + 1 < limit and text[at + 1] in "0123456789@*#?$!-":
            found.append(Parameter(at, at + 2, quoted, text[at + 1]))
            return at + 2
        found.append(Text(at, at + 1, quoted))
        return at + 1

    def _ansi(self, found: list[Piece], at: int, limit: int) -> int:
        end = at + 2
        while end < limit and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        if end >= limit:
            raise Unclosed(at)

        def decode(match: re.Match[str]) -> str:
            letter, byte, point, octal = match.groups()
            return _ANSI_LETTERS[letter] if letter else chr(int(byte or point or octal, 8 if octal else 16))

        raw = self.text[at + 2 : end]
        decoded = _ANSI.sub(decode, raw)
        found.append(Text(at + 2, end, True, None if decoded == raw else decoded))
        return end + 1

    def _parameter(self, start: int, end: int, quoted: bool) -> Parameter:
        text, last = self.text, end - 1
        match = _PARAMETER.match(text, start + 2, last)
        if match is None:
            return Parameter(start, end, quoted, "", operator="bad", argument=(start + 2, last))
        at, subscript = match.end(), None
        if at < last and text[at] == "[" and (close := text.rfind("]", at, last)) > 0:
            inner = text.find("]", at, last)
            close = inner if "[" not in text[at + 1 : inner] and "$" not in text[at + 1 : inner] else close
            subscript, at = (at + 1, close), close + 1
        operator = _OPERATOR.match(text, at, last)
        if operator is None and at < last:
            return Parameter(start, end, quoted, match["name"], operator="bad", argument=(at, last))
        at = operator.end() if operator else at
        return Parameter(
            start,
            end,
            quoted,
            match["name"],
            match["prefix"] or "",
            subscript,
            operator[0] if operator else "",
            (at, last),
        )

    def close(self, at: int, closer: str, limit: int) -> int:
        """The offset behind the bracket or quote that closes what opened before `at`.

        `}"` closes a `${` that stands in double quotes, where single quotes mean nothing.
        """
        text, stack = self.text, [(closer, at - 1)]
        while match := _SPECIAL.search(text, at, limit):
            at = match.end()
            char, top = match[0], stack[-1][0]
            if char == "\\":
                at += 1
            elif char == top[0]:
                stack.pop()
                if not stack:
                    return at
            elif char == "$" and text.startswith(("(", "{"), at):
                opened = ")" if text[at] == "(" else '}"' if top in ('"', '}"') else "}"
                stack.append((opened, at - 1))
                at += 1
            elif char == "`":
                stack.append(("`", at - 1))
            elif top == '"':
                continue
            elif char == '"':
                stack.append(('"', at - 1))
            elif char == "'" and top != '}"':
                if text[at - 2 : at - 1] == "$":
                    while at < limit and text[at] != "'":
                        at += 2 if text[at] == "\\" else 1
                    at += 1
                else:
                    at = self._single(at - 1, limit)
            elif char == "(" and top == ")":
                stack.append((")", at - 1))
            elif char == "#" and top in ")`" and text[at - 2].isspace():
                line = text.find("\n", at, limit)
                at = line if line >= 0 else limit
                if top == "`" and (tick := text.find("`", match.end(), at)) >= 0:
                    at = tick
        raise Unclosed(stack[-1][1])
