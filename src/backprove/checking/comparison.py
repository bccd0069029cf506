"""Are two tensors equal? First at points on both sides of every kink, then by proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from backprove import functions
from backprove.calculus import numeric
from backprove.checking.kink_sides import beside_kinks
from backprove.checking.other_sizes import other_sizes
from backprove.checking.verdict import Counterexample
from backprove.errors import DomainError
from backprove.notation import building as b
from backprove.notation.equality import ALL_SIZES, Equality
from backprove.notation.equality import compare as prove
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Bind, Expr, Fn, Tensor, Test
from backprove.notation.operations import Program
from backprove.notation.traversal import subexpressions
from backprove.results import Level

DIFFERENT = 1e-6
EQUAL = 1e-9
SCALES = (1.0, 3.0, 0.4, 8.0)
WIDE_SCALES = (30.0, 100.0, 300.0, 1000.0, 10_000.0)
POINTS = 5
BRANCH_ENTRIES = 240
MOST_BRANCH_POINTS = 60
MORE_POINTS = 12  # at each further choice of sizes, where a point shows one branch alone
CHOOSING = ("max", "min", "argmax", "argmin")


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        status: ``equal``, ``different`` or ``unknown``.
        deviation: the largest difference, relative to the scale of the truth.
        counterexample: where they differ most, if they do.
        points: how many points were compared.
        undefined: True if the claim was not finite somewhere where the truth is.
        reason: why the outcome is unknown.
    """

    status: str
    deviation: float = 0.0
    counterexample: Counterexample | None = None
    points: int = 0
    undefined: bool = False
    reason: str = ""


def compare_numerically(
    program: Program,
    truth: Tensor,
    claim: Tensor,
    *,
    extra: Sequence[Array] = (),
    definitions: Mapping[Array, Tensor] | None = None,
    seed: int = 11,
) -> Comparison:
    """Compare two tensors entry by entry at random points of the domain.

    Args:
        program: gives the inputs and intermediate values that the tensors refer to.
        truth: the right tensor.
        claim: the claimed tensor, of the same shape.
        extra: further arrays that both may refer to, such as an upstream gradient.
        definitions: not used for values that the program computes.
        seed: the seed of the points.
    """
    tally = _Tally(program, truth, claim)
    try:
        for point in numeric.points(program, count=POINTS, seed=seed, extra=extra, scales=SCALES):
            if tally.add(point):
                break
        if tally.worst.deviation < EQUAL:
            _compare_branches(tally, extra, seed)
        if tally.worst.deviation < EQUAL:
            _reach_all_sides(tally, extra, seed)
        if tally.worst.deviation < EQUAL:
            _compare_other_sizes(tally, extra, seed)
        if tally.worst.deviation < EQUAL and tally.kinks:
            _compare_beside_kinks(tally, extra, seed)
    except DomainError as error:
        if not tally.compared:
            return Comparison("unknown", reason=error.message)
    return tally.outcome()


@dataclass
class _Tally:
    """The comparisons so far: the worst of them, and which sides of the kinks they reached."""

    program: Program
    truth: Tensor
    claim: Tensor

    def __post_init__(self) -> None:
        self.worst = Comparison("equal")
        self.compared = 0
        self.undefined = False
        self.usual = 0.0
        self.kinks = kinks_of(self.truth.body, self.claim.body)
        self.sides: dict[Expr, set[bool]] = {kink: set() for kink in self.kinks}
        self.undefined_always: dict[tuple[int, ...], np.ndarray] = {}

    def add(self, point: numeric.Point) -> bool:
        """Compare at one more point; True if the two differ beyond doubt."""
        # Where a softmax saturates, the truth can be rounding noise alone: what counts there is
        # the size that the derivative has at the first, ordinary point.
        floor = 1e-13 * min(1.0, self.usual)
        found, broken = _at_point(self.program, point, self.truth, self.claim, floor)
        self.usual = self.usual or _scale(point, self.truth)
        self.undefined = self.undefined or bool(broken.any())
        before = self.undefined_always.get(broken.shape, np.ones(broken.shape, bool))
        self.undefined_always[broken.shape] = before & broken
        evaluator = Evaluator(point.values, point.sizes)
        for kink, sides in self.sides.items():
            value = evaluator.labelled(kink)[1]
            sides.update(side for side, hit in ((True, value > 0), (False, value < 0)) if hit.any())
        if found is None:
            return False
        self.compared += 1
        if found.deviation > self.worst.deviation:
            self.worst = found
        return self.worst.deviation > 1e-2

    @property
    def one_sided(self) -> bool:
        """True if some kink was only seen from one side."""
        return any(len(sides) < 2 for sides in self.sides.values())

    def outcome(self) -> Comparison:
        """What the points say."""
        worst = self.worst
        if not self.compared:
            reason = "the claim is finite at no sample point"
            return Comparison("unknown", undefined=self.undefined, reason=reason)
        for entries in self.undefined_always.values():
            if worst.deviation < DIFFERENT and entries.any():
                entry = [int(k) for k in np.argwhere(entries)[0]]
                reason = f"entry {entry} of the claim is finite at no sample point"
                return Comparison("unknown", undefined=True, reason=reason)
        status, reason = (
            "unknown",
            (
                f"the two agree to {worst.deviation:.0e}, "
                "which rounding could explain as well as a small mistake"
            ),
        )
        if worst.deviation > DIFFERENT:
            status, reason = "different", ""
        elif worst.deviation < EQUAL:
            status, reason = "equal", ""
        return Comparison(
            status, worst.deviation, worst.counterexample, self.compared, self.undefined, reason
        )


