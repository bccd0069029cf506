"""Activation functions as JAX functions, with the values and conventions of the function table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import jax
import jax.numpy as jnp

from backprove.errors import SetupError

Activation = Callable[[jax.Array], jax.Array]


def _relu(x: jax.Array) -> jax.Array:
    return jax.nn.relu(x)  # jnp.maximum would take the slope 1/2 at 0


def _leaky_relu(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, 0.01 * x)


def _elu(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, jnp.expm1(jnp.where(x > 0, 0, x)))


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "relu": _relu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
        "silu": jax.nn.silu,
        "elu": _elu,
        "leaky_relu": _leaky_relu,
        "softplus": jax.nn.softplus,
        "square": jnp.square,
        "identity": lambda x: x,
    }
)
"""Every activation that a network can use, by the name of its record in ``functions``."""


def switch(names: Sequence[str]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """One function for several activations: which one it applies is data.

    A program compiled once serves every activation in ``names``. Only these are compiled in, and
    a single one needs no choice at all.

    Args:
        names: keys of :data:`ACTIVATIONS`, at least one.

    Returns:
        A function of (index into ``names``: int32 scalar, x: any shape) with values of x's shape.

    Raises:
        SetupError: an unknown name, or none.

    >>> apply = switch(("relu", "tanh"))
    >>> apply(jnp.int32(0), jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown or not names:
        given = f"activation={unknown[0]!r}" if unknown else "No activation was given"
        raise SetupError(f"{given}; expected one of {', '.join(ACTIVATIONS)}.")
    branches = [ACTIVATIONS[name] for name in names]
    if len(branches) == 1:
        return lambda index, x: branches[0](x)
    return lambda index, x: jax.lax.switch(index, branches, x)
