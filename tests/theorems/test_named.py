"""Every theorem that is asked by name: it answers, and what it says is right."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from backprove.errors import BackproveError
from backprove.networks import MLP, initialise
from backprove.theorems import THEOREMS, experiment, gradient_support, prove, symmetry
from backprove.theorems.certificates import check_certificate
from backprove.theorems.dense import start
from backprove.theorems.gradient_bounds import gradient_bounds
from backprove.theorems.scales import stable_step

NEEDED = {
    "symmetry": {"network": "tanh(3)+linear(1)", "steps": 5},
    "zero_gradient": {"network": "tanh(3)+linear(1)", "steps": 5},
    "vanishing": {"network": "sigmoid(5)x3+linear(1)"},
    "output_range": {"network": "relu(2)+sigmoid(1)", "targets": "0.5,2"},
    "initial_variance": {"network": "relu(32)x2+linear(1)", "inputs": 32, "seeds": 2},
    "dropout": {"masks": 500},
    "zero_centred": {"examples": 64},
}


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_has_its_parts(name: str) -> None:
    found = prove(name, **NEEDED.get(name, {}))
    assert found.statement and found.facts and found.source
    assert found.level == "advisory" or found.proof
    assert json.dumps(found.to_dict()["name"]) and found.text() and found.html()
    assert (found.certificate is None) == (name == "features")
    if found.certificate:
        assert check_certificate(json.loads(json.dumps(found.certificate)))
    for fact in found.facts.values():
        assert fact.level in ("proved", "measured", "advisory")


def test_an_experiment_proves_nothing() -> None:
    found = experiment("dropout", p="0.3", masks="200")
    assert all(fact.level == "measured" for fact in found.facts.values())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "gelu"])
def test_bounds_of_gradients_hold(name: str, seed: int) -> None:
    network = start(f"{name}(7)x4+linear(2)", 5, "normal:0.8", seed=seed)
    found = gradient_bounds(network, seed=seed)
    bounds, seen = np.array([[row[3], row[4]] for row in found.measurement[1].rows]).T
    assert (seen <= bounds * (1 + 1e-12)).all()


def test_a_deep_network_of_sigmoids_is_proved_to_vanish_and_relu_is_not() -> None:
    assert prove("vanishing", network="sigmoid(8)x12+linear(1)").facts["vanishing"].value is True
    relu = prove("vanishing", network="relu(8)x12+linear(1)", init="he_normal")
    assert relu.facts["vanishing"].value is False


@pytest.mark.parametrize(
    ("init", "factor"), [("he_normal", 1.0), ("lecun_normal", 0.5), ("glorot_uniform", 0.5)]
)
def test_relu_layers_scale_as_published(init: str, factor: float) -> None:
    found = prove("initial_variance", network="relu(64)x3+linear(1)", inputs=64, init=init)
    assert found.facts["factor"].value == pytest.approx(factor)
    assert found.facts["factor"].level == "proved"
    assert found.facts["largest_deviation"].value < 0.5


def test_the_largest_step_is_that_of_the_exact_hessian() -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    y = x[:, :1] + 1
    network = start("linear(1)", 3, "zeros")
    design = np.hstack([x, np.ones((30, 1))])
    largest = np.linalg.eigvalsh(2 * design.T @ design / 30)[-1]
    found = stable_step(network, data=(x, y))
    assert found.facts["largest_step"].value == pytest.approx(2 / largest, rel=1e-6)
    assert found.facts["stable_below"].value and found.facts["diverges_above"].value


def test_a_changing_hessian_gives_a_measurement_and_no_proof() -> None:
    found = stable_step("tanh(3)+linear(1)", steps=20)
    assert found.level == "measured" and not found.proof


def test_networks_of_the_package_are_understood() -> None:
    parameters = initialise(MLP(3, (4,)), seed=0, initialiser="zeros")
    assert symmetry(parameters, activation="tanh", steps=0).facts["stays_equal"].value is True
    found = gradient_support(parameters, activation="tanh", steps=0)
    assert found.facts["only_output_bias"].value is True
    random = initialise(MLP(3, (4,)), seed=0)
    assert "stays_equal" not in symmetry(random, activation="tanh", steps=0).facts


@pytest.mark.parametrize("network", [None, 3, [], [{"weights": [[1.0]]}], object()])
def test_what_is_no_network_is_an_error(network: object) -> None:
    with pytest.raises(BackproveError, match="network"):
        symmetry(network)


def test_normalised_layers_are_refused() -> None:
    parameters = initialise(MLP(3, (4,), normalisation="batch"), seed=0)
    with pytest.raises(BackproveError):
        symmetry(parameters)


def test_a_residual_block_keeps_the_gradient() -> None:
    found = prove("residual", name="tanh", scale=0.5)
    assert found.facts["plain_vanishes"].value is True
    assert found.facts["residual_vanishes"].value is False


def test_the_range_of_outputs_bounds_the_error() -> None:
    found = prove("output_range", network="relu(2)+sigmoid(1)", targets="-1,0.5,3")
    assert found.facts["outside"].value == 2
    assert math.isclose(float(found.facts["least_error"].value), (1 + 4) / 3)
