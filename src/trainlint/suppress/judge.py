"""What suppressions hide, and what is wrong with suppressions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trainlint import readers
from trainlint.document import Document
from trainlint.findings import Finding, Fix, Hidden, Related
from trainlint.ruleset.file import Rule
from trainlint.suppress import pointers
from trainlint.suppress.comments import BY_NAME_ONLY, FAMILY, Directive, Malformed, Name, parse, write
from trainlint.suppress.scope import Scopes
from trainlint.text import Edit, Location, SourceText, Span

if TYPE_CHECKING:
    from trainlint.settings import Ignore

UNUSED, UNKNOWN = "suppressions/unused", "suppressions/unknown-rule"
MALFORMED, MISSING_REASON = "suppressions/malformed", "suppressions/missing-reason"


@dataclass(slots=True)
class Suppressed:
    """The findings that stay, those that are hidden, and what is to be said of the suppressions themselves."""

    kept: list[Finding] = field(default_factory=list)
    suppressed: list[Hidden] = field(default_factory=list)
    extra: list[Finding] = field(default_factory=list)


def apply(
    document: Document,
    findings: Sequence[Finding],
    rules: Mapping[str, Rule],
    *,
    judged: Collection[str] | None = None,
    ignores: Sequence[Ignore] = (),
    require_reason: bool = False,
    enabled: bool = True,
) -> Suppressed:
    """Sort the findings of one document by its suppressions; a finding in a linked file, by those of that file.

    `rules` is the whole catalogue, `judged` the ids that were selected and came to a verdict for this document (None: all):
    a suppression of any other rule may be needed tomorrow and is not called unused.
    """
    if not enabled:
        return Suppressed(kept=list(findings))
    files = _Files(document)
    result = Suppressed()
    used: set[tuple[Directive, Name]] = set()
    for finding in findings:
        hidden = _by_comment(files.of(finding.at.source), finding, used) or _by_pointer(files, finding, ignores, rules)
        if hidden is None:
            result.kept.append(finding)
        else:
            result.suppressed.append(hidden)
    own = files.of(document.source)
    critic = _Critic(own, result.kept, rules, rules if judged is None else judged, used)
    for finding in critic.findings(require_reason):
        hidden = _by_comment(own, finding, set())
        if hidden is None:
            result.extra.append(finding)
        else:
            result.suppressed.append(hidden)
    return result


class _File:
    """A document with its suppressions."""

    def __init__(self, document: Document) -> None:
        self.document, self.source = document, document.source
        self.scopes = Scopes(document)
        self.directives: list[Directive] = []
        self.malformed: list[Malformed] = []
        for found in parse(document):
            if isinstance(found, Malformed):
                self.malformed.append(found)
            elif document.format == "json":
                message = "comments in JSON hide nothing: its readers do not allow them"
                self.malformed.append(Malformed(found.span, message))
            elif found.whole_file and not self.scopes.stands_alone(found):
                message = "ignore-file hides nothing here: it has to stand on a line of its own"
                self.malformed.append(Malformed(found.span, message))
            else:
                self.directives.append(found)
        self.ranges = [self.scopes.of(directive) for directive in self.directives]

    def covering(self, at: Location) -> Iterator[Directive]:
        line = at.start.line
        return (d for d, lines in zip(self.directives, self.ranges, strict=True) if line in lines)


class _Files:
    """The documents that findings lie in; a linked one is read again, but only if it speaks of suppressions."""

    def __init__(self, document: Document) -> None:
        self._files = {id(document.source): _File(document)}

    def of(self, source: SourceText, *, whole: bool = False) -> _File:
        if id(source) not in self._files or (whole and self._files[id(source)].document.root is None):
            self._files[id(source)] = _File(_read(source, whole))
        return self._files[id(source)]


def _read(source: SourceText, whole: bool) -> Document:
    if whole or "trainlint" in source.text.lower():
        try:
            return readers.read(source)
        except ValueError:  # of no format that its name tells
            pass
    return Document(source, "json")


def _by_comment(file: _File, finding: Finding, used: set[tuple[Directive, Name]]) -> Hidden | None:
    """Every suppression that hides the finding counts as used: none of them is to blame for the others."""
    hits = [(d, name) for d in file.covering(finding.at) for name in d.names if name.covers(finding.rule)]
    used.update(hits)
    if not hits:
        return None
    directive = next((d for d, _ in hits if d.reason), hits[0][0])
    return Hidden(finding, directive.reason, Location(file.source, directive.span))


def _by_pointer(files: _Files, finding: Finding, ignores: Sequence[Ignore], rules: Mapping[str, Rule]) -> Hidden | None:
    """Only what lies in a file can be hidden: a text from standard input has no path."""
    source = finding.at.source
    for ignore in ignores:
        if source.file is None or not ignore.covers(source.file.absolute()) or not _means(ignore, finding.rule, rules):
            continue
        if not ignore.pointer:
            return Hidden(finding, ignore.reason, None)
        places = pointers.find(files.of(source, whole=True).document.root, ignore.pointer)
        if any(finding.at.span.start in place for place in places):
            return Hidden(finding, ignore.reason, None)
    return None


def _means(ignore: Ignore, rule: str, rules: Mapping[str, Rule]) -> bool:
    if rule in ignore.rules:
        return True
    if rule not in rules or rule in BY_NAME_ONLY:
        return False
    from trainlint.selection import matches

    return any(matches(selector, rules[rule]) for selector in ignore.rules)


# ------------------------------------------------------------------------------------ what is wrong with suppressions


class _Critic:
    def __init__(
        self,
        file: _File,
        kept: Sequence[Finding],
        rules: Mapping[str, Rule],
        judged: Collection[str],
        used: set[tuple[Directive, Name]],
    ) -> None:
        self.file, self.kept, self.rules, self.judged, self.used = file, kept, rules, judged, used
        self.families = sorted({f"{id.partition('/')[0]}/*" for id in rules})

    def findings(self, require_reason: bool) -> Iterator[Finding]:
        """In the order of the text, as far as each suppression goes."""
        for malformed in self.file.malformed:
            yield from self._say(MALFORMED, malformed.message, malformed.span, *self._repair(malformed))
        for directive, lines in zip(self.file.directives, self.file.ranges, strict=True):
            for name in directive.names:
                if not self._exists(name.text):
                    yield from self._unknown(directive, name)
            yield from self._unused(directive, lines)
            if require_reason and not directive.reason:
                message = "the suppression gives no reason"
                yield from self._say(MISSING_REASON, message, directive.span)

    def _say(
        self,
        rule: str,
        message: str,
        span: Span,
        advice: str = "",
        fix: tuple[str, Span, str] | None = None,
        related: tuple[Related, ...] = (),
    ) -> Iterator[Finding]:
        """The finding, if its rule is wanted. `fix` is a title, a place and what belongs there."""
        if rule not in self.rules or rule not in self.judged:
            return
        page = self.rules[rule]
        case = page.cases[0]
        at = Location(self.file.source, span)
        edit = None
        if fix is not None:
            title, place, text = fix
            edit = Fix(title, (Edit(Location(self.file.source, place), text),), page.safe)
        yield Finding(
            rule, case.severity, "high", message, at, advice or case.advice.source, related, edit, page.why,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- malformed

    def _repair(self, malformed: Malformed) -> tuple[str, tuple[str, Span, str] | None]:
        if self.file.document.format == "json":
            return "say it in the configuration, with the path and a JSON pointer: docs/suppressions.md shows how", None
        meant = malformed.meant
        if malformed.verb:
            names = self._nameable(malformed)
            meant = write(malformed.verb, names, malformed.reason) if names else None
        if meant is None:
            return "", None
        return f"write {meant}", (f"write {meant}", malformed.span, meant)

    def _nameable(self, malformed: Malformed) -> list[str]:
        """The rules of the findings that the comment would hide if it named them."""
        guess = Directive(malformed.span, malformed.span, malformed.verb == "ignore-file", (), malformed.span, "")
        lines = self.file.scopes.of(guess)
        mine = [f for f in self.kept if f.at.source is self.file.source and f.at.start.line in lines]
        return sorted({finding.rule for finding in mine})

    # ------------------------------------------------------------------------------------------------ unknown rules

    def _exists(self, name: str) -> bool:
        return name in self.families if name.endswith("/*") else name in self.rules

    def _unknown(self, directive: Directive, name: Name) -> Iterator[Finding]:
        close = self._closest(name.text)
        if close is None:
            message = f"there is no rule or family {name.text}"
            fix = self._without(directive, {name}, f"remove {name.text}")
            yield from self._say(UNKNOWN, message, name.span, "trainlint rules lists them", fix)
            return
        message = f"there is no rule {name.text}; did you mean {close}?"
        yield from self._say(UNKNOWN, message, name.span, f"write {close}", (f"write {close}", name.span, close))

    def _closest(self, name: str) -> str | None:
        if FAMILY.fullmatch(name) or f"{name}/*" in self.families:
            close = get_close_matches(name.removesuffix("/*") + "/*", self.families, n=1)
            return close[0] if close else None
        tails = [id for id in self.rules if id.partition("/")[2] == name.rpartition("/")[2]]
        if len(tails) == 1:
            return tails[0]
        close = get_close_matches(name, self.rules, n=1, cutoff=0.7)
        return close[0] if close else None

    # ---------------------------------------------------------------------------------------------------- unused

    def _unused(self, directive: Directive, lines: range) -> Iterator[Finding]:
        idle = [name for name in directive.names if (directive, name) not in self.used and self._decided(name.text)]
        if not idle:
            return
        named = ", ".join(name.text for name in idle)
        if not lines:
            message = f"no line follows that this suppression could hide {named} in"
        else:
            message = f"{named}: nothing to hide here"
        everything = len(idle) == len(directive.names)
        what = "the suppression" if everything else named
        at = directive.span if everything else Span(idle[0].span.start, idle[-1].span.end)
        fix = self._without(directive, set(idle), f"remove {what}")
        yield from self._say(UNUSED, message, at, f"remove {what}", fix, tuple(self._elsewhere(idle)))

    def _decided(self, name: str) -> bool:
        """Whether it is certain that there was nothing to hide."""
        if not self._exists(name) or name.startswith("suppressions/"):
            return False
        family = FAMILY.fullmatch(name)
        meant = [id for id in self.rules if id.partition("/")[0] == family[1]] if family else [name]
        return all(id in self.judged for id in meant)

    def _elsewhere(self, idle: Sequence[Name]) -> Iterator[Related]:
        for finding in self.kept:
            if finding.at.source is self.file.source and any(name.covers(finding.rule) for name in idle):
                yield Related(f"{finding.rule} is reported here", finding.at)

    def _without(self, directive: Directive, gone: set[Name], title: str) -> tuple[str, Span, str] | None:
        """The comment without some of its names; nothing is left of one without a name, nor of a line without a word."""
        left = [name.text for name in directive.names if name not in gone]
        if left:
            return title, directive.list, ", ".join(left)
        source, scopes = self.file.source, self.file.scopes
        text = source.text
        line = scopes.line(directive.span.start)
        span = source.line_span(line)
        before, after = text[span.start : directive.span.start], text[directive.span.end : span.end]
        if after.strip():  # another suppression follows in the same comment
            end = directive.span.end + len(after) - len(after.lstrip())
            return title, Span(directive.span.start, end), ""
        if before.strip():
            return title, Span(span.start + len(before.rstrip()), directive.span.end), ""
        if line > 1 and self.file.document.format == "shell" and scopes.continues(line - 1):
            return None  # without it the lines around it would become one command
        return title, Span(span.start, source.offset(line + 1) if line < source.line_count else len(text)), ""
