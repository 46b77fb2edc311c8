"""The shell reader: what a script would run, worked out without running anything."""

from __future__ import annotations

import re

from trainlint.document import Document, Problem
from trainlint.readers.caller import ANYONE, Caller
from trainlint.readers.shell.code import Code, walk
from trainlint.readers.shell.interpret import Interpreter
from trainlint.readers.shell.problems import find
from trainlint.readers.shell.slurm import variables
from trainlint.text import SourceText, Span

__all__ = ["read"]

_SBATCH = re.compile(r"#SBATCH\b[ \t]*(.*?)\s*")


def read(source: SourceText, caller: Caller = ANYONE) -> Document:
    """Read a bash script.

    Never raises on any text: what bash would reject is among the document's problems, and the rest is read all the same.
    """
    document = Document(source, "shell")
    code = Code.of_file(source)
    interpreter = Interpreter(caller)
    try:
        for node in walk(code.tree.root_node):
            if node.type == "comment":
                _comment(document, Span(code.start(node), code.end(node)))
        document.problems = find(code)
        interpreter.initial.variables = {**variables(document.headers), **interpreter.initial.variables}
        interpreter.run_file(code)
    except RecursionError:
        start = source.line_span(1)
        document.problems.append(
            Problem("file/syntax-error", "the script is nested too deeply to be followed", document.at(start))
        )
    document.invocations = interpreter.invocations()
    document.sourced = list(interpreter.sourced)
    return document


def _comment(document: Document, span: Span) -> None:
    document.comments.append(span)
    if header := _SBATCH.fullmatch(document.source[span]):
        document.headers.append((header[1], document.at(span)))
