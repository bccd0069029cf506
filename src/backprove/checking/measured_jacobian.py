"""The Jacobian of a black-box function, measured: values, error bounds, kinks and noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.calculus.numeric import difference_quotients, one_sided

Forward = Callable[[Sequence[np.ndarray]], np.ndarray]
MOST_COORDINATES = 96
"""Inputs with more entries are sampled at this many, and along random directions as a whole."""
DIRECTIONS = 6
_REFINEMENTS = (4e-2, 8e-3, 1.6e-3)


@dataclass(frozen=True)
class Coordinates:
    """Which entries of an input are moved one by one, and which directions as a whole."""

    shape: tuple[int, ...]
    entries: np.ndarray
    directions: np.ndarray

    @property
    def complete(self) -> bool:
        """Whether every entry of the input is moved."""
        return self.entries.size == int(np.prod(self.shape))

    def of(self, gradient: np.ndarray) -> np.ndarray:
        """A gradient at the moved entries, followed by its products with the directions."""
        flat = np.asarray(gradient, dtype=float).reshape(-1)
        return np.concatenate([flat[self.entries], self.directions @ flat])

    def index(self, position: int) -> tuple[int, ...]:
        """The index in the input of a moved entry; empty for a direction."""
        if position >= self.entries.size:
            return ()
        found = np.unravel_index(int(self.entries[position]), self.shape)
        return tuple(int(k) for k in found)


def coordinates(shape: tuple[int, ...], rng: np.random.Generator) -> Coordinates:
    """All entries of a small input; a sample and some directions of a large one."""
    size = int(np.prod(shape))
    if size <= MOST_COORDINATES:
        return Coordinates(shape, np.arange(size), np.zeros((0, size)))
    chosen = np.sort(rng.choice(size, MOST_COORDINATES, replace=False))
    directions = rng.normal(size=(DIRECTIONS, size)) / np.sqrt(size)
    return Coordinates(shape, chosen, directions)


@dataclass(frozen=True)
class Measured:
    """The Jacobian with respect to one input at one point.

    Attributes:
        values: outputs by coordinates.
        truncation: how far two steps differ, same shape.
        rounding: a bound on what rounding does to the quotients, same shape.
        kinks: where the one-sided slopes differ or no limit was found, same shape.
        left: the slope from below at kinks, same shape.
        right: the slope from above at kinks, same shape.
    """

    values: np.ndarray
    truncation: np.ndarray
    rounding: np.ndarray
    kinks: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """The bound on the error of each entry."""
        return self.truncation + self.rounding


def working_precision(forward: Forward, inputs: Sequence[np.ndarray], movable: list[int]) -> float:
    """The unit of rounding in which the function really computes.

    A function that rounds to single precision inside, whatever its declared dtype, gives values
    that single precision holds exactly even at inputs that it does not.
    """
    rng = np.random.default_rng(7)
    moved = [np.asarray(v) for v in inputs]
    for k in movable:
        moved[k] = moved[k] * (1 + 1e-3 * rng.uniform(0.1, 1, moved[k].shape))
    try:
        with np.errstate(all="ignore"):
            out = np.asarray(forward(moved), dtype=float)
    except Exception:  # the caller meets the failure at the inputs themselves and reports it
        return float(np.finfo(float).eps)
    out = out[np.isfinite(out) & (out != np.round(out))]
    if out.size:
        with np.errstate(all="ignore"):
            if np.all(out.astype(np.float16) == out):
                return float(np.finfo(np.float16).eps)
            if np.all(out.astype(np.float32) == out):
                mantissa, _ = np.frexp(out)
                coarse = np.all(mantissa * 256 == np.round(mantissa * 256))
                return 2.0**-7 if coarse else float(np.finfo(np.float32).eps)
    return float(np.finfo(float).eps)


def default_step(unit: float) -> float:
    """The largest step: where rounding meets the truncation error of order six."""
    return max(1e-3, 0.6 * unit ** (1 / 7))


def measure(
    forward: Forward,
    inputs: Sequence[np.ndarray],
    which: int,
    moved: Coordinates,
    unit: float,
    step: float | None = None,
) -> Measured:
    """The Jacobian of ``forward`` with respect to one input, at the given coordinates.

    Args:
        forward: maps the inputs to an array.
        inputs: one array for each argument.
        which: the input to move.
        moved: the coordinates to move.
        unit: the unit of rounding of ``forward``, relative to its values.
        step: the largest step of the central differences; by precision if left out.

    Returns:
        Quotients with two Richardson steps (see ``difference_quotients``), each with the
        disagreement of two steps as the truncation error and the effect of ``unit`` as rounding.
    """
    base = np.asarray(inputs[which], dtype=float)
    origin = np.concatenate([base.reshape(-1)[moved.entries], np.zeros(len(moved.directions))])

    def function(at: np.ndarray) -> np.ndarray:
        flat = base.reshape(-1).copy()
        flat[moved.entries] = at[: moved.entries.size]
        flat = flat + at[moved.entries.size :] @ moved.directions
        values = list(inputs)
        values[which] = flat.reshape(base.shape)
        try:
            return np.asarray(forward(values), dtype=float).reshape(-1)
        except Exception:  # a step left the domain: no value there, and smaller steps decide
            return np.full(count, np.nan)

    count = int(np.size(forward(inputs)))
    with np.errstate(all="ignore"):
        size = np.abs(function(origin))[:, None]
        scale = np.maximum(1.0, np.abs(origin))[None, :]
        first = default_step(unit) if step is None else step
        return _with_kinks(function, origin, size, scale, unit, first)


def _with_kinks(
    function: Callable[[np.ndarray], np.ndarray],
    origin: np.ndarray,
    size: np.ndarray,
    scale: np.ndarray,
    unit: float,
    step: float,
) -> Measured:
    if not origin.size:
        empty = np.zeros((size.shape[0], 0))
        return Measured(empty, empty, empty, empty.astype(bool), empty, empty)
    wide = difference_quotients(function, origin, step)
    narrow = difference_quotients(function, origin, step / 4)
    values, truncation = wide, np.abs(wide - narrow)
    slope = np.maximum(np.nan_to_num(np.abs(wide)), np.nan_to_num(np.abs(narrow)))
    top = max(float(np.max(slope, initial=0.0)), 1e-300)
    noise = 4 * unit * (size + np.abs(origin)[None, :] * slope)
    rounding = np.broadcast_to(8 * noise / (step * scale), values.shape).copy()
    # Where no step moved the value by its last digit, that digit bounds the slope.
    still = (wide == 0) & (narrow == 0)
    rounding[still] /= 16
    rough = ~(truncation <= 1e-7 * top + 4 * rounding)
    for refinement in _REFINEMENTS:
        columns = np.flatnonzero(rough.any(axis=0))
        if not columns.size:
            break
        small = step * refinement
        again = _at(function, origin, columns, small)
        finer = _at(function, origin, columns, small / 4)
        new_rounding = 8 * noise[:, columns] / (small * scale[:, columns])
        gap = np.abs(again - finer)
        better = ~(truncation[:, columns] + rounding[:, columns] <= gap + new_rounding)
        better &= rough[:, columns]
        values[:, columns] = np.where(better, again, values[:, columns])
        truncation[:, columns] = np.where(better, gap, truncation[:, columns])
        rounding[:, columns] = np.where(better, new_rounding, rounding[:, columns])
        rough[:, columns] &= ~(gap <= 1e-7 * top + 4 * new_rounding)
    for k in np.flatnonzero(~np.isfinite(values).all(axis=0) & (origin != 0)):
        # The domain ends closer to the entry than any step so far: steps in its own proportion.
        small = 1e-2 * abs(origin[k])
        again = _at(function, origin, np.array([k]), small)[:, 0]
        finer = _at(function, origin, np.array([k]), small / 4)[:, 0]
        values[:, k], truncation[:, k] = again, np.abs(again - finer)
        rounding[:, k] = 32 * unit * (size[:, 0] + small * np.abs(again)) / small
    kinks, left, right = _kinks(function, origin, noise, scale, unit, top)
    return Measured(values, truncation, rounding, kinks, left, right)


def _at(
    function: Callable[[np.ndarray], np.ndarray],
    origin: np.ndarray,
    columns: np.ndarray,
    step: float,
) -> np.ndarray:
    def restricted(at: np.ndarray) -> np.ndarray:
        full = origin.copy()
        full[columns] = at
        return function(full)

    return difference_quotients(restricted, origin[columns], step)


def _kinks(
    function: Callable[[np.ndarray], np.ndarray],
    origin: np.ndarray,
    noise: np.ndarray,
    scale: np.ndarray,
    unit: float,
    top: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the slopes from both sides differ by the same jump at two steps."""
    left, right = np.zeros_like(noise), np.zeros_like(noise)
    kinks = np.zeros(noise.shape, dtype=bool)
    step = max(1e-6, unit ** (1 / 3))
    for k in range(origin.size):
        h = step * scale[0, k]
        below, above = one_sided(function, origin, (k,), h)
        if origin[k] != 0 and not np.all(np.isfinite(above - below)):
            h = 1e-3 * abs(origin[k])
            below, above = one_sided(function, origin, (k,), h)
        left[:, k], right[:, k] = below, above
        allowed = 1e-4 * top + 40 * noise[:, k] / h
        jump = above - below
        suspect = ~(np.abs(jump) <= allowed)
        if not suspect.any():
            continue
        below, above = one_sided(function, origin, (k,), h / 4)
        closer = above - below
        stays = ~(np.abs(closer) <= allowed * 4) & ~(np.abs(closer) < 0.7 * np.abs(jump))
        kinks[:, k] = suspect & stays
    return kinks, left, right
