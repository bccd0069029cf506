r"""Products of sums whose factors cancel, multiplied out: p(1-p) (y/p - (1-y)/(1-p)) is y - p.

The chain rule leaves a factor beside a sum in which the same factor divides a term. Where the
product without that quotient is shorter it is taken; the two are equal wherever both are defined.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from backprove.notation import building as b
from backprove.notation.effort import spend
from backprove.notation.expressions import Add, Bind, Bracket, Expr, Mul, Num, Ref, Sum
from backprove.notation.traversal import subexpressions

MAX_WEIGHT = 20_000
"""Longer expressions stay as they are: nobody reads them."""

MAX_TERMS = 24
"""Sums that would have more terms when they are multiplied out stay as they are."""


def cancelled(expr: Expr) -> Expr:
    """The expression with products shortened by cancelling.

    >>> from backprove.notation import declare, lower
    >>> symbols = declare({"p": "", "y": ""})
    >>> body = lower("p*(1 - p)*(y/p - (1 - y)/(1 - p))", symbols).tensor().body
    >>> cancelled(body) is lower("y - p", symbols).tensor().body
    True
    """
    if expr.weight > MAX_WEIGHT:
        return expr
    memo: dict[Expr, Expr] = {}

    def visit(node: Expr) -> Expr:
        if node not in memo:
            memo[node] = _visited(node, visit)
        return memo[node]

    return visit(expr)


def _visited(node: Expr, visit) -> Expr:  # type: ignore[no-untyped-def]
    spend(1)
    if isinstance(node, Sum):
        axes, body = b.opened(node)
        inside = visit(body)
        return node if inside is body else b.total(axes, inside)
    if isinstance(node, Bind):
        axes, body = b.opened(node)
        inside = visit(body)
        return node if inside is body else b.bind(node.kind, axes, inside, node.at)
    if all(visit(child) is child for child in node.children()):
        found = node
    else:
        found = b.rebuild(node, visit, lambda index: index)
    if isinstance(found, Mul):
        return _negated(_shorter(found))
    return _factored(found)


def _shorter(expr: Mul) -> Expr:
    """The product with one of its sums multiplied out, if a factor cancels and it gets shorter."""
    for base, exponent in expr.factors:
        if not isinstance(base, Add) or exponent != 1:
            continue
        divisors = {f for t, _ in base.terms if isinstance(t, Mul) for f, e in t.factors if e < 0}
        inside = [(f, e) for f, e in expr.factors if f in divisors and e >= 1 and f is not base]
        if not inside:
            continue
        taken = dict(inside)
        rest = [b.power(f, e) for f, e in expr.factors if f is not base and f not in taken]
        lead = b.mul(*(b.power(f, e) for f, e in inside))
        for total in (_distributed(base, lead, expand) for expand in (True, False)):
            if total is None:
                continue
            candidate = b.mul(Num(expr.coefficient), *rest, _factored(total))
            if candidate.weight < expr.weight:
                return candidate
    return expr


def _negated(expr: Expr) -> Expr:
    """``-(a - b)`` as ``b - a``."""
    if isinstance(expr, Mul) and expr.coefficient == -1 and len(expr.factors) == 1:
        ((base, exponent),) = expr.factors
        if isinstance(base, Add) and exponent == 1:
            return b.add(Num(-base.constant), *(b.mul(Num(-c), t) for t, c in base.terms))
    return expr


def _factored(expr: Expr) -> Expr:
    """The sum with the factors that all its terms share taken out, if that is no longer."""
    if not isinstance(expr, Add) or expr.constant or len(expr.terms) < 2:
        return expr
    powers = [dict(t.factors) if isinstance(t, Mul) else {t: Fraction(1)} for t, _ in expr.terms]
    shared: list[Expr] = []
    for base in powers[0]:
        if not isinstance(base, Bracket) and not _reads_inside(base):
            continue  # a condition in each term may keep its indices inside
        exponents = [p.get(base, Fraction(0)) for p in powers]
        if min(exponents) > 0:
            shared.append(b.power(base, min(exponents)))
        elif max(exponents) < 0:
            shared.append(b.power(base, max(exponents)))
    if not shared:
        return expr
    common = b.mul(*shared)
    rest = b.add(*(b.mul(Num(c), b.divide(t, common)) for t, c in expr.terms))
    candidate = b.mul(common, rest)
    return candidate if candidate.weight <= expr.weight else expr


def _reads_inside(expr: Expr) -> bool:
    """True if no index of an expression leaves its array, whatever stands beside it."""
    for node in subexpressions(expr):
        if isinstance(node, Ref):
            pairs = zip(node.at, node.array.shape, strict=True)
            if not all(index.surely_within(size) for index, size in pairs):
                return False
    return True


def _distributed(base: Add, lead: Expr, expand: bool) -> Expr | None:
    """``lead * base`` term by term; the sums of a term are multiplied out too if asked."""
    terms: list[Expr] = [b.mul(Num(base.constant), lead)] if base.constant else []
    for term, coefficient in base.terms:
        whole = b.mul(Num(coefficient), lead, term)
        parts = _expanded(whole) if expand else [whole]
        if parts is None:
            return None
        terms += parts
        if len(terms) > MAX_TERMS:
            return None
    return b.add(*terms)


def _expanded(expr: Expr) -> list[Expr] | None:
    if not isinstance(expr, Mul):
        return [expr]
    sums = [f for f, e in expr.factors if isinstance(f, Add) and e == 1]
    count = 1
    for found in sums:
        count *= len(found.terms) + (found.constant != 0)
    if count > MAX_TERMS:
        return None
    rest = [b.power(f, e) for f, e in expr.factors if not (isinstance(f, Add) and e == 1)]
    lead = Num(expr.coefficient)
    return [b.mul(lead, *rest, *chosen) for chosen in product(*map(_parts, sums))]


def _parts(expr: Add) -> list[Expr]:
    parts = [b.mul(Num(c), t) for t, c in expr.terms]
    return [*parts, Num(Fraction(expr.constant))] if expr.constant else parts
