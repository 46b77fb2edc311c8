"""What dialects of training scripts share whose whole parser is known: LoRA settings, look-alikes, a file with arguments."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from itertools import pairwise

from trainlint.dialects import hf_trainer
from trainlint.dialects.base import Context, arg, names
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Derivation, Fact, Run, Unknown, View

LORA = ("lora", "qlora")


# ----------------------------------------------------------------------------------------------------- derivations


def lora(name: str, *others: str) -> Derivation:
    """A LoRA setting: None where no adapter is trained."""
    given = arg(name, *others)
    return lambda r: given(r) if r.method in LORA else None


def modules(name: str, *others: str) -> Derivation:
    """A list of modules of the adapter, empty where no adapter is trained."""
    given = arg(name, *others)
    return lambda r: names(given(r)) if r.method in LORA else []


def listed(name: str, *others: str) -> Derivation:
    """The data sets that an argument names."""
    given = arg(name, *others)

    def derive(r: View) -> list[str]:
        found = names(given(r))
        if not found:
            raise Unknown(f"{name} is not set", "datasets")
        return found

    return derive


NO_ADAPTER: dict[str, Derivation] = {
    "lora_rank": lambda r: None,
    "lora_alpha": lambda r: None,
    "lora_dropout": lambda r: None,
    "target_modules": lambda r: [],
    "modules_to_save": lambda r: [],
    "quantization_bits": lambda r: None,
}
"""For scripts that train all weights and nothing else."""


def loaded_in_float32(r: View) -> str:
    """`from_pretrained` without a type: float32 up to transformers 4."""
    r.assume("transformers 4 loads weights in float32 unless told otherwise")
    return "float32"


# ------------------------------------------------------------------------------------------------------ recognising


def flags(started: Started) -> set[str]:
    """The names of the flags of a command line, with `_` for `-`."""
    texts = (word.known_prefix for word in started.words)
    found = (text.partition("=")[0].lstrip("-").replace("-", "_") for text in texts if text.startswith("-"))
    return {name for name in found if name}


def value(started: Started, name: str) -> str | None:
    """The text that follows a flag of the command line; None where it is absent or unknown."""
    for word, following in pairwise((*started.words, None)):
        flag, equals, _ = word.known_prefix.partition("=") if word is not None else ("", "", "")
        if word is not None and flag.lstrip("-").replace("-", "_") == name and flag.startswith("--"):
            return word.after(len(flag) + 1).text if equals else following.text if following is not None else None
    return None


def speaks(given: set[str], schema: Schema) -> bool:
    """Are these the names of this parser, misspelt ones included? Then it is the script itself and no fork of it."""
    return all(name in schema or get_close_matches(name, list(schema), n=1, cutoff=0.85) for name in given)


# --------------------------------------------------------------------------------------------- a file with arguments


def config_file(document: Document, started: Started, context: Context, name: str) -> Document | None:
    """The data file called `name` that a command line hands to its script; None where it is not here or cannot be read."""
    try:
        found = context.open(name, document, started)
    except Unknown:
        return None
    return found if found.root is not None else None


def override(run: Run, arguments: Arguments, own: AbstractSet[str] = frozenset()) -> None:
    """Put a command line's arguments over those of the file it names; `own` are flags that name the file itself."""
    run.arguments.given.update({name: given for name, given in arguments.given.items() if name not in own})
    run.arguments.issues += [issue for issue in arguments.issues if issue.name not in own]
    run.arguments.open = run.arguments.open or arguments.open


def launched(
    run: Run, document: Document, started: Started, context: Context, processes: Fact | None = None
) -> list[Run]:
    """The run of a data file as the launch command starts it: from its directory, with its world size.

    `processes` is the number of processes where the command's own launcher does not say it.
    """
    count = processes if processes is not None else started.processes
    run.context = {**run.context, "started": started, "directories": context.directories(document, started)}
    hf_trainer.link_files(run)
    run.derivations = {
        **run.derivations,
        "world_size": lambda r: r.use("launcher.world_size", count),
        "visible_devices": lambda r: r.use("launcher.visible_devices", started.visible_devices),
    }
    return [run]
