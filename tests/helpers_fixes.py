"""Fixing texts as the command line does: the linter before and after, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from helpers_runs import launches
from trainlint.findings import Finding, Report
from trainlint.fixer import change
from trainlint.fixer.apply import Fixed, fix
from trainlint.linter import Linter
from trainlint.settings import Settings
from trainlint.text import SourceText, apply


def relint(linter: Linter) -> Callable[[SourceText], list[Finding]]:
    def findings(source: SourceText) -> list[Finding]:
        report = Report()
        linter.lint(source, report)
        assert not report.internal_errors, report.internal_errors
        return report.findings

    return findings


def fixed(source: SourceText, settings: Settings | None = None, *, unsafe: bool = True) -> Fixed:
    """The source with its fixes applied; everything outside their edits must have stayed."""
    linter = Linter(settings or Settings())
    result = fix(source, relint(linter), lambda finding: finding.fix is not None and (unsafe or finding.fix.safe))
    text = source.text
    for splices in result.passes:
        text = apply(text, splices)
    assert text == result.text
    return result


def changed(text: str, fact: str, value: str, name: str = "run.sh", *, folder: Path | None = None) -> str | None:
    """The text after the edit that sets a fact of its first run, or None where there is no such edit."""
    (launch, *_) = launches(text, name, folder=folder)
    edit = change(launch.first, fact, value)
    return None if edit is None else apply(text, [(edit.at.span, edit.text)])
