"""What the documentation shows is what the program prints, and its commands are real."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from trainlint.cli import cli

ROOT = Path(__file__).parents[1]
CONSOLE = re.compile(r"^```console\n\$ (.+?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = [
    match.groups()
    for page in PAGES
    for match in CONSOLE.finditer(page.read_text("utf-8"))
    if not match[1].startswith("trainlint verify")  # its numbers are measured anew each time
]


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_the_pages_show_real_output(command: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    program, *arguments = shlex.split(command)
    assert program == "trainlint"
    output = CliRunner().invoke(cli, arguments).output
    at = 0
    for block in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE):
        found = output.find(block, at)
        assert found >= 0, f"not in the output of {command}:\n{block}\n---\n{output}"
        at = found + len(block)


def test_the_pages_have_something_to_show() -> None:
    assert len(SHOWN) >= 12


def test_links_and_files_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_two_commands_name_real_things() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "pip install . && .venv/bin/trainlint examples/article/run_pt.sh" in text
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_rule_in_the_documentation_is_a_rule_that_does_what_it_says() -> None:
    from helpers_runs import findings
    from trainlint.ruleset.file import parse

    page = re.search(
        r"^````markdown\n(.*?)^````", (ROOT / "docs" / "rules.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert page is not None
    rule = parse(page[1], "house/seed")
    bad, good = rule.examples
    assert (bad.kind, good.kind) == ("bad", "good")
    assert rule.limits == {"wanted": 42}
    assert "--seed 7" in bad.text
    assert findings(good.text) is not None
