"""Reports as text: one module for each format, each a pure function from a `Report` to a string."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TextIO

from trainlint.findings import Report

FORMATS = {"text": "text", "json": "json_report", "sarif": "sarif"}
"""The name of a format, and the module that writes it (imported only when it is wanted)."""

WIDTH = 100
"""Columns of a text report whose reader's width is not known."""


def render(name: str, report: Report, *, color: bool = False, width: int = WIDTH) -> str:
    """The report in the format `name`, ending in a line break. Only the format for people has colour and a width."""
    module = import_module(f"{__name__}.{FORMATS[name]}")
    text: str = module.render(report, color=color, width=width) if name == "text" else module.render(report)
    return text


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`: as NO_COLOR and FORCE_COLOR say, otherwise if it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()
