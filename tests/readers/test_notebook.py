"""Notebooks are read as the program that their cells are, and places are those of the notebook's own text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlint.document import Call, Document
from trainlint.readers.python import plain
from trainlint.readers.python.notebook import read
from trainlint.text import SourceText


def notebook(*cells: str, ascii: bool = False, lines: bool = True, indent: int | None = 1) -> str:
    """A notebook of code cells as Jupyter writes it."""
    content = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "source": cell.splitlines(keepends=True) if lines else cell,
        }
        for cell in cells
    ]
    return json.dumps({"cells": content, "nbformat": 4}, ensure_ascii=ascii, indent=indent)


def parsed(text: str) -> Document:
    return read(SourceText("a.ipynb", text))


def calls(text: str) -> list[Call]:
    return [call for call in parsed(text).calls if call.function.name == "f"]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("ascii", [True, False])
def test_values_stand_where_they_stand_in_the_json(lines: bool, ascii: bool) -> None:
    text = notebook("lr = 2e-5\n", "# 学习率 😀\nx = 'a\\\\b'\nf('学\"😀', lr=lr,\n  n = -3)", lines=lines, ascii=ascii)
    (call,) = calls(text)
    assert call.keywords["n"].at.text == "-3"
    assert call.keywords["lr"].key.text == "lr"
    literal = call.keywords["lr"].value.origin.literal
    assert literal is not None
    assert literal.text == "2e-5"
    assert plain(call.positional[0]) == '学"😀'
    assert call.positional[0].origin.at is not None
    assert json.loads(f'"{call.positional[0].origin.at.text}"') == "'学\"😀'"
    if lines:
        assert call.keywords["n"].at.start.line == literal.start.line + 11
        assert text.splitlines()[literal.start.line - 1][literal.start.column - 1 :].startswith("2e-5")


@given(st.lists(st.text("aä学😀'\"\\\n\t /"), max_size=4), st.booleans(), st.booleans())
def test_every_string_is_found_at_its_place(texts: list[str], ascii: bool, lines: bool) -> None:
    code = "\n".join(f"f({text!r})" for text in texts)
    found = calls(notebook(code, ascii=ascii, lines=lines))
    assert [plain(call.positional[0]) for call in found] == texts
    for call, text in zip(found, texts, strict=True):
        at = call.positional[0].origin.at
        assert at is not None
        assert json.loads(f'"{at.text}"') == repr(text)


@pytest.mark.parametrize(
    "cell",
    [
        "!pip install x \\\n  --upgrade\nlr = 3",
        "%matplotlib inline\nlr = 3",
        "if True:\n    !ls\n    lr = 3",
        "files = !ls\nlr = 3",
        "%%capture\nlr = 3",
        "f?\nlr = 3",
        "await g()\nlr = 3",
    ],
)
def test_what_is_said_to_ipython_is_passed_over(cell: str) -> None:
    document = parsed(notebook(cell, "f(lr)"))
    assert document.problems == []
    assert plain(document.calls[-1].positional[0]) == 3


@pytest.mark.parametrize("magic", ["%%bash", "%%writefile a.py", "%%html", " %%sh"])
def test_cells_of_other_languages_are_passed_over(magic: str) -> None:
    assert parsed(notebook(f"{magic}\nf(1)")).calls == []


def test_a_cell_that_does_not_parse_hides_no_other() -> None:
    document = parsed(notebook("pip install x", "y = f?g", "f(1)"))
    assert document.problems == []
    assert len(document.calls) == 1


def test_a_cell_that_trains_must_parse() -> None:
    document = parsed(notebook("x = = Trainer()", "f(1)"))
    (problem,) = document.problems
    assert (problem.kind, problem.at.text) == ("file/syntax-error", "=")


def test_comments_are_found() -> None:
    document = parsed(notebook('x = 1  # say "学" 😀\n# two\n', ascii=True))
    assert [json.loads(f'"{document.source[span]}"') for span in document.comments] == ['# say "学" 😀', "# two"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"cells": 1}',
        '{"cells": [1, {"source": 3, "cell_type": "code"}]}',
        '{"cells": [{"cell_type": "code", "source": [1]}]}',
    ],
)
def test_what_is_no_notebook_has_no_calls(text: str) -> None:
    assert parsed(text).calls == []
