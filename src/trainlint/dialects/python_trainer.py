"""The Trainer and TRL as Python writes them: `Trainer(args=TrainingArguments(…))`, with the model and adapter that it is given.

A run is a call that is handed such arguments, or the arguments alone where no call of the file takes them. A command that
no other dialect knows starts the one run of its script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trainlint.dialects import hf_trainer, trl
from trainlint.dialects.argv import unknown_argument
from trainlint.dialects.base import Context, Dialect, from_tree, linked, names
from trainlint.dialects.convert import Rejected, from_loaded
from trainlint.dialects.hf_script import launched
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Edition, Schema, table
from trainlint.document import Call, Document, Keyword, Symbol, Table, Value
from trainlint.facts import Argument, ArgumentIssue, Arguments, Derivation, Fact, Run, Unknown, View
from trainlint.pins import Pin
from trainlint.readers.python import NotPlain, plain
from trainlint.text import Span

ADAPTER = Schema("peft:LoraConfig")
LAUNCHER = "the launch command decides the number of processes, and it is not in this file"
ENUMS = re.compile(
    r"transformers\..*(IntervalStrategy|SchedulerType|OptimizerNames|HubStrategy|SaveStrategy)\.[A-Z_0-9]+$"
)
PINNED = re.compile(r"\b(transformers|trl|peft) ?== ?(\d+(?:\.\d+)+)\b(?!\.?\w)")
INSTALLS = re.compile(r"\bpip3? install\b|#\s+\\?\"")
"""Lines that install packages, and those of a script's own list of dependencies (PEP 723)."""
STAGES = {config: stage for stage, config in trl.CONFIGS.items()} | {"RLOOConfig": "rloo"}
CLASSES = {"TrainingArguments", "Seq2SeqTrainingArguments", "UnslothTrainingArguments", *STAGES}
WRAPPED = {"get_peft_model", "prepare_model_for_kbit_training", "prepare_model_for_int8_training", "PeftModel"}


@dataclass
class Setup:
    """What belongs to one run: its arguments' call, the trainer that takes them, and what leads to its model."""

    config: Call
    trainer: Call | None = None
    base: Call | None = None
    name: Value | None = None
    adapters: list[Value] = field(default_factory=list)
    open: str | None = None
    """Why nobody can tell what the model is."""

    def option(self, *keywords: str) -> Value | None:
        """What the trainer is handed by the first of these names; None where it is not or None."""
        given = self.trainer.keywords if self.trainer is not None else {}
        found = next((given[name].value for name in keywords if name in given), None)
        return None if found is None or (found.unknown is None and found.value is None) else found


@dataclass(frozen=True)
class Surroundings:
    """What the rest of a file says of all its runs: `pins` are the versions that it installs."""

    pins: Mapping[str, Pin]
    unsloth: bool
    saves: bool
    """Does it save models itself?"""
    adapters: bool
    """Does it make adapters?"""


def _surroundings(document: Document) -> Surroundings:
    source, calls = document.source, document.calls
    versions: dict[str, dict[str, Pin]] = {}
    for match in PINNED.finditer(source.text):
        if INSTALLS.search(source.line(source.position(match.start()).line)):
            pin = Pin(match[2], document.at(Span(*match.span())))
            versions.setdefault(match[1], {}).setdefault(pin.version, pin)
    return Surroundings(
        {package: next(iter(found.values())) for package, found in versions.items() if len(found) == 1},
        any("unsloth" in call.function.path.partition(".")[0] for call in calls),
        any(name.startswith(("save_", "push_to")) for call in calls for name in call.methods),
        any(call.function.name in ("LoraConfig", "get_peft_model") for call in calls),
    )


# --------------------------------------------------------------------------------------------------------- finding runs


def _is_config(value: object) -> bool:
    return isinstance(value, Call) and value.function.name in CLASSES and value.function.source != "local"


def _setups(document: Document) -> Iterator[Setup]:
    taken = set()
    for call in document.calls:
        given = call.keywords["args"].value if "args" in call.keywords else None
        positional = call.positional if call.function.name.endswith("Trainer") else []
        config = next((v.value for v in (given, *positional) if v is not None and _is_config(v.value)), None)
        if config is not None:
            taken.add(config)
            yield _follow(Setup(config, call))
    for call in document.calls:
        if _is_config(call) and call not in taken:
            yield Setup(call, open="no trainer in this file takes these arguments")


