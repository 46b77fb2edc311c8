"""A rule is one Markdown file: title and prose, one `toml rule` fence, and tagged examples that are its tests.

Pages may come from a stranger's repository, so all that they hold is bounded: the size of a page and of its tables, and the
characters, none of which may command a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainlint.derive.vocabulary import FACTS
from trainlint.findings import RuleInfo, Severity
from trainlint.ruleset.expressions import Expression, RuleError, Template, unknown_names
from trainlint.ruleset.markdown import Fence, Unclosed, split

MAX_PAGE = 128_000
"""Bytes of a page."""
MAX_TABLE = 32_000
"""Characters of a `toml rule` fence."""
COMMANDS_TERMINALS = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff]")
"""Control characters, and those that turn the direction of what follows."""
TABLE = ("toml", "rule")


T = TypeVar("T")
Few = Annotated[T, Field(max_length=128)]


class Source(BaseModel):
    """Where a claim or a threshold comes from."""

    model_config = ConfigDict(extra="forbid")
    claim: str
    cite: str
    strength: Literal["strong", "moderate", "weak"]


class _Clause(BaseModel):
    """What a rule and each of its cases may say; a case inherits what it leaves out."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    severity: Severity | None = None
    for_: str | Few[list[str]] | None = Field(default=None, alias="for")
    let: Few[dict[str, str]] = {}
    when: str | None = None
    message: str | None = None
    advice: str | None = None
    at: Few[list[str]] | None = None
    fix: Few[dict[str, str]] | None = None
    strict_severity: Severity | None = None
    supersedes: Few[list[str]] | None = None
    consequences: Few[list[str]] | None = None


class _RuleTable(_Clause):
    applies: Few[dict[str, list[Any]]] = {}
    check: str | None = None
    why: str = ""
    tags: Few[list[str]] = []
    safe: bool = False
    strict_only: bool = False
    limits: Few[dict[str, Any]] = {}
    case: Few[list[_Clause]] = []
    source: Few[list[Source]] = []


@dataclass(frozen=True)
class Case:
    """One way in which a rule can fire, with everything inherited and parsed."""

    severity: Severity
    strict_severity: Severity
    dialects: tuple[str, ...]
    let: dict[str, Expression]
    when: Expression
    message: Template
    advice: Template
    at: tuple[str, ...]
    fix: dict[str, Template]
    supersedes: tuple[str, ...]
    consequences: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """A tagged code block: `kind` is bad, good, fixed or file, `language` that of its fence, `options` its further words.

    A `file` (with a `name` among its options) lies beside every example of its page.
    """

    kind: str
    language: str
    text: str
    options: dict[str, str]


@dataclass(frozen=True)
class Rule:
    """A rule as its page defines it. `limits` are its thresholds, `strict` those of the strict profile."""

    id: str
    title: str
    markdown: str
    applies: dict[str, tuple[Any, ...]]
    check: str | None
    why: str
    tags: tuple[str, ...]
    safe: bool
    strict_only: bool
    limits: dict[str, Any]
    strict: dict[str, Any]
    cases: tuple[Case, ...]
    sources: tuple[Source, ...]
    examples: tuple[Example, ...] = field(default=(), compare=False)

    @property
    def severity(self) -> Severity:
        """The worst that the rule can say."""
        order: tuple[Severity, ...] = ("error", "warning", "note")
        return min((case.severity for case in self.cases), key=order.index)

    @property
    def silences(self) -> tuple[str, ...]:
        """The rules that one of its cases supersedes or has for consequences."""
        return tuple(dict.fromkeys(other for case in self.cases for other in (*case.supersedes, *case.consequences)))

    @cached_property
    def _pieces(self) -> list[str | Fence]:
        return split(self.markdown)

    @cached_property
    def prose(self) -> str:
        """The page without its machine-readable fences: what a reader wants to see."""
        text = ""
        for piece in self._pieces:
            if isinstance(piece, str):
                text += piece
            elif piece.words[:2] != TABLE:
                text += f"{piece.marker}{piece.words[0] if piece.words else ''}\n{piece.body}{piece.marker}\n"
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    @cached_property
    def summary(self) -> str:
        """The first paragraph under the title."""
        body = "".join(piece for piece in self._pieces if isinstance(piece, str)).partition("\n")[2]
        paragraphs = [
            part.strip() for part in re.split(r"\n\s*\n", body) if part.strip() and not part.lstrip().startswith("#")
        ]
        return " ".join(paragraphs[0].split()) if paragraphs else self.title

    def info(self) -> RuleInfo:
        cites = tuple(f"{source.claim} ({source.cite}; {source.strength})" for source in self.sources)
        strength = self.sources[0].strength if self.sources else ""  # the first is what the rule rests on
        return RuleInfo(self.id, self.title, self.severity, self.summary, self.prose, self.tags, cites, strength)


