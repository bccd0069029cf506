"""Parameters that never move: it holds bit by bit in training, and nothing is over-claimed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.errors import BackproveError
from backprove.theorems import check_certificate
from backprove.theorems.dense import (
    LOSSES,
    DenseLayer,
    DenseNetwork,
    Rule,
    gradients,
    start,
    train,
)
from backprove.theorems.frozen import frozen_for_ever
from backprove.theorems.gradient_support import gradient_support
from backprove.theorems.symmetry import XOR

NAMES = ("tanh", "relu", "sigmoid", "gelu", "sin", "cos", "softplus", "hardtanh", "square")


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "sin", "elu", "silu"])
def test_from_zero_only_the_output_bias_moves(name: str) -> None:
    found = gradient_support(f"{name}(3)+{name}(2)+linear(1)", steps=50)
    assert found.facts["only_output_bias"].value is True
    assert found.facts["never_moves"].value == 3 * 2 + 3 + 3 * 2 + 2 + 2
    assert found.facts["limit"].value == 0.5 and found.facts["limit_loss"].value == 0.25


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_what_is_not_zero_at_zero_moves(name: str) -> None:
    found = gradient_support(f"{name}(3)+linear(1)", steps=0)
    assert found.facts["never_moves"].value == 0
    assert found.facts["first_zero"].value > 0, "in the first step the first layer stays"


def test_a_cosine_has_no_slope_at_zero_so_its_first_layer_stays() -> None:
    frozen = frozen_for_ever(start("cos(3)+linear(1)", 2, "zeros"))
    assert frozen.weights[0].all() and frozen.biases[0].all()
    assert not frozen.weights[1].any()


@pytest.mark.parametrize(
    ("loss", "limit"), [("mse", 0.25), ("mae", 0.0), ("bce_logits", np.log(1 / 3))]
)
def test_the_output_goes_to_the_best_constant(loss: str, limit: float) -> None:
    y = np.array([[0.0], [0], [0], [1]])
    found = gradient_support("tanh(2)+linear(1)", loss, data=(XOR[0], y), steps=10)
    assert found.facts["limit"].value == pytest.approx(limit)


def test_units_that_are_off_for_all_examples_stay_off() -> None:
    network = start("relu(3)+linear(1)", 2, "normal:1", seed=4)
    network.layers[0].biases[:] = [-50.0, 0.3, -50.0]
    found = frozen_for_ever(network, XOR[0])
    assert found.biases[0].tolist() == [True, False, True]
    assert found.weights[1][:, 0].tolist() == [True, False, True]
    without = frozen_for_ever(network)
    assert len(without) == 0, "for other examples nothing is known"


def test_a_bias_that_underflows_is_not_zero() -> None:
    network = start("sigmoid(2)+linear(1)", 2, "zeros", bias=-800.0)
    assert len(frozen_for_ever(network)) == 0
    assert len(frozen_for_ever(start("gelu(2)+linear(1)", 2, "zeros", bias=-60.0))) == 0


def test_a_relu_below_zero_without_input_is_off_for_any_data() -> None:
    network = start("relu(2)+linear(1)", 2, "zeros", bias=-1.0)
    network.layers[1].weights[:] = 1.0
    frozen = frozen_for_ever(network)
    assert frozen.biases[0].all() and frozen.weights[0].all() and frozen.weights[1].all()
    assert not frozen.biases[1].any()


ENTRY = st.sampled_from([0.0, 0.0, 0.0, 1.0, -0.5])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_what_is_said_to_stay_stays_to_the_last_bit(data: st.DataObject, names: list[str]) -> None:
    widths = [2, *(data.draw(st.integers(1, 3)) for _ in names), 1]
    layers = []
    for at, (fan_in, fan_out) in enumerate(pairwise(widths)):
        draw = data.draw(st.lists(ENTRY, min_size=fan_in * fan_out, max_size=fan_in * fan_out))
        biases = data.draw(st.lists(ENTRY, min_size=fan_out, max_size=fan_out))
        name = names[at] if at < len(names) else "linear"
        layers.append(DenseLayer(np.reshape(draw, (fan_in, fan_out)), np.array(biases), name))
    network = DenseNetwork(tuple(layers))
    with_data = data.draw(st.booleans())
    frozen = frozen_for_ever(network, XOR[0] if with_data else None)
    x, y = XOR if with_data else (np.random.default_rng(1).normal(size=(5, 2)), np.ones((5, 1)))
    after = train(network, x, y, steps=5, rule=Rule(lr=0.01))
    for new, old, w, b in zip(
        after.layers, network.layers, frozen.weights, frozen.biases, strict=True
    ):
        assert (new.weights == old.weights)[w].all()
        assert (new.biases == old.biases)[b].all()


def test_under_a_softmax_of_one_output_nothing_moves() -> None:
    network = start("tanh(2)+linear(1)", 2, "normal:1")
    found = gradient_support(network, "cce_logits", data=XOR, steps=20)
    assert found.facts["never_moves"].value == 2 * 2 + 2 + 2 + 1
    assert found.facts["first_zero"].value == found.facts["never_moves"].value
    assert check_certificate(found.certificate)
    assert "The softmax of a single output is 1" in " ".join(found.proof)
    assert not check_certificate({k: v for k, v in found.certificate.items() if k != "loss"})
    assert gradient_support(network, steps=0).facts["never_moves"].value == 0
    two = start("tanh(2)+linear(2)", 2, "normal:1")
    assert gradient_support(two, "cce_logits", steps=0).facts["never_moves"].value == 0


def test_the_gradient_of_a_softmax_loss_needs_no_targets_that_sum_to_one() -> None:
    network, y = start("linear(3)", 2, "normal:1"), np.array([[0.2, 0.0, 0.5]] * 4)

    def loss(bias: float) -> float:
        network.layers[0].biases[1] = bias
        return LOSSES["cce_logits"].value(network.predict(XOR[0]), y)

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    loss(0.0)
    assert gradients(network, XOR[0], y, "cce_logits")[0][1][1] == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "depends"), [("abs", True), ("relu", False), ("tanh", False), ("sign", True)]
)
def test_what_depends_on_a_derivative_at_a_kink_says_so(name: str, depends: bool) -> None:
    network = start(f"{name}(2)+linear(1)", 2, "zeros")
    network.layers[1].weights[:] = 1.0 if depends else 0.0
    found = gradient_support(network, steps=0)
    assert found.facts["never_moves"].value > 0
    assert any("kinks" in c.text and f"{name} at 0" in c.text for c in found.conditions) == depends


@pytest.mark.parametrize(("name", "bias"), [("hardtanh", 9.0), ("relu6", 20.0), ("relu", -9.0)])
def test_units_in_a_flat_part_for_all_examples_do_not_learn(name: str, bias: float) -> None:
    network = start(f"{name}(2)+linear(1)", 2, "normal:1")
    network.layers[0].biases[:] = [bias, 0.1]
    found = gradient_support(network, data=XOR, steps=30)
    assert check_certificate(found.certificate)
    frozen = frozen_for_ever(network, XOR[0])
    assert frozen.biases[0].tolist() == [True, False]
    assert frozen.weights[1][0, 0] == (name == "relu"), "what is saturated still passes a number"
    assert "moved by 0e+00" in found.text()


def test_an_output_unit_that_is_off_keeps_everything() -> None:
    found = gradient_support("tanh(2)+relu(1)", steps=0)
    assert found.facts["never_moves"].value == 9
    assert any("relu at 0" in c.text for c in found.conditions)


def test_the_proof_names_every_reason() -> None:
    text = " ".join(gradient_support("relu(2)+linear(1)", steps=0).proof)
    for words in ("relu(0) = 0", "is 0 or ends", "By induction"):
        assert words in text


def test_an_unknown_loss_is_an_error() -> None:
    with pytest.raises(BackproveError, match="no loss"):
        gradient_support("relu(2)+linear(1)", "hinge")