def _follow(setup: Setup) -> Setup:
    """Go back from the trainer's model to where it is loaded, past what wraps it."""
    trainer = setup.trainer
    assert trainer is not None
    if (adapter := setup.option("peft_config")) is not None:
        setup.adapters.append(adapter)
    given = trainer.keywords["model"].value if "model" in trainer.keywords else None
    model = given or next(iter(trainer.positional), None)
    seen: set[Call] = set()
    while model is not None and model.unknown is None and isinstance(model.value, Call) and model.value not in seen:
        call: Call = model.value
        seen.add(call)  # `model.model = model`
        name = call.function.name
        if name in ("from_pretrained", "from_config") and "PeftModel" not in call.function.path:
            setup.base = call
            first = next((call.keywords[key].value for key in _NAMES if key in call.keywords), None)
            setup.name = first or next(iter(call.positional), None)
            return setup
        if name == "get_peft_model":
            config = call.keywords["peft_config"].value if "peft_config" in call.keywords else None
            setup.adapters.append(config or (call.positional[1] if len(call.positional) > 1 else model))
        elif name not in WRAPPED:
            break
        model = call.keywords["model"].value if "model" in call.keywords else next(iter(call.positional), None)
    if model is not None and isinstance(model.value, str) and model.unknown is None:
        setup.name = model
    elif model is None or model.unknown is not None:
        setup.open = model.unknown if model is not None else "the trainer makes its model itself"
    else:
        setup.open = f"{model.origin.text} makes the model"
    return setup


_NAMES = ("pretrained_model_name_or_path", "model_name", "model_name_or_path")


# ------------------------------------------------------------------------------------------------------------ arguments


def _from_python(edition: Edition, value: Any) -> Any:
    """Judge a value as the class will use it: nothing is converted on the way. Raises `Rejected`."""
    numeric = edition.types & {"int", "float"}
    if isinstance(value, str) and numeric and not edition.limits(value) and not edition.admits(value):
        raise Rejected("type", f"{value!r} is text, where a number is needed")
    if type(value) is int and value in (0, 1) and "bool" in edition.types:
        return bool(value)
    if isinstance(value, bool) and edition.choices is not None and "bool" not in edition.types:
        raise Rejected("choice", f"{value!r} is none of {', '.join(map(str, edition.choices[:8]))}")
    return from_loaded(edition, list(value) if isinstance(value, tuple) else value)


def _data(value: Value) -> Any:
    """A value as plain data; `torch.bfloat16` and the members of the frameworks' enumerations are text. Raises `NotPlain`."""
    symbol = value.value
    if isinstance(symbol, Symbol) and value.unknown is None:
        if re.fullmatch(r"torch\.\w+", symbol.path):
            return symbol.name
        if ENUMS.match(symbol.path):
            return symbol.name.lower()
        if ".TaskType." in symbol.path:
            return symbol.name
    return plain(value)


def _told(value: Value) -> tuple[Any, str | None]:
    """A value as plain data, or why there is none."""
    try:
        return _data(value), None
    except NotPlain as missing:
        return None, str(missing)


def _arguments(keywords: dict[str, Keyword], schema: Schema, opened: str | None, closed: bool) -> Arguments:
    """Keywords as arguments. `closed`: the class takes no other names than those of the schema."""
    arguments = Arguments(open=opened)
    for name, keyword in keywords.items():
        origin = keyword.value.origin
        value, unknown = _told(keyword.value)
        # an attribute that is set later may be any
        issue = unknown_argument(name, keyword.key, schema, closed) if keyword.key.text == name else None
        if name not in schema:
            arguments.issues += [issue] if issue is not None else []
        elif unknown is None:
            try:
                value = _from_python(schema.edition(name), value)
            except Rejected as rejected:
                value, unknown = None, rejected.message
                message, advice = f"{name}: {rejected.message}", f"give {name} a value that the trainer takes"
                arguments.issues.append(
                    ArgumentIssue(rejected.kind, name, message, keyword.at, advice, rejected.certain)
                )
        arguments.given[name] = Argument(name, value, origin, keyword.key, keyword.at, unknown)
    return arguments


def _of_call(call: Call, schema: Schema, first: str, *, closed: bool) -> Arguments:
    """The arguments of a call; its first positional one is called `first`."""
    opened = call.open
    keywords = dict(call.keywords)
    for number, value in enumerate(call.positional):
        if number == 0 and value.origin.at is not None:
            keywords.setdefault(first, Keyword(value.origin.at, value.origin.at, value))
        else:
            opened = opened or "arguments are given by their position"
    return _arguments(keywords, schema, opened, closed)


