"""`trainlint lint --fix` and its kin: applying fixes to files, or showing what would be applied."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlint.findings import Finding
from trainlint.text import SourceText

if TYPE_CHECKING:
    from trainlint.fixer.apply import Fixed
    from trainlint.linter import Linter


@dataclass
class Fixing:
    """What the options ask for, and what came of it."""

    writes: bool
    unsafe: bool
    diff: bool
    show: bool
    done: list[Fixed] = field(default_factory=list)
    _written: dict[Path, str] = field(default_factory=dict)
    """What was written to files that are yet to be linted, because others that name them came first."""

    def check(self) -> None:
        """Raises a click error for options that make no sense together."""
        if self.unsafe and not (self.writes or self.diff):
            raise click.UsageError("--unsafe-fixes goes with --fix, --fix-only or --diff")
        if self.show and not self.writes:
            raise click.UsageError("--show-fixes goes with --fix or --fix-only")

    def apply(self, source: SourceText, linter: Linter) -> SourceText:
        """The source as it is after fixing; with --diff the file itself stays as it was."""
        if not (self.writes or self.diff):
            return source
        from trainlint.fixer.apply import fix, fix_linked
        from trainlint.fixer.write import ChangedMeanwhile, write

        source = replace(source, text=self._written.get(_place(source), source.text))
        fixed = fix(source, linter.findings, self._wanted)
        linked = fix_linked(fixed, linter.findings, linter.hold, self._wanted)
        for each in (fixed, *linked):
            if not each.changed:
                continue
            self.done.append(each)
            if self.diff:
                continue
            try:
                write(each.source, each.text)
            except (ChangedMeanwhile, OSError) as error:
                raise click.ClickException(str(error)) from None
            self._written[_place(each.source)] = each.text
            linter.hold(each.result)
        return source if self.diff else fixed.result

    def _wanted(self, finding: Finding) -> bool:
        return finding.fix is not None and (finding.fix.safe or self.unsafe)

    def print_diffs(self) -> int:
        """Print the diffs; 1 where something would change."""
        from trainlint.fixer.diff import diff

        for fixed in self.done:
            click.echo(diff(fixed.source, fixed.text), nl=False)
        click.echo(f"Would fix {self._total()}." if self.done else "Nothing to fix.", err=True)
        return int(bool(self.done))

    def print_fixes(self) -> None:
        """Say what was fixed: a list with --show-fixes, else the number."""
        if not self.writes:
            return
        if self.show:
            for fixed in self.done:
                for finding in fixed.applied:
                    title = finding.fix.title if finding.fix is not None else ""
                    click.echo(f"{fixed.source.path}: {finding.rule}: {title}")
                for dropped in fixed.dropped:
                    click.echo(f"{fixed.source.path}: {dropped.finding.rule}: not applied, {dropped.reason}")
        click.echo(f"Fixed {self._total()}." if self.done else "Nothing was fixed.", err=True)

    def _total(self) -> str:
        number, files = sum(len(fixed.applied) for fixed in self.done), len(self.done)
        return f"{_count(number, 'finding')} in {_count(files, 'file')}"


def _place(source: SourceText) -> Path:
    return Path(os.path.realpath(source.file or source.path))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
