"""Dense networks with their numbers, in float64: what the theorems speak about and run.

Training here is for showing a theorem beside its measurement: plain NumPy, deterministic, every
step recorded. Real training lives in :mod:`backprove.training`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backprove.errors import SetupError, UnknownName
from backprove.functions import ELEMENTWISE, FunctionRecord, lookup
from backprove.theorems.elementwise import elementwise

Array = NDArray[np.float64]

MAX_UNITS = 65_536
_ORDERED = 4_000_000  # products of more multiplications are left to the library


@dataclass(frozen=True)
class DenseLayer:
    """One dense layer.

    Args:
        weights: (fan-in, fan-out).
        biases: (fan-out,).
        activation: ``linear`` or a function of one argument by name.
    """

    weights: Array
    biases: Array
    activation: str

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, np.float64)
        biases = np.asarray(self.biases, np.float64)
        if weights.ndim != 2 or biases.shape != weights.shape[1:]:
            raise SetupError(
                f"a layer has weights {weights.shape} and biases {biases.shape}; expected "
                "(fan-in, fan-out) and (fan-out,)"
            )
        if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            raise SetupError("a weight or a bias is not finite; expected numbers")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", biases)
        activation(self.activation)


@dataclass(frozen=True)
class DenseNetwork:
    """Layers one after the other; the last one is the output layer.

    >>> network = start("tanh(4)+linear(1)", inputs=2, init="zeros")
    >>> network.text, network.predict([[1.0, 2.0]]).tolist()
    ('2 → tanh(4) → linear(1)', [[0.0]])
    """

    layers: tuple[DenseLayer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise SetupError("a network without a layer; expected at least an output layer")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.weights.shape[1] != after.weights.shape[0]:
                raise SetupError(
                    f"a layer of {before.weights.shape[1]} units is followed by weights "
                    f"{after.weights.shape}; the first of these must be its number of units"
                )

    @property
    def inputs(self) -> int:
        """The number of features."""
        return self.layers[0].weights.shape[0]

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of units of each layer."""
        return tuple(layer.biases.size for layer in self.layers)

    @property
    def text(self) -> str:
        """The architecture in one line."""
        parts = [f"{layer.activation}({layer.biases.size})" for layer in self.layers]
        return " → ".join([str(self.inputs), *parts])

    def run(self, inputs: ArrayLike) -> list[tuple[Array, Array]]:
        """For each layer what its activation takes and gives, (n, width) each."""
        h = np.asarray(inputs, np.float64)
        passed = []
        for layer in self.layers:
            z = product(h, layer.weights) + layer.biases
            h = activation(layer.activation).value(z)
            passed.append((z, h))
        return passed

    def predict(self, inputs: ArrayLike) -> Array:
        """The outputs, (n, outputs)."""
        return self.run(inputs)[-1][1]


