"""Reports as text: one module for each format, each a pure function from a `Report` and a `Style` to a string."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TextIO

from trainlint import plugins
from trainlint.findings import Report
from trainlint.reporters.outputs import Output, ReporterError, outputs, write
from trainlint.reporters.style import WIDTH, Style

__all__ = [
    "FORMATS",
    "WIDTH",
    "Output",
    "ReporterError",
    "Style",
    "formats",
    "outputs",
    "render",
    "wants_color",
    "write",
]

FORMATS = {
    "text": "trainlint.reporters.text",
    "concise": "trainlint.reporters.concise",
    "json": "trainlint.reporters.json_report",
    "json-lines": "trainlint.reporters.json_lines",
    "sarif": "trainlint.reporters.sarif",
    "github": "trainlint.reporters.github",
    "github-summary": "trainlint.reporters.github_summary",
    "gitlab": "trainlint.reporters.gitlab",
    "junit": "trainlint.reporters.junit",
    "markdown": "trainlint.reporters.markdown",
    "html": "trainlint.reporters.html_report",
}
"""The name of a format, and the module whose `render(report, style)` writes it (imported only when it is wanted)."""


def formats() -> list[str]:
    """The names of all formats, those of plugins last."""
    return [*FORMATS, *plugins.offered("reporters", FORMATS)]


def render(
    name: str,
    report: Report,
    *,
    color: bool = False,
    width: int = WIDTH,
    quiet: bool = False,
    suppressed: bool = False,
) -> str:
    """The report in the format `name`, one of `formats()`; every line ends in a line break.

    Raises `ReporterError` for a plugin's format that fails.
    """
    style = Style(color, width, quiet, suppressed)
    try:
        writer = import_module(FORMATS[name]).render if name in FORMATS else plugins.offered("reporters", FORMATS)[name]
        text: str = writer(report, style)
    except plugins.PluginError as error:
        raise ReporterError(str(error)) from None
    return text


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`: as NO_COLOR and FORCE_COLOR say, otherwise if it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()
