"""Depth: nothing without activations, a loop that remains, and what it is said to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backprove.checking import check_equality
from backprove.errors import SetupError
from backprove.results import Block, Chart, Table, Text
from backprove.theorems.bound_certificates import RANGES
from backprove.theorems.dense import DenseNetwork, activation, start
from backprove.theorems.identities import Step, identities
from backprove.theorems.symmetry import exact_layer
from backprove.theorems.theorem import Condition, Fact, Theorem

Matrix = list[list[Fraction]]

_JOINED = Step("W2 @ (W1 @ x + b1) + b2", "=", "(W2 @ W1) @ x + (W2 @ b1 + b2)")
_ONE_ROW = Step("e @ (X @ W + u @ b)", "=", "(e @ X) @ W + (e @ u) @ b")
_MAX_TARGETS = 1000
_MAX_LINES = 6


def collapse(
    network: DenseNetwork | str = "linear(8)+linear(4)+linear(1)", *, inputs: int = 3, seed: int = 0
) -> Theorem:
    """Layers without activations between them are one affine map.

    Args:
        network: the network with its numbers, or its layers.
        inputs: the number of features, if ``network`` is text.
        seed: fixes its weights.

    Returns:
        The theorem, with facts ``affine`` (the network is one affine map) and ``universal`` (it
        can approximate every continuous function: no), and the map as its certificate.

    Raises:
        SetupError: a hidden layer has another activation than ``linear``.

    Source: elementary; universality needs an activation that is no polynomial: Leshno, Lin,
    Pinkus, Schocken, Neural Networks 6 (1993).

    >>> collapse().facts["affine"].value
    True
    """
    if isinstance(network, str):
        network = start(network, inputs, seed=seed)
    other = [layer.activation for layer in network.layers if layer.activation != "linear"]
    if other:
        raise SetupError(
            f"a layer has the activation {other[0]}; only linear layers collapse into one map"
        )
    weights, biases = affine_map(network)
    identity = check_equality(
        "W2 @ (W1 @ x + b1) + b2 == (W2 @ W1) @ x + (W2 @ b1 + b2)",
        {"W1": "m d", "W2": "k m", "x": "d", "b1": "m", "b2": "k"},
    )
    x = np.random.Generator(np.random.PCG64(1)).normal(size=(100, network.inputs))
    joined = x @ np.array(weights, np.float64) + np.array(biases, np.float64)
    error = float(np.abs(network.predict(x) - joined).max())
    return Theorem(
        name="Layers without activations collapse",
        statement=(
            f"{network.text} computes x W + b with one matrix W of shape {network.inputs}×"
            f"{network.widths[-1]}: more linear layers add nothing that one has not. With an "
            "activation that is no polynomial, one hidden layer of enough units approximates "
            "every continuous function on a bounded set."
        ),
        conditions=[Condition("no activation between the layers", True)],
        proof=[
            f"{_JOINED} ({identity.level}).",
            "By induction over the layers, W is the product of all weights and b follows.",
        ],
        facts={
            "affine": Fact(True, "proved", "the network is one affine map"),
            "universal": Fact(
                False, "proved", "without activations every function can be approximated"
            ),
            "needs_activation": Fact(
                True, "proved", "without a non-linear activation depth adds nothing"
            ),
        },
        certificate={
            "kind": "all_of",
            "parts": [
                identities([_JOINED], matrices=["W1", "W2", "b1", "b2", "x"]),
                {
                    "kind": "affine_map",
                    "layers": [exact_layer(layer) for layer in network.layers],
                    "weights": [[str(v) for v in row] for row in weights],
                    "biases": [str(v) for v in biases],
                },
            ],
        },
        measurement=[
            Text(f"On 100 random inputs network and affine map differ by at most {error:.1e}."),
            _along_a_line(network),
        ],
        source="elementary; universality: Leshno, Lin, Pinkus, Schocken, Neural Networks 6 (1993)",
    )  # fmt: skip


def _along_a_line(network: DenseNetwork) -> Chart:
    """The first output along a line of inputs, and what it were with ReLU units in between."""
    bent = DenseNetwork(
        (*(replace(layer, activation="relu") for layer in network.layers[:-1]), network.layers[-1])
    )
    t = np.linspace(-3, 3, 61)
    direction = np.random.Generator(np.random.PCG64(2)).normal(size=network.inputs)
    points = [
        {"x": float(at), "y": float(value), "series": name}
        for name, each in (("linear layers", network), ("the same weights with ReLU", bent))
        for at, value in zip(t, each.predict(t[:, None] * direction)[:, 0], strict=True)
    ]
    return Chart("First output along a line of inputs", "place on the line", "output", points)


def affine_map(network: DenseNetwork) -> tuple[Matrix, list[Fraction]]:
    """The one map that linear layers compute, exactly.

    >>> layers = start("linear(2)+linear(1)", 1, "constant:0.5", bias=1)
    >>> affine_map(layers)
    ([[Fraction(1, 2)]], [Fraction(2, 1)])
    """
    size = network.inputs
    weights = [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]
    biases = [Fraction(0)] * size
    for layer in network.layers:
        own = [[Fraction(v) for v in row] for row in layer.weights]
        weights = [_times(row, own) for row in weights]
        biases = [a + Fraction(b) for a, b in zip(_times(biases, own), layer.biases, strict=True)]
    return weights, biases


def _times(row: Sequence[Fraction], matrix: Matrix) -> list[Fraction]:
    columns = range(len(matrix[0]))
    return [sum((a * matrix[k][j] for k, a in enumerate(row)), Fraction(0)) for j in columns]


def batching(*, depths: Sequence[int] = (1, 2, 4, 8), seed: int = 0) -> Theorem:
    """Vectorising removes the loop over examples, not the loop over layers.

    Args:
        depths: numbers of hidden layers of the run.
        seed: fixes the numbers.

    Returns:
        The theorem, with facts ``removes_loop_over_examples``, ``removes_loop_over_layers`` and
        ``batch_equals_loop``.

    Source: elementary.

    >>> batching().facts["removes_loop_over_layers"].value
    False
    """
    rows: list[list[float]] = []
    chains: list[dict[str, Any]] = []
    for depth in depths:
        network = start("+".join(["tanh(16)"] * depth + ["linear(1)"]), 8, seed=seed)
        x = np.random.Generator(np.random.PCG64(seed)).normal(size=(32, 8))
        loop = np.concatenate([network.predict(row[None]) for row in x])
        chains.append(_chain(depth))
        length = len(chains[-1]["path"]) - 1
        rows.append([depth, length, float(np.abs(loop - network.predict(x)).max())])
    return Theorem(
        name="Batches and layers",
        statement=(
            "All examples of a batch go through a layer in one matrix product, because no example "
            "needs another. A layer needs the activations of the one before, so the layers remain "
            "a loop: the longest chain of operations grows with their number."
        ),
        conditions=[Condition("no normalisation over the batch", None)],
        proof=[
            "Let e be the row that picks one example, and u the column of ones that adds a bias to "
            f"every example: {_ONE_ROW}, and e u = 1. So what a layer takes for one example "
            "depends on that example alone, and an activation acts entry by entry: by induction "
            "over the layers the batch holds what a loop over examples gives.",
            "h_{l+1} = φ(h_l W_l + b_l) is a function of h_l: in the graph there is a path through "
            "all layers, whose length is the number of operations that must follow each other: one "
            "product, one sum and one activation a layer. No chain is longer, for each operation "
            "has a rank above those of its operands.",
        ],
        facts={
            "removes_loop_over_examples": Fact(True, "proved", "examples are independent"),
            "removes_loop_over_layers": Fact(False, "proved", "no loop over layers is left"),
            "batch_equals_loop": Fact(
                max(row[2] for row in rows) < 1e-12, "measured", "the batch gives the same numbers"
            ),
        },
        certificate={
            "kind": "all_of",
            "parts": [identities([_ONE_ROW], matrices=["e", "X", "W", "u", "b"]), *chains],
        },
        measurement=[
            Table(["hidden layers", "longest chain of operations", "batch against loop"], rows),
            Chart(
                "Operations that must follow each other, for any number of examples",
                "hidden layers",
                "operations in a row",
                [{"x": row[0], "y": row[1], "series": "longest chain"} for row in rows],
            ),
        ],
        source="elementary",
    )


def _chain(depth: int) -> dict[str, Any]:
    """The operations of hidden layers and an output layer, their ranks and a longest chain."""
    operands: list[list[int]] = [[]]
    ranks, path, at = [0], [0], 0
    for layer in range(depth + 1):
        weights, bias = len(operands), len(operands) + 1
        product, total = bias + 1, bias + 2
        operands += [[], [], [at, weights], [product, bias]]
        ranks += [0, 0, ranks[at] + 1, ranks[at] + 2]
        path += [product, total]
        at = total
        if layer < depth:
            at += 1
            operands.append([total])
            ranks.append(ranks[total] + 1)
            path.append(at)
    return {"kind": "longest_chain", "operands": operands, "ranks": ranks, "path": path}


def features_of_depth() -> Theorem:
    """That deeper layers compute more complex features is experience, not a theorem.

    Returns:
        An advisory statement, with facts ``follows_from_graph`` (no) and ``typical``.

    Source: Zeiler and Fergus, ECCV 2014; Lee, Grosse, Ranganath, Ng, ICML 2009.

    >>> features_of_depth().level
    'advisory'
    """
    note: list[Block] = [
        Text(
            "What is provable is weaker: a deeper layer can compute every function of the inputs "
            "that the layer before it computes and one step more; whether training uses that is "
            "seen in trained networks, not in the graph."
        )
    ]
    return Theorem(
        name="Features of deeper layers",
        statement=(
            "Deeper layers typically respond to more complex features of the input. This is seen "
            "in trained networks and does not follow from the computation graph."
        ),
        level="advisory",
        facts={
            "follows_from_graph": Fact(False, "advisory", "it can be derived from the graph"),
            "typical": Fact(True, "advisory", "it is what is usually seen"),
        },
        measurement=note,
        source="Zeiler and Fergus, ECCV 2014; Lee, Grosse, Ranganath, Ng, ICML 2009",
    )


def output_range(network: DenseNetwork | str, targets: ArrayLike) -> Theorem:
    """Whether the targets lie where the output layer can go.

    Args:
        network: the network, or its layers such as ``relu(8)+sigmoid(1)``.
        targets: any shape.

    Returns:
        The theorem, with facts ``reachable`` (every target lies in the range of the output
        activation) and ``outside`` (how many do not).

    Raises:
        SetupError: a target is not finite.

    Source: the ranges of the table of functions.

    >>> output_range("relu(8)+sigmoid(1)", [0.2, 3.0]).facts["outside"].value
    1
    """
    if isinstance(network, str):
        network = start(network, 1)
    values = np.asarray(targets, np.float64).ravel()
    if not np.isfinite(values).all():
        raise SetupError("a target is not finite; expected numbers")
    name = network.layers[-1].activation
    record = activation(name).record
    low, high = (record.range.low, record.range.high) if record else (-np.inf, np.inf)
    inside = np.array([record is None or v in record.range for v in values])
    shown = str(record.range) if record else "(-∞, ∞)"
    gap = np.maximum(np.maximum(low - values, values - high), 0)
    return Theorem(
        name="Range of the outputs",
        statement=(
            f"The outputs of {name} lie in {shown}. "
            + (
                "Every target lies there."
                if inside.all()
                else f"{int((~inside).sum())} of {values.size} targets do not: no parameters fit "
                f"them exactly, and the squared error of each is at least the square of its "
                f"distance, on average {float((gap**2).mean()):.6g}."
            )
        ),
        conditions=[Condition(f"the output layer ends in {name}", True)],
        proof=[f"{name} takes values in {shown} only, whatever its argument is."],
        facts={
            "reachable": Fact(bool(inside.all()), "proved", "every target lies in the range"),
            "outside": Fact(int((~inside).sum()), "proved", "targets outside of the range"),
            "least_error": Fact(
                float((gap**2).mean()), "proved", "a lower bound of the mean squared error"
            ),
        },
        certificate=_range_certificate(name, values, int((~inside).sum())),
        pictures=[_range_chart(name, values)] if name not in ("linear", "softmax") else [],
        source="the ranges of the table of functions",
    )


def _range_chart(name: str, values: np.ndarray) -> Chart:
    """The activation, and the targets as lines that it meets or does not meet."""
    z = np.linspace(-6, 6, 241)
    curve = activation(name).value(z)
    limit = 2 * float(np.abs(values).max(initial=1.0)) + 2
    points: list[dict[str, Any]] = [
        {"x": float(a), "y": float(b), "series": name}
        for a, b in zip(z, curve, strict=True)
        if abs(b) <= limit
    ]
    shown = sorted({float(v) for v in values})
    if len(shown) > _MAX_LINES:
        shown = [shown[0], shown[-1]]
    points += [
        {"x": x, "y": target, "series": f"target {target:g}", "mark": "asymptote"}
        for target in shown
        for x in (-6.0, 6.0)
    ]
    return Chart("Outputs that the activation can give", "what the output layer takes", "output",
                 points)  # fmt: skip


def _range_certificate(name: str, values: np.ndarray, outside: int) -> dict[str, Any] | None:
    """None where an end of the range is no rational number."""
    if name not in RANGES or not 0 < values.size <= _MAX_TARGETS:
        return None
    low, high, _ = RANGES[name]
    exact = [Fraction(float(v)) for v in values]
    gaps = [
        max(Fraction(low) - v if low else 0, v - Fraction(high) if high else 0, 0) for v in exact
    ]
    return {
        "kind": "outside_range",
        "activation": name,
        "targets": [str(v) for v in exact],
        "outside": outside,
        "least_error": str(sum((g * g for g in gaps), Fraction(0)) / len(gaps)),
    }