def product(a: Array, b: Array) -> Array:
    """A matrix product in which equal columns of ``b`` give equal columns, to the last bit.

    A library may sum each column in an order of its own, and then equal units drift apart by
    rounding. Small products are therefore summed in one order for all entries; large ones are
    left to the library, and may drift.

    >>> product(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    if a.shape[0] * b.size > _ORDERED:
        return a @ b
    total = np.zeros((a.shape[0], b.shape[1]))
    for column, row in zip(a.T, b, strict=True):
        total += column[:, None] * row
    return total


@dataclass(frozen=True)
class Activation:
    """An activation as numbers: its value and its derivative, as its record has them."""

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    record: FunctionRecord | None


@cache
def activation(name: str) -> Activation:
    """An activation by name.

    Raises:
        UnknownName: there is no such function of one argument.

    >>> activation("relu").slope(np.array([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    if name == "linear":
        return Activation(name, lambda z: z, np.ones_like, None)
    if name == "softmax":
        return Activation(name, _softmax, _no_slope, None)
    record = lookup(name)
    if not isinstance(record, FunctionRecord) or record.arity != 1:
        raise UnknownName(
            f"'{name}' is no activation", hint=f"One of: linear, softmax, {', '.join(ELEMENTWISE)}."
        )
    return Activation(record.name, record.value, elementwise(record.derivatives[0]), record)


def _softmax(z: Array) -> Array:
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _no_slope(z: Array) -> Array:
    raise SetupError("softmax is not elementwise; it stands at the output, under a log loss")


# --- the start ----------------------------------------------------------------------------------

_PART = re.compile(r"\s*([A-Za-z_]\w*)\s*\(\s*(\d{1,5})\s*\)\s*(?:[x×]\s*(\d{1,3}))?\s*")


def architecture(text: str) -> tuple[tuple[str, int], ...]:
    """Activations and widths of ``tanh(4)+linear(1)``; ``tanh(4)x3`` stands for three layers.

    Raises:
        SetupError: the text is not of that form, or a width is out of range.
        UnknownName: an activation that does not exist.

    >>> architecture("relu(8)x2+linear(1)")
    (('relu', 8), ('relu', 8), ('linear', 1))
    """
    found: list[tuple[str, int]] = []
    for part in text.split("+"):
        match = _PART.fullmatch(part)
        if match is None or not 1 <= int(match[2]) <= MAX_UNITS:
            raise SetupError(
                f"network={text[:60]!r} is not understood at '{part.strip()[:30]}'",
                hint="Write each layer as ACTIVATION(UNITS), such as tanh(4)+linear(1).",
            )
        found += [(activation(match[1]).name, int(match[2]))] * int(match[3] or 1)
    return tuple(found)


def start(
    network: str, inputs: int, init: str = "glorot_uniform", *, bias: float = 0.0, seed: int = 0
) -> DenseNetwork:
    """A network before training.

    Args:
        network: its layers, such as ``tanh(4)+linear(1)``.
        inputs: the number of features.
        init: ``zeros``, ``constant:0.5``, ``normal:0.1``, ``uniform:0.5`` (in ±0.5), or one of
            ``glorot_uniform``, ``he_normal``, ``lecun_normal``.
        bias: what every bias starts at.
        seed: fixes the random numbers.

    Raises:
        SetupError: the architecture or the initialiser is not understood.
    """
    layers = []
    fan_in = inputs
    for number, (name, fan_out) in enumerate(architecture(network)):
        stream = np.random.Generator(np.random.PCG64([seed, number]))
        weights = _draw(init, stream, fan_in, fan_out)
        layers.append(DenseLayer(weights, np.full(fan_out, float(bias)), name))
        fan_in = fan_out
    return DenseNetwork(tuple(layers))


def _draw(init: str, stream: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    name, _, number = init.partition(":")
    shape = (fan_in, fan_out)
    scales = {
        "glorot_uniform": lambda: stream.uniform(-1, 1, shape) * sqrt(6 / (fan_in + fan_out)),
        "he_normal": lambda: stream.normal(0, sqrt(2 / fan_in), shape),
        "lecun_normal": lambda: stream.normal(0, sqrt(1 / fan_in), shape),
        "zeros": lambda: np.zeros(shape),
    }
    if name in scales and not number:
        return scales[name]()
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if np.isfinite(value) and name in ("constant", "normal", "uniform"):
        return {
            "constant": lambda: np.full(shape, value),
            "normal": lambda: stream.normal(0, abs(value), shape),
            "uniform": lambda: stream.uniform(-abs(value), abs(value), shape),
        }[name]()
    raise SetupError(
        f"init={init!r} is not understood",
        hint=f"One of {', '.join(scales)}, or constant:0.5, normal:0.1, uniform:0.5.",
    )


def as_network(
    network: Any,
    *,
    inputs: int = 2,
    init: str = "zeros",
    bias: float = 0.0,
    seed: int = 0,
    activation: str = "relu",
) -> DenseNetwork:
    """A network from what people have: its layers as text, its numbers, or its parameters.

    Args:
        network: a :class:`DenseNetwork`; text such as ``tanh(4)+linear(1)``; or parameters as
            :func:`backprove.networks.initialise` gives them, one mapping with ``weights`` and
            ``biases`` for each layer.
        inputs: the number of features, for text.
        init: how weights start, for text.
        bias: what biases start at, for text.
        seed: fixes random numbers, for text.
        activation: of the hidden layers, for parameters; the output layer is linear.

    Raises:
        SetupError: it is none of these.

    >>> layers = ({"weights": np.ones((2, 3)), "biases": np.zeros(3)},
    ...           {"weights": np.ones((3, 1)), "biases": np.zeros(1)})
    >>> as_network(layers, activation="tanh").text
    '2 → tanh(3) → linear(1)'
    """
    if isinstance(network, DenseNetwork):
        return network
    if isinstance(network, str):
        return start(network, inputs, init, bias=bias, seed=seed)
    if isinstance(network, Sequence) and network:
        layers = []
        for number, layer in enumerate(network, 1):
            if not isinstance(layer, Mapping) or not {"weights", "biases"} <= set(layer):
                break
            extra = set(layer) - {"weights", "biases"}
            if extra:
                raise SetupError(
                    f"layer {number} also has {', '.join(sorted(extra))}; the theorems are about "
                    "dense layers without normalisation"
                )
            name = activation if number < len(network) else "linear"
            layers.append(DenseLayer(layer["weights"], layer["biases"], name))
        else:
            return DenseNetwork(tuple(layers))
    raise SetupError(
        f"a network was given as {type(network).__name__}",
        hint="Text such as tanh(4)+linear(1), a DenseNetwork, or the parameters of a network.",
    )


# --- losses and gradients -----------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """A loss as numbers: means over examples and outputs.

    Args:
        value: (outputs, targets) to a number.
        slope: (outputs, targets) to the gradient by the outputs, of their shape.
        constant: the best constant output for one column of targets, in words and as a number.
        formula: the loss of one output.
    """

    value: Callable[[Array, Array], float]
    slope: Callable[[Array, Array], Array]
    constant: Callable[[Array], tuple[str, float]]
    formula: str


def _sigmoid(z: Array) -> Array:
    return activation("sigmoid").value(z)


def _logit(y: Array) -> tuple[str, float]:
    share = float(np.mean(y))
    with np.errstate(divide="ignore"):
        return "the log-odds of the mean target", float(np.log(share) - np.log1p(-share))


LOSSES: Mapping[str, Loss] = {
    "mse": Loss(
        lambda o, y: float(np.mean((o - y) ** 2)),
        lambda o, y: 2 * (o - y) / o.size,
        lambda y: ("the mean target", float(np.mean(y))),
        "(o - y)**2",
    ),
    "mae": Loss(
        lambda o, y: float(np.mean(np.abs(o - y))),
        lambda o, y: np.sign(o - y) / o.size,
        lambda y: ("a median target", float(np.median(y))),
        "abs(o - y)",
    ),
    "bce_logits": Loss(
        lambda o, y: float(np.mean(np.logaddexp(0, o) - y * o)),
        lambda o, y: (_sigmoid(o) - y) / o.size,
        _logit,
        "log(1 + exp(o)) - y*o",
    ),
    "cce_logits": Loss(
        lambda o, y: float(-np.mean(np.sum(y * np.log(_softmax(o)), axis=1))),
        lambda o, y: (_softmax(o) * y.sum(axis=1, keepdims=True) - y) / len(o),
        lambda y: ("the log of the share of its class", float(np.log(np.mean(y)))),
        "-sum(y*log_softmax(o))",
    ),
}
"""The losses by the names of the set-up format."""


def loss_of(name: str) -> Loss:
    """A loss by name.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in LOSSES:
        raise UnknownName(f"'{name}' is no loss", hint=f"One of: {', '.join(LOSSES)}.")
    return LOSSES[name]


def gradients(
    network: DenseNetwork,
    inputs: ArrayLike,
    targets: ArrayLike,
    loss: str = "mse",
    masks: Sequence[Array] | None = None,
) -> list[tuple[Array, Array]]:
    """The gradient of a loss by the weights and the biases of each layer.

    Args:
        network: where it is taken.
        inputs: (n, features).
        targets: (n, outputs).
        loss: a key of :data:`LOSSES`.
        masks: factors of the activations of each hidden layer, (n, width), as dropout has them.

    Returns:
        For each layer (fan-in, fan-out) and (fan-out,).

    Source: Rumelhart, Hinton, Williams, Nature 323 (1986), eq. 4 to 7.

    >>> network = start("linear(1)", inputs=1, init="constant:2")
    >>> [(w.tolist(), b.tolist()) for w, b in gradients(network, [[3.0]], [[0.0]])]
    [([[36.0]], [12.0])]
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    h, taken, given = x, [], [x]
    for number, layer in enumerate(network.layers):
        z = product(h, layer.weights) + layer.biases
        h = activation(layer.activation).value(z)
        if masks is not None and number < len(masks):
            h = h * masks[number]
        taken.append(z)
        given.append(h)
    delta = loss_of(loss).slope(h, y)
    found = []
    for number in reversed(range(len(network.layers))):
        layer = network.layers[number]
        if masks is not None and number < len(masks):
            delta = delta * masks[number]
        delta = delta * activation(layer.activation).slope(taken[number])
        found.append((product(given[number].T, delta), delta.sum(axis=0)))
        delta = product(delta, layer.weights.T)
    return found[::-1]


# --- training, step by step ---------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """How parameters move.

    Args:
        name: ``sgd``, ``momentum`` or ``adam``.
        lr: the step size.
        l2: weight of the squared weights, added to the gradient (coupled).
        l1: weight of the absolute weights, added to the gradient.
        decay: share of the weights that a step removes (decoupled).
        dropout: share of hidden activations dropped, by a mask of its own for each unit.
        noise: standard deviation of noise added to each gradient.
        seed: fixes masks and noise.
    """

    name: str = "sgd"
    lr: float = 0.1
    l2: float = 0.0
    l1: float = 0.0
    decay: float = 0.0
    dropout: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in ("sgd", "momentum", "adam"):
            raise SetupError(f"optimiser={self.name!r}; expected sgd, momentum or adam")
        if not (np.isfinite(self.lr) and self.lr > 0 and 0 <= self.dropout < 1):
            raise SetupError(
                f"lr={self.lr}, dropout={self.dropout}; expected lr above 0 and dropout in [0, 1)"
            )


def train(
    network: DenseNetwork,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    loss: str = "mse",
    steps: int = 500,
    rule: Rule | None = None,
    watch: Callable[[int, DenseNetwork], Any] | None = None,
) -> DenseNetwork:
    """A network after some steps on all data at once.

    Args:
        network: where it starts.
        inputs: (n, features).
        targets: (n, outputs).
        loss: a key of :data:`LOSSES`.
        steps: how many.
        rule: how parameters move; plain gradient descent with step size 0.1 by default.
        watch: called before the first step and after each with its number and the network.

    Source: Adam: Kingma and Ba, ICLR 2015, algorithm 1; momentum: Polyak 1964.

    >>> network = start("linear(1)", inputs=1, init="zeros")
    >>> after = train(network, [[1.0]], [[2.0]], steps=100)
    >>> round(after.predict([[1.0]]).item(), 6)
    2.0
    """
    rule = rule or Rule()
    stream = np.random.Generator(np.random.PCG64(rule.seed))
    n = len(np.asarray(inputs))
    parameters = [a for layer in network.layers for a in (layer.weights, layer.biases)]
    first = [np.zeros_like(a) for a in parameters]
    second = [np.zeros_like(a) for a in parameters]
    if watch:
        watch(0, network)
    for step in range(1, steps + 1):
        masks = (
            [
                (stream.random((n, width)) >= rule.dropout) / (1 - rule.dropout)
                for width in network.widths[:-1]
            ]
            if rule.dropout
            else None
        )
        found = [a for pair in gradients(network, inputs, targets, loss, masks) for a in pair]
        parameters = [
            _moved(rule, step, *state, stream)
            for state in zip(parameters, found, first, second, strict=True)
        ]
        network = _with(network, parameters)
        if watch:
            watch(step, network)
    return network


def _moved(
    rule: Rule,
    step: int,
    parameter: Array,
    gradient: Array,
    first: Array,
    second: Array,
    stream: np.random.Generator,
) -> Array:
    gradient = gradient + rule.l2 * parameter + rule.l1 * np.sign(parameter)
    if rule.noise:
        gradient = gradient + stream.normal(0, rule.noise, gradient.shape)
    if rule.name == "momentum":
        first *= 0.9
        first += gradient
        gradient = first
    elif rule.name == "adam":
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-7
        gradient = first / (1 - 0.9**step) / scale
    return parameter - rule.lr * gradient - rule.lr * rule.decay * parameter


def _with(network: DenseNetwork, parameters: Sequence[Array]) -> DenseNetwork:
    pairs = zip(parameters[::2], parameters[1::2], strict=True)
    layers = zip(network.layers, pairs, strict=True)
    return DenseNetwork(tuple(replace(layer, weights=w, biases=b) for layer, (w, b) in layers))
