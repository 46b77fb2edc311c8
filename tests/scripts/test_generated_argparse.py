"""Scripts that nobody wrote: what is said of a command line is what argparse itself does with it."""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from helpers_scripts import command, rejected, spoken
from trainlint.dialects.declared import Declared
from trainlint.facts import Arguments, Unknown

HEAD = """\
import argparse


def odd(text):
    if len(text) % 2 == 0:
        raise ValueError(text)
    return text


"""
FLAGS = ("--lr", "--lr-rate", "--learning_rate", "--batch-size", "--batch", "--data", "--data-dir", "--no-fast", "--fast",
         "-b", "-x", "--seed", "--model_name")  # fmt: skip
VALUES = ("1", "2", "8", "0.5", "1e-3", "-1", "-0.5", "linear", "cosine", "true", "False", "", "a b", "abc")
TAKING = {
    "type": ("int", "float", "str", "bool", "odd", "lambda text: text.lower()"),
    "nargs": ("'?'", "'*'", "'+'", "2", "1"),
    "choices": ("['linear', 'cosine']", "range(1, 5)", "[1, 2, 4]", "('1', '2')"),
    "default": ("1", "0.5", "'2'", "'linear'", "[1, 2]", "None", "1 << 3"),
    "const": ("3",),
    "required": ("True", "False"),
}
BARE = ("store_true", "store_false", "count", "store_const", "append_const", "argparse.BooleanOptionalAction")


@st.composite
def options(draw: st.DrawFn) -> str:
    """One `add_argument(…)` with some of its keywords."""
    flags = draw(st.lists(st.sampled_from(FLAGS), min_size=1, max_size=2, unique=True))
    said: dict[str, str] = {}
    action = draw(st.sampled_from((None, None, None, "append", "extend", *BARE)))
    if action is not None:
        said["action"] = action if "." in action else repr(action)
    if action in ("store_const", "append_const"):
        said["const"] = "3"
    if action not in BARE:
        for keyword in draw(st.lists(st.sampled_from(sorted(TAKING)), max_size=3, unique=True)):
            said[keyword] = draw(st.sampled_from(TAKING[keyword]))
    elif draw(st.booleans()):
        said["default"] = draw(st.sampled_from(("None", "True", "False", "3")))
    if draw(st.integers(0, 9)) == 0:
        said["dest"] = "'other'"
    return ", ".join([*(repr(flag) for flag in flags), *(f"{key}={value}" for key, value in said.items())])


@st.composite
def parsers(draw: st.DrawFn, name: str = "parser", nested: bool = True) -> list[str]:
    """The lines that make a parser called `name`."""
    lines = []
    listed = draw(st.lists(options(), min_size=1, max_size=4))
    made = draw(st.sampled_from(("", "", "allow_abbrev=False", "parents=[base]" if nested else "")))
    if "parents" in made:
        lines += ["base = argparse.ArgumentParser(add_help=False)", f"base.add_argument({listed.pop()})"]
    if nested:
        lines.append(f"{name} = argparse.ArgumentParser({made})")
    groups = (name, name, name, f"{name}.add_argument_group('g')", "single")
    for line in listed:
        group = draw(st.sampled_from(groups))
        if group == "single" and "single = " not in "".join(lines):
            lines.append(
                f"single = {name}.add_mutually_exclusive_group({draw(st.sampled_from(('', 'required=True')))})"
            )
        lines.append(f"{group}.add_argument({line})")
    if draw(st.integers(0, 4)) == 0:
        count = draw(st.sampled_from(("", ", nargs='?'", ", nargs='*'", ", nargs=2", ", type=int")))
        lines.append(f"{name}.add_argument('words'{count})")
    if draw(st.integers(0, 4)) == 0:
        lines.append(f"{name}.set_defaults(lr=7, fast=None)")
    if nested and draw(st.integers(0, 2)) == 0:
        lines.append(f"commands = {name}.add_subparsers({draw(st.sampled_from(('', 'required=True')))})")
        for each in ("train", "test"):
            lines.append(f"sub = commands.add_parser('{each}')")
            lines += [line.replace("single", f"single_{each}") for line in draw(parsers("sub", False))]
    return lines


LINES = st.lists(
    st.one_of(
        st.sampled_from(FLAGS),
        st.sampled_from(FLAGS).map(lambda flag: flag[:6]),
        st.builds("{}={}".format, st.sampled_from(FLAGS), st.sampled_from(VALUES)),
        st.sampled_from((*VALUES, "train", "test", "--nobody", "-b4")),
        st.builds(lambda flag, value: f"{flag}\0{value}", st.sampled_from(FLAGS), st.sampled_from(VALUES)),
        st.builds(lambda flag, value: f"{flag}\0{value}", st.sampled_from(FLAGS), st.sampled_from(VALUES)),
    ),
    max_size=4,
).map(lambda words: [part for word in words for part in word.split("\0")])


def real_parser(text: str) -> argparse.ArgumentParser | None:
    """The parser of a script of our own; None where argparse does not take its declarations."""
    names: dict[str, Any] = {}
    try:
        exec(compile(text, "train.py", "exec"), names)
    except (ValueError, TypeError, argparse.ArgumentError, AttributeError):
        return None
    parser = names["parser"]
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def parsed(parser: argparse.ArgumentParser, line: list[str]) -> dict[str, Any] | None:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return vars(parser.parse_args(line))
        except SystemExit:
            return None


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(parsers(), st.lists(LINES, min_size=1, max_size=6))
def test_what_argparse_does(declared: list[str], lines: list[list[str]]) -> None:
    text = HEAD + "\n".join(declared) + "\n"
    parser = real_parser(text)
    if parser is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(text + "args = parser.parse_args()\n", "utf-8")
        for line in lines:
            own, arguments = command(f"python train.py {spoken(line)}", Path(folder))
            assert own is not None
            assert own.closed or "add_subparsers" in text  # words of its own before its commands leave it open
            with contextlib.suppress(AttributeError, TypeError):  # a default that its own action or type cannot handle
                judge(text, line, own, arguments, parsed(parser, line))


def judge(text: str, line: list[str], own: Declared, arguments: Arguments, real: dict[str, Any] | None) -> None:
    said = [issue.message for issue in arguments.issues]
    event("refused" if real is None else "taken")
    if real is not None:
        assert not rejected(arguments), (text, line, said, real)
        compare(text, line, own, arguments, real)
    elif own.closed and not untold(text):
        assert rejected(arguments), (text, line)


def untold(text: str) -> bool:
    """May it refuse what nobody can see: in functions of its own, groups of which one is needed, words that are missing?"""
    return any(mark in text for mark in ("type=odd", "type=lambda", "required=True", "'words'"))


def compare(text: str, line: list[str], own: Declared, arguments: Arguments, real: dict[str, Any]) -> None:
    specs = {d.name: d for level in own.levels for d in level.parser.declarations.values()}
    shared = [d.dest for d in specs.values()]
    for name, declaration in specs.items():
        argument = arguments.given.get(name)
        switches_off = "action='store_false'" in (declaration.at.text if declaration.at is not None else "")
        if declaration.dest not in real or shared.count(declaration.dest) > 1 or switches_off:
            continue
        if argument is None:
            with contextlib.suppress(Unknown):
                default = own.schema.default(name)[0]
                assert same(default, real[declaration.dest]), (text, line, name, default, real)
        elif argument.unknown is None and argument.value is not True:
            assert same(argument.value, real[declaration.dest]), (text, line, name, argument.value, real)


def same(ours: Any, real: Any) -> bool:
    return ours == real or (isinstance(real, list | range) and (ours == list(real) or [ours] == real))
