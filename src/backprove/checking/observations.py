"""Measured and claimed derivatives side by side, at several points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from backprove.checking.measured_jacobian import (
    Coordinates,
    Measured,
    coordinates,
    measure,
    working_precision,
)
from backprove.checking.sample_inputs import nearby
from backprove.checking.subjects import Fault, Subject, is_real
from backprove.errors import DomainError, InputError

UPSTREAMS = 2


@dataclass
class Comparison:
    """The gradient of one input (or the tangent of the output) at one point.

    Attributes:
        which: the position of the input; -1 for the tangent of the output.
        expected: measured, at the moved coordinates.
        error: the bound on the error of ``expected``.
        rounding: the part of it that is rounding.
        given: the claim at the same coordinates.
        full: the claim in full.
        kinks: where the function has no derivative.
        left: the slope from below at kinks.
        right: the slope from above at kinks.
        sizes: the size of each entry before anything cancels in it.
    """

    which: int
    expected: np.ndarray
    error: np.ndarray
    rounding: np.ndarray
    given: np.ndarray
    full: np.ndarray
    kinks: np.ndarray
    left: np.ndarray
    right: np.ndarray
    sizes: np.ndarray

    @property
    def scale(self) -> float:
        """The size of the derivative as a whole."""
        return float(np.max(self.sizes, initial=0.0))


@dataclass
class Point:
    """One point: the inputs, the output, the Jacobians, and the comparisons per upstream."""

    inputs: list[np.ndarray]
    output: np.ndarray
    jacobians: dict[int, Measured]
    seeds: list[list[np.ndarray]]
    comparisons: list[list[Comparison]] = field(default_factory=list)
    given_by_user: bool = False
    forced: bool = False


@dataclass
class Setup:
    """How a subject is evaluated.

    Attributes:
        subject: what is checked.
        mode: ``vjp``, ``jvp`` or ``grad``.
        inputs: the inputs in the precision used.
        unit: the unit of rounding of the forward function.
        rule_unit: the unit of rounding of the claimed derivative.
        moved: the coordinates moved, per judged input.
        step: the largest step, None for the usual one.
        rng: the source of randomness.
        native: whether the inputs' own dtype had to be kept.
    """

    subject: Subject
    mode: str
    inputs: list[np.ndarray]
    unit: float
    rule_unit: float
    moved: dict[int, Coordinates]
    step: float | None
    rng: np.random.Generator
    native: bool

    @property
    def coarse(self) -> bool:
        """Whether the code computes in less than double precision."""
        return max(self.unit, self.rule_unit) > 1e-12


def prepare(subject: Subject, mode: str, step: float | None, seed: int) -> Setup:
    """Choose the precision: double where both functions accept it, else what they were given.

    Raises:
        Fault: the derivative fails on the inputs as given.
        DomainError: the output at the given inputs is not finite.
    """
    rng = np.random.default_rng(seed)
    native_output = _finite_output(subject, subject.inputs)
    _same_twice(subject, native_output)
    native_answer = answer(subject, mode, subject.inputs, native_output, rng)
    doubled = [v.astype(float) if is_real(v) else v for v in subject.inputs]
    native = False
    rule_unit = _unit_of(native_answer)
    chosen = doubled
    if not all(
        np.array_equal(a, b) and a.dtype == b.dtype
        for a, b in zip(doubled, subject.inputs, strict=True)
    ):
        try:
            output = _finite_output(subject, doubled)
            rule_unit = _unit_of(answer(subject, mode, doubled, output, rng))
            native = output.dtype != np.float64
        except (Fault, DomainError, InputError, TypeError, ValueError):
            native = True
            chosen = list(subject.inputs)
    unit = working_precision(_casting(subject, chosen), chosen, subject.judged)
    if native:
        unit = max(unit, float(np.finfo(np.float32).eps))
    moved = {k: coordinates(chosen[k].shape, rng) for k in subject.judged}
    return Setup(subject, mode, chosen, unit, rule_unit, moved, step, rng, native)


def _casting(subject: Subject, like: Sequence[np.ndarray]):
    """The forward function on inputs cast to the dtypes of ``like``."""

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        cast = [np.asarray(v).astype(a.dtype) for v, a in zip(values, like, strict=True)]
        return subject.forward(cast)

    return forward


def _finite_output(subject: Subject, inputs: Sequence[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        output = subject.forward(inputs)
    bad = ~np.isfinite(np.asarray(output, dtype=float))
    if bad.any():
        first = tuple(int(k) for k in np.argwhere(bad)[0])
        entry = f"at entry {list(first)}" if first else "as its value"
        raise DomainError(
            f"{subject.title} gives {np.asarray(output, dtype=float)[first]} {entry} "
            f"({int(bad.sum())} of {bad.size} entries are not finite), so it has no derivative "
            "there.",
            hint="Check at inputs inside of its domain.",
        )
    return output


def _same_twice(subject: Subject, output: np.ndarray) -> None:
    again = subject.forward(subject.inputs)
    if again.shape != output.shape or not np.array_equal(again, output):
        raise DomainError(
            f"{subject.title} gives different values at the same inputs, so it has no derivative.",
            hint="Fix the seed, or pass the random mask as an input.",
        )


def _unit_of(answers: Sequence[np.ndarray | None]) -> float:
    """The unit of rounding of returned derivatives; zeros and whole numbers tell nothing."""
    unit = float(np.finfo(float).eps)
    for value in answers:
        if value is None or not is_real(value):
            continue
        wide = np.asarray(value, dtype=float)
        if value.dtype == np.float64:
            wide = wide[np.isfinite(wide) & (wide != np.round(wide))]
            with np.errstate(all="ignore"):
                exact = wide.size > 3 and np.all(wide.astype(np.float32) == wide)
            unit = max(unit, float(np.finfo(np.float32).eps)) if exact else unit
        else:
            bits = {"float32": 2.0**-23, "float16": 2.0**-10}.get(value.dtype.name, 2.0**-7)
            unit = max(unit, bits)
    return unit


def answer(
    subject: Subject,
    mode: str,
    inputs: Sequence[np.ndarray],
    output: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray | None]:
    """The claimed derivative for a random upstream gradient or tangents, with its shape checked."""
    if mode == "jvp":
        tangents = [
            rng.normal(size=inputs[k].shape).astype(inputs[k].dtype) for k in subject.judged
        ]
        return [claimed_tangent(subject, tangents, inputs, output)]
    seed = np.ones(output.shape) if mode == "grad" else rng.normal(size=output.shape)
    return claimed_gradients(subject, seed.astype(output.dtype), inputs)


def claimed_gradients(
    subject: Subject, g: np.ndarray, inputs: Sequence[np.ndarray]
) -> list[np.ndarray | None]:
    """The claimed gradients, every one of the shape of its input."""
    with np.errstate(all="ignore"):
        subject.forward(inputs)  # a backward may use what the forward call before it has kept
        gradients = subject.pullback(g, inputs)
    for k, gradient in zip(subject.judged, gradients, strict=True):
        if gradient is not None and gradient.shape != inputs[k].shape:
            raise WrongShape(subject.names[k], k, gradient, inputs[k].shape)
    return gradients


class WrongShape(Fault):
    """A gradient that does not have the shape of its input, kept to find out why."""

    def __init__(self, name: str, which: int, gradient: np.ndarray, shape: tuple[int, ...]) -> None:
        super().__init__(
            f"The gradient of {name} has the shape {gradient.shape}, and {name} has the shape "
            f"{shape}.",
            f"shape of the gradient of {name}",
            "wrong_shape",
        )
        self.which = which
        self.gradient = gradient


def claimed_tangent(
    subject: Subject,
    tangents: Sequence[np.ndarray],
    inputs: Sequence[np.ndarray],
    output: np.ndarray,
) -> np.ndarray:
    """The claimed tangent of the output, of the output's shape."""
    with np.errstate(all="ignore"):
        subject.forward(inputs)
        tangent = subject.pushforward(tangents, inputs)
    if tangent.shape != output.shape:
        raise Fault(
            f"The tangent of the output has the shape {tangent.shape}, and the output has the "
            f"shape {output.shape}.",
            "shape of the tangent",
            "wrong_shape",
        )
    return tangent


