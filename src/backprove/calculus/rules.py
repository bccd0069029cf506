"""The derivative of one node with respect to one entry of one array.

There is one rule for each node type of the notation; a named function's derivative is the text of
its record, read once. References: Laue, Mitterreiter, Giesen, "Computing Higher Order Derivatives
of Matrix and Tensor Expressions" (NeurIPS 2018) for index notation; Petersen and Pedersen, "The
Matrix Cookbook" (2012), eq. 41, 43, 59 for det and inv.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from backprove import functions
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index
from backprove.notation.expressions import (
    ONE,
    ZERO,
    Add,
    Array,
    Bind,
    Expr,
    Fn,
    Mul,
    Num,
    Ref,
    Sum,
    Tensor,
    Where,
)
from backprove.notation.lowering import lower


def partial(expr: Expr, array: Array, at: Sequence[Axis]) -> Expr:
    """The derivative of ``expr`` with respect to the entry ``array[at]``.

    Args:
        expr: a scalar function of its free axes.
        array: the array to differentiate by; other arrays are constant.
        at: fresh axes, one per axis of ``array``.

    Returns:
        An expression over the free axes of ``expr`` and ``at``. Where ``expr`` has a kink, the
        convention of the function's record is taken.
    """
    return _partial(expr, array, tuple(at), {})


def _partial(expr: Expr, array: Array, at: tuple[Axis, ...], memo: dict[Expr, Expr]) -> Expr:
    known = memo.get(expr)
    if known is None:
        known = memo[expr] = _rule(expr, array, at, memo)
    return known


def _rule(expr: Expr, array: Array, at: tuple[Axis, ...], memo: dict[Expr, Expr]) -> Expr:
    match expr:
        case Ref():
            if expr.array is not array:
                return ZERO
            return b.mul(*(b.delta(own, axis) for own, axis in zip(expr.at, at, strict=True)))
        case Add():
            parts = [b.mul(Num(c), _partial(t, array, at, memo)) for t, c in expr.terms]
            return b.add(*parts)
        case Mul():
            return _product_rule(expr, array, at, memo)
        case Sum():
            fresh, body = b.opened(expr)
            return b.total(fresh, _partial(body, array, at, {}))
        case Fn():
            parts = []
            for position, argument in enumerate(expr.args):
                inner = _partial(argument, array, at, memo)
                if inner is not ZERO:
                    parts.append(b.mul(slope(expr.name, expr.args, position), inner))
            return b.add(*parts)
        case Where():
            yes, no = (_partial(e, array, at, memo) for e in (expr.yes, expr.no))
            return b.where(expr.condition, yes, no)
        case Bind():
            return _slice_rule(expr, array, at)
    return ZERO


def _product_rule(expr: Mul, array: Array, at: tuple[Axis, ...], memo: dict[Expr, Expr]) -> Expr:
    parts = []
    for position, (base, exponent) in enumerate(expr.factors):
        inner = _partial(base, array, at, memo)
        if inner is ZERO:
            continue
        others = [b.power(o, e) for k, (o, e) in enumerate(expr.factors) if k != position]
        lead = Num(expr.coefficient * exponent)
        parts.append(b.mul(lead, b.power(base, exponent - 1), *others, inner))
    return b.add(*parts)


def slope(name: str, args: Sequence[Expr], position: int) -> Expr:
    """The derivative of a named function in its argument ``position``, at ``args``."""
    if name == "pow":
        base, exponent = args
        if position == 0:
            lowered = b.fn("pow", base, b.sub(exponent, ONE))
            return b.mul(exponent, lowered)
        return b.mul(b.fn("pow", base, exponent), b.fn("log", base))
    template, symbols = _slope_template(name, position)
    values = {s: Tensor((), a) for s, a in zip(symbols, args, strict=True)}
    return b.inline(template, values)


@cache
def _slope_template(name: str, position: int) -> tuple[Expr, tuple[Array, ...]]:
    record = functions.lookup(name)
    symbols = tuple(Array(letter, ()) for letter in ("x", "y")[: record.arity])
    text = record.derivative
    if not isinstance(text, str):
        text = text[position]
    program = lower(text, {s.name: s for s in symbols})
    return program.tensor().body, symbols


def _slice_rule(expr: Bind, array: Array, at: tuple[Axis, ...]) -> Expr:
    fresh, body = b.opened(expr)
    inner = _partial(body, array, at, {})
    if inner is ZERO or expr.kind == "argmax":
        return ZERO
    kind = expr.kind
    if kind == "softmax":
        own = b.substitute(inner, dict(zip(fresh, expr.at, strict=True)))
        weights = b.bind("softmax", fresh, body, fresh)
        average = b.total(fresh, b.mul(weights, inner))
        return b.mul(expr, b.sub(own, average))
    if kind == "logsumexp":
        return b.total(fresh, b.mul(b.bind("softmax", fresh, body, fresh), inner))
    if kind in ("max", "min"):
        signed = body if kind == "max" else b.neg(body)
        return b.total(fresh, b.mul(b.bind("argmax", fresh, signed, fresh), inner))
    if kind == "prod":
        others = _product_of_others(fresh, body)
        return b.total(fresh, b.mul(others, inner))
    return _matrix_rule(expr, fresh, body, inner)


def _product_of_others(fresh: tuple[Axis, ...], body: Expr) -> Expr:
    """The product over all entries but the one at ``fresh``; right at zeros, unlike a quotient."""
    again = tuple(Axis(a.size) for a in fresh)
    other = b.substitute(body, {a: Index.of(c) for a, c in zip(fresh, again, strict=True)})
    same = b.mul(*(b.delta(a, c) for a, c in zip(fresh, again, strict=True)))
    return b.bind("prod", again, b.where(same, ONE, other), ())


def _matrix_rule(expr: Bind, fresh: tuple[Axis, ...], body: Expr, inner: Expr) -> Expr:
    rows, columns = fresh
    if expr.kind == "inv":
        left = b.bind("inv", fresh, body, (expr.at[0], rows))
        right = b.bind("inv", fresh, body, (columns, expr.at[1]))
        return b.neg(b.total(fresh, b.mul(left, inner, right)))
    inverse = b.bind("inv", fresh, body, (columns, rows))
    lead = expr if expr.kind == "det" else ONE
    return b.mul(lead, b.total(fresh, b.mul(inverse, inner)))
