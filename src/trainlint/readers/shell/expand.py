"""Expansion: from a word as written to the words that bash passes on, each part with its origin."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from trainlint.document import Origin, Part, Word
from trainlint.readers.shell import operators
from trainlint.readers.shell.arithmetic import Arithmetic as Evaluator
from trainlint.readers.shell.arithmetic import Undetermined
from trainlint.readers.shell.braces import TooMany, alternatives
from trainlint.readers.shell.code import Code, Value
from trainlint.readers.shell.glob import Pattern, Undecidable
from trainlint.readers.shell.lexer import (
    Arithmetic,
    Lexer,
    Parameter,
    Piece,
    Range,
    RawWord,
    Substitution,
    Text,
    Unfilled,
)
from trainlint.readers.shell.state import BLANKS, State, Variable, bounded, computed, reason_of, short, text_of, wrapped
from trainlint.text import Span

_CHANGING = {
    "RANDOM": "$RANDOM differs on every run",
    "SRANDOM": "$SRANDOM differs on every run",
    "SECONDS": "$SECONDS differs on every run",
    "EPOCHSECONDS": "$EPOCHSECONDS differs on every run",
    "?": "$? is the exit status of the command before",
    "$": "$$ is the process id, which differs on every run",
    "!": "$! is a process id, which differs on every run",
    "0": "$0 is the name that the script is called by",
    "-": "$- holds the options of the shell",
    "LINENO": "$LINENO is not followed",
    "PIPESTATUS": "PIPESTATUS is only known when the script runs",
    "BASH_SOURCE": "BASH_SOURCE is the name that the script is called by",
}
_RUN = re.compile(r"[ \t\n]+|[^ \t\n]+")
_KEYED = re.compile(r"\[(?P<key>[^\]\n]+)\]=")
_GLOB = re.compile(r"[*?]")

Output = Callable[["Expander", Substitution], "Value | None"]
"""What a command substitution prints."""


class Expander:
    """Expands the words of one `code` in one `state`, which assignments in expansions change."""

    def __init__(self, code: Code, state: State, output: Output) -> None:
        self.code, self.state, self._output = code, state, output
        self.lexer = Lexer(code.text)
        self._knows_script = False

    def knowing_the_script(self) -> Expander:
        """One that takes `$0` and `$BASH_SOURCE` for the path of the file as it lies here."""
        expander = Expander(self.code, self.state, self._output)
        expander._knows_script = True
        return expander

    # ------------------------------------------------------------------------------------------------- words

    def words(self, raw: RawWord) -> list[Word]:
        """All words that one written word becomes: after braces, expansion and word splitting."""
        span = self._span(raw.start, raw.end)
        try:
            written = alternatives(raw.pieces, self.code.text)
        except TooMany:
            text = self.code.text[raw.start : raw.end]
            part = Part(
                None, Origin("unresolved", text, self.code.at(raw.start, raw.end)), "too many words to be followed"
            )
            return [Word((part,), span, several=True)]
        return [word for pieces in written for word in self._fields(pieces, span)]

    def value(self, pieces: Iterable[Piece]) -> Value:
        """The pieces as one value, unsplit: what an assignment stores."""
        parts: list[Part] = []
        for piece in pieces:
            for word, _, new in self._stream(piece):
                if new:
                    parts.append(Part(" ", Origin("literal", " ")))
                parts += word.parts
        return bounded(tuple(parts))

    def range(self, where: Range, mode: str) -> Value:
        return self.value(self.lexer.pieces(*where, mode)[0])

    def pattern(self, pieces: Iterable[Piece]) -> Pattern:
        """The pieces as a glob pattern. Raises `Undecidable`, `Undetermined`."""
        texts = []
        for piece in pieces:
            value = self.value([piece])
            text = text_of(value)
            if text is None:
                raise Undetermined(reason_of(value))
            texts.append((text, piece.quoted))
        return Pattern.of(texts)

    def elements(self, raw: Sequence[RawWord], associative: bool) -> list[tuple[int | str, Word]]:
        """The elements of `A=( … )`, with their keys. Raises `Undetermined`."""
        found: list[tuple[int | str, Word]] = []
        loose: list[Word] = []
        for word in raw:
            keyed = _KEYED.match(self.code.text, word.start, word.end)
            if keyed:
                key = self.subscript(keyed.span("key"), associative)
                pieces, _ = self.lexer.pieces(keyed.end(), word.end, "word")
                found.append((key, Word(self.value(pieces), self._span(word.start, word.end))))
            elif associative:
                loose += self.words(word)
            else:
                start = max((key for key, _ in found if isinstance(key, int)), default=-1) + 1
                found += [(start + offset, new) for offset, new in enumerate(self.words(word))]
        for name, value in zip(loose[::2], loose[1::2], strict=False):  # declare -A A=(key value key value)
            if name.text is None or name.several or value.several:
                raise Undetermined(name.unknown or value.unknown or "not known")
            found.append((name.text, value))
        return [*dict(found).items()]

    def subscript(self, where: Range, associative: bool) -> int | str:
        """The key in `A[…]`. Raises `Undetermined`."""
        value = self.value(self.lexer.pieces(*where, "argument")[0])
        text = text_of(value)
        if text is None:
            raise Undetermined(reason_of(value))
        return text if associative else self.evaluator().evaluate(text)

    def _fields(self, pieces: Sequence[Piece], span: Span) -> list[Word]:
        words: list[Word] = []
        current: list[Part] = []
        started = loose = glob = False
        separators = self.state.separators()

        def close() -> None:
            nonlocal started, loose, glob
            if started and glob and "=" not in (text := "".join(part.text or "" for part in current)):
                reason = f"the files that {short(text)} matches"
                made_of = tuple(part.origin for part in current) if len(current) > 1 else ()
                words.append(Word((Part(None, Origin("unresolved", text, None, made_of), reason),), span, several=True))
            elif started:
                written = any(part.text for part in current)
                words.append(Word(bounded(tuple(current)), span, several=loose and not written))
            current.clear()
            started = loose = glob = False

        for piece in pieces:
            for word, whole, new in self._stream(piece):
                if new:
                    close()
                if not piece.quoted and not isinstance(piece, Unfilled):
                    glob = glob or any(_GLOB.search(part.text or "") for part in word.parts)
                if whole:
                    current += word.parts
                    started = started or piece.quoted or bool(word.parts)
                    # an unknown part of the text that `eval` gets may hold any number of words
                    hole = isinstance(piece, Text) and not piece.quoted and word.text is None
                    loose = loose or word.several or hole
                    continue
                for part in word.parts:
                    if part.text is not None and separators != BLANKS and _is_split(part.text, separators):
                        part = self._unknown(piece, "IFS says where it is split")
                    if part.text is None:
                        current.append(part)
                        started = loose = True
                        continue
                    for run in _RUN.finditer(part.text):
                        if run[0][0] in " \t\n":
                            close()
                        else:
                            current.append(part.slice(*run.span()))
                            started = True
        close()
        return words

    # ---------------------------------------------------------------------------------------------- one piece

    def _stream(self, piece: Piece) -> Iterator[tuple[Word, bool, bool]]:
        """The values of a piece; of each, whether it is safe from word splitting and whether it starts a new word."""
        if isinstance(piece, Parameter):
            piece = self._aimed(piece)
            if kind := self._takes_argument(piece):
                yield from self._argument(piece, kind)
                return
        whole = piece.quoted or isinstance(piece, (Text, Unfilled))
        for number, word in enumerate(self._expand(piece)):
            yield word, whole, number > 0

    def _expand(self, piece: Piece) -> list[Word]:
        """The value of a piece as one word, or as many as `"${A[@]}"` has elements."""
        span = self._span(piece.start, piece.end)
        match piece:
            case Text():
                return [Word(self._text(piece), span)]
            case Parameter():
                return self._parameter(piece)
            case Arithmetic():
                return [Word((self._arithmetic(piece),), span)]
            case Substitution():
                return [Word(self._substitution(piece), span)]
            case _:
                text = self.source(piece)
                return [Word((self._unknown(piece, f"the placeholder {text} is not filled in"),), span)]

    def _text(self, piece: Text) -> Value:
        if piece.start == piece.end:
            return (Part("", Origin("literal", "", self.code.at(piece.start, piece.end))),)
        if piece.decoded is None:
            return self.code.parts(piece.start, piece.end)
        at = self.code.at(piece.start, piece.end)
        return (Part(piece.decoded, Origin("computed", self.source(piece), at)),)

    def _substitution(self, piece: Substitution) -> Value:
        source = self.source(piece)
        if re.fullmatch(r"\s*(#[^\n]*\s*)*", self.code.text[slice(*piece.inner)]):
            return ()
        value = self._output(self, piece)
        text = None if value is None or piece.process else text_of(value)
        if text is None:
            what = "file" if piece.process else "output"
            reason = f"the {what} of {short(source)} is only known when the script runs"
            return (self._unknown(piece, reason if value is None or piece.process else reason_of(value)),)
        origin = Origin("computed", source, self.code.at(piece.start, piece.end))
        return (computed(text.rstrip("\n"), origin, [part for part in value or () if part.origin.at is not None]),)

    def _arithmetic(self, piece: Arithmetic) -> Part:
        origin = Origin("computed", self.source(piece), self.code.at(piece.start, piece.end))
        sources: list[Part] = []
        try:
            value = self.arithmetic(piece.inner, sources)
        except Undetermined as error:
            return Part(None, replace(origin, kind="unresolved"), error.reason)
        return computed(str(value), origin, sources)

    def arithmetic(self, where: Range, sources: list[Part] | None = None) -> int:
        """Evaluate an arithmetic range of the text. Raises `Undetermined`."""
        sources = [] if sources is None else sources
        value = self.range(where, "heredoc")
        sources += [part for part in value if part.origin.kind != "literal"]
        text = text_of(value)
        if text is None:
            raise Undetermined(reason_of(value))
        return self.evaluator(sources).evaluate(text.replace('"', ""))

    def evaluator(self, sources: list[Part] | None = None) -> Evaluator:
        def read(name: str) -> str:
            base, _, subscript = name.partition("[")
            base = self.state.aimed(base)
            variable = self.state.variables.get(base)
            if variable is None:
                if not self.state.silent(base):
                    return ""
                raise Undetermined(_CHANGING.get(base, _environment(base)))
            value = variable.scalar()
            if subscript:
                index: int | str = subscript[:-1].strip("'\"")
                if not variable.associative:
                    index = self.evaluator(sources).evaluate(subscript[:-1])
                value = next((word.parts for key, word in variable.elements or () if key == index), ())
            text = text_of(value)
            if text is None:
                raise Undetermined(reason_of(value))
            if sources is not None:
                sources.extend(value)
            return text

        def write(name: str, value: int) -> None:
            origin = Origin("computed", f"{name}={value}")
            if "[" in name:
                self.state.forget([name.partition("[")[0]], "set in an arithmetic expression")
            else:
                self.state.set(name, Variable((computed(str(value), origin, sources or ()),)))

        return Evaluator(read, write)

    # --------------------------------------------------------------------------------------------- parameters

    def _parameter(self, piece: Parameter) -> list[Word]:
        span = self._span(piece.start, piece.end)
        if piece.prefix == "!" and self._all(piece) and not piece.operator:
            return self._keys(piece)
        if piece.operator in ("bad", "@") or piece.prefix == "!":
            reason = f"{short(self.source(piece))} is not interpreted"
            return [Word((self._unknown(piece, reason),), span, several=piece.operator == "bad" or piece.prefix == "!")]
        if piece.operator == ":" and (piece.name in ("@", "*") or self._all(piece)):
            return self._elements_slice(piece)
        found = self._lookup(piece)
        if piece.prefix == "#":
            return [Word((self._length(piece, found),), span)]
        if self._conditional(piece):
            return self._without_argument(piece, found)
        if not found:
            several = piece.name == "@" or (
                self._all(piece) and self.code.text[slice(*piece.subscript or (0, 0))] == "@"
            )
            return [] if several else [Word((), span)]
        if piece.operator:
            return [self._operated(piece, word) for word in found]
        return [self._seen(piece, word) for word in found]

    def _aimed(self, piece: Parameter) -> Parameter:
        """The parameter that `${!name}` or another name of it means; as written where that is not known."""
        if piece.prefix == "!" and piece.name == "#":  # ${!#}: the last argument
            count = text_of(self._lookup(replace(piece, prefix="#", operator=""))[0].parts)  # type: ignore[index]
            return piece if count is None else replace(piece, prefix="", name=count)
        if piece.prefix == "!" and piece.subscript is None:
            target = self._lookup(replace(piece, prefix="", operator=""))
            text = text_of(target[0].parts) if target and len(target) == 1 and not target[0].several else None
            if text is None or not re.fullmatch(r"[A-Za-z_]\w*|[1-9]\d*", text, re.ASCII):
                return piece
            piece = replace(piece, prefix="", name=text)
        return replace(piece, name=self.state.aimed(piece.name))

    def _keys(self, piece: Parameter) -> list[Word]:
        """`"${!A[@]}"`"""
        variable = self.state.variables.get(piece.name)
        span, elements = self._span(piece.start, piece.end), variable.elements if variable is not None else None
        if elements is None or any(word.several for _, word in elements):
            return [Word((self._unknown(piece, f"the keys of {piece.name}"),), span, several=True)]
        at = self.code.at(piece.start, piece.end)
        keys = [Word((Part(str(key), Origin("computed", self.source(piece), at)),), span) for key, _ in elements]
        return self._joined(piece, keys, self.code.text[(piece.subscript or (0, 0))[0]]) or []

    def _all(self, piece: Parameter) -> bool:
        return bool(piece.subscript) and self.code.text[slice(*piece.subscript or (0, 0))] in ("@", "*")

    def _free(self, piece: Parameter) -> bool:
        """Whether only the caller of the script decides what the parameter is."""
        if piece.name.isdigit() or piece.name in "@*#":
            return self.state.positional is None
        return self.state.silent(piece.name)

    def _lookup(self, piece: Parameter) -> list[Word] | None:
        """The values of a parameter before its operator; None when it is certainly unset."""
        name, span = piece.name, self._span(piece.start, piece.end)
        positional = self.state.positional
        if name in ("@", "*") and piece.prefix != "#":
            if positional is None:
                reason = f"${name}, the arguments that the script is called with"
                return [Word((self._unknown(piece, reason, "positional"),), span, several=True)]
            return self._joined(piece, list(positional), name)
        if name in ("#", "@", "*"):
            if positional is None or any(word.several for word in positional):
                reason = "$#, the number of arguments that the script is called with"
                return [Word((self._unknown(piece, reason, "positional"),), span)]
            return [Word((Part(str(len(positional)), Origin("computed", "$#")),), span)]
        if name.isdigit() and name != "0":
            if positional is None or any(word.several for word in positional[: int(name[:4])]):
                return [Word((self._unknown(piece, f"positional argument ${name}", "positional"),), span)]
            return [positional[int(name) - 1]] if int(name[:9]) <= len(positional) else None
        if self._knows_script and (path := self._script(piece)):
            return [
                Word((Part(path, Origin("computed", self.source(piece), self.code.at(piece.start, piece.end))),), span)
            ]
        variable = self.state.variables.get(name)
        if variable is None:
            if not self.state.silent(name):
                return None
            changing = _CHANGING.get(name)
            kind = "unresolved" if changing else "environment"
            return [Word((self._unknown(piece, changing or _environment(name), kind),), span, several=self._all(piece))]
        if variable.unset:
            return None
        return self._element(piece, variable, span)

    def _script(self, piece: Parameter) -> str | None:
        """The path of the script that runs, `$0`, or of the file that the code is in, `${BASH_SOURCE[0]}`."""
        whole = piece.subscript is None or self.code.text[slice(*piece.subscript)] == "0"
        source = {"0": self.code.called, "BASH_SOURCE": self.code.source}.get(piece.name) if whole else None
        return None if source is None or source.file is None else os.path.abspath(source.file)

    def _element(self, piece: Parameter, variable: Variable, span: Span) -> list[Word] | None:
        if piece.subscript is None:
            value = variable.scalar()
            return [Word(value, span)] if value or variable.elements is None else None
        if self._all(piece):
            if variable.elements is not None:
                return self._joined(piece, [word for _, word in variable.elements], self.code.text[piece.subscript[0]])
            unknown = text_of(variable.value) is None
            return [Word(variable.value, span, several=unknown)]
        elements = variable.elements if variable.elements is not None else ((0, Word(variable.value, span)),)
        try:
            key = self.subscript(piece.subscript, variable.associative)
        except Undetermined as error:
            return [Word((self._unknown(piece, error.reason),), span)]
        if any(word.several for _, word in elements):
            return [Word((self._unknown(piece, f"which element {short(self.source(piece))} is"),), span)]
        if isinstance(key, int) and key < 0:
            key += max((k for k, _ in elements if isinstance(k, int)), default=-1) + 1
        return next(([word] for k, word in elements if k == key), None)

    def _joined(self, piece: Parameter, words: list[Word], sign: str) -> list[Word] | None:
        if sign == "*" and piece.quoted and words:
            if self.state.separators() != BLANKS:
                return [Word((self._unknown(piece, "IFS says what it is joined with"),), words[0].span)]
            parts = [part for word in words for part in (Part(" ", Origin("literal", " ")), *word.parts)]
            return [Word(tuple(parts[1:]), words[0].span, any(word.several for word in words))]
        return words or None

    def _seen(self, piece: Parameter, word: Word) -> Word:
        origin = Origin("expansion", self.source(piece), self.code.at(piece.start, piece.end))
        parts = tuple(
            part if part.text is None and part.origin.at == origin.at else wrapped(part, origin) for part in word.parts
        )
        return Word(parts, word.span, word.several)

    def _conditional(self, piece: Parameter) -> bool:
        return piece.prefix == "" and piece.operator.lstrip(":") in ("-", "=", "+", "?") and piece.operator != ":"

    def _is_empty(self, piece: Parameter) -> bool | None:
        """Whether `${x:-d}` takes its default: what only the caller sets counts as empty."""
        if self._free(piece):
            return piece.name not in _CHANGING
        found = self._lookup(piece)
        if found is None or ":" not in piece.operator:
            return found is None
        if any(part.text for word in found for part in word.parts):
            return False
        return None if any(word.text is None for word in found) else len(found) < 2

    def _takes_argument(self, piece: Parameter) -> Literal["default-value", "expansion"] | None:
        """Whether the value is the word in `${x:-word}`, and what the word then is."""
        if not self._conditional(piece):
            return None
        empty = self._is_empty(piece)
        if "+" in piece.operator:
            return "expansion" if empty is False and not self._free(piece) else None
        return "default-value" if empty and "?" not in piece.operator else None

    def _without_argument(self, piece: Parameter, found: list[Word] | None) -> list[Word]:
        span = self._span(piece.start, piece.end)
        if "+" not in piece.operator:
            return [self._seen(piece, word) for word in found or [Word((), span)]]
        if self._is_empty(piece) and not self._free(piece):
            return []
        reason = found[0].unknown if found else None
        return [Word((self._unknown(piece, reason or _environment(piece.name)),), span)]

    def _argument(
        self, piece: Parameter, kind: Literal["default-value", "expansion"]
    ) -> Iterator[tuple[Word, bool, bool]]:
        """The word of `${x:-word}`, whose own quotes count where the expansion is not quoted."""
        start, end = piece.argument
        span, at = self._span(piece.start, piece.end), self.code.at(piece.start, piece.end)
        expansion = Origin("expansion", self.source(piece), at)
        default = Origin("default-value", self.code.text[start:end], self.code.at(start, end))
        pieces, _ = self.lexer.pieces(start, end, "string" if piece.quoted else "argument")
        value: list[Part] = []
        for inner in pieces or [Text(start, start, piece.quoted)]:
            for word, whole, new in self._stream(inner):
                parts = word.parts
                if kind == "default-value":
                    parts = tuple(wrapped(part, default) for part in parts)
                parts = tuple(wrapped(part, expansion) for part in parts)
                value += parts
                yield Word(parts, span, word.several), whole and (inner.quoted or piece.quoted), new
        if "=" in piece.operator and piece.subscript is None:
            self.state.set(piece.name, Variable(bounded(tuple(value))))

    def _length(self, piece: Parameter, found: list[Word] | None) -> Part:
        origin = Origin("computed", self.source(piece), self.code.at(piece.start, piece.end))
        words = found or []
        if self._all(piece):
            if any(word.several for word in words):
                return self._unknown(piece, f"the number of elements in {piece.name}")
            return computed(str(len(words)), origin, ())
        value = tuple(part for word in words for part in word.parts)
        text = text_of(value)
        return self._unknown(piece, reason_of(value)) if text is None else computed(str(len(text)), origin, value)

    def _elements_slice(self, piece: Parameter) -> list[Word]:
        """`"${A[@]:1:2}"` and `"${@:2}"`, whose first element is `$0`."""
        span, name = self._span(piece.start, piece.end), piece.name
        found: list[tuple[int | str, Word]] | None
        if name in ("@", "*"):
            script = Word((self._unknown(piece, _CHANGING["0"]),), span)
            positional = self.state.positional
            found = None if positional is None else [*enumerate([script, *positional])]
        else:
            variable = self.state.variables.get(name)
            if variable is None:
                found = None if self.state.silent(name) else []
            else:
                whole = ((0, Word(variable.value, span)),) if variable.value else ()
                found = list(variable.elements if variable.elements is not None else whole)
                found = None if variable.associative else found
        try:
            start, length = operators.slice_bounds(self, piece)
        except Undetermined as error:
            return [Word((self._unknown(piece, error.reason),), span, several=True)]
        if found is None or any(word.several for _, word in found):
            return [Word((self._unknown(piece, f"the elements of {name}"),), span, several=True)]
        if start < 0:
            start += max((key for key, _ in found if isinstance(key, int)), default=-1) + 1
        behind = [word for key, word in found if isinstance(key, int) and key >= start >= 0]
        return [self._seen(piece, word) for word in self._joined(piece, behind[:length], name) or []]

    def _operated(self, piece: Parameter, word: Word) -> Word:
        text = text_of(word.parts)
        if text is None:
            return Word((self._unknown(piece, reason_of(word.parts)),), word.span, word.several)
        origin = Origin("computed", self.source(piece), self.code.at(piece.start, piece.end))
        try:
            changed = operators.apply(self, piece, text)
        except (Undetermined, Undecidable) as error:
            reason = getattr(error, "reason", f"{short(self.source(piece))} is not interpreted")
            return Word((self._unknown(piece, reason),), word.span)
        return Word((computed(changed, origin, word.parts),), word.span)

    # -------------------------------------------------------------------------------------------------- helpers

    def source(self, piece: Piece) -> str:
        return self.code.text[piece.start : piece.end]

    def _span(self, start: int, end: int) -> Span:
        return self.code.span(start, end)

    def _unknown(self, piece: Piece, reason: str, kind: str = "unresolved") -> Part:
        at = self.code.at(piece.start, piece.end)
        return Part(None, Origin(kind, self.source(piece), at), reason)  # type: ignore[arg-type]


def _is_split(text: str, separators: str | None) -> bool:
    return separators is None or any(char in text for char in separators + BLANKS)


def _environment(name: str) -> str:
    return f"environment variable {name} is not set in this script"
