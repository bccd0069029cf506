"""The numerical check of a derivative against finite differences, and of its printed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backprove.calculus import numeric
from backprove.calculus.accumulation import adjoint_of
from backprove.errors import DomainError, InputError, NotationError
from backprove.notation.axes import Index
from backprove.notation.building import inline, substitute
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import Array, Tensor
from backprove.notation.latex_reader import latex_to_text
from backprove.notation.lowering import lower
from backprove.notation.operations import Program

if TYPE_CHECKING:
    from backprove.calculus.derivation import Derivation

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Verification:
    """What the numerical check of a derivative found.

    Attributes:
        error: the largest deviation from finite differences, relative to the derivative's scale.
        points: how many points were compared; 0 if none could be.
        sizes: the sizes used for named sizes.
        skipped: entries left out because of a kink.
        passed: whether all compared entries agree to 1e-6.
        reason: why nothing was compared, if so.
    """

    error: float
    points: int
    sizes: dict[str, int]
    skipped: int = 0
    reason: str = ""

    @property
    def passed(self) -> bool:
        """True if at least one point was compared and all agree."""
        return self.points > 0 and self.error <= TOLERANCE

    def __str__(self) -> str:
        if not self.points:
            return f"not verified: {self.reason}"
        shown = ", ".join(f"{n}={v}" for n, v in self.sizes.items())
        state = "agrees with" if self.passed else "DIFFERS from"
        kinks = f"; {self.skipped} entries at kinks left out" if self.skipped else ""
        at = f" ({shown})" if shown else ""
        return f"{state} finite differences to {self.error:.1e} at {self.points} points{at}{kinks}"


def first_point(program: Program) -> numeric.Point | None:
    """A point of the domain at which printed forms are read back; None if none is found."""
    try:
        (point,) = numeric.points(program, count=1, seed=2)
    except DomainError:
        return None
    return point


def read_back(
    text: str, tensor: Tensor, derivation: Derivation, extra: Mapping[str, Array] | None = None
) -> Program | None:
    """The program of a printed matrix form, if it states the tensor that it was printed from.

    Args:
        text: the printed form.
        tensor: what it was printed from.
        derivation: whose symbols and whose sample point are used.
        extra: further arrays of the form, such as an upstream gradient, by name.

    Returns:
        None if the text cannot be read, or differs from the tensor: nobody is to see it then.
        Without a point of the domain the two must be one expression.
    """
    program, point = derivation.program, derivation.point
    arrays = {**program.symbols, **(extra or {})}
    try:
        printed = lower(text, arrays, sizes=set(numeric.size_names(program.symbols)))
        if point is None:
            return printed if _one_expression(printed, tensor) else None
        values, inputs = dict(point.values), dict(point.inputs)
        rng = np.random.default_rng(3)
        for array in (extra or {}).values():
            shape = [s.at(point.sizes) for s in array.shape]
            values[array] = inputs[array] = np.asarray(rng.normal(size=shape))
        values.update(derivation.with_adjoints(values, point.sizes))
        expected = Evaluator(values, point.sizes).tensor(tensor)
        found = run_program(printed, inputs, point.sizes)
        given = numeric.output_value(printed, found, point.sizes)
    except (DomainError, NotationError, InputError):
        return None
    if given.shape != expected.shape:
        return None
    same = np.allclose(given, expected, rtol=1e-9, atol=1e-9, equal_nan=True)
    return printed if same else None


def readable_latex(
    latex: str, tensor: Tensor, derivation: Derivation, extra: Mapping[str, Array] | None = None
) -> str:
    """The LaTeX of a matrix form; empty if it does not state the tensor when read back."""
    arrays = {**derivation.program.symbols, **(extra or {})}
    try:
        text = latex_to_text(latex, arrays).text
    except InputError:
        return ""
    return latex if read_back(text, tensor, derivation, extra) is not None else ""


def _one_expression(printed: Program, tensor: Tensor) -> bool:
    given = printed.tensor()
    if given.shape != tensor.shape:
        return False
    body = inline(given.body, printed.definitions)
    mapping = {a: Index.of(t) for a, t in zip(given.axes, tensor.axes, strict=True)}
    return substitute(body, mapping) is tensor.body


def verify(derivation: Derivation, count: int, seed: int) -> Verification:
    program = derivation.program
    error, skipped, compared = 0.0, 0, 0
    sizes: dict[str, int] = {}
    try:
        sizes = numeric.sample_sizes(program)
        if numeric.total_entries(derivation.shape, sizes) > 300_000:
            return Verification(
                0.0, 0, sizes, reason="the derivative is too large to compare entry by entry"
            )
        for point in numeric.points(program, count=count, seed=seed):
            sizes = point.sizes
            found = _compare_at(derivation, point)
            error, skipped, compared = (
                max(error, found.error),
                skipped + found.skipped,
                compared + 1,
            )
    except DomainError as reason:
        return Verification(error, compared, sizes, skipped, reason.message)
    return Verification(error, compared, sizes, skipped)


def _compare_at(derivation: Derivation, point: numeric.Point) -> numeric.Agreement:
    program, array = derivation.program, derivation.array
    given = Evaluator(derivation.with_adjoints(point.values, point.sizes), point.sizes).tensor(
        derivation.tensor
    )
    count = len(derivation.outputs)
    if derivation.layout == "denominator":
        given = np.moveaxis(given, range(given.ndim - count, given.ndim), range(count))
    first: Tensor | None = None
    if derivation.order == 2:
        passes = derivation.passes
        assert passes is not None
        first = adjoint_of(passes, program, array)

    def function(value: np.ndarray) -> np.ndarray:
        arrays = run_program(program, {**point.inputs, array: value}, point.sizes)
        if first is not None:
            return Evaluator(arrays, point.sizes).tensor(first)
        return numeric.output_value(program, arrays, point.sizes)

    if derivation.note.startswith("Symmetric"):
        return _compare_symmetric(given, function, point.inputs[array])
    return numeric.compare(given, function, point.inputs[array])


def _compare_symmetric(given, function, at):  # type: ignore[no-untyped-def]
    """Entries (i, j) and (j, i) are moved together."""
    at = (at + at.T) / 2
    rows, columns = np.indices(at.shape)

    def moved(shift: np.ndarray) -> np.ndarray:
        both = shift + shift.T - np.where(rows == columns, shift, 0.0)
        return function(at + both)

    return numeric.compare(given, moved, np.zeros_like(at))
