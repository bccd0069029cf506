"""Dropout: what has to be scaled, when, and where averaging over masks is exact."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np

from backprove.errors import SetupError
from backprove.results import Block, Chart, Table, Text
from backprove.theorems.dense import activation, start
from backprove.theorems.identities import Step, identities
from backprove.theorems.theorem import Condition, Fact, Theorem

_SHAPES = {"h": "scalar", "p": "scalar"}
_MASK = Step("(1 - p)*1**2 + p*0**2 - (1 - p)**2", "=", "p*(1 - p)")
_MEAN = Step("(1 - p)*(h/(1 - p)) + p*0", "=", "h")
_VARIANCE = Step("(1 - p)*(h/(1 - p))**2 + p*0**2 - h**2", "=", "h**2*p/(1 - p)")
_ONE_MORE = Step("(1 - p)*(r + w*h/(1 - p)) + p*r", "=", "r + w*h")


def dropout(p: float = 0.5, *, masks: int = 20_000, seed: int = 0) -> Theorem:
    """Classical and inverted dropout: expectation, variance, training and evaluation.

    Args:
        p: the share of units that is dropped in the run, in (0, 1).
        masks: masks drawn in the run; 0 for none.
        seed: fixes the masks.

    Returns:
        The theorem with facts ``test_scale``, ``train_scale`` (classical: 1 - p at evaluation,
        nothing in training), ``inverted_train_scale``, ``inverted_test_scale`` (1/(1 - p) in
        training, nothing at evaluation), ``mean``, ``variance``, ``linear_average_exact``,
        ``nonlinear_average_exact``, ``evaluation_repeats``.

    Raises:
        SetupError: p is not between 0 and 1.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15 (2014), section 4.

    >>> dropout(masks=0).facts["test_scale"].value
    '1 - p'
    """
    if not 0 < p < 1:
        raise SetupError(f"p={p}; expected a share between 0 and 1")
    average, scaled = _counterexample()
    return Theorem(
        name="Dropout",
        statement=(
            "A unit is kept with probability 1 - p. Classical dropout multiplies by 1 - p at "
            "evaluation; inverted dropout multiplies what is kept by 1/(1 - p) in training and "
            "does nothing at evaluation. Both keep the expectation of every unit. The output of "
            "the scaled network is the average over masks if what follows is linear, and in "
            "general not otherwise."
        ),
        conditions=[Condition("masks are drawn independently of the values", None)],
        proof=[
            "The mask m is 1 with probability 1 - p and 0 with probability p, so E[m] = 1 - p and "
            f"Var[m] = E[m²] - E[m]²: {_MASK}.",
            "Classical: E[m h] = (1 - p) h. Evaluation without a mask gives h, too large by "
            "1/(1 - p); multiplying by the probability of keeping, 1 - p (not by p), repairs it.",
            f"Inverted: E[m h/(1 - p)]: {_MEAN}, so evaluation needs no factor. "
            f"Var[m h/(1 - p)]: {_VARIANCE}.",
            "Linear: let r be the average over the masks of all units but one, Σ w_k h_k + b of "
            f"them. One unit more: {_ONE_MORE}. So by induction E[Σ w_k m_k h_k/(1 - p) + b] = "
            "Σ w_k h_k + b: the average over masks is the network without masks.",
            "Beyond that it is not: for h = (1, 1), w = (1, -1), p = 1/2 and a ReLU the average "
            f"over the four masks is exactly {average}, the network without masks gives {scaled}.",
        ],
        facts=_facts(),
        certificate={
            "kind": "all_of",
            "parts": [
                identities([_MASK, _MEAN, _VARIANCE, _ONE_MORE]),
                {
                    "kind": "mask_average",
                    "h": ["1", "1"],
                    "w": ["1", "-1"],
                    "p": "1/2",
                    "average": str(average),
                    "scaled": str(scaled),
                },
            ],
        },
        measurement=_measured(p, masks, seed) if masks else [],
        source="Srivastava et al., JMLR 15 (2014), section 4; inverted scaling as in "
        "torch.nn.Dropout",
    )


def _facts() -> dict[str, Fact]:
    formulas = {
        "test_scale": ("1 - p", "classical dropout: the factor at evaluation"),
        "train_scale": ("1", "classical dropout: the factor of kept units in training"),
        "inverted_train_scale": ("1/(1 - p)", "inverted: the factor of kept units in training"),
        "inverted_test_scale": ("1", "inverted: the factor at evaluation"),
        "mean": ("h", "inverted: expectation of a unit in training"),
        "variance": ("h**2*p/(1 - p)", "inverted: variance of a unit in training"),
    }
    facts = {name: Fact(value, "proved", text, _SHAPES) for name, (value, text) in formulas.items()}
    return facts | {
        "linear_average_exact": Fact(
            True, "proved", "averaging over masks is exact where what follows is linear"
        ),
        "nonlinear_average_exact": Fact(
            False, "proved", "averaging over masks is exact for every network"
        ),
        "evaluation_repeats": Fact(
            True, "proved", "at evaluation the same input gives the same output"
        ),
    }


def _counterexample() -> tuple[Fraction, Fraction]:
    """Average over masks, and value without masks, of a ReLU of two dropped units."""
    return mask_average([Fraction(1), Fraction(1)], [Fraction(1), Fraction(-1)], Fraction(1, 2))


def mask_average(
    h: Sequence[Fraction], w: Sequence[Fraction], p: Fraction, *, linear: bool = False
) -> tuple[Fraction, Fraction]:
    """The exact average over all masks of an output, and the output without masks.

    Args:
        h: what is dropped.
        w: the weights to the output.
        p: the share dropped, inverted scaling.
        linear: whether the output is linear instead of a ReLU.

    >>> mask_average([Fraction(2)], [Fraction(3)], Fraction(1, 4), linear=True)
    (Fraction(6, 1), Fraction(6, 1))
    """

    def output(values: Sequence[Fraction]) -> Fraction:
        z = sum((a * b for a, b in zip(values, w, strict=True)), Fraction(0))
        return z if linear or z > 0 else Fraction(0)

    average = Fraction(0)
    for mask in product((0, 1), repeat=len(h)):
        weight = Fraction(1)
        for kept in mask:
            weight *= 1 - p if kept else p
        average += weight * output([m * a / (1 - p) for m, a in zip(mask, h, strict=True)])
    return average, output(h)


def _measured(p: float, masks: int, seed: int) -> list[Block]:
    stream = np.random.Generator(np.random.PCG64(seed))
    network = start("tanh(16)+tanh(16)+linear(1)", 4, "normal:0.8", seed=seed)
    x = stream.normal(size=(1, 4))
    hidden = network.run(x)[0][1]
    kept = (stream.random((masks, hidden.size)) >= p) / (1 - p)
    dropped = hidden * kept
    second, last = network.layers[1], network.layers[2]
    linear = dropped @ second.weights[:, :1] + second.biases[:1]
    deep = activation("tanh").value(dropped @ second.weights + second.biases)
    deep = deep @ last.weights + last.biases
    exact_linear = (hidden @ second.weights[:, :1] + second.biases[:1]).item()
    exact_deep = float(network.predict(x)[0, 0])
    rows = [
        ["a unit", float(hidden[0, 0]), float(dropped[:, 0].mean()), _error(dropped[:, 0])],
        ["a linear output", exact_linear, float(linear.mean()), _error(linear)],
        ["an output behind a tanh", exact_deep, float(deep.mean()), _error(deep)],
    ]
    twice = bool((network.predict(x) == network.predict(x)).all())
    return [
        Text(
            f"{masks} masks with p = {p:g}, inverted scaling. At evaluation the same input gave "
            f"{'the same output' if twice else 'different outputs'} twice."
        ),
        Table(["what", "at evaluation", "mean over masks", "standard error"], rows),
        _running_means(
            [
                ("linear output", linear.ravel(), exact_linear),
                ("behind a tanh", deep.ravel(), exact_deep),
            ]
        ),
    ]


def _running_means(outputs: Sequence[tuple[str, np.ndarray, float]]) -> Chart:
    """Means over the first masks, beside what evaluation gives."""
    data = []
    for name, values, exact in outputs:
        counts = np.unique(np.geomspace(1, values.size, 60).astype(int))
        means = np.cumsum(values)[counts - 1] / counts
        data += [
            {"x": int(n), "y": float(mean), "series": f"{name}: mean over masks"}
            for n, mean in zip(counts, means, strict=True)
        ]
        data += [
            {"x": int(n), "y": exact, "series": f"{name}: evaluation", "mark": "asymptote"}
            for n in (counts[0], counts[-1])
        ]
    return Chart("Means over more and more masks", "masks", "output", data, log_x=True)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size))
