"""The Hugging Face Trainer: any script whose arguments are `TrainingArguments` and more, from a command line or a JSON file.

The script may declare arguments of its own, so an unknown flag is a finding only where it is a near miss. Other dialects
build on the facts here and close the schema.
"""

from __future__ import annotations

import math
import re
from typing import Any

from trainlint.dialects import accelerate, argv, declared, deepspeed, tree
from trainlint.dialects import fsdp as fsdp_file
from trainlint.dialects.base import Context, Dialect, arg, from_command, from_tree, linked, names
from trainlint.dialects.convert import from_loaded
from trainlint.dialects.launchers import Started
from trainlint.dialects.tables import Schema
from trainlint.document import Document
from trainlint.facts import Arguments, Derivation, Fact, Run, Unknown, View

SCHEMA = declared.TRAINER
MARKS = frozenset(
    {"per_device_train_batch_size", "num_train_epochs", "learning_rate", "gradient_accumulation_steps", "max_steps"}
)
"""Arguments that a launch of a training script has, and other programs hardly."""
OWN_MARKS = frozenset(
    {"per_device_train_batch_size", "per_device_eval_batch_size", "num_train_epochs", "lr_scheduler_type"}
)
"""Keys that no other framework's file has."""


# ----------------------------------------------------------------------------------------------------- derivations


def has_deepspeed(r: View) -> bool:
    """Is DeepSpeed in force? Raises `Unknown` where its file is named but not here."""
    if "deepspeed" in r.run.linked:
        return True
    if "deepspeed_unread" in r.run.context:
        raise Unknown(r.run.context["deepspeed_unread"], "deepspeed")
    if "deepspeed" not in r.run.context["schema"]:
        return False  # a script of another loop, which accelerate alone can put under DeepSpeed
    config = r.arg("deepspeed") if r.run.arguments.open is None or "deepspeed" in r.run.arguments.given else None
    if config in (None, "", False):
        if r.run.arguments.open is not None:
            raise Unknown(r.run.arguments.open, "deepspeed")
        return False
    raise Unknown(f"the DeepSpeed file {config} is not on this machine", "deepspeed")


def max_grad_norm(r: View, trainer: Derivation = arg("max_grad_norm")) -> float:  # noqa: B008 (a constant)
    """The clipping in force; 0 is off. Under DeepSpeed the engine clips, by `gradient_clipping` alone.

    `trainer` is what the Trainer is told; DeepSpeed takes it for `"auto"`.
    """
    if has_deepspeed(r):
        value = linked(r, "deepspeed", "gradient_clipping")
        if value is None:
            r.read.clear()
            return deepspeed.default_clip(r.run.context["schema"].targets)
        if value != "auto":
            return float(value)
    value = trainer(r)
    return 0.0 if value is None else float(value)


def clipping_set_by(r: View) -> str:
    """Who decides the clipping: `trainer`, `deepspeed` (a constant in its file) or `deepspeed-default` (its file is silent)."""
    if not has_deepspeed(r):
        return "trainer"
    value = linked(r, "deepspeed", "gradient_clipping")
    return "deepspeed-default" if value is None else "trainer" if value == "auto" else "deepspeed"


def zero_stage(r: View) -> int:
    """The ZeRO stage; 0 without DeepSpeed."""
    return int(linked(r, "deepspeed", "zero_optimization.stage", 0)) if has_deepspeed(r) else 0


def offload(r: View) -> str:
    """What DeepSpeed or FSDP keeps off the GPU: `none`, `optimizer` or `parameters`."""
    if not has_deepspeed(r):
        return "parameters" if r.fsdp and _fsdp_offloads(r) else "none"
    for section, what in (("offload_param", "parameters"), ("offload_optimizer", "optimizer")):
        if linked(r, "deepspeed", f"zero_optimization.{section}.device", "none") not in ("none", None):
            return what
    return "none"


def _fsdp_offloads(r: View) -> bool:
    """FSDP moves weights, gradients and optimizer states off the GPU together."""
    if "offload" in str(r.fsdp).lower():
        return True
    settings = _launch_settings(r.run)
    if settings is not None and "fsdp_offload_params" in settings.given:
        argument = settings.given["fsdp_offload_params"]
        if argument.unknown is not None:
            raise Unknown(argument.unknown, "offload")
        return str(argument.value).lower() in ("true", "1")
    if "fsdp_config" in r.run.linked:
        return bool(linked(r, "fsdp_config", "offload_params", False))
    own = r.arg("fsdp_config") if r.given("fsdp_config") else None
    if isinstance(own, str):
        raise Unknown(f"{own} is not here", "offload")
    return isinstance(own, dict) and any(own.get(name) for name in ("offload_params", "fsdp_offload_params"))


