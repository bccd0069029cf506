"""Equations of a jaxpr whose operands are all known are carried out while the function is read."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from backprove.calculus.traced import Traced, literal
from backprove.errors import Unsupported
from backprove.notation.evaluation import Evaluator
from backprove.notation.operations import Builder


def folded_constants(
    builder: Builder, equation: Any, operands: list[Traced], line: str
) -> list[Traced] | None:
    """The outputs of an equation of constants; None if an operand is none.

    Raises:
        Unsupported: an operand is a position that depends on a named size.
    """
    values = []
    for operand, variable in zip(operands, equation.invars, strict=True):
        value = _known(operand, line)
        if value is None or any(not isinstance(n, int) for n in variable.aval.shape):
            return None
        value = np.broadcast_to(value, variable.aval.shape)
        values.append(np.asarray(value, dtype=variable.aval.dtype))
    with jax.enable_x64(True):
        found = equation.primitive.bind(*values, **equation.params)
    results = found if equation.primitive.multiple_results else [found]
    return [literal(builder, np.asarray(r)) for r in results]


def _known(operand: Traced, line: str) -> np.ndarray | None:
    """The entries of a constant array or of positions; None for what depends on the arguments."""
    if operand.table is not None:
        return operand.table
    if operand.special is not None:
        return np.asarray(operand.special)
    if operand.number is not None:
        return np.asarray(float(operand.number))
    if operand.index is None or any(s.constant is None for s in operand.shape):
        return None
    if any(s.constant is None for s in (operand.index.offset, *dict(operand.index.terms).values())):
        raise Unsupported(
            f"an array of numbers together with a named size ({line}) is not supported",
            hint="Declare the size as a number.",
        )
    axes, positions = Evaluator({}, {}).index(operand.index)
    order = [axes.index(a) for a in operand.axes if a in axes]
    shape = [(a.size.constant or 0) if a in axes else 1 for a in operand.axes]
    return np.asarray(positions.transpose(order).reshape(shape))
