"""What the model's own files say about it, the catalogue, or its name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from trainlint.derive import architecture, catalogue
from trainlint.derive.architecture import Architecture
from trainlint.derive.catalogue import Model
from trainlint.document import Origin
from trainlint.facts import Fact, Unknown, View

SIZE = re.compile(r"(?<![a-z0-9.])(?<!\d_)(\d+(?:[.p]\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)
MIXTURE = re.compile(r"\d+x\d", re.IGNORECASE)
ACTIVE = re.compile(r"-A(\d+(?:\.\d+)?)B(?![a-z0-9])", re.IGNORECASE)
CHAT = re.compile(r"(^|[-_./])(chat|instruct|it|sft|rlhf|dpo|assistant)($|[-_.\d])", re.IGNORECASE)
TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end_of_turn|>", "<|eot|>", "<|end|>")
"""What ends a turn of a dialogue. A tokenizer that takes it for the end of every text belongs to a model that was tuned."""
UNSTRETCHED = ("default", "mrope", "proportional", "llama3")
"""Kinds of rotary positions whose config.json states the number that is reached. That of Llama 3.1 counts the stretch in."""
STRETCHED = ("yarn", "longrope", "su")
"""Kinds whose config.json states the number before the stretch as well, which tells what the other number means."""
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
EMBEDDINGS = (
    "embed_tokens", "lm_head", "wte", "embed_in", "embed_out", "word_embeddings", "output_layer", "all-embedding",
)  # fmt: skip
LINEAR = dict.fromkeys(
    ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"),
    ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
)
"""The linear layers of models that have no others, in a layer; of other types nobody can say here what is a slip."""
ALIKE = 0.75


# --------------------------------------------------------------------------------------------------- where it is found


def model(r: View) -> Model:
    """The config.json that the user named, the model directory's own, or the catalogue's entry."""
    stated = r.run.stated.get("model_config")
    if stated is not None:
        return _found(r, _of_file(r, Path(stated.value)), "model-file", str(stated.value), stated.origin)
    name = _base(r, str(r.model_name_or_path))
    parent = r.read["model_name_or_path"].origin
    try:
        folder = directory(r, name)
    except Unknown:
        return _of_catalogue(r, name, parent)
    return _found(r, _of_file(r, folder / "config.json"), "model-file", f"{folder}/config.json", parent)


def _base(r: View, name: str) -> str:
    """A directory of an adapter stands for the model that the adapter was trained on."""
    with suppress(Unknown):
        base = _object(r, directory(r, name) / "adapter_config.json").get("base_model_name_or_path")
        return base if isinstance(base, str) and base else name
    return name


def _found(r: View, model: Model, kind: Any, text: str, parent: Origin) -> Model:
    reads = tuple(r.read.values())
    r.read.clear()
    r.use("model.found", Fact("model.found", model, "known", Origin(kind, text, None, (parent,)), reads=reads))
    return model


def _of_file(r: View, file: Path) -> Model:
    config = _object(r, file)
    text = config.get("text_config")
    quantised = config.get("quantization_config")
    method = quantised.get("quant_method", "unknown") if isinstance(quantised, dict) else None
    dtype = config.get("torch_dtype", config.get("dtype"))
    return Model(
        file.parent.name,
        {**config, **text, "model_type": config.get("model_type")} if isinstance(text, dict) else config,
        dtype=dtype if isinstance(dtype, str) else None,
        quantization=str(method) if method is not None else None,
    )


def _of_catalogue(r: View, name: str, parent: Origin) -> Model:
    stated = r.run.stated.get("model_catalogue")
    catalogues = [*([catalogue.load(Path(stated.value))] if stated is not None else []), catalogue.own()]
    found = next((entry for known in catalogues if (entry := known.by_id(name)) is not None), None)
    if found is None:
        found = next((entry for known in catalogues if (entry := known.by_last_part(name)) is not None), None)
        if found is None:
            raise Unknown(f"{name} is neither on this machine nor in the catalogue of models", "model")
        r.assume(f"{name} is taken for {found.name}, after which it is called")
    return _found(r, found, "catalogue", f"{found.name} in the catalogue of models, by {found.source}", parent)


def directory(r: View, name: str) -> Path:
    path = r.run.context["files"].find(str(name), r.run.context["directories"])
    if not path.is_dir():
        raise Unknown(f"{name} is not a directory")
    return Path(path)


def shape(r: View) -> Architecture:
    """Raises `Unknown` where the model's shape is not stated in full, or has parts beside the text model."""
    return architecture.read(r.model.config)


# ------------------------------------------------------------------------------------------------------- what it says


def _setting(r: View, name: str) -> int:
    value = architecture.number(r.model.config, name)
    if value is None:
        raise Unknown(f"{r.model} is not known to have a {architecture.NAMES[name][0]}")
    return value