def _compare_branches(tally: _Tally, extra: Sequence[Array], seed: int) -> None:
    """More points where several conditions choose branches.

    Two different conditions, such as ``w*x > 0`` and ``w*x + b > 0``, agree at most points, so a
    few points with few entries would not tell them apart.
    """
    if branches(tally.truth.body, tally.claim.body) < 2:
        return
    entries = numeric.total_entries(tally.truth.shape, numeric.sample_sizes(tally.program))
    count = min(MOST_BRANCH_POINTS, BRANCH_ENTRIES // max(entries, 1))
    points = numeric.points(
        tally.program, count=max(count, POINTS), seed=seed + 2, extra=extra, scales=SCALES
    )
    for point in points:
        if tally.add(point):
            return


def branches(*bodies: Expr) -> int:
    """How many different conditions, maxima and minima choose among values."""
    found = {
        node for node in subexpressions(*bodies) if isinstance(node, Bind) and node.kind in CHOOSING
    }
    return len(found) + len(set(kinks_of(*bodies)))


def _reach_all_sides(tally: _Tally, extra: Sequence[Array], seed: int) -> None:
    """More points, further out, until every kink has been seen from both sides or none helps."""
    for scale in WIDE_SCALES:
        if not tally.one_sided:
            return
        points = numeric.points(tally.program, count=1, seed=seed + 1, extra=extra, scales=(scale,))
        try:
            for point in points:
                if tally.add(point):
                    return
        except DomainError:
            continue


def _compare_other_sizes(tally: _Tally, extra: Sequence[Array], seed: int) -> None:
    """Points at several choices of sizes, but those that do not suit the domain."""
    if tally.truth.body is tally.claim.body:
        return
    domains = {a.sampled or a.domain for a in tally.program.symbols.values()}
    count = MORE_POINTS if tally.kinks or domains & numeric.SPARSE else 1
    for sizes in other_sizes(tally.program, tally.truth, tally.claim):
        try:
            points = numeric.points(
                tally.program, count=count, seed=seed + 3, sizes=sizes, extra=extra, scales=SCALES
            )
            if any(tally.add(point) for point in points):
                return
        except DomainError:
            continue


def _compare_beside_kinks(tally: _Tally, extra: Sequence[Array], seed: int) -> None:
    """Points on both sides of every kink, unless a proof shows that the two are equal."""
    proof = prove_equal(tally.truth, tally.claim)
    if proof is not None and proof.scope == ALL_SIZES:
        return
    for point in beside_kinks(tally.program, tally.kinks, extra, seed + 4):
        if tally.add(point):
            return


def kinks_of(*bodies: Expr) -> list[Expr]:
    """The values whose sign decides a branch in any of the expressions (closed ones only).

    A claim can be wrong on one side of a kink alone, so both sides have to be looked at.
    """
    found: dict[Expr, None] = {}
    for node in subexpressions(*bodies):
        if isinstance(node, Test):
            found[node.value] = None
        elif isinstance(node, Fn) and node.name in functions.ELEMENTWISE:
            record = functions.lookup(node.name)
            if record.kinks and record.arity == 2:
                found[b.sub(*node.args)] = None
            for kink in record.kinks if record.arity == 1 else ():
                found[b.sub(node.args[0], b.num(Fraction(kink.at)))] = None
    return list(found)


def _at_point(
    program: Program, point: numeric.Point, truth: Tensor, claim: Tensor, floor: float
) -> tuple[Comparison | None, np.ndarray]:
    """The comparison at one point, and the entries at which the claim alone is not finite."""
    expected, given = _both(point.values, point.sizes, truth, claim)
    usable = np.isfinite(expected)
    broken = usable & ~np.isfinite(given)
    usable &= np.isfinite(given)
    if not usable.any():
        return None, broken
    scale = max(float(np.abs(expected[usable]).max()), 1e-12)
    difference = np.where(usable, np.abs(np.where(usable, given - expected, 0.0)), 0.0)
    difference = np.where(difference <= floor, 0.0, difference)
    deviation = _deviation(difference, expected, given, usable, scale)
    if deviation.max(initial=0.0) >= EQUAL:
        noise = _rounding_noise(program, point, truth, claim, expected, given)
        # Where rounding moves a value as far as the value itself, as in the inverse of a matrix
        # that is singular, nothing was compared: that is no agreement.
        own = np.maximum(np.abs(expected), np.abs(given))
        lost = (difference > 1e-3 * own) & (difference > 1e-6 * scale) & (difference <= noise)
        broken |= usable & lost
        usable &= ~lost
        if not usable.any():
            return None, broken
        difference = np.where(usable & (difference > noise), difference, 0.0)
        deviation = _deviation(difference, expected, given, usable, scale)
    entry = tuple(int(k) for k in np.unravel_index(int(np.argmax(deviation)), deviation.shape))
    example = Counterexample(
        {a.name: v for a, v in point.inputs.items()},
        entry,
        float(expected[entry]),
        float(given[entry]),
    )
    return Comparison("", float(deviation[entry]), example), broken


def _scale(point: numeric.Point, truth: Tensor) -> float:
    value = np.abs(Evaluator(point.values, point.sizes).tensor(truth))
    return float(np.max(value, initial=0.0, where=np.isfinite(value)))


def _both(
    values: Mapping[Array, np.ndarray], sizes: Mapping[str, int], truth: Tensor, claim: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    evaluator = Evaluator(values, sizes)
    return evaluator.tensor(truth), evaluator.tensor(claim)


def _deviation(
    difference: np.ndarray,
    expected: np.ndarray,
    given: np.ndarray,
    usable: np.ndarray,
    scale: float,
) -> np.ndarray:
    """The difference of each entry, relative to the entry or to the whole.

    A large difference relative to the entry counts even where other entries are huge; a small one
    only if it is large against the whole as well, because of rounding.
    """
    own = np.where(usable, np.maximum(np.abs(expected), np.abs(given)), 1.0)
    relative = difference / np.maximum(own, 1e-300)
    certain = (relative > 1e-3) & (difference > 1e-9 * scale)
    graded = np.where(certain, relative, np.minimum(relative, difference / scale))
    return np.where(difference <= 1e-11 * scale, 0.0, graded)


def _rounding_noise(
    program: Program,
    point: numeric.Point,
    truth: Tensor,
    claim: Tensor,
    expected: np.ndarray,
    given: np.ndarray,
) -> np.ndarray:
    """How far both sides move when the inputs move by rounding: smaller differences mean nothing.

    Where a softmax saturates or large terms cancel, two right forms differ by rounding alone.
    """
    rng = np.random.default_rng(17)
    noise = np.zeros(expected.shape)
    for _ in range(2):
        moved = {
            a: v * (1.0 + 4e-16 * rng.integers(-2, 3, v.shape)) for a, v in point.inputs.items()
        }
        try:
            values = run_program(program, moved, point.sizes)
            first, second = _both(values, point.sizes, truth, claim)
        except DomainError:
            continue
        change = np.abs(first - expected) + np.abs(second - given)
        noise = np.maximum(noise, np.where(np.isfinite(change), change, 0.0))
    return 50 * noise


def prove_equal(truth: Tensor, claim: Tensor) -> Equality | None:
    """A proof that two tensors are equal, or None if none was found."""
    found = prove(truth, claim)
    return found if found.status == "equal" else None


def level_of(proof: Equality | None, points: int) -> tuple[Level, str]:
    """How strongly an agreement is supported, and by what.

    An exact evaluation at a few sizes says nothing of others: it is a measurement like the rest.

    Args:
        proof: of the equality, if there is one.
        points: at how many random points the two agree.
    """
    agreement = f"agreement at {points} random points"
    if proof is None:
        return "measured", agreement
    if proof.scope == ALL_SIZES:
        return "proved", f"{proof.method}, {proof.scope}"
    return "measured", f"{proof.method} at {proof.scope}; {agreement}, of other sizes too"


def kink_values_differ(program: Program, truth: Tensor, claim: Tensor) -> bool:
    """True if the two differ where all inputs are 0, the place of the usual kinks."""
    sizes = numeric.sample_sizes(program)
    inputs = {a: np.zeros([s.at(sizes) for s in a.shape]) for a in program.symbols.values()}
    try:
        values = run_program(program, inputs, sizes)
        evaluator = Evaluator(values, sizes)
        expected, given = evaluator.tensor(truth), evaluator.tensor(claim)
    except DomainError:
        return False
    both = np.isfinite(expected) & np.isfinite(given)
    difference = np.where(both, expected, 0.0) - np.where(both, given, 0.0)
    return bool(np.any(np.abs(difference) > DIFFERENT))
