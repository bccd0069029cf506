"""Trying candidates against the truth at a few points, and writing them as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from backprove.calculus import numeric
from backprove.errors import BackproveError
from backprove.notation.axes import Axis
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import (
    Expr,
    Tensor,
)
from backprove.notation.index_text import IndexPrinter, index_text, names_in
from backprove.notation.matrix_form import matrix_form

MAX_WORK = 24_000.0
"""Counted work, not time, so that every machine names a mistake alike: one rough edit of a small
claim is one unit, about 50 microseconds."""
LARGE = 2000
"""So many entries cost as much as the rest of an edit."""
WORK_OF_TRIAL = 40.0
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Mistake:
    """A mistake with its name.

    Attributes:
        name: one of :data:`backprove.checking.verdict.MISTAKES`.
        where: the place: a term, a factor or an index.
        fixed: the claim with the smallest change that makes it right; None if it has no text.
        also: further names that the same edit has, such as ``missing_factor`` for half of a
            doubled path.
        weak: True if a mistake that the derivation itself shows explains the claim better.
        by_number: True if all that is missing is a number such as 2.
    """

    name: str
    where: str
    fixed: str | None
    also: tuple[str, ...] = ()
    weak: bool = False
    by_number: bool = False


@dataclass
class Trial:
    """Tries candidates against the truth at three points, the first for speed."""

    truth: Tensor
    points: list[numeric.Point]
    work: float = 0.0

    def __post_init__(self) -> None:
        self._evaluators = [Evaluator(p.values, p.sizes) for p in self.points]
        self._expected = [e.tensor(self.truth) for e in self._evaluators]

    @property
    def exhausted(self) -> bool:
        """True if the budget is used up."""
        return self.work >= MAX_WORK

    def spend(self, amount: float, entries: int) -> None:
        """Count work: an amount for small arrays, and more for arrays of many entries."""
        self.work += amount * (1 + entries / LARGE)

    def values(self, expr: Expr, axes: Sequence[Axis], point: int = 0) -> np.ndarray:
        """The array of an expression at one of the points."""
        return self._evaluators[point].dense(expr, axes)

    def expected(self, point: int = 0) -> np.ndarray:
        """The truth at one of the points."""
        return self._expected[point]

    def matches(self, candidate: Tensor) -> bool:
        """True if the candidate equals the truth at all points."""
        self.spend(WORK_OF_TRIAL, self._expected[0].size)
        if candidate.shape != self.truth.shape:
            return False
        for evaluator, expected in zip(self._evaluators, self._expected, strict=True):
            try:
                given = evaluator.tensor(candidate)
            except BackproveError:
                return False
            if not close(given, expected):
                return False
        return True


def close(given: np.ndarray, expected: np.ndarray) -> bool:
    """True if two arrays agree to rounding, relative to their scale."""
    if given.shape != expected.shape or not np.all(np.isfinite(given)):
        return False
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-9)
    return bool(np.abs(given - expected).max(initial=0.0) <= TOLERANCE * scale)


def printed(candidate: Tensor, indices: Sequence[str]) -> str:
    """The candidate as text, with the claim's own index names."""
    if indices and len(indices) == len(candidate.axes):
        avoid = names_in(candidate.body)
        printer = IndexPrinter(
            avoid | set(indices), dict(zip(candidate.axes, indices, strict=True))
        )
        return printer.text(candidate.body)
    term, _ = matrix_form(candidate)
    if term is not None:
        return term.text
    return index_text(candidate)


def over(claim: Tensor, body: Expr) -> Tensor:
    return Tensor(claim.axes, body)


def ratio_of(expected: np.ndarray, given: np.ndarray) -> Fraction | None:
    usable = np.abs(given) > 1e-9
    if (
        not usable.any()
        or np.any(np.abs(expected[~usable]) > 1e-9)
        or not np.all(np.isfinite(given))
    ):
        return None
    ratios = expected[usable] / given[usable]
    first = float(ratios.flat[0])
    if (
        not np.isfinite(first)
        or np.abs(ratios - first).max() > 1e-9 * max(1.0, abs(first))
        or first == 0
    ):
        return None
    fraction = Fraction(first).limit_denominator(60)
    return (
        fraction
        if abs(float(fraction) - first) < 1e-9 * max(1.0, abs(first)) and fraction != 1
        else None
    )
