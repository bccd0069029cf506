"""Sums whose value is a fact: softmax, probabilities, a matrix times its inverse."""

from __future__ import annotations

from backprove.notation.axes import Axis, Index
from backprove.notation.brackets import delta
from backprove.notation.expressions import ONE, Bind, Expr, Mul, Ref


def known_sum(axes: list[Axis], body: Expr, factors: list[Expr]) -> Expr | None:
    """The value of a sum over ``axes``, if it is a fact; ``factors`` are those of ``body``."""
    if len(axes) == 1:
        (axis,) = axes
        if isinstance(body, Bind) and body.kind in ("softmax", "argmax"):
            alone = [i.axis for i in body.at] == [axis] and axis not in body.body.axes
            if alone and axis.size == body.bound[0].size:
                return ONE
        if isinstance(body, Ref) and body.array.domain in ("prob", "sum1", "onehot") and body.at:
            alone = all(axis not in i.axes for i in body.at[:-1])
            if body.at[-1].axis is axis and alone and axis.size == body.array.shape[-1]:
                return ONE
        if isinstance(body, Mul) and body.coefficient == 1 and len(body.factors) == 2:
            return _inverse_times_matrix(axis, factors)
    return None


def _inverse_times_matrix(axis: Axis, factors: list[Expr]) -> Expr | None:
    for first, second in (factors, factors[::-1]):
        if not (isinstance(first, Bind) and first.kind == "inv" and isinstance(second, Ref)):
            continue
        if not isinstance(first.body, Ref) or first.body.array is not second.array:
            continue
        rows, columns = first.bound
        if axis.size != rows.size:
            continue
        pattern = first.body.at
        for summed, other in ((1, 0), (0, 1)):
            if first.at[summed].axis is not axis or axis in first.at[other].axes:
                continue
            matched = (columns, rows) if summed == 0 else (rows, columns)
            found = _match_matrix(pattern, second.at, matched, axis)
            if found is not None:
                return delta(first.at[other], found)
    return None


def _match_matrix(
    pattern: tuple[Index, ...], at: tuple[Index, ...], bound: tuple[Axis, Axis], axis: Axis
) -> Index | None:
    """The free index ``e`` with ``pattern[bound := (axis, e)] == at``, if there is one."""
    result: Index | None = None
    for expected, given in zip(pattern, at, strict=True):
        if expected.axis is bound[0]:
            if given.axis is not axis:
                return None
        elif expected.axis is bound[1]:
            result = given
        elif expected != given:
            return None
    return result
