"""Draw the README's picture: the terminal report of the article's example, as SVG.

python tools/picture.py            # writes docs/report.svg
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from trainlint.linter import lint
from trainlint.reporters import render
from trainlint.settings import Settings
from trainlint.text import SourceText

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "trainlint examples/article/run_pt.sh"
WIDTH = 100


def main() -> None:
    os.chdir(ROOT)
    path = COMMAND.split()[-1]
    report = lint([SourceText.load(Path(path))], Settings())
    report.findings = [finding for finding in report.findings if finding.severity == "warning"]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (COMMAND, "bold")))
    console.print(Text.from_ansi(render("text", report, color=True, width=WIDTH)))
    console.save_svg(str(ROOT / "docs" / "report.svg"), title="trainlint", unique_id="trainlint")


if __name__ == "__main__":
    main()