def mixed_precision(r: View) -> str:
    """`bf16`, `fp16` or `no`: the Trainer's own flags come first, then what `accelerate launch` was told."""
    deepspeed_used = has_deepspeed(r) if "deepspeed" in r.run.linked or r.given("deepspeed") else False
    for name in ("bf16", "fp16"):
        enabled = linked(r, "deepspeed", f"{name}.enabled", "auto") if deepspeed_used else "auto"
        if enabled is True:
            return name
        if enabled == "auto" and r.arg(name):
            return name
    settings = _launch_settings(r.run)
    return accelerate.mixed_precision(settings) if settings is not None else "no"


def deepspeed_config(r: View) -> Any:
    """The run's own argument, else the name of what switches DeepSpeed on."""
    if r.given("deepspeed") and r.arg("deepspeed"):
        return r.arg("deepspeed")
    return "accelerate" if has_deepspeed(r) else None


def fsdp(r: View) -> Any:
    """The Trainer's own options, else what `accelerate launch` was told."""
    own = r.arg("fsdp") or None
    settings = _launch_settings(r.run)
    if own is None and settings is not None and accelerate.uses(settings, "fsdp"):
        return "accelerate"
    return own


WRAPPED = "transformer_layer_cls_to_wrap"


def fsdp_layers(r: View) -> list[str]:
    """By the launch, or by the Trainer's own settings, which name them in three ways."""
    options = r.fsdp
    settings = _launch_settings(r.run)
    if options == "accelerate" and settings is not None:
        argument = settings.given.get(f"fsdp_{WRAPPED}")
        if argument is None:
            return []
        if argument.unknown is not None:
            raise Unknown(argument.unknown, "fsdp_layers")
        return names(r.use(f"launcher.{WRAPPED}", Fact(WRAPPED, argument.value, "known", argument.origin)))
    if not options or (isinstance(options, str) and "shard" in options and "auto_wrap" not in options):
        return []
    said = (f"fsdp_config.{WRAPPED}", f"fsdp_config.fsdp_{WRAPPED}", f"fsdp_{WRAPPED}")
    return next((names(r.arg(name)) for name in said if r.given(name)), [])


def fsdp_recomputes(r: View) -> bool:
    """Does `fsdp_config`, a block or a file, have activations recomputed?"""
    names_ = ("fsdp_config.activation_checkpointing", "fsdp_config.fsdp_activation_checkpointing")
    return any(r.given(name) and r.arg(name) for name in names_)


def gradient_checkpointing(r: View) -> bool:
    """The Trainer's own, or that of the FSDP file where FSDP is in force."""
    own = bool(arg("gradient_checkpointing", "activation_checkpointing")(r))
    return own or (bool(r.arg("fsdp")) and fsdp_recomputes(r))


def _launch_settings(run: Run) -> Arguments | None:
    started: Started | None = run.context.get("started")
    return started.settings if started is not None else None


def warmup_ratio(r: View) -> float:
    """The share of the steps spent on warmup as stated; a number of steps wins over it."""
    steps = r.arg("warmup_steps") or 0
    if 0 < steps < 1:
        return float(steps)
    return float(r.arg("warmup_ratio") or 0.0)


def warmup_steps(r: View) -> int:
    """Warmup in optimizer steps: as stated, or ceil(ratio × steps) as the Trainer computes it."""
    if r.lr_scheduler_type == "constant":
        return 0
    steps = r.arg("warmup_steps") or 0
    if steps >= 1:
        return int(steps)
    ratio = r.warmup_ratio
    return math.ceil(ratio * r.total_steps) if ratio else 0


def eval_steps(r: View) -> Any:
    """Steps between evaluations, None where none happen by steps; unset or 0, the Trainer takes logging_steps."""
    return (r.arg("eval_steps") or r.arg("logging_steps")) if r.eval_strategy == "steps" else None


