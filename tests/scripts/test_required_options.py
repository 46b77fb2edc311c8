"""Options of click and typer without which they stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers_scripts import command, script

CLICK = "import click\n@click.command()\n@click.option('--lr', {})\n@click.argument('data')\ndef main(lr, data): pass\nmain()\n"
TYPER = "import typer\n\n\ndef main(data: str, lr: float = typer.Option({})):\n    pass\n\n\ntyper.run(main)\n"


@pytest.mark.parametrize(
    ("text", "line", "kinds"),
    [
        (CLICK.format("required=True"), "x", ["missing"]),
        (CLICK.format("required=True"), "x --lr 1", []),
        (CLICK.format("required=True"), "--help", []),
        (CLICK.format("required=True"), "$MORE", []),
        (CLICK.format("required=True, prompt=True"), "x", []),
        (CLICK.format("required=True, envvar='LR'"), "x", []),
        (CLICK.format("default=1"), "x", []),
        (CLICK.format("default=1"), "x y", ["unknown"]),
        (TYPER.format("..."), "x", ["missing"]),
        (TYPER.format("..."), "x --lr 1", []),
        (TYPER.format("..., envvar='LR'"), "x", []),
        (TYPER.format("0.1"), "x", []),
        (TYPER.format("0.1"), "x y", ["unknown"]),
    ],
)
def test_required(text: str, line: str, kinds: list[str], tmp_path: Path) -> None:
    assert script(tmp_path, text) is not None
    assert [issue.kind for issue in command(f"python train.py {line}", tmp_path)[1].issues] == kinds
