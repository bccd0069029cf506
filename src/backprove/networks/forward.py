"""The forward pass of a network, one layer after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

Layer = dict[str, Any]
Parameters = tuple[Layer, ...]


def forward(
    parameters: Parameters,
    inputs: jax.Array,
    activate: Callable[[jax.Array], jax.Array],
    *,
    observe: Callable[[int, jax.Array], None] | None = None,
) -> jax.Array:
    """The outputs of a multilayer perceptron, without an activation after the last layer.

    Args:
        parameters: for each layer ``weights`` (fan-in, fan-out) and ``biases`` (fan-out,).
        inputs: (n, features).
        activate: the activation of the hidden layers.
        observe: called with each hidden layer's number, from 1, and its activations (n, width).

    Returns:
        (n, outputs): logits, or predictions of a regression.

    >>> import jax.numpy as jnp
    >>> layer = {"weights": jnp.ones((2, 1)), "biases": jnp.zeros(1)}
    >>> forward((layer,), jnp.array([[1.0, 2.0]]), jnp.tanh).tolist()
    [[3.0]]
    """
    *hidden, last = parameters
    for number, layer in enumerate(hidden, start=1):
        inputs = _hidden(layer, inputs, activate)
        if observe is not None:
            observe(number, inputs)
    return _dense(last, inputs)


def _hidden(
    layer: Layer, inputs: jax.Array, activate: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    return activate(_dense(layer, inputs))


def _dense(layer: Layer, inputs: jax.Array) -> jax.Array:
    return inputs @ layer["weights"] + layer["biases"]
