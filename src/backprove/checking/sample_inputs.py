"""More points to check at, near the given inputs and of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sums_to_one(value: np.ndarray) -> bool:
    """Whether the entries are not negative and each row sums to 1."""
    if value.ndim == 0 or value.shape[-1] < 2 or not value.size:
        return False
    return bool(np.all(value >= 0) and np.allclose(value.sum(-1), 1.0, rtol=0, atol=1e-6))


def is_symmetric(value: np.ndarray) -> bool:
    """Whether a square matrix, not a diagonal one, equals its transpose."""
    if value.ndim != 2 or value.shape[0] != value.shape[1] or value.shape[0] < 2:
        return False
    off_diagonal = value - np.diag(np.diag(value))
    return bool(np.any(off_diagonal)) and np.allclose(value, value.T, rtol=0, atol=1e-12)


def kinds(value: np.ndarray) -> list[str]:
    """The assumptions that the given values obey and that a rule may silently rely on."""
    found = []
    if sums_to_one(value):
        found.append("rows sum to 1")
    if is_symmetric(value):
        found.append("symmetric")
    if value.size and np.all(value > 0) and not found:
        found.append("positive")
    if value.size and np.all(value < 0):
        found.append("negative")
    return found


def without(
    kind: str, values: Sequence[np.ndarray], which: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Inputs that no longer have a property of ``kinds``, and are otherwise much as given."""
    moved = list(values)
    value = np.asarray(values[which], dtype=float)
    if kind in ("positive", "negative"):
        size = float(np.sqrt(np.mean(value**2)))
        flips = rng.permuted(np.resize([-1.0, 1.0, -1.0], value.size)).reshape(value.shape)
        moved[which] = flips * (np.abs(value) + 0.1 * size * rng.uniform(size=value.shape))
        return moved
    return nearby(values, [which], rng, 0.3, keep=False)


def nearby(
    values: Sequence[np.ndarray],
    movable: Sequence[int],
    rng: np.random.Generator,
    spread: float,
    *,
    keep: bool = True,
) -> list[np.ndarray]:
    """Other inputs of the same kind: signs, ranges, sums and symmetry are kept.

    Args:
        values: the given inputs.
        movable: the inputs that hold real numbers.
        rng: the source of randomness.
        spread: how far entries move, relative to the size of the entries of the input.
        keep: whether sums to 1 and symmetry are kept; signs and ranges always are.
    """
    moved = list(values)
    for k in movable:
        moved[k] = _near(np.asarray(values[k], dtype=float), rng, spread, keep)
    return moved


def _near(value: np.ndarray, rng: np.random.Generator, spread: float, keep: bool) -> np.ndarray:
    if not value.size or not np.all(np.isfinite(value)):
        return value
    if np.all((value == 0) | (value == 1)) and np.ptp(value) == 1:
        if keep:
            return rng.permuted(value, axis=-1) if value.ndim else value
        return value * rng.uniform(0.5, 1.5, value.shape)
    if np.all(value > 0):
        factor = np.exp(spread * rng.uniform(-1, 1, value.shape))
        near = value * factor
        if np.all(value < 1):
            near = value ** np.exp(spread * rng.uniform(-1, 1, value.shape))
    else:
        size = float(np.sqrt(np.mean(value**2))) or 1.0
        near = value + spread * size * rng.normal(size=value.shape)
    if keep and sums_to_one(value):
        near = np.abs(near)
        near = near / near.sum(-1, keepdims=True)
    if keep and is_symmetric(value):
        near = (near + near.T) / 2
    return near
