"""A JAX function as a list of nodes, to find where NaN and infinity come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import source_info_util
from jax.extend import core

from backprove.checking.nonfinite import Node

INLINED = ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint")
MAX_NODES = 20_000


def nodes_of(fn: Callable[..., Any], arguments: Sequence[Any]) -> list[Node]:
    """Every equation of a function with its value; empty if it cannot be taken apart.

    Calls are read in place; functions with a rule of their own, and loops, stay one node.
    """
    closed = jax.make_jaxpr(fn)(*arguments)
    nodes: list[Node] = []
    inputs = [_leaf(nodes, "input", v) for v in arguments]
    outputs = _run(nodes, closed.jaxpr, closed.consts, inputs, "")
    if len(outputs) != 1 or outputs[0] is None:
        return []
    last = outputs[0]
    if last != len(nodes) - 1:
        kept = nodes[last]
        nodes.append(Node("copy", (last,), kept.value, kept.place, lambda g: [g]))
    return nodes


def _leaf(nodes: list[Node], op: str, value: Any) -> int:
    nodes.append(Node(op, (), np.asarray(value)))
    return len(nodes) - 1


def _run(
    nodes: list[Node], jaxpr: Any, consts: Sequence[Any], inputs: Sequence[int], place: str
) -> list[int]:
    known: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))
    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        known[variable] = _leaf(nodes, "constant", const)

    def read(atom: Any) -> int:
        return _leaf(nodes, "constant", atom.val) if isinstance(atom, core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        operands = [read(a) for a in equation.invars]
        here = place_of(equation) or place
        if equation.primitive.name in INLINED:
            inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
            consts = getattr(inner, "consts", ())
            results = _run(nodes, getattr(inner, "jaxpr", inner), consts, operands, here)
        else:
            results = _apply(nodes, equation, operands, here)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(a) for a in jaxpr.outvars]


def _apply(nodes: list[Node], equation: Any, operands: list[int], place: str) -> list[int]:
    """The values of one equation, a node for each output."""
    if len(nodes) > MAX_NODES:
        raise OverflowError("too many nodes")
    bound = equation.primitive.get_bind_params(equation.params)
    # JAX has functions apart from the parameters up to 0.8, and among them later.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    values = [jnp.asarray(nodes[p].value) for p in operands]
    several = equation.primitive.multiple_results

    def evaluate(*arguments: Any) -> list[Any]:
        out = equation.primitive.bind(*functions, *arguments, **params)
        return list(out) if several else [out]

    real = [k for k, v in enumerate(values) if jnp.issubdtype(v.dtype, jnp.floating)]

    def pull_of(number: int) -> Callable[[np.ndarray], list[np.ndarray | None]]:
        def restricted(*moved: Any) -> Any:
            full = list(values)
            for k, value in zip(real, moved, strict=True):
                full[k] = value
            return evaluate(*full)[number]

        def pull(g: np.ndarray) -> list[np.ndarray | None]:
            parts: list[np.ndarray | None] = [None] * len(operands)
            if not real:
                return parts
            out, back = jax.vjp(restricted, *(values[k] for k in real))
            if not jnp.issubdtype(out.dtype, jnp.floating):
                return parts
            for k, part in zip(real, back(jnp.asarray(g, out.dtype)), strict=True):
                parts[k] = np.asarray(part, dtype=float)
            return parts

        return pull

    found = []
    for number, value in enumerate(evaluate(*values)):
        power = equation.params.get("y") if equation.primitive.name == "integer_pow" else None
        node = Node(
            _name(equation), tuple(operands), np.asarray(value), place, pull_of(number), power
        )
        nodes.append(node)
        found.append(len(nodes) - 1)
    return found


def _name(equation: Any) -> str:
    """The primitive, or the function that has a rule of its own."""
    inner = equation.params.get("call_jaxpr")
    debug = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    return getattr(debug, "func_name", None) or equation.primitive.name


def place_of(equation: Any) -> str:
    """File and line of the user's code that an equation comes from; empty if unknown."""
    frame = source_info_util.user_frame(equation.source_info.traceback)
    return f"{Path(frame.file_name).name}, line {frame.start_line}" if frame else ""
