"""Vanishing gradients: bounds by products of slopes and norms of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backprove.errors import SetupError
from backprove.results import Chart, Table, Text
from backprove.theorems.bound_certificates import MAX_SIDE, STEEPEST, norm_at_most
from backprove.theorems.dense import (
    Array,
    DenseNetwork,
    activation,
    loss_of,
    start,
)
from backprove.theorems.identities import Step, identities
from backprove.theorems.symmetry import MAX_CERTIFICATE, exact_layer
from backprove.theorems.theorem import Condition, Fact, Theorem

_ROUNDING = 1 + 1e-9  # float norms are widened by this before they stand in a bound
_DIGITS = 2**30  # bounds of norms are rounded up to this share of a unit
_WORTHLESS = 1e-3
SLOPE = Step("(E/(E + 1))*(1 - E/(E + 1))", "=", "E/(E + 1)**2")
QUARTER = Step("1/4", ">=", "E/(E + 1)**2", "((E - 1)/(2*(E + 1)))**2")
"""The slope of the sigmoid, with E = exp z, and its largest value."""


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
        The theorem, with facts ``factor`` (for any data and loss the first delta is at most this
        times the last one: the product of the largest slopes of the activations and the norms of
        the weights, with a certificate), ``vanishing`` (proved where the factor is below a
        thousandth, else what these examples show), ``bound`` and ``measured_factor`` (for these
        examples).

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
    factor, certificate = _certified(network)
    seen = deltas[0] / deltas[-1] if deltas[-1] else 0.0
    vanishing = factor is not None and factor < _WORTHLESS
    here = not vanishing and deltas[-1] > 0 and seen < _WORTHLESS
    names = sorted({layer.activation for layer in network.layers[:-1]})
    facts = {
        "vanishing": Fact(
            vanishing or here,
            "proved" if vanishing else "measured",
            "the gradient of the first layer vanishes" + (" on these examples" * (not vanishing)),
        ),
        "bound": Fact(bound[0], "measured", "bound of the norm of the first delta here"),
        "measured_factor": Fact(seen, "measured",
                                "the first delta over the last delta"),
        "starts_small": Fact(False, "proved", "the gradients of later layers have to be small"),
    }  # fmt: skip
    if factor is not None:
        text = "bound of the first delta over the last delta, for any data"
        facts["factor"] = Fact(factor, "proved", text)
    return Theorem(
        name="Gradients cannot be larger than this",
        statement=_bound_statement(network, factor, vanishing, here),
        conditions=[Condition("these weights", True), Condition("any data and any loss", True)]
        if factor is not None
        else [Condition("these weights and these examples", True)],
        proof=[
            "δ_l = φ'(z_l) ⊙ (δ_{l+1} W_{l+1}ᵀ), row by row for each example.",
            "A product with W has a Frobenius norm of at most σ_max(W) times that of the other "
            "factor, and an elementwise product with φ' at most max |φ'| times.",
            "Over all layers the factors multiply. They need not be small one by one in the later "
            "layers for the product to be small: each only has to be below 1.",
            f"For the sigmoid max |φ'| = 1/4 everywhere, saturated or not: with E = exp z, "
            f"{SLOPE}, and {QUARTER}. For tanh and ReLU it is 1.",
            *_norms_said(certificate),
        ],
        level="proved" if factor is not None else "measured",
        facts=facts,
        certificate=certificate,
        measurement=[
            Text(f"{len(x)} examples, {loss}, activations {', '.join(names)}; slopes of these "
                 "examples."),
            Table(
                ["layer", "largest slope", "norm of weights", "bound of delta", "norm of delta"],
                rows,
            ),
            _delta_chart(rows),
        ],
        source="Pascanu, Mikolov, Bengio, ICML 2013, section 2; Hochreiter 1991",
    )  # fmt: skip


def _bound_statement(
    network: DenseNetwork, factor: float | None, vanishing: bool, here: bool
) -> str:
    said = (
        f"In {network.text} the delta of each layer, over all examples together, is at most "
        "the delta of the next one times the largest singular value of the weights between "
        "them times the largest slope of the activation. "
    )
    if factor is not None:
        said += f"For any data the first delta is at most {factor:.3g} times the last one. "
    if vanishing:
        return said + "That is below a thousandth: the gradient of the first layer vanishes."
    said += (
        "This does not prove that the gradient of the first layer vanishes; it is an upper bound "
        "and says nothing about how large the gradient is."
    )
    return said + (" On the examples below it does vanish." if here else "")


def _certified(network: DenseNetwork) -> tuple[float | None, dict[str, Any] | None]:
    """The factor between first and last delta for any data, and its certificate.

    None where a slope has no known bound; without a certificate where the network is too large.
    """
    layers = network.layers
    if any(layer.activation not in STEEPEST for layer in layers[:-1]):
        return None, None
    if sum(layer.weights.size for layer in layers) > MAX_CERTIFICATE:
        return None, None
    slopes = [STEEPEST[layer.activation] for layer in layers[:-1]]
    norms = [_norm(layer.weights) for layer in layers[1:]]
    product = Fraction(1)
    for slope, norm in zip(slopes, norms, strict=True):
        product *= slope * norm
    certificate = {
        "kind": "gradient_bound",
        "layers": [exact_layer(layer) for layer in layers],
        "slopes": [str(slope) for slope in slopes],
        "norms": [str(norm) for norm in norms],
        "factor": str(product),
    }
    parts = {"kind": "all_of", "parts": [identities([SLOPE, QUARTER], positive=["E"])]}
    return float(product), {**parts, "parts": [*parts["parts"], certificate]}


def _norm(weights: Array) -> Fraction:
    """A short rational number that is at least the largest singular value, and is seen to be."""
    guesses = [float(np.linalg.norm(weights, 2))] if min(weights.shape) <= MAX_SIDE else []
    lengths = np.abs(weights).sum(axis=0).max() * np.abs(weights).sum(axis=1).max()
    guesses += sorted([float(np.linalg.norm(weights)), sqrt(lengths)])
    exact = [[Fraction(v) for v in row] for row in weights]
    for guess in guesses:
        bound = Fraction(ceil(guess * _ROUNDING * _DIGITS), _DIGITS)
        if norm_at_most(exact, bound):
            return bound
    return sum((abs(v) for row in exact for v in row), Fraction(0))


def _norms_said(certificate: Mapping[str, Any] | None) -> list[str]:
    if certificate is None:
        return []
    bound = certificate["parts"][1]
    norms = ", ".join(f"{float(Fraction(n)):.4g}" for n in bound["norms"])
    return [
        f"Here the weights behind the first layer have norms of at most {norms}: shown by the sum "
        "of squares, by row and column sums, or because σ² I - W Wᵀ is positive definite; and the "
        f"slopes are at most {', '.join(bound['slopes'])}. The product of all is at most "
        f"{float(Fraction(bound['factor'])):.4g}."
    ]


def _delta_chart(rows: Sequence[Sequence[float]]) -> Chart:
    points = [
        {"x": row[0], "y": float(np.log10(max(row[at], 1e-300))), "series": name}
        for at, name in ((3, "bound"), (4, "measured"))
        for row in rows
    ]
    return Chart("Norm of the deltas by layer", "layer", "log10 of the norm", points)


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