def eval_strategy(r: View) -> str:
    """`no`, `steps` or `epoch`. Up to transformers 4.x, --do_eval alone does not evaluate during training."""
    return str(arg("eval_strategy", "evaluation_strategy")(r))


def save_steps(r: View) -> Any:
    return r.arg("save_steps") if r.save_strategy == "steps" else None


def optimizer_family(r: View) -> str:
    """`adam` for everything whose steps are of Adam's size, else the optimizer's own name."""
    optimizer = str(r.optim).lower()
    return "adam" if "adam" in optimizer and "mini" not in optimizer else optimizer


def torch_dtype(r: View) -> str:
    """The type that the weights are loaded in; `auto` and unset leave it to the model's files."""
    value = arg("torch_dtype", "dtype")(r)
    return "auto" if value is None else str(value)


def max_steps(r: View) -> int | None:
    value = r.arg("max_steps")
    return int(value) if value is not None and value > 0 else None


FACTS: dict[str, Derivation] = {
    "learning_rate": arg("learning_rate"),
    "lr_scheduler_type": arg("lr_scheduler_type"),
    "warmup_ratio": warmup_ratio,
    "warmup_steps": warmup_steps,
    "per_device_train_batch_size": arg("per_device_train_batch_size", "per_gpu_train_batch_size"),
    "gradient_accumulation_steps": arg("gradient_accumulation_steps"),
    "num_train_epochs": arg("num_train_epochs"),
    "max_steps": max_steps,
    "weight_decay": arg("weight_decay"),
    "max_grad_norm": max_grad_norm,
    "clipping_set_by": clipping_set_by,
    "optim": arg("optim"),
    "optimizer_family": optimizer_family,
    "adam_beta2": arg("adam_beta2"),
    "mixed_precision": mixed_precision,
    "torch_dtype": torch_dtype,
    "eval_strategy": eval_strategy,
    "eval_steps": eval_steps,
    "save_strategy": arg("save_strategy"),
    "save_steps": save_steps,
    "deepspeed": deepspeed_config,
    "zero_stage": zero_stage,
    "offload": offload,
    "fsdp": fsdp,
    "fsdp_layers": fsdp_layers,
    "gradient_checkpointing": gradient_checkpointing,
    "seed": arg("seed"),
    "output_dir": arg("output_dir"),
    "streaming": arg("streaming"),
    "dataset_format": lambda r: "any",
}


# ------------------------------------------------------------------------------- scripts that declare arguments themselves


SCRIPT_NAMES: dict[str, tuple[str, ...]] = {
    "model_name_or_path": ("model_name_or_path",),
    "tokenizer_name_or_path": ("tokenizer_name_or_path", "tokenizer_name"),
    "sequence_length": ("block_size", "max_seq_length", "model_max_length", "cutoff_len", "max_length", "max_seq_len"),
    "lora_rank": ("lora_rank", "lora_r", "lora_dim"),
    "lora_alpha": ("lora_alpha",),
    "lora_dropout": ("lora_dropout",),
    "target_modules": ("lora_target_modules", "target_modules", "lora_target"),
    "modules_to_save": ("modules_to_save", "lora_modules_to_save"),
    "datasets": (
        "train_file",
        "data_path",
        "dataset_dir",
        "train_file_dir",
        "train_data",
        "train_files",
        "dataset_name",
    ),
    "packing": ("packing",),
}
"""What scripts usually call the arguments that they, not the Trainer, declare."""

EVALUATION_FILES = ("validation_file", "validation_files", "eval_file", "eval_data_path", "validation_file_dir")
RUN_CLM = ("run_clm.py", "run_clm_no_trainer.py")
HELD_OUT_BY_RUN_CLM = 5
"""Per cent, of the data of a run_clm that is not here."""


def _own(fact: str) -> Derivation:
    """The script's own argument for a fact, by its usual names."""

    def derive(r: View) -> Any:
        for name in SCRIPT_NAMES[fact]:
            if r.given(name):
                return _typed(r.arg(name))
        for name in SCRIPT_NAMES[fact]:
            if (value := _default(r, name)) is not None:
                return value
        raise Unknown(f"the script's own argument for {fact} is not known", fact)

    return derive


def _default(r: View, name: str) -> Any:
    """What the script does where an argument that it declares is absent; None where it declares none or leaves it out."""
    return r.arg(name) if name in r.run.context["schema"] else None


