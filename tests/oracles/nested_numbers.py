"""Numbers and nested lists of numbers: the arithmetic of the loop oracle, with math alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.index_formula_text import FormulaError

Number = float
Nested = Any  # a number or a list of Nested, all of one length


class _Undefined:
    """The value of a subscript outside of its array."""


UNDEFINED = _Undefined()


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def nested(value: Any) -> Nested:
    return np.asarray(value, dtype=float).tolist()


def shape_of(value: Nested) -> tuple[int, ...]:
    return (len(value), *shape_of(value[0] if value else 0.0)) if isinstance(value, list) else ()


def each(function: Callable[..., Number], *given: Nested) -> Nested:
    """Apply a function of numbers to arrays of one shape and to numbers."""
    arrays = [value for value in given if isinstance(value, list)]
    if not arrays:
        if UNDEFINED in given:
            zero_times = function is _times and 0.0 in given
            return 0.0 if zero_times else UNDEFINED
        return float(function(*given))
    if len({shape_of(array) for array in arrays}) > 1:
        raise FormulaError(f"shapes {[shape_of(array) for array in arrays]} differ")
    rows = [value if isinstance(value, list) else [value] * len(arrays[0]) for value in given]
    return [each(function, *row) for row in zip(*rows, strict=True)]


def _times(a: Number, b: Number) -> Number:
    return a * b


def _over(a: Number, b: Number) -> Number:
    return a / b


def _power(a: Number, b: Number) -> Number:
    result = a**b
    if isinstance(result, complex):
        raise FormulaError(f"{a}**{b} is not real")
    return result


ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": _times,
    "/": _over,
    "//": lambda a, b: a // b,
    "**": _power,
}


def matmul(left: Nested, right: Nested) -> Nested:
    if not isinstance(right[0], list):
        return (
            [math.fsum(map(_times, row, right)) for row in left]
            if isinstance(left[0], list)
            else math.fsum(map(_times, left, right))
        )
    columns = list(zip(*right, strict=True))
    if not isinstance(left[0], list):
        return [math.fsum(map(_times, left, column)) for column in columns]
    if len(left[0]) != len(right):
        raise FormulaError(f"shapes {shape_of(left)} and {shape_of(right)} do not fit for @")
    return [[math.fsum(map(_times, row, column)) for column in columns] for row in left]


def _flat(value: Nested) -> list[Number]:
    return [n for row in value for n in _flat(row)] if isinstance(value, list) else [value]


def _along_rows(function: Callable[[list[Number]], Nested]) -> Callable[[Nested], Nested]:
    def apply(value: Nested) -> Nested:
        return [apply(row) for row in value] if isinstance(value[0], list) else function(value)

    return apply


def _softmax(row: list[Number]) -> list[Number]:
    top = max(row)
    weights = [math.exp(v - top) for v in row]
    return [weight / math.fsum(weights) for weight in weights]


def _logsumexp(row: list[Number]) -> Number:
    top = max(row)
    return top + math.log(math.fsum(math.exp(v - top) for v in row))


def _eliminated(matrix: Nested) -> tuple[Nested, Number]:
    """Inverse and determinant by Gauss and Jordan's elimination with row exchanges."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    determinant = 1.0
    for column in range(size):
        pivot = max(range(column, size), key=lambda r: abs(rows[r][column]))
        if rows[pivot][column] == 0:
            raise FormulaError("a singular matrix has no inverse")
        if pivot != column:
            rows[pivot], rows[column] = rows[column], rows[pivot]
            determinant = -determinant
        determinant *= rows[column][column]
        rows[column] = [v / rows[column][column] for v in rows[column]]
        for other in range(size):
            if other != column:
                factor = rows[other][column]
                rows[other] = [
                    v - factor * p for v, p in zip(rows[other], rows[column], strict=True)
                ]
    return [row[size:] for row in rows], determinant


def _sigmoid(x: Number) -> Number:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: Number) -> Number:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


_FROM_MATH = (
    *("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan"),
    *("sinh", "cosh", "tanh", "erf"),
)

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{name: getattr(math, name) for name in _FROM_MATH},
    "arctan": math.atan,
    "abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "square": lambda x: x * x,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "maximum": max,
    "minimum": min,
}

OF_ARRAYS: dict[str, Callable[..., Nested]] = {
    "sum": lambda a: math.fsum(_flat(a)),
    "mean": lambda a: math.fsum(_flat(a)) / len(_flat(a)),
    "prod": lambda a: math.prod(_flat(a)),
    "max": lambda a: max(_flat(a)),
    "min": lambda a: min(_flat(a)),
    "norm": lambda a: math.hypot(*_flat(a)),
    "dot": lambda a, b: math.fsum(map(_times, a, b)),
    "trace": lambda a: math.fsum(a[i][i] for i in range(len(a))),
    "softmax": _along_rows(_softmax),
    "log_softmax": _along_rows(lambda row: [v - _logsumexp(row) for v in row]),
    "logsumexp": _along_rows(_logsumexp),
    "inv": lambda a: _eliminated(a)[0],
    "det": lambda a: _eliminated(a)[1],
}


def along_axis(name: str, value: Nested, axis: int) -> Nested:
    """A function of the last axis, applied along another one."""
    if name not in ("softmax", "log_softmax", "logsumexp"):
        raise FormulaError(f"axis= is not read for {name}")
    moved = np.moveaxis(np.array(value), axis, -1)
    result = np.array(OF_ARRAYS[name](moved.tolist()))
    return (np.moveaxis(result, -1, axis) if result.ndim == moved.ndim else result).tolist()
