"""alignment-handbook: recipes for TRL's trainers with a mixture of data sets, alone or launched by its scripts.

A recipe is read as TRL's dialect reads it; what differs is the parser, which takes no unknown key, and the mixture.
"""

from __future__ import annotations

import re
from typing import Any

from trainlint.dialects import argv, hf_script, hf_trainer, tree, trl
from trainlint.dialects.base import Context, Dialect, names
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Derivation, Run, Unknown, View

SECTIONS = tuple(
    f"alignment_handbook:{name}" for name in ("ScriptArguments", "ModelArguments", "SFTConfig", "DPOConfig")
)
PROGRAM = re.compile(r"(?:run_)?(sft|dpo|orpo|cpt)\.py")
MIXTURES = {"dataset_mixture", "dataset_mixer"}


def _schema(stage: str | None) -> Schema:
    return trl.schema(stage or "", *SECTIONS)


def _datasets(r: View) -> list[str]:
    """A mixer maps names to shares; a mixture lists data sets by id."""
    if r.given("dataset_mixture") and isinstance(r.arg("dataset_mixture"), dict):
        entries: list[Any] = r.arg("dataset_mixture").get("datasets") or []
        return list(dict.fromkeys(str(entry.get("id")) for entry in entries if isinstance(entry, dict)))
    if r.given("dataset_mixer") and isinstance(r.arg("dataset_mixer"), dict):
        return list(r.arg("dataset_mixer"))
    if r.given("dataset_name"):
        return names(r.arg("dataset_name"))
    raise Unknown("no data set is named", "datasets")


OF_TRL_ALONE = {
    "sampled_examples",
    "eval_datasets",
    "eval_dataset_splits",
    "eval_split",
    "saved_datasets",
    "undivided_mixture",
}
FACTS: dict[str, Derivation] = {
    **{name: derive for name, derive in trl.FACTS.items() if name not in OF_TRL_ALONE},
    "datasets": _datasets,
    "dataset_splits": lambda r: [None for _ in r.datasets],
}
KEYS: dict[str, str | None] = {**trl.KEYS, "datasets": "dataset_mixture", "eval_data": "dataset_splits"}


def _is_recipe(document: Document) -> bool:
    keys = tree.keys(document)
    return document.format == "yaml" and bool(keys & MIXTURES) and hf_trainer.trainer_marks(document) >= 3


def _stage(document: Document) -> tuple[str | None, bool]:
    """The stage, and whether only the file's place among the recipes says it (`recipes/zephyr/sft/config_full.yaml`)."""
    keys = tree.keys(document)
    certain = next((stage for stage, marks in trl.MARKS.items() if keys & marks), None)
    if certain is not None:
        return certain, False
    place = "/".join(document.source.path.replace("\\", "/").split("/")[-2:])
    found = re.search(r"(?:^|[^a-z])(sft|dpo|orpo|cpt)(?:[^a-z]|$)", place.lower())
    return ("pt" if found[1] == "cpt" else found[1], True) if found is not None else (None, True)


def _read(document: Document, context: Context, stage: str | None, from_name: bool) -> Run:
    run = hf_trainer.tree_run(DIALECT, document, context, _schema(stage), "pyyaml", trl.converted, closed=True)
    run.context = {**run.context, "stage": stage, "stage_from_name": from_name}
    return run


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    return [_read(document, context, *_stage(document))] if _is_recipe(document) else None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """`scripts/sft.py --config RECIPE --load_in_4bit=true`; up to 0.3.0 the recipe comes first, without a flag."""
    found = PROGRAM.fullmatch(started.name)
    if found is None:
        return None
    script = context.script(document, started)
    if script and "alignment" not in script:  # another project's run_sft.py has arguments of its own
        return None
    words = started.words
    file = hf_script.value(started, "config")
    if file is None and words and (words[0].text or "").endswith((".yaml", ".yml")):
        file, words = words[0].text, words[1:]
    config = hf_script.config_file(document, started, context, file) if file is not None else None
    own = started.name.startswith("run_")  # TRL has scripts called sft.py and dpo.py, too
    if config is None or not (_is_recipe(config) or (own and hf_trainer.trainer_marks(config) >= 3)):
        return None
    run = _read(config, context, "pt" if found[1] == "cpt" else found[1], False)
    hf_script.override(run, argv.read(document.source, words, run.context["schema"], closed=True), {"config"})
    return hf_script.launched(run, document, started, context)


DIALECT = Dialect("alignment-handbook", "alignment-handbook", FACTS, KEYS, _read_command, _read_tree)
