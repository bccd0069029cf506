"""A formula of one number as a NumPy function, for what is evaluated many thousand times."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import pi

import numpy as np
from numpy.typing import NDArray

from backprove.errors import Unsupported
from backprove.functions import FunctionRecord, lookup
from backprove.notation.syntax import Node, parse

Array = NDArray[np.float64]
Formula = Callable[[Array], Array]

_BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_COMPARE = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def elementwise(text: str) -> Formula:
    """A formula in ``x``, as the records of functions write it, as a function of an array.

    Args:
        text: numbers, ``x``, ``pi``, arithmetic, comparisons (1 where true), ``where`` and
            functions of the table.

    Returns:
        A function that keeps the shape of its argument.

    Raises:
        NotationError: the text cannot be read.
        Unsupported: it holds anything else.

    >>> elementwise("where(x > 0, 1, x**2)")(np.array([-2.0, 3.0])).tolist()
    [4.0, 1.0]
    """
    formula = _compiled(parse(text))

    def evaluate(x: Array) -> Array:
        # Where a formula leaves its domain its value is NaN or infinite, and stays so.
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(formula(x), np.float64), x.shape).copy()

    return evaluate


def _compiled(node: Node) -> Callable[[Array], Array]:
    parts = [_compiled(child) for child in node.children]
    if node.kind == "number":
        value = float(node.value)
        return lambda x: np.float64(value)  # type: ignore[return-value]
    if node.kind == "name" and node.value in ("x", "pi"):
        return (lambda x: x) if node.value == "x" else (lambda x: np.float64(pi))  # type: ignore
    if node.kind == "unary":
        return (lambda x: -parts[0](x)) if node.value == "-" else parts[0]
    if node.kind == "binary" and node.value in _BINARY:
        apply = _BINARY[str(node.value)]
        return lambda x: apply(parts[0](x), parts[1](x))
    if node.kind == "compare" and node.value in _COMPARE:
        test = _COMPARE[str(node.value)]
        return lambda x: np.asarray(test(parts[0](x), parts[1](x)), np.float64)
    if node.kind == "call" and node.value == "where":
        return lambda x: np.where(parts[0](x) != 0, parts[1](x), parts[2](x))
    if node.kind == "call":
        record = lookup(str(node.value))
        if isinstance(record, FunctionRecord):
            return lambda x: record.value(*(part(x) for part in parts))
    raise Unsupported(f"'{node.value}' stands in no formula of one number")
