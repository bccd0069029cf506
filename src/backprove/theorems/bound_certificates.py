"""Certificates of bounds, re-checked in exact rational arithmetic.

Plain data, and nothing of the rest of the package is imported but the reading of networks from the
checker beside this one. What is known of an activation is written down here once more, on purpose.

====================== =====================================================================
kind                   what it proves
====================== =====================================================================
``gradient_bound``     for any data and loss, the Frobenius norm of the first layer's deltas is
                       at most ``factor`` times that of the last layer's
``slope_values``       the derivative of a function at some points lies between two numbers
``outside_range``      how many targets no argument of an activation reaches, and a mean squared
                       error that no parameters go below
``variance_chain``     the expected square of what each layer's units take, for independent
                       weights of mean 0, inputs of mean square 1, and ReLU or linear units
``largest_eigenvalue`` bounds of the largest eigenvalue of the Hessian of a linear layer with
                       biases under the mean squared error on some inputs
``longest_chain``      how many operations of a graph have to follow each other
====================== =====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any

from backprove.theorems.network_certificates import (
    MAX_LAYERS,
    MAX_WEIGHTS,
    Refused,
    Row,
    exact_number,
    read_layers,
    with_fields,
)

MAX_SIDE, MAX_BITS, MAX_ARGUMENT, MAX_NODES, MAX_POINTS = 48, 400, 40, 20_000, 1000

STEEPEST: Mapping[str, Fraction] = {
    name: Fraction(value)
    for name, value in {
        "linear": "1", "relu": "1", "relu6": "1", "abs": "1", "hardtanh": "1", "tanh": "1",
        "softplus": "1", "logsigmoid": "1", "softsign": "1", "arctan": "1", "sin": "1", "cos": "1",
        "sigmoid": "1/4", "hardsigmoid": "1/6", "erf": "1.129", "gelu": "1.13",
        "gelu_tanh": "1.13", "silu": "1.1", "mish": "1.09", "selu": "1.759",
    }.items()
}  # fmt: skip
"""Numbers that the absolute value of the derivative never exceeds."""

RANGES: Mapping[str, tuple[str, str, bool]] = {
    "linear": ("", "", True),
    "sigmoid": ("0", "1", False),
    "tanh": ("-1", "1", False),
    "softsign": ("-1", "1", False),
    "erf": ("-1", "1", False),
    "hardtanh": ("-1", "1", True),
    "hardsigmoid": ("0", "1", True),
    "relu6": ("0", "6", True),
    "sin": ("-1", "1", True),
    "cos": ("-1", "1", True),
    "relu": ("0", "", True),
    "abs": ("0", "", True),
    "square": ("0", "", True),
    "exp": ("0", "", False),
    "softplus": ("0", "", False),
    "logsigmoid": ("", "0", False),
}
"""The least and the greatest value, empty where there is none, and whether they are reached."""

_EXACT_VARIANCES: Mapping[str, Callable[[int, int], Fraction]] = {
    "glorot_uniform": lambda fan_in, fan_out: Fraction(2, fan_in + fan_out),
    "he_normal": lambda fan_in, fan_out: Fraction(2, fan_in),
    "lecun_normal": lambda fan_in, fan_out: Fraction(1, fan_in),
}
_PARTS_OF_SQUARE = {"relu": Fraction(1, 2), "linear": Fraction(1)}


def _rows(value: Any, most: int) -> list[Row]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise Refused(f"1 to {most} rows were expected")
    rows = [_numbers(row, most) for row in value]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise Refused("rows have one length")
    if len(rows) * len(rows[0]) > MAX_WEIGHTS:
        raise Refused(f"there are at most {MAX_WEIGHTS} numbers here")
    return rows


def _numbers(value: Any, most: int) -> Row:
    if not isinstance(value, list) or len(value) > most:
        raise Refused(f"a list of at most {most} numbers was expected")
    return [exact_number(each) for each in value]


# --- gradients ----------------------------------------------------------------------------------


def _check_gradient_bound(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "layers", "slopes", "norms", "factor"})
    layers = read_layers(data)
    slopes, norms = _numbers(data["slopes"], MAX_LAYERS), _numbers(data["norms"], MAX_LAYERS)
    if len(slopes) != len(layers) - 1 or len(norms) != len(layers) - 1 or not slopes:
        raise Refused("each hidden layer has its slope and the norm of the weights behind it")
    product = Fraction(1)
    for layer, after, slope, norm in zip(layers, layers[1:], slopes, norms, strict=False):
        if layer.activation not in STEEPEST or slope < STEEPEST[layer.activation]:
            raise Refused(f"the slope of {str(layer.activation)[:20]} may be larger")
        if not norm_at_most(after.weights, norm):
            raise Refused("a matrix is not seen to have so small a norm")
        product *= slope * norm
    if exact_number(data["factor"]) < product:
        raise Refused("the factor is smaller than the product of slopes and norms")


def norm_at_most(matrix: Sequence[Row], bound: Fraction) -> bool:
    """Whether the largest singular value of a matrix is seen to be at most a number.

    It is if the Frobenius norm is, or the square root of the largest row sum times the largest
    column sum, or if bound² I - A Aᵀ is positive definite: all its leading minors are positive
    (Sylvester), computed in whole numbers (Bareiss, Mathematics of Computation 22, 1968).

    >>> three_four = [[Fraction(3), Fraction(4)]]
    >>> norm_at_most(three_four, Fraction(5)), norm_at_most(three_four, Fraction(49, 10))
    (True, False)
    """
    if bound < 0:
        return False
    if sum((v * v for row in matrix for v in row), Fraction(0)) <= bound * bound:
        return True
    rows = max(sum(map(abs, row), Fraction(0)) for row in matrix)
    columns = max(sum(map(abs, column), Fraction(0)) for column in zip(*matrix, strict=True))
    if rows * columns <= bound * bound:
        return True
    flat = matrix if len(matrix) <= len(matrix[0]) else list(zip(*matrix, strict=True))
    if len(flat) > MAX_SIDE:
        return False
    common = lcm(*(v.denominator for row in flat for v in row), bound.denominator)
    if common.bit_length() > MAX_BITS:
        return False
    whole = [[int(v * common) for v in row] for row in flat]
    square = int(bound * common) ** 2
    gram = [[-sum(a * b for a, b in zip(r, s, strict=True)) for s in whole] for r in whole]
    for at, row in enumerate(gram):
        row[at] += square
    return _positive_definite(gram)


def _positive_definite(matrix: list[list[int]]) -> bool:
    """Whether a symmetric matrix of whole numbers is, by its leading minors."""
    before = 1
    for at in range(len(matrix)):
        pivot = matrix[at][at]
        if pivot <= 0:
            return False
        for r in range(at + 1, len(matrix)):
            for c in range(at + 1, len(matrix)):
                cross = matrix[r][at] * matrix[at][c]
                matrix[r][c] = (pivot * matrix[r][c] - cross) // before
        before = pivot
    return True


def _check_slopes(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "function", "values"})
    if data["function"] not in ("sigmoid", "tanh"):
        raise Refused("values of slopes are known of sigmoid and tanh")
    for z, low, high in _triples(data["values"]):
        least, most = slope_between(data["function"], z)
        if not low <= least <= most <= high:
            raise Refused("a slope is not seen to lie between its bounds")


def _triples(value: Any) -> list[Row]:
    rows = _rows(value, MAX_POINTS)
    if len(rows[0]) != 3:
        raise Refused("a value is a point, a lower and an upper bound")
    return rows


def slope_between(function: str, z: Fraction) -> tuple[Fraction, Fraction]:
    """Rational bounds of the derivative of sigmoid or tanh: σ'(z) = e/(1+e)² with e = exp |z|.

    >>> slope_between("sigmoid", Fraction(0))
    (Fraction(1, 4), Fraction(1, 4))
    """
    factor = 4 if function == "tanh" else 1
    z = abs(z) * (2 if function == "tanh" else 1)
    if z > MAX_ARGUMENT or z.denominator > 10**6:
        raise Refused(f"an argument is a plain number up to {MAX_ARGUMENT // 2}")
    low, high = _exponential(z)
    return factor * high / (1 + high) ** 2, factor * low / (1 + low) ** 2


def _exponential(z: Fraction) -> tuple[Fraction, Fraction]:
    """Bounds of exp(z) for z >= 0: a part of its series, and the rest by a geometric series."""
    count = 3 * int(z) + 40
    term = total = Fraction(1)
    for k in range(1, count):
        term *= z / k
        total += term
    rest = term * z / count / (1 - z / (count + 1))
    return total, total + rest


# --- ranges, scales, steps ----------------------------------------------------------------------


def _check_range(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "activation", "targets", "outside", "least_error"})
    if not isinstance(data["activation"], str) or data["activation"] not in RANGES:
        raise Refused("the range of this activation is not known here")
    low, high, reached = RANGES[data["activation"]]
    targets = _numbers(data["targets"], MAX_POINTS)
    if not targets:
        raise Refused("there are no targets")
    outside, error = 0, Fraction(0)
    for target in targets:
        below = Fraction(low) - target if low else Fraction(-1)
        above = target - Fraction(high) if high else Fraction(-1)
        gap = max(below, above)
        outside += gap > 0 or (gap == 0 and not reached)
        error += max(gap, Fraction(0)) ** 2
    if type(data["outside"]) is not int or data["outside"] != outside:
        raise Refused("another number of targets is out of range")
    if exact_number(data["least_error"]) > error / len(targets):
        raise Refused("the error can be smaller")


def _check_variances(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "init", "inputs", "layers", "squares"})
    layers, fan_in = data["layers"], data["inputs"]
    if not isinstance(layers, list) or not 1 <= len(layers) <= MAX_LAYERS:
        raise Refused(f"there are 1 to {MAX_LAYERS} layers")
    squares = _numbers(data["squares"], MAX_LAYERS)
    if len(squares) != len(layers):
        raise Refused("each layer has its mean square")
    square = Fraction(1)
    for layer, given in zip(layers, squares, strict=True):
        if not isinstance(layer, list) or len(layer) != 2:
            raise Refused("a layer is an activation and a width")
        name, width = layer
        if not isinstance(name, str) or name not in _PARTS_OF_SQUARE:
            raise Refused("mean squares are exact for relu and linear units")
        if any(type(n) is not int or not 1 <= n <= 10**6 for n in (fan_in, width)):
            raise Refused("a width is a whole number")
        if given != fan_in * _variance(data["init"], fan_in, width) * square:
            raise Refused("a mean square is another number")
        square, fan_in = given * _PARTS_OF_SQUARE[name], width


def _variance(init: Any, fan_in: int, fan_out: int) -> Fraction:
    name, _, number = init.partition(":") if isinstance(init, str) else ("", "", "")
    if name in _EXACT_VARIANCES and not number:
        return _EXACT_VARIANCES[name](fan_in, fan_out)
    if name in ("normal", "uniform") and number:
        return exact_number(number) ** 2 / (1 if name == "normal" else 3)
    raise Refused("an initialiser is he_normal, lecun_normal, glorot_uniform, normal:S, uniform:S")


def _check_eigenvalue(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "inputs", "outputs", "low", "high", "vector"})
    rows = [[*row, Fraction(1)] for row in _rows(data["inputs"], MAX_POINTS)]
    low, high = exact_number(data["low"]), exact_number(data["high"])
    if type(data["outputs"]) is not int or not 1 <= data["outputs"] <= MAX_POINTS:
        raise Refused("the number of outputs is a whole number")
    scale = Fraction(2, len(rows) * data["outputs"])
    vector = _numbers(data["vector"], MAX_SIDE)
    if len(vector) != len(rows[0]) or not any(vector) or not 0 < low <= high:
        raise Refused("the vector has an entry for each weight and for the bias, not all 0")
    along = [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in rows]
    size = sum((v * v for v in vector), Fraction(0))
    if scale * sum((v * v for v in along), Fraction(0)) < low * size:
        raise Refused("the vector does not show so large an eigenvalue")
    columns = list(zip(*rows, strict=True))
    products = [
        [sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in columns]
        for x in columns
    ]
    gap = [
        [high * (i == j) - scale * value for j, value in enumerate(row)]
        for i, row in enumerate(products)
    ]
    common = lcm(*(value.denominator for row in gap for value in row))
    if common.bit_length() > 2 * MAX_BITS:
        raise Refused("the numbers have too many digits")
    if not _positive_definite([[int(value * common) for value in row] for row in gap]):
        raise Refused("an eigenvalue is not seen to be smaller")


def _check_chain(data: Mapping[str, Any]) -> None:
    with_fields(data, {"kind", "operands", "ranks", "path"})
    operands, ranks, path = data["operands"], data["ranks"], data["path"]
    for each in (operands, ranks, path):
        if not isinstance(each, list) or not 1 <= len(each) <= MAX_NODES:
            raise Refused(f"a graph has 1 to {MAX_NODES} nodes")
    if len(ranks) != len(operands) or any(type(n) is not int for n in [*ranks, *path]):
        raise Refused("each node has its rank")
    for node, (own, rank) in enumerate(zip(operands, ranks, strict=True)):
        if not isinstance(own, list) or len(own) > MAX_NODES:
            raise Refused("a node has a list of operands")
        if any(type(k) is not int or not 0 <= k < node for k in own):
            raise Refused("operands come before what uses them")
        if rank < max((ranks[k] + 1 for k in own), default=0):
            raise Refused("a rank is not above those of its operands")
    if any(not 0 <= k < len(operands) for k in path):
        raise Refused("the path names no node")
    if any(before not in operands[after] for before, after in pairwise(path)):
        raise Refused("the path does not follow operands")
    if len(path) - 1 != max(ranks):
        raise Refused("the path is not as long as the largest rank")


BOUND_KINDS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "gradient_bound": _check_gradient_bound,
    "slope_values": _check_slopes,
    "outside_range": _check_range,
    "variance_chain": _check_variances,
    "largest_eigenvalue": _check_eigenvalue,
    "longest_chain": _check_chain,
}
"""What checks each kind of certificate."""

__all__ = ["BOUND_KINDS", "RANGES", "STEEPEST", "norm_at_most", "slope_between"]
