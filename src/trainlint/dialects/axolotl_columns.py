"""What axolotl reads of every row of a data set, whatever is in it, by the type of the data set and the stage."""

from __future__ import annotations

from typing import Any

Columns = list[str | list[str]]
"""Names, or several of which one will do."""

TUNING: dict[str, Columns] = {
    "alpaca": ["instruction", "output"],
    "alpaca_chat.load": ["instruction", "output"],
    "alpaca_chat.load_concise": ["instruction", "output"],
    "alpaca_chat.load_no_prompt": ["instruction", "output"],
    "alpaca_chat.load_qa": ["question", "answer"],
    "alpaca_chat.load_camel_ai": ["message_1", "message_2"],
    "alpaca_instruct.load": ["instruction", "output"],
    "alpaca_w_system.load": ["instruction", "output", "system"],
    "alpaca_w_system.load_open_orca": ["question", "response", "system_prompt"],
    "alpaca_w_system.load_open_orca_chatml": ["question", "response", "system_prompt"],
    "context_qa.load": ["article", "question", "answer"],
    "context_qa.load_v2": ["context", "question", "answer"],
    "context_qa.load_404": ["article", "unanswerable_question"],
    "explainchoice": ["question", "choices", ["solution", "explanation"]],
    "concisechoice": ["question", "choices", ["solution", "explanation"]],
    "summarizetldr": ["article", "summary"],
    "jeopardy": ["question", "category", "answer"],
    "oasst": ["INSTRUCTION", "RESPONSE"],
    "gpteacher": ["instruction", "response"],
    "reflection": ["instruction", "output", "reflection", "corrected"],
    "input_output": ["segments"],
}
ANSWERS: Columns = ["chosen", "rejected"]
EITHER: Columns = [
    ["prompt", "input", "question", "instruction"], ["chosen", "chosen_response"], ["rejected", "rejected_response"],
]  # fmt: skip
PAIRS: dict[str, Columns] = {
    "default": EITHER,
    "argilla_chat": ANSWERS,
    "icr": ["input", *ANSWERS],
    "intel": ["question", *ANSWERS],
    "prompt_pairs": ["prompt", *ANSWERS],
    "ultra": ["prompt", *ANSWERS],
}
LABELLED: dict[str, Columns] = {
    "argilla": ["instruction", "completion"],
    "argilla_chat": ["completion"],
    "intel": ["question", "completion"],
    "prompt_pairs": ["prompt", "completion"],
    "ultra": ["prompt", "completion"],
}
"""Preferences by the function of the modules `chatml` and `llama3`, which differ in the template alone."""


def required(entry: dict[str, Any], stage: str, pretraining: bool) -> Columns:
    """Nothing where the type is not known, as one of a module of the user's own."""
    kind = entry.get("type")
    if pretraining:
        return [entry.get("text_column") or "text"]
    if stage in ("dpo", "ipo", "simpo"):
        return _of_pairs(entry)
    if stage == "orpo":
        return ["prompt", *ANSWERS] if not kind else ANSWERS if kind == "chat_template.argilla" else []
    if stage == "kto":
        return _of_labelled(kind)
    if isinstance(kind, dict):
        return [kind.get("field_instruction") or "instruction"]
    if kind == "completion":
        return [entry.get("field") or "text"]
    if stage != "sft" or not isinstance(kind, str):
        return []
    if kind == "chat_template":
        return [entry.get("field_messages") or "messages"]
    return TUNING.get(kind) or TUNING.get(kind.partition(":")[0], [])


def _of_pairs(entry: dict[str, Any]) -> Columns:
    kind = entry.get("type")
    if not kind:
        return ["prompt", *ANSWERS]
    if isinstance(kind, dict):
        return [str(kind.get(f"field_{name}") or name) for name in ("prompt", *ANSWERS)]
    if kind in ("chat_template", "chat_template.default", "chat_template.argilla_chat"):
        read = ANSWERS if kind.endswith(".argilla_chat") else ["messages", *ANSWERS]
        return [str(entry.get(f"field_{name}") or name) for name in read]
    return ["prompt", "answers"] if kind == "zephyr.nectar" else _templated(PAIRS, kind)


def _of_labelled(kind: Any) -> Columns:
    if not kind:
        return ["prompt", "completion"]
    if isinstance(kind, dict):
        return [str(kind.get(f"field_{name}") or name) for name in ("prompt", "completion", "label")]
    return _templated(LABELLED, kind)


def _templated(columns: dict[str, Columns], kind: Any) -> Columns:
    """A type without a function is that module's `default`."""
    module, _, function = str(kind).partition(".")
    return columns.get(function or "default", []) if module in ("chatml", "llama3") else []
