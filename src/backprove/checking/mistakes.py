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
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from backprove.calculus import numeric
from backprove.checking.edits import text_edits
from backprove.checking.fillers import fillers
from backprove.checking.lost_paths import Lost, Spoiled
from backprove.checking.place_edits import SUMMING, PlaceEdit, PlaceEdits
from backprove.checking.places import FAILURES, Written
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index
from backprove.notation.claims import classify_claim
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import (
    ZERO,
    Add,
    Array,
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
from backprove.notation.matrix_form import matrix_form
from backprove.notation.operations import Program

MAX_CANDIDATES = 1500
MAX_SECONDS = 1.5
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Mistake:
    """A mistake with its name.

    Attributes:
        name: one of :data:`backprove.checking.verdict.MISTAKES`.
        where: the place: a term, a factor or an index.
        fixed: the claim with the smallest change that makes it right; None if it has no text.
    """

    name: str
    where: str
    fixed: str | None


@dataclass
class Trial:
    """Tries candidates against the truth at three points, the first for speed."""

    truth: Tensor
    points: list[numeric.Point]
    deadline: float
    tried: int = 0

    def __post_init__(self) -> None:
        self._evaluators = [Evaluator(p.values, p.sizes) for p in self.points]
        self._expected = [e.tensor(self.truth) for e in self._evaluators]

    @property
    def exhausted(self) -> bool:
        """True if the budget of candidates or time is used up."""
        return self.tried >= MAX_CANDIDATES or time.monotonic() > self.deadline

    def values(self, expr: Expr, axes: Sequence[Axis], point: int = 0) -> np.ndarray:
        """The array of an expression at one of the points."""
        return self._evaluators[point].dense(expr, axes)

    def expected(self, point: int = 0) -> np.ndarray:
        """The truth at one of the points."""
        return self._expected[point]

    def matches(self, candidate: Tensor) -> bool:
        """True if the candidate equals the truth at all points."""
        self.tried += 1
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
        found = _by_terms(trial, claim, indices)
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
    found = found or _by_terms(trial, claim, indices)
    return found or _first_that_fits(trial, edits.large(), expected, read)


def _first_that_fits(
    trial: Trial,
    edits: Iterator[PlaceEdit],
    expected: np.ndarray,
    read: Callable[[str], Tensor | None],
) -> Mistake | None:
    for k, edit in enumerate(edits):
        if k % 256 == 0 and time.monotonic() > trial.deadline:
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


def _printed(candidate: Tensor, indices: Sequence[str]) -> str | None:
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
    printer = IndexPrinter(names_in(candidate.body))
    for axis in candidate.axes:
        printer.name(axis)
    return printer.text(candidate.body)


def _over(claim: Tensor, body: Expr) -> Tensor:
    return Tensor(claim.axes, body)


def _whole_claim(trial: Trial, claim: Tensor, indices: Sequence[str], text: str) -> Mistake | None:
    """The claim as a whole has the wrong sign, or is off by a number or by a size."""
    negated = _over(claim, b.neg(claim.body))
    if trial.matches(negated):
        return Mistake("sign", "the whole claim", _printed(negated, indices))
    ratio = _constant_ratio(trial, claim)
    if ratio is not None:
        fixed = _over(claim, b.mul(Num(ratio), claim.body))
        if trial.matches(fixed):
            name = _name_of_ratio(ratio, text)
            shown = f"the factor {max(abs(ratio), 1 / abs(ratio))}"
            return Mistake(name, shown, _printed(fixed, indices))
    constant = _same_number(trial, claim)
    if constant is not None:
        return Mistake("missing_factor", f"the number {constant:.6g}", None)
    for size in _size_values(trial):
        divided = "mean" in text or re.search(rf"/\s*\(?{size!r}\b", text)
        larger = "extra_factor" if divided else "missing_factor"
        for exponent, name in ((-1, "missing_normalizer"), (1, larger)):
            fixed = _over(claim, b.mul(b.power(size, exponent), claim.body))
            if trial.matches(fixed):
                if exponent < 0 and re.search(rf"(?<![\w/])\s*{size!r}\s*\*", text):
                    name = "extra_factor"
                return Mistake(name, f"the factor 1/{size!r}", _printed(fixed, indices))
    if len(claim.axes) == 2 and claim.axes[0].size == claim.axes[1].size:
        flipped = Tensor(claim.axes[::-1], claim.body)
        if trial.matches(flipped):
            return Mistake("transposed", "the whole claim", _printed(flipped, indices))
        both = _both_entries(claim)
        if trial.matches(both):
            where = "entries (i, j) and (j, i) are one variable"
            return Mistake("symmetric_convention", where, _printed(both, indices))
    return None


def _both_entries(claim: Tensor) -> Tensor:
    """G + Gᵀ - diag(G): the derivative by the entries of a symmetric matrix (Cookbook, eq. 138)."""
    first, second = claim.axes
    turned = b.substitute(claim.body, {first: Index.of(second), second: Index.of(first)})
    diagonal = b.mul(claim.body, b.delta(first, second))
    return _over(claim, b.sub(b.add(claim.body, turned), diagonal))


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
    return _ratio(trial.expected(), trial.values(claim.body, claim.axes))


def _ratio(expected: np.ndarray, given: np.ndarray) -> Fraction | None:
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


def _by_terms(trial: Trial, claim: Tensor, indices: Sequence[str]) -> Mistake | None:
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
            fixed = _over(claim, b.mul(claim.body, b.delta(one, two)))
            if fixed.body is not claim.body and trial.matches(fixed):
                names = [indices[k] if k < len(indices) else f"axis {k}" for k in (first, second)]
                return Mistake(
                    "missing_delta", f"[{names[0]}={names[1]}]", _printed(fixed, indices)
                )
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
    return Mistake("scalar_rule", where, _printed(_over(claim, truth), indices))


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
        fixed = _over(claim, b.mul(claim.body, b.power(base, exponent)))
        if trial.matches(fixed):
            name = _name_of_missing(base, exponent, truth)
            return Mistake(
                name, _shown(b.power(base, exponent), claim, indices), _printed(fixed, indices)
            )
        if trial.exhausted:
            return None
    if isinstance(claim.body, Mul):
        for base, exponent in claim.body.factors:
            for power in {exponent, Fraction(1 if exponent > 0 else -1)}:
                fixed = _over(claim, b.mul(claim.body, b.power(base, -power)))
                if trial.matches(fixed):
                    shown = _shown(b.power(base, power), claim, indices)
                    return Mistake("extra_factor", shown, _printed(fixed, indices))
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
        flipped = _over(claim, b.sub(claim.body, b.mul(Num(Fraction(2)), term)))
        if trial.matches(flipped):
            return Mistake("sign", _shown(term, claim, indices), _printed(flipped, indices))
        dropped = _over(claim, b.sub(claim.body, term))
        if trial.matches(dropped):
            return Mistake("extra_term", _shown(term, claim, indices), _printed(dropped, indices))
        if trial.exhausted:
            return None
        rest = trial.expected() - trial.values(dropped.body, claim.axes)
        ratio = _ratio(rest, trial.values(term, claim.axes))
        if ratio is not None:
            fixed = _over(claim, b.add(dropped.body, b.mul(Num(ratio), term)))
            if trial.matches(fixed):
                name = "missing_factor" if abs(ratio) > 1 else "extra_factor"
                return Mistake(name, _shown(term, claim, indices), _printed(fixed, indices))
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
            fixed = _over(claim, b.add(claim.body, added))
            if trial.matches(fixed):
                return Mistake(
                    "missing_term", _shown(added, claim, indices), _printed(fixed, indices)
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
            fixed = _over(claim, b.add(rest, b.mul(term, b.power(base, exponent))))
            if trial.matches(fixed):
                name = _name_of_missing(base, exponent, truth)
                return Mistake(name, _shown(term, claim, indices), _printed(fixed, indices))
            if trial.exhausted:
                return None
    return None