def _typed(value: Any) -> Any:
    """Where the script's own declaration is not known, a word that reads as a number or a truth value is taken for one."""
    if not isinstance(value, str):
        return value
    for convert in (int, float):
        try:
            return convert(value)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(value.lower(), value)


def script_name(r: View) -> str:
    started = r.run.context.get("started")
    return started.name if started is not None else ""


STAGES = {f"trl:{name.upper()}Config": name for name in ("sft", "dpo", "kto", "grpo", "orpo", "cpo")}
"""What a script trains that takes these settings of TRL."""


def stage(r: View) -> str:
    """`pt`, `sft`, `dpo`, …: read off the script's name, where that says it."""
    for section in r.run.context["schema"].sections:
        if section in STAGES:
            return STAGES[section]
    name = script_name(r).lower()
    for pattern, found in (
        (r"(^|[^a-z])(dpo|orpo|kto|simpo|grpo|ppo|cpo)([^a-z]|$)", ""),
        (r"reward|(^|_)rm(_|\.|$)", "rm"),
        (r"run_clm(_no_trainer)?\.py$|pretrain|(^|_)pt(_|\.|$)|clm_pt", "pt"),
        (r"sft|finetune|fine_tune|instruct|train_lora|qlora", "sft"),
    ):
        match = re.search(pattern, name)
        if match:
            if found != "pt" or not name.startswith("run_clm.py"):
                r.assume(f"the stage is read off the script's name, {name}")
            return found or match.group(2)
    raise Unknown(f"nothing says whether {name or 'this run'} pre-trains or fine-tunes", "stage")


SWITCHES = ("use_lora", "use_peft", "lora_enable")


def method(r: View) -> str:
    """`full`, `lora` or `qlora`. A script without LoRA arguments may still build an adapter in its code."""
    switches = [name for name in SWITCHES if r.given(name) or _default(r, name) is not None]
    if any(_typed(r.arg(name)) is False for name in switches):
        return "full"
    quantized = any(
        r.given(name) and _typed(r.arg(name)) not in (False, None, 16)
        for name in ("load_in_4bit", "load_in_8bit", "q_lora")
    )
    if switches or any(r.given(name) for name in SCRIPT_NAMES["lora_rank"]):
        return "qlora" if quantized else "lora"
    if script_name(r) in ("run_clm.py", "run_clm_no_trainer.py"):
        return "full"
    raise Unknown("the script may build an adapter in its own code", "method")


def _tokenizer(r: View) -> Any:
    """The model's own where no argument names another."""
    if any(r.given(name) for name in SCRIPT_NAMES["tokenizer_name_or_path"]):
        return _own("tokenizer_name_or_path")(r)
    r.assume("the tokenizer is the model's own, as no argument names another")
    return r.model_name_or_path


def _listed(fact: str) -> Derivation:
    return lambda r: names(_own(fact)(r))


def _packing(r: View) -> bool:
    """The run_clm scripts cut the whole text into blocks, always."""
    return script_name(r).startswith("run_clm") or bool(_own("packing")(r))


def _eval_datasets(r: View) -> list[str]:
    for name in EVALUATION_FILES:
        if r.given(name):
            return names(r.arg(name))
    if script_name(r) not in RUN_CLM:
        raise Unknown("the script may have evaluation data of its own", "eval_datasets")
    return []


def _eval_split(r: View) -> float:
    """run_clm holds out `validation_split_percentage` of a training file where no other file is named."""
    if script_name(r) not in RUN_CLM:
        r.assume("the script holds out nothing of the training data")
        return 0
    if r.given("validation_file") or not r.given("train_file"):
        return 0
    name = "validation_split_percentage"
    share = r.arg(name) if r.given(name) else _default(r, name)
    return float(HELD_OUT_BY_RUN_CLM if share is None else _typed(share)) / 100


SCRIPT_FACTS: dict[str, Derivation] = {
    **{fact: _own(fact) for fact in SCRIPT_NAMES},
    **{fact: _listed(fact) for fact in ("target_modules", "modules_to_save", "datasets")},
    "tokenizer_name_or_path": _tokenizer,
    "stage": stage,
    "method": method,
    "packing": _packing,
    "eval_datasets": _eval_datasets,
    "eval_split": _eval_split,
    "eval_data": lambda r: "unknown",
    # what only a script in Python says
    "added_tokens": lambda r: [],
    "masks_end": lambda r: False,
}

