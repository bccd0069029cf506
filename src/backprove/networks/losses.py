"""Losses of one example, on logits, in forms that neither overflow nor lose small values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jax
import jax.numpy as jnp

PerExample = Callable[[jax.Array, jax.Array], jax.Array]


@dataclass(frozen=True)
class Loss:
    """A loss and the score that is read beside it.

    Args:
        value: (outputs (n, k), targets (n,)) to the loss of each example (n,).
        score: (outputs (n, k), targets (n,)) to the contribution of each example (n,): 1 or 0
            for a class, the squared error for a number.
        score_name: ``accuracy``, the mean of ``score``, or ``R²``, 1 − the mean of ``score`` over
            the variance of the targets.
        targets: ``labels`` or ``ratings``, the array of the data set that is predicted.
        even: outputs (n, k) to the loss (n,) where all classes are equally right; None where
            targets are no classes.
        formula: the loss as text.
        source: where it comes from.
    """

    value: PerExample
    score: PerExample
    score_name: str
    targets: str
    formula: str
    source: str
    even: Callable[[jax.Array], jax.Array] | None = None


def binary_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """``−ln p(label)`` for one logit ``z``, as ``softplus(z) − label·z``.

    Args:
        logits: (n, 1).
        labels: (n,) of 0 and 1.

    Returns:
        (n,), in nats.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.2.

    >>> binary_cross_entropy(jnp.array([[1000.0], [-1000.0]]), jnp.array([1, 1])).tolist()
    [0.0, 1000.0]
    """
    z = logits[:, 0]
    # The sign flip keeps the digits of a small loss: softplus(z) − z would cancel for large z.
    return jax.nn.softplus(jnp.where(labels > 0, -z, z))


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """``−ln p(label)`` for one logit a class, as ``logsumexp(z) − z[label]``.

    Args:
        logits: (n, k).
        labels: (n,) class numbers.

    Returns:
        (n,), in nats.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.30.

    >>> cross_entropy(jnp.array([[1000.0, 0.0, -1000.0]]), jnp.array([1])).tolist()
    [1000.0]
    """
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]


def absolute_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """``|output − target|`` of each example; its slope where both agree is taken as 0.

    Args:
        outputs: (n, 1).
        targets: (n,).

    Returns:
        (n,), in units of the target.

    Source: Hastie, Tibshirani, Friedman, The Elements of Statistical Learning (2009), section 10.6.

    >>> absolute_error(jnp.array([[3.0]]), jnp.array([1.0])).tolist()
    [2.0]
    """
    return jnp.abs(outputs[:, 0] - targets)


def squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """``(output − target)²`` of each example.

    Args:
        outputs: (n, 1).
        targets: (n,).

    Returns:
        (n,), in squared units of the target.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 5.4.

    >>> squared_error(jnp.array([[3.0]]), jnp.array([1.0])).tolist()
    [4.0]
    """
    return jnp.square(outputs[:, 0] - targets)


def _even_binary(logits: jax.Array) -> jax.Array:
    z = logits[:, 0]
    return (jax.nn.softplus(z) + jax.nn.softplus(-z)) / 2


def _even(logits: jax.Array) -> jax.Array:
    return -jax.nn.log_softmax(logits).mean(axis=1)


def _sign_is_right(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return ((logits[:, 0] > 0) == (labels > 0)).astype(jnp.float32)


def _largest_is_right(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return (logits.argmax(axis=1) == labels).astype(jnp.float32)


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "binary_cross_entropy": Loss(
            binary_cross_entropy,
            _sign_is_right,
            "accuracy",
            "labels",
            "softplus(z) - y*z",
            "Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.2.2.2",
            _even_binary,
        ),
        "cross_entropy": Loss(
            cross_entropy,
            _largest_is_right,
            "accuracy",
            "labels",
            "logsumexp(z) - z[y]",
            "Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.30",
            _even,
        ),
        "mse": Loss(
            squared_error,
            squared_error,
            "R²",
            "ratings",
            "(z - y)**2",
            "Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 5.4",
        ),
        "mae": Loss(
            absolute_error,
            squared_error,
            "R²",
            "ratings",
            "abs(z - y)",
            "Hastie, Tibshirani, Friedman, The Elements of Statistical Learning (2009), "
            "section 10.6",
        ),
    }
)
"""Every loss by its name."""
