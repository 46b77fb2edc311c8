"""Single keys of YAML files, where TRL or axolotl is installed: their own parsers are the judges."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helpers_dialects import steady
from trainlint import readers
from trainlint.dialects import axolotl as our_axolotl
from trainlint.dialects import tree
from trainlint.dialects import trl as our_trl
from trainlint.dialects.tables import Schema
from trainlint.facts import Arguments
from trainlint.text import SourceText

VALUES = [
    "3",
    "-1",
    "0",
    "1",
    "1.5",
    "2.0",
    "true",
    "no",
    "1e-4",
    "'1e-4'",
    "'3'",
    "many",
    "auto",
    "null",
    "'true'",
    "1_000",
]
SCALARS = {"int", "float", "bool", "str", "None"}
TRL = our_trl.schema("sft").aimed({"trl": "1.16.0", "transformers": "5.23.0"})
AXOLOTL = Schema("axolotl:AxolotlInputConfig", targets={"axolotl": "0.19.0"})


def ours(text: str, schema: Schema, convert: tree.Convert) -> Arguments:
    return tree.read(readers.read(SourceText("x.yaml", text)), schema, "pyyaml", convert, closed=True)


def plain_keys(schema: Schema) -> list[str]:
    """The keys whose values are scalars and are judged by nothing but their type."""
    return sorted(
        name
        for name in schema.present()
        if schema.edition(name).types <= SCALARS and not schema.edition(name).deprecated
    )


@steady(300)
@given(st.sampled_from(plain_keys(TRL)), st.sampled_from(VALUES))
def test_trl(name: str, value: str) -> None:
    pytest.importorskip("torch")
    trl = pytest.importorskip("trl")
    parser = trl.TrlParser((trl.ScriptArguments, trl.SFTConfig, trl.ModelConfig))
    text = f"dataset_name: x\n{name}: {value}\n"
    arguments = ours(text, TRL, our_trl.converted)
    try:
        rest = parser.set_defaults_with_config(**yaml.safe_load(text))
        if rest:
            return  # an argument of another trainer than this one
        told: Any = vars(parser.parse_args([]))[name]
    except SystemExit:
        assert arguments.issues, text
        return
    # what YAML has typed already is taken as it is, and no choice is checked: both fail where the value is used
    if isinstance(yaml.safe_load(value), str):
        assert not [issue for issue in arguments.issues if issue.kind != "choice"], text
    if not arguments.issues:
        assert arguments.given[name].value == told, text


@steady(300)
@given(st.sampled_from(plain_keys(AXOLOTL)), st.sampled_from(VALUES))
def test_axolotl(name: str, value: str) -> None:
    config = pytest.importorskip("axolotl.utils.schemas.config")
    pydantic = pytest.importorskip("pydantic")
    text = f"{name}: {value}\n"
    arguments = ours(text, AXOLOTL, our_axolotl._convert)
    base = {"base_model": "m", "datasets": [{"path": "d", "type": "alpaca"}], "micro_batch_size": 1}
    base |= {"learning_rate": 1e-4, "gradient_accumulation_steps": 1}
    try:
        made = config.AxolotlInputConfig(**{**base, **yaml.safe_load(text)})
    except pydantic.ValidationError as error:
        if any(problem["loc"][:1] == (name,) and problem["type"] != "value_error" for problem in error.errors()):
            # what a text may say, or how large a number may be, is left to validators that no type shows
            told = arguments.issues or arguments.given[name].value is None or "str" in AXOLOTL.edition(name).types
            assert told, text
    except Exception:
        return  # a check of keys against each other
    else:
        # some keys are moved elsewhere before their type is judged
        moved = getattr(made, name, None) is None
        assert moved or not [issue for issue in arguments.issues if issue.certain], text
