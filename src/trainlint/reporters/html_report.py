"""One page for a browser that needs nothing else: no scripts, nothing from the network, light and dark as the reader likes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from trainlint import __version__
from trainlint.findings import Finding, Fix, Report, RuleInfo
from trainlint.reporters.changes import by_source, changes
from trainlint.reporters.places import relative, usable
from trainlint.reporters.style import Style
from trainlint.reporters.summary import by_file, gaps, scene, verdict
from trainlint.reporters.terminal import one_line, visible
from trainlint.text import Location

AROUND = 1
"""Lines shown before and after the one that a finding points at."""
LONGEST_LINE = 400
"""Characters of a line on either side of what is marked."""
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --page: #fff; --box: #f6f8fa; --line: #d0d7de; --faint: #59636e;
  --link: #0550ae; --error: #b3261e; --warning: #8a5a00; --note: #0b6477; --mark: #ffe8a3; --gone: #b3261e; --new: #116329 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --page: #16181c; --box: #1f2228; --line: #3a3f47;
  --faint: #9aa4af; --link: #79b8ff; --error: #ff8a80; --warning: #f2c14e; --note: #6fd3e6; --mark: #5c4a12;
  --gone: #ff8a80; --new: #7ee2a0 } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--page) }
a { color: var(--link) } h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 0 }
code, pre { font: 0.85rem/1.5 ui-monospace, monospace } pre { margin: 0; overflow-x: auto; tab-size: 4 }
dl { display: grid; grid-template-columns: 4rem 1fr; margin: 0 } dt { color: var(--faint) } dd { margin: 0 }
article { border: 1px solid var(--line); border-left: 4px solid var(--level); border-radius: 6px; margin: 1rem 0;
  padding: 0.8rem 1rem } article > * + * { margin-top: 0.6rem }
.error { --level: var(--error) } .warning { --level: var(--warning) } .note { --level: var(--note) }
.level { color: var(--level) } .faint, .place { color: var(--faint) } .faint { font-weight: normal } .place { font-size: 0.85rem }
.code { background: var(--box); border-radius: 4px; padding: 0.4rem 0.6rem }
mark { background: var(--mark); color: inherit; border-bottom: 2px solid var(--level) } del { color: var(--gone) }
ins { color: var(--new) } del, ins { text-decoration: none } summary { cursor: pointer }
@media print { article { break-inside: avoid } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Report, style: Style) -> str:
    """ASCII only (other characters as references), so that no console encoding can break it."""
    sentence, more = verdict(report)
    fired = {finding.rule for finding in report.findings}
    pages = {rule.id: rule for rule in report.rules if rule.id in fired}
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>trainlint: {_text(sentence)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{_text(sentence)}</h1>\n<p>{_text(more)}</p>",
    ]
    for path, findings in by_file(report.findings).items():
        lines.append(f"<section>\n<h2>{_text(relative(path))}</h2>")
        lines += [_finding(finding, pages) for finding in findings]
        lines.append("</section>")
    lines += _remarks(report)
    lines += _rules(pages.values())
    lines.append(f'<p class="faint">trainlint {_text(__version__)}</p>\n</body>\n</html>')
    return "\n".join(lines).encode("ascii", "xmlcharrefreplace").decode("ascii") + "\n"


def _text(raw: str) -> str:
    return escape(one_line(raw))


def _code(raw: str) -> str:
    """As it stands, blanks included."""
    return escape("\t".join(map(visible, raw.split("\t"))))


# -------------------------------------------------------------------------------------------------------- a finding


def _finding(finding: Finding, pages: dict[str, RuleInfo]) -> str:
    name = f"<code>{_text(finding.rule)}</code>"
    rule = f'<a href="#{_anchor(finding.rule)}">{name}</a>' if finding.rule in pages else name
    doubt = "" if finding.confidence == "high" else f' <span class="faint">{finding.confidence} confidence</span>'
    parts = [
        f'<h3><span class="level">{finding.severity}</span> {rule}{doubt}</h3>',
        f"<p>{_text(finding.message)}</p>",
        f'<div class="place">{_place(finding.at)}</div>',
        f'<pre class="code">{_excerpt(finding.at)}</pre>',
    ]
    origins = [f"<div>{_place(related.at)} {_text(related.message)}</div>" for related in finding.related]
    rows = [("from", "".join(origins))] if origins else []
    rows += [(label, _text(said)) for label, said in (("why", finding.why), ("help", finding.advice)) if said.strip()]
    if finding.fix is not None:
        rows.append(("fix", "\n".join(_fix(finding.fix))))
    if rows:
        parts.append(f"<dl>{''.join(f'<dt>{label}</dt><dd>{said}</dd>' for label, said in rows)}</dl>")
    return "\n".join([f'<article class="{finding.severity}">', *parts, "</article>"])


def _place(at: Location) -> str:
    return f"<code>{_text(relative(at.source.path))}:{at.start.line}:{at.start.column}</code>"


def _excerpt(at: Location) -> str:
    """The first line of a place with what it points at marked, between its neighbours."""
    at = usable(at)
    first, last = at.start.line, at.source.text.count("\n") + 1
    shown = range(max(1, first - AROUND), min(last, first + AROUND) + 1)
    gutter = len(str(shown[-1]))
    return "\n".join(
        f'<span class="faint">{number:>{gutter}}</span>  '
        + (_marked(at) if number == first else _cut(at.source.line(number), 0, LONGEST_LINE))
        for number in shown
    )


def _marked(at: Location) -> str:
    line, start = at.source.line(at.start.line), at.start.column - 1
    end = at.end.column - 1 if at.end.line == at.start.line else len(line)
    before = _cut(line[:start], max(0, start - LONGEST_LINE), start)
    marked, after = _cut(line[start:end], 0, LONGEST_LINE), _cut(line[end:], 0, LONGEST_LINE)
    return f"{before}<mark>{marked}</mark>{after}" if marked else before + after


def _cut(line: str, start: int, end: int) -> str:
    return "…" * (start > 0) + _code(line[start:end]) + "…" * (end < len(line))


def _fix(fix: Fix) -> Iterator[str]:
    yield _text(fix.title) + ("" if fix.safe else ' <span class="faint">(unsafe)</span>')
    for source, edits in by_source(fix.edits).items():
        tags = {"-": "del", "+": "ins"}
        lines = [
            f"<{tags[sign]}>{sign} {_cut(line, 0, LONGEST_LINE)}</{tags[sign]}>"
            for sign, line in changes(source, edits)
        ]
        if lines:
            yield f'<div class="place">{_place(edits[0].at)}</div><pre class="code">{chr(10).join(lines)}</pre>'


# ------------------------------------------------------------------------------------------------- what else is said


def _remarks(report: Report) -> Iterator[str]:
    errors = [f"{_text(scene(error))}: {_text(error.message)}" for error in report.internal_errors]
    skipped = [f"<code>{_text(relative(file.path))}</code>: {_text(file.reason)}" for file in report.skipped]
    for title, entries in (
        ("Internal errors, please report", errors),
        ("Not evaluated", [_text(gap) for gap in gaps(report)]),
        ("Not linted", skipped),
    ):
        if entries:
            yield f"<h2>{title}</h2>\n<ul>" + "".join(f"<li>{entry}</li>" for entry in entries) + "</ul>"


def _rules(rules: Iterable[RuleInfo]) -> Iterator[str]:
    for number, rule in enumerate(rules):
        if number == 0:
            yield "<h2>The rules</h2>"
        yield f'<details id="{_anchor(rule.id)}"><summary><code>{_text(rule.id)}</code> {_text(rule.title)}</summary>'
        yield f"<p>{_text(rule.summary)}</p>"
        if rule.sources:
            yield f"<ul>{''.join(f'<li>{_linked(source)}</li>' for source in rule.sources)}</ul>"
        if rule.markdown.strip():
            yield f'<pre class="code">{chr(10).join(map(_code, rule.markdown.strip().splitlines()))}</pre>'
        yield "</details>"


def _anchor(rule: str) -> str:
    return "rule-" + re.sub(r"[^A-Za-z0-9-]", "-", rule)


def _linked(raw: str) -> str:
    """With its web addresses as links."""
    text, at, parts = one_line(raw), 0, []
    for match in LINK.finditer(text):
        parts.append(f'{escape(text[at : match.start()])}<a href="{escape(match[0])}">{escape(match[0])}</a>')
        at = match.end()
    return "".join(parts) + escape(text[at:])
