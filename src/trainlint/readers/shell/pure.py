"""Command substitutions whose output follows from the script alone: `$(basename $MODEL)`, `$(expr 2 \\* 4)`, `$(seq 3)`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from trainlint.readers.shell.calculator import Uncertain, calculate
from trainlint.readers.shell.expand import Expander
from trainlint.readers.shell.lexer import RawCommand, Substitution
from trainlint.readers.shell.state import text_of

_PWD = re.compile(r"(&&|;)\s*pwd(\s+-[LP])?")
_OF_PATHS = ("basename", "cd", "dirname", "readlink", "realpath")
"""Commands whose `$0` is the path of the script: where that lies does not depend on how it is called."""
_LONGEST_SEQUENCE = 1000


def output(expander: Expander, piece: Substitution) -> str | None:
    """What the command prints, or None where that takes a run."""
    start, end = piece.inner
    text = expander.code.text
    if text[piece.start] == "`" and "\\" in text[start:end]:
        return None
    command = expander.lexer.command(start, end)
    rest = text[command.end : end].strip()
    texts = _texts(expander, command)
    if not texts:
        return None
    if texts[0] == "cd" and _PWD.fullmatch(rest):
        quiet = all(text_of(expander.value(word.pieces)) in ("/dev/null", "1") for _, word in command.redirects)
        return _cd(texts[1:], expander.state.directory) if quiet else None
    if texts == ["pwd"] and not rest:
        return _cd(["."], expander.state.directory)
    if rest.startswith("|") and not rest.startswith("||") and not command.redirects:
        into = expander.lexer.command(text.index("|", command.end) + 1, end)
        return _calculated(expander, into, printed(texts)) if not text[into.end : end].strip() else None
    if rest:
        return None
    if [operator for operator, _ in command.redirects] == ["<<<"]:
        return _calculated(expander, command, text_of(expander.value(command.redirects[0][1].pieces)))
    handler = _COMMANDS.get(texts[0])
    return handler(texts[1:]) if handler and not command.redirects else None


def printed(texts: list[str]) -> str | None:
    """What `echo` or `printf` prints."""
    handler = {"echo": _echo, "printf": _printf}.get(texts[0])
    return handler(texts[1:]) if handler else None


def _texts(expander: Expander, command: RawCommand) -> list[str] | None:
    """The words of a command, as far as all are known."""
    if not command.words or expander.lexer.assignment(command.words[0]):
        return None
    if expander.code.text[command.words[0].start : command.words[0].end] in _OF_PATHS:
        expander = expander.knowing_the_script()
    words = [word for raw in command.words for word in expander.words(raw)]
    texts = [word.text for word in words if word.text is not None and not word.several]
    return texts if len(texts) == len(words) else None


def _calculated(expander: Expander, command: RawCommand, text: str | None) -> str | None:
    """What `bc` makes of a text."""
    texts = _texts(expander, command)
    if text is None or texts not in (["bc"], ["bc", "-l"]) or [op for op, _ in command.redirects] not in ([], ["<<<"]):
        return None
    try:
        return calculate(text, 20 if "-l" in texts else 0)
    except Uncertain:
        return None


def _cd(arguments: list[str], directory: str | None) -> str | None:
    """The directory that `cd` leads to, where that does not depend on where the script is called."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return None
    path = posixpath.normpath(posixpath.join(directory or "", arguments[0]))
    return path if posixpath.isabs(path) else None


def _realpath(arguments: list[str]) -> str | None:
    return _cd([argument for argument in arguments if argument not in ("-f", "-e", "-m", "-s")], None)


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
    if len(arguments) != 2 or arguments[0] not in ("%s", "%s\\n"):
        return None
    return arguments[1] + arguments[0][2:].replace("\\n", "\n")


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
    "realpath": _realpath,
    "readlink": lambda arguments: _realpath(arguments) if "-f" in arguments else None,
}
