"""One example of training data, as a row of a file has it: its texts, its shape, and whether there is anything to learn in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TEXT_COLUMNS = frozenset(
    {
        "text", "content", "instruction", "input", "output", "prompt", "query", "question", "answer", "response", "completion",
        "chosen", "rejected", "system", "history", "messages", "conversations", "conversation", "dialogue", "tools",
    }
)  # fmt: skip
"""Where one of these is in a row, its other columns are taken for notes about it: an id, a source, a date."""
CONVERSATIONS = ("messages", "conversations", "conversation")
ANSWERS = ("output", "response", "completion", "answer")
IDENTIFIERS = frozenset({"id", "idx", "index", "uid", "uuid"})
SPEAKERS = ("role", "from")
USERS = frozenset({"user", "human"})
ASSISTANTS = frozenset({"assistant", "gpt", "bot"})
LONGEST_ROLE = 30
DAMAGED = re.compile("\ufffd|\0|ï¿½|锟斤拷|â€[™œ\x9c\x9d]|Ã[©¨¤¶¼]")
"""What a text in the wrong encoding leaves: the replacement character, NUL, and UTF-8 that was read as Latin-1 or GBK."""


def texts(row: dict[Any, Any]) -> Iterator[str]:
    named = [value for key, value in row.items() if key in TEXT_COLUMNS]
    for value in named or row.values():
        yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif isinstance(value, dict):
        # a message: its role is no text of the example
        said = [value[key] for key in ("content", "value", "text") if key in value]
        for element in said or value.values():
            yield from _leaves(element)


def shape(row: dict[Any, Any]) -> Iterator[str]:
    """Its columns, and of lists of messages their keys and who speaks: `messages[].role`, `messages[].role = user`."""
    for column, value in row.items():
        if not isinstance(column, str):
            continue
        yield column
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for message in value:
                if isinstance(message, dict):
                    yield from (f"{column}[].{key}" for key in message)
                    yield from (f"{column}[].{key} = {message[key]}" for key in SPEAKERS if _is_role(message.get(key)))


def _is_role(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_ROLE


def is_unanswered(row: dict[Any, Any]) -> bool:
    if any(isinstance(row.get(name), str) and not row[name].strip() for name in ANSWERS):
        return True
    role, message = _last_turn(row)
    content = message.get("content", message.get("value"))
    return role in ASSISTANTS and not message.get("tool_calls") and isinstance(content, str) and not content.strip()


def is_unfinished(row: dict[Any, Any]) -> bool:
    """A conversation that the user has the last word in."""
    return _last_turn(row)[0] in USERS


def _last_turn(row: dict[Any, Any]) -> tuple[str, dict[Any, Any]]:
    for name in CONVERSATIONS:
        turns = row.get(name)
        if isinstance(turns, list) and turns and isinstance(turns[-1], dict):
            said = next((turns[-1][key] for key in SPEAKERS if _is_role(turns[-1].get(key))), "")
            return said, turns[-1]
    return "", {}


def is_undecided(row: dict[Any, Any]) -> bool:
    """A preference between two answers that are the same."""
    return bool(row.get("chosen")) and row["chosen"] == row.get("rejected")


def is_damaged(text: str) -> bool:
    return (not text.isascii() and DAMAGED.search(text) is not None) or "\0" in text