def model_vocab_size(r: View) -> int:
    return _setting(r, "vocab")


def hidden_size(r: View) -> int:
    return _setting(r, "hidden")


def num_layers(r: View) -> int:
    return _setting(r, "layers")


def model_type(r: View) -> str:
    return str(_stated(r, r.model.config.get("model_type"), "type"))


def model_dtype(r: View) -> str:
    return str(_stated(r, r.model.dtype, "type of its weights"))


def causal_lm(r: View) -> bool:
    return bool(_stated(r, r.model.causal_lm, "way to train it"))


def model_quantization(r: View) -> str | None:
    """How the stored weights are quantised; none for those of a model whose files or entry say nothing of it."""
    quantization: str | None = r.model.quantization
    return quantization


def _stated(r: View, value: Any, what: str) -> Any:
    if value is None:
        raise Unknown(f"the {what} is not known of {r.model}")
    return value


def max_position_embeddings(r: View) -> int:
    """The positions that the model reaches, stretched as its own config.json says. Raises `Unknown` where that is ambiguous."""
    scaling = _scaling(r.model.config)
    kind, stated = scaling.get("rope_type", scaling.get("type", "default")), _setting(r, "positions")
    if kind in UNSTRETCHED:
        return stated
    trained = _trained_length(r.model.config)
    if trained is None or kind not in STRETCHED:
        raise Unknown(f"the model's config.json scales its positions ({kind})", "max_position_embeddings")
    # a long-rope config.json states the stretched number, one with YaRN that or the one before
    factor = scaling.get("factor") if kind == "yarn" else None
    return max(stated, int(trained * factor)) if isinstance(factor, (int, float)) and math.isfinite(factor) else stated


def original_max_position_embeddings(r: View) -> int:
    """The positions that the model had before its own config.json stretched them: all, where it does not."""
    trained = _trained_length(r.model.config)
    return trained if trained is not None else _setting(r, "positions")


