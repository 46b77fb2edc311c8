"""What `rm -r "$DIR"/…` removes where nothing gives DIR a value: bash then begins the path at the root of the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from trainlint.document import Document, Word
from trainlint.facts import Launch
from trainlint.findings import Finding, Fix
from trainlint.ruleset.file import Rule
from trainlint.text import Edit, Location, Span

RECURSIVE = re.compile(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive")
BEGINS = re.compile(r"\"?(?P<whole>\$\{(?P<braced>\w+)\}|\$(?P<plain>\w+))\"?/")
"""A word that is a variable up to its first slash, without a `${x:?}` that would stop the script."""
NOUNSET = re.compile(r"(?m)^\s*set\s+(?:-\w*u|-o\s+nounset|.*\s-o\s+nounset)|\A#!\S*sh\s+-\w*u")
ASSIGNED = re.compile(r"(?m)(?:^|[\s;&|(])(\w+)=")
SOURCED = re.compile(r"(?m)(?:^|[;&|])\s*(?:source|\.)\s")
ALWAYS_SET = re.compile(r"HOME|PWD|OLDPWD|USER|LOGNAME|TMPDIR|SLURM_\w+|RUNNER_\w+|GITHUB_\w+")
"""What the machine, the scheduler or the CI sets before the script runs."""


def removes_from_root(rule: Rule, document: Document, launches: list[Launch]) -> Iterator[Finding]:
    """First case: the variable is certainly empty, or nothing but a slip explains it. Last case: only the caller sets it."""
    if document.format != "shell" or not launches:
        return
    for invocation in document.invocations:
        ways = [[*_at_root(document, command.words)] for command in invocation.alternatives]
        for word, name, kind in ways[0]:
            if all((word, name, kind) in others for others in ways[1:]) and (said := _said(document, word, name, kind)):
                certain, message = said
                case = rule.cases[0 if certain else -1]
                at = Location(document.source, word)
                fix = None if kind == "empty" else _fix(document, word, name)
                yield Finding(rule.id, case.severity, "high", message, at, case.advice.source, (), fix, rule.why)


def _at_root(document: Document, words: tuple[Word, ...]) -> Iterator[tuple[Span, str, str]]:
    """The words of a recursive `rm` that may begin at the root: where, by which variable, and who sets it."""
    texts = [word.text or "" for word in words]
    if "rm" not in texts[:2] or texts[0] not in ("rm", "sudo") or not any(map(RECURSIVE.fullmatch, texts)):
        return
    for word in words:
        match = BEGINS.match(document.source.text, word.span.start, word.span.end)
        if match is not None:
            name = match["braced"] or match["plain"]
            kind = _kind(word, name)
            if kind is not None:
                yield word.span, name, kind


def _kind(word: Word, name: str) -> str | None:
    """`empty`, `environment` or `positional`; None where the variable has a value, or one that only a run could tell."""
    pieces = [part.origin for part in word.parts]
    if len(pieces) == 1 and pieces[0].kind == "unresolved":
        pieces = [*pieces[0].parents] or pieces  # a pattern of files
    first = pieces[0]
    own = [origin for origin in first.chain() if origin.text in (f"${name}", f"${{{name}}}")]
    last = [*first.chain()][-1]
    if not own:
        return "empty" if first.text.startswith("/") else None
    if last.kind in ("environment", "positional"):
        return last.kind
    return "empty" if last.kind == "literal" and not last.text else None


def _said(document: Document, word: Span, name: str, kind: str) -> tuple[bool, str] | None:
    """Is it certain, and what is to be said; None where the script sees to it that there is a value."""
    text = document.source.text
    shown = text[word.start : word.end]
    if kind == "empty":
        return True, f"{name} is empty here, so this removes {_path(shown)}"
    if NOUNSET.search(text) or _tested(text, name) or ALWAYS_SET.fullmatch(name):
        return None
    if kind == "positional":
        if "$#" in text:
            return None
        return False, f"without the argument that {name} is set to, this removes {_path(shown)}"
    meant = get_close_matches(name, set(ASSIGNED.findall(text)) - {name}, 1, 0.85)
    slip = f"did you mean {meant[0]}?" if meant else "it gets its value below" if _set_below(text, word, name) else ""
    if slip and not SOURCED.search(text):
        return True, f"nothing sets {name} before this, which then removes {_path(shown)}; {slip}"
    return False, f"where the environment has no {name}, this removes {_path(shown)}"


def _path(shown: str) -> str:
    match = BEGINS.match(shown)
    return "/" + shown[match.end() if match else 0 :].replace('"', "")


def _tested(text: str, name: str) -> bool:
    """Does the script look at the variable, or give it a value where it has none?"""
    return re.search(rf"-[znvdef]\s+\"?(?:\$\{{?)?{name}\b|\$\{{{name}:?[?=]", text) is not None


def _set_below(text: str, word: Span, name: str) -> bool:
    return name in ASSIGNED.findall(text[word.end :])


def _fix(document: Document, word: Span, name: str) -> Fix | None:
    match = BEGINS.match(document.source.text, word.start, word.end)
    if match is None:
        return None
    edit = Edit(Location(document.source, Span(*match.span("whole"))), f"${{{name}:?}}")
    return Fix(f"have bash stop where {name} is empty", (edit,), False)
