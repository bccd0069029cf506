"""Is the claim off by one of the truth's factors, by one of its terms, or by a delta?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from backprove.checking.trial import Mistake, Trial, close, over, printed, ratio_of
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index
from backprove.notation.expressions import (
    ZERO,
    Add,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Num,
    Ref,
    Sum,
    Tensor,
    Test,
)
from backprove.notation.index_text import IndexPrinter, names_in


def by_terms(trial: Trial, claim: Tensor, indices: Sequence[str]) -> Mistake | None:
    """The claim is off by a term, by a factor of the truth, or by a delta."""
    truth = _matched_axes(trial.truth, claim)
    for search in (
        _only_the_diagonal,
        _missing_delta,
        _factor_of_whole,
        _one_term,
        _missing_terms,
        _factor_of_term,
    ):
        found = search(trial, truth, claim, indices)
        if found is not None or trial.exhausted:
            return found
    return None


def _matched_axes(truth: Tensor, claim: Tensor) -> Expr:
    """The truth written over the claim's axes."""
    mapping = {t: Index.of(c) for t, c in zip(truth.axes, claim.axes, strict=True)}
    return b.substitute(truth.body, mapping)


def terms_of(body: Expr) -> list[Expr]:
    """The terms of a sum, multiplied out one level where a factor is a sum."""
    if isinstance(body, Add):
        parts = [b.mul(Num(c), t) for t, c in body.terms]
        whole = parts + ([Num(body.constant)] if body.constant else [])
        return [t for p in whole for t in (terms_of(p) if p is not body else [p])]
    if isinstance(body, Mul):
        for base, exponent in body.factors:
            if isinstance(base, Add) and exponent == 1:
                rest = [b.power(o, e) for o, e in body.factors if o is not base]
                lead = Num(body.coefficient)
                inner = [b.mul(lead, Num(c), t, *rest) for t, c in base.terms]
                if base.constant:
                    inner.append(b.mul(lead, Num(base.constant), *rest))
                return [t for p in inner for t in terms_of(p)]
    if isinstance(body, Sum):
        fresh, inside = b.opened(body)
        parts = terms_of(inside)
        if len(parts) > 1:
            return [b.total(fresh, p) for p in parts]
    return [body] if body is not ZERO else []


def _missing_delta(
    trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]
) -> Mistake | None:
    for first in range(len(claim.axes)):
        for second in range(first + 1, len(claim.axes)):
            one, two = claim.axes[first], claim.axes[second]
            if one.size != two.size:
                continue
            fixed = over(claim, b.mul(claim.body, b.delta(one, two)))
            if fixed.body is not claim.body and trial.matches(fixed):
                names = [indices[k] if k < len(indices) else f"axis {k}" for k in (first, second)]
                return Mistake("missing_delta", f"[{names[0]}={names[1]}]", printed(fixed, indices))
    return _delta_under_sums(trial, claim, indices)


def _delta_under_sums(trial: Trial, claim: Tensor, indices: Sequence[str]) -> Mistake | None:
    """A product of sums where a sum of products is meant: a delta joins two summed indices."""
    factors = claim.body.factors if isinstance(claim.body, Mul) else ((claim.body, Fraction(1)),)
    bound: list[Axis] = []
    parts: list[Expr] = [Num(claim.body.coefficient)] if isinstance(claim.body, Mul) else []
    for base, exponent in factors:
        if isinstance(base, Sum) and exponent == 1:
            fresh, inside = b.opened(base)
            bound += fresh
            parts.append(inside)
        else:
            parts.append(b.power(base, exponent))
    for k, one in enumerate(bound[:6]):
        for two in (*bound[k + 1 : 6], *claim.axes):
            if one.size != two.size:
                continue
            fixed = over(claim, b.total(bound, b.mul(*parts, b.delta(one, two))))
            if trial.matches(fixed):
                return Mistake("missing_delta", "two indices summed apart", printed(fixed, indices))
    return None


def _only_the_diagonal(
    trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]
) -> Mistake | None:
    """The claim is right on the diagonal and zero off it, as a rule for scalars would have it."""
    if len(claim.axes) != 2 or claim.axes[0].size != claim.axes[1].size:
        return None
    expected, given = trial.expected(), trial.values(claim.body, claim.axes)
    if not close(given, np.diag(np.diag(expected))) or close(given, expected):
        return None
    where = "the entries off the diagonal"
    return Mistake("scalar_rule", where, printed(over(claim, truth), indices))


def _factors_of_truth(truth: Expr) -> Iterator[tuple[Expr, Fraction]]:
    seen: set[tuple[Expr, Fraction]] = set()
    for term in [truth, *terms_of(truth)]:
        pairs = term.factors if isinstance(term, Mul) else ((term, Fraction(1)),)
        for pair in pairs:
            if pair not in seen:
                seen.add(pair)
                yield pair
                if pair[1] not in (1, -1):
                    yield (pair[0], Fraction(1 if pair[1] > 0 else -1))


