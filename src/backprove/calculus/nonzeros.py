"""How many entries of a derivative can differ from zero, counted from its conditions on indices.

The entries at which a term can differ from zero are the solutions of its deltas and inequalities.
One term is counted by solving its equations one axis at a time; several are counted as a union, by
inclusion and exclusion, and where all terms of a part cancel for all values the part is left out.
Where a count would need more than that, an upper bound takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, nonnegative
from backprove.notation.brackets import range_guards, solvable, solve
from backprove.notation.expressions import ONE, ZERO, Bracket, Expr

MAX_TERMS = 6
"""Unions of more terms are bounded by the sum of their counts: 2^k parts are too many."""


@dataclass(frozen=True)
class Count:
    """A number of entries.

    Attributes:
        size: the number, or an upper bound of it.
        exact: whether every one of them can differ from zero.
        at: the solved axes in terms of the others.
    """

    size: Size
    exact: bool
    at: dict[Axis, Index]


NOTHING = Count(Size.of(0), True, {})


def nonzero_count(terms: Sequence[tuple[Sequence[Bracket], Expr]], axes: Sequence[Axis]) -> Size:
    """The number of entries at which a sum of terms can differ from zero, or an upper bound.

    Args:
        terms: for each term the conditions on indices that it is multiplied by, and the rest.
        axes: the axes of the sum.
    """
    entries = entry_count(axes)
    parts = {
        chosen: positions([c for k in chosen for c in terms[k][0]], axes)
        for length in range(1, (len(terms) if len(terms) <= MAX_TERMS else 1) + 1)
        for chosen in combinations(range(len(terms)), length)
    }
    if len(terms) <= MAX_TERMS and all(p.exact for p in parts.values()):
        return _union(parts, [rest for _, rest in terms])
    bound = sum((parts[k,].size for k in range(len(terms))), Size.of(0))
    return entries if nonnegative(bound - entries) else bound


def _union(parts: dict[tuple[int, ...], Count], rests: Sequence[Expr]) -> Size:
    """The size of a union, from the sizes of all intersections."""
    total = Size.of(0)
    for chosen, part in parts.items():
        if part.size.constant == 0:
            continue
        if len(chosen) > 1 and _cancels([rests[k] for k in chosen], part.at):
            continue
        exactly = Size.of(0)  # entries where these terms, and no others, can differ from zero
        for other, intersection in parts.items():
            if set(chosen) <= set(other):
                sign = -1 if (len(other) - len(chosen)) % 2 else 1
                exactly = exactly + intersection.size * sign
        total = total + exactly
    return total


def _cancels(rests: Iterable[Expr], at: dict[Axis, Index]) -> bool:
    return b.add(*(b.substitute(rest, at) for rest in rests)) is ZERO


def entry_count(axes: Iterable[Axis]) -> Size:
    """The number of entries of an array over the given axes."""
    total = Size.of(1)
    for axis in axes:
        total = total * axis.size
    return total


def positions(conditions: Iterable[Bracket], axes: Sequence[Axis]) -> Count:
    """The number of positions that satisfy all conditions."""
    free, waiting, at = list(axes), list(dict.fromkeys(conditions)), dict[Axis, Index]()
    while True:
        choice = _equation(waiting, free)
        if choice is None:
            return _ordered(waiting, free, at)
        equation, axis = choice
        solution = solve(equation.index, axis)
        free.remove(axis)
        at = {a: i.substitute({axis: solution}) for a, i in at.items()} | {axis: solution}
        changed = [b.substitute(c, {axis: solution}) for c in waiting if c is not equation]
        changed += range_guards(solution, axis.size)
        if ZERO in changed:
            return NOTHING
        waiting = [c for c in dict.fromkeys(changed) if c is not ONE and isinstance(c, Bracket)]


def _equation(waiting: Sequence[Bracket], free: Sequence[Axis]) -> tuple[Bracket, Axis] | None:
    """An equation with an axis to solve it for, one without limits on the others if there is."""
    found = [(c, a) for c in waiting if c.relation == "==" for a in free if solvable(c.index, a)]
    for equation, axis in found:
        if solve(equation.index, axis).surely_within(axis.size):
            return equation, axis
    return found[0] if found else None


def _ordered(waiting: Sequence[Bracket], free: Sequence[Axis], at: dict[Axis, Index]) -> Count:
    """The count where only inequalities, and equations that nothing solves, are left."""
    exact, total = True, Size.of(1)
    remaining = set(free)
    for axis in free:
        about = [c for c in waiting if axis in c.index.axes]
        others = {a for c in about for a in c.index.axes} - {axis}
        if axis not in remaining or len(others) > 1:
            continue
        if not others:
            number = _between(about, axis)
        else:
            (other,) = others
            both = [c for c in waiting if other in c.index.axes]
            number = _below(about[0], axis, other) if len(about) == 1 and both == about else None
            number = number if other in remaining else None
        if number is not None:
            total = total * number
            remaining -= {axis, *others}
    exact = not remaining and all(c.index.axes for c in waiting)
    return Count(total * entry_count(remaining), exact, at)


def _between(conditions: Sequence[Bracket], axis: Axis) -> Size | None:
    """How many positions of one axis lie between bounds; None if that is not clear."""
    low, high = Size.of(0), axis.size - 1
    for condition in conditions:
        coefficient = dict(condition.index.terms).get(axis)
        if condition.relation != "<=" or coefficient is None or len(condition.index.terms) > 1:
            return None
        if coefficient == 1 and nonnegative(high + condition.index.offset):
            high = -condition.index.offset
        elif coefficient == -1 and nonnegative(condition.index.offset - low):
            low = condition.index.offset
        else:
            return None
    number = high - low + 1
    return number if nonnegative(number) else None


def _below(condition: Bracket, first: Axis, second: Axis) -> Size | None:
    """How many positions satisfy ``i + c <= j`` over two axes; None if that is not clear."""
    coefficients = dict(condition.index.terms)
    if condition.relation != "<=" or {first, second} != set(coefficients):
        return None
    if coefficients[first] == -1:
        first, second = second, first
    if coefficients[first] != 1 or coefficients[second] != -1:
        return None
    rows, columns, shift = first.size, second.size, condition.index.offset
    if nonnegative(-shift - 1):
        rest = _staircase(columns, rows, 1 - shift)  # the opposite: j + 1 - c <= i
        return None if rest is None else rows * columns - rest
    return _staircase(rows, columns, shift) if nonnegative(shift) else None


def _staircase(rows: Size, columns: Size, shift: Size) -> Size | None:
    """How many (i, j) have ``i + shift <= j``, for a shift of at least 0."""
    longest = columns - shift  # in row 0
    if not nonnegative(longest):
        return None
    if nonnegative(rows - longest):
        return (longest * (longest + 1)).floor_divide(2)
    if nonnegative(longest - rows):
        return rows * longest - (rows * (rows - 1)).floor_divide(2)
    return None
