"""Applying fixes until nothing more applies, and keeping only those after which a new look finds the text better.

In each pass the fixes that do not touch each other are spliced in together and the result is linted. If that is not better,
the pass is halved until the fix that spoils it is found; it is dropped and the others stay. What overlapped, or reckons with
a value that another fix changes, waits for the next pass. A fix is no better if it adds a finding as severe as the one that
it mends; a milder one is the smaller evil.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from trainlint.findings import SEVERITIES, Finding
from trainlint.text import SourceText, Span, apply

MOST_PASSES = 10
UNCOVERING = ("file/", "launch/")
"""What these rules find hides the run from all others: behind their fixes, findings appear that were true all along."""
AGEING = ("arguments/version", "note")
"""A setting that newer releases spell otherwise is better than none."""
UNPARSABLE = "file/syntax-error"

Relint = Callable[[SourceText], list[Finding]]
Splices = tuple[tuple[Span, str], ...]


@dataclass(frozen=True)
class Dropped:
    """A finding whose fix was not kept, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class Fixed:
    """What became of one source: its new text, the findings whose fixes made it (in that order), and what is left."""

    source: SourceText
    text: str
    applied: tuple[Finding, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    remaining: tuple[Finding, ...] = ()
    """The findings of the new text."""
    elsewhere: tuple[Finding, ...] = ()
    """Those of them whose wanted fix lies in another file that this one names."""
    passes: tuple[Splices, ...] = ()
    """The edits of each pass, into the text that the pass before it left."""

    @property
    def changed(self) -> bool:
        return self.text != self.source.text

    @property
    def result(self) -> SourceText:
        """The new text under the old name."""
        return replace(self.source, text=self.text)


def fix(source: SourceText, relint: Relint, accept: Callable[[Finding], bool]) -> Fixed:
    """Apply the fixes of `source` that are accepted. `relint` gives the findings of a text that stands in its place.

    A fix that edits another file is left alone; its finding is among `elsewhere`.
    """
    fixing = _Fixing(source, relint)
    for _ in range(MOST_PASSES):
        wanted = [finding for finding in fixing.findings if finding.fix is not None and accept(finding)]
        if not fixing.once(wanted):
            break
    left = [finding for finding in fixing.findings if finding.fix is not None and accept(finding)]
    elsewhere = tuple(finding for finding in left if not fixing.owns(finding))
    return Fixed(
        source,
        fixing.current.text,
        tuple(fixing.applied),
        tuple(fixing.dropped),
        tuple(fixing.findings),
        elsewhere,
        tuple(fixing.passes),
    )


def fix_linked(
    fixed: Fixed, relint: Relint, hold: Callable[[SourceText], None], accept: Callable[[Finding], bool]
) -> list[Fixed]:
    """Apply the fixes that the findings of a fixed source want in files that it names, one result for each of these files.

    `relint` gives the findings of the source itself; `hold` lets a text stand for the file that it came from meanwhile.
    """

    def judged(text: SourceText) -> list[Finding]:
        hold(text)
        return relint(fixed.result)

    done = []
    sources = {edit.at.source for finding in fixed.elsewhere if finding.fix for edit in finding.fix.edits}
    for source in sorted(sources, key=lambda source: source.path):
        if source is not fixed.source and source.path != fixed.source.path:
            done.append(fix(source, judged, accept))
            hold(done[-1].result)
    return done


@dataclass
class _Fixing:
    """The text as it is so far. `current` and `findings` belong together: edits point into `current`."""

    current: SourceText
    relint: Relint
    findings: list[Finding] = field(default_factory=list)
    applied: list[Finding] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    passes: list[Splices] = field(default_factory=list)
    _tried: set[object] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.findings = self.relint(self.current)

    def owns(self, finding: Finding) -> bool:
        """Whether the fix edits this source and no other."""
        assert finding.fix is not None
        return all(edit.at.source is self.current for edit in finding.fix.edits)

    def once(self, wanted: Sequence[Finding]) -> bool:
        """One pass; False where nothing was left to try."""
        fresh = [finding for finding in wanted if self.owns(finding) and self._key(finding) not in self._tried]
        uncovering = [finding for finding in fresh if finding.rule.startswith(UNCOVERING)]
        settled = _settled(fresh)
        # the worst first, and by themselves: what a fix may uncover depends on what it mends
        worst = min((SEVERITIES.index(finding.severity) for finding in settled), default=0)
        batch = _apart(uncovering or [finding for finding in settled if SEVERITIES.index(finding.severity) == worst])
        if not batch:
            return False
        kept, result = self._best(batch, [], None)
        if result is not None:
            self.applied += kept
            self.passes.append(_splices(kept))
            self.current, self.findings = result
        return True

    def _best(
        self, batch: list[Finding], kept: list[Finding], result: _Result | None
    ) -> tuple[list[Finding], _Result | None]:
        """As many of `batch` as can be kept beside those that are kept already, and what they make of the text."""
        verdict = self._judge([*kept, *batch])
        if not isinstance(verdict, str):
            return [*kept, *batch], verdict
        if len(batch) == 1:
            self._tried.add(self._key(batch[0]))
            self.dropped.append(Dropped(batch[0], verdict))
            return kept, result
        half = len(batch) // 2
        kept, result = self._best(batch[:half], kept, result)
        return self._best(batch[half:], kept, result)

    def _judge(self, fixes: list[Finding]) -> _Result | str:
        """The text that the fixes make and its findings, or what speaks against it."""
        try:
            text = apply(self.current.text, _splices(fixes))
        except ValueError:
            return "its own edits overlap"
        if text == self.current.text:
            return "it changes nothing"
        result = replace(self.current, text=text)
        findings = self.relint(result)
        before, after = _counted(self.findings), _counted(findings)
        uncovering = all(finding.rule.startswith(UNCOVERING) for finding in fixes)
        silenced = {
            rule for each in fixes for rule in (*each.supersedes, *each.consequences)
        }  # true all along, and not said
        mildest = max(SEVERITIES.index(finding.severity) for finding in fixes)
        for rule, severity in after:
            if SEVERITIES.index(severity) > mildest or (rule, severity) == AGEING or rule in silenced:
                continue
            if after[rule, severity] > before[rule, severity] and (not uncovering or rule.startswith(UNCOVERING)):
                return "the result could not be parsed" if rule == UNPARSABLE else f"it would add {rule}"
        resolved = Counter((finding.rule, finding.severity) for finding in fixes)
        for (rule, severity), number in resolved.items():
            if after[rule, severity] > before[rule, severity] - number:
                return "it would leave the finding as it is"
        return result, findings

    def _key(self, finding: Finding) -> object:
        """A fix by what it changes and the lines it stands in, which other fixes may move."""
        assert finding.fix is not None
        edits = [
            (self.current.line(edit.at.start.line), edit.at.start.column, edit.at.text, edit.text)
            for edit in finding.fix.edits
        ]
        return finding.rule, finding.fix.title, tuple(edits)


_Result = tuple[SourceText, list[Finding]]


def _counted(findings: Iterable[Finding]) -> Counter[tuple[str, str]]:
    """How many findings of a rule are of a severity or worse."""
    return Counter(
        (finding.rule, severity)
        for finding in findings
        for severity in SEVERITIES[SEVERITIES.index(finding.severity) :]
    )


def _splices(fixes: Iterable[Finding]) -> Splices:
    return tuple((edit.at.span, edit.text) for finding in fixes if finding.fix for edit in finding.fix.edits)


def _settled(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Those whose fix reckons with nothing that the fix of another one changes; all, where each waits for another.

    A learning rate waits for the size of the step: both mended at once would mend the same thing twice.
    """
    settled = [
        finding
        for finding in findings
        if finding.fix
        and not any(other.fix and other.fix.sets & finding.fix.reads - finding.fix.sets for other in findings)
    ]
    return settled or findings


def _apart(findings: Iterable[Finding]) -> list[Finding]:
    """Those whose edits neither overlap nor touch the edits of one before them."""
    chosen: list[Finding] = []
    taken: list[Span] = []
    for finding in findings:
        spans = [span for span, _ in _splices([finding])]
        if all(span.end < other.start or other.end < span.start for span in spans for other in taken):
            chosen.append(finding)
            taken += spans
    return chosen
