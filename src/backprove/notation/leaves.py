"""Leaves of expressions, and products put together as they are: nothing here is simplified."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from backprove.notation.axes import Axis, Index, Quotient, Size
from backprove.notation.expressions import (
    ONE,
    UNIT,
    ZERO,
    Array,
    Expr,
    Mul,
    Named,
    Num,
    Ref,
    Tensor,
)

Number = int | Fraction
PI = Named("constant", "pi")


def num(value: Number) -> Num:
    """An exact number."""
    return Num(Fraction(value))


_opaque_sizes: dict[str, Size] = {}


def size_atom(atom: str | Quotient) -> Expr:
    """A named size, or the quotient of one, as a value."""
    _opaque_sizes.setdefault(str(atom), Size.named(atom))
    return Named("size", str(atom))


def size_of_name(name: str) -> Size:
    """The size that a ``Named("size", name)`` stands for."""
    return _opaque_sizes.get(name) or Size.named(name)


def ref(array: Array, *at: int | Size | Axis | Index) -> Expr:
    """The entry of ``array`` at the given indices."""
    indices = tuple(i if i.axis else i.without_single_axes() for i in map(Index.of, at))
    if array.domain in ("symmetric", "spd") and len(indices) == 2:
        indices = tuple(sorted(indices, key=lambda i: i.key))
    return Ref(array, indices)


def entire(array: Array, axes: Sequence[Axis] | None = None) -> Tensor:
    """The array as a tensor over fresh axes (or the given ones)."""
    axes = tuple(axes) if axes is not None else tuple(Axis(s) for s in array.shape)
    return Tensor(axes, ref(array, *axes))


def split_coefficient(expr: Expr) -> tuple[Fraction, Expr]:
    """The numeric factor of an expression, and the rest."""
    if isinstance(expr, Num):
        return expr.value, ONE
    if isinstance(expr, Mul) and expr.coefficient is not UNIT and expr.coefficient != 1:
        return expr.coefficient, product(UNIT, expr.factors)
    return UNIT, expr


def product(coefficient: Fraction, factors: tuple[tuple[Expr, Fraction], ...]) -> Expr:
    """Factors in canonical order with a coefficient, as one node."""
    if not coefficient:
        return ZERO
    if not factors:
        return Num(coefficient)
    if len(factors) == 1 and coefficient == 1 and factors[0][1] == 1:
        return factors[0][0]
    return Mul(coefficient, factors)
