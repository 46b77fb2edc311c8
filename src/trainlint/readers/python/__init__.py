"""Python files and notebooks: the calls that they make, with the values of their arguments as far as reading tells.

Nothing is imported or executed.
"""

from __future__ import annotations

import io
import sys
import tokenize
from collections.abc import Mapping
from types import MappingProxyType

from trainlint.document import Document, Problem
from trainlint.readers.python.code import Code
from trainlint.readers.python.evaluate import Evaluator
from trainlint.readers.python.interpret import Interpreter
from trainlint.readers.python.values import NotPlain, plain
from trainlint.text import SourceText, Span

__all__ = ["Code", "Evaluator", "NotPlain", "plain", "read"]


def read(source: SourceText, defines: Mapping[str, str] = MappingProxyType({})) -> Document:
    """The calls of a Python file; `defines` are environment variables.

    What does not parse is a `file/syntax-error`, unless a newer Python may take it: such a file has no calls here.
    """
    document = Document(source, "python")
    code = Code(source, source.text)
    try:
        tree = code.parse()
    except SyntaxError as error:
        if not newer(error):
            document.problems.append(problem(document, code, error))
        return document
    document.comments = comments(code)
    document.calls = Interpreter([(code, tree)], defines).run()
    return document


def newer(error: SyntaxError) -> bool:
    """Whether it is no error to a newer Python than the one that runs this: from 3.12 on f-strings nest their quotes."""
    return sys.version_info < (3, 12) and error.msg.startswith("f-string")


def problem(document: Document, code: Code, error: SyntaxError) -> Problem:
    """What Python says against a text, where it says it."""
    start = code.offset(error.lineno or 1, 0) + max((error.offset or 1) - 1, 0)
    start = min(start, len(code.text))
    span = code.place(Span(start, min(start + 1, len(code.text))))
    return Problem("file/syntax-error", error.msg, document.at(span))


def comments(code: Code) -> list[Span]:
    """Where the comments of a text that parses stand in its source."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code.text).readline):
            if token.type == tokenize.COMMENT:
                line, column = token.start
                start = code.line_start(line) + column
                found.append(code.place(Span(start, start + len(token.string))))
    except (tokenize.TokenError, SyntaxError):
        return found
    return found
