"""What belongs to one run: the call that makes its arguments, the trainer that takes them, and what leads to its model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from trainlint.dialects import trl
from trainlint.document import Call, Document, Either, Origin, Value
from trainlint.pins import Pin
from trainlint.text import Location, SourceText, Span

MOST_ADAPTERS = 32
"""Of more adapters in a file, which is then one of tests or examples, the first ones are read."""
MOST_WAYS = 16
"""Of more ways that branches may go, some are not told apart: what they decide stays unknown."""
NAMED = re.compile(
    r"(?<![\w-])(transformers|trl|peft|unsloth)\b(?!-)(?:\[[\w,-]*\])?(?: ?== ?(\d+(?:\.\d+)+)\b(?!\.?\w))?"
)
CONTINUED = re.compile(r"(?:\\\\\\n\",?|\\)\s*$")
"""The end of a line that goes on in the next one: in a notebook it is the text of a JSON string."""
INSTALLS = re.compile(r"\bpip3? install\b|#\s+\\?\"")
"""Lines that install packages, and those of a script's own list of dependencies (PEP 723)."""
STAGES = {config: stage for stage, config in trl.CONFIGS.items()}
CLASSES = {"TrainingArguments", "Seq2SeqTrainingArguments", "UnslothTrainingArguments", *STAGES}
LANGUAGE_MODEL = re.compile(r"CausalLM|LMHead|LanguageModel|FastModel")
WRAPPED = {"get_peft_model", "prepare_model_for_kbit_training", "prepare_model_for_int8_training", "PeftModel"}
OPTIONS = (
    "model", "peft_config", "max_seq_length", "max_length", "packing", "eval_dataset", "optimizers", "optimizer_cls_and_kwargs",
    "data_collator",
)  # fmt: skip
"""What a trainer is handed besides its arguments, as far as it is read."""


@dataclass
class Setup:
    """The calls of one run, on one of the ways that the branches before it may go.

    `config` is the call whose keywords are the run's arguments: those of a trainer, or an adapter's where none is trained.
    """

    config: Call
    trainer: Call | None = None
    picks: Mapping[Location, int] = field(default_factory=dict)
    """Which way each branch goes."""
    base: Call | None = None
    """What loads the model."""
    name: Value | None = None
    adapters: list[Value] = field(default_factory=list)
    wrappers: list[Call] = field(default_factory=list)
    """What the model goes through before it is trained."""
    open: str | None = None
    """Why nobody can tell what the model is."""
    stage: str | None = None

    def picked(self, value: Value) -> Value:
        """A value on this way. No fix may write into a branch, so it is no literal any longer."""
        while value.either is not None and value.either.at in self.picks:
            chosen = value.either.values[self.picks[value.either.at]]
            value = replace(chosen, origin=Origin("computed", value.origin.text, value.origin.at, (chosen.origin,)))
        return value

    def given(self, call: Call, *keywords: str) -> Value | None:
        """What a call is handed by the first of these names."""
        found = next((call.keywords[name].value for name in keywords if name in call.keywords), None)
        return self.picked(found) if found is not None else None

    def positional(self, call: Call, number: int = 0) -> Value | None:
        return self.picked(call.positional[number]) if len(call.positional) > number else None

    def option(self, *keywords: str) -> Value | None:
        """What the trainer is handed by the first of these names; None where it is not or None."""
        found = self.given(self.trainer, *keywords) if self.trainer is not None else None
        return None if found is None or (found.unknown is None and found.value is None) else found

    @property
    def adapter(self) -> Value | None:
        return self.picked(self.adapters[0]) if self.adapters else None

    @property
    def without_adapter(self) -> bool:
        """Does a branch decide that the trainer gets no adapter?"""
        given = self.trainer.keywords.get("peft_config") if self.trainer is not None else None
        return given is not None and given.value.either is not None and self.option("peft_config") is None

    def quantization(self) -> Call | None:
        """What makes the base's quantisation, where a call does."""
        found = self.given(self.base, "quantization_config") if self.base is not None else None
        return found.value if found is not None and isinstance(found.value, Call) else None

    def undecided(self) -> Either | None:
        """The first branch that decides something of this run and has not been gone yet."""
        return next((value.either for value in map(self.picked, self._values()) if value.either is not None), None)

    def _values(self) -> Iterator[Value]:
        if self.trainer is not None:
            yield from self.trainer.positional[:1]
            yield from (self.trainer.keywords[name].value for name in OPTIONS if name in self.trainer.keywords)
        yield from self.adapters
        adapters = (self.picked(adapter).value for adapter in self.adapters)
        calls = (self.config, *self.wrappers, self.base, self.quantization(), *adapters)
        for call in calls:
            if isinstance(call, Call):
                yield from call.positional[:2]
                yield from (keyword.value for keyword in call.keywords.values())


