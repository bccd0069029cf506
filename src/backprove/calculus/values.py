"""Values of inputs: binding arrays to symbols and sizes, and finding where a value breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backprove.calculus.accumulation import depends_on, local_derivative
from backprove.calculus.rules import partial
from backprove.errors import DomainError, ShapeError
from backprove.notation.axes import Axis, shape_text
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array
from backprove.notation.operations import Program, Value


def bind_values(
    program: Program, values: Mapping[str, Any]
) -> tuple[dict[Array, np.ndarray], dict[str, int]]:
    """Inputs as arrays, and the sizes that their shapes give to the named sizes.

    Raises:
        DomainError: a symbol of the expression has no value, or a value is not numeric.
        ShapeError: a shape does not fit, two shapes disagree about a named size, or a slice or an
            index of the expression leaves its axis.
    """
    arrays: dict[Array, np.ndarray] = {}
    sizes: dict[str, int] = {}
    for name, array in program.symbols.items():
        if name not in values:
            if any(v.array is array for v in program.inputs):
                raise DomainError(f"no value is given for '{name}'", hint=f"Pass {name}=...")
            continue
        try:
            value = np.asarray(values[name], dtype=float)
        except (TypeError, ValueError):
            raise DomainError(f"the value of '{name}' is not an array of numbers") from None
        if value.ndim != len(array.shape):
            raise ShapeError(
                f"'{name}' has shape {value.shape}; declared {shape_text(array.shape)}"
            )
        for size, extent in zip(array.shape, value.shape, strict=True):
            _bind_size(name, array, size, extent, value.shape, sizes)
        arrays[array] = value
    for condition, reason in program.assumptions:
        if condition.names() <= set(sizes) and condition.at(sizes) < 0:
            raise ShapeError(f"the sizes of these values do not fit: {reason}")
    return arrays, sizes


def _bind_size(name, array, size, extent, shape, sizes) -> None:  # type: ignore[no-untyped-def]
    if len(size.terms) == 1 and size.constant is None:
        (monomial, coefficient) = size.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            known = sizes.setdefault(str(size), extent)
            if known != extent:
                raise ShapeError(
                    f"the size {size} is {known} elsewhere and {extent} in '{name}' {shape}"
                )
            return
    if size.constant is not None and size.constant != extent:
        raise ShapeError(f"'{name}' has shape {shape}; declared {shape_text(array.shape)}")


def check_finite(program: Program, arrays: Mapping[Array, np.ndarray]) -> None:
    for value in program.operations:
        if np.all(np.isfinite(arrays[value.array])):
            continue
        operands = [i.name for i in value.inputs]
        if any(not np.all(np.isfinite(arrays.get(i.array, np.zeros(())))) for i in value.inputs):
            continue
        raise DomainError(
            f"{value.name} = {value.template.format(*operands)} is not finite at this point",
            hint=f"The operands {', '.join(operands)} are finite; "
            f"'{value.operation}' leaves its domain.",
        )


def no_derivative(
    program: Program,
    arrays: Mapping[Array, np.ndarray],
    sizes: Mapping[str, int],
    wrt: Array,
    order: int,
) -> DomainError:
    """The error for a derivative that is not finite at finite values; it names the step.

    Args:
        program: the program of the expression.
        arrays: the values of its inputs and operations, all finite.
        sizes: the values of the named sizes.
        wrt: the array that the derivative is by.
        order: 1, or 2 for second derivatives.
    """
    active = depends_on(program, [wrt])
    for consumer in program.operations:
        for value in dict.fromkeys(consumer.inputs):
            if value in active and not _smooth(consumer, value, order, Evaluator(arrays, sizes)):
                shown = consumer.template.format(*(i.name for i in consumer.inputs))
                which = "second derivative" if order == 2 else "derivative"
                at = ", ".join(
                    f"{i.name} = {_written(arrays[i.array])}"
                    for i in dict.fromkeys(consumer.inputs)
                    if i.array in arrays
                )
                return DomainError(
                    f"{consumer.name} = {shown} has no finite {which} by {value.name} at {at}",
                    hint=f"The value itself is {_written(arrays[consumer.array])}; "
                    f"'{consumer.operation}' has no derivative there.",
                )
    return DomainError(
        "the derivative is not finite at this point, although that of every step is",
        hint="A product of the steps' derivatives overflows, or multiplies 0 by infinity.",
    )


def _smooth(consumer: Value, value: Value, order: int, evaluator: Evaluator) -> bool:
    """Whether an operation's derivative by an operand is finite; True where that is too large."""
    axes = [tuple(Axis(s) for s in value.shape) for _ in range(order)]
    own = tuple(Axis(s) for s in consumer.shape)
    body = local_derivative(consumer, value, own, axes[0])
    for more in axes[1:]:
        body = partial(body, value.array, more)
    try:
        return bool(np.all(np.isfinite(evaluator.dense(body, sum(axes, own)))))
    except DomainError:
        return True


def _written(value: np.ndarray) -> str:
    """A number, or the first few entries of an array."""
    flat = [f"{x:g}" for x in value.ravel()[:4]]
    if not value.shape:
        return flat[0]
    return f"[{', '.join(flat)}{', ...' if value.size > 4 else ''}]"
