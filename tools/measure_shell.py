"""How much of what real scripts pass does the shell reader know, and is any of it wrong? bash itself says what is right.

    python tools/measure_shell.py DIR…                  the shares, over all *.sh and *.slurm below each project directory
    python tools/measure_shell.py DIR… --list wrong     the values of one verdict: wrong, unknown, one-of, unseen

Each script is run by bash in a sandbox (``bash_sandbox.py``) in which commands are stubs that note their words. Counted are
hyper-parameters: numbers given to an argument that one of the frameworks' tables knows. A value is *equal* when the reader
says what bash passed, *wrong* when it is sure of something else, *one-of* when it names several and the right one is among
them, *unseen* when it knows of no such command, and else *unknown*. A command is compared with the one of the reader's of the
same name that agrees best with it; the values that it cannot get from one place alone, its alternatives, are taken together.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from bash_sandbox import Late, Sandbox, Unavailable
from trainlint.document import Invocation
from trainlint.readers import shell
from trainlint.readers.caller import Caller
from trainlint.text import SourceText, Unreadable

HERE = Path(__file__).resolve().parent
TABLES = HERE.parent / "src" / "trainlint" / "data" / "frameworks"

VERDICTS = ("equal", "one-of", "unknown", "unseen", "wrong")
_NUMBER = re.compile(r"-?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NAMED = re.compile(r"(?:--?|\+{0,2})(?P<name>[A-Za-z][\w.-]*)(?:=(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """What the reader says of one argument: None for a value that it does not know, and why."""

    text: str | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    script: str
    name: str
    passed: str
    verdict: str
    said: str


def known_names() -> frozenset[str]:
    """The last parts of the names of all arguments of all frameworks."""
    names = set()
    for table in TABLES.glob("*.json"):
        for section in json.loads(table.read_text("utf-8")).get("sections", {}).values():
            names |= {name.rpartition(".")[2].replace("-", "_") for name in section["arguments"]}
    return frozenset(names)


def arguments(words: Iterable[Value]) -> dict[str, Value]:
    """The value of each named argument, as written: `--lr 1`, `--lr=1`, `optim.lr=1`; of two, the last."""
    found: dict[str, Value] = {}
    for word, following in pairwise([*words, Value("")]):
        match = _NAMED.fullmatch(word.text or "")
        if match and match["value"] is not None:
            found[match["name"]] = Value(match["value"])
        elif match and (word.text or "").startswith("-"):
            found[match["name"]] = following
        elif word.text is None and (match := _NAMED.fullmatch(word.reason)) and match["value"] is not None:
            found[match["name"]] = Value(None, match["value"])
    return found


def said(invocation: Invocation) -> Iterator[tuple[dict[str, Value], Value | None]]:
    """The arguments of each alternative, and the word that may hide others."""
    for command in invocation.alternatives:
        words, hidden = [], None
        for word in command.words:
            if word.text is None:
                # what stands before the unknown part of a word tells which argument it is for
                begun = word.known_prefix if "=" in word.known_prefix else ""
                words.append(Value(None, begun or word.unknown or ""))
                hidden = Value(None, word.unknown or "") if word.several and not begun else hidden
            else:
                words.append(Value(word.text))
        yield arguments(words), hidden


def judge(name: str, passed: str, invocation: Invocation) -> tuple[str, str]:
    """The verdict on one value, and what the reader says."""
    values = []
    for found, hidden in said(invocation):
        values.append(found.get(name) or hidden or Value("", "no such argument"))
    unknown = next((value for value in values if value.text is None), None)
    texts = {value.text for value in values}
    if unknown is not None:
        return "unknown", unknown.reason
    if texts == {passed}:
        return "equal", passed
    return ("one-of" if passed in texts else "wrong"), " | ".join(sorted(str(text) for text in texts))


def compare(
    launches: list[list[str]], document: list[Invocation], names: frozenset[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Name, value, verdict and what the reader says, for each hyper-parameter of each launch."""
    free = list(document)
    for words in launches:
        passed = {
            name: value.text or ""
            for name, value in arguments(map(Value, words[1:])).items()
            if len(name) > 1
            and re.split(r"[.]", name)[-1].replace("-", "_") in names
            and _NUMBER.fullmatch(value.text or "")
        }
        if not passed:
            continue
        same = [each for each in free or document if _may_be(each, words[0])] or [
            each for each in document if _may_be(each, words[0])
        ]
        judged = [
            (invocation, [(name, text, *judge(name, text, invocation)) for name, text in passed.items()])
            for invocation in same
        ]
        if not judged:
            yield from ((name, text, "unseen", words[0]) for name, text in passed.items())
            continue
        best, rows = max(judged, key=lambda pair: sum((row[2] == "equal") - (row[2] == "wrong") for row in pair[1]))
        yield from rows
        free = [each for each in free if each is not best]


def _may_be(invocation: Invocation, name: str) -> bool:
    spelled = {command.name.text for command in invocation.alternatives}
    return None in spelled or PurePosixPath(name).name in {PurePosixPath(text or "").name for text in spelled}


def measure(sandbox: Sandbox, project: Path, names: frozenset[str], assume: bool) -> Iterator[Row | str]:
    """The rows of a project's scripts, and what became of the scripts that give none."""
    for script in sorted([*project.rglob("*.sh"), *project.rglob("*.slurm")]):
        called = f"{project.name}/{script.relative_to(project)}"
        try:
            source = SourceText.load(script, called)
            launches = sandbox.commands(project, script)
        except Late:
            yield "did not end in time"
            continue
        except (Unreadable, OSError):
            yield "cannot be read"
            continue
        document = shell.read(source, Caller(unset_is_empty=assume))
        rows: list[Row | str] = [Row(called, *row) for row in compare(launches, document.invocations, names)]
        yield from rows or ["no hyper-parameters" if launches else "starts nothing"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("projects", nargs="+", type=Path, metavar="DIR", help="the work tree of a project")
    parser.add_argument("--assume-unset-empty", action="store_true", help="as the option of trainlint")
    parser.add_argument(
        "--list", action="append", choices=VERDICTS, help="print the values of this verdict (repeatable)"
    )
    options = parser.parse_args(argv)
    names = known_names()
    total: Counter[str] = Counter()
    others: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory))
        for project in options.projects:
            counts: Counter[str] = Counter()
            scripts = set()
            try:
                for row in measure(sandbox, project, names, options.assume_unset_empty):
                    if isinstance(row, str):
                        others[row] += 1
                        continue
                    scripts.add(row.script)
                    counts[row.verdict] += 1
                    if row.verdict in (options.list or ()):
                        reasons[row.said] += 1
                        print(f"{row.script}: {row.verdict} {row.name} {row.passed} · {row.said}")
            except Unavailable as error:
                print(f"error: scripts are run in a sandbox only, and this machine has none: {error}", file=sys.stderr)
                return 2
            total += counts
            print(_line(project.name, counts, len(scripts)))
    print(_line("all", total))
    print("scripts without any:", ", ".join(f"{count} {kind}" for kind, count in others.most_common()) or "none")
    for reason, count in reasons.most_common(40):
        print(f"{count:6} {reason}")
    return 0


def _line(name: str, counts: Counter[str], scripts: int | None = None) -> str:
    every = counts.total() or 1
    shares = " ".join(f"{verdict} {100 * counts[verdict] / every:.2f} %" for verdict in VERDICTS)
    return f"{name}: {counts.total()} values{f' in {scripts} scripts' if scripts is not None else ''}: {shares}"


if __name__ == "__main__":
    sys.exit(main())
