"""Conditions on indices: building them, solving them for an axis, and finding them in terms."""

from __future__ import annotations

from collections.abc import Sequence

from backprove.notation.axes import Axis, Index, Size, nonnegative
from backprove.notation.effort import spend
from backprove.notation.expressions import ONE, ZERO, Add, Bracket, Expr, Mul, Num

_PLUS, _MINUS = Size.of(1), Size.of(-1)


def bracket(relation: str, index: Index) -> Expr:
    """The indicator of ``index == 0`` or ``index <= 0``, decided where that is possible."""
    if relation == "==" and _is_plain_delta(index) and not _joins_single_axis(index):
        return Bracket("==", index if index.terms[0][1] is _PLUS else -index)
    spend(2 + len(index.terms))
    index = index.without_single_axes()
    limits = index.bounds()
    if relation == "==":
        if index.terms and not (index.terms[0][1]).surely_nonnegative():
            index = -index
        if index.value is not None and index.value.constant is not None:
            return ONE if index.value.constant == 0 else ZERO
        if limits and (_positive(limits[0]) or _positive(-limits[1])):
            return ZERO
        return Bracket("==", index)
    if index.value is not None and index.value.constant is not None:
        return ONE if index.value.constant <= 0 else ZERO
    if limits:
        if _positive(limits[0]):
            return ZERO
        if _positive(1 - limits[1]):
            return ONE
    return Bracket("<=", index)


def _is_plain_delta(index: Index) -> bool:
    """True for the difference of two axes, the most common case: both start at 0."""
    if len(index.terms) != 2 or index.offset.terms:
        return False
    (first, c1), (second, c2) = index.terms
    if not (isinstance(first, Axis) and isinstance(second, Axis)):
        return False
    return (c1 is _PLUS and c2 is _MINUS) or (c1 is _MINUS and c2 is _PLUS)


def _joins_single_axis(index: Index) -> bool:
    """True if a longer axis is set equal to one of size 1, which only holds at its start."""
    first, second = (atom.size for atom, _ in index.terms if isinstance(atom, Axis))
    return first is not second and (first == 1 or second == 1)


def _positive(size: Size) -> bool:
    return nonnegative(size - 1)


def delta(first: int | Size | Axis | Index, second: int | Size | Axis | Index) -> Expr:
    """The Kronecker delta of two indices."""
    one, two = Index.of(first), Index.of(second)
    a, c = one.axis, two.axis
    if a is not None and c is not None and a is not c and (a.size is c.size or _both_long(a, c)):
        positive, negative = (a, c) if a.key < c.key else (c, a)
        return Bracket("==", Index({positive: _PLUS, negative: _MINUS}, Size.of(0)))
    return bracket("==", one - two)


def _both_long(first: Axis, second: Axis) -> bool:
    return not (first.size == 1 or second.size == 1)


def newest_axis(index: Index) -> Axis | None:
    """The newest axis that ``index == 0`` determines."""
    if _is_plain_delta(index):
        return max(index.axes, key=lambda a: (not a.bound, a.key))
    candidates = [
        a
        for a, c in index.terms
        if isinstance(a, Axis) and c.constant in (1, -1) and not _inside_floor(a, index)
    ]
    return max(candidates, key=lambda a: (not a.bound, a.key)) if candidates else None


def _inside_floor(axis: Axis, index: Index) -> bool:
    return index.weight > 0 and any(
        not isinstance(atom, Axis) and axis in atom.axes for atom, _ in index.terms
    )


def solve(index: Index, axis: Axis) -> Index:
    """The value of ``axis`` for which ``index`` is 0; its coefficient must be 1 or -1."""
    if _is_plain_delta(index):
        (first, _), (second, _) = index.terms
        return Index.of(second if first is axis else first)  # type: ignore[arg-type]
    coefficient = dict(index.terms)[axis]
    rest = index - Index({axis: coefficient}, Size.of(0))
    return -rest if coefficient.constant == 1 else rest


def must_split(body: Add, axes: Sequence[Axis]) -> bool:
    if body.constant and len(body.terms) == 0:
        return True
    return any(
        has_delta(t, axes) or (any(a not in t.axes for a in axes) and _is_light(t))
        for t, _ in body.terms
    )


def _is_light(term: Expr) -> bool:
    return isinstance(term, (Bracket, Num))


def has_delta(term: Expr, axes: Sequence[Axis]) -> bool:
    """Whether a delta on one of the axes stands in a product or a sum of products."""
    if term.axes.isdisjoint(axes):
        return False
    spend(1)
    parts = [b for b, e in term.factors if e == 1] if isinstance(term, Mul) else [term]
    for part in parts:
        if isinstance(part, Bracket) and part.relation == "==":
            if any(solvable(part.index, a) for a in axes):
                return True
        elif isinstance(part, Add) and any(has_delta(t, axes) for t, _ in part.terms):
            return True
    return False


def solvable(index: Index, axis: Axis) -> bool:
    if axis not in index.axes:
        return False
    coefficient = dict(index.terms).get(axis)
    return (
        coefficient is not None
        and coefficient.constant in (1, -1)
        and not _inside_floor(axis, index)
    )


def range_guards(index: Index, size: Size) -> list[Expr]:
    """Indicators of ``0 <= index`` and ``index < size``."""
    return [bracket("<=", -index), bracket("<=", index - size + 1)]
