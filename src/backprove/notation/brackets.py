"""Conditions on indices: building them, solving them for an axis, and finding them in terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from backprove.notation.axes import (
    Axis,
    Floor,
    Index,
    Size,
    divide_exactly,
    floor_divide,
    nonnegative,
)
from backprove.notation.effort import spend
from backprove.notation.expressions import ONE, ZERO, Add, Bracket, Expr, Mul, Num, Where

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


def determined(index: Index) -> tuple[Axis | None, bool]:
    """The axis that ``index == 0`` is used for, and whether to use it in other conditions too.

    That is the newest axis with one solution. Where it could be out of range, and another axis
    could not (``i`` of ``i = m*j + k``), it is that one, outside of conditions.
    """
    if _is_plain_delta(index):
        return max(index.axes, key=_age), True
    found = [a for a, _ in index.terms if isinstance(a, Axis) and solvable(index, a)]
    if not found:
        return None, True
    newest = max(found, key=_age)
    if len(index.axes) > 2 and not solve(index, newest).surely_within(newest.size):
        inside = [a for a in found if solve(index, a).surely_within(a.size)]
        if inside:
            return max(inside, key=_age), False
    return newest, True


def _age(axis: Axis) -> tuple[bool, int]:
    return not axis.bound, axis.key


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


@dataclass(frozen=True)
class Elimination:
    """A summed axis that an equation determines.

    Attributes:
        equation: the factor that is used up.
        axis: the axis.
        value: its only position.
        left: the conditions under which there is such a position.
    """

    equation: Bracket
    axis: Axis
    value: Index
    left: list[Expr]


def elimination(axes: Sequence[Axis], factors: Sequence[Expr]) -> Elimination | None:
    """An axis that one of the factors determines; one that no condition is left for if there is."""
    last = None
    for factor in factors:
        if not (isinstance(factor, Bracket) and factor.relation == "=="):
            continue
        found = None
        for axis in axes:
            if solvable(factor.index, axis):
                value = solve(factor.index, axis)
                if value.surely_within(axis.size):
                    return Elimination(factor, axis, value, [])
                found = found or _digit(factor, axis)
                found = found or Elimination(factor, axis, value, range_guards(value, axis.size))
            elif factor.index.weight:
                last = last or _multiple(factor, axis)
        if found is not None:
            return found
    return last


def _multiple(equation: Bracket, axis: Axis) -> Elimination | None:
    """``[c*k = x]`` says that ``k`` is ``x//c``, if ``c`` divides ``x``."""
    terms = dict(equation.index.terms)
    factor = terms.pop(axis, None)
    if factor is None or any(isinstance(a, Floor) and axis in a.axes for a in terms):
        return None
    rest = Index(terms, equation.index.offset)
    if factor.surely_nonnegative():
        rest = -rest
    else:
        factor = -factor
    if not factor.surely_nonnegative():
        return None
    value = floor_divide(rest, factor)
    left = [bracket("==", value * factor - rest), *range_guards(value, axis.size)]
    return Elimination(equation, axis, value, left)


def _digit(equation: Bracket, axis: Axis) -> Elimination | None:
    """``[m*j + k = x]``, for a ``k`` of size ``m``: ``j`` is ``x//m`` and ``k`` what remains."""
    terms = dict(equation.index.terms)
    sign = terms.pop(axis)
    quotients = {a: divide_exactly(c * sign, axis.size) for a, c in terms.items()}
    higher = Index({a: q for a, q in quotients.items() if q is not None}, Size.of(0))
    if not higher.terms:
        return None
    kept = {a: c * -sign for a, c in terms.items() if quotients[a] is None}
    number = Index(kept, equation.index.offset * -sign)
    quotient = floor_divide(number, axis.size)
    value = number - quotient * axis.size
    return Elimination(equation, axis, value, [bracket("==", higher - quotient)])


@dataclass(frozen=True)
class Settled:
    """Conditions of a product that one condition or number says as well."""

    gone: tuple[Expr, ...]
    value: Expr


def settle(factors: Iterable[Expr], equations: Sequence[Bracket]) -> Settled | None:
    """A condition that the equations decide, or two of them that are one."""
    for factor in factors:
        value = _implied(factor, equations)
        if value is not None:
            return Settled((factor,), value)
    for quotient in equations:
        if quotient.index.weight:
            for remainder in equations:
                both = _combined(quotient.index, remainder.index)
                if both is not None and remainder is not quotient:
                    return Settled((quotient, remainder), both)
    return None


def _combined(quotient: Index, remainder: Index) -> Expr | None:
    """``[x//m = r]`` and ``[x - m*(x//m) = s]`` as ``[x = m*r + s]``, for ``0 <= s < m``."""
    for floor, coefficient in quotient.terms:
        if not isinstance(floor, Floor) or coefficient.constant not in (1, -1):
            continue
        own, divisor = Index({floor: Size.of(1)}, Size.of(0)), floor.divisor
        whole = own - quotient * coefficient
        known = dict(remainder.terms).get(floor)
        if known is None or _has(whole, floor):
            continue
        for sign in (1, -1):
            if known == divisor * -sign:
                rest = floor.index - own * divisor - remainder * sign
                if not rest.weight and rest.surely_within(divisor):
                    return bracket("==", floor.index - whole * divisor - rest)
    return None


def _has(index: Index, floor: Floor) -> bool:
    return any(
        atom == floor or (isinstance(atom, Floor) and _has(atom.index, floor))
        for atom, _ in index.terms
    )


def _implied(factor: Expr, equations: Sequence[Bracket]) -> Num | None:
    """The number that a condition is wherever the equations hold, if one of them decides it."""
    if isinstance(factor, Bracket):
        if factor.relation == "==" and not factor.index.weight:
            return None
    elif not isinstance(factor, Where | Add) or not _only_conditions(factor):
        return None
    for equation in equations:
        for axis in equation.axes.intersection(factor.axes) if equation is not factor else ():
            if solvable(equation.index, axis):
                value = _decided(factor, {axis: solve(equation.index, axis)})
                if value is not None:
                    return value
    return None


def _only_conditions(expr: Expr) -> bool:
    match expr:
        case Num() | Bracket():
            return True
        case Add():
            return all(_only_conditions(t) for t, _ in expr.terms)
        case Where():
            return all(map(_only_conditions, (expr.condition, expr.yes, expr.no)))
    return False


def _decided(expr: Expr, mapping: Mapping[Axis, Index]) -> Num | None:
    """The value of an expression of conditions alone, with axes replaced, if it is one number."""
    match expr:
        case Num():
            return expr
        case Bracket():
            found = bracket(expr.relation, expr.index.substitute(mapping))
            return found if isinstance(found, Num) else None
        case Add():
            total = expr.constant
            for term, coefficient in expr.terms:
                part = _decided(term, mapping)
                if part is None:
                    return None
                total += coefficient * part.value
            return Num(total)
        case Where():
            condition = _decided(expr.condition, mapping)
            if condition is None:
                return None
            return _decided(expr.yes if condition.value else expr.no, mapping)
    return None


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
