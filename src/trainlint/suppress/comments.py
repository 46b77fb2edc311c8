"""The grammar of suppression comments: `# trainlint: ignore[lr/too-high-for-step, lora/*] reason`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from trainlint.document import Document
from trainlint.text import Span

FAMILY = re.compile(r"([\w-]+)/\*")
"""A whole family: `lora/*`."""

_ID = r"[\w-]+/(?:[\w-]+|\*)"
_START = re.compile(
    rf"#[ \t]*trainlint(?:[ \t]*[:：]|(?=[ \t-]+(?:ignore|noqa|disable)\b(?:-file)?[ \t]*(?:[\[(=:［（：]|{_ID})))",
    re.IGNORECASE,
)
"""Where a comment speaks to trainlint, and does not only mention it. Several may stand in one comment."""
_FORM = re.compile(
    r"#[ \t]*trainlint:[ \t]*(?P<verb>ignore|ignore-file)\[(?P<names>[^\]]*)\](?:[ \t]*(?:--?|[—–:：]))?(?P<reason>.*)"
)
_NAME = re.compile(r"[^\s,]+")
_MEANT = re.compile(
    r"#[ \t]*trainlint[ \t]*:?[ \t-]*(?P<verb>[a-z]+(?:-file)?)[ \t]*[\[({=:]*[ \t]*"
    rf"(?P<names>(?:{_ID}(?![\w*/-])[ \t,;]*)*)[\])}}]*(?P<reason>.*)",
    re.IGNORECASE,
)
_FULL_WIDTH = str.maketrans("［］【】（）：，、；＃", "[][]():,,;#")
_VERBS = {verb: verb for verb in ("ignore", "ignore-file")} | {
    f"{word}{suffix}": f"ignore{suffix}"
    for word in ("disable", "noqa", "skip", "suppress", "allow")
    for suffix in ("", "-file")
}


@dataclass(frozen=True, slots=True)
class Name:
    """A rule or a family in the brackets, as written."""

    text: str
    span: Span

    def covers(self, rule: str) -> bool:
        """Whether a finding of `rule` is meant. A family does not take in what must be named to be hidden."""
        if self.text == rule:
            return True
        family = FAMILY.fullmatch(self.text)
        return family is not None and rule.partition("/")[0] == family[1] and rule not in BY_NAME_ONLY


BY_NAME_ONLY = frozenset({"file/syntax-error", "file/unreadable"})
"""What no family hides: where a file is not read, silence would look like health."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One suppression. `span` is from its `#` to the end of its reason, `list` what stands between its brackets."""

    span: Span
    comment: Span
    whole_file: bool
    names: tuple[Name, ...]
    list: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A comment to trainlint that is no suppression and so hides nothing.

    `meant` is its repaired text, or None. `verb` is what was meant where rules are not named (`ignore`), else empty.
    """

    span: Span
    message: str
    meant: str | None = None
    verb: str = ""
    reason: str = ""


def parse(document: Document) -> Iterator[Directive | Malformed]:
    """The suppressions of a document, in the order of the text."""
    text = document.source.text
    for comment in document.comments:
        starts = [match.start() for match in _START.finditer(text, comment.start, comment.end)]
        for start, following in pairwise([*starts, comment.end]):
            span = Span(start, start + len(text[start:following].rstrip()))
            yield _directive(text[span.start : span.end], span, comment)


def _directive(text: str, span: Span, comment: Span) -> Directive | Malformed:
    form = _FORM.fullmatch(text)
    if form is None:
        return _malformed(text, span)
    at = span.start + form.start("names")
    items = [part.strip() for part in form["names"].split(",")]
    names = tuple(Name(match[0], Span(at + match.start(), at + match.end())) for match in _NAME.finditer(form["names"]))
    if not names or any(len(item.split()) > 1 for item in items):
        return _malformed(text, span)
    return Directive(
        span,
        comment,
        form["verb"] == "ignore-file",
        names,
        Span(at, span.start + form.end("names")),
        form["reason"].strip(),
    )


def _malformed(text: str, span: Span) -> Malformed:
    meant = _MEANT.fullmatch(text.translate(_FULL_WIDTH))
    said = meant["verb"].lower() if meant is not None else ""
    verb = _VERBS.get(said) or next((_VERBS[close] for close in get_close_matches(said, _VERBS, n=1)), None)
    if meant is None or verb is None:
        return Malformed(span, "after 'trainlint:' only ignore[…] and ignore-file[…] are understood")
    reason = text[meant.start("reason") :].strip(
        " \t:：—–-"
    )  # same length, so that full-width signs stay in the reason
    names = list(dict.fromkeys(re.findall(_ID, meant["names"])))
    if names:
        return Malformed(span, "the suppression cannot be read, so it hides nothing", write(verb, names, reason))
    if re.match(r"\s*[\[(=:]*\s*[\w*/-]+[\])]", meant["reason"]):
        return Malformed(span, "the suppression cannot be read, so it hides nothing")
    return Malformed(span, "the suppression names no rule, so it hides nothing", None, verb, reason)


def write(verb: str, names: list[str], reason: str) -> str:
    """A well-formed suppression."""
    return f"# trainlint: {verb}[{', '.join(names)}] {' '.join(reason.split())}".rstrip()
