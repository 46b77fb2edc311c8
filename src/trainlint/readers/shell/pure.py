"""Command substitutions whose output follows from the script alone: `$(basename $MODEL)`, `$(expr 2 \\* 4)`, `$(seq 3)`."""

from __future__ import annotations

import re
from collections.abc import Callable

from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.lexer import Substitution

_LONGEST_SEQUENCE = 1000


def output(expander: Expander, piece: Substitution) -> str | None:
    """What the command prints, or None where that takes a run."""
    start, end = piece.inner
    text = expander.code.text
    if text[piece.start] == "`" and "\\" in text[start:end]:
        return None
    command = expander.lexer.command(start, end)
    rest = text[command.end : end].strip()
    if rest or not command.words:
        return None
    if any(operator not in ("<<", "<<-") for operator, _ in command.redirects):
        return None
    if command.redirects or expander.lexer.assignment(command.words[0]):
        return None
    words = [word for raw in command.words for word in expander.words(raw)]
    texts = [word.text for word in words]
    if any(word.several for word in words) or None in texts:
        return None
    name, *arguments = [text for text in texts if text is not None] or [""]
    handler = _COMMANDS.get(name)
    return handler(arguments) if handler else None


def _echo(arguments: list[str]) -> str | None:
    newline = "\n"
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        if "e" in arguments[0]:
            return None
        newline = "" if "n" in arguments[0] else newline
        arguments = arguments[1:]
    return " ".join(arguments) + newline


def _printf(arguments: list[str]) -> str | None:
    plain = bool(arguments) and "%" not in arguments[0] and "\\" not in arguments[0]
    if plain and len(arguments) == 1:
        return arguments[0]
    return arguments[1] if len(arguments) == 2 and arguments[0] in ("%s", "%s\\n") else None


def _basename(arguments: list[str]) -> str | None:
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        return None
    name = arguments[0].rstrip("/").rpartition("/")[2] or ("/" if arguments[0] else "")
    suffix = arguments[1] if len(arguments) == 2 else ""
    return name[: -len(suffix)] if suffix and name.endswith(suffix) and name != suffix else name


def _dirname(arguments: list[str]) -> str | None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return None
    path = arguments[0].rstrip("/")
    head, slash, _ = path.rpartition("/")
    return (head.rstrip("/") or "/") if slash else "." if path or not arguments[0] else "/"


def _seq(arguments: list[str]) -> str | None:
    if not 1 <= len(arguments) <= 3 or not all(re.fullmatch(r"-?\d{1,9}", argument) for argument in arguments):
        return None
    numbers = [int(argument) for argument in arguments]
    first, step, last = {1: (1, 1, *numbers), 2: (*numbers[:1], 1, *numbers[1:]), 3: tuple(numbers)}[len(numbers)]
    if step == 0:
        return None
    values = range(first, last + (1 if step > 0 else -1), step)
    return "\n".join(map(str, values)) if len(values) <= _LONGEST_SEQUENCE else None


def _expr(arguments: list[str]) -> str | None:
    """Integer `a op b op c`, with the usual precedence."""
    if len(arguments) % 2 == 0 or not all(re.fullmatch(r"-?\d{1,15}", number) for number in arguments[::2]):
        return None
    terms, signs = [int(arguments[0])], []
    for operator, number in zip(arguments[1::2], arguments[2::2], strict=True):
        right = int(number)
        if operator == "*":
            terms[-1] *= right
        elif operator in ("/", "%") and right:
            quotient = abs(terms[-1]) // abs(right) * (1 if (terms[-1] < 0) == (right < 0) else -1)
            terms[-1] = quotient if operator == "/" else terms[-1] - quotient * right
        elif operator in ("+", "-"):
            signs.append(operator)
            terms.append(right)
        else:
            return None
    total = terms[0]
    for sign, term in zip(signs, terms[1:], strict=True):
        total += term if sign == "+" else -term
    return str(total) if abs(total) < 2**63 else None


_COMMANDS: dict[str, Callable[[list[str]], str | None]] = {
    "echo": _echo,
    "printf": _printf,
    "basename": _basename,
    "dirname": _dirname,
    "seq": _seq,
    "expr": _expr,
}
