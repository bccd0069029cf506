"""How large activations are at the start, and how large a step may be."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backprove.errors import SetupError
from backprove.results import Chart, Table, Text
from backprove.theorems.dense import (
    Array,
    DenseNetwork,
    Rule,
    activation,
    architecture,
    gradients,
    loss_of,
    start,
    train,
)
from backprove.theorems.identities import Step, identities
from backprove.theorems.theorem import Condition, Fact, Theorem

_QUADRATURE = 64
_VARIANCES = {
    "glorot_uniform": lambda i, o: 2 / (i + o),
    "he_normal": lambda i, o: 2 / i,
    "lecun_normal": lambda i, o: 1 / i,
}
_EXACT = ("relu", "linear")
_HALVES = Step("p**2 + q**2", "=", "(p - q)**2 + 2*p*q")
_HUGE = 1e12
_MAX_EXAMPLES, _MAX_SIDE, _DIGITS = 1000, 48, 2**40


def initial_variance(
    network: str = "relu(256)x10+linear(1)",
    *,
    inputs: int = 256,
    init: str = "he_normal",
    seeds: int = 8,
) -> Theorem:
    """The mean square of what each layer's activation takes, predicted and measured.

    Args:
        network: its layers.
        inputs: the number of features, drawn from a standard normal distribution.
        init: ``glorot_uniform``, ``he_normal``, ``lecun_normal``, ``normal:S`` or ``uniform:S``.
        seeds: networks that are drawn for the measurement.

    Returns:
        The theorem, with facts ``factor`` (by which a layer multiplies the mean square),
        ``preserved`` (the factor is 1) and measured ``largest_deviation`` of the logarithms.

    Raises:
        SetupError: an initialiser whose weights are all equal, or a network without hidden layer.

    Source: Glorot and Bengio, AISTATS 2010, eq. 5 and 16; He, Zhang, Ren, Sun, ICCV 2015, eq. 7
    to 10; LeCun et al., Efficient BackProp (1998), section 4.6.

    >>> found = initial_variance("relu(64)x3+linear(1)", inputs=64, seeds=2)
    >>> found.facts["factor"].value, found.facts["preserved"].value
    (1.0, True)
    """
    layers = architecture(network)
    if len(layers) < 2:
        raise SetupError("a network without a hidden layer has no scale to keep over layers")
    exact = all(name in _EXACT for name, _ in layers[:-1])
    predicted = []
    square, fan_in = 1.0, inputs
    for name, width in layers[:-1]:
        z = fan_in * _variance(init, fan_in, width) * square
        predicted.append(z)
        square, fan_in = _mean_square(name, z), width
    measured = _measured_squares(network, inputs, init, seeds)
    deviation = float(np.abs(np.log(np.array(measured) / np.array(predicted))).max())
    factor = predicted[-1] / predicted[-2] if len(predicted) > 1 else predicted[0]
    rows = [[at, p, m] for at, (p, m) in enumerate(zip(predicted, measured, strict=True), 1)]
    return Theorem(
        name="Scale of activations at the start",
        statement=(
            f"With {init} weights each hidden layer of {network} multiplies the mean square of "
            f"what its activation takes by about {factor:.6g} (deep in the network). "
            + (
                "In expectation over the weights this is exact for ReLU and linear layers."
                if exact
                else "This takes the arguments of a unit to be normal, which holds for wide "
                "layers only: an estimate."
            )
        ),
        conditions=[
            Condition("weights independent, symmetric around 0, biases 0", True),
            Condition("inputs independent with mean square 1", True),
            *([] if exact else [Condition("arguments of units are normal", None)]),
        ],
        proof=[
            "z_i = Σ_k W_ki h_k with independent W of mean 0 and variance v, so E[z_i²] = "
            "fan_in · v · E[h²].",
            "For a ReLU write z = p - q with p = max(0, z), q = max(0, -z) and p q = 0. Then "
            f"{_HALVES} = z², and if z is symmetric p and q are alike, so E[max(0, z)²] = E[z²]/2; "
            "for a linear unit it is E[z²].",
            "For other activations E[φ(z)²] is taken as if z were normal.",
        ],
        level="proved" if exact else "advisory",
        facts={
            "factor": Fact(round(factor, 12), "proved" if exact else "advisory",
                           "by which a layer multiplies the mean square"),
            "preserved": Fact(abs(factor - 1) < 1e-9, "proved" if exact else "advisory",
                              "each layer keeps the mean square"),
            "largest_deviation": Fact(deviation, "measured",
                                      "largest difference of the logarithms"),
        },
        certificate=_variance_certificate(layers[:-1], inputs, init) if exact else None,
        measurement=[
            Text(f"Means over {seeds} networks and 256 inputs."),
            Table(["layer", "predicted", "measured"], rows, "Mean square of the arguments"),
            Chart(
                "Mean square by layer",
                "layer",
                "log10",
                [
                    {"x": row[0], "y": float(np.log10(max(row[1 + at], 1e-300))), "series": name}
                    for row in rows
                    for at, name in enumerate(("predicted", "measured"))
                ],
            ),
        ],
        source="He, Zhang, Ren, Sun, ICCV 2015, eq. 7 to 10; Glorot and Bengio, AISTATS 2010",
    )  # fmt: skip


def _variance(init: str, fan_in: int, fan_out: int) -> float:
    name, _, number = init.partition(":")
    if name in _VARIANCES:
        return _VARIANCES[name](fan_in, fan_out)
    if name in ("normal", "uniform") and number:
        return float(number) ** 2 / (1 if name == "normal" else 3)
    raise SetupError(
        f"init={init!r} has no variance of its weights",
        hint=f"One of {', '.join(_VARIANCES)}, normal:0.1, uniform:0.5.",
    )


def _variance_certificate(
    layers: Sequence[tuple[str, int]], inputs: int, init: str
) -> dict[str, Any]:
    """The mean squares as rationals; a scale counts as the decimal number that was written."""
    name, _, number = init.partition(":")
    scale = Fraction(number) if number else Fraction(0)
    squares, square, fan_in = [], Fraction(1), inputs
    for activation_name, width in layers:
        variances = {
            "glorot_uniform": Fraction(2, fan_in + width),
            "he_normal": Fraction(2, fan_in),
            "lecun_normal": Fraction(1, fan_in),
            "normal": scale**2,
            "uniform": scale**2 / 3,
        }
        squares.append(fan_in * variances[name] * square)
        square = squares[-1] / (2 if activation_name == "relu" else 1)
        fan_in = width
    chain = {
        "kind": "variance_chain",
        "init": f"{name}:{scale}" if number else name,
        "inputs": inputs,
        "layers": [list(layer) for layer in layers],
        "squares": [str(value) for value in squares],
    }
    return {"kind": "all_of", "parts": [identities([_HALVES]), chain]}


def _mean_square(name: str, z: float) -> float:
    """E[φ(z)²] for a normal z with this mean square; exact for ReLU and linear units."""
    if name == "linear":
        return z
    if name == "relu":
        return z / 2
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
    values = activation(name).value(nodes * sqrt(z))
    return float((weights * values**2).sum() / weights.sum())


def _measured_squares(network: str, inputs: int, init: str, seeds: int) -> list[float]:
    total: Array | None = None
    for seed in range(seeds):
        drawn = start(network, inputs, init, seed=seed)
        x = np.random.Generator(np.random.PCG64([seed, 7])).normal(size=(256, inputs))
        squares = np.array([float((z**2).mean()) for z, _ in drawn.run(x)[:-1]])
        total = squares if total is None else total + squares
    assert total is not None
    return (total / seeds).tolist()


def stable_step(
    network: DenseNetwork | str = "linear(1)",
    *,
    inputs: int = 3,
    init: str = "glorot_uniform",
    seed: int = 0,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    loss: str = "mse",
    steps: int = 200,
) -> Theorem:
    """The largest step size with which gradient descent does not diverge: 2/λmax.

    Args:
        network: the network with its numbers, or its layers.
        inputs: the number of features, if ``network`` is text.
        init: how its weights start, if ``network`` is text.
        seed: fixes random numbers.
        data: features and targets; random ones without.
        loss: the loss.
        steps: steps of the runs at 0.99 and 1.01 of the bound.

    Returns:
        The theorem, with facts ``largest_step`` (proved where the Hessian is constant: one linear
        layer under squared error; measured at the start otherwise), ``stable_below`` and
        ``diverges_above``, seen in the runs.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 4.3; LeCun et al. (1998),
    section 5.1.

    >>> found = stable_step()
    >>> found.facts["largest_step"].level, found.facts["diverges_above"].value
    ('proved', True)
    """
    if isinstance(network, str):
        network = start(network, inputs, init, seed=seed)
    if data is None:
        stream = np.random.Generator(np.random.PCG64([seed, 5]))
        x = stream.normal(size=(40, network.inputs)) * np.linspace(0.5, 2, network.inputs)
        y = stream.normal(size=(40, network.widths[-1]))
    else:
        x, y = np.asarray(data[0], np.float64), np.asarray(data[1], np.float64)
    constant = len(network.layers) == 1 and network.layers[0].activation == "linear"
    constant = constant and loss == "mse"
    largest = _largest_curvature(network, x, y, loss)
    bound = 2 / largest if largest > 0 else float("inf")
    certificate = _eigenvalue_certificate(x, y) if constant else None
    level = "proved" if constant else "measured"
    rows = []
    points: list[dict[str, Any]] = []
    for share in (0.9, 0.99, 1.01, 1.1):
        rule = Rule(lr=min(bound, 1e6) * share)

        def watch(step: int, now: DenseNetwork, name: str = f"{share:g} of the bound") -> None:
            seen = loss_of(loss).value(now.predict(x), y)
            if step % max(1, steps // 50) == 0 and 0 < seen < _HUGE:
                points.append({"x": step, "y": float(np.log10(seen)), "series": name})

        with np.errstate(all="ignore"):
            try:
                after = train(network, x, y, loss=loss, steps=steps, rule=rule, watch=watch)
                value = loss_of(loss).value(after.predict(x), y)
            except SetupError:  # a parameter that is not finite any more
                value = float("inf")
        rows.append([share, rule.lr, value])
    first = loss_of(loss).value(network.predict(x), y)
    return Theorem(
        name="The largest stable step",
        statement=(
            f"Gradient descent on this loss is stable for steps below 2/λmax = {bound:.6g}"
            + (
                " and diverges for larger ones from almost every start."
                if constant
                else " near the start; the Hessian changes while training, so this is what was "
                "measured there and no guarantee."
            )
        ),
        conditions=[Condition("the Hessian is constant", constant)],
        proof=[
            "For a loss ½ θᵀHθ - bᵀθ + c a step gives θ' - θ* = (I - ηH)(θ - θ*).",
            "Along an eigenvector with eigenvalue λ the distance is multiplied by 1 - ηλ: it "
            "shrinks exactly if 0 < ηλ < 2, so all of them shrink exactly if η < 2/λmax.",
            *_eigenvalue_said(certificate),
        ]
        if constant
        else [],
        level=level,
        certificate=certificate,
        facts={
            "largest_step": Fact(bound, level, "2/λmax"),
            "stable_below": Fact(rows[1][2] <= first, "measured", "0.99 of it is stable"),
            "diverges_above": Fact(rows[3][2] > 10 * first, "measured", "1.1 of it diverges"),
        },
        measurement=[
            Text(f"{steps} steps; the loss begins at {first:.6g}."),
            Table(["share of the bound", "step size", "loss at the end"], rows),
            Chart("The loss below and above the bound", "step", "log10 of the loss", points),
        ],
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 4.3",
    )


def _eigenvalue_certificate(x: Array, y: Array) -> dict[str, Any] | None:
    """Bounds of λmax, from above by a definite matrix and from below by a vector."""
    if len(x) > _MAX_EXAMPLES or x.shape[1] + 1 > _MAX_SIDE:
        return None
    rows = np.column_stack([x, np.ones(len(x))])
    values, vectors = np.linalg.eigh(2 * rows.T @ rows / y.size)
    return {
        "kind": "largest_eigenvalue",
        "inputs": [[str(Fraction(v)) for v in row] for row in x],
        "outputs": y.shape[1],
        "low": str(Fraction(floor(values[-1] * (1 - 1e-9) * _DIGITS), _DIGITS)),
        "high": str(Fraction(ceil(values[-1] * (1 + 1e-9) * _DIGITS), _DIGITS)),
        "vector": [str(Fraction(round(v * _DIGITS), _DIGITS)) for v in vectors[:, -1]],
    }


def _eigenvalue_said(certificate: dict[str, Any] | None) -> list[str]:
    if certificate is None:
        return []
    low, high = (float(Fraction(certificate[name])) for name in ("low", "high"))
    return [
        "Here H = 2/(n m) ZᵀZ with a column of ones in Z for the bias. It has a vector v with "
        f"vᵀHv ≥ {low:.9g} vᵀv, and {high:.9g} I - H is positive definite (all its leading minors "
        "are positive): so λmax lies between these two numbers."
    ]


def _largest_curvature(network: DenseNetwork, x: Array, y: Array, loss: str) -> float:
    """The largest eigenvalue of the Hessian, from differences of gradients (exact if constant)."""
    base = [a for layer in network.layers for a in (layer.weights, layer.biases)]
    flat = np.concatenate([a.ravel() for a in base])
    if flat.size > 2_000:
        raise SetupError(f"{flat.size} parameters; the Hessian is formed for at most 2,000")

    def gradient(vector: Array) -> Array:
        arrays, at = [], 0
        for array in base:
            arrays.append(vector[at : at + array.size].reshape(array.shape))
            at += array.size
        layers = tuple(
            type(layer)(w, b, layer.activation)
            for layer, w, b in zip(network.layers, arrays[::2], arrays[1::2], strict=True)
        )
        found = gradients(DenseNetwork(layers), x, y, loss)
        return np.concatenate([a.ravel() for pair in found for a in pair])

    step = 1e-4
    columns = [
        (gradient(flat + step * unit) - gradient(flat - step * unit)) / (2 * step)
        for unit in np.eye(flat.size)
    ]
    hessian = np.array(columns)
    return float(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])