def _name_of_missing(base: Expr, exponent: Fraction, truth: Expr) -> str:
    if isinstance(base, Bracket) or (isinstance(base, Bind) and base.kind == "argmax"):
        return "missing_delta"
    if isinstance(base, (Test,)) or _is_slope(base):
        return "missing_chain"
    if exponent < 0 and isinstance(base, Ref):
        return "missing_chain"
    if exponent < 0 and (_holds_sum(base) or not base.axes):
        return "missing_normalizer"
    return "missing_factor"


def _holds_sum(base: Expr) -> bool:
    return isinstance(base, Sum) or any(_holds_sum(c) for c in base.children())


def _is_slope(base: Expr) -> bool:
    """True for what elementwise derivatives look like: 1 - tanh², σ(1-σ), cos(x), ..."""
    if isinstance(base, Fn):
        return True
    if isinstance(base, Add):
        return any(
            isinstance(f, Fn)
            for t, _ in base.terms
            for f in (t, *(t.children() if isinstance(t, Mul) else ()))
        )
    return False


def _factor_of_whole(
    trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]
) -> Mistake | None:
    for base, exponent in _factors_of_truth(truth):
        if not base.axes <= set(claim.axes):
            continue
        fixed = over(claim, b.mul(claim.body, b.power(base, exponent)))
        if trial.matches(fixed):
            name = _name_of_missing(base, exponent, truth)
            return Mistake(
                name, _shown(b.power(base, exponent), claim, indices), printed(fixed, indices)
            )
        if trial.exhausted:
            return None
    if isinstance(claim.body, Mul):
        for base, exponent in claim.body.factors:
            for power in {exponent, Fraction(1 if exponent > 0 else -1)}:
                fixed = over(claim, b.mul(claim.body, b.power(base, -power)))
                if trial.matches(fixed):
                    shown = _shown(b.power(base, power), claim, indices)
                    return Mistake("extra_factor", shown, printed(fixed, indices))
    return None


def _shown(expr: Expr, claim: Tensor, indices: Sequence[str]) -> str:
    names = dict(zip(claim.axes, indices, strict=False)) if len(indices) == len(claim.axes) else {}
    printer = IndexPrinter(names_in(expr) | set(names.values()), names)
    return printer.text(expr)


def _one_term(trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]) -> Mistake | None:
    """One term of the claim has the wrong sign, the wrong number, or should not be there."""
    terms = terms_of(claim.body)
    if len(terms) < 2:
        return None
    for term in terms:
        flipped = over(claim, b.sub(claim.body, b.mul(Num(Fraction(2)), term)))
        if trial.matches(flipped):
            return Mistake("sign", _shown(term, claim, indices), printed(flipped, indices))
        dropped = over(claim, b.sub(claim.body, term))
        if trial.matches(dropped):
            return Mistake("extra_term", _shown(term, claim, indices), printed(dropped, indices))
        if trial.exhausted:
            return None
        rest = trial.expected() - trial.values(dropped.body, claim.axes)
        ratio = ratio_of(rest, trial.values(term, claim.axes))
        if ratio is not None:
            fixed = over(claim, b.add(dropped.body, b.mul(Num(ratio), term)))
            if trial.matches(fixed):
                name = "missing_factor" if abs(ratio) > 1 else "extra_factor"
                return Mistake(name, _shown(term, claim, indices), printed(fixed, indices))
    return None


def _missing_terms(
    trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]
) -> Mistake | None:
    terms = terms_of(truth)
    if len(terms) < 2:
        return None
    for count in (1, 2):
        for group in _groups(terms, count):
            added = b.add(*group)
            fixed = over(claim, b.add(claim.body, added))
            if trial.matches(fixed):
                return Mistake(
                    "missing_term", _shown(added, claim, indices), printed(fixed, indices)
                )
            if trial.exhausted:
                return None
    return None


def _groups(terms: Sequence[Expr], count: int) -> Iterator[tuple[Expr, ...]]:
    if count == 1:
        yield from ((t,) for t in terms)
        return
    for k, first in enumerate(terms):
        for second in terms[k + 1 :]:
            yield first, second


def _factor_of_term(
    trial: Trial, truth: Expr, claim: Tensor, indices: Sequence[str]
) -> Mistake | None:
    """One term of the claim lacks a factor of the truth."""
    terms = terms_of(claim.body)
    if len(terms) < 2:
        return None
    for term in terms:
        rest = b.sub(claim.body, term)
        for base, exponent in _factors_of_truth(truth):
            if not base.axes <= set(claim.axes):
                continue
            fixed = over(claim, b.add(rest, b.mul(term, b.power(base, exponent))))
            if trial.matches(fixed):
                name = _name_of_missing(base, exponent, truth)
                return Mistake(name, _shown(term, claim, indices), printed(fixed, indices))
            if trial.exhausted:
                return None
    return None
