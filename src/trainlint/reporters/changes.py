"""What the edits of a fix do to the lines of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainlint.reporters.terminal import cells
from trainlint.text import Edit, SourceText, Span, apply


def by_source(edits: Iterable[Edit]) -> dict[SourceText, list[Edit]]:
    """The edits of each file."""
    found: dict[SourceText, list[Edit]] = {}
    for edit in edits:
        found.setdefault(edit.at.source, []).append(edit)
    return found


def changes(source: SourceText, edits: Sequence[Edit]) -> list[tuple[str, str]]:
    """The lines that the edits take away and put in, with a sign each, without their common indentation."""
    from difflib import unified_diff  # slow to import, and most reports fix nothing

    text, spans = source.text, [edit.at.span for edit in edits]
    top = text.rfind("\n", 0, min(span.start for span in spans)) + 1
    bottom = text.find("\n", max(span.end for span in spans))
    text = text[top : bottom if bottom >= 0 else len(text)]
    try:
        after = apply(text, [(Span(edit.at.span.start - top, edit.at.span.end - top), edit.text) for edit in edits])
    except ValueError:  # edits that overlap cannot be shown, and will not be applied
        return []
    old, new = text.split("\n"), after.split("\n")
    bare = [line.rstrip("\r") for line in old], [line.rstrip("\r") for line in new]
    old, new = bare if bare[0] != bare[1] else (old, new)  # line ends count when nothing else changes
    diff = [line for line in unified_diff(old, new, n=0, lineterm="") if line[0] in "+-"][2:]
    lines = [_mark_trailing("".join(shown for shown, _ in cells(line[1:]))) for line in diff]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [(line[0], text[indent:]) for line, text in zip(diff, lines, strict=True)]


def _mark_trailing(line: str) -> str:
    """Blanks at the end of a line made visible: after a backslash they are the whole finding."""
    bare = line.rstrip(" ")
    return bare + "·" * (len(line) - len(bare))
