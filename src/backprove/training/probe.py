"""What is recorded of each layer, on a few dev examples that stay the same.

A probe costs about as much as four training steps of 64 examples, whatever the size of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backprove.networks import LOSSES, forward, switch
from backprove.training.histogram import BINS, HISTOGRAM, bin_edges, shares_in_bins
from backprove.training.optimisers import OPTIMISERS
from backprove.training.program import Parts, Program

PROBED = 256
"""The first dev examples of each split, in evaluation mode, are what layers are measured on."""

LAYER_MEASURES = (
    "gradient_norm", "update_ratio", "activation_mean", "activation_std", "share_saturated",
    "share_dead",
)  # fmt: skip
"""What is recorded of each layer: of the weights of each dense layer the norm of the gradient of
the probe's loss, and the norm of the update that the optimiser would make on it over that of the
weights; of the activations of each hidden layer (before a skip connection) mean, standard
deviation, the share that is saturated, and the share of units that are dead, that is, saturated on
every example."""

FLAT = 0.01
"""Saturated is where the slope is below this share of the largest slope: 1/4 for sigmoid, 1 for
the others (to 13 percent). For ReLU it means that the activation is 0."""

_LARGEST = {"sigmoid": 0.25}


def probe_of_one(
    program: Program, parts: Parts, directed: Callable[..., Any]
) -> Callable[..., dict[str, jax.Array]]:
    """The function that measures the layers of one model.

    Args:
        program: what the models share.
        parts: what at least one of them uses.
        directed: gives the direction of the optimiser.

    Returns:
        A function of (parameters, optimiser, statistics, scalars, multiplier of the learning
        rate, inputs (n, features), targets (n,)) to :data:`LAYER_MEASURES`, (layers,) each, and to
        the distribution of the activations, (hidden layers, bins).
    """
    loss, activate = LOSSES[program.loss], switch(program.activations)
    largest = np.array([_LARGEST.get(name, 1.0) for name in program.activations], np.float32)
    edges = np.stack([bin_edges(name) for name in program.activations])
    rule = OPTIMISERS[program.optimiser]

    def probe(parameters, optimiser, statistics, scalars, rate, inputs, targets):
        def apply(z):
            return activate(scalars.activation, z)

        def mean_loss(parameters):
            seen: list[jax.Array] = []
            shares: list[jax.Array] = []

            def observe(number, z, outputs):
                slope = jax.jvp(apply, (z,), (jnp.ones_like(z),))[1]
                # Not slope < flat: an activation that is no number is not seen to have a slope.
                flat = ~(jnp.abs(slope) >= FLAT * jnp.asarray(largest)[scalars.activation])
                seen.append(
                    jnp.stack([outputs.mean(), outputs.std(), flat.mean(), flat.all(axis=0).mean()])
                )
                shares.append(shares_in_bins(outputs, jnp.asarray(edges)[scalars.activation]))

            outputs = forward(
                parameters, inputs, apply, mlp=program.mlp, statistics=statistics, observe=observe
            )
            return loss.value(outputs, targets).mean(), (seen, shares)

        gradient, (seen, shares) = jax.grad(mean_loss, has_aux=True)(parameters)
        transform = rule.transform(scalars.momentum, scalars.beta2)
        directions, _ = directed(
            program, parts, transform, scalars, gradient, optimiser, parameters
        )
        size = scalars.learning_rate * rate
        columns = jnp.stack(seen, axis=1) if seen else jnp.zeros((4, 0))
        return {
            "gradient_norm": _norms(gradient),
            "update_ratio": size * _norms(directions) / _norms(parameters),
            **dict(zip(LAYER_MEASURES[2:], columns, strict=True)),
            HISTOGRAM: jnp.stack(shares) if shares else jnp.zeros((0, BINS)),
        }

    return probe


def _norms(layers: Any) -> jax.Array:
    return jnp.stack([jnp.linalg.norm(layer["weights"]) for layer in layers])