def observe(setup: Setup, count: int, upstream: np.ndarray | None) -> list[Point]:
    """Compare at the given inputs and at ``count`` - 1 others of the same kind."""
    found = [_point(setup, setup.inputs, upstream)]
    found[0].given_by_user = True
    for attempt in range(3 * count):
        if len(found) >= count:
            break
        spread = (0.3, 1.0, 0.05)[attempt % 3]
        inputs = nearby(setup.inputs, setup.subject.judged, setup.rng, spread)
        if setup.native:
            inputs = [v.astype(a.dtype) for v, a in zip(inputs, setup.inputs, strict=True)]
        point = attempt_point(setup, inputs)
        if point is not None:
            found.append(point)
    return found


def attempt_point(setup: Setup, inputs: list[np.ndarray]) -> Point | None:
    """The comparison at inputs of our own choice; None where the function is not defined."""
    try:
        with np.errstate(all="ignore"):
            output = np.asarray(setup.subject.forward(inputs), dtype=float)
    except Exception:  # our inputs, not the user's: any failure only means a bad choice
        return None
    if not np.all(np.isfinite(output)):
        return None
    try:
        return _point(setup, inputs, None)
    except Fault as fault:
        if isinstance(fault, WrongShape) or "raises" not in fault.where:
            raise
        return None


