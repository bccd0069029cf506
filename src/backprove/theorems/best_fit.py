"""How close one unit comes to targets that it cannot give, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

from backprove.theorems.certificates import lines_of
from backprove.theorems.exact_programs import contradiction, solution, solve

MAX_POINTS = 8
Vector = list[Fraction]


@dataclass(frozen=True)
class BestFit:
    """The smallest error that one unit reaches.

    Args:
        squared_error: the sum over the points; None where it is not known exactly.
        accuracy: the largest share of points on the right side of a cut; None if unknown.
        weights: of the smallest squared error, bias last where there is one.
        values: the outputs of these weights.
    """

    squared_error: Fraction | None
    accuracy: Fraction | None
    points: int
    weights: Vector
    values: Vector

    @property
    def mean_squared_error(self) -> Fraction | None:
        """The squared error for each point."""
        return None if self.squared_error is None else self.squared_error / self.points


def best_fit(problem: dict[str, Any]) -> BestFit | None:
    """The best that one unit does; None where there is no exact method or too many points.

    Args:
        problem: a problem with no hidden layer, as in a certificate.

    Returns:
        The smallest squared error (ReLU or linear units), and the best accuracy for targets 0
        and 1, both exact.

    Source: the squared error is a convex quadratic on each activation pattern; where its free
    minimum breaks some constraints, one of these is an equation at the true minimum.
    """
    network = problem["network"]
    targets = [Fraction(t) for t in problem["targets"]]
    if network["hidden"] is not None or len(targets) > MAX_POINTS:
        return None
    best: tuple[Fraction, Vector] | None = None
    points = [[Fraction(x) for x in p] + [Fraction(1)] * network["bias"] for p in problem["points"]]
    if network["output"] in ("relu", "linear") and problem["by"] == "exact":
        best = _least_squares(points, targets, rectified=network["output"] == "relu")
    accuracy = _accuracy(problem, targets)
    if best is None and accuracy is None:
        return None
    error, weights = best if best else (None, [])
    values = [_dot(point, weights) for point in points] if best else []
    if network["output"] == "relu":
        values = [max(value, Fraction(0)) for value in values]
    return BestFit(error, accuracy, len(targets), weights, values)


def _least_squares(
    points: list[Vector], targets: Vector, *, rectified: bool
) -> tuple[Fraction, Vector]:
    count = len(points)
    patterns = range(2**count) if rectified else [2**count - 1]
    best: tuple[Fraction, Vector] | None = None
    for pattern in patterns:
        active = [bool(pattern >> i & 1) for i in range(count)]
        lost = sum((t * t for t, on in zip(targets, active, strict=True) if not on), Fraction(0))
        if best and lost >= best[0]:
            continue
        signs = [1 if on else -1 for on in active] if rectified else [0] * count
        fit = _constrained(points, targets, active, signs, frozenset(), set())
        if fit and (best is None or fit[0] + lost < best[0]):
            best = fit[0] + lost, fit[1]
    assert best is not None  # all zeros fit every pattern
    return best


def _constrained(
    points: list[Vector],
    targets: Vector,
    active: list[bool],
    signs: list[int],
    tight: frozenset[int],
    seen: set[frozenset[int]],
) -> tuple[Fraction, Vector] | None:
    """Least squares on the active points, each argument on its side, those of ``tight`` zero."""
    if tight in seen:
        return None
    seen.add(tight)
    weights = _equality_fit(points, targets, active, sorted(tight))
    broken = [i for i, sign in enumerate(signs) if sign * _dot(points[i], weights) < 0]
    if not broken:
        pairs = zip(points, targets, active, strict=True)
        return sum(((_dot(p, weights) - t) ** 2 for p, t, on in pairs if on), Fraction(0)), weights
    fits = [_constrained(points, targets, active, signs, tight | {i}, seen) for i in broken]
    return min((fit for fit in fits if fit), key=lambda fit: fit[0], default=None)


def _equality_fit(
    points: list[Vector], targets: Vector, active: list[bool], tight: list[int]
) -> Vector:
    """Least squares with some arguments zero, from its normal equations with multipliers."""
    size, extra = len(points[0]), len(tight)
    chosen = [i for i, on in enumerate(active) if on]
    zero = Fraction(0)
    matrix = [
        [sum((points[i][a] * points[i][b] for i in chosen), zero) for b in range(size)]
        + [points[i][a] for i in tight]
        for a in range(size)
    ]
    matrix += [[*points[i], *[zero] * extra] for i in tight]
    right = [sum((points[i][a] * targets[i] for i in chosen), zero) for a in range(size)]
    solved = solve(matrix, right + [zero] * extra)
    assert solved is not None  # normal equations always have a solution
    return solved[:size]


def _accuracy(problem: dict[str, Any], targets: Vector) -> Fraction | None:
    """The largest share of points that a cut at 1/2 puts on the right side."""
    network = problem["network"]
    if not set(targets) <= {0, 1} or network["output"] not in (
        "relu",
        "linear",
        "threshold",
        "sigmoid",
    ):
        return None
    lines = lines_of({**problem, "by": "threshold"}, 0, {})
    names = list(lines)
    for wrong in range(len(names) + 1):
        for left_out in combinations(names, wrong):
            kept = {name: lines[name] for name in names if name not in left_out}
            if contradiction(kept) is None:
                # Every smaller choice was contradicted exactly; this one needs exact weights.
                share = Fraction(len(names) - wrong, len(names))
                return share if solution(kept) is not None else None
    return None


def _dot(left: Vector, right: Vector) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))
