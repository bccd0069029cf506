"""First weights of a network. A seed gives the same numbers whatever else is trained with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from backprove.errors import SetupError
from backprove.networks.mlp import MLP

Draw = Callable[[Generator, int, int], tuple[NDArray[np.float64], NDArray[np.float64]]]

_WEIGHT_STREAM = 2  # other streams: splits (1), data order (3)


@dataclass(frozen=True)
class Initialiser:
    """A rule for first weights and biases.

    Args:
        draw: (random stream, fan-in, fan-out) to weights (fan-in, fan-out) and biases (fan-out,).
        formula: the distribution, in words.
        source: where it comes from.
    """

    draw: Draw
    formula: str
    source: str


def _uniform(bound: Callable[[int, int], float], *, biases: bool = False) -> Draw:
    def draw(stream: Generator, fan_in: int, fan_out: int):
        limit = bound(fan_in, fan_out)
        weights = stream.uniform(-limit, limit, (fan_in, fan_out))
        return weights, stream.uniform(-limit, limit, fan_out) if biases else np.zeros(fan_out)

    return draw


def _normal(deviation: Callable[[int, int], float]) -> Draw:
    def draw(stream: Generator, fan_in: int, fan_out: int):
        return stream.normal(0.0, deviation(fan_in, fan_out), (fan_in, fan_out)), np.zeros(fan_out)

    return draw


_GLOROT = "Glorot and Bengio, AISTATS 2010, eq. 16"
_HE = "He, Zhang, Ren, Sun, ICCV 2015, eq. 10"

INITIALISERS: Mapping[str, Initialiser] = MappingProxyType(
    {
        "fan_in_uniform": Initialiser(
            _uniform(lambda i, o: 1 / sqrt(i), biases=True),
            "weights and biases uniform in ±1/√fan_in",
            "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.6, up to √3; the "
            "default of torch.nn.Linear",
        ),
        "glorot_uniform": Initialiser(
            _uniform(lambda i, o: sqrt(6 / (i + o))),
            "weights uniform in ±√(6/(fan_in + fan_out)), biases 0",
            _GLOROT,
        ),
        "glorot_normal": Initialiser(
            _normal(lambda i, o: sqrt(2 / (i + o))),
            "weights normal with variance 2/(fan_in + fan_out), biases 0",
            _GLOROT,
        ),
        "he_uniform": Initialiser(
            _uniform(lambda i, o: sqrt(6 / i)), "weights uniform in ±√(6/fan_in), biases 0", _HE
        ),
        "he_normal": Initialiser(
            _normal(lambda i, o: sqrt(2 / i)),
            "weights normal with variance 2/fan_in, biases 0",
            _HE,
        ),
        "lecun_normal": Initialiser(
            _normal(lambda i, o: sqrt(1 / i)),
            "weights normal with variance 1/fan_in, biases 0",
            "LeCun, Bottou, Orr, Müller, Efficient BackProp (1998), section 4.6",
        ),
        "zeros": Initialiser(
            lambda stream, i, o: (np.zeros((i, o)), np.zeros(o)),
            "weights and biases 0",
            "the textbook example of units that stay equal",
        ),
    }
)
"""Every initialiser by its name."""


def initialise(
    mlp: MLP, seed: int, initialiser: str = "fan_in_uniform"
) -> tuple[dict[str, NDArray[np.float32]], ...]:
    """The first parameters of a network.

    Each layer draws from its own stream, so layers of equal shape in networks of different depth
    start equal for one seed, which pairs their comparison as closely as can be.

    Args:
        mlp: the shape of the network.
        seed: a whole number from 0.
        initialiser: a key of :data:`INITIALISERS`.

    Returns:
        For each layer ``weights`` (fan-in, fan-out) and ``biases`` (fan-out,), float32; hidden
        layers with normalisation also have ``scale`` (ones) and ``shift`` (zeros), and those with
        batch normalisation have no biases.

    Raises:
        SetupError: an unknown initialiser.

    >>> layers = initialise(MLP(3, (4,)), seed=0)
    >>> [layer["weights"].shape for layer in layers]
    [(3, 4), (4, 1)]
    """
    if initialiser not in INITIALISERS:
        raise SetupError(f"initialiser={initialiser!r}; expected one of {', '.join(INITIALISERS)}.")
    draw = INITIALISERS[initialiser].draw
    layers = []
    for number, (fan_in, fan_out) in enumerate(mlp.layers):
        stream = np.random.Generator(np.random.PCG64([_WEIGHT_STREAM, seed, number]))
        weights, biases = draw(stream, fan_in, fan_out)
        layer = {"weights": weights.astype(np.float32), "biases": biases.astype(np.float32)}
        if mlp.normalisation != "none" and number < len(mlp.hidden):
            if mlp.normalisation == "batch":
                del layer["biases"]
            layer["scale"] = np.ones(fan_out, np.float32)
            layer["shift"] = np.zeros(fan_out, np.float32)
        layers.append(layer)
    return tuple(layers)