def load(file: Path, id: str) -> Rule:
    """The rule of one page. Raises `RuleError` with the file's name and what is wrong in it."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_PAGE + 1)
        if len(data) > MAX_PAGE:
            raise RuleError(f"larger than {MAX_PAGE:,} bytes, which no page of a rule is")
        return parse(data.decode("utf-8-sig").replace("\r\n", "\n"), id)
    except (OSError, UnicodeDecodeError, RuleError) as error:
        raise RuleError(f"{file}: {error}") from None


@lru_cache(maxsize=4096)
def parse(markdown: str, id: str) -> Rule:
    """The rule of a page's text. Raises `RuleError`."""
    _refuse_commands(markdown)
    title = re.match(r"\s*# +(.+)", markdown)
    if title is None:
        raise RuleError("the page does not begin with a # title")
    try:
        fences = [piece for piece in split(markdown) if isinstance(piece, Fence)]
    except Unclosed as error:
        raise RuleError(str(error)) from None
    table = _table([fence.body for fence in fences if fence.words[:2] == TABLE])
    limits = dict(table.limits)
    strict = limits.pop("strict", {})
    if not isinstance(strict, dict) or set(strict) - set(limits):
        raise RuleError("limits.strict may only repeat names of limits")
    rule = Rule(
        id,
        title.group(1).strip(),
        markdown,
        {name: tuple(values) for name, values in table.applies.items()},
        table.check,
        table.why,
        tuple(table.tags) or (id.partition("/")[0],),
        table.safe,
        table.strict_only,
        limits,
        strict,
        tuple(_case(table, clause) for clause in table.case or [_Clause()]),
        tuple(table.source),
        tuple(_examples(fences)),
    )
    _check_names(rule)
    return rule


def _table(found: list[str]) -> _RuleTable:
    if len(found) != 1:
        raise RuleError(f"one toml rule fence is wanted, {len(found)} were found")
    if len(found[0]) > MAX_TABLE:
        raise RuleError(f"toml rule: longer than {MAX_TABLE:,} characters, which no rule is")
    try:
        content = tomli.loads(found[0])
        _refuse_commands(*_strings(content))
        return _RuleTable.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise RuleError(f"toml rule: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:  # also for an integer of too many digits
        raise RuleError(f"toml rule: {error}") from None
    except RecursionError:
        raise RuleError("toml rule: nested too deeply") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _refuse_commands(*texts: str) -> None:
    for text in texts:
        found = COMMANDS_TERMINALS.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            raise RuleError(f"the control character U+{ord(found.group()):04X} (line {line} of {text[:30]!r})")


def _case(table: _RuleTable, clause: _Clause) -> Case:
    severity = clause.severity or table.severity
    message = clause.message or table.message
    if severity is None or (message is None and table.check is None):
        raise RuleError("severity and message are wanted, in the rule or in each case")
    when = clause.when or table.when
    if when is None and table.check is None:
        raise RuleError("when (or check) is wanted, in the rule or in each case")
    dialects = clause.for_ if clause.for_ is not None else table.for_
    let = {name: Expression.parse(text) for name, text in {**table.let, **clause.let}.items()}
    return Case(
        severity,
        clause.strict_severity or table.strict_severity or severity,
        (dialects,) if isinstance(dialects, str) else tuple(dialects or ()),
        let,
        Expression.parse(when or "False"),
        Template.parse(message or ""),
        Template.parse(clause.advice or table.advice or ""),
        tuple(clause.at if clause.at is not None else table.at or ()),
        {
            name: Template.parse(text)
            for name, text in (clause.fix if clause.fix is not None else table.fix or {}).items()
        },
        tuple(clause.supersedes if clause.supersedes is not None else table.supersedes or ()),
        tuple(clause.consequences if clause.consequences is not None else table.consequences or ()),
    )


def _check_names(rule: Rule) -> None:
    for name in (*rule.applies, *(fact for case in rule.cases for fact in (*case.at, *case.fix))):
        if name not in FACTS and not name.startswith("args."):
            raise RuleError(f"{name} is no fact")
    for case in rule.cases:
        expressions = [case.when, *case.let.values(), *case.message.expressions, *case.advice.expressions]
        expressions += [expression for template in case.fix.values() for expression in template.expressions]
        unknown = unknown_names(expressions, {*FACTS, *rule.limits, *case.let, "True", "False", "None"})
        if unknown:
            raise RuleError(f"{', '.join(sorted(unknown))}: no fact, limit or let of this name")
        clash = (set(case.let) | set(rule.limits)) & set(FACTS)
        if clash:
            raise RuleError(f"{', '.join(sorted(clash))}: a fact of this name exists")
        try:
            TopologicalSorter({name: value.names & case.let.keys() for name, value in case.let.items()}).prepare()
        except CycleError as error:
            raise RuleError(f"let {' needs '.join(error.args[1])}") from None


def _examples(fences: list[Fence]) -> list[Example]:
    found = []
    for fence in fences:
        if len(fence.words) >= 2 and fence.words[1] in ("bad", "good", "fixed", "file"):
            options = dict(word.partition("=")[::2] for word in fence.words[2:])
            found.append(Example(fence.words[1], fence.words[0], fence.body, options))
    return found