@dataclass(frozen=True)
class Surroundings:
    """What the rest of a file says of all its runs: `installed` are the packages that it installs, and their versions if told."""

    installed: Mapping[str, Pin | None]
    unsloth: bool
    saves: bool
    """Does it save models itself?"""
    adapters: bool
    """Does it make adapters?"""
    tokenizer: Call | None = None
    """What loads the tokenizer, where one call does."""
    resized: bool = False
    """Does it resize embeddings?"""


def surroundings(document: Document) -> Surroundings:
    calls = document.calls
    called = {method.function.name for call in calls for method in call.methods}
    tokenizers = [call for call in calls if re.search(r"Tokenizer\w*\.from_pretrained$", call.function.path)]
    return Surroundings(
        _installed(document),
        any("unsloth" in call.function.path.partition(".")[0] for call in calls),
        any(name.startswith(("save_", "push_to")) for name in called),
        any(call.function.name in ("LoraConfig", "get_peft_model") for call in calls),
        tokenizers[0] if len(tokenizers) == 1 else None,
        "resize_token_embeddings" in called,
    )


def _installed(document: Document) -> dict[str, Pin | None]:
    """What the lines of a file install; None where they leave the version open or contradict each other."""
    source = document.source
    found: dict[str, Pin | None] = {}
    versions: dict[str, set[str]] = {}
    for match in NAMED.finditer(source.text):
        if not _installs(source, source.position(match.start()).line):
            continue
        if match[2] is not None:
            versions.setdefault(match[1], set()).add(match[2])
            found[match[1]] = found.get(match[1]) or Pin(match[2], document.at(Span(*match.span())))
        else:
            found.setdefault(match[1], None)
    return {package: pin if len(versions.get(package, ())) == 1 else None for package, pin in found.items()}


def _installs(source: SourceText, line: int) -> bool:
    """Does this line install packages, or go on with one that does?"""
    while not INSTALLS.search(source.line(line)):
        if line == 1 or not CONTINUED.search(source.line(line - 1)):
            return False
        line -= 1
    return True


def setups(document: Document) -> Iterator[list[Setup]]:
    """The runs of a file, each with the ways that it may go: a trainer's arguments, or alone where no call takes them."""
    of_text = not any("Processor" in call.function.path for call in document.calls)
    for ways in _trained(document):
        yield [staged for setup in ways for staged in _staged(setup, of_text)]


def _trained(document: Document) -> Iterator[list[Setup]]:
    taken = set()
    for call in document.calls:
        given = [call.keywords["args"].value] if "args" in call.keywords else []
        positional = call.positional if call.function.name.endswith("Trainer") else []
        configs = (
            [each.value for each in value.possible() if _is_config(each.value)] for value in (*given, *positional)
        )
        for config in next(filter(None, configs), []):
            taken.add(config)
            yield _ways(config, call)
    for call in document.calls:
        if _is_config(call) and call not in taken:
            yield _ways(call, None)


def adapters(document: Document) -> Iterator[list[Setup]]:
    """The LoRA adapters of a file that hands none of them to a trainer, each with the ways that it may go."""
    wraps = [call for call in document.calls if call.function.name == "get_peft_model"]
    for call in islice(filter(_is_adapter, document.calls), MOST_ADAPTERS):
        takers = [wrap for wrap in wraps if wrap is call or any(call is given for given in _calls_in(wrap))]
        # two models may take one configuration
        yield _ways(call, None, takers[0] if len(takers) == 1 else None)


