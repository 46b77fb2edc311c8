"""`trainlint lint --add-ignores`: writing a comment for each finding that hides it from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trainlint.text import apply

if TYPE_CHECKING:
    from trainlint.cli.run import Outcome
    from trainlint.suppress import Entry


def add(outcome: Outcome, reason: str) -> int:
    """Write the comments and say what was done; 1 where something could not be hidden by a comment."""
    from trainlint import suppress
    from trainlint.fixer.write import ChangedMeanwhile, write

    hidden, files, left = 0, 0, 0
    entries: list[Entry] = []
    for source, document in outcome.documents:
        findings = [finding for finding in outcome.report.findings if finding.at.source is source]
        settings = outcome.configuration.of(source)
        base = settings.source.parent if settings.source is not None else None
        added = suppress.add(document, findings, reason, base=base)
        entries += added.entries
        left += len(added.left)
        if not added.edits:
            continue
        try:
            write(source, apply(source.text, [(edit.at.span, edit.text) for edit in added.edits]))
        except (ChangedMeanwhile, OSError) as error:
            raise click.ClickException(str(error)) from None
        files += 1
        hidden += len(findings) - len(added.left)
    click.echo(f"{hidden} finding{'s' * (hidden != 1)} hidden by comments in {files} file{'s' * (files != 1)}.")
    if entries:
        click.echo("JSON has no comments. These lines of trainlint.toml hide the rest:\n")
        for entry in entries:
            click.echo(entry.toml())
    if left:
        click.echo(f"{left} findings can be hidden by no comment in their file.")
    return int(bool(left or entries))
