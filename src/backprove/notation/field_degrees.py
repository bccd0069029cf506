"""Degrees of the rational functions that :mod:`backprove.notation.exact_field` evaluates.

The bound counts inputs, indicators and uninterpreted values as variables. It is coarse on purpose:
with primes of more than 100 bits there is room.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from backprove.notation.axes import Axis
from backprove.notation.expressions import (
    Add,
    Bind,
    Expr,
    Fn,
    Mul,
    Num,
    Sum,
    Where,
)
from backprove.notation.traversal import subexpressions

Degrees = tuple[int, int]


def degree_bound(expr: Expr, sizes: Mapping[str, int] | None) -> int:
    """An upper bound for numerator plus denominator degree of all values of an expression.

    Args:
        expr: an expression in exponential form.
        sizes: the value of every named size; None if sums are uninterpreted.

    >>> from backprove.notation import declare, lower
    >>> degree_bound(lower("x**3 / (1 + x)", declare({"x": ""})).tensor().body, None)
    8
    """
    memo: dict[Expr, Degrees] = {}
    _degrees(expr, sizes, memo)
    return max(2, *(top + bottom for top, bottom in memo.values()))


def _degrees(expr: Expr, sizes: Mapping[str, int] | None, memo: dict[Expr, Degrees]) -> Degrees:
    known = memo.get(expr)
    if known is None:
        parts = [_degrees(c, sizes, memo) for c in expr.children()]
        known = memo[expr] = _combine(expr, parts, sizes)
    return known


def _combine(expr: Expr, parts: list[Degrees], sizes: Mapping[str, int] | None) -> Degrees:
    match expr:
        case Num():
            return 0, 0
        case Mul():
            return _product([(p, e) for p, (_, e) in zip(parts, expr.factors, strict=True)])
        case Add():
            return _sum([*parts, (0, 0)])
        case Where():
            return _sum([_product([(p, Fraction(1)), (parts[0], Fraction(1))]) for p in parts[1:]])
        case Sum():
            if sizes is None:
                return 1, 0
            count = _count(expr.bound, sizes)
            top, bottom = parts[0]
            return top + (count - 1) * bottom, count * bottom
        case Fn():
            if expr.name == "exp":
                reach = (sum(parts[0]) + 1) * _height(expr.args[0])
                return reach, reach
            return 2, 2
        case Bind():
            if sizes is None:
                return 1, 0
            return _slice(expr, parts[0], sizes)
    return 2, 0


def _product(factors: list[tuple[Degrees, Fraction]]) -> Degrees:
    top = bottom = 0
    for (over, under), exponent in factors:
        if exponent.denominator != 1:
            reach = math.ceil(abs(exponent)) * (over + under + 1)
            over, under = reach, reach
        else:
            times = abs(int(exponent))
            over, under = (over, under) if exponent > 0 else (under, over)
            over, under = over * times, under * times
        top, bottom = top + over, bottom + under
    return top, bottom


def _sum(parts: list[Degrees]) -> Degrees:
    bottom = sum(under for _, under in parts)
    return max(over + bottom - under for over, under in parts), bottom


def _slice(expr: Bind, part: Degrees, sizes: Mapping[str, int]) -> Degrees:
    if expr.kind in ("max", "min", "argmax", "logdet"):
        return 2, 0
    top, bottom = part
    count = _count(expr.bound, sizes)
    if expr.kind == "prod":
        return count * top, count * bottom
    reach = count * (top + count * bottom) + 1
    return reach, reach


def _count(axes: tuple[Axis, ...], sizes: Mapping[str, int]) -> int:
    return math.prod(a.size.at(sizes) for a in axes)


def _height(expr: Expr) -> int:
    """A bound for numerators and denominators of the coefficients of an exponent."""
    found: set[Fraction] = set()
    for node in subexpressions(expr):
        match node:
            case Num():
                found.add(node.value)
            case Mul():
                found.add(node.coefficient)
            case Add():
                found.update([node.constant, *(c for _, c in node.terms)])
    return math.prod(max(1, abs(f.numerator)) * f.denominator for f in found)
