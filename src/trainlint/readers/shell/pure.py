"""Programs whose output follows from their arguments alone: `basename $MODEL`, `expr 2 \\* 4`, `seq 3`, `bc`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from trainlint.readers.shell.calculator import Uncertain, calculate

OF_PATHS = ("basename", "cd", "dirname", "readlink", "realpath")
"""Commands whose `$0` is the path of the script: where that lies does not depend on how it is called."""
_LONGEST_SEQUENCE = 1000


def printed(texts: list[str]) -> str | None:
    """What a command prints, or None where that takes a run."""
    handler = _COMMANDS.get(texts[0])
    return handler(texts[1:]) if handler else None


def calculated(arguments: list[str], text: str) -> str | None:
    """What `bc` makes of a text."""
    if arguments not in ([], ["-l"]):
        return None
    try:
        return calculate(text, 20 if arguments else 0) + "\n"
    except Uncertain:
        return None


def _realpath(arguments: list[str]) -> str | None:
    """Of an absolute path: all others depend on where the script is called."""
    names = [argument for argument in arguments if argument not in ("-f", "-e", "-m", "-s")]
    if len(names) != 1 or not posixpath.isabs(names[0]):
        return None
    return posixpath.normpath(names[0]) + "\n"


def _echo(arguments: list[str]) -> str | None:
    newline = "\n"
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        if "e" in arguments[0]:
            return None
        newline = "" if "n" in arguments[0] else newline
        arguments = arguments[1:]
    return " ".join(arguments) + newline


_DIRECTIVE = re.compile(r"%(?:(?P<percent>%)|(?P<flags>[-0+ ]*)(?P<width>\d{0,3})(?P<kind>[sdi]))|\\(?P<escape>.)|%|\\")


def _printf(arguments: list[str]) -> str | None:
    """`%s` and `%d`; a format is used again until no arguments are left."""
    if not arguments or arguments[0].startswith("-"):
        return None
    form, values = arguments[0], arguments[1:]
    found = []
    while True:
        left = len(values)
        for literal, directive in _directives(form):
            text = literal if directive is None else _directed(directive, values)
            if text is None:
                return None
            found.append(text)
        if not values or len(values) == left:
            return "".join(found)


def _directives(form: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    at = 0
    for match in _DIRECTIVE.finditer(form):
        yield form[at : match.start()], None
        yield "", match
        at = match.end()
    yield form[at:], None


def _directed(directive: re.Match[str], values: list[str]) -> str | None:
    """What a directive or an escape stands for; it takes its value."""
    if directive["percent"]:
        return "%"
    if directive["escape"]:
        return {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}.get(directive["escape"])
    if not directive["kind"]:
        return None
    flags, width = directive["flags"], directive["width"]
    if directive["kind"] == "s":
        value = values.pop(0) if values else ""
        return value if not flags and not width else None
    value = values.pop(0) if values else "0"
    return f"%{flags}{width}d" % int(value) if re.fullmatch(r"-?[1-9]\d{0,17}|0", value, re.ASCII) else None


def _basename(arguments: list[str]) -> str | None:
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        return None
    name = arguments[0].rstrip("/").rpartition("/")[2] or ("/" if arguments[0] else "")
    suffix = arguments[1] if len(arguments) == 2 else ""
    return (name[: -len(suffix)] if suffix and name.endswith(suffix) and name != suffix else name) + "\n"


def _dirname(arguments: list[str]) -> str | None:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return None
    path = arguments[0].rstrip("/")
    head, slash, _ = path.rpartition("/")
    return ((head.rstrip("/") or "/") if slash else "." if path or not arguments[0] else "/") + "\n"


def _seq(arguments: list[str]) -> str | None:
    if not 1 <= len(arguments) <= 3 or not all(re.fullmatch(r"-?\d{1,9}", argument) for argument in arguments):
        return None
    numbers = [int(argument) for argument in arguments]
    first, step, last = {1: (1, 1, *numbers), 2: (*numbers[:1], 1, *numbers[1:]), 3: tuple(numbers)}[len(numbers)]
    if step == 0:
        return None
    values = range(first, last + (1 if step > 0 else -1), step)
    return "".join(f"{value}\n" for value in values) if len(values) <= _LONGEST_SEQUENCE else None


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
    return f"{total}\n" if abs(total) < 2**63 else None


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
