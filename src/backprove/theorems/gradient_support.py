"""Parameters whose gradient is exactly zero at the start, and at every later step.

The argument is an induction whose premise is found, not guessed: see
:mod:`backprove.theorems.frozen`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backprove.results import Block, Chart, Table, Text
from backprove.theorems.dense import (
    Array,
    DenseNetwork,
    Rule,
    as_network,
    gradients,
    loss_of,
    train,
)
from backprove.theorems.dense import activation as activation_of
from backprove.theorems.frozen import Frozen, Reach, frozen_for_ever, reach
from backprove.theorems.network_certificates import MAX_PRODUCTS
from backprove.theorems.symmetry import MAX_CERTIFICATE, XOR, exact_layer
from backprove.theorems.theorem import Condition, Fact, Theorem

Mask = NDArray[np.bool_]

NAMES = ("weights", "biases")


def gradient_support(
    network: Any,
    loss: str = "mse",
    *,
    inputs: int = 2,
    init: str = "zeros",
    bias: float = 0.0,
    seed: int = 0,
    activation: str = "relu",
    data: tuple[ArrayLike, ArrayLike] | None = None,
    steps: int = 500,
    lr: float = 0.1,
) -> Theorem:
    """Which parameters have exactly zero gradient at the start and at every later step.

    Args:
        network: the network with its numbers, the parameters of a network of
            :mod:`backprove.networks`, or its layers such as ``relu(2)+linear(1)``.
        loss: ``mse``, ``mae``, ``bce_logits`` or ``cce_logits``.
        inputs: the number of features, if ``network`` is text.
        init: how its weights start, if ``network`` is text.
        bias: what its biases start at, if ``network`` is text.
        seed: fixes random initial numbers.
        activation: of the hidden layers, if ``network`` is parameters.
        data: features (n, inputs) and targets (n, outputs). With data, ReLU units of the first
            layer that are off for all of them count as dead. Without, XOR is used for the run.
        steps: the steps of the run that shows the theorem; 0 for none.
        lr: its step size.

    Returns:
        The theorem, with facts ``first_zero`` and ``never_moves`` (how many parameters),
        ``only_output_bias`` and, where that holds, ``limit``: where the output goes.

    Raises:
        SetupError: the network is inconsistent, or a number in it is not finite.
        UnknownName: an unknown loss or activation.

    >>> found = gradient_support("relu(2)+linear(1)", init="zeros", steps=0)
    >>> found.facts["only_output_bias"].value, found.facts["never_moves"].value
    (True, 8)
    """
    network = as_network(
        network, inputs=inputs, init=init, bias=bias, seed=seed, activation=activation
    )
    loss_of(loss)
    features = None if data is None else np.asarray(data[0], np.float64)
    one_class = loss == "cce_logits" and network.widths[-1] == 1
    found = reach(network, features, one_class=one_class)
    frozen = found.frozen
    total = sum(layer.weights.size + layer.biases.size for layer in network.layers)
    shown = data or (XOR if network.inputs == 2 and network.widths[-1] == 1 else None)
    zero_now = _zero_now(network, shown, loss)
    only_bias = len(frozen) == total - int((~frozen.biases[-1]).sum()) and bool(
        (~frozen.biases[-1]).any()
    )
    facts = {
        "never_moves": Fact(len(frozen), "proved", f"parameters, of {total}, that never move"),
        "only_output_bias": Fact(only_bias, "proved", "nothing but the output bias can ever move"),
    }
    if zero_now is not None:
        facts["first_zero"] = Fact(
            zero_now, "measured", f"parameters, of {total}, with zero gradient in the first step"
        )
    if only_bias and shown is not None:
        facts |= _limit(network, loss, np.asarray(shown[1], np.float64))
    measurement = _measured(network, shown, loss, steps, lr, frozen) if steps and shown else []
    return Theorem(
        name="Parameters that never move",
        statement=_statement(network, frozen, total, only_bias),
        conditions=[
            Condition("a parameter moves only by its gradient: no weight decay, no noise", None),
            Condition(
                "training uses the examples given" if features is not None else "any data", True
            ),
            *_conventions(found),
        ],
        proof=list(_proof(found)) if len(frozen) else [],
        facts=facts,
        certificate=_certificate(found) if len(frozen) else None,
        measurement=measurement,
        source="elementary: an induction over the steps with the largest set that keeps itself",
    )


def _statement(network: DenseNetwork, frozen: Frozen, total: int, only_bias: bool) -> str:
    if only_bias:
        return (
            f"In {network.text} nothing but the output bias ever moves: the gradient of the other "
            f"{len(frozen)} of {total} parameters is exactly 0 at every step."
        )
    if not len(frozen):
        return f"In {network.text} no parameter is proved to stay where it starts."
    parts = []
    for number, masks in enumerate(zip(frozen.weights, frozen.biases, strict=True), 1):
        for name, mask in zip(NAMES, masks, strict=True):
            if mask.any():
                count = "all" if mask.all() else f"{int(mask.sum())} of {mask.size}"
                parts.append(f"{count} {name} of layer {number}")
    return f"In {network.text} these never move: {', '.join(parts)}."


def _conventions(found: Reach) -> list[Condition]:
    """The derivatives at kinks on which the answer depends; libraries differ there."""
    network, features = found.network, found.features
    without = frozen_for_ever(network, features, one_class=found.one_class, at_kinks=False)
    if len(without) == len(found.frozen):
        return []
    names = dict.fromkeys(layer.activation for layer in network.layers)
    kinked = []
    for name in names:
        record = activation_of(name).record if name != "softmax" else None
        kinked += [f"{name} at {k.at:g}" for k in (record.kinks if record else ()) if k.taken == 0]
    text = f"derivatives at kinks are taken as 0 ({', '.join(kinked)}); without it "
    kept = "nothing" if not len(without) else f"only {len(without)} of these parameters"
    return [Condition(f"{text}{kept} would be proved to stay", None)]


def _proof(found: Reach) -> Iterator[str]:
    network, silent, deaf = found.network, found.silent, found.deaf
    dead = found.dead if found.features is not None else None
    yield (
        "Suppose that after some steps the parameters named above are where they started; before "
        "the first step they are."
    )
    if found.one_class:
        yield (
            "The softmax of a single output is 1 whatever it takes, so the loss is constant and "
            "the delta of the output is 0."
        )
    for number, layer in enumerate(network.layers[:-1], 1):
        if dead is not None and number == 1 and dead.any():
            yield (
                f"{_units(dead)} of layer 1 take a number in a flat part of {layer.activation} "
                "from every example, for their weights and biases have not moved: their slope is 0"
                + (", and they give 0." if (silent[1] >= dead).all() else ".")
            )
        if silent[number].any():
            yield (
                f"{_units(silent[number])} of layer {number} give 0 for every input, because all "
                f"that reaches them is 0 and {layer.activation}(0) = 0."
            )
        if deaf[number - 1].any():
            yield (
                f"The delta of {_units(deaf[number - 1]).lower()} of layer {number} is 0: every "
                "weight from them is 0 or ends at a unit whose delta is 0 (the slope of the "
                "activation does not matter, it is multiplied by 0), or their slope is 0 for "
                "every input."
            )
    yield (
        "The gradient of a weight is the sum over examples of (output of the unit it leaves) · "
        "(delta of the unit it enters), that of a bias the sum of the deltas: for each parameter "
        "named above one factor is 0, so the gradient is 0 and the step leaves it where it is."
    )
    yield "By induction over the steps this holds for ever."


def _units(mask: Mask) -> str:
    if mask.all():
        return "All units"
    numbers = np.flatnonzero(mask) + 1
    shown = ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
    return f"Unit {shown}" if len(numbers) == 1 else f"Units {shown}"


def _zero_now(
    network: DenseNetwork, data: tuple[ArrayLike, ArrayLike] | None, loss: str
) -> int | None:
    if data is None:
        return None
    found = gradients(network, data[0], data[1], loss)
    return sum(int((w == 0).sum() + (b == 0).sum()) for w, b in found)


def _limit(network: DenseNetwork, loss: str, targets: Array) -> dict[str, Fact]:
    """Where the output bias goes when nothing else moves."""
    if network.layers[-1].activation != "linear" or targets.shape[1] != 1:
        return {}
    words, value = loss_of(loss).constant(targets[:, 0])
    if not np.isfinite(value):
        return {}
    best = loss_of(loss).value(np.full(targets.shape, value), targets)
    return {
        "limit": Fact(value, "proved", f"the best constant output under {loss}: {words}"),
        "limit_loss": Fact(best, "proved", "the loss there"),
        "stays_at_zero": Fact(value == 0, "proved", "the output stays 0"),
    }


def _measured(
    network: DenseNetwork,
    data: tuple[ArrayLike, ArrayLike],
    loss: str,
    steps: int,
    lr: float,
    frozen: Frozen,
) -> list[Block]:
    inputs, targets = np.asarray(data[0], np.float64), np.asarray(data[1], np.float64)
    rows: list[list[float]] = []
    points: list[dict[str, Any]] = []
    worst = 0.0

    def watch(step: int, now: DenseNetwork) -> None:
        nonlocal worst
        still = 0.0
        for at, (new, old) in enumerate(zip(now.layers, network.layers, strict=True)):
            for a, b, mask in (
                (new.weights, old.weights, frozen.weights[at]),
                (new.biases, old.biases, frozen.biases[at]),
            ):
                worst = max(worst, float(np.abs(a - b)[mask].max(initial=0.0)))
                still = max(still, float(np.abs(a - b)[~mask].max(initial=0.0)))
        output = now.predict(inputs)
        if step % max(1, steps // 100) == 0 or step == steps:
            value = loss_of(loss).value(output, targets)
            for name, y in (("loss", value), ("parameters proved to stay", worst),
                            ("all others", still)):  # fmt: skip
                points.append({"x": step, "y": y, "series": name})
        if step in (0, 1, 2, 10, 100, steps):
            rows.append([step, float(now.layers[-1].biases[0]), float(output.mean()),
                         loss_of(loss).value(output, targets)])  # fmt: skip

    train(network, inputs, targets, loss=loss, steps=steps, rule=Rule(lr=lr), watch=watch)
    return [
        Text(
            f"{steps} steps of gradient descent on {len(inputs)} examples: the parameters above "
            f"moved by {worst:.0e} at most."
        ),
        Table(["step", "output bias", "mean output", "loss"], rows),
        Chart(
            "The loss, and how far parameters have moved",
            "step",
            "loss; largest distance from the start",
            points,
        ),
    ]


def _certificate(found: Reach) -> dict[str, Any] | None:
    network, features = found.network, found.features
    if sum(layer.weights.size for layer in network.layers) > MAX_CERTIFICATE:
        return None
    more: dict[str, Any] = {"loss": "cce_logits"} if found.one_class else {}
    if features is not None:
        if features.shape[0] * network.layers[0].weights.size > MAX_PRODUCTS:
            return None
        more["examples"] = [[str(Fraction(v)) for v in row] for row in features]
    return more | {
        "kind": "frozen_parameters",
        "layers": [exact_layer(layer) for layer in network.layers],
        "weights": [mask.astype(int).tolist() for mask in found.frozen.weights],
        "biases": [mask.astype(int).tolist() for mask in found.frozen.biases],
    }
