"""Edits of Python and notebooks: one literal or one keyword, and everything else as it was."""

from __future__ import annotations

import json

import pytest

from helpers_fixes import changed

HEAD = "from transformers import TrainingArguments as T\n"


def notebook(code: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": code.splitlines(keepends=True)}]}, indent=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("T('o', learning_rate=2e-5)\n", "T('o', learning_rate=1e-4)\n"),
        ("lr = 2e-5  # 学习率\nT('o', learning_rate=lr)\n", "lr = 1e-4  # 学习率\nT('o', learning_rate=lr)\n"),
        ("k = dict(learning_rate=2e-5)\nT('o', **k)\n", "k = dict(learning_rate=1e-4)\nT('o', **k)\n"),
        ("a = T('o')\na.learning_rate = 2e-5\n", "a = T('o')\na.learning_rate = 1e-4\n"),
        ("lr = 2e-5\nT('o', learning_rate=lr * 2)\n", None),
        ("lr = 2e-5\nT('o', learning_rate=lr, weight_decay=lr)\n", None),
        ("lr = 2e-5\nT('o', learning_rate=lr)\nother(lr)\n", None),
        ("lr = 2e-5\nT(f'o{lr}', learning_rate=lr)\n", None),
        ("lr = 2e-5\nT('o', learning_rate=lr)\n[x.y(lr) for x in z]\n", None),
        ("T('o', learning_rate=rate())\n", None),
    ],
)  # fmt: skip
def test_another_value(before: str, after: str | None) -> None:
    assert changed(HEAD + before, "learning_rate", "1e-4", "train.py") == (HEAD + after if after is not None else None)
    wanted = notebook(HEAD + after) if after is not None else None
    assert changed(notebook(HEAD + before), "learning_rate", "1e-4", "train.ipynb") == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("T('o', learning_rate=1)\n", "T('o', learning_rate=1, weight_decay=0.1)\n"),
        ("T(\n    'o',\n    learning_rate = 1,  # high\n    seed=1,\n)\n",
         "T(\n    'o',\n    learning_rate = 1,  # high\n    weight_decay = 0.1,\n    seed=1,\n)\n"),
        ("T(\r\n  learning_rate=1,\r\n)\r\n", "T(\r\n  learning_rate=1,\r\n  weight_decay=0.1,\r\n)\r\n"),
        ("T(\n    learning_rate=1\n)\n", "T(\n    learning_rate=1, weight_decay=0.1\n)\n"),
        ("T('o')\n", None),
        ("T('o', learning_rate=1, **more)\n", None),
    ],
)  # fmt: skip
def test_another_keyword(before: str, after: str | None) -> None:
    assert changed(HEAD + before, "weight_decay", "0.1", "train.py") == (HEAD + after if after is not None else None)


def test_a_keyword_in_a_notebook_stays_on_its_line() -> None:
    before = HEAD + "T(\n    learning_rate=1,\n)\n"
    after = HEAD + "T(\n    learning_rate=1, weight_decay=0.1,\n)\n"
    assert changed(notebook(before), "weight_decay", "0.1", "train.ipynb") == notebook(after)


def test_text_keeps_its_quotes() -> None:
    for quote in "'\"":
        before = f"{HEAD}T('o', save_strategy={quote}no{quote})\n"
        assert changed(before, "save_strategy", "epoch", "a.py") == before.replace(f"{quote}no", f"{quote}epoch")
    before, after = (f'{HEAD}T("o", save_strategy={text})\n' for text in ('"no"', "'epoch'"))
    assert changed(notebook(before), "save_strategy", "epoch", "a.ipynb") == notebook(after)
