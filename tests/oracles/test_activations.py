"""What a layer leaves behind for its backward pass: PyTorch itself judges the formula."""

from __future__ import annotations

import pytest

from benchmarks import activations

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
# transformers renames checkpointing on the way to version 6
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
LLAMA = activations.SHAPES["Llama, grouped heads"]
WIDTH = activations.COMMON["hidden_size"]


@pytest.mark.parametrize("model", activations.SHAPES)
def test_full_training_keeps_what_the_formula_says(model: str) -> None:
    shape = activations.SHAPES[model]
    assert activations.formula(shape) == pytest.approx(activations.of_a_layer(shape), rel=0.06)


def test_recomputation_keeps_the_input_of_a_layer() -> None:
    assert activations.of_a_layer(LLAMA, recompute=True) == 2 * WIDTH
    assert activations.of_a_layer(LLAMA, recompute=True, wide=True) == 4 * WIDTH
    assert activations.of_a_layer(LLAMA, recompute=True, targets="all-linear", dropout=0.05) == 2 * WIDTH


def test_weights_in_32_bits_make_the_norms_wider() -> None:
    plain, wide = activations.of_a_layer(LLAMA), activations.of_a_layer(LLAMA, wide=True)
    assert wide - plain == 10 * WIDTH


def test_dropout_keeps_what_goes_into_each_adapter() -> None:
    """On the CPU the mask is as wide as the numbers, on the GPU a byte."""
    plain, dropped = (activations.of_a_layer(LLAMA, targets="all-linear", dropout=share) for share in (0.0, 0.05))
    into = 6 * WIDTH + LLAMA["intermediate_size"]
    assert 3 * into <= dropped - plain <= 4 * into
