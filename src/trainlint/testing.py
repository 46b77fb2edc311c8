"""For the tests of rule pages and plugins: a page's tagged examples are its tests.

With pytest, in a repository whose rule pages lie in `rules/`:

    import pytest
    from trainlint.testing import RuleExample, rule_examples

    @pytest.mark.parametrize("example", rule_examples("rules"), ids=str)
    def test_rule(example: RuleExample, tmp_path):
        example.check(tmp_path)

Every failure is an `AssertionError` that says what was expected and what came. Nothing here needs pytest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trainlint.findings import SEVERITIES, Finding, Report
from trainlint.linter import Linter
from trainlint.ruleset import catalogue, pages
from trainlint.ruleset.file import Example, Rule
from trainlint.settings import Settings, SettingsError, state
from trainlint.text import SourceText, apply

NAMES = {"sh": "run.sh", "yaml": "config.yaml", "json": "config.json", "python": "train.py"}
"""What an example's file is called if the example does not say, by the language of its fence."""

STATED: Mapping[str, Callable[[str], Any]] = {
    "tokens": int, "world_size": int, "gpu": str, "gpu_memory": float, "dataset_bytes": int,
}  # fmt: skip
OPTIONS = {"name", "line", "severity", "profile", "require_reason", *STATED}

HOLE = re.compile(r"\?(?!$)|[{}]|\bNone\b|\bnan\b")
"""What a sentence for people has in it only where a value is missing."""


def findings(
    text: str, name: str = "run.sh", *, folder: Path | None = None, settings: Settings | None = None, **stated: Any
) -> list[Finding]:
    """What trainlint says of a text called `name`.

    Files that it links to are looked for in `folder`. `stated` is what options would say (`world_size=8`, `tokens=…`).
    Raises `AssertionError` where a rule, a reader or a plugin failed.
    """
    return _lint(text, name, folder, settings or Settings(stated=state(**stated))).findings


@dataclass(frozen=True)
class RuleExample:
    """One tagged example of a rule page. `before` is the *bad* example that a *fixed* one belongs to."""

    rule: Rule
    example: Example
    number: int
    before: Example | None
    rules: tuple[Path, ...]

    def __str__(self) -> str:
        return f"{self.rule.id}-{self.example.kind}-{self.number}"

    def report(self, folder: Path, example: Example | None = None, options: Mapping[str, str] | None = None) -> Report:
        """The report on the example (or another one of its page), as a file in `folder` with the page's files beside it."""
        example = example or self.example
        options = options if options is not None else example.options
        for extra in self.rule.examples:
            if extra.kind == "file":
                assert "name" in extra.options, f"{self}: a file of the page has no name="
                _write(folder / extra.options["name"], extra.text)
        name = options.get("name") or NAMES.get(example.language)
        assert name, f"{self}: no name= for a block in {example.language}"
        _write(folder / name, example.text)
        return _lint(example.text, name, folder, self._settings(options))

    def _settings(self, options: Mapping[str, str]) -> Settings:
        profile = options.get("profile", "default")
        assert profile in ("default", "strict"), f"{self}: profile={profile}"
        try:
            stated = state(**{key: kind(options[key]) for key, kind in STATED.items() if key in options})
        except (ValueError, SettingsError) as error:
            raise AssertionError(f"{self}: {error}") from None
        return Settings(
            profile="strict" if profile == "strict" else "default",
            stated=stated,
            rules=self.rules,
            require_reason="require_reason" in options,
        )

    def check(self, folder: Path) -> None:
        """Run it: *bad* yields the rule at its line, *good* does not, *fixed* is what the fix makes of *bad*."""
        unknown = set(self.example.options) - OPTIONS
        assert not unknown, f"{self}: no option of an example: {', '.join(sorted(unknown))}"
        report = self.report(folder)
        {"bad": self._bad, "good": self._good, "fixed": self._fixed}[self.example.kind](self._own(report), folder)
        for said in _said(report):
            assert said.strip(), f"{self}: something empty is said"
            hole = HOLE.search(said.replace("did you mean", ""))
            assert not hole, f"{self}: a value is missing in {said!r}"

    def _own(self, report: Report) -> list[Finding]:
        return [finding for finding in report.findings if finding.rule == self.rule.id]

    def _bad(self, found: list[Finding], folder: Path) -> None:
        assert "line" in self.example.options, f"{self}: say with line= where the finding is expected"
        line = int(self.example.options["line"])
        lines = [finding.at.start.line for finding in found]
        assert lines == [line], f"{self}: expected one finding at line {line}, found some at {lines or 'no line'}"
        severity = self.example.options.get("severity", found[0].severity)
        assert found[0].severity == severity, f"{self}: expected {severity}, found {found[0].severity}"

    def _good(self, found: list[Finding], folder: Path) -> None:
        assert not found, f"{self}: expected nothing, found {found[0].message!r} at line {found[0].at.start.line}"

    def _fixed(self, again: list[Finding], folder: Path) -> None:
        assert self.before is not None, f"{self}: there is no bad example before it"
        options = {**self.before.options, **self.example.options}
        found = self._own(self.report(folder, self.before, options))
        assert len(found) == 1, f"{self}: expected one finding in the bad example, found {len(found)}"
        fix = found[0].fix
        assert fix is not None, f"{self}: the finding in the bad example has no fix"
        assert fix.safe is self.rule.safe, f"{self}: the fix is {'safe' if fix.safe else 'unsafe'}"
        made = apply(self.before.text, [(edit.at.span, edit.text) for edit in fix.edits])
        assert made == self.example.text, f"{self}: the fix makes\n{made}\nand not\n{self.example.text}"
        again = self._own(self.report(folder, self.example, options))
        milder = [left for left in again if SEVERITIES.index(left.severity) > SEVERITIES.index(found[0].severity)]
        assert again == milder, f"{self}: the rule still fires on it: {again[0].message!r}"
        assert all(left.fix is None for left in again), f"{self}: there would be another fix on it"


def rule_examples(directory: str | os.PathLike[str]) -> list[RuleExample]:
    """The examples of every page in a rules directory. Raises `RuleError` for a page that cannot be used."""
    folder = Path(directory)
    rules = catalogue([folder])
    examples = []
    for id in pages(folder):
        bad: Example | None = None
        for number, example in enumerate(rules[id].examples, 1):
            if example.kind != "file":
                examples.append(RuleExample(rules[id], example, number, bad, (folder,)))
            if example.kind == "bad":
                bad = example
    return examples


def check_rules(directory: str | os.PathLike[str]) -> int:
    """Run every example of every page in a rules directory; their number. Raises `AssertionError` with all that failed."""
    failures = []
    examples = rule_examples(directory)
    for example in examples:
        with TemporaryDirectory(prefix="trainlint-") as folder:
            try:
                example.check(Path(folder))
            except AssertionError as failure:
                failures.append(str(failure))
    assert not failures, "\n".join(failures)
    return len(examples)


def _lint(text: str, name: str, folder: Path | None, settings: Settings) -> Report:
    report = Report()
    Linter(settings).lint(SourceText(name, text, folder / name if folder is not None else None), report)
    assert not report.internal_errors, report.internal_errors
    return report


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def _said(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield finding.message
        yield from [finding.advice] if finding.advice else []
        yield from (related.message for related in finding.related)
        if finding.fix is not None:
            yield finding.fix.title
