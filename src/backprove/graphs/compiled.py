"""Scalar expressions as plain functions of numbers or of arrays of numbers.

A scalar graph has few kinds of operations and many nodes. Each kind is compiled once, into nested
closures over its expression; nothing is generated as text. The functions take a list of operands
and work on one number and on an array of numbers alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from backprove import functions
from backprove.notation.expressions import (
    Add,
    Array,
    Expr,
    Fn,
    Mul,
    Named,
    Num,
    Ref,
    Test,
    Where,
)

Compiled = Callable[[Sequence[Any]], Any]

_RELATIONS = {">": np.greater, ">=": np.greater_equal, "==": np.equal}


class NotScalar(Exception):
    """The expression holds a node that is about arrays."""


def compiled(expr: Expr, position: Mapping[Array, int]) -> Compiled:
    """The expression as a function of its operands.

    Args:
        expr: an expression without free axes.
        position: the place of each operand in the list that the function takes.

    Raises:
        NotScalar: a sum, a slice or a named size occurs.
    """
    match expr:
        case Num():
            constant = float(expr.value)
            return lambda a: constant
        case Named(kind="constant"):
            return lambda a: math.pi
        case Ref(at=()):
            place = position[expr.array]
            return lambda a: a[place]
        case Add():
            return _sum(expr, position)
        case Mul():
            return _product(expr, position)
        case Fn():
            return _function(expr, position)
        case Test():
            value, relation = compiled(expr.value, position), _RELATIONS[expr.relation]
            return lambda a: _truth(relation, value(a))
        case Where():
            condition, yes, no = (compiled(e, position) for e in expr.children())
            return lambda a: np.where(condition(a) != 0, yes(a), no(a))[()]
    raise NotScalar(type(expr).__name__)


def _truth(relation: Any, value: Any) -> Any:
    return np.where(np.isnan(value), np.nan, relation(value, 0))[()]


def _sum(expr: Add, position: Mapping[Array, int]) -> Compiled:
    terms = [(compiled(t, position), float(c)) for t, c in expr.terms]
    if len(terms) == 2 and not expr.constant:
        (first, c1), (second, c2) = terms
        if c1 == c2 == 1:
            return lambda a: first(a) + second(a)
    constant = float(expr.constant)

    def add(a: Sequence[Any]) -> Any:
        total = constant
        for term, coefficient in terms:
            total = total + coefficient * term(a)
        return total

    return add


def _product(expr: Mul, position: Mapping[Array, int]) -> Compiled:
    factors = [_power(compiled(base, position), e) for base, e in expr.factors]
    if expr.coefficient == 1 and len(factors) == 2:
        first, second = factors
        return lambda a: first(a) * second(a)
    if expr.coefficient == 1 and len(factors) == 1:
        return factors[0]
    coefficient = float(expr.coefficient)

    def multiply(a: Sequence[Any]) -> Any:
        product = coefficient
        for factor in factors:
            product = product * factor(a)
        return product

    return multiply


def _power(base: Compiled, exponent: Fraction) -> Compiled:
    # The same cases as in notation.evaluation, so that both give the same last digit.
    if exponent == 1:
        return base
    if exponent.denominator == 1:
        whole = int(exponent)
        if whole > 0:
            return lambda a: base(a) ** whole
        return lambda a: np.float64(1.0) / base(a) ** -whole
    if exponent.denominator == 2:
        whole = exponent.numerator
        if whole > 0:
            return lambda a: np.sqrt(base(a)) ** whole
        return lambda a: np.float64(1.0) / np.sqrt(base(a)) ** -whole
    general = float(exponent)
    return lambda a: np.power(base(a), general)


def _function(expr: Fn, position: Mapping[Array, int]) -> Compiled:
    arguments = [compiled(e, position) for e in expr.args]
    value = _elementwise(expr.name)
    if len(arguments) == 1:
        argument = arguments[0]
        return lambda a: value(argument(a))
    return lambda a: value(*(argument(a) for argument in arguments))


def _elementwise(name: str) -> Callable[..., Any]:
    return np.power if name == "pow" else functions.lookup(name).value
