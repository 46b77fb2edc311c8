"""The model of a run as the calls say it, and the adapter that is trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainlint.dialects.base import linked, names
from trainlint.dialects.python_trainer.arguments import data
from trainlint.dialects.python_trainer.setup import Setup, Surroundings, of_unsloth
from trainlint.dialects.tables import Schema
from trainlint.document import Call, Keyword, Table, Value
from trainlint.facts import Derivation, Fact, Unknown, View
from trainlint.readers.python import NotPlain

OF_PEFT = Schema("peft:LoraConfig")
OF_UNSLOTH = Schema("unsloth:get_peft_model")


def setup_of(r: View) -> Setup:
    setup: Setup = r.run.context["setup"]
    return setup


def around(r: View) -> Surroundings:
    found: Surroundings = r.run.context["around"]
    return found


def use(r: View, name: str, value: Value | None, absent: Any = None) -> Any:
    """A value of the file as a fact; `absent` where it is not given. Raises `Unknown` where nobody can tell."""
    if value is None:
        return absent
    try:
        return r.use(f"python.{name}", Fact(name, data(value), "known", value.origin))
    except NotPlain as missing:
        raise Unknown(str(missing), name) from None


def known_model(r: View) -> Setup:
    setup = setup_of(r)
    if setup.open is not None:
        raise Unknown(setup.open, "model_name_or_path")
    return setup


def of_base(r: View, *keywords: str) -> Value | None:
    """What the model is loaded with by one of these names; None where it is not."""
    setup = known_model(r)
    given: Mapping[Any, Keyword]
    if setup.base is not None:
        given, opened = setup.base.keywords, setup.base.open
    else:  # TRL loads it by its name
        given, opened = _entries(setup.given(setup.config, "model_init_kwargs"), setup.config.open)
    found = next((given[name].value for name in keywords if name in given), None)
    if found is None and opened is not None:
        raise Unknown(opened, keywords[0])
    return setup.picked(found) if found is not None else None


def _entries(value: Value | None, absent: str | None) -> tuple[Mapping[Any, Keyword], str | None]:
    """The entries of a dict, and why there may be others; `absent` is the reason where there is no dict at all."""
    if value is None or (value.unknown is None and value.value is None):
        return {}, absent
    if isinstance(value.value, Table) and value.unknown is None:
        return value.value.entries, value.value.open
    return {}, value.unknown or f"{value.origin.text} is known only when it runs"


def model_name(r: View) -> Any:
    return use(r, "model_name_or_path", known_model(r).name)


def bits(r: View) -> int | None:
    """Bits of the quantised base; None where it is loaded as it is."""
    config = of_base(r, "quantization_config")
    quantized = config.value if config is not None else None
    if config is not None and config.unknown is None and isinstance(quantized, Call):
        if quantized.function.name != "BitsAndBytesConfig" or quantized.open is not None:
            raise Unknown("how the model is quantised is not known", "quantization_bits")
        switches = {name: setup_of(r).given(quantized, name) for name in _BITS}
    elif config is not None and use(r, "quantization_config", config) is not None:
        raise Unknown("how the model is quantised is not known", "quantization_bits")
    else:
        switches = {name: of_base(r, name) for name in _BITS}
        if switches["load_in_4bit"] is None and around(r).unsloth:
            raise Unknown("Unsloth loads in 4 bits unless another of its settings says otherwise", "quantization_bits")
    for name, number in _BITS.items():
        if use(r, name, switches[name]):
            return number
    return None


_BITS = {"load_in_4bit": 4, "load_in_8bit": 8}


def method(r: View) -> str:
    setup = setup_of(r)
    trained = setup.adapter
    if trained is not None:
        if not isinstance(trained.value, Call) or trained.unknown is not None:
            raise Unknown(trained.unknown or f"{trained.origin.text} decides whether an adapter is trained", "method")
        kind = trained.value.function.name
        if kind not in ("LoraConfig", "get_peft_model"):
            return kind.removesuffix("Config").lower()
        return "qlora" if r.quantization_bits else "lora"
    known_model(r)
    if around(r).adapters and not setup.without_adapter:
        raise Unknown("the file makes an adapter, and nothing says for which model", "method")
    if setup.trainer is not None and setup.trainer.open is not None:
        raise Unknown(setup.trainer.open, "method")
    return "full"


def adapter_schema(call: Call) -> Schema:
    """The settings that an adapter's call takes, with their defaults."""
    return OF_UNSLOTH if of_unsloth(call) else OF_PEFT


def adapter(name: str) -> Derivation:
    """A setting of the adapter; None where none is trained."""

    def derive(r: View) -> Any:
        if r.method not in ("lora", "qlora"):
            return None
        arguments = r.run.linked["adapter"]
        if name in arguments.given:
            return linked(r, "adapter", name)
        if arguments.open is not None:
            raise Unknown(f"{name} of the adapter is not known", name)
        value, origin, confidence = r.run.context["adapter_schema"].default(name)
        return r.use(f"adapter.{name}", Fact(name, value, "default", origin, confidence=confidence))

    return derive


def modules(name: str) -> Derivation:
    given = adapter(name)

    def derive(r: View) -> list[str]:
        value = given(r)
        return [value] if isinstance(value, str) else names(value)

    return derive


def torch_dtype(r: View) -> str:
    """The type that the weights are loaded in; unset leaves it to the version of transformers."""
    if r.quantization_bits is not None:
        raise Unknown("the quantised weights have a type of their own to compute in", "torch_dtype")
    value = use(r, "torch_dtype", of_base(r, "dtype", "torch_dtype"))
    if value is None:
        raise Unknown("transformers 4 loads weights in float32, 5 as they are stored", "torch_dtype")
    return str(value)
