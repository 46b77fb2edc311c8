"""The Trainer and TRL as Python writes them: `Trainer(args=TrainingArguments(…))`, with the model and adapter that it is given.

A run is a call that is handed such arguments, or the arguments alone where no call of the file takes them; in a file without
any, each LoRA adapter. A command that no other dialect knows starts the one run of its script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainlint.dialects import hf_trainer, trl
from trainlint.dialects.base import Context, Dialect, from_tree
from trainlint.dialects.hf_script import launched
from trainlint.dialects.launchers import Started
from trainlint.dialects.python_trainer import adapter, loading
from trainlint.dialects.python_trainer.arguments import arguments, dotted, of_call, own
from trainlint.dialects.python_trainer.facts import FACTS, KEYS
from trainlint.dialects.python_trainer.model import adapter_schema
from trainlint.dialects.python_trainer.setup import (
    STAGES,
    Setup,
    Surroundings,
    adapters,
    setups,
    surroundings,
)
from trainlint.dialects.tables import Schema, table
from trainlint.document import Call, Document, Table
from trainlint.facts import Arguments, Launch, Run, Unknown


def _run(document: Document, context: Context, setup: Setup, around: Surroundings) -> Run:
    config = setup.config
    of_trl = config.function.name in STAGES
    schema = _schema(config).aimed(context.targets)
    # Unsloth gives TRL's classes arguments of its own
    closed = own(config, "transformers", "trl") and not around.unsloth
    given = of_call(setup, config, schema, "output_dir", closed=closed)
    facts = {**FACTS, "mixed_precision": trl.FACTS["mixed_precision"]} if of_trl else FACTS
    name, title = ("trl", "TRL in Python") if of_trl else ("hf-trainer", "Hugging Face Trainer in Python")
    dialect = replace(DIALECT, name=name, title=title, facts=facts)
    run = from_tree(dialect, document, context, given, schema, setup=setup, call=config, around=around)
    hf_trainer.link_files(run)
    run.linked = {**run.linked, **_linked(run, setup, context)}
    return run


def _schema(config: Call) -> Schema:
    name = config.function.name
    if name in table("trl")["sections"]:
        return Schema(f"trl:{name}", overrides={"optim": "adamw_torch"})
    section = "seq2seq" if name == "Seq2SeqTrainingArguments" else "TrainingArguments"
    return Schema(f"transformers:{section}", overrides={"optim": "adamw_torch"})


def _linked(run: Run, setup: Setup, context: Context) -> dict[str, Arguments]:
    found = {}
    made = setup.adapter.value if setup.adapter is not None else None
    if isinstance(made, Call):
        schema = adapter_schema(made).aimed(context.targets)
        run.context = {**run.context, "adapter_schema": schema}
        of_peft = made.function.name == "LoraConfig"
        closed, first = of_peft and own(made, "peft"), "r" if of_peft else "model"
        found["adapter"] = of_call(setup, made, schema, first, closed=closed)
    deepspeed = setup.given(setup.config, "deepspeed")
    if deepspeed is not None and isinstance(deepspeed.value, Table) and deepspeed.unknown is None:
        found["deepspeed"] = arguments(setup, dict(dotted(deepspeed)), Schema(), deepspeed.value.open, closed=False)
    return found


def _launches(document: Document, context: Context) -> Iterator[list[Run]]:
    """What a file trains, each with a run for each way that the branches before it may go."""
    around = surroundings(document)
    stated = context.targets.keys() - context.pinned.keys()
    pins = {package: pin for package, pin in around.pins.items() if package not in stated}
    versions = {package: pin.version for package, pin in pins.items()}
    context = replace(context, targets={**context.targets, **versions}, pinned={**context.pinned, **pins})
    read, found = _run, [*setups(document)]
    if not found:
        read, found = adapter.read, [*adapters(document)]
    for ways in found:
        runs = [read(document, context, setup, around) for setup in ways]
        for run, setup in zip(runs, ways, strict=True):
            cell = f", cell {setup.config.cell}" if setup.config.cell is not None else ""
            run.at, run.title = setup.config.at, f"{run.title}{cell}"
            if ways is found[0]:  # said once in a file
                loading.link(run, document, setup, context.targets)
        yield runs


def _read_python(document: Document, context: Context) -> list[Launch] | None:
    return [Launch(runs[0].at, runs) for runs in _launches(document, context)] or None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """A command whose script is here and describes one run: the script says the arguments, the command the processes."""
    name = started.program.text or ""
    if not name.endswith(".py"):
        return None
    try:
        script = context.open(name, document, started)
    except Unknown:
        return None
    found = [*_launches(script, context)]
    if len(found) != 1 or found[0][0].dialect == "peft":
        return None
    return [each for run in found[0] for each in launched(run, document, started, context)]


DIALECT = Dialect("python-trainer", "Trainer in Python", FACTS, KEYS, _read_command, read_python=_read_python)
