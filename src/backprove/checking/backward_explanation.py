"""Which comparisons can be trusted, and what explains those that fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprove.checking.gradient_parts import explain_by_parts
from backprove.checking.invariants import Invariant, Scene, invariants
from backprove.checking.observations import Comparison, Point, Setup
from backprove.checking.subjects import is_real
from backprove.checking.wrong_terms import Explanation, Select, constant_factor, explain

SAFETY = 20.0
"""How many times its estimated error a measured derivative is trusted to be off at most."""


def tolerance_of(setup: Setup, comparison: Comparison) -> np.ndarray:
    """By how much each entry of a right claim may differ from the measured one."""
    relative, absolute, least = (1e-3, 1e-4, 1e-6) if setup.coarse else (1e-7, 1e-9, 1e-13)
    expected = np.abs(np.nan_to_num(comparison.expected))
    own = relative * expected + absolute * comparison.sizes
    return own + least * comparison.scale + SAFETY * comparison.error


def smooth_entries(c: Comparison) -> np.ndarray:
    """Where there is a derivative and it could be measured."""
    return ~c.kinks & np.isfinite(c.expected) & np.isfinite(c.error)


def resolved_entries(point: Point, c: Comparison, fraction: float = 1e-3) -> np.ndarray:
    """Where the measured value is precise enough to refuse a wrong claim."""
    least = 1e-5 * c.scale or overall_size(point, c)
    return smooth_entries(c) & (SAFETY * c.error <= fraction * np.maximum(c.sizes, least))


def overall_size(point: Point, c: Comparison) -> float:
    """A size to measure against where the derivative itself is zero."""
    return max(1e-3 * float(np.max(np.abs(point.output), initial=0.0)), 1e-300)


def explanation_of(
    setup: Setup, points: list[Point], which: int
) -> tuple[Explanation | None, list[Invariant]]:
    """Why a derivative is wrong (``which`` is -1 for the tangent), and the laws it must obey."""
    if which < 0:
        return _tangent(setup, points), []
    k = which
    moved = setup.moved[k]
    usable, select = _selection(setup, points, k)
    entries = moved.entries[usable]
    rows = _spread(points, k)
    scenes = [scene_of(setup, p, r, c) for p, r, c in rows]
    others = {
        setup.subject.names[j]: [
            _full(setup, next(c for c in p.comparisons[r] if c.which == j)) for p, r, _ in rows
        ]
        for j in setup.subject.judged
        if j != k and all(any(c.which == j for c in p.comparisons[r]) for p, r, _ in rows)
    }
    coarse = setup.coarse
    found = None
    if entries.size:
        found = explain(scenes, select, others, tolerance=1e-2 if coarse else 1e-6, deep=not coarse)
    complete = moved.complete and usable.all() and not coarse
    return found, invariants(scenes, setup.subject.names[k]) if complete else []


def _selection(setup: Setup, points: Sequence[Point], k: int) -> tuple[np.ndarray, Select]:
    """Which moved entries are measured precisely at all points, and what picks them."""
    moved = setup.moved[k]
    usable = np.ones(moved.entries.size, dtype=bool)
    for point, c in _pairs(points, k):
        usable &= resolved_entries(point, c, 0.3 if setup.coarse else 1e-3)[: moved.entries.size]
    entries = moved.entries[usable]
    return usable, lambda full: np.asarray(full, dtype=float).reshape(-1)[entries]


def _spread(points: Sequence[Point], k: int) -> list[tuple[Point, int, Comparison]]:
    """A few comparisons from as many points as there are: a law must hold at all of them."""
    return sorted(rows_of(points, k), key=lambda item: item[1])[:4]


def wrong_part(setup: Setup, points: Sequence[Point], which: int) -> Explanation | None:
    """Which part of a gradient is wrong, where the forward function can be taken apart."""
    if which < 0 or setup.coarse:
        return None
    rows = _spread(points, which)[:3]
    usable, select = _selection(setup, points, which)
    if not rows or not usable.any():
        return None
    parts = setup.subject.parts([(p.inputs, p.seeds[r][0]) for p, r, _ in rows], which)
    expected = [_full(setup, c) for _, _, c in rows]
    return explain_by_parts(parts, expected, [c.full for _, _, c in rows], select)


def rows_of(points: Sequence[Point], which: int) -> list[tuple[Point, int, Comparison]]:
    """The comparisons for one input, each with its point and the number of its seed there."""
    return [
        (point, number, c)
        for point in points
        for number, row in enumerate(point.comparisons)
        for c in row
        if c.which == which
    ]


def _pairs(points: Sequence[Point], which: int) -> list[tuple[Point, Comparison]]:
    return [(point, c) for point, _, c in rows_of(points, which)]


def _full(setup: Setup, c: Comparison) -> np.ndarray:
    """The measured gradient in the shape of its input, NaN where it was not measured."""
    moved = setup.moved[c.which]
    full = np.full(int(np.prod(moved.shape)), np.nan)
    full[moved.entries] = c.expected[: moved.entries.size]
    return full.reshape(moved.shape)


def scene_of(setup: Setup, point: Point, row: int, c: Comparison) -> Scene:
    """One comparison as the search for wrong terms sees it."""
    names = setup.subject.names
    inputs = {
        names[k]: np.asarray(v, dtype=float) if is_real(v) else np.asarray(v)
        for k, v in enumerate(point.inputs)
    }
    return Scene(
        names[c.which],
        inputs,
        point.output,
        np.asarray(point.seeds[row][0], dtype=float),
        _full(setup, c),
        c.full,
        point.jacobians[c.which].values,
    )


def _tangent(setup: Setup, points: Sequence[Point]) -> Explanation | None:
    """Which input's part of the tangent is missing or has a wrong factor."""
    judged = setup.subject.judged
    if not all(setup.moved[k].complete for k in judged) or setup.coarse:
        return None
    rows, given = [], []
    for point, number, c in rows_of(points, -1):
        smooth = smooth_entries(c) & np.isfinite(c.given)
        parts = [
            point.jacobians[k].values @ t.reshape(-1)
            for k, t in zip(judged, point.seeds[number], strict=True)
        ]
        rows.append(np.stack(parts, axis=-1)[smooth])
        given.append(c.given[smooth])
    matrix, target = np.concatenate(rows), np.concatenate(given)
    if len(target) <= len(judged) or not np.all(np.isfinite(matrix)):
        return None
    factors = np.linalg.lstsq(matrix, target, rcond=None)[0]
    if np.max(np.abs(matrix @ factors - target)) > 1e-6 * np.max(np.abs(matrix)):
        return None
    empty = np.zeros(())
    scene = Scene("x", {"x": empty}, empty, empty, empty, empty, empty)
    for k, factor in zip(judged, factors, strict=True):
        name = setup.subject.names[k]
        if abs(factor) < 1e-6:
            return Explanation("missing_path", f"the part that comes from {name} is missing", name)
        if abs(factor - 1) > 1e-6:
            found = constant_factor(float(factor), scene)
            text = f"in the part that comes from {name} {found.text}"
            return Explanation(found.mistake, text, name)
    return None
