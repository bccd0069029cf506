"""Numeric oracles: sample points in the domain, finite differences, one-sided slopes at kinks.

Sizes that stay symbolic in an answer are all chosen different here, because equal sizes hide wrong
deltas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.errors import DomainError
from backprove.notation.axes import Size
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array
from backprove.notation.operations import Program

_SIZES = (5, 3, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13)
MAX_SAMPLED_ENTRIES = 4_000_000
SPARSE = frozenset({"onehot", "binary"})
"""Domains in which an entry is often 0, and then hides what it is multiplied by."""


def size_names(symbols: Mapping[str, Array]) -> list[str]:
    """The named sizes of the symbols, in the order of declaration."""
    names: dict[str, None] = {}
    for array in symbols.values():
        for size in array.shape:
            names.update(dict.fromkeys(sorted(size.names())))
    return list(names)


def sample_sizes(
    program: Program, *, equal: bool = False, backwards: bool = False
) -> dict[str, int]:
    """Values for the named sizes, all different (or all 3), that satisfy the program's conditions.

    The first named size is the largest of the usual two or three, so that ``X.T @ X`` is regular;
    ``backwards`` gives the values out in the opposite order.

    Raises:
        DomainError: no small sizes satisfy what the slices of the expression assume.
    """
    names = size_names(program.symbols)
    if backwards:
        names.reverse()
    for shift in (*range(12), -1, -2, -3, -4):
        if equal:
            sizes = dict.fromkeys(names, 3 + shift)
        else:
            sizes = {
                n: _SIZES[k % len(_SIZES)] + shift + 10 * (k // len(_SIZES))
                for k, n in enumerate(names)
            }
        fits = all(condition.at(sizes) >= 0 for condition, _ in program.assumptions)
        if fits and min(sizes.values(), default=1) >= 1:
            return sizes
    raise DomainError(
        "no small sizes satisfy the conditions of the slices",
        hint="; ".join(reason for _, reason in program.assumptions),
    )


def sample(
    array: Array,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    spread: str = "normal",
    scale: float = 1.0,
) -> np.ndarray:
    """Random values of an array inside its domain.

    Args:
        array: the symbol.
        sizes: the value of each named size.
        rng: the source of randomness.
        spread: how free real entries are drawn: ``normal``, ``positive`` (0.3 to 1.8) or ``unit``
            (0.05 to 0.95).
        scale: the standard deviation of ``normal`` entries.
    """
    shape = tuple(s.at(sizes) for s in array.shape)
    if math.prod(shape) > MAX_SAMPLED_ENTRIES:
        raise DomainError(f"'{array.name}' has {math.prod(shape):,} entries; too many to sample")
    return np.asarray(_draw(array, shape, rng, spread, scale))


def _draw(
    array: Array, shape: tuple[int, ...], rng: np.random.Generator, spread: str, scale: float
) -> np.ndarray | float:
    match array.sampled or array.domain:
        case "positive":
            return rng.uniform(0.3, 1.8, shape)
        case "unit":
            return rng.uniform(0.05, 0.95, shape)
        case "prob":
            raw = rng.gamma(1.5, size=shape) + 0.05
            return raw / raw.sum(axis=-1, keepdims=True)
        case "sum1":
            raw = rng.normal(size=shape)
            return raw + (1.0 - raw.sum(axis=-1, keepdims=True)) / shape[-1]
        case "onehot":
            return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
        case "pm1":
            return rng.choice([-1.0, 1.0], shape)
        case "binary":
            return rng.integers(0, 2, shape).astype(float)
        case "symmetric":
            raw = rng.normal(size=shape)
            return (raw + raw.T) / 2
        case "spd":
            raw = rng.normal(size=shape)
            return raw @ raw.T / shape[0] + 0.5 * np.eye(shape[0])
        case "nonsingular":
            return rng.normal(size=shape) + 1.5 * np.eye(shape[0])
    if spread == "positive":
        return rng.uniform(0.3, 1.8, shape)
    if spread == "unit":
        return rng.uniform(0.05, 0.95, shape)
    return scale * rng.normal(size=shape)


@dataclass(frozen=True)
class Point:
    """Values of all inputs at given sizes, where the expression is finite."""

    inputs: dict[Array, np.ndarray]
    sizes: dict[str, int]
    values: dict[Array, np.ndarray]


def output_value(
    program: Program, arrays: Mapping[Array, np.ndarray], sizes: Mapping[str, int]
) -> np.ndarray:
    """The value of the output, also when it is an input or a constant itself."""
    if program.output.array in arrays:
        return arrays[program.output.array]
    return Evaluator(arrays, sizes).tensor(program.tensor())


def points(
    program: Program,
    *,
    count: int = 3,
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
    extra: Sequence[Array] = (),
    scales: Sequence[float] = (1.0,),
) -> Iterator[Point]:
    """Random points at which every value of the program is finite.

    Args:
        program: the expression.
        count: how many points.
        seed: the seed of the random numbers.
        sizes: the value of each named size; chosen all different if left out.
        extra: further arrays to sample, such as an upstream gradient.
        scales: how far free real entries spread, in turn; several reach both sides of kinks.

    Raises:
        DomainError: no point was found; the message names the operation that fails, or what the
            expression assumes of its sizes.
    """
    choices = [sizes] if sizes is not None else _size_choices(program)
    for condition, reason in program.assumptions:
        if any(condition.at(chosen) < 0 for chosen in choices):
            raise DomainError(f"the sizes do not fit the expression, which assumes that {reason}")
    arrays = [*program.symbols.values(), *extra]
    rng = np.random.default_rng(seed)
    failure = ""
    for chosen in choices:
        found = 0
        for attempt in range(count + 12):
            spread = ("normal", "positive", "unit")[attempt % 3 if failure else 0]
            scale = scales[attempt % len(scales)]
            inputs = {a: sample(a, chosen, rng, spread, scale) for a in arrays}
            values, trouble = _try_point(program, inputs, chosen)
            if trouble:
                failure = trouble
                continue
            found += 1
            yield Point(inputs, dict(chosen), values)
            if found == count:
                return
        if found:
            return
    raise DomainError(
        f"no sample point was found at which '{failure}' is finite",
        hint='Declare where the symbols live, as in domain={"x": "positive"}.',
    )


def point_at(
    program: Program, inputs: Mapping[Array, np.ndarray], sizes: Mapping[str, int]
) -> Point | None:
    """The point of given inputs; none if a value of the program is not finite there."""
    values, trouble = _try_point(program, dict(inputs), sizes)
    return None if trouble else Point(dict(inputs), dict(sizes), values)


def _size_choices(program: Program) -> list[dict[str, int]]:
    forwards = sample_sizes(program)
    backwards = sample_sizes(program, backwards=True)
    return [forwards] if backwards == forwards else [forwards, backwards]


def _try_point(
    program: Program, inputs: dict[Array, np.ndarray], sizes: Mapping[str, int]
) -> tuple[dict[Array, np.ndarray], str]:
    """All values at a point, and the operation that is not finite there (or an empty text)."""
    try:
        with np.errstate(all="ignore"):
            values = run_program(program, inputs, sizes)
    except DomainError as error:
        return {}, error.message
    for value in program.operations:
        if not np.all(np.isfinite(values[value.array])):
            return values, value.operation
        if value.operation in ("inv", "det", "logdet"):
            operand = values.get(value.inputs[0].array)
            if operand is not None and np.max(np.linalg.cond(operand)) > 1e8:
                return values, f"{value.operation} of a nearly singular matrix"
    return values, ""


def difference_quotients(
    function: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float = 1e-3
) -> np.ndarray:
    """The Jacobian by central differences with two Richardson steps.

    Args:
        function: maps an array of the shape of ``at`` to an array.
        at: where to differentiate.
        step: the largest step; 1/2 and 1/4 of it are used as well.

    Returns:
        Output shape followed by the shape of ``at``. The error is of order step**6 plus rounding
        (Richardson 1911; Press et al., Numerical Recipes, section 5.7).
    """
    columns = []
    for position in np.ndindex(at.shape):
        scale = max(1.0, abs(float(at[position])))
        table = []
        for shrink in (1.0, 0.5, 0.25):
            h = step * shrink * scale
            up, down = at.copy(), at.copy()
            up[position] += h
            down[position] -= h
            table.append((function(up) - function(down)) / (up[position] - down[position]))
        first = [(4 * table[k + 1] - table[k]) / 3 for k in range(2)]
        columns.append((16 * first[1] - first[0]) / 15)
    stacked = np.stack([np.asarray(c, dtype=float) for c in columns], axis=-1)
    return stacked.reshape((*stacked.shape[:-1], *at.shape))


def one_sided(
    function: Callable[[np.ndarray], np.ndarray],
    at: np.ndarray,
    position: tuple[int, ...],
    step: float = 1e-6,
) -> tuple[np.ndarray, np.ndarray]:
    """The slopes from the left and from the right in one coordinate (second-order differences)."""
    slopes = []
    base = np.asarray(function(at), dtype=float)
    for sign in (-1.0, 1.0):
        near, far = at.copy(), at.copy()
        near[position] += sign * step
        far[position] += 2 * sign * step
        slopes.append(sign * (4 * function(near) - 3 * base - function(far)) / (2 * step))
    return slopes[0], slopes[1]


@dataclass(frozen=True)
class Agreement:
    """How well a computed derivative agrees with finite differences.

    Attributes:
        error: the largest deviation, relative to the scale of the derivative.
        entry: where it occurs.
        expected: the value by finite differences there.
        given: the computed value there.
        skipped: entries left out because the function has a kink within the step.
    """

    error: float
    entry: tuple[int, ...]
    expected: float
    given: float
    skipped: int


def compare(
    given: np.ndarray, function: Callable[[np.ndarray], np.ndarray], at: np.ndarray
) -> Agreement:
    """Compare a Jacobian, entry by entry, with finite differences of ``function`` at ``at``."""
    with np.errstate(all="ignore"):
        expected = difference_quotients(function, at)
        wide = difference_quotients(function, at, 4e-4)
    scale = np.maximum(np.max(np.abs(expected), initial=0.0), 1.0)
    # Where two steps disagree the function is not smooth within the step.
    rough = ~np.isfinite(expected) | (np.abs(expected - wide) > 1e-6 * scale)
    deviation = np.where(rough, 0.0, np.abs(given - expected) / scale)
    deviation = np.where(np.isnan(deviation), np.inf, deviation)
    if not deviation.size:
        return Agreement(0.0, (), 0.0, 0.0, 0)
    worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(deviation)), deviation.shape))
    return Agreement(
        float(deviation[worst]),
        worst,
        float(expected[worst]),
        float(given[worst]),
        int(rough.sum()),
    )


def total_entries(shape: Sequence[Size], sizes: Mapping[str, int]) -> int:
    """The number of entries of an array of the given shape."""
    return math.prod(s.at(sizes) for s in shape)
