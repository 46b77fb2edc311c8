"""Edits that change a fact of a run: said in facts, written in the dialect's own spelling, as small as can be.

A value that one literal decides is replaced there (`${lr}` → the `2e-5` of `lr=2e-5`). A setting that is absent becomes a
continuation line of its own in a script, or a line after a neighbouring key in YAML and JSON. Where an unresolved word may
say something else there is no edit.
"""

from __future__ import annotations

from trainlint.document import Document, Entry
from trainlint.facts import Run
from trainlint.text import Edit, Location, Span

NEIGHBOURS = ("learning_rate", "gradient_accumulation_steps", "num_train_epochs", "per_device_train_batch_size")


def change(run: Run, fact: str, text: str) -> Edit | None:
    """The edit that sets `fact` to `text`, or None where no safe place for it can be told."""
    name = run.spell(fact).lstrip("-")
    argument = run.arguments.given.get(name)
    if argument is not None:
        literal = argument.origin.literal
        return Edit(literal, text) if literal is not None and argument.unknown is None else None
    if run.arguments.open is not None:
        return None
    document: Document = run.context["document"]
    if document.format == "shell":
        return _insert_flag(run, document, f"{run.spell(fact)} {text}")
    return _insert_key(run, document, name, text)


def _insert_flag(run: Run, document: Document, flag: str) -> Edit | None:
    started = run.context.get("started")
    if started is None:
        return None
    words = started.command.words
    source = document.source
    last = words[-1]
    if last.several or last.text is None:
        return None
    at = Location(source, Span(last.span.end, last.span.end))
    first_line, last_line = source.position(words[0].span.start).line, source.position(last.span.start).line
    if first_line == last_line:
        return Edit(at, f" {flag}")
    line = source.line(last_line)
    indent = line[: len(line) - len(line.lstrip())]
    newline = "\r\n" if "\r\n" in source.text else "\n"
    return Edit(at, f" \\{newline}{indent}{flag}")


def _insert_key(run: Run, document: Document, name: str, text: str) -> Edit | None:
    root = document.root
    if root is None or root.kind != "mapping" or "." in name:
        return None
    entry = _neighbour(run, root.entries)
    if entry is None:
        return None
    source = document.source
    newline = "\r\n" if "\r\n" in source.text else "\n"
    if document.format == "json":
        column = source.position(entry.key.span.start).column - 1
        same_line = source.position(root.span.start).line == source.position(entry.key.span.start).line
        lead = " " if same_line else newline + source.line(source.position(entry.key.span.start).line)[:column]
        value = text if _bare(text) else f'"{text}"'
        return Edit(Location(source, Span(entry.value.span.end, entry.value.span.end)), f',{lead}"{name}": {value}')
    end = source.line_span(source.position(entry.value.span.end).line).end
    return Edit(Location(source, Span(end, end)), f"{newline}{name}: {text}")


def _neighbour(run: Run, entries: list[Entry]) -> Entry | None:
    scalars = {e.key.text: e for e in entries if e.value.kind == "scalar" and e.value.style != "block" and not e.merged}
    wanted = [run.spell(fact) for fact in NEIGHBOURS]
    return next((scalars[name] for name in wanted if name in scalars), next(iter(scalars.values()), None))


def _bare(text: str) -> bool:
    if text in ("true", "false", "null"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