def _dotted(value: Value, section: str = "") -> Iterator[tuple[str, Keyword]]:
    """The entries of a dict and of those in it, by dotted name; DeepSpeed's own nest three deep."""
    if section.count(".") < 5 and isinstance(value.value, Table) and value.unknown is None:
        for key, entry in value.value.entries.items():
            yield f"{section}{key}", entry
            yield from _dotted(entry.value, f"{section}{key}.")


def _schema(config: Call) -> Schema:
    name = config.function.name
    if name in table("trl")["sections"]:
        return Schema(f"trl:{name}", overrides={"optim": "adamw_torch"})
    section = "seq2seq" if name == "Seq2SeqTrainingArguments" else "TrainingArguments"
    return Schema(f"transformers:{section}", overrides={"optim": "adamw_torch"})


def _own(call: Call, *packages: str) -> bool:
    """Is the class certainly that of the framework, and not one of the file or of another project?"""
    return call.function.source == "imported" and call.function.path.partition(".")[0] in packages


# ----------------------------------------------------------------------------------------------------------------- facts


def _setup(r: View) -> Setup:
    setup: Setup = r.run.context["setup"]
    return setup


def _around(r: View) -> Surroundings:
    around: Surroundings = r.run.context["around"]
    return around


def _use(r: View, name: str, value: Value | None, absent: Any = None) -> Any:
    """A value of the file as a fact; `absent` where it is not given. Raises `Unknown` where nobody can tell."""
    if value is None:
        return absent
    try:
        return r.use(f"python.{name}", Fact(name, _data(value), "known", value.origin))
    except NotPlain as missing:
        raise Unknown(str(missing), name) from None


def _known_model(r: View) -> Setup:
    setup = _setup(r)
    if setup.open is not None:
        raise Unknown(setup.open, "model_name_or_path")
    return setup


def _of_base(r: View, *keywords: str) -> Value | None:
    """What the model is loaded with by one of these names; None where it is not."""
    setup = _known_model(r)
    given: Mapping[Any, Keyword]
    if setup.base is not None:
        given, opened = setup.base.keywords, setup.base.open
    else:  # TRL loads it by its name
        given, opened = _entries(setup.config.keywords.get("model_init_kwargs"), setup.config.open)
    found = next((given[name].value for name in keywords if name in given), None)
    if found is None and opened is not None:
        raise Unknown(opened, keywords[0])
    return found


def _entries(keyword: Keyword | None, absent: str | None) -> tuple[Mapping[Any, Keyword], str | None]:
    """The entries of a dict, and why there may be others; `absent` is the reason where there is no dict at all."""
    if keyword is None or (keyword.value.unknown is None and keyword.value.value is None):
        return {}, absent
    table = keyword.value.value
    if isinstance(table, Table) and keyword.value.unknown is None:
        return table.entries, table.open
    return {}, keyword.value.unknown or f"{keyword.at.text} is known only when it runs"


def model_name(r: View) -> Any:
    return _use(r, "model_name_or_path", _known_model(r).name)


def stage(r: View) -> str:
    """TRL's classes say it. The plain Trainer trains whatever the model is for."""
    setup = _setup(r)
    for call in (setup.config, setup.trainer):
        name = call.function.name if call is not None else ""
        found = STAGES.get(name) or STAGES.get(f"{name.removesuffix('Trainer')}Config")
        if found is not None:
            return found
    base = _known_model(r).base
    kind = base.function.path.rpartition(".")[0].rpartition(".")[2] if base is not None else ""
    if kind and not re.search(r"CausalLM|LMHead|LanguageModel|FastModel", kind):
        return kind
    raise Unknown("nothing says whether this run pre-trains or fine-tunes", "stage")


def bits(r: View) -> int | None:
    """Bits of the quantised base; None where it is loaded as it is."""
    config = _of_base(r, "quantization_config")
    quantized = config.value if config is not None else None
    if config is not None and config.unknown is None and isinstance(quantized, Call):
        if quantized.function.name != "BitsAndBytesConfig" or quantized.open is not None:
            raise Unknown("how the model is quantised is not known", "quantization_bits")
        switches = {name: keyword.value for name, keyword in quantized.keywords.items()}
    elif config is not None and _use(r, "quantization_config", config) is not None:
        raise Unknown("how the model is quantised is not known", "quantization_bits")
    else:
        switches = {name: value for name in _BITS if (value := _of_base(r, name)) is not None}
        if "load_in_4bit" not in switches and _around(r).unsloth:
            raise Unknown("Unsloth's default depends on its version", "quantization_bits")
    for name, number in _BITS.items():
        if _use(r, name, switches.get(name)):
            return number
    return None


