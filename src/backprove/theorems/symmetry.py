"""Units of a layer that start equal and stay equal, and what that leaves of the network."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backprove.errors import SetupError
from backprove.results import Block, Chart, Table, Text
from backprove.theorems.dense import (
    Array,
    DenseLayer,
    DenseNetwork,
    Rule,
    activation,
    as_network,
    loss_of,
    train,
)
from backprove.theorems.partition import Classes, equitable_partition
from backprove.theorems.theorem import Condition, Fact, Theorem

XOR = (np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]]))
MAX_CERTIFICATE = 20_000  # weights; larger networks are certified by their partition alone
_SHOWN_STEPS = (0, 1, 2, 10, 100, 1000)
_ROUNDING = 1e-9
_LEARNED = 0.01  # a mean squared error; the best constant has 1/4


def symmetry(
    network: Any,
    *,
    inputs: int = 2,
    init: str = "zeros",
    bias: float = 0.0,
    seed: int = 0,
    activation: str = "relu",
    rule: Rule | None = None,
    data: tuple[ArrayLike, ArrayLike] | None = None,
    loss: str = "mse",
    steps: int = 500,
) -> Theorem:
    """Which units of each hidden layer are equal now and at every later step.

    Args:
        network: the network with its numbers, the parameters of a network of
            :mod:`backprove.networks`, or its layers such as ``tanh(4)+linear(1)``.
        inputs: the number of features, if ``network`` is text.
        init: how its weights start, if ``network`` is text.
        bias: what its biases start at, if ``network`` is text.
        seed: fixes random initial numbers.
        activation: of the hidden layers, if ``network`` is parameters.
        rule: how it is trained; plain gradient descent by default.
        data: features (n, inputs) and targets (n, outputs) of the run that shows the theorem; XOR
            for two inputs, random numbers otherwise.
        loss: the loss of that run.
        steps: the steps of that run; 0 for none.

    Returns:
        The theorem, with the classes of units as its certificate, and facts ``stays_equal``,
        ``all_equal``, ``broken_after_first_step``, ``differ_at_first_step``, ``effective_width``.

    Raises:
        SetupError: the network is inconsistent, or a number in it is not finite.

    Source: the invariance of the weights of equal units under gradient descent is elementary;
    Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4 states it for equal weights.

    >>> found = symmetry("tanh(4)+linear(1)", init="constant:0.5", steps=0)
    >>> found.facts["stays_equal"].value, found.facts["effective_width"].value
    (True, [1])
    """
    rule = rule or Rule()
    network = as_network(
        network, inputs=inputs, init=init, bias=bias, seed=seed, activation=activation
    )
    if len(network.layers) < 2:
        raise SetupError("the network has no hidden layer, so there are no units to compare")
    general = equitable_partition(network)
    twins = twin_classes(network)
    random = bool(rule.dropout or rule.noise)
    elementwise = bool(rule.l1 or (rule.name == "adam" and rule.l2))
    classes = _singletons(network) if random else twins if elementwise else general
    run = _run(network, general, rule, data, loss, steps) if steps else None
    facts = _facts(network, classes) if _merged(classes) else _measured_facts(run)
    if run and network.inputs == 2 and data is None and run.losses[-1] < _LEARNED:
        text = f"this run reached a mean squared error of {run.losses[-1]:.1e}"
        facts["learns_xor"] = Fact(True, "measured", text)
    return Theorem(
        name="Units that stay equal",
        statement=_statement(network, classes, random),
        conditions=_conditions(network, rule, general, twins),
        proof=_proof(network, classes, elementwise) if _merged(classes) else [],
        level="proved",
        facts=facts,
        certificate=_certificate(network, classes, elementwise),
        measurement=run.blocks() if run else [],
        source="elementary; for equal weights see Goodfellow, Bengio, Courville, Deep Learning "
        "(2016), section 8.4",
    )


def twin_classes(network: DenseNetwork) -> Classes:
    """Units with the same weights in, the same bias and the same weights out, entry by entry.

    >>> from backprove.theorems.dense import start
    >>> [c.tolist() for c in twin_classes(start("tanh(2)+linear(1)", 2, "zeros"))]
    [[0, 0]]
    """
    found = []
    for layer, after in zip(network.layers, network.layers[1:], strict=False):
        rows = np.concatenate([layer.weights.T, layer.biases[:, None], after.weights], axis=1)
        _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))
        found.append(rank[inverse.ravel()].astype(np.int64))
    return tuple(found)


def quotient(network: DenseNetwork, classes: Classes) -> DenseNetwork:
    """The network with one unit for each class: it computes the same outputs.

    Args:
        network: the network.
        classes: an equitable partition of its hidden units.

    Returns:
        A network whose widths are the numbers of classes.

    >>> from backprove.theorems.dense import start
    >>> network = start("tanh(4)+linear(1)", 2, "constant:0.5")
    >>> quotient(network, equitable_partition(network)).text
    '2 → tanh(1) → linear(1)'
    """
    before: NDArray[np.int64] = np.arange(network.inputs)
    layers = []
    for number, layer in enumerate(network.layers):
        own = classes[number] if number < len(classes) else np.arange(layer.biases.size)
        first = np.unique(own, return_index=True)[1]
        joined = np.zeros((before.max() + 1, layer.biases.size))
        np.add.at(joined, before, layer.weights)
        layers.append(DenseLayer(joined[:, first], layer.biases[first], layer.activation))
        before = own
    return DenseNetwork(tuple(layers))


def spread(network: DenseNetwork, classes: Classes, inputs: ArrayLike) -> float:
    """The largest difference between activations of units of one class, over all inputs."""
    passed = network.run(inputs)
    largest = 0.0
    for (_, h), own in zip(passed[:-1], classes, strict=True):
        first = np.unique(own, return_index=True)[1]
        largest = max(largest, float(np.abs(h - h[:, first][:, own]).max()))
    return largest


def _singletons(network: DenseNetwork) -> Classes:
    return tuple(np.arange(width) for width in network.widths[:-1])


def _merged(classes: Classes) -> bool:
    return any(own.max() + 1 < own.size for own in classes)


def _counts(classes: Classes) -> list[int]:
    return [int(own.max()) + 1 for own in classes]


def _statement(network: DenseNetwork, classes: Classes, random: bool) -> str:
    if random:
        return (
            "Masks or noise of its own for each unit tell units apart: no two units are proved to "
            "stay equal, however equal they start."
        )
    if not _merged(classes):
        return "All units of each hidden layer start different: no two of them are proved equal."
    parts = [
        f"layer {number}: {count} of {own.size}"
        for number, (own, count) in enumerate(zip(classes, _counts(classes), strict=True), 1)
    ]
    return (
        f"In {network.text} the units of one class have equal activations at every step of "
        f"training, whatever the data and the loss. Different classes ({'; '.join(parts)} units) "
        "are all the width that the network will ever use."
    )


def _conditions(
    network: DenseNetwork, rule: Rule, general: Classes, twins: Classes
) -> list[Condition]:
    adam_l2 = rule.name == "adam" and bool(rule.l2)
    needs_twins = _counts(general) != _counts(twins)
    found = [
        Condition("the optimiser treats all weights alike: gradient descent, momentum, Adam", True),
        Condition("no dropout mask of its own for each unit", not rule.dropout),
        Condition("no noise of its own for each weight", not rule.noise),
    ]
    if needs_twins:
        found += [
            Condition("no penalty on absolute weights (it breaks sums over classes)", not rule.l1),
            Condition("no squared penalty inside Adam (it breaks sums over classes)", not adam_l2),
        ]
    return found


def _proof(network: DenseNetwork, classes: Classes, elementwise: bool) -> list[str]:
    if elementwise:
        premise = (
            "At the start the units of a class have the same weights in, the same bias and the "
            "same weights out, entry by entry (checked exactly on the initial values)."
        )
        keep = (
            "So the gradients of their weights are equal entry by entry, and an update that looks "
            "only at a weight and the history of its gradient changes equal weights equally."
        )
    else:
        premise = (
            "At the start the units of a class have equal biases, and for every class of the layer "
            "before and after, equal sums of their weights from and to that class (checked exactly "
            "on the initial values; inputs and outputs are classes of one)."
        )
        keep = (
            "The gradient of the weight from unit k to unit i is the sum over examples of h_k δ_i: "
            "the same for all k of one class and all i of one class. Every update that depends "
            "on the history of gradients (gradient descent, momentum, Adam) adds the same amount "
            "to all weights between two classes, and shrinking all weights by one factor keeps "
            "sums equal: the premise holds again."
        )
    return [
        premise,
        "Forward: by induction over the layers, z_i = Σ_k W_ki h_k + b_i = Σ over classes of "
        "(sum of the weights from the class) · (activation of the class) + b_i is the same for "
        "all i of a class, and so is h_i = φ(z_i).",
        "Backward: by induction from the output, δ_i = φ'(z_i) Σ_m W_im δ_m is the same for all i "
        "of a class, for the sums of the weights to each class are equal.",
        keep,
        "By induction over the steps this holds for ever, for any data, batches and loss.",
    ]


def _facts(network: DenseNetwork, classes: Classes) -> dict[str, Fact]:
    counts = _counts(classes)
    all_equal = all(count == 1 for count in counts)
    facts = {
        "stays_equal": Fact(True, "proved", "some units of a layer are equal at every step"),
        "all_equal": Fact(all_equal, "proved", "all units of each layer are equal at every step"),
        "effective_width": Fact(counts, "proved", "different units in each hidden layer"),
        "broken_after_first_step": Fact(
            False, "proved", "units of a class differ after the first step"
        ),
        "differ_at_first_step": Fact(
            False, "proved", "units of a class differ in the first forward pass"
        ),
        "layers_break_it": Fact(
            False,
            "proved",
            "that layers differ from each other makes units within a layer differ",
        ),
    }
    if network.inputs == 2 and network.widths[-1] == 1 and all_equal:
        facts |= _xor_facts(network)
    return facts


def _measured_facts(run: _Run | None) -> dict[str, Fact]:
    """That units are not proved equal does not prove that they differ: that is seen in a run."""
    if run is None:
        return {}
    differ = max(run.within_layers) > _ROUNDING
    facts = {"stays_equal": Fact(not differ, "measured", "the units of a layer stay equal")}
    return facts | {
        "all_equal": Fact(not differ, "measured", "all units of each layer stay equal"),
    }


def _xor_facts(network: DenseNetwork) -> dict[str, Fact]:
    """One effective unit a layer: an affine map of a chain of activations of one number u·x + b."""
    names = [layer.activation for layer in network.layers]
    monotone = all(_is_monotone(name) for name in names)
    if not monotone:
        return {}
    text = (
        "the outputs follow one number t = u·x + β, monotonically; t(0,1) + t(1,0) = "
        "t(0,0) + t(1,1), so the smaller of the first two is at most the larger of the last two: "
        "the outputs cannot be high on both of the first and low on both of the last"
    )
    return {"learns_xor": Fact(False, "proved", text)}


def _is_monotone(name: str) -> bool:
    record = activation(name).record
    return name == "linear" or (record is not None and record.monotone != "neither")


def _certificate(
    network: DenseNetwork, classes: Classes, elementwise: bool
) -> dict[str, Any] | None:
    if not _merged(classes):
        return None
    if sum(layer.weights.size for layer in network.layers) > MAX_CERTIFICATE:
        return None
    return {
        "kind": "equitable_partition",
        "twins": elementwise,
        "layers": [exact_layer(layer) for layer in network.layers],
        "classes": [own.tolist() for own in classes],
    }


def exact_layer(layer: DenseLayer) -> dict[str, Any]:
    """A layer as a certificate holds it: every number as the text of a rational."""
    return {
        "activation": layer.activation,
        "weights": [[str(Fraction(w)) for w in row] for row in layer.weights],
        "biases": [str(Fraction(b)) for b in layer.biases],
    }


@dataclass(frozen=True)
class _Run:
    """What was seen while training: one entry for each step, from 0."""

    rule: str
    examples: int
    within_classes: list[float]
    within_layers: list[float]
    moved: list[int]
    losses: list[float]

    def blocks(self) -> list[Block]:
        steps = len(self.moved) - 1
        worst = max(self.within_classes)
        said = (
            "Units of a class were equal to the last bit."
            if worst == 0
            else f"Units of a class differed by at most {worst:.1e}"
            + (", which is rounding." if worst < _ROUNDING else ".")
        )
        columns = (self.within_classes, self.within_layers, self.moved, self.losses)
        rows = [
            [step, *(column[step] for column in columns)]
            for step in dict.fromkeys([*(s for s in _SHOWN_STEPS if s < steps), steps])
        ]
        points = [
            {"x": step, "y": column[step], "series": name}
            for step in range(0, steps + 1, max(1, steps // 100))
            for column, name in zip(columns, ("within classes", "within layers"), strict=False)
        ]
        return [
            Text(f"{steps} steps of {self.rule} on {self.examples} examples, float64. {said}"),
            Table(
                ["step", "within classes", "within layers", "parameters moved", "loss"],
                rows,
                "Largest difference of activations, and parameters that are not where they began",
            ),
            Chart("Differences between units", "step", "largest difference", points),
        ]


def _run(
    network: DenseNetwork,
    classes: Classes,
    rule: Rule,
    data: tuple[ArrayLike, ArrayLike] | None,
    loss: str,
    steps: int,
) -> _Run:
    inputs, targets = _data(network, data)
    found = _Run(rule.name, len(inputs), [], [], [], [])

    def watch(step: int, now: DenseNetwork) -> None:
        found.within_classes.append(spread(now, classes, inputs))
        found.within_layers.append(_largest_spread(now, inputs))
        found.moved.append(
            sum(
                int(np.count_nonzero(a.weights != b.weights))
                + int(np.count_nonzero(a.biases != b.biases))
                for a, b in zip(now.layers, network.layers, strict=True)
            )
        )
        found.losses.append(loss_of(loss).value(now.predict(inputs), targets))

    train(network, inputs, targets, loss=loss, steps=steps, rule=rule, watch=watch)
    return found


def _largest_spread(network: DenseNetwork, inputs: Array) -> float:
    return max(float(np.ptp(h, axis=1).max()) for _, h in network.run(inputs)[:-1])


def _data(network: DenseNetwork, data: tuple[ArrayLike, ArrayLike] | None) -> tuple[Array, Array]:
    if data is not None:
        return np.asarray(data[0], np.float64), np.asarray(data[1], np.float64)
    if network.inputs == 2 and network.widths[-1] == 1:
        return XOR
    stream = np.random.Generator(np.random.PCG64(0))
    return stream.normal(size=(32, network.inputs)), stream.normal(size=(32, network.widths[-1]))