# ---------------------------------------------------------------------------------------------------------- reading


def command_run(
    dialect: Dialect, document: Document, started: Started, context: Context, schema: Schema, *, closed: bool
) -> Run:
    """A Trainer run from a command line, with the DeepSpeed file that it names and what its script adds to the schema."""
    schema, closed = declared.extend(schema, document, started, context, closed)
    arguments = argv.read(document.source, started.words, schema.aimed(context.targets), closed=closed)
    run = from_command(dialect, document, started, context, arguments, schema)
    link_files(run)
    return run


def tree_run(
    dialect: Dialect,
    document: Document,
    context: Context,
    schema: Schema,
    loader: tree.Loader,
    convert: tree.Convert,
    *,
    closed: bool,
) -> Run:
    """A Trainer run from the top-level keys of a data file, with the DeepSpeed file that it names."""
    arguments = tree.read(document, schema.aimed(context.targets), loader, convert, closed=closed)
    run = from_tree(dialect, document, context, arguments, schema, loader=loader)
    link_files(run)
    return run


def link_files(run: Run) -> None:
    """Read the DeepSpeed and FSDP files that a run names, else what its launch puts in force."""
    if (document := _named(run, "deepspeed")) is not None:
        targets = run.context["schema"].targets
        run.linked = {**run.linked, "deepspeed": deepspeed.read_config(document, targets)}
    if (document := _named(run, "fsdp_config")) is not None:
        run.linked = {**run.linked, "fsdp_config": fsdp_file.read_config(document)}
    started: Started | None = run.context.get("started")
    if started is None or started.settings is None:
        return
    settings = started.settings
    run.linked = {**run.linked, "accelerate": settings}
    if "deepspeed" in run.arguments.given:
        return
    files, document = run.context["files"], run.context["document"]
    try:
        found = accelerate.deepspeed(settings, document, started, files)
    except Unknown as missing:
        run.context = {**run.context, "deepspeed_unread": missing.reason}
        return
    if found is not None:
        run.linked = {**run.linked, "deepspeed": found}


def _named(run: Run, role: str) -> Document | None:
    argument = run.arguments.given.get(role)
    if argument is None or argument.unknown is not None or not isinstance(argument.value, str):
        return None
    files = run.context["files"]
    try:
        document: Document = files.open(argument.value, run.context["directories"])
    except Unknown:
        return None
    return document if document.root is not None else None


def trainer_marks(document: Document) -> int:
    """How many keys of a data file are TrainingArguments, where at least one is the Trainer's own; else 0."""
    keys = tree.keys(document)
    return len(keys & set(SCHEMA)) if keys & OWN_MARKS else 0


def _speak(run: Run) -> list[Run]:
    """Call a script's own setting by the name that this script was given for it."""
    spell = run.spell
    own = {
        fact: name for fact, usual in SCRIPT_NAMES.items() for name in reversed(usual) if name in run.arguments.given
    }
    run.spell = lambda fact: spell(own.get(fact, fact))
    return [run]


def _read_command(document: Document, started: Started, context: Context) -> list[Run] | None:
    flags = {word.known_prefix.partition("=")[0].lstrip("-").replace("-", "_") for word in started.words}
    if started.name.endswith(".sh"):  # its flags are its own, whatever they are called
        return None
    if not flags & MARKS and not ({"output_dir", "model_name_or_path"} <= flags):
        return None
    own = declared.of(document, started, context)
    if own is None:
        run = command_run(DIALECT, document, started, context, SCHEMA, closed=False)
    else:
        arguments = own.arguments(document, started, context)
        run = from_command(DIALECT, document, started, context, arguments, own.schema)
        link_files(run)
    if not set(run.arguments.given) & MARKS and run.arguments.open is None:
        return None
    return _speak(run)


def _read_tree(document: Document, context: Context) -> list[Run] | None:
    if trainer_marks(document) < 3:
        return None
    loader: tree.Loader = "json" if document.format == "json" else "pyyaml"
    return _speak(tree_run(DIALECT, document, context, SCHEMA, loader, from_loaded, closed=False))


DIALECT = Dialect("hf-trainer", "Hugging Face Trainer", {**FACTS, **SCRIPT_FACTS}, {}, _read_command, _read_tree)
