"""Zero-centred activations: why tanh instead of the sigmoid, and where that ends."""

from __future__ import annotations

import numpy as np

from backprove.checking import check_equality
from backprove.results import Chart, Table, Text
from backprove.theorems.dense import Rule, activation, gradients, start, train
from backprove.theorems.identities import Step, identities
from backprove.theorems.theorem import Condition, Fact, Theorem

_IDENTITY = Step("(E**2 - 1)/(E**2 + 1)", "=", "2*(E**2/(E**2 + 1)) - 1")
_POSITIVE = Step("E/(E + 1)", ">", "0", "E/(E + 1)")
_SAME_SIGN = Step("(d*a)*(d*b)", ">=", "0", "d**2*a*b")


def zero_centred(*, width: int = 64, examples: int = 256, seed: int = 0) -> Theorem:
    """What follows from activations whose mean is near 0, and what is only usual.

    Args:
        width: units of the hidden layers of the run.
        examples: examples of the run.
        seed: fixes the numbers.

    Returns:
        The theorem, with facts ``identity`` (tanh z = 2 sigmoid(2z) - 1), ``same_sign`` (for one
        example the gradients of all weights of a unit behind sigmoids have one sign),
        ``tanh_mean_nearer_zero`` (measured) and ``always_better`` (that tanh trains better: no).

    Source: LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), sections 4.3 and 4.4.

    >>> found = zero_centred(examples=32)
    >>> found.facts["identity"].value, found.facts["same_sign"].value
    ('2*sigmoid(2*z) - 1', True)
    """
    identity = check_equality("tanh(z) == 2*sigmoid(2*z) - 1", {"z": "scalar"})
    rows = [_statistics(name, width, examples, seed) for name in ("sigmoid", "tanh", "relu")]
    means = {str(row[0]): abs(float(row[1])) for row in rows}
    return Theorem(
        name="Zero-centred activations",
        statement=(
            "The gradient of a weight is δ a with the activation a that it multiplies. Behind "
            "sigmoids all a are positive, so for one example all weights of a unit move in one "
            "direction, up or down together. tanh z = 2σ(2z) - 1 takes both signs. Sums over a "
            "batch soften this, and whether training is better for it is a matter of experience."
        ),
        conditions=[Condition("one example, or a batch in which δ keeps its sign", None)],
        proof=[
            f"tanh z = 2σ(2z) - 1 ({identity.level}: {identity.evidence or identity.message}). "
            f"With E = exp z: {_IDENTITY}.",
            "z = Σ a_k w_k + b, so ∂L/∂w_k = δ a_k for one example.",
            f"Activations of sigmoids are above 0: {_POSITIVE}, for E = exp z > 0.",
            f"Two gradients δ a and δ b of one unit never have opposite signs: {_SAME_SIGN}, "
            "where d = δ and a, b > 0. So all have the sign of δ: the 2^n directions of signs "
            "shrink to 2, and a weight vector can move to others only by zig-zag.",
        ],
        facts={
            "identity": Fact(
                "2*sigmoid(2*z) - 1", "proved", "tanh z, through the sigmoid", {"z": "scalar"}
            ),
            "same_sign": Fact(
                True, "proved", "behind sigmoids one example moves all weights of a unit one way"
            ),
            "tanh_mean_nearer_zero": Fact(
                means["tanh"] < means["sigmoid"], "measured", "the mean of tanh units is nearer 0"
            ),
            "always_better": Fact(
                False, "advisory", "tanh always trains better than the sigmoid; it usually does"
            ),
        },
        certificate=identities([_IDENTITY, _POSITIVE, _SAME_SIGN], positive=["E", "a", "b"]),
        measurement=[
            Text(
                f"Two hidden layers of {width} units on {examples} examples. Agreement of signs: "
                "the share of weights of a unit whose gradient has the sign of the majority; 1/2 "
                "is chance."
            ),
            Table(
                ["activation", "mean", "standard deviation", "signs agree, one example",
                 "signs agree, all examples"],
                rows,
            ),
            _zig_zag(seed),
        ],
        source="LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), sections 4.3 and 4.4",
    )  # fmt: skip


def _statistics(name: str, width: int, examples: int, seed: int) -> list[str | float]:
    stream = np.random.Generator(np.random.PCG64(seed))
    x = stream.normal(size=(examples, 20))
    y = stream.integers(0, 2, (examples, 1)).astype(np.float64)
    network = start(f"{name}({width})+{name}({width})+linear(1)", 20, "glorot_uniform", seed=seed)
    hidden = network.run(x)[0][1]
    one = np.mean([_agreement(gradients(network, x[[i]], y[[i]])[1][0]) for i in range(32)])
    batch = _agreement(gradients(network, x, y)[1][0])
    return [name, float(hidden.mean()), float(hidden.std()), float(one), float(batch)]


def _agreement(gradient: np.ndarray) -> float:
    """Over units, the mean share of weights whose gradient has the more frequent sign."""
    up = (gradient > 0).mean(axis=0)
    down = (gradient < 0).mean(axis=0)
    told = up + down > 0
    return float((np.maximum(up, down)[told] / (up + down)[told]).mean()) if told.any() else 0.0


def _zig_zag(seed: int) -> Chart:
    """The path of two weights whose target needs one to rise and the other to fall."""
    points = []
    for name in ("sigmoid", "tanh"):
        stream = np.random.Generator(np.random.PCG64(seed))
        x = activation(name).value(stream.normal(size=(40, 2)))
        y = x @ np.array([[1.0], [-1.0]])
        network = start("linear(1)", 2, "zeros")
        for step in range(40):
            weights = network.layers[0].weights[:, 0]
            points.append({"x": float(weights[0]), "y": float(weights[1]), "series": name,
                           })  # fmt: skip
            row = slice(step % 40, step % 40 + 1)
            network = train(network, x[row], y[row], steps=1, rule=Rule(lr=0.2))
    return Chart(
        "The path of two weights towards (1, -1), one example a step",
        "first weight",
        "second weight",
        points,
        kind="point",
    )
