"""What is known of a value by its form alone: positivity, the value at 0, powers of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from backprove.notation.expressions import ZERO, Add, Bind, Expr, Fn, Mul, Named, Num, Ref, Sum

_MAX_EXPONENT = 10**6

AT_ZERO: Mapping[str, int | Fraction] = {
    "exp": 1,
    "log1p": 0,
    "expm1": 0,
    "sin": 0,
    "cos": 1,
    "tan": 0,
    "tanh": 0,
    "sinh": 0,
    "cosh": 1,
    "arctan": 0,
    "abs": 0,
    "sign": 0,
    "sigmoid": Fraction(1, 2),
    "relu": 0,
    "leaky_relu": 0,
    "elu": 0,
    "gelu": 0,
    "silu": 0,
    "erf": 0,
}


def surely_positive(expr: Expr) -> bool:
    """True if the value is > 0 everywhere in the domain, by its form alone."""
    match expr:
        case Num():
            return expr.value > 0
        case Named():
            return True
        case Ref():
            return expr.array.domain in ("positive", "prob", "unit")
        case Fn(name="exp" | "sigmoid" | "softplus" | "cosh"):
            return True
        case Bind(kind="softmax"):
            return True
        case Bind(kind="det"):
            return isinstance(expr.body, Ref) and expr.body.array.domain == "spd"
        case Mul():
            return expr.coefficient > 0 and all(surely_positive(b) for b, _ in expr.factors)
        case Add():
            return expr.constant >= 0 and all(c > 0 and surely_positive(t) for t, c in expr.terms)
        case Sum():
            return surely_positive(expr.body)
    return False


def power_of_number(value: Fraction, exponent: Fraction) -> Expr:
    """A power of a number, exact where that is possible at a small size."""
    if value == 0:
        return ZERO if exponent > 0 else Mul(Fraction(1), ((ZERO, exponent),))
    if value == 1:
        return Num(value)
    if value == -1 and exponent.denominator == 1:
        return Num(Fraction(1 if exponent % 2 == 0 else -1))
    if exponent.denominator == 1 and abs(exponent) <= _MAX_EXPONENT:
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if bits * abs(int(exponent)) <= 4096:
            return Num(value ** int(exponent))
    if exponent.denominator == 2 and value > 0 and abs(exponent) <= 64:
        top, bottom = _exact_root(value.numerator), _exact_root(value.denominator)
        if top is not None and bottom is not None:
            return Num(Fraction(top, bottom) ** int(exponent * 2))
    return Mul(Fraction(1), ((Num(value), exponent),))


def _exact_root(value: int) -> int | None:
    root = math.isqrt(value)
    return root if root * root == value else None
