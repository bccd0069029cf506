"""Points just beside the places where a condition changes its truth.

``[s > 0.93]`` and ``[s > 0.97]`` agree at nearly all random points. Beside the place where either
of them changes they do not, however narrow the window between them is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from backprove.calculus import numeric
from backprove.errors import DomainError
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array, Expr
from backprove.notation.operations import Program

MOST_KINKS = 16
_ENTRIES = 3  # of each kink
_HALVINGS = 26
_SCALES, _WIDE_SCALES = (1.0, 3.0, 10.0, 0.3), (30.0, 100.0, 1000.0, 10_000.0)
_LEAST = 1e-11  # smaller values of a condition could have either sign by rounding
_FIXED = ("onehot", "pm1", "binary", "nonsingular")
"""Domains that hold no line between two of their points."""

Inputs = Mapping[Array, np.ndarray]


def beside_kinks(
    program: Program, kinks: Sequence[Expr], extra: Sequence[Array] = (), seed: int = 0
) -> Iterator[numeric.Point]:
    """For each kink two points, close to each other, between which its sign changes.

    Args:
        program: what the kinks refer to.
        kinks: values whose sign decides a branch.
        extra: further arrays to sample, such as an upstream gradient.
        seed: of the random points.

    Returns:
        Points at which every value of the program is finite. There are none for a kink whose sign
        is the same at all points that were tried.

    >>> from backprove.checking.comparison import kinks_of
    >>> from backprove.notation import declare, lower
    >>> program = lower("relu(s - 0.5)", declare({"s": ""}))
    >>> low, high = beside_kinks(program, kinks_of(program.tensor().body))
    >>> (s,) = program.symbols.values()
    >>> [f"{point.inputs[s]:.5f}" for point in (low, high)]
    ['0.50000', '0.50000']
    """
    left = list(kinks[:MOST_KINKS])
    for number, scales in enumerate((_SCALES, _WIDE_SCALES)):
        if not left:
            return
        points = numeric.points(
            program, count=2 * len(scales), seed=seed + number, extra=extra, scales=scales
        )
        try:
            pool = list(points)
        except DomainError:
            return
        for kink in tuple(left):
            for entry, below, above in _opposite([_value(point, kink) for point in pool]):
                left = [other for other in left if other is not kink]
                yield from _closed_in(program, kink, entry, pool[below], pool[above])


def _value(point: numeric.Point, kink: Expr) -> np.ndarray:
    return np.asarray(Evaluator(point.values, point.sizes).labelled(kink)[1], float)


def _opposite(values: Sequence[np.ndarray]) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Entries with the numbers of two points at which they have different signs."""
    stacked = np.stack(np.broadcast_arrays(*values))
    changing = (stacked < 0).any(axis=0) & (stacked > 0).any(axis=0)
    for position in np.argwhere(changing)[:_ENTRIES]:
        entry = tuple(int(k) for k in position)
        column = stacked[(slice(None), *entry)]
        yield entry, int(np.argmax(column < 0)), int(np.argmax(column > 0))


def _closed_in(
    program: Program, kink: Expr, entry: tuple[int, ...], below: numeric.Point, above: numeric.Point
) -> list[numeric.Point]:
    """The two ends of a short line across the kink, found by halving."""
    start = below.inputs
    end = {a: start[a] if a.domain in _FIXED else v for a, v in above.inputs.items()}
    ends = {False: 0.0, True: 1.0}
    found: dict[bool, numeric.Point] = {}
    for _ in range(_HALVINGS):
        middle = (ends[False] + ends[True]) / 2
        inputs = {a: start[a] + middle * (end[a] - start[a]) for a in start}
        point = numeric.point_at(program, inputs, below.sizes)
        if point is None:
            return []
        side = bool(_value(point, kink)[entry] > 0)
        ends[side], found[side] = middle, point
    sides = [found[side] for side in (False, True) if side in found]
    clear = all(abs(_value(point, kink)[entry]) > _LEAST for point in sides)
    return sides if clear else []
