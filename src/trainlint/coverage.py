"""How much of what a launch says was understood: the arguments that were not, why, and which facts are unknown for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from trainlint.derive.vocabulary import STATUS_FACTS
from trainlint.facts import Launch, Run
from trainlint.text import Location

SHOWN = 12
Kind = Literal["value", "name"]


@dataclass(frozen=True)
class Gap:
    """An argument that was not understood: its `value` cannot be told, or its `name` is in no table."""

    kind: Kind
    name: str
    shown: str
    reason: str
    at: Location

    @property
    def where(self) -> str:
        start = self.at.start
        return f"{self.at.source.path}:{start.line}:{start.column}"

    def __str__(self) -> str:
        return f"{self.shown}: {self.reason}"


@dataclass(frozen=True)
class Coverage:
    """`arguments` are those that the launch gives, over all ways that the branches before it may go.

    `open` is why further ones may be there that nobody sees; `unknown` gives the reason of each fact that an unresolved word
    hides.
    """

    arguments: int
    gaps: tuple[Gap, ...]
    open: str | None
    unknown: dict[str, str]

    @property
    def understood(self) -> int:
        return self.arguments - len(self.gaps)

    @property
    def unresolved(self) -> tuple[Gap, ...]:
        """The arguments whose value cannot be told."""
        return tuple(gap for gap in self.gaps if gap.kind == "value")


def coverage(launch: Launch) -> Coverage:
    """An argument is understood if it is in the tables, or in a section that takes any key, and its value is known."""
    names = {name for run in launch for name in run.arguments.given}
    gaps = {gap.name: gap for run in reversed(launch.alternatives) for gap in _gaps(run)}
    ordered = tuple(
        gaps[name] for name in dict.fromkeys(n for run in launch for n in run.arguments.given) if name in gaps
    )
    open_ = next((run.arguments.open for run in launch if run.arguments.open is not None), None)
    found = Coverage(len(names), ordered, open_, {})
    hidden = {gap.name for gap in found.unresolved}
    reasons = {
        open_,
        *(gap.reason for gap in found.unresolved),
        *(reason for run in launch for reason in _unresolved(run)),
    }
    for name in STATUS_FACTS:
        fact = launch.fact(name)
        if fact.status == "unknown" and (fact.reason in reasons or fact.missing in hidden):
            found.unknown[name] = fact.reason
    return found


def _gaps(run: Run) -> Iterator[Gap]:
    schema = run.context.get("schema")
    strange = {issue.name for issue in run.arguments.issues if issue.kind == "unknown"}
    for name, argument in run.arguments.given.items():
        if argument.unknown is not None:
            yield Gap("value", name, argument.key.text, argument.unknown, argument.at)
        # a dialect without a table has judged the names while reading
        elif name in strange or (schema and name not in schema and not schema.free(name)):
            yield Gap(
                "name",
                name,
                argument.key.text,
                f"not in the tables of {run.title}",
                argument.key,
            )


def _unresolved(run: Run) -> Iterator[str]:
    """Why words of the command are unknown, the launcher's own included."""
    started = run.context.get("started")
    if started is not None:
        for word in (*started.command.words, *started.command.environment.values()):
            if word.text is None and word.unknown is not None:
                yield word.unknown


def to_json(found: Coverage) -> dict[str, Any]:
    return {
        "arguments": found.arguments,
        "understood": found.understood,
        "not_understood": [
            {
                "argument": gap.name,
                "unknown": gap.kind,
                "reason": gap.reason,
                "path": gap.at.source.path,
                "line": gap.at.start.line,
                "column": gap.at.start.column,
            }
            for gap in found.gaps
        ],
        "open": found.open,
        "unknown_facts": found.unknown,
    }


def to_lines(found: Coverage) -> list[str]:
    """The same for people."""
    share = f" ({100 * found.understood / found.arguments:.0f} %)" if found.arguments else ""
    lines = [f"{found.understood} of {found.arguments} arguments understood{share}"]
    lines += [f"{gap.where}  {gap}" for gap in found.gaps]
    if found.open is not None:
        lines.append(f"further arguments may follow: {found.open}")
    if found.unknown:
        names = [*found.unknown]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        lines.append(f"unknown for it: {', '.join(names[:SHOWN])}{more}")
    return lines