def _scaling(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the positions are scaled. transformers 5 writes `rope_parameters`, by kind of layer where the kinds differ."""
    scaling = config.get("rope_scaling") or config.get("rope_parameters")
    if not isinstance(scaling, Mapping):
        return {}
    of_full = scaling.get("full_attention")
    return of_full if isinstance(of_full, Mapping) else scaling


def _trained_length(config: Mapping[str, Any]) -> int | None:
    for stated in (_scaling(config), config):  # Phi-3 has it beside its scaling
        length = stated.get("original_max_position_embeddings")
        if isinstance(length, int) and not isinstance(length, bool):
            return length
    return None


def _text(token: Any) -> str | None:
    """A token stands as a text, or as an object that holds it."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _object(r: View, file: Path) -> dict[str, Any]:
    found = r.run.context["files"].json(file)
    if not isinstance(found, dict):
        raise Unknown(f"{file} is no JSON object")
    return found


def model_parameters(r: View) -> int:
    """As the model's own index of weights counts, the catalogue states, its shape comes to, or its name says (`Llama-2-7b`)."""
    try:
        return _counted(r)
    except Unknown:
        r.read.clear()
    try:
        stated: int | None = r.model.parameters
        return stated if stated is not None else shape(r).parameters
    except Unknown as missing:
        if "model_name_or_path" not in r.run.derivations:
            raise
        r.read.clear()
        return _size_in_name(r, str(r.model_name_or_path), missing)


def size_of(r: View, name: str) -> int:
    """Parameters of another model, as the catalogue or its name says."""
    try:
        entry = _of_catalogue(View(r.run), name, r.run.fact("model_name_or_path").origin)
        return entry.parameters if entry.parameters is not None else architecture.read(entry.config).parameters
    except Unknown as missing:
        return _size_in_name(r, name, missing)


def _size_in_name(r: View, model: str, missing: Unknown) -> int:
    """Mixtures of experts (`8x7B`) are not read off their names."""
    name = "/".join(PurePosixPath(model).parts[-2:])
    sizes = SIZE.findall(name)
    if not sizes or MIXTURE.search(name):
        raise Unknown(missing.reason, missing.name or "model_parameters")
    r.assume("the size is read off the model's name")
    number, unit = sizes[0]
    return int(float(number.replace("p", ".").replace("P", ".")) * (1e9 if unit in "bB" else 1e6))


def _counted(r: View) -> int:
    """By model.safetensors.index.json: its count, or its bytes in the type of the config.json. Raises `Unknown`."""
    folder = directory(r, r.model_name_or_path)
    index = r.run.context["files"].json(folder / "model.safetensors.index.json")
    stated = index.get("metadata") if isinstance(index, dict) else None
    metadata = stated if isinstance(stated, dict) else {}
    count, size = metadata.get("total_parameters"), metadata.get("total_size")
    if isinstance(count, int):
        return count
    width = WIDTHS.get(str(r.model.dtype))
    if width is None or not isinstance(size, (int, float)) or r.model.quantization is not None:
        raise Unknown("the model's files do not count its parameters", "model_parameters")
    return int(size // width)


def active_parameters(r: View) -> int:
    """As for all parameters; the name of a mixture of experts states them after the whole size (`30B-A3B`)."""
    try:
        stated: int | None = r.model.active_parameters
        if stated is not None:
            return stated
        found = shape(r)
        return found.active if found.active != found.parameters else int(r.model_parameters)
    except Unknown:
        r.read.clear()
    name = str(r.model_name_or_path) if "model_name_or_path" in r.run.derivations else ""
    active = ACTIVE.search(name)
    if active is not None:
        return int(float(active[1]) * 1e9)
    if MIXTURE.search(name) or _has_experts(r):
        raise Unknown("nothing says how many experts' parameters a token passes through", "active_parameters")
    return int(r.model_parameters)


def _has_experts(r: View) -> bool:
    with suppress(Unknown):
        return any("experts" in key for key in r.model.config)
    return False


def base_kind(r: View) -> str:
    """`chat`, `base` or another kind: as the catalogue has it, else read off the model's name or its tokenizer."""
    name = PurePosixPath(str(r.model_name_or_path)).name
    try:
        kind: str | None = r.model.kind
    except Unknown:
        kind = None
    if kind is not None:
        return kind
    r.read.pop("model", None)
    if CHAT.search(name) or not _ends_turns(r, str(r.model_name_or_path)):
        r.assume("read off the model's name")
        return "chat" if CHAT.search(name) else "base"
    r.assume("its tokenizer has a chat template and ends every text as a turn of a dialogue")
    return "chat"


def _ends_turns(r: View, name: str) -> bool:
    """Is the tokenizer in the model's directory that of a chat model? A chat template alone is no sign: base models ship one."""
    with suppress(Unknown):
        config = _object(r, directory(r, name) / "tokenizer_config.json")
        template = config.get("chat_template") or (directory(r, name) / "chat_template.jinja").is_file()
        return bool(template) and _text(config.get("eos_token")) in TURN_ENDS
    return False


# ------------------------------------------------------------------------------------------------ what is trained of it


def lora_scale(r: View) -> float:
    rank, alpha = r.lora_rank, r.lora_alpha
    if not rank:
        raise Unknown("there is no LoRA rank", "lora_rank")
    stabilised = any(r.given(name) and r.arg(name) for name in ("use_rslora", "peft_use_rslora"))
    return float(alpha / (math.sqrt(rank) if stabilised else rank))


def tied_embeddings(r: View) -> bool:
    """As the model's config.json or its entry says; silence there means what the architecture does, which is not known here."""
    tied = r.model.config.get("tie_word_embeddings")
    if not isinstance(tied, bool):
        raise Unknown("the model's config.json has no tie_word_embeddings", "tied_embeddings")
    return tied


def trains_embeddings(r: View) -> bool:
    if r.method == "full":
        return True
    targets = r.run.fact("target_modules")
    names = [*r.modules_to_save, *(targets.value if targets.known else [])]
    return any(name.split(".")[-1] in EMBEDDINGS for name in names)


def lora_parameters(r: View) -> int:
    """Parameters of the adapters."""
    if r.method not in ("lora", "qlora"):
        raise Unknown("there are no adapters", "lora_parameters")
    return shape(r).adapters(r.target_modules, r.lora_rank)


def misspelt_targets(r: View) -> list[str]:
    """Names that are one of the model's but for a slip. Other strangers may be modules of the script's own."""
    parts = [str(target).rsplit(".", 1)[-1] for target in r.target_modules if target != "all"]
    named = [part for part in parts if re.fullmatch("[A-Za-z_]+", part)]  # the rest are patterns, or all-linear
    if not named:
        return []
    if r.model_type not in LINEAR:
        raise Unknown(f"what the modules of a {r.model_type} are called is not known", "misspelt_targets")
    known = [*LINEAR[r.model_type], *EMBEDDINGS]
    return [name for name in named if name not in known and get_close_matches(name, known, 1, ALIKE)]


def trainable_parameters(r: View) -> int:
    """All of them in full training; else the adapters and the modules trained in full beside them."""
    if r.method == "full":
        return int(r.model_parameters)
    if not r.modules_to_save:
        return int(r.lora_parameters)
    of_model = shape(r)
    other = [name for name in r.modules_to_save if name.split(".")[-1] not in EMBEDDINGS]
    if other:
        raise Unknown(f"the size of {other[0]} is not known", "trainable_parameters")
    return int(r.lora_parameters + len(set(r.modules_to_save)) * of_model.vocab * of_model.hidden)
