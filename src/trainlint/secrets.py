"""Keys and passwords that stand in a file: told by their form, and never printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

FORMS = (
    ("a Hugging Face token", r"\bhf_[A-Za-z]{30,40}\b"),
    ("a Weights & Biases key", r"(?:WANDB_API_KEY\s*[=:]\s*[\"']?|wandb login (?:--\S+ )*)([0-9a-f]{40})\b"),
    ("an OpenAI key", r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}"),
    ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    ("an AWS access key", r"\bAKIA[0-9A-Z]{16}\b"),
)
_FORMS = [(what, re.compile(form, re.ASCII)) for what, form in FORMS]


def secrets(text: str) -> Iterator[tuple[str, int, int]]:
    """What each is, and where it begins and ends. A row of one character is a placeholder."""
    for what, form in _FORMS:
        for match in form.finditer(text):
            start, end = match.span(match.lastindex or 0)
            if len(set(text[start:end][8:])) > 3:
                yield what, start, end


def masked(text: str) -> str:
    """The text with a star for every character of a secret."""
    for _, start, end in secrets(text):
        text = text[:start] + "*" * (end - start) + text[end:]
    return text
