"""Naming a mistake: the smallest edit of the claim that makes it right.

Two searches run in turn. The first edits the written text, one place at a time: an index, a sign, a
transpose, a function, a variable, an axis, a factor or a term. The second works on terms: is the
claim off by a number, by one of the truth's factors, or by one of its terms? Every candidate is
tried at one point and confirmed at two more; the first that is right names the mistake.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from backprove.calculus import numeric
from backprove.checking.edits import text_edits
from backprove.checking.fillers import fillers
from backprove.checking.lost_paths import Lost, Spoiled
from backprove.checking.place_edits import SUMMING, PlaceEdit, PlaceEdits
from backprove.checking.places import FAILURES, Written
from backprove.checking.term_edits import by_terms
from backprove.checking.trial import MAX_SECONDS, Mistake, Trial, close, over, printed, ratio_of
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Index
from backprove.notation.claims import classify_claim
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import (
    Array,
    Expr,
    Num,
    Tensor,
)
from backprove.notation.operations import Program


def find_mistake(
    program: Program,
    truth: Tensor,
    claim: Tensor,
    *,
    text: str = "",
    read: Callable[[str], Tensor | None] | None = None,
    indices: Sequence[str] = (),
    extra: Sequence[Array] = (),
) -> Mistake | None:
    """The mistake of a wrong claim, or None if no small edit repairs it.

    Args:
        program: gives the inputs for trying candidates.
        truth: the right tensor.
        claim: the claimed tensor, of the same shape.
        text: the claim as written, without its left-hand side's meaning changed.
        read: reads an edited text as a tensor; errors count as no candidate.
        indices: the names of the claim's free indices.
        extra: further arrays, such as an upstream gradient.
    """
    try:
        points = list(numeric.points(program, count=2, seed=5, extra=extra))
        points += _point_at_other_sizes(program, points[0].sizes, extra)
    except BackproveError:
        return None
    trial = Trial(truth, points, time.monotonic() + MAX_SECONDS)
    given = [trial.values(claim.body, claim.axes, k) for k in range(len(points))]
    lost = _lost(program, truth, points, given)
    whole = _whole_claim(trial, claim, indices, text)
    if whole is not None:
        if lost is not None and lost.mistake == "missing_chain" and whole.name != "sign":
            return Mistake(lost.mistake, lost.where, whole.fixed)
        return whole
    found = None
    if read is not None and text:
        found = _by_places(trial, claim, text, read, program, indices, extra)
    if found is not None and found.name == "missing_normalizer" and SUMMING.search(found.where):
        return found
    if lost is not None and (found is None or found.name not in SMALLER):
        return Mistake(lost.mistake, lost.where, found.fixed if found else None)
    if found is None and (read is None or not text):
        found = by_terms(trial, claim, indices)
    return (
        found or _as_symmetric(program, points, truth, claim) or _as_scalars(program, truth, claim)
    )


SMALLER = ("sign", "transposed", "wrong_order", "wrong_axis", "wrong_delta")
"""Edits so small that they name a mistake better than a path that is left out."""


def _lost(
    program: Program,
    truth: Tensor,
    points: Sequence[numeric.Point],
    given: Sequence[np.ndarray],
) -> Lost | None:
    try:
        return Spoiled(program, truth, points).find(given)
    except (BackproveError, ValueError):
        return None


def _by_places(
    trial: Trial,
    claim: Tensor,
    text: str,
    read: Callable[[str], Tensor | None],
    program: Program,
    indices: Sequence[str],
    extra: Sequence[Array],
) -> Mistake | None:
    """Try edits by their rough values; those that fit are read again and judged."""
    point, expected = trial.points[0], trial.expected()
    names = {**point.sizes, **{a.name: v for a, v in point.inputs.items()}}
    symbols = {**program.symbols, **{a.name: a for a in extra}}
    try:
        written = Written(classify_claim(text, symbols), names, indices, expected.shape)
        pool = fillers(written, program.text)
    except FAILURES:
        return _by_text(trial, text, read, program, indices)
    plain = ("sum", "mean", "negative", "add", "subtract", "index", "transpose", "trace")
    first_order = any(
        trial.truth.shape == (*program.output.shape, *a.shape) for a in program.symbols.values()
    )
    composed = first_order and sum(v.operation not in plain for v in program.operations) > 1
    edits = PlaceEdits(written, pool, composed)
    found = _first_that_fits(trial, edits.small(), expected, read)
    found = found or by_terms(trial, claim, indices)
    return found or _first_that_fits(trial, edits.large(), expected, read)


def _first_that_fits(
    trial: Trial,
    edits: Iterator[PlaceEdit],
    expected: np.ndarray,
    read: Callable[[str], Tensor | None],
) -> Mistake | None:
    for k, edit in enumerate(edits):
        if k % 16 == 0 and time.monotonic() > trial.deadline:
            return None
        if edit.value is None or not close(edit.value, expected):
            continue
        candidate = _read_quietly(edit.text, read)
        if candidate is not None and trial.matches(candidate):
            return Mistake(edit.mistake, edit.where, edit.text)
    return None


def _as_symmetric(
    program: Program, points: Sequence[numeric.Point], truth: Tensor, claim: Tensor
) -> Mistake | None:
    """The claim is right where every square matrix is symmetric."""
    square = [a for a in program.symbols.values() if len(a.shape) == 2 and a.shape[0] == a.shape[1]]
    if not square:
        return None
    try:
        for point in points:
            changed = {a: (v + v.T) / 2 if a in square else v for a, v in point.inputs.items()}
            evaluator = Evaluator(run_program(program, changed, point.sizes), point.sizes)
            if not close(evaluator.tensor(claim), evaluator.tensor(truth)):
                return None
    except BackproveError:
        return None
    names = ", ".join(a.name for a in square)
    return Mistake("assumed_symmetric", f"right only under: {names} symmetric", None)


def _as_scalars(program: Program, truth: Tensor, claim: Tensor) -> Mistake | None:
    """The claim is right where every size is 1: a rule for scalars was used."""
    sizes = dict.fromkeys(numeric.size_names(program.symbols), 1)
    if not sizes:
        return None
    try:
        for point in numeric.points(program, count=2, seed=7, sizes=sizes):
            evaluator = Evaluator(point.values, point.sizes)
            expected = evaluator.tensor(truth)
            if not np.abs(expected).max(initial=0.0) or not close(
                evaluator.tensor(claim), expected
            ):
                return None
    except BackproveError:
        return None
    return Mistake("scalar_rule", "the rule holds for sizes 1 only", None)


def _point_at_other_sizes(
    program: Program, sizes: dict[str, int], extra: Sequence[Array]
) -> list[numeric.Point]:
    """One more point, so that a factor 1/n is not mistaken for the number 1/5."""
    larger = {name: value + 1 for name, value in sizes.items()}
    if not sizes or any(condition.at(larger) < 0 for condition, _ in program.assumptions):
        return []
    return list(numeric.points(program, count=1, seed=6, sizes=larger, extra=extra))


def _by_text(
    trial: Trial,
    text: str,
    read: Callable[[str], Tensor | None],
    program: Program,
    indices: Sequence[str],
) -> Mistake | None:
    symbols = dict(program.symbols)
    for edit in text_edits(text, symbols, indices):
        if trial.exhausted:
            return None
        candidate = _read_quietly(edit.text, read)
        if candidate is not None and trial.matches(candidate):
            return Mistake(edit.mistake, edit.where, edit.text)
    return None


def _read_quietly(text: str, read: Callable[[str], Tensor | None]) -> Tensor | None:
    try:
        return read(text)
    except BackproveError:
        return None


def _whole_claim(trial: Trial, claim: Tensor, indices: Sequence[str], text: str) -> Mistake | None:
    """The claim as a whole has the wrong sign, or is off by a number or by a size."""
    negated = over(claim, b.neg(claim.body))
    if trial.matches(negated):
        return Mistake("sign", "the whole claim", printed(negated, indices))
    ratio = _constant_ratio(trial, claim)
    if ratio is not None:
        fixed = over(claim, b.mul(Num(ratio), claim.body))
        if trial.matches(fixed):
            name = _name_of_ratio(ratio, text)
            shown = f"the factor {max(abs(ratio), 1 / abs(ratio))}"
            return Mistake(name, shown, printed(fixed, indices))
    constant = _same_number(trial, claim)
    if constant is not None:
        return Mistake("missing_factor", f"the number {constant:.6g}", None)
    for size in _size_values(trial):
        divided = "mean" in text or re.search(rf"/\s*\(?{size!r}\b", text)
        larger = "extra_factor" if divided else "missing_factor"
        for exponent, name in ((-1, "missing_normalizer"), (1, larger)):
            fixed = over(claim, b.mul(b.power(size, exponent), claim.body))
            if trial.matches(fixed):
                if exponent < 0 and re.search(rf"(?<![\w/])\s*{size!r}\s*\*", text):
                    name = "extra_factor"
                return Mistake(name, f"the factor 1/{size!r}", printed(fixed, indices))
    if len(claim.axes) == 2 and claim.axes[0].size == claim.axes[1].size:
        flipped = Tensor(claim.axes[::-1], claim.body)
        if trial.matches(flipped):
            return Mistake("transposed", "the whole claim", printed(flipped, indices))
        both = _both_entries(claim)
        if trial.matches(both):
            where = "entries (i, j) and (j, i) are one variable"
            return Mistake("symmetric_convention", where, printed(both, indices))
    return None


def _both_entries(claim: Tensor) -> Tensor:
    """G + Gᵀ - diag(G): the derivative by the entries of a symmetric matrix (Cookbook, eq. 138)."""
    first, second = claim.axes
    turned = b.substitute(claim.body, {first: Index.of(second), second: Index.of(first)})
    diagonal = b.mul(claim.body, b.delta(first, second))
    return over(claim, b.sub(b.add(claim.body, turned), diagonal))


def _same_number(trial: Trial, claim: Tensor) -> float | None:
    """The irrational number by which the claim is off at every point, if there is one."""
    found: list[float] = []
    for k in range(len(trial.points)):
        expected, given = trial.expected(k), trial.values(claim.body, claim.axes, k)
        largest = np.unravel_index(int(np.argmax(np.abs(given))), given.shape)
        if not np.all(np.isfinite(given)) or abs(given[largest]) < 1e-9:
            return None
        found.append(float(expected[largest] / given[largest]))
        if not found[-1] or not close(found[0] * given, expected):
            return None
    return found[0] if trial.points[0].sizes != trial.points[-1].sizes else None


def _name_of_ratio(ratio: Fraction, text: str) -> str:
    """A number that stands in the claim was too much; one that does not is missing."""
    times = {str(ratio.denominator)} if ratio.numerator in (1, -1) else set()
    over = {str(ratio.numerator)} if ratio.denominator == 1 else set()
    written = any(re.search(rf"(?<![\w.*/]){t}\s*[*·]?\s*[^\d.\s]", text) for t in times)
    written = written or any(re.search(rf"/\s*\(?{abs(int(t))}\b", text) for t in over)
    return "extra_factor" if written else "missing_factor"


def _size_values(trial: Trial) -> list[Expr]:
    names = sorted(trial.points[0].sizes)
    return [b.size_value(b.Size.named(n)) for n in names]


def _constant_ratio(trial: Trial, claim: Tensor) -> Fraction | None:
    """The rational number by which the whole claim is off, if there is one."""
    return ratio_of(trial.expected(), trial.values(claim.body, claim.axes))
