"""Named functions written with exp and log, for exact evaluation.

``tanh``, ``sigmoid``, ``softmax``, ``logsumexp``, ``gelu`` and the others become rational functions
of exponentials, logarithms and a few functions that nothing rewrites (``sin``, ``cos``,
``arctan``, ``erf``). The formulas are those of the table of functions. Each rewriting is an
identity of real numbers wherever both sides are defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from backprove import functions
from backprove.notation import building as b
from backprove.notation.axes import Axis
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
    Sum,
    Tensor,
)
from backprove.notation.lowering import lower
from backprove.notation.normal_form import (
    factorised,
    leading_sign,
    piecewise,
    power_of_number,
    scaled,
)

KEPT = ("exp", "log", "sin", "cos", "arctan", "erf")
"""Functions that stay; every other one is rewritten."""


def exponential_form(expr: Expr) -> Expr:
    """The expression with every named function written by those of :data:`KEPT`.

    Args:
        expr: any expression.

    Returns:
        An expression that equals ``expr`` wherever both are defined.

    >>> from backprove.notation import declare, lower
    >>> exponential_form(lower("sigmoid(x)", declare({"x": ""})).tensor().body)
    (((1·exp((-1·x)) + 1))^(-1))
    """
    return _rewrite(expr, {})


def _rewrite(expr: Expr, memo: dict[Expr, Expr]) -> Expr:
    known = memo.get(expr)
    if known is None:
        known = memo[expr] = _compute(expr, memo)
    return known


def _compute(expr: Expr, memo: dict[Expr, Expr]) -> Expr:
    match expr:
        case Fn():
            return _function(expr.name, [_rewrite(a, memo) for a in expr.args], memo)
        case Mul():
            parts = []
            for base, exponent in expr.factors:
                new = _rewrite(base, memo)
                if isinstance(new, Num):
                    parts.append(power_of_number(new.value, exponent))
                else:
                    parts.append(b.power(new, exponent))
            return b.mul(Num(expr.coefficient), *parts)
        case Sum():
            fresh, body = b.opened(expr)
            return _total(fresh, _rewrite(body, memo))
        case Bind():
            return _slice(expr, memo)
    return b.rebuild(expr, lambda child: _rewrite(child, memo), lambda index: index)


def _total(axes: Sequence[Axis], body: Expr) -> Expr:
    """The sum, split over terms, with exponentials that do not depend on the axes moved out."""
    if isinstance(body, Add):
        parts = [b.mul(Num(c), _total(axes, t)) for t, c in body.terms]
        return b.add(b.total(axes, Num(body.constant)), *parts)
    outside: list[Expr] = []
    inside: list[Expr] = []
    for factor in _factors(body):
        if isinstance(factor, Fn) and factor.name == "exp" and isinstance(factor.args[0], Add):
            moved, kept = _split(factor.args[0], axes)
            outside.append(b.fn("exp", moved))
            inside.append(b.fn("exp", kept))
        else:
            inside.append(factor)
    return b.mul(*outside, b.total(axes, b.mul(*inside)))


def _factors(body: Expr) -> list[Expr]:
    if isinstance(body, Mul):
        return [Num(body.coefficient), *(b.power(f, e) for f, e in body.factors)]
    return [body]


def _split(argument: Add, axes: Sequence[Axis]) -> tuple[Expr, Expr]:
    """The terms that do not depend on ``axes``, and those that do."""
    moved = [b.mul(Num(c), t) for t, c in argument.terms if t.axes.isdisjoint(axes)]
    kept = [b.mul(Num(c), t) for t, c in argument.terms if not t.axes.isdisjoint(axes)]
    return b.add(Num(argument.constant), *moved), b.add(*kept)


def _slice(expr: Bind, memo: dict[Expr, Expr]) -> Expr:
    fresh, body = b.opened(expr)
    body = _rewrite(body, memo)
    if expr.kind == "softmax":
        own = b.substitute(body, dict(zip(fresh, expr.at, strict=True)))
        return b.divide(_exp(own), _total(fresh, _exp(body)))
    if expr.kind == "logsumexp":
        return _log(_total(fresh, _exp(body)))
    return b.bind(expr.kind, fresh, body, expr.at)


def _function(name: str, args: Sequence[Expr], memo: dict[Expr, Expr]) -> Expr:
    first = args[0]
    with_indicators = piecewise(name, args)
    if with_indicators is not None:
        return with_indicators
    if name == "exp":
        return _exp(first)
    if name == "log":
        return _log(first)
    if name == "pow":
        return _power(first, args[1])
    if name in KEPT or name not in functions.ELEMENTWISE:
        return b.fn(name, *args)
    template, symbols = _formula(name)
    values = {s: Tensor((), a) for s, a in zip(symbols, args, strict=True)}
    return _rewrite(b.inline(template, values), memo)


@cache
def _formula(name: str) -> tuple[Expr, tuple[Array, ...]]:
    record = functions.lookup(name)
    symbols = tuple(Array(letter, ()) for letter in ("x", "y")[: record.arity])
    return lower(record.formula, {s.name: s for s in symbols}).tensor().body, symbols


def _exp(argument: Expr) -> Expr:
    """``exp(c·log(v) + rest) = v**c · exp(rest)``; ``exp(log(v))`` is defined where ``v > 0``."""
    if isinstance(argument, Add):
        terms = [*argument.terms, (ONE, argument.constant)]
    else:
        coefficient, core = b.split_coefficient(argument)
        terms = [(core, coefficient)]
    powers = [b.power(t.args[0], c) for t, c in terms if isinstance(t, Fn) and t.name == "log"]
    rest = [b.mul(Num(c), t) for t, c in terms if not (isinstance(t, Fn) and t.name == "log")]
    return b.mul(*powers, b.fn("exp", b.add(*rest)))


def _power(base: Expr, exponent: Expr) -> Expr:
    """``base**exponent = exp(exponent·log(base))``, the product multiplied out."""
    logarithm = _log(base)
    if not isinstance(exponent, Add):
        return _exp(b.mul(exponent, logarithm))
    parts = [b.mul(Num(c), t, logarithm) for t, c in exponent.terms]
    return _exp(b.add(*parts, b.mul(Num(exponent.constant), logarithm)))


def _log(value: Expr) -> Expr:
    """The logarithm, split over factors that are surely positive."""
    if isinstance(value, Num):
        return _log_of_number(value.value)
    if isinstance(value, Fn) and value.name == "exp":
        return value.args[0]
    if isinstance(value, Mul):
        return _log_of_product(value)
    if isinstance(value, Add):
        return _log_of_sum(value)
    return b.fn("log", value)


def _log_of_number(value: Fraction) -> Expr:
    if value <= 0:
        return Fn("log", (Num(value),))
    parts = [
        b.mul(b.num(sign * count), b.fn("log", b.num(prime)))
        for number, sign in ((value.numerator, 1), (value.denominator, -1))
        for prime, count in factorised(number)
    ]
    return b.add(*parts)


def _log_of_product(value: Mul) -> Expr:
    logs: list[Expr] = []
    rest: list[tuple[Expr, Fraction]] = []
    for base, exponent in value.factors:
        if b.surely_positive(base):
            logs.append(b.mul(Num(exponent), _log(base)))
        else:
            rest.append((base, exponent))
    if value.coefficient > 0:
        logs.append(_log_of_number(value.coefficient))
        lead = Fraction(1)
    else:
        lead = value.coefficient
    if lead == 1 and len(rest) == 1:
        ((base, exponent),) = rest
        # An even power is positive for negative bases too, where log(base) is not defined.
        if exponent.numerator % 2:
            return b.add(*logs, b.mul(Num(exponent), b.fn("log", base)))
    remaining = b.mul(Num(lead), *(b.power(f, e) for f, e in rest))
    return b.add(*logs, ZERO if remaining is ONE else b.fn("log", remaining))


def _log_of_sum(value: Add) -> Expr:
    """``log(a + c·exp(u)) = u + log(c + a·exp(-u))`` so that ``u`` has one orientation."""
    if len(value.terms) == 1 and value.constant > 0:
        ((term, coefficient),) = value.terms
        if coefficient > 0 and isinstance(term, Fn) and term.name == "exp":
            (u,) = term.args
            if leading_sign(u) < 0:
                mirrored = b.mul(Num(value.constant), b.fn("exp", scaled(-1, u)))
                return b.add(u, b.fn("log", b.add(Num(coefficient), mirrored)))
    return b.fn("log", value)
