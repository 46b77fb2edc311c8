"""How a file makes its models: the keywords of `BitsAndBytesConfig`, `from_pretrained` and `LoraConfig`, whoever takes them.

`BitsAndBytesConfig` drops a keyword that it does not know and says so in a log of level INFO (transformers 5.23.0,
utils/quantization_config.py). `from_pretrained` hands on what it does not know: first to the configuration, which takes the
names of its attributes, then to the model, whose `__init__()` fails with a TypeError (executed with transformers 5.23.0). So
the first takes no other names, and of the second only a near miss of its own is sure to be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.python_trainer.arguments import of_call, own
from trainlint.dialects.python_trainer.model import OF_PEFT
from trainlint.dialects.python_trainer.setup import Setup
from trainlint.dialects.tables import Schema
from trainlint.document import Call, Document
from trainlint.facts import ArgumentIssue, Arguments, Run

OF_UNSLOTH = Schema("unsloth:from_pretrained")
MODEL = re.compile(r"(?!TF|Flax)\w*(Model|For[A-Z]\w+)")
"""Classes whose `from_pretrained` loads a model of torch."""
OF_CONFIGURATIONS = {"use_flash_attention"}
"""Attributes of some models' configurations that look like a keyword of `from_pretrained`."""
SECTIONS = {
    "quantization": Schema("transformers:BitsAndBytesConfig"),
    "loading": Schema("transformers:from_pretrained"),
}
"""The roles of these arguments among those linked to a run, and the tables that judge their names."""


def link(run: Run, document: Document, setup: Setup, targets: Mapping[str, str]) -> None:
    """Give a run the keywords of all such calls of its file, by role."""
    schemas = {role: schema.aimed(targets) for role, schema in SECTIONS.items()}
    found = {role: Arguments() for role in SECTIONS}
    trained = [adapter.value for adapter in setup.adapters]
    for call in document.calls:
        if call.function.name == "BitsAndBytesConfig" and call.function.source != "local":
            closed = own(call, "transformers")
            given = of_call(setup, call, schemas["quantization"], "load_in_8bit", closed=closed)
            given.issues += _both_widths(given) if closed else ()
            _add(found["quantization"], given)
        elif call.function.name == "from_pretrained":
            _add(found["loading"], _of_loading(call, setup, schemas["loading"], targets))
        elif call.function.name == "LoraConfig" and own(call, "peft") and run.dialect != "peft" and call not in trained:
            adapter = of_call(setup, call, OF_PEFT.aimed(targets), "r", closed=True)
            _add(found["loading"], Arguments(issues=adapter.issues))  # which run it belongs to, nobody knows
    used = {role: arguments for role, arguments in found.items() if arguments.given or arguments.issues}
    run.linked = {**run.linked, **used}
    run.context = {**run.context, "linked_schemas": schemas}


def _both_widths(given: Arguments) -> Iterator[ArgumentIssue]:
    """What `BitsAndBytesConfig` refuses by itself."""
    four, eight = given.given.get("load_in_4bit"), given.given.get("load_in_8bit")
    if four is not None and eight is not None and four.value is True and eight.value is True:
        message = "load_in_4bit and load_in_8bit: BitsAndBytesConfig stops with a ValueError, as only one can be used"
        yield ArgumentIssue("exclusive", "load_in_8bit", message, eight.key, "remove the one that is not meant")


def _of_loading(call: Call, setup: Setup, schema: Schema, targets: Mapping[str, str]) -> Arguments:
    class_name = call.function.path.split(".")[-2] if "." in call.function.path else ""
    certain = own(call, "transformers")
    if not (certain or own(call, "unsloth")) or not MODEL.fullmatch(class_name):
        return Arguments()
    schema = schema if certain else OF_UNSLOTH.aimed(targets)
    arguments = of_call(setup, call, schema, "pretrained_model_name_or_path" if certain else "model_name", closed=False)
    near = (
        unknown_argument(name, keyword.key, schema, False, beginnings=False)
        for name, keyword in call.keywords.items()
        if name not in schema and not name.startswith("_") and name not in OF_CONFIGURATIONS
    )
    arguments.issues = [issue for issue in arguments.issues if issue.kind != "unknown"]
    arguments.issues += [replace(issue, certain=certain) for issue in near if issue is not None]
    # Unsloth's own releases decide what it takes, not those of transformers
    return arguments if certain else Arguments(issues=arguments.issues)


def _add(all_: Arguments, found: Arguments) -> None:
    all_.issues += found.issues
    all_.given = {**found.given, **all_.given}
