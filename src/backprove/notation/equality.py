"""Proofs that two tensor expressions are equal, by canonical form or exact evaluation.

Two expressions are equal if they agree wherever both are defined. The difference is first brought
to its normal form (:mod:`backprove.notation.normal_form`): if that is 0, they are equal for all
sizes. Else it is evaluated exactly at random points of finite fields
(:mod:`backprove.notation.exact_field`), first with symbolic sizes, then at small sizes that are
all different. ``different`` is reported only with certainty; numbers that differ in floating
point are found elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backprove.errors import ShapeError
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, shape_text
from backprove.notation.exact_field import FieldVerdict, OutsideArray, vanishes
from backprove.notation.exponential_form import exponential_form
from backprove.notation.expressions import ZERO, Bind, Bracket, Expr, Named, Ref, Sum, Tensor
from backprove.notation.normal_form import TERMS, normal_form
from backprove.notation.traversal import names_in_index, subexpressions

Status = Literal["equal", "different", "unknown"]
CANONICAL = "canonical form"
FIELD = "exact finite field"
ALL_SIZES = "all sizes"
_GREATEST_SIZE = 12


@dataclass(frozen=True)
class Equality:
    """Whether two tensors are equal wherever both are defined, and how that is known.

    Attributes:
        status: ``equal``, ``different`` or ``unknown``.
        method: ``canonical form`` or ``exact finite field``; empty if unknown.
        scope: ``all sizes``, or the sizes tried, such as ``n=2, d=3; n=3, d=2``.
        almost_everywhere: whether a null set of inputs (kinks, ties) may be excepted.
        error_probability: of ``equal``: 0 for a canonical form, else a bound.
        reason: of ``unknown``: what stood in the way.
    """

    status: Status
    method: str = ""
    scope: str = ""
    almost_everywhere: bool = False
    error_probability: float = 0.0
    reason: str = ""

    @property
    def proved(self) -> bool:
        """Whether equality is proved."""
        return self.status == "equal"


def compare(
    left: Tensor, right: Tensor, *, sizes: Mapping[str, int] | None = None, seed: int = 0
) -> Equality:
    """Try to prove that two tensors are equal.

    Args:
        left: a tensor.
        right: a tensor of the same shape.
        sizes: values for named sizes that exact evaluation at concrete sizes has to use.
        seed: of the random points.

    Returns:
        The verdict. ``equal`` holds wherever both sides are defined.

    Raises:
        ShapeError: the shapes differ.

    >>> from backprove.notation import declare, lower
    >>> symbols = declare({"A": "n m", "B": "m n"})
    >>> first, second = (lower(t, symbols).tensor() for t in ("trace(A @ B)", "trace(B @ A)"))
    >>> compare(first, second)
    Equality(status='equal', method='canonical form', scope='all sizes', ...)
    """
    if left.shape != right.shape:
        raise ShapeError(
            f"shapes {shape_text(left.shape)} and {shape_text(right.shape)} cannot be compared"
        )
    one, other = _over_common_axes(left, right)
    if one is other:
        return Equality("equal", CANONICAL, ALL_SIZES)
    difference = b.sub(one, other)
    reduced = normal_form(difference)
    if reduced is ZERO:
        return Equality("equal", CANONICAL, ALL_SIZES)
    return _by_field(difference, reduced, left.axes, dict(sizes or {}), seed)


def _over_common_axes(left: Tensor, right: Tensor) -> tuple[Expr, Expr]:
    """Both bodies over the axes of ``left``, with 0 for every index that has no other value."""
    single = {a: Index.of(0) for a in left.axes if a.size == 1}
    common = [single.get(a, Index.of(a)) for a in left.axes]
    other = b.substitute(right.body, dict(zip(right.axes, common, strict=True)))
    return b.substitute(left.body, single), other


def _by_field(
    difference: Expr, reduced: Expr | None, axes: Sequence[Axis], sizes: dict[str, int], seed: int
) -> Equality:
    forms = [difference] if reduced is None else [reduced]
    expanded = normal_form(exponential_form(forms[0]), TERMS)
    if expanded is ZERO:
        return Equality("equal", CANONICAL, ALL_SIZES)
    if expanded is not None:
        forms.append(expanded)
    for form in forms:
        verdict = vanishes(form, axes, seed=seed)
        if verdict.status == "zero":
            return _equal(verdict, ALL_SIZES)
    return _at_small_sizes(difference, reduced, axes, sizes, seed)


def _equal(verdict: FieldVerdict, scope: str) -> Equality:
    return Equality("equal", FIELD, scope, verdict.almost_everywhere, verdict.error_probability)


def _at_small_sizes(
    difference: Expr,
    reduced: Expr | None,
    axes: Sequence[Axis],
    sizes: Mapping[str, int],
    seed: int,
) -> Equality:
    verdicts: list[FieldVerdict] = []
    scopes: list[str] = []
    for start, turned in ((2, False), (3, True)):
        found = _at_fitting_sizes(difference, reduced, axes, _Plan(start, turned), sizes, seed)
        if found is None:
            return Equality("unknown", reason="no small sizes fit the expression")
        verdict, assignment = found
        scope = ", ".join(f"{name}={value}" for name, value in assignment.items())
        if verdict.status == "nonzero":
            if verdict.certain:
                return Equality("different", FIELD, scope or ALL_SIZES)
            return Equality("unknown", reason="exact evaluation knows no identity that makes it 0")
        if verdict.status == "undecided":
            return Equality("unknown", reason=verdict.reason)
        verdicts.append(verdict)
        scopes.append(scope)
        if all(name in sizes for name in assignment):
            break
    return Equality(
        "equal",
        FIELD,
        "; ".join(dict.fromkeys(scopes)) or ALL_SIZES,
        any(v.almost_everywhere for v in verdicts),
        sum(v.error_probability for v in verdicts),
    )


@dataclass(frozen=True)
class _Plan:
    """How to number the free sizes: from ``start`` on, the last one first if ``turned``.

    With more than two free sizes the start is 2, because sums grow with each of them.
    """

    start: int
    turned: bool


def _at_fitting_sizes(
    difference: Expr,
    reduced: Expr | None,
    axes: Sequence[Axis],
    plan: _Plan,
    sizes: Mapping[str, int],
    seed: int,
) -> tuple[FieldVerdict, dict[str, int]] | None:
    """The verdict at the first assignment of sizes at which no entry lies outside an array."""
    for assignment in _assignments(difference, axes, plan, sizes):
        try:
            verdict = vanishes(difference, axes, assignment, seed=seed + plan.start, strict=True)
        except OutsideArray:
            continue
        if verdict.status == "nonzero" and not verdict.certain and reduced is not None:
            verdict = vanishes(reduced, axes, assignment, seed=seed + plan.start)
        return verdict, assignment
    return None


def _assignments(
    expr: Expr, axes: Sequence[Axis], plan: _Plan, fixed: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Small, different values of the named sizes for which all axes have entries."""
    extents = all_sizes(expr) | {a.size for a in axes}
    names = sorted(set().union(*(s.names() for s in extents)))
    free = [n for n in names if n not in fixed]
    taken = {fixed[n] for n in names if n in fixed}
    start = plan.start if len(free) <= 2 else 2
    for first in range(start, _GREATEST_SIZE if free else start + 1):
        values = [v for v in range(first, first + len(names) + 1) if v not in taken][: len(free)]
        chosen = dict(zip(free[::-1] if plan.turned else free, values, strict=True))
        found = {n: chosen[n] if n in chosen else fixed[n] for n in names}
        if all(s.at(found) >= 1 for s in extents):
            yield found


def all_sizes(expr: Expr) -> set[Size]:
    """The sizes of all arrays and bound axes of an expression, and sizes used as values."""
    found: set[Size] = set()
    for node in subexpressions(expr):
        match node:
            case Ref():
                found.update(node.array.shape)
            case Sum() | Bind():
                found.update(a.size for a in node.bound)
            case Named(kind="size"):
                found.add(b.size_of_name(node.name))
            case Bracket():
                found.update(map(Size.named, names_in_index(node.index)))
    return found


__all__ = ["ALL_SIZES", "CANONICAL", "FIELD", "Equality", "all_sizes", "compare"]
