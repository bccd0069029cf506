"""How activations are distributed: their shares in bins that are the same in every run."""

from __future__ import annotations

from math import isfinite

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from backprove.functions import ELEMENTWISE

HISTOGRAM = "activation_histogram"
"""The name under which the shares are recorded, (hidden layers, bins) for each model."""

BINS = 20

_ANY = (
    -5, -2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500,
)  # fmt: skip
_NOT_NEGATIVE = (
    0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500,
)  # fmt: skip


def bin_edges(activation: str) -> NDArray[np.float32]:
    """The inner edges of the bins, the same for every run with an activation.

    The range of a bounded activation is cut into equal bins. Others have bins that grow with the
    distance from 0, and the outermost ones are open. An edge belongs to the bin below it, so that
    of a ReLU the bin that ends at 0 holds what is exactly 0.

    Args:
        activation: the name of its record.

    Returns:
        (:data:`BINS` − 1,), ascending.

    >>> bin_edges("sigmoid")[:2].tolist() == np.float32([0.05, 0.1]).tolist()
    True
    >>> bin_edges("relu")[[0, 9, 10, 11]].tolist()
    [0.0, 0.5, 1.0, 2.0]
    """
    if activation not in ELEMENTWISE:  # the identity is no function that anybody writes
        return np.array(_ANY, np.float32)
    bounds = ELEMENTWISE[activation].range
    if isfinite(bounds.low) and isfinite(bounds.high):
        return np.linspace(bounds.low, bounds.high, BINS + 1)[1:-1].astype(np.float32)
    return np.array(_ANY if bounds.low < 0 else _NOT_NEGATIVE, np.float32)


def shares_in_bins(outputs: jax.Array, edges: jax.Array) -> jax.Array:
    """The share of values in each bin.

    Args:
        outputs: values of any shape.
        edges: (bins − 1,) inner edges, ascending.

    Returns:
        (bins,), which sum to 1; NaN if a value is not finite.

    >>> shares_in_bins(jnp.array([0.0, 0.3, 2.0, 9.0]), jnp.array([0.0, 1.0])).tolist()
    [0.25, 0.25, 0.5]
    """
    above = jnp.mean(outputs.reshape(-1, 1) > edges, axis=0)
    shares = -jnp.diff(jnp.concatenate([jnp.ones(1), above, jnp.zeros(1)]))
    return jnp.where(jnp.isfinite(outputs).all(), shares, jnp.nan)
