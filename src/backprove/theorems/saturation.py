"""Saturation: what large weights do to bounded units, and to gradients."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor

import numpy as np

from backprove.errors import SetupError
from backprove.results import Chart, Table, Text
from backprove.theorems.bound_certificates import slope_between
from backprove.theorems.dense import (
    DenseNetwork,
    activation,
    gradients,
    start,
)
from backprove.theorems.gradient_bounds import QUARTER, SLOPE
from backprove.theorems.identities import Step, identities
from backprove.theorems.theorem import Condition, Fact, Theorem

_FALLS = Step("1/E", ">", "E/(E + 1)**2", "(2*E + 1)/(E*(E + 1)**2)")
_SERIES = "(1 + w*s + (w*s)**2/2 + r)"
_NO_RESCUE = Step("2/(w*s**2)", ">", f"w/{_SERIES}", f"2*(1 + w*s + r)/(w*s**2*{_SERIES})")
_BOUNDS = {"sigmoid": "exp(-|z|)", "tanh": "4 exp(-2|z|)"}
SATURATED = 0.05
"""A unit counts as saturated where its slope is below this share of the largest slope."""


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
    # 1 - tanh² loses digits where it is small: the value comes from exact bounds instead.
    slope = {z: float(slope_between(name, Fraction(z))[0]) for z in (0, 5, 10)}
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
            f"The slope of the sigmoid is even in z; with E = exp |z| it is {SLOPE}.",
            f"So σ'(z) ≤ exp(-|z|) = 1/E: {_FALLS}. tanh z = 2σ(2z) - 1, so tanh'(z) = 4σ'(2z) ≤ "
            "4 exp(-2|z|).",
            "w φ'(w s) ≤ c w exp(-c w s) for s > 0. The series of the exponential function has "
            f"only positive terms: exp(w s) = 1 + w s + (w s)²/2 + r with r > 0. So {_NO_RESCUE}, "
            "which tends to 0 as w grows (with c s for s likewise).",
        ],
        facts={
            "slope_at_0": Fact(slope[0], "proved", "the largest slope"),
            "slope_at_5": Fact(slope[5], "proved", "the slope at 5"),
            "slope_at_10": Fact(slope[10], "proved", "the slope at 10"),
            "rescued": Fact(False, "proved", "the factor w of a large weight makes up for it"),
            "vanishes": Fact(vanishes, "measured", "the gradient of the first layer vanishes"),
        },
        certificate={
            "kind": "all_of",
            "parts": [
                identities([SLOPE, QUARTER, _FALLS, _NO_RESCUE], positive=["E", "w", "s", "r"]),
                {"kind": "slope_values", "function": name, "values": _between(slope)},
            ],
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


def _between(slopes: Mapping[int, float]) -> list[list[str]]:
    """For each point a lower and an upper bound of the slope, which agree in about 12 digits."""
    found = []
    for z, slope in slopes.items():
        scale = 10 ** (12 - floor(np.log10(slope)))
        found.append([str(z), *(str(Fraction(round(slope * scale) + by, scale)) for by in (-1, 1))])
    return found


def _scaled(network: DenseNetwork, scale: float) -> DenseNetwork:
    layers = network.layers
    return DenseNetwork(
        tuple(
            type(layer)(layer.weights * scale, layer.biases, layer.activation) for layer in layers
        )
    )
