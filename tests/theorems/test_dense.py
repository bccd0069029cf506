"""The networks of the theorems: their gradients against finite differences, their training."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.errors import BackproveError
from backprove.theorems.dense import (
    LOSSES,
    DenseLayer,
    DenseNetwork,
    Rule,
    gradients,
    product,
    start,
    train,
)

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(5, 3))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "silu", "square", "softplus", "relu"])
def test_gradients_agree_with_central_differences(name: str, loss: str) -> None:
    network = start(f"{name}(4)+tanh(3)+linear(2)", 3, "normal:0.7", bias=0.1, seed=1)
    y = np.eye(2)[[0, 1, 1, 0, 1]]
    found = gradients(network, X, y, loss)
    for number, layer in enumerate(network.layers):
        for part, array in enumerate((layer.weights, layer.biases)):
            for at in np.ndindex(array.shape):
                values = []
                for sign in (1, -1):
                    array[at] += sign * 1e-6
                    values.append(LOSSES[loss].value(network.predict(X), y))
                    array[at] -= sign * 1e-6
                slope = (values[0] - values[1]) / 2e-6
                assert found[number][part][at] == pytest.approx(slope, abs=1e-7)


def test_masks_are_part_of_the_gradient() -> None:
    network = start("tanh(4)+linear(1)", 3, "normal:1", seed=2)
    mask = np.array([[2.0, 0, 2, 0]] * 5)
    found = gradients(network, X, np.ones((5, 1)), "mse", [mask])
    assert (found[0][0][:, [1, 3]] == 0).all() and (found[1][0][[1, 3]] == 0).all()
    assert (found[0][0][:, [0, 2]] != 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_constant_is_the_best(loss: str) -> None:
    y = np.array([[0.0], [1], [1], [1], [0]])
    if loss == "cce_logits":
        return
    value = LOSSES[loss].constant(y[:, 0])[1]
    best = LOSSES[loss].value(np.full((5, 1), value), y)
    for other in np.linspace(-3, 3, 121):
        assert LOSSES[loss].value(np.full((5, 1), other), y) >= best - 1e-12


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_every_rule_lowers_a_simple_loss(name: str) -> None:
    network = start("linear(1)", 3, "zeros")
    y = X @ np.array([[1.0], [-2], [0.5]])
    after = train(network, X, y, steps=400, rule=Rule(name, 0.05))
    assert LOSSES["mse"].value(after.predict(X), y) < 0.05


def test_equal_columns_stay_equal_to_the_last_bit() -> None:
    a, b = STREAM.normal(size=(7, 33)), STREAM.normal(size=(33, 5))
    found = product(a, b[:, [0, 1, 0, 1, 0]])
    assert (found[:, 0] == found[:, 2]).all() and (found[:, 0] == found[:, 4]).all()
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12)


@pytest.mark.parametrize("init", ["", "constant", "constant:nan", "he", "normal:x", "zeros:1"])
def test_an_initialiser_that_is_not_understood_is_an_error(init: str) -> None:
    with pytest.raises(BackproveError, match="not understood"):
        start("relu(2)+linear(1)", 2, init)


@pytest.mark.parametrize(
    "text", ["", "relu", "relu(0)", "relu(2)linear(1)", "relu(-1)", "relu(9**9)"]
)
def test_an_architecture_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(BackproveError):
        start(text, 2)


def test_numbers_that_do_not_fit_are_an_error() -> None:
    layer = DenseLayer(np.zeros((2, 3)), np.zeros(3), "relu")
    with pytest.raises(BackproveError, match="followed by"):
        DenseNetwork((layer, layer))
    with pytest.raises(BackproveError, match="not finite"):
        DenseLayer(np.full((2, 3), np.inf), np.zeros(3), "relu")
    with pytest.raises(BackproveError, match="no activation"):
        DenseLayer(np.zeros((2, 3)), np.zeros(3), "maximum")