def _calls_in(call: Call) -> Iterator[object]:
    """What a call is handed, on all ways."""
    for value in (*call.positional, *(keyword.value for keyword in call.keywords.values())):
        yield from (each.value for each in value.possible())


def _is_adapter(call: Call) -> bool:
    """Does it make a LoRA adapter? Unsloth's call is handed the settings that are PEFT's object elsewhere."""
    own = call.function.source in ("imported", "free")
    return own and (call.function.name == "LoraConfig" or of_unsloth(call))


def of_unsloth(call: Call) -> bool:
    """Is it Unsloth's `get_peft_model`?"""
    return call.function.name == "get_peft_model" and "unsloth" in call.function.path.partition(".")[0]


def _is_config(value: object) -> bool:
    return isinstance(value, Call) and value.function.name in CLASSES and value.function.source != "local"


def _ways(config: Call, trainer: Call | None, wrapper: Call | None = None) -> list[Setup]:
    """One setup for each way that the branches before it may go. `wrapper` puts an adapter on its model."""
    done: list[Setup] = []
    waiting: list[Mapping[Location, int]] = [{}]
    while waiting:
        setup = _follow(Setup(config, trainer, waiting.pop(0)), wrapper)
        branch = setup.undecided()
        if branch is None or len(done) + len(waiting) + len(branch.values) > MOST_WAYS:
            done.append(setup)
        else:
            waiting += [{**setup.picks, branch.at: way} for way in range(len(branch.values))]
    return done


def _staged(setup: Setup, of_text: bool) -> list[Setup]:
    """TRL's classes say the stage. The plain Trainer trains a model for what it is; one of text it pre-trains or tunes."""
    for call in (setup.config, setup.trainer):
        name = call.function.name if call is not None else ""
        found = STAGES.get(name) or STAGES.get(f"{name.removesuffix('Trainer')}Config")
        if found is not None:
            return [replace(setup, stage=found)]
    trainer = setup.trainer.function if setup.trainer is not None else None
    kind = setup.base.function.path.rpartition(".")[0].rpartition(".")[2] if setup.base is not None else ""
    if kind and not LANGUAGE_MODEL.search(kind):
        return [replace(setup, stage=kind)]
    if kind and of_text and trainer is not None and trainer.name == "Trainer" and trainer.source != "local":
        return [replace(setup, stage=stage) for stage in ("pt", "sft")]
    return [setup]


def _follow(setup: Setup, wrapper: Call | None) -> Setup:
    """Go back from the model that is trained to where it is loaded, past what wraps it."""
    last = setup.trainer or wrapper
    if last is None:
        setup.open = "no call of this file says which model this is for"
        return setup
    if (adapter := setup.option("peft_config")) is not None:
        setup.adapters.append(adapter)
    model = setup.given(last, "model") or setup.positional(last)
    seen: set[Call] = set()
    while model is not None and model.unknown is None and isinstance(model.value, Call) and model.value not in seen:
        call: Call = model.value
        seen.add(call)  # `model.model = model`
        name = call.function.name
        if name in ("from_pretrained", "from_config") and "PeftModel" not in call.function.path:
            setup.base = call
            setup.name = setup.given(call, *_NAMES) or setup.positional(call)
            return setup
        if name == "get_peft_model":
            setup.adapters.append(setup.given(call, "peft_config") or setup.positional(call, 1) or model)
        elif name not in WRAPPED:
            break
        setup.wrappers.append(call)
        model = setup.given(call, "model") or setup.positional(call)
    if model is not None and isinstance(model.value, str) and model.unknown is None:
        setup.name = model
    elif model is None or model.unknown is not None:
        setup.open = model.unknown if model is not None else "the trainer makes its model itself"
    else:
        setup.open = f"{model.origin.text} makes the model"
    return setup


_NAMES = ("pretrained_model_name_or_path", "model_name", "model_name_or_path")
