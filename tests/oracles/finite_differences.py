"""Jacobians and Hessians of NumPy callables by central differences and extrapolation.

Sources: Ridders, Advances in Engineering Software 4 (1982), 75; Richardson's extrapolation of the
even error series of central differences. Shares no code with the package.

A kink nearer to the point than the last step (``step/512`` times ``max(1, |x|)``) is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Function = Callable[..., Any]

_LEVELS = 10
_SHRINK = 2.0


@dataclass(frozen=True)
class Estimate:
    """Derivatives with an estimate of the error of each entry.

    Args:
        value: derivatives, shape of the output followed by the shape of each input.
        error: estimated absolute errors, same shape; infinite where no difference was finite.
    """

    value: Array
    error: Array

    def agrees(self, other: Any, *, rtol: float = 1e-7, safety: float = 100.0) -> bool:
        """Whether an array of the same shape agrees with the estimate in every entry."""
        given = np.asarray(other, dtype=float)
        if given.shape != self.value.shape or not np.all(np.isfinite(self.error)):
            return False
        allowed = rtol * np.maximum(1.0, np.abs(self.value)) + safety * self.error
        return bool(np.all(np.abs(given - self.value) <= allowed))


def jacobian(
    function: Function, values: Mapping[str, Any], wrt: str, *, step: float = 0.02
) -> Estimate:
    """The Jacobian of a function of named arrays.

    Args:
        function: called with every array as a keyword argument.
        values: the arrays; they are not changed.
        wrt: the name of the array to differentiate by.
        step: first step, relative to ``max(1, |x|)``; it is halved nine times.

    Returns:
        Derivatives of shape output + input.
    """
    arrays = _arrays(values)
    call = _quiet(function)
    shape = arrays[wrt].shape
    entries: list[tuple[Array, Array]] = []
    for at in np.ndindex(*shape):
        size = step * max(1.0, abs(float(arrays[wrt][at])))

        def difference(scale: float, at: tuple[int, ...] = at, size: float = size) -> Array:
            h = size * scale
            ahead, behind = _moved(arrays, (wrt, at, h)), _moved(arrays, (wrt, at, -h))
            width = ahead[wrt][at] - behind[wrt][at]  # what rounding has left of 2*h
            return (call(ahead) - call(behind)) / width

        entries.append(_extrapolated(difference))
    output = np.shape(call(arrays))
    return _stacked(entries, output, shape)


def hessian(
    function: Function,
    values: Mapping[str, Any],
    wrt: str,
    second: str | None = None,
    *,
    step: float = 0.1,
) -> Estimate:
    """The second derivatives of a function of named arrays.

    Args:
        function: called with every array as a keyword argument.
        values: the arrays; they are not changed.
        wrt: the array of the first differentiation.
        second: the array of the second one; ``wrt`` if left out.
        step: first step, relative to ``max(1, |x|)``; it is halved nine times.

    Returns:
        Derivatives of shape output + input + second input.
    """
    arrays = _arrays(values)
    call = _quiet(function)
    second = second or wrt
    shapes = arrays[wrt].shape, arrays[second].shape
    entries: list[tuple[Array, Array]] = []
    for p in np.ndindex(*shapes[0]):
        for q in np.ndindex(*shapes[1]):
            a = step * max(1.0, abs(float(arrays[wrt][p])))
            b = step * max(1.0, abs(float(arrays[second][q])))
            moves = ((wrt, p, a), (second, q, b))
            entries.append(_extrapolated(lambda scale, m=moves: _mixed(call, arrays, m, scale)))
    output = np.shape(call(arrays))
    return _stacked(entries, output, shapes[0] + shapes[1])


Move = tuple[str, tuple[int, ...], float]


def _mixed(
    call: Callable[[Mapping[str, Array]], Array],
    arrays: Mapping[str, Array],
    moves: tuple[Move, Move],
    scale: float,
) -> Array:
    """The mixed central difference; with both moves the same it is the second difference."""
    (first, p, a), (second, q, b) = moves
    a, b = a * scale, b * scale
    total: Any = 0.0
    for s in (1, -1):
        for t in (1, -1):
            point = _moved(arrays, (first, p, s * a), (second, q, t * b))
            total = total + s * t * call(point)
    return total / (4 * a * b)


def _arrays(values: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(value, dtype=np.float64) for name, value in values.items()}


def _moved(arrays: Mapping[str, Array], *moves: Move) -> dict[str, Array]:
    point = {name: array.copy() for name, array in arrays.items()}
    for name, at, by in moves:
        point[name][at] += by
    return point


def _quiet(function: Function) -> Callable[[Mapping[str, Array]], Array]:
    """The function without warnings: steps that leave its domain give NaN and are not used."""

    def call(point: Mapping[str, Array]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(**point), dtype=np.float64)

    return call


def _extrapolated(difference: Callable[[float], Array]) -> tuple[Array, Array]:
    """Ridders' tableau, entry by entry: the value with the smallest error estimate."""
    best: Array | None = None
    error: Array = np.empty(0)
    previous: list[Array] = []
    for level in range(_LEVELS):
        row = [difference(_SHRINK**-level)]
        if best is None:
            best, error = np.full(row[0].shape, np.nan), np.full(row[0].shape, np.inf)
        for order, coarse in enumerate(previous, start=1):
            gain = _SHRINK ** (2 * order)
            finer = row[-1]
            with np.errstate(invalid="ignore"):
                row.append((gain * finer - coarse) / (gain - 1))
                doubt = np.maximum(np.abs(row[-1] - finer), np.abs(row[-1] - coarse))
            better = np.isfinite(doubt) & (doubt < error)
            best, error = np.where(better, row[-1], best), np.where(better, doubt, error)
        previous = row
    assert best is not None
    return best, error


def _stacked(
    entries: list[tuple[Array, Array]], output: tuple[int, ...], inputs: tuple[int, ...]
) -> Estimate:
    if not entries:
        return Estimate(np.zeros(output + inputs), np.zeros(output + inputs))
    value = np.stack([entry for entry, _ in entries], axis=-1).reshape(output + inputs)
    error = np.stack([entry for _, entry in entries], axis=-1).reshape(output + inputs)
    return Estimate(value, error)
