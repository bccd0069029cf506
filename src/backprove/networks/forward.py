"""The forward pass of a network, one layer after the other, in use and while training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from backprove.networks.mlp import MLP

Layer = dict[str, Any]
Parameters = tuple[Layer, ...]
Statistics = tuple[Layer, ...]
"""The running ``mean`` and ``variance`` (width,) of each hidden layer with batch normalisation."""

Activate = Callable[[jax.Array], jax.Array]

EPSILON = 1e-5
"""Added to variances, as in PyTorch."""

RUNNING = 0.1
"""The share of a batch in the running statistics, as in PyTorch."""


def forward(
    parameters: Parameters,
    inputs: jax.Array,
    activate: Activate,
    *,
    mlp: MLP | None = None,
    statistics: Statistics = (),
    observe: Callable[[int, jax.Array, jax.Array], None] | None = None,
) -> jax.Array:
    """The outputs of a multilayer perceptron in use, without an activation after the last layer.

    A hidden layer is: dense, normalisation, activation, skip connection.

    Args:
        parameters: for each layer ``weights`` (fan-in, fan-out) and ``biases`` (fan-out,); with
            normalisation hidden layers also have ``scale`` and ``shift`` (width,); with batch
            normalisation they have no biases.
        inputs: (n, features).
        activate: the activation of the hidden layers.
        mlp: the shape, for its skip connections and normalisation; by default it has neither.
        statistics: of batch normalisation.
        observe: called with each hidden layer's number, from 1, and what its activation takes and
            gives (n, width).

    Returns:
        (n, outputs): logits, or predictions of a regression.

    >>> layer = {"weights": jnp.ones((2, 1)), "biases": jnp.zeros(1)}
    >>> forward((layer,), jnp.array([[1.0, 2.0]]), jnp.tanh).tolist()
    [[3.0]]
    """
    *hidden, last = parameters
    for number, layer in enumerate(hidden, start=1):
        z = _dense(layer, inputs)
        if mlp is not None and mlp.normalisation == "batch":
            running = statistics[number - 1]
            z = _normalised(layer, z, running["mean"], running["variance"])
        elif mlp is not None and mlp.normalisation == "layer":
            z = _layer_normalised(layer, z)
        outputs = activate(z)
        if observe is not None:
            observe(number, z, outputs)
        inputs = _joined(mlp, inputs, outputs)
    return _dense(last, inputs)


def forward_in_training(
    parameters: Parameters,
    inputs: jax.Array,
    activate: Activate,
    *,
    mlp: MLP,
    statistics: Statistics = (),
    real: jax.Array,
    drop: Callable[[int, jax.Array], jax.Array] | None = None,
) -> tuple[jax.Array, Statistics]:
    """The outputs of a network on a batch that it learns from.

    Batch normalisation takes mean and variance of the batch, and dropout comes after the
    activation, before the skip connection.

    Args:
        parameters: as in :func:`forward`.
        inputs: (batch, features).
        activate: the activation of the hidden layers.
        mlp: the shape.
        statistics: of batch normalisation, before this batch.
        real: (batch,), whether a row is an example; the others fill up the batch.
        drop: called with each hidden layer's number, from 1, and its activations, for dropout.

    Returns:
        The outputs (batch, outputs), and the statistics after this batch; their variance is the
        unbiased one (that of a batch of one example counts as 0).

    Source: Ioffe and Szegedy, ICML 2015, algorithms 1 and 2.

    >>> layer = {"weights": jnp.ones((2, 1)), "biases": jnp.zeros(1)}
    >>> outputs, _ = forward_in_training(
    ...     (layer,), jnp.array([[1.0, 2.0]]), jnp.tanh, mlp=MLP(2, ()), real=jnp.array([True])
    ... )
    >>> outputs.tolist()
    [[3.0]]
    """
    *hidden, last = parameters
    after = []
    for number, layer in enumerate(hidden, start=1):
        z = _dense(layer, inputs)
        if mlp.normalisation == "batch":
            mean, variance, running = _moments(z, real, statistics[number - 1])
            after.append(running)
            z = _normalised(layer, z, mean, variance)
        elif mlp.normalisation == "layer":
            z = _layer_normalised(layer, z)
        outputs = activate(z)
        if drop is not None:
            outputs = drop(number, outputs)
        inputs = _joined(mlp, inputs, outputs)
    return _dense(last, inputs), tuple(after)


def _moments(z: jax.Array, real: jax.Array, running: Layer) -> tuple[jax.Array, jax.Array, Layer]:
    count = real.sum()
    mean = jnp.where(real[:, None], z, 0).sum(axis=0) / count
    variance = jnp.where(real[:, None], jnp.square(z - mean), 0).sum(axis=0) / count
    unbiased = variance * (count / jnp.maximum(count - 1, 1))
    after = {
        "mean": (1 - RUNNING) * running["mean"] + RUNNING * mean,
        "variance": (1 - RUNNING) * running["variance"] + RUNNING * unbiased,
    }
    return mean, variance, jax.lax.stop_gradient(after)


def _normalised(layer: Layer, z: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    return (z - mean) * (layer["scale"] * jax.lax.rsqrt(variance + EPSILON)) + layer["shift"]


def _layer_normalised(layer: Layer, z: jax.Array) -> jax.Array:
    mean = z.mean(axis=1, keepdims=True)
    variance = jnp.square(z - mean).mean(axis=1, keepdims=True)
    return (z - mean) * jax.lax.rsqrt(variance + EPSILON) * layer["scale"] + layer["shift"]


def _joined(mlp: MLP | None, inputs: jax.Array, outputs: jax.Array) -> jax.Array:
    skip = mlp is not None and mlp.residual and inputs.shape == outputs.shape
    return inputs + outputs if skip else outputs


def _dense(layer: Layer, inputs: jax.Array) -> jax.Array:
    products = inputs @ layer["weights"]
    return products + layer["biases"] if "biases" in layer else products
