"""Which values are zero only on a null set, read off from their form alone.

Proofs may use ``[v == 0] = 0`` and ``[-v > 0] = 1 - [v > 0]`` almost everywhere only where ``v`` is
known to differ from 0 almost everywhere, at every value of its indices: ``x[i] - x[j]`` is not
such a value, because of ``i = j``, and neither is ``relu(x)``.
"""

from __future__ import annotations

from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.expressions import (
    Add,
    Array,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Named,
    Num,
    Ref,
    Sum,
    Test,
)

_FREE = ("real", "positive", "nonsingular")
_ZERO_ONLY_AT_ZERO = ("tanh", "sinh", "arctan", "erf", "softsign", "expm1", "silu", "gelu")


def nonzero_almost_everywhere(expr: Expr) -> bool:
    """True if the value is 0 only on a null set of inputs, for all sizes and indices.

    Args:
        expr: any expression.

    Returns:
        True if the form of the expression shows it: positive values, entries of free arrays,
        products of such, and values that are affine in an array that occurs once, as
        ``sum(k, X[i,k]*W[j,k])``: for fixed other inputs their zeros form a hyperplane.
    """
    if b.surely_positive(expr):
        return True
    match expr:
        case Num():
            return expr.value != 0
        case Ref():
            return expr.array.domain in _FREE
        case Mul():
            return all(nonzero_almost_everywhere(base) for base, _ in expr.factors)
        case Fn():
            return expr.name in _ZERO_ONLY_AT_ZERO and nonzero_almost_everywhere(expr.args[0])
        case Add() | Sum():
            counts = occurrences(expr)
            once = [a for a, n in counts.items() if n == 1 and a.domain in _FREE]
            return any(_affine_in(expr, a, ()) for a in once)
    return False


def occurrences(expr: Expr) -> dict[Array, int]:
    """How often each array occurs in an expression, 2 standing for more than once."""
    return _occurrences(expr, {})


def _occurrences(expr: Expr, memo: dict[Expr, dict[Array, int]]) -> dict[Array, int]:
    known = memo.get(expr)
    if known is None:
        known = {expr.array: 1} if isinstance(expr, Ref) else {}
        for child in expr.children():
            for array, count in _occurrences(child, memo).items():
                known[array] = min(2, known.get(array, 0) + count)
        memo[expr] = known
    return known


def _affine_in(expr: Expr, array: Array, bound: tuple[Axis, ...]) -> bool:
    """True if some entry of ``array``, which occurs once, has a coefficient that is not 0."""
    match expr:
        case Ref():
            # Entries at different values of the bound axes must be different entries.
            plain = {i.axis for i in expr.at}
            return all(axis in plain for axis in bound)
        case Add():
            (term,) = (t for t, _ in expr.terms if array in occurrences(t))
            return _affine_in(term, array, bound)
        case Mul():
            ((base, exponent),) = ((f, e) for f, e in expr.factors if array in occurrences(f))
            others = [f for f, _ in expr.factors if f is not base]
            return (
                exponent == 1
                and all(nonzero_almost_everywhere(o) for o in others)
                and _affine_in(base, array, bound)
            )
        case Sum():
            return _affine_in(expr.body, array, (*bound, *expr.bound))
    return False


def is_rational(expr: Expr, *, indicators: bool) -> bool:
    """True if the value is a rational function of entries that may take any real value.

    Args:
        expr: any expression.
        indicators: whether indicators of values may occur; then the value is a rational function
            wherever the indicators are constant.
    """
    match expr:
        case Num() | Bracket():
            return True
        case Named():
            return expr.kind == "size"
        case Ref():
            return expr.array.domain in ("real", "positive", "nonsingular", "symmetric", "spd")
        case Test():
            return indicators
        case Mul():
            if any(e.denominator != 1 for _, e in expr.factors):
                return False
        case Bind():
            if expr.kind not in ("inv", "det", "prod"):
                return False
        case Add() | Sum():
            pass
        case _:
            return False
    return all(is_rational(child, indicators=indicators) for child in expr.children())
