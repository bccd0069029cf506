"""Naming a mistake: the smallest edit of the claim that makes it right.

Two searches run in turn. The first edits the written text, one place at a time: an index, a sign, a
transpose, a function, a variable, an axis, a factor or a term. The second works on terms: is the
claim off by a number, by one of the truth's factors, or by one of its terms? Every candidate is
tried at one point and confirmed at two more; the first that is right names the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import isqrt, prod
from typing import Any

import numpy as np

from backprove.calculus import numeric
from backprove.checking.claim_places import PlaceEdit
from backprove.checking.comparison import branches
from backprove.checking.edits import text_edits
from backprove.checking.factor_edits import SUMMING
from backprove.checking.fillers import fillers, inner_factors, other_rules, whole_arrays
from backprove.checking.lost_paths import Lost, Spoiled
from backprove.checking.place_edits import PlaceEdits
from backprove.checking.places import (
    FAILURES,
    Written,
    WrittenDefinition,
    WrittenRepeat,
    repeats,
)
from backprove.checking.term_edits import by_terms
from backprove.checking.trial import Mistake, Trial, close, over, printed, ratio_of
from backprove.errors import BackproveError
from backprove.notation import building as b
from backprove.notation.axes import Index
from backprove.notation.claims import classify_claim
from backprove.notation.effort import TooMuchEffort, bounded
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import (
    Array,
    Bracket,
    Expr,
    Mul,
    Num,
    Ref,
    Tensor,
)
from backprove.notation.operations import Program

MAX_REPEATS = 3
SEARCH_EFFORT = 80_000
"""What the search among edits may cost: that for published claims needs at most 40,000 units."""


@np.errstate(all="ignore")
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
        points = _points_of_failure(program, truth, claim, extra)
        points += _point_at_other_sizes(program, points[0].sizes, extra)
    except BackproveError:
        return None
    trial = Trial(truth, points)
    given = [trial.values(claim.body, claim.axes, k) for k in range(len(points))]
    if not any(np.any(trial.expected(k)) for k in range(len(points))):
        return Mistake("extra_term", "all of it: the derivative is zero", _right(trial, indices))
    lost, links = _lost(program, truth, points, given, extra)
    found = _whole_claim(trial, claim, indices, text)
    smaller = found is not None and found.name in ("sign", "extra_factor")
    if found is not None and lost is not None and (smaller or lost.mistake != "missing_chain"):
        also = tuple(n for n in (lost.mistake, *lost.also) if n != found.name)
        return replace(found, fixed=found.fixed or _right(trial, indices), also=also)
    if found is None and read is not None and text:
        with suppress(TooMuchEffort), bounded(SEARCH_EFFORT):  # wrong, with or without a name
            found = _by_places(trial, claim, text, read, program, indices, extra, links)
    if found is None and (read is None or not text):
        found = by_terms(trial, claim, indices)
    if lost is not None and found is not None:
        return _preferred(lost, found, _right(trial, indices))
    if lost is not None:
        return Mistake(lost.mistake, lost.where, _right(trial, indices), lost.also)
    if found is None:
        found = _as_symmetric(program, points, truth, claim)
        found = found or _other_deltas(truth, claim, indices)
        found = found or _as_scalars(program, truth, claim)
    if found is not None and found.fixed is None:
        return replace(found, fixed=_right(trial, indices))
    return found


def _points_of_failure(
    program: Program, truth: Tensor, claim: Tensor, extra: Sequence[Array]
) -> list[numeric.Point]:
    """Points at which the claim is wrong, if there are: elsewhere any edit could pass.

    A wrong mask can agree with the right one at a few points by chance, so kinks need more.
    """
    wanted, more, count = (16, 8, 60) if branches(truth.body, claim.body) else (2, 2, 8)
    found: list[numeric.Point] = []
    others: list[numeric.Point] = []
    for point in numeric.points(program, count=count, seed=5, extra=extra):
        evaluator = Evaluator(point.values, point.sizes)
        wrong = not close(evaluator.tensor(claim), evaluator.tensor(truth))
        (found if wrong else others).append(point)
        if len(found) == wanted:
            break
    # A point at which the claim is right still tells an edit that spoils it.
    return [*found, *others[:more]] if found else others[:more]


SMALLER = ("sign", "transposed", "wrong_order", "wrong_axis", "wrong_delta", "missing_delta")
"""Edits so small that they name a mistake better than a path that is left out."""


def _preferred(lost: Lost, found: Mistake, right: str | None) -> Mistake:
    """Which of two names a claim gets that lost a part of the derivation and has a small edit.

    An edit of one sign, letter or transpose is smaller than a path. A missing number, a missing
    1/n and a missing sum say more than the link of the chain they belong to. Otherwise the
    derivation knows best.
    """
    names = dict.fromkeys((found.name, *lost.also))
    also = tuple(n for n in names if n != lost.mistake and not found.weak)
    fixed = found.fixed or right
    if found.name in SMALLER and not found.weak:
        return replace(found, fixed=fixed)
    if found.name == "missing_normalizer" and (
        SUMMING.search(found.where) or lost.mistake == "missing_factor"
    ):
        return replace(found, fixed=fixed)
    doubled = lost.mistake != "missing_chain" and found.by_number
    if doubled:
        return replace(found, fixed=fixed, also=(lost.mistake, *lost.also))
    return Mistake(lost.mistake, lost.where, fixed, also)


def _right(trial: Trial, indices: Sequence[str]) -> str | None:
    """The right derivative as text, for claims that no small edit of their own text repairs."""
    return printed(trial.truth, indices)


def _other_deltas(truth: Tensor, claim: Tensor, indices: Sequence[str]) -> Mistake | None:
    """The claim has the factors of the truth, and as many deltas, but on other indices."""
    ours, theirs = _deltas_and_rest(claim), _deltas_and_rest(truth)
    alone = not ours[1] and not theirs[1]
    if not indices or not ours[0] or ours[1] != theirs[1] or (ours[0] != theirs[0] and not alone):
        return None
    return Mistake("wrong_delta", "the deltas", None)


def _deltas_and_rest(tensor: Tensor) -> tuple[int, list[str]]:
    """How many deltas a product has, and which arrays stand in it."""
    body = tensor.body
    factors = [f for f, _ in body.factors] if isinstance(body, Mul) else [body]
    deltas = sum(isinstance(f, Bracket) for f in factors)
    rest = sorted(
        f.array.name if isinstance(f, Ref) else type(f).__name__
        for f in factors
        if not isinstance(f, Bracket)
    )
    return deltas, rest


def _lost(
    program: Program,
    truth: Tensor,
    points: Sequence[numeric.Point],
    given: Sequence[np.ndarray],
    extra: Sequence[Array],
) -> tuple[Lost | None, frozenset[str]]:
    """What the claim left out of the backward pass; and the inner factors of the question."""
    try:
        spoiled = Spoiled(program, truth, points, next(iter(extra), None))
        links = inner_factors(program.text, spoiled.wrt.name) if spoiled.usable else frozenset()
        return spoiled.find(given), links
    except (BackproveError, ValueError):
        return None, frozenset()


def _by_places(
    trial: Trial,
    claim: Tensor,
    text: str,
    read: Callable[[str], Tensor | None],
    program: Program,
    indices: Sequence[str],
    extra: Sequence[Array],
    links: frozenset[str],
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
    outputs = () if extra else program.output.shape
    first_order = any(trial.truth.shape == (*outputs, *a.shape) for a in program.symbols.values())
    composed = first_order and sum(v.operation not in plain for v in program.operations) > 1
    whole = whole_arrays(written, program.text)
    rules = other_rules(written, program.text)
    edits = [PlaceEdits(written, pool, composed, links, whole, rules)]
    edits += _edits_of_definitions(written, names, program.text, composed, links)
    entries = prod(written.sizes.values()) if indices else expected.size
    smaller = (e for some in edits for e in some.small())
    found = _first_that_fits(trial, smaller, expected, read, entries)
    found = found or by_terms(trial, claim, indices)
    larger = (e for some in edits for e in some.large())
    return found or _first_that_fits(trial, larger, expected, read, entries)


def _edits_of_definitions(
    written: Written,
    names: Mapping[str, Any],
    question: str,
    composed: bool,
    links: frozenset[str],
) -> list[PlaceEdits]:
    """The edits of what has several uses: what stands after ``with``, or is written twice."""
    found: list[PlaceEdits] = []
    for nodes in repeats(written)[:MAX_REPEATS]:
        with suppress(*FAILURES):
            part = WrittenRepeat(written, nodes)
            found.append(PlaceEdits(part, fillers(part, question), composed, links))
    for which in range(len(written.claim.definitions)):
        with suppress(*FAILURES):
            part = WrittenDefinition(written, names, which)
            found.append(PlaceEdits(part, fillers(part, question), composed, links))
    return found


def _first_that_fits(
    trial: Trial,
    edits: Iterator[PlaceEdit],
    expected: np.ndarray,
    read: Callable[[str], Tensor | None],
    entries: int,
) -> Mistake | None:
    for edit in edits:
        trial.spend(1, entries)
        if trial.exhausted:
            return None
        if edit.value is None or not close(edit.value, expected):
            continue
        candidate = _read_quietly(edit.text, read)
        if candidate is not None and trial.matches(candidate):
            return Mistake(
                edit.mistake, edit.where, edit.text, weak=edit.weak, by_number=edit.by_number
            )
    return None


def _as_symmetric(
    program: Program, points: Sequence[numeric.Point], truth: Tensor, claim: Tensor
) -> Mistake | None:
    """The claim is right where every array is symmetric in its axes of one size."""
    square = [a for a in program.symbols.values() if len(set(a.shape)) < len(a.shape) < 5]
    if not square:
        return None
    try:
        for point in points:
            changed = {a: _symmetrised(v, a) if a in square else v for a, v in point.inputs.items()}
            evaluator = Evaluator(run_program(program, changed, point.sizes), point.sizes)
            if not close(evaluator.tensor(claim), evaluator.tensor(truth)):
                return None
    except BackproveError:
        return None
    names = ", ".join(a.name for a in square)
    return Mistake("assumed_symmetric", f"right only under: {names} symmetric", None)


def _symmetrised(value: np.ndarray, array: Array) -> np.ndarray:
    """The mean over all orders of the axes that leave the declared shape as it is."""
    orders = [
        order
        for order in permutations(range(value.ndim))
        if tuple(array.shape[k] for k in order) == array.shape
    ]
    return sum((value.transpose(order) for order in orders), np.zeros(value.shape)) / len(orders)


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
            return Mistake(name, shown, printed(fixed, indices), by_number=True)
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
    root = isqrt(ratio.denominator)
    squared = {root} if root * root == ratio.denominator else set()
    times = {ratio.denominator, *squared} - {1} if ratio.numerator in (1, -1) else set()
    over = {abs(ratio.numerator)} if ratio.denominator == 1 else set()
    # A claim with a 4 where a 2 is right has a factor 2 too many.
    factors = re.findall(r"(?<![\w.*/])(\d+)\s*[*·]?\s*[^\d.\s,)\]]", text)
    factors += re.findall(r"[\w\])]\s*[*·]\s*(\d+)(?![\w.*])", text)
    divisors = re.findall(r"/\s*\(?(\d+)\b", text)
    written = any(int(f) and int(f) % t == 0 for f in factors for t in times)
    written = written or any(int(d) and int(d) % t == 0 for d in divisors for t in over)
    return "extra_factor" if written else "missing_factor"


def _size_values(trial: Trial) -> list[Expr]:
    names = sorted(trial.points[0].sizes)
    return [b.size_value(b.Size.named(n)) for n in names]


def _constant_ratio(trial: Trial, claim: Tensor) -> Fraction | None:
    """The rational number by which the whole claim is off, if there is one."""
    return ratio_of(trial.expected(), trial.values(claim.body, claim.axes))
