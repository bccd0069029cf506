"""Vanishing gradients: bounds by products of slopes and norms, and what large weights do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from backprove.errors import SetupError
from backprove.results import Chart, Table, Text
from backprove.theorems.dense import (
    Array,
    DenseNetwork,
    activation,
    gradients,
    loss_of,
    start,
)
from backprove.theorems.theorem import Condition, Fact, Theorem

_ROUNDING = 1 + 1e-9  # float norms are widened by this before they stand in a bound
_BOUNDS = {"sigmoid": "exp(-|z|)", "tanh": "4 exp(-2|z|)"}
SATURATED = 0.05
"""A unit counts as saturated where its slope is below this share of the largest slope."""


def gradient_bounds(
    network: DenseNetwork | str,
    *,
    inputs: int = 10,
    init: str = "glorot_uniform",
    seed: int = 0,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    loss: str = "mse",
) -> Theorem:
    """How large the gradient of each layer can be at most, and how large it is.

    Args:
        network: the network with its numbers, or its layers such as ``sigmoid(20)+linear(1)``.
        inputs: the number of features, if ``network`` is text.
        init: how its weights start, if ``network`` is text.
        seed: fixes random numbers.
        data: features (n, inputs) and targets (n, outputs); random ones without.
        loss: the loss.

    Returns:
        The theorem, with facts ``vanishing`` (the bound of the first layer is below a thousandth
        of the gradient at the last), ``bound`` and ``factor`` (their quotient for all layers).

    Raises:
        SetupError: the network has no hidden layer, or is inconsistent.

    Source: Hochreiter, Diploma thesis, TU Munich (1991); Bengio, Simard, Frasconi, IEEE
    Transactions on Neural Networks 5 (1994); the bound by products of norms as in Pascanu,
    Mikolov, Bengio, ICML 2013, section 2.

    >>> found = gradient_bounds("+".join(["sigmoid(8)"] * 9) + "+linear(1)")
    >>> found.facts["vanishing"].value
    True
    """
    if isinstance(network, str):
        network = start(network, inputs, init, seed=seed)
    if len(network.layers) < 2:
        raise SetupError("the network has no hidden layer through which a gradient could pass")
    x, y = _data(network, data, seed)
    deltas, slopes, norms = _backward(network, x, y, loss)
    bound = [0.0] * len(deltas)
    bound[-1] = deltas[-1] * _ROUNDING
    for at in reversed(range(len(deltas) - 1)):
        bound[at] = bound[at + 1] * norms[at + 1] * slopes[at] * _ROUNDING
    rows = [
        [number, slopes[number - 1] if number <= len(slopes) else 1.0, norms[number - 1],
         bound[number - 1], deltas[number - 1]]
        for number in range(1, len(deltas) + 1)
    ]  # fmt: skip
    vanishing = bound[0] < 1e-3 * deltas[-1]
    names = sorted({layer.activation for layer in network.layers[:-1]})
    return Theorem(
        name="Gradients cannot be larger than this",
        statement=(
            f"In {network.text} the delta of each layer, over all examples together, is at most "
            "the delta of the next one times the largest singular value of the weights between "
            "them times the largest slope that occurs. "
            + (
                "The product is below a thousandth at the first layer: its gradient vanishes."
                if vanishing
                else "The product does not prove that the gradient of the first layer vanishes; "
                "it is an upper bound and says nothing about how large the gradient is."
            )
        ),
        conditions=[Condition("these weights and these examples", True)],
        proof=[
            "δ_l = φ'(z_l) ⊙ (δ_{l+1} W_{l+1}ᵀ), row by row for each example.",
            "A product with W has a Frobenius norm of at most σ_max(W) times that of the other "
            "factor, and an elementwise product with φ' at most max |φ'| times.",
            "Over all layers the factors multiply. They need not be small one by one in the later "
            "layers for the product to be small: each only has to be below 1.",
            "For the sigmoid max |φ'| = 1/4 everywhere, saturated or not; for tanh it is 1.",
        ],
        facts={
            "vanishing": Fact(vanishing, "proved", "the gradient of the first layer vanishes"),
            "bound": Fact(bound[0], "proved", "bound of the norm of the first delta"),
            "factor": Fact(bound[0] / deltas[-1] if deltas[-1] else 0.0, "proved",
                           "bound of the first delta over the last delta"),
            "measured_factor": Fact(deltas[0] / deltas[-1] if deltas[-1] else 0.0, "measured",
                                    "the first delta over the last delta"),
            "starts_small": Fact(False, "proved", "the gradients of later layers have to be small"),
        },
        measurement=[
            Text(f"{len(x)} examples, {loss}, activations {', '.join(names)}."),
            Table(
                ["layer", "largest slope", "norm of weights", "bound of delta", "norm of delta"],
                rows,
            ),
        ],
        source="Pascanu, Mikolov, Bengio, ICML 2013, section 2; Hochreiter 1991",
    )  # fmt: skip


def saturation(
    name: str = "sigmoid",
    *,
    layers: int = 4,
    width: int = 32,
    seed: int = 0,
    positive: bool = True,
) -> Theorem:
    """What large weights do to a network of bounded units: saturation and its gradients.

    Args:
        name: ``sigmoid`` or ``tanh``.
        layers: hidden layers of the run.
        width: units of each.
        seed: fixes the numbers.
        positive: whether all weights are positive, as in the exercise.

    Returns:
        The theorem, with facts ``slope_at_0``, ``slope_at_5``, ``slope_at_10``, ``rescued`` (large
        weights make up for small slopes: no) and measured ``vanishes``.

    Raises:
        SetupError: another activation.

    Source: Glorot and Bengio, AISTATS 2010, section 3.1; LeCun et al., Efficient BackProp (1998).

    >>> round(saturation().facts["slope_at_5"].value, 6)
    0.006648
    """
    if name not in ("sigmoid", "tanh"):
        raise SetupError(f"{name!r} does not saturate on both sides; expected sigmoid or tanh")
    act = activation(name)
    slope = {z: float(act.slope(np.array([float(z)]))[0]) for z in (0, 5, 10)}
    stream = np.random.Generator(np.random.PCG64(seed))
    x, y = stream.random((64, 8)), stream.random((64, 1))
    text = "+".join([f"{name}({width})"] * layers + ["linear(1)"])
    base = start(text, 8, "uniform:1", seed=seed)
    rows, points = [], []
    if positive:
        for layer in base.layers:
            np.abs(layer.weights, out=layer.weights)
    for scale in (0.1, 0.3, 1.0, 3.0, 10.0):
        network = _scaled(base, scale)
        passed = network.run(x)
        share = [float((act.slope(z) < SATURATED * slope[0]).mean()) for z, _ in passed[:-1]]
        norms = [float(np.linalg.norm(w)) for w, _ in gradients(network, x, y)]
        rows.append([scale, share[0], share[-1], norms[0], norms[-1]])
        points += [
            {"x": number, "y": float(np.log10(max(norm, 1e-300))), "series": f"scale {scale:g}"}
            for number, norm in enumerate(norms, 1)
        ]
    vanishes = rows[-1][3] < 1e-3 * rows[0][3]
    return Theorem(
        name="Saturation",
        statement=(
            f"The slope of {name} at z is at most {_BOUNDS[name]}: "
            "units with large inputs pass almost no gradient. A large weight multiplies the signal "
            "that goes back as well, but w φ'(w s) tends to 0 as w grows, for every s other than "
            "0, so it cannot make up for that."
        ),
        conditions=[Condition("the units take inputs s away from 0", None)],
        proof=[
            "σ'(z) = σ(z) σ(-z) ≤ min(σ(z), σ(-z)) ≤ exp(-|z|); tanh z = 2σ(2z) - 1, so "
            "tanh'(z) = 4σ'(2z) ≤ 4 exp(-2|z|).",
            "w φ'(w s) ≤ c w exp(-w |s|), which tends to 0 as w grows.",
        ],
        facts={
            "slope_at_0": Fact(slope[0], "proved", "the largest slope"),
            "slope_at_5": Fact(slope[5], "proved", "the slope at 5"),
            "slope_at_10": Fact(slope[10], "proved", "the slope at 10"),
            "rescued": Fact(False, "proved", "the factor w of a large weight makes up for it"),
            "vanishes": Fact(vanishes, "measured", "the gradient of the first layer vanishes"),
        },
        measurement=[
            Text(f"{layers} hidden layers of {width} {name} units, 64 examples in (0, 1), "
                 f"{'positive ' if positive else ''}weights up to the scale."),
            Table(["scale of weights", "saturated, first layer", "saturated, last hidden layer",
                   "gradient norm, first layer", "gradient norm, last layer"], rows),
            Chart("Gradient norm by layer", "layer", "log10 of the norm", points),
        ],
        source="Glorot and Bengio, AISTATS 2010, section 3.1",
    )  # fmt: skip


def _scaled(network: DenseNetwork, scale: float) -> DenseNetwork:
    layers = network.layers
    return DenseNetwork(
        tuple(
            type(layer)(layer.weights * scale, layer.biases, layer.activation) for layer in layers
        )
    )


def _data(
    network: DenseNetwork, data: tuple[ArrayLike, ArrayLike] | None, seed: int
) -> tuple[Array, Array]:
    if data is not None:
        return np.asarray(data[0], np.float64), np.asarray(data[1], np.float64)
    stream = np.random.Generator(np.random.PCG64([seed, 1]))
    return (
        stream.normal(size=(64, network.inputs)),
        stream.integers(0, 2, (64, network.widths[-1])).astype(np.float64),
    )


def _backward(
    network: DenseNetwork, x: Array, y: Array, loss: str
) -> tuple[list[float], list[float], list[float]]:
    """Norms of the deltas, largest slopes of the hidden layers, norms of the weights."""
    passed = network.run(x)
    delta = loss_of(loss).slope(passed[-1][1], y)
    delta = delta * activation(network.layers[-1].activation).slope(passed[-1][0])
    deltas = [float(np.linalg.norm(delta))]
    slopes: list[float] = []
    for at in reversed(range(len(network.layers) - 1)):
        slope = activation(network.layers[at].activation).slope(passed[at][0])
        delta = slope * (delta @ network.layers[at + 1].weights.T)
        deltas.insert(0, float(np.linalg.norm(delta)))
        slopes.insert(0, float(np.abs(slope).max()))
    norms = [float(np.linalg.norm(layer.weights, 2)) for layer in network.layers]
    return deltas, slopes, norms
