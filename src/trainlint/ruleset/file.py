"""A rule is one Markdown file: title and prose, one `toml rule` fence, and tagged examples that are its tests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import tomli
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainlint.derive.vocabulary import FACTS
from trainlint.findings import RuleInfo, Severity
from trainlint.ruleset.expressions import Expression, RuleError, Template, unknown_names

FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
SITE = "https://trainlint.readthedocs.io/rules/"


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
    for_: str | list[str] | None = Field(default=None, alias="for")
    let: dict[str, str] = {}
    when: str | None = None
    message: str | None = None
    advice: str | None = None
    at: list[str] | None = None
    fix: dict[str, str] | None = None
    strict_severity: Severity | None = None


class _RuleTable(_Clause):
    applies: dict[str, list[Any]] = {}
    check: str | None = None
    why: str = ""
    supersedes: list[str] = []
    tags: list[str] = []
    safe: bool = False
    strict_only: bool = False
    limits: dict[str, Any] = {}
    case: list[_Clause] = []
    source: list[Source] = []


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
    supersedes: tuple[str, ...]
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

    @cached_property
    def prose(self) -> str:
        """The page without its machine-readable fences: what a reader wants to see."""

        def keep(match: re.Match[str]) -> str:
            words = match.group(2).split()
            if words[:2] == ["toml", "rule"]:
                return ""
            return f"```{words[0] if words else ''}\n{match.group(3)}```"

        text = FENCE.sub(keep, self.markdown)
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    @cached_property
    def summary(self) -> str:
        """The first paragraph under the title."""
        body = FENCE.sub("", self.markdown).partition("\n")[2]
        paragraphs = [
            part.strip() for part in re.split(r"\n\s*\n", body) if part.strip() and not part.lstrip().startswith("#")
        ]
        return " ".join(paragraphs[0].split()) if paragraphs else self.title

    def info(self) -> RuleInfo:
        cites = tuple(f"{source.claim} ({source.cite}; {source.strength})" for source in self.sources)
        return RuleInfo(self.id, self.title, self.severity, self.summary, self.prose, self.tags, cites)


def load(file: Path, id: str) -> Rule:
    """The rule of one page. Raises `RuleError` with the file's name and what is wrong in it."""
    try:
        return parse(file.read_text("utf-8"), id)
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{file}: {error}") from None
    except RuleError as error:
        raise RuleError(f"{file}: {error}") from None


def parse(markdown: str, id: str) -> Rule:
    """Raises `RuleError`."""
    title = re.match(r"\s*# +(.+)", markdown)
    if title is None:
        raise RuleError("the page does not begin with a # title")
    fences = [(match.group(2).split(), match.group(3)) for match in FENCE.finditer(markdown)]
    tables = [body for words, body in fences if words[:2] == ["toml", "rule"]]
    if len(tables) != 1:
        raise RuleError(f"one toml rule fence is wanted, {len(tables)} were found")
    try:
        table = _RuleTable.model_validate(tomli.loads(tables[0]))
    except tomli.TOMLDecodeError as error:
        raise RuleError(f"toml rule: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RuleError(f"toml rule: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
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
        tuple(table.supersedes),
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
        clash = set(case.let) & set(FACTS)
        if clash:
            raise RuleError(f"let {', '.join(sorted(clash))}: a fact of this name exists")


def _examples(fences: list[tuple[list[str], str]]) -> list[Example]:
    found = []
    for words, body in fences:
        if len(words) >= 2 and words[1] in ("bad", "good", "fixed", "file"):
            options = dict(word.partition("=")[::2] for word in words[2:])
            found.append(Example(words[1], words[0], body, options))
    return found
