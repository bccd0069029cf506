"""Random expressions whose parts are used more than once, and their graphs node by node in JAX."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from backprove.graphs import Graph
from oracles.text_jax import JaxReader
from oracles.text_numpy import tree

SCALAR_INPUTS = {"x": 0.7, "y": -1.3, "z": 2.1, "u": 0.4}
MAX_TEXT = 4_000

_SCALAR = (
    "({0} + {1})",
    "({0} - {1})",
    "{0}*{1}",
    "{0}/(2 + {1}**2)",
    "tanh({0})",
    "sigmoid({0})",
    "exp(-{0}**2)",
    "sin({0})",
    "relu({0})",
    "ln(3 + {0}**2)",
    "sqrt(1 + {0}**2)",
    "{0}**3",
    "softplus({0})",
    "maximum({0}, {1})",
    "where({0} > {1}, {0}, {1}**2)",
    "(2.5*{0} - 1)",
)
_TENSOR = (
    "({0} + {1})",
    "({0} - b)",
    "{0}*{1}",
    "tanh({0})",
    "sigmoid({0})",
    "relu({0})",
    "softmax({0}, axis=1)",
    "({0} @ C)",
    "({0} - mean({0}, axis=0))",
    "{0} / (1 + sum({1}**2))",
    "log_softmax({0}, axis=1)",
    "({0} * norm({1}))",
    "({1} @ {0}.T @ {0})",
)
TENSOR_SHAPES = {"X": "n d", "Y": "n d", "C": "d d", "b": "d"}


def scalar_text(seed: int, nodes: int = 9) -> str:
    """A scalar expression whose sub-expressions are shared."""
    rng = random.Random(seed)
    parts = list(SCALAR_INPUTS)
    for _ in range(nodes):
        first, second = rng.choice(parts[-5:]), rng.choice(parts)
        text = rng.choice(_SCALAR).format(first, second)
        if len(text) < MAX_TEXT:
            parts.append(f"({text})")
    return f"{parts[-1]} + {parts[-2]}*{parts[-3]}"


def tensor_text(seed: int, nodes: int = 4, reduce: bool = True) -> str:
    """An expression of n×d arrays whose sub-expressions are shared; a number if reduced."""
    rng = random.Random(seed)
    parts = ["X", "Y"]
    for _ in range(nodes):
        text = rng.choice(_TENSOR).format(rng.choice(parts[-3:]), rng.choice(parts))
        if len(text) < MAX_TEXT:
            parts.append(f"({text})")
    text = f"{parts[-1]}*{parts[-2]}"
    return f"sum({text})" if reduce else text


def tensor_values(seed: int) -> dict[str, np.ndarray]:
    """Values for the symbols of :func:`tensor_text`, with n = 3 and d = 2."""
    rng = np.random.default_rng(seed)
    shapes = {"X": (3, 2), "Y": (3, 2), "C": (2, 2), "b": (2,)}
    return {name: 0.8 * rng.normal(size=shape) for name, shape in shapes.items()}


def node_by_node(graph: Graph, values: Mapping[str, Any], shifts: Mapping[str, Any]) -> Any:
    """The output, computed in JAX from the formulas that the nodes show.

    Args:
        graph: the graph.
        values: the inputs.
        shifts: what is added to the value of each node on the way.
    """
    known: dict[str, Any] = {}
    for node in graph.nodes:
        if node.role == "constant":
            continue
        if node.formula:
            value = JaxReader(known).visit(tree(node.formula))
        else:
            value = jnp.asarray(values[node.name], dtype=float)
        known[node.name] = jnp.asarray(value, dtype=float) + shifts.get(node.name, 0.0)
    return known[graph.output]


def gradients_by_jax(graph: Graph, values: Mapping[str, Any], upstream: Any) -> dict[str, Any]:
    """The gradient with respect to every node: by a shift of its value, with ``jax.vjp``."""
    sizes = {n.name: None for n in graph.nodes if n.role != "constant"}
    known = jax.eval_shape(lambda: _all_values(graph, values))
    zeros = {name: jnp.zeros(known[name].shape) for name in sizes}
    _, pull = jax.vjp(lambda shifts: node_by_node(graph, values, shifts), zeros)
    return pull(jnp.asarray(upstream, dtype=float))[0]


def _all_values(graph: Graph, values: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for node in graph.nodes:
        if node.role != "constant":
            value = (
                JaxReader(known).visit(tree(node.formula)) if node.formula else values[node.name]
            )
            known[node.name] = jnp.asarray(value, dtype=float)
    return known
