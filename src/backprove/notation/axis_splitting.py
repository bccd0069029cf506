"""Axes of flattened arrays: a sum over them runs over rows and columns instead.

Where a summed axis ``k`` of size ``n*m`` is only a row ``k//m`` and a column ``k - m*(k//m)``, as
in ``sum(ravel(X))`` or a trace of a Kronecker product, two axes in its place have no floors, so
that deltas on them can be eliminated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from backprove.notation.axes import Axis, Floor, Index, Size, divide_exactly
from backprove.notation.expressions import Bind, Bracket, Expr, Ref
from backprove.notation.traversal import subexpressions

MAX_NODES = 60
"""How many nodes of an expression are searched for a floor."""


@dataclass(frozen=True)
class Split:
    """The axes of a sum after one of them was split, and what stands for that one."""

    axes: list[Axis]
    mapping: dict[Axis, Index]


def split_axis(axes: Sequence[Axis], body: Expr) -> Split | None:
    """A summed axis as ``m*row + column`` of two new axes, where ``body`` has ``axis//m``."""
    for axis in axes:
        if not _is_composite(axis.size):
            continue
        divisor = _divisor(axis, body)
        if divisor is not None:
            rows = divide_exactly(axis.size, divisor)
            assert rows is not None
            row, column = Axis(rows), Axis(divisor)
            others = [a for a in axes if a is not axis]
            return Split([*others, row, column], {axis: Index.of(row) * divisor + column})
    return None


def _is_composite(size: Size) -> bool:
    """True if the size can be a product: quick, since nearly all axes end here."""
    if len(size.terms) != 1:
        return len(size.terms) > 1
    ((monomial, coefficient),) = size.terms
    return len(monomial) + (coefficient > 1) > 1 or not monomial or monomial[0][1] > 1


def _divisor(axis: Axis, body: Expr) -> Size | None:
    """The ``m`` of a floor ``axis//m`` in an expression, if it divides the size of the axis."""
    for expr in islice(subexpressions(body, along=axis), MAX_NODES):
        indices = expr.at if isinstance(expr, Ref | Bind) else ()
        for index in (expr.index,) if isinstance(expr, Bracket) else indices:
            found = _in_index(axis, index)
            if found is not None:
                return found
    return None


def _in_index(axis: Axis, index: Index) -> Size | None:
    if not index.weight or axis not in index.axes:
        return None
    for atom, _ in index.terms:
        if isinstance(atom, Floor):
            if atom.index.axis is axis and divide_exactly(axis.size, atom.divisor) is not None:
                return atom.divisor
            inner = _in_index(axis, atom.index)
            if inner is not None:
                return inner
    return None
