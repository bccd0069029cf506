"""The largest set of parameters that an induction over the steps of training keeps where it is.

Assume that a set of parameters never moves, follow which activations and which deltas are then zero
whatever the others do, and drop from the set every parameter whose gradient is not among them. What
is left when nothing more is dropped never moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backprove.theorems.dense import Array, DenseLayer, DenseNetwork, activation

Mask = NDArray[np.bool_]

OFF_BELOW_ZERO = ("relu", "relu6")
_FLAT_OUTSIDE = {
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
    "hardtanh": (-1.0, 1.0),
    "hardsigmoid": (-3.0, 3.0),
}
"""Where piecewise linear activations have slope 0, with the conventions of their records."""


@dataclass(frozen=True)
class Frozen:
    """Parameters that never move, as masks: (fan-in, fan-out) and (fan-out,) for each layer."""

    weights: tuple[Mask, ...]
    biases: tuple[Mask, ...]

    def __len__(self) -> int:
        return sum(int(mask.sum()) for mask in (*self.weights, *self.biases))


@dataclass(frozen=True)
class Reach:
    """What is known of zeros in a network while some parameters stay where they start.

    Args:
        network: the initial values.
        frozen: the parameters that are assumed to stay.
        features: the examples of training, (n, inputs); any examples if None.
        one_class: whether the loss is a softmax over a single output, which is 1 whatever it takes.
        at_kinks: whether the value that records take for a derivative at a kink counts.
    """

    network: DenseNetwork
    frozen: Frozen
    features: Array | None
    one_class: bool
    at_kinks: bool

    @cached_property
    def silent(self) -> list[Mask]:
        """For the inputs and each hidden layer the units whose output is 0 at every step."""
        if self.features is None:
            found = [np.zeros(self.network.inputs, bool)]
        else:
            found = [(self.features == 0).all(axis=0)]
        for number, layer in enumerate(self.network.layers[:-1]):
            held = self._at_bias(number, found[-1])
            own = held & _gives_zero(layer.activation, layer.biases)
            if number == 0 and layer.activation in OFF_BELOW_ZERO:
                own |= self.dead & self._below(layer, 0.0)
            found.append(own)
        return found

    @cached_property
    def deaf(self) -> list[Mask]:
        """For each layer the units whose delta is 0 at every step."""
        found: list[Mask] = []
        for number in reversed(range(len(self.network.layers))):
            layer = self.network.layers[number]
            if found:
                after = self.network.layers[number + 1]
                still = (after.weights == 0) & self.frozen.weights[number + 1]
                own = (still | found[0][None, :]).all(axis=1)
            else:
                own = np.full(layer.biases.size, self.one_class)
            if layer.activation != "softmax":
                own |= self._at_bias(number, self.silent[number]) & self._flat(layer, layer.biases)
            if number == 0:
                own |= self.dead
            found.insert(0, own)
        return found

    @cached_property
    def dead(self) -> Mask:
        """Units of the first layer that stay, and are in a flat part for all examples."""
        layer = self.network.layers[0]
        if self.features is None or layer.activation not in _FLAT_OUTSIDE:
            return np.zeros(layer.biases.size, bool)
        held = self.frozen.weights[0].all(axis=0) & self.frozen.biases[0]
        low, high = _FLAT_OUTSIDE[layer.activation]
        z, slack = self._taken
        flat = self._below(layer, low) | (z - slack >= high).all(axis=0)
        constant = (self.features[:, :, None] * layer.weights[None] == 0).all(axis=(0, 1))
        flat |= constant & self._flat(layer, layer.biases)
        return held & flat

    @cached_property
    def _taken(self) -> tuple[Array, Array]:
        """What the first layer takes from each example, and how far rounding may have moved it."""
        assert self.features is not None
        layer = self.network.layers[0]
        slack = np.abs(self.features) @ np.abs(layer.weights) + np.abs(layer.biases)
        slack = slack * (self.features.shape[1] + 2) * np.finfo(np.float64).eps
        return self.features @ layer.weights + layer.biases, slack

    def _below(self, layer: DenseLayer, low: float) -> Mask:
        """Units of the first layer at or below a number for all examples, with room for rounding.

        A sum of zeros and a bias is exact, so that one needs no room.
        """
        if self.features is None:
            return np.zeros(layer.biases.size, bool)
        z, slack = self._taken
        exact = (self.features[:, :, None] * layer.weights[None] == 0).all(axis=1)
        within = (layer.biases <= low) if self.at_kinks else (layer.biases < low)
        return ((z + slack <= low) | (exact & within)).all(axis=0)

    def _at_bias(self, number: int, silent: Mask) -> Mask:
        """Units of a layer that take their first bias from every input at every step."""
        weights = self.network.layers[number].weights
        nothing_in = silent[:, None] | ((weights == 0) & self.frozen.weights[number])
        return nothing_in.all(axis=0) & self.frozen.biases[number]

    def _flat(self, layer: DenseLayer, z: Array) -> Mask:
        """Where the derivative that training takes is 0 exactly."""
        act = activation(layer.activation)
        at_zero = act.slope(np.zeros(1))[0] == 0
        low, high = _FLAT_OUTSIDE.get(layer.activation, (-np.inf, np.inf))
        flat = ((z == 0) & at_zero) | (z <= low) | (z >= high)
        if self.at_kinks or act.record is None:
            return flat
        return flat & ~np.isin(z, [kink.at for kink in act.record.kinks])


def _gives_zero(name: str, z: Array) -> Mask:
    """Where an activation is 0 exactly; what only underflows to 0 does not count."""
    at_zero = activation(name).value(np.zeros(1))[0] == 0
    return ((z == 0) & at_zero) | ((z <= 0) if name in OFF_BELOW_ZERO else np.zeros(z.shape, bool))


def frozen_for_ever(
    network: DenseNetwork,
    features: Array | None = None,
    *,
    one_class: bool = False,
    at_kinks: bool = True,
) -> Frozen:
    """The largest set of parameters that the induction keeps.

    Args:
        network: the initial values.
        features: the examples of training, (n, inputs); any examples without them.
        one_class: whether the loss is a softmax over a single output.
        at_kinks: whether the value that records take for a derivative at a kink counts.
    """
    return reach(network, features, one_class=one_class, at_kinks=at_kinks).frozen


def reach(
    network: DenseNetwork,
    features: Array | None = None,
    *,
    one_class: bool = False,
    at_kinks: bool = True,
) -> Reach:
    """What is zero at every step; arguments as :func:`frozen_for_ever`."""
    frozen = Frozen(
        tuple(np.ones(layer.weights.shape, bool) for layer in network.layers),
        tuple(np.ones(layer.biases.shape, bool) for layer in network.layers),
    )
    while True:
        found = Reach(network, frozen, features, one_class, at_kinks)
        kept = Frozen(
            tuple(
                w & (before[:, None] | d[None, :])
                for w, before, d in zip(frozen.weights, found.silent, found.deaf, strict=True)
            ),
            tuple(b & d for b, d in zip(frozen.biases, found.deaf, strict=True)),
        )
        if len(kept) == len(frozen):
            return found
        frozen = kept