def _point(setup: Setup, inputs: list[np.ndarray], upstream: np.ndarray | None) -> Point:
    subject = setup.subject
    forward = _casting(subject, inputs)
    output = np.asarray(subject.forward(inputs))
    jacobians = {
        k: measure(forward, inputs, k, setup.moved[k], setup.unit, setup.step)
        for k in subject.judged
    }
    seeds = _seeds(setup, output, upstream)
    point = Point(list(inputs), np.asarray(output, dtype=float), jacobians, seeds)
    for seed in seeds:
        if setup.mode == "jvp":
            point.comparisons.append([_compare_tangent(setup, point, seed, output)])
        else:
            point.comparisons.append(_compare_gradients(setup, point, seed[0], output))
    return point


def _seeds(setup: Setup, output: np.ndarray, upstream: np.ndarray | None) -> list[list[np.ndarray]]:
    if setup.mode == "grad":
        return [[np.ones(output.shape)]]
    shapes = [output.shape]
    if setup.mode == "jvp":
        shapes = [setup.inputs[k].shape for k in setup.subject.judged]
    seeds = [[setup.rng.normal(size=s) for s in shapes] for _ in range(UPSTREAMS)]
    if upstream is not None:
        seeds.insert(0, [np.asarray(upstream, dtype=float)])
    return seeds


def _compare_gradients(
    setup: Setup, point: Point, g: np.ndarray, output: np.ndarray
) -> list[Comparison]:
    kept = output.dtype if is_real(output) else np.dtype(float)
    g = g.astype(kept)
    gradients = claimed_gradients(setup.subject, g, point.inputs)
    flat = np.asarray(g, dtype=float).reshape(-1)
    found = []
    for k, gradient in zip(setup.subject.judged, gradients, strict=True):
        if gradient is None:
            if not setup.subject.missing_is_zero:
                continue
            gradient = np.zeros(point.inputs[k].shape)
        measured = point.jacobians[k]
        weight = np.abs(flat)[:, None]
        touched = measured.kinks & (weight > 0)
        found.append(
            Comparison(
                k,
                flat @ measured.values,
                (weight * measured.error).sum(0),
                (weight * measured.rounding).sum(0),
                setup.moved[k].of(gradient),
                np.asarray(gradient, dtype=float),
                np.asarray(touched.any(axis=0)),
                flat @ np.where(touched, measured.left, measured.values),
                flat @ np.where(touched, measured.right, measured.values),
                np.nan_to_num((weight * np.abs(measured.values)).sum(0)),
            )
        )
    return found


def _compare_tangent(
    setup: Setup, point: Point, tangents: list[np.ndarray], output: np.ndarray
) -> Comparison:
    subject = setup.subject
    cast = [t.astype(setup.inputs[k].dtype) for t, k in zip(tangents, subject.judged, strict=True)]
    given = claimed_tangent(subject, cast, point.inputs, output)
    forward = _casting(subject, point.inputs)
    arrays = [np.asarray(point.inputs[k], dtype=float) for k in subject.judged]

    def along(values: Sequence[np.ndarray]) -> np.ndarray:
        moved = list(point.inputs)
        for k, base, t in zip(subject.judged, arrays, cast, strict=True):
            moved[k] = base + float(values[0][0]) * np.asarray(t, dtype=float)
        return forward(moved)

    line = Coordinates((1,), np.arange(1), np.zeros((0, 1)))
    measured = measure(along, [np.zeros(1)], 0, line, setup.unit, setup.step)
    kinks = measured.kinks[:, 0]
    for k in subject.judged:
        kinks = kinks | point.jacobians[k].kinks.any(axis=1)
    expected = measured.values[:, 0]
    return Comparison(
        -1,
        expected,
        measured.error[:, 0],
        measured.rounding[:, 0],
        np.asarray(given, dtype=float).reshape(-1),
        np.asarray(given, dtype=float),
        kinks,
        measured.left[:, 0],
        measured.right[:, 0],
        np.abs(np.nan_to_num(expected)),
    )