_BITS = {"load_in_4bit": 4, "load_in_8bit": 8}


def method(r: View) -> str:
    setup = _setup(r)
    if setup.adapters:
        adapter = setup.adapters[0]
        if not isinstance(adapter.value, Call) or adapter.unknown is not None:
            raise Unknown(adapter.unknown or f"{adapter.origin.text} decides whether an adapter is trained", "method")
        kind = adapter.value.function.name
        if kind not in ("LoraConfig", "get_peft_model"):
            return kind.removesuffix("Config").lower()
        return "qlora" if r.quantization_bits else "lora"
    _known_model(r)
    if _around(r).adapters:
        raise Unknown("the file makes an adapter, and nothing says for which model", "method")
    if setup.trainer is not None and setup.trainer.open is not None:
        raise Unknown(setup.trainer.open, "method")
    return "full"


def _adapter(name: str, absent: Any = None) -> Derivation:
    """A setting of the adapter; `absent` where none is trained."""

    def derive(r: View) -> Any:
        if r.method not in ("lora", "qlora"):
            return absent
        given = r.run.linked["adapter"].given.get(name)
        if given is not None or r.run.linked["adapter"].open is None:
            found = linked(r, "adapter", name, derive)
            if found is not derive:
                return found
            if not _around(r).unsloth:
                value, origin, confidence = ADAPTER.aimed(r.run.context["targets"]).default(name)
                return r.use(f"adapter.{name}", Fact(name, value, "default", origin, confidence=confidence))
        raise Unknown(f"{name} of the adapter is not known", name)

    return derive


def _modules(name: str) -> Derivation:
    given = _adapter(name)

    def derive(r: View) -> list[str]:
        value = given(r)
        return [value] if isinstance(value, str) else names(value)

    return derive


def sequence_length(r: View) -> Any:
    """The arguments' own limit, else the trainer's, else that of Unsloth's model, else TRL's default."""
    for name in ("max_length", "max_seq_length"):
        if r.run.arguments.given.get(name) is not None:
            value = r.arg(name)
            if value is None:
                raise Unknown(f"{name} is None: there is no limit", "sequence_length")
            return value
    of_trainer = _setup(r).option("max_seq_length", "max_length")
    if of_trainer is not None:
        return _use(r, "max_seq_length", of_trainer)
    if _around(r).unsloth:
        length = _of_base(r, "max_seq_length")
        if length is not None:
            return _use(r, "max_seq_length", length)
        raise Unknown("Unsloth decides the longest sequence", "sequence_length")
    return r.arg("max_length")


def torch_dtype(r: View) -> str:
    """The type that the weights are loaded in; unset leaves it to the version of transformers."""
    if r.quantization_bits is not None:
        raise Unknown("the quantised weights have a type of their own to compute in", "torch_dtype")
    value = _use(r, "torch_dtype", _of_base(r, "dtype", "torch_dtype"))
    if value is None:
        raise Unknown("transformers 4 loads weights in float32, 5 as they are stored", "torch_dtype")
    return str(value)


def save_steps(r: View) -> Any:
    """Steps between checkpoints. Where the script saves the model itself, the Trainer's default was not meant to."""
    if "save_steps" not in r.run.arguments.given and _around(r).saves:
        raise Unknown("the script saves the model itself", "save_steps")
    return hf_trainer.save_steps(r)


def packing(r: View) -> bool:
    of_trainer = _setup(r).option("packing")
    if of_trainer is not None and "packing" not in r.run.arguments.given:
        return bool(_use(r, "packing", of_trainer))
    return bool(r.arg("packing"))


def eval_data(r: View) -> str:
    setup = _setup(r)
    trainer = setup.trainer
    if trainer is None or trainer.open is not None or len(trainer.positional) > 1:
        return "unknown"
    value = setup.option("eval_dataset")
    return "no" if value is None else "yes" if isinstance(value.value, Call) else "unknown"


def _owned(derive: Derivation) -> Derivation:
    """A setting that is not in force where the trainer is handed an optimizer of the script's own."""

    def derived(r: View) -> Any:
        if _setup(r).option("optimizers", "optimizer_cls_and_kwargs") is not None:
            raise Unknown("the script makes the optimizer itself", "learning_rate")
        return derive(r)

    return derived


