"""Edits that change a fact of a run: said in facts, written in the dialect's own spelling, as small as can be.

A value that one literal decides is replaced there (`${lr}` → the `2e-5` of `lr=2e-5`). A setting that is absent becomes a
continuation line of its own in a script, or a line after a neighbouring key in YAML, JSON and Python. Every edit is tried on
a copy that is read again: where anything but the one setting would change, or where an unresolved word may decide, there is
none.
"""

from __future__ import annotations

from trainlint.dialects.tree import Loader
from trainlint.document import Document
from trainlint.facts import Argument, Run
from trainlint.fixer import python, shell, tree
from trainlint.text import Edit, SourceText

NEIGHBOURS = ("learning_rate", "gradient_accumulation_steps", "num_train_epochs", "per_device_train_batch_size")
OLD_NAMES = {
    "eval_strategy": ("evaluation_strategy",),
    "per_device_train_batch_size": ("per_gpu_train_batch_size",),
    "sequence_length": ("max_seq_length",),
}
"""Names that a framework still takes for a fact: where one is given, its value is changed and no second name is added."""


def change(run: Run, fact: str, text: str) -> Edit | None:
    """The edit that sets `fact` to `text`, or None where no safe place for it can be told."""
    if fact in run.stated or "files" not in run.context or run.fact(fact).origin.kind == "model-file":
        return None
    name = run.spell(fact).lstrip("-")
    argument = _deciding(run, fact, name)
    if argument is not None:
        return _replace(run, argument, text)
    schema = run.context.get("schema")
    if run.arguments.open is not None or (schema is not None and name not in schema):
        return None
    document: Document = run.context["document"]
    parse = run.context["files"].parse
    if document.format == "shell":
        return shell.insert(parse, document, run.context["started"], run.spell(fact), text)
    wanted = [run.spell(neighbour) for neighbour in NEIGHBOURS]
    if document.calls:
        return python.insert(parse, document, run.context["call"], name, text, wanted)
    return tree.insert(parse, document, _loader(run, document), name.split("."), text, wanted)


def remove(run: Run, argument: Argument) -> tuple[Edit, ...]:
    """The edit that takes a flag and its value off the command line; none where it cannot be done alone."""
    document = _document(run, argument.key.source)
    if document is None or document.format != "shell":
        return ()
    edit = shell.remove(run.context["files"].parse, document, run.context["started"], argument)
    return () if edit is None else (edit,)


def _deciding(run: Run, fact: str, name: str) -> Argument | None:
    """The given argument that says the fact: a constant in a linked file (a DeepSpeed JSON) before the run's own."""
    known = run.fact(fact)
    for arguments in run.linked.values():
        for argument in arguments.given.values():
            read = any(argument.origin is each.origin for each in (known, *known.reads))
            if read and argument.value == known.value:
                return argument
    names = (name, *OLD_NAMES.get(fact, ()))
    return next((run.arguments.given[each] for each in names if each in run.arguments.given), None)


def _replace(run: Run, argument: Argument, text: str) -> Edit | None:
    literal = argument.origin.literal
    document = _document(run, literal.source) if literal is not None else None
    if literal is None or document is None or argument.unknown is not None:
        return None
    parse = run.context["files"].parse
    if document.format == "shell":
        started = run.context.get("started")
        return shell.replace(parse, document, started, argument, text) if started is not None else None
    if document.calls:
        return python.replace(document, argument, text)
    schema = run.context.get("schema")
    known = frozenset(schema) if schema is not None and document is run.context["document"] else frozenset()
    return tree.replace(parse, document, _loader(run, document), literal.span, text, known)


def _document(run: Run, source: SourceText) -> Document | None:
    """The document of a source that the run was read from: its own, the script that started it, or a linked file."""
    document: Document | None = run.context.get("document")
    if document is not None and document.source is source:
        return document
    files = run.context.get("files")
    return None if files is None else files.parse(source)


def _loader(run: Run, document: Document) -> Loader:
    if document.format == "json":
        return "json"
    loader: Loader = run.context.get("loader", "toml" if document.format == "toml" else "pyyaml")
    return loader