def _unknown(reason: str, name: str) -> Derivation:
    def derive(r: View) -> Any:
        raise Unknown(reason, name)

    return derive


OWNED = (
    "learning_rate",
    "lr_scheduler_type",
    "warmup_ratio",
    "warmup_steps",
    "weight_decay",
    "optim",
    "optimizer_family",
)
FACTS: dict[str, Derivation] = {
    **hf_trainer.FACTS,
    **{name: _owned(hf_trainer.FACTS[name]) for name in OWNED},
    "world_size": _unknown(LAUNCHER, "world_size"),
    "visible_devices": _unknown(LAUNCHER, "visible_devices"),
    "stage": stage,
    "method": method,
    "model_name_or_path": model_name,
    "tokenizer_name_or_path": model_name,
    "quantization_bits": bits,
    "torch_dtype": torch_dtype,
    "sequence_length": sequence_length,
    "packing": packing,
    "save_steps": save_steps,
    "eval_data": eval_data,
    "lora_rank": _adapter("r"),
    "lora_alpha": _adapter("lora_alpha"),
    "lora_dropout": _adapter("lora_dropout"),
    "target_modules": _modules("target_modules"),
    "modules_to_save": _modules("modules_to_save"),
    "datasets": _unknown("the script loads its data itself", "datasets"),
    "streaming": _unknown("the script loads its data itself", "streaming"),
}
KEYS: dict[str, str | None] = {
    **trl.KEYS,
    "lora_rank": "r",
    "target_modules": "target_modules",
    "modules_to_save": "modules_to_save",
}


# --------------------------------------------------------------------------------------------------------------- reading


def _run(document: Document, context: Context, setup: Setup, around: Surroundings) -> Run:
    config = setup.config
    of_trl = config.function.name in STAGES
    stated = context.targets.keys() - context.pinned.keys()
    own = {package: pin for package, pin in around.pins.items() if package not in stated}
    versions = {package: pin.version for package, pin in own.items()}
    context = replace(context, targets={**context.targets, **versions}, pinned={**context.pinned, **own})
    schema = _schema(config).aimed(context.targets)
    # Unsloth gives TRL's classes arguments of its own
    closed = _own(config, "transformers", "trl") and not around.unsloth
    arguments = _of_call(config, schema, "output_dir", closed=closed)
    cell = f", cell {config.cell}" if config.cell is not None else ""
    facts = {**FACTS, "mixed_precision": trl.FACTS["mixed_precision"]} if of_trl else FACTS
    name, title = ("trl", "TRL") if of_trl else ("hf-trainer", "Hugging Face Trainer")
    dialect = replace(DIALECT, name=name, title=f"{title} in Python{cell}", facts=facts)
    run = from_tree(
        dialect, document, context, arguments, schema,
        targets=context.targets, setup=setup, call=config, around=around,
    )  # fmt: skip
    run.at = config.at
    hf_trainer.link_files(run)
    run.linked = {**run.linked, **_linked(setup, context)}
    return run


def _linked(setup: Setup, context: Context) -> dict[str, Arguments]:
    found = {}
    adapter = setup.adapters[0].value if setup.adapters else None
    if isinstance(adapter, Call):
        closed = adapter.function.name == "LoraConfig" and _own(adapter, "peft")
        first = "r" if adapter.function.name == "LoraConfig" else "model"
        found["adapter"] = _of_call(adapter, ADAPTER.aimed(context.targets), first, closed=closed)
    deepspeed = setup.config.keywords.get("deepspeed")
    if deepspeed is not None and isinstance(deepspeed.value.value, Table) and deepspeed.value.unknown is None:
        found["deepspeed"] = _arguments(
            dict(_dotted(deepspeed.value)), Schema(), deepspeed.value.value.open, closed=False
        )
    return found


def _read_python(document: Document, context: Context) -> list[Run] | None:
    around = _surroundings(document)
    return [_run(document, context, setup, around) for setup in _setups(document)] or None


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    """A command whose script is here and describes one run: the script says the arguments, the command the processes."""
    name = started.program.text or ""
    if not name.endswith(".py"):
        return None
    directories = context.files.directories(document.source, started.command.directory)
    try:
        script = context.files.document(context.files.find(name, directories))
    except Unknown:
        return None
    setups = [*_setups(script)]
    if len(setups) != 1:
        return None
    return launched(_run(script, context, setups[0], _surroundings(script)), document, started, context)


DIALECT = Dialect("python-trainer", "Trainer in Python", FACTS, KEYS, _read_command, read_python=_read_python)
