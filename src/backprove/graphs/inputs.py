"""The values that a run is given: shapes, sizes and domains are checked first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from difflib import get_close_matches
from typing import Any

import numpy as np

from backprove.calculus.values import bind_values
from backprove.errors import DomainError, ShapeError, UnknownName
from backprove.notation.axes import shape_text
from backprove.notation.expressions import Array
from backprove.notation.operations import Program

_TOLERANCE = 1e-9


def needed_sizes(program: Program) -> set[str]:
    """The named sizes that the values of a program have."""
    return {n for v in program.values if v.shape for size in v.shape for n in size.names()}


def read_values(
    program: Program,
    values: Mapping[str, Any],
    domains: Mapping[str, str],
    inputs: Iterable[str],
    needed: Set[str],
) -> tuple[dict[Array, np.ndarray], dict[str, int]]:
    """The inputs as arrays, and the value of every named size.

    Args:
        program: the program.
        values: what was given, by name.
        domains: where the inputs must lie.
        inputs: the names that need a value.
        needed: the named sizes that need one (:func:`needed_sizes`).

    Raises:
        UnknownName: a value for a name that is no symbol.
        DomainError: a value is missing, is no number or lies outside of its domain.
        ShapeError: a shape does not fit.
    """
    for name, value in values.items():
        if name not in program.symbols:
            close = get_close_matches(name, program.symbols, 1)
            raise UnknownName(
                f"a value is given for '{name}', which the graph does not use",
                hint=f"Did you mean '{close[0]}'?"
                if close
                else f"Inputs: {', '.join(program.symbols) or 'none'}.",
            )
        if value is None:
            raise DomainError(f"the value of '{name}' is None; expected a number or an array")
    missing = [name for name in inputs if name not in values]
    if missing:
        listed = ", ".join(missing)
        example = ", ".join(f"{name}=..." for name in missing)
        raise DomainError(f"no value is given for {listed}", hint=f"Pass {example}.")
    arrays, sizes = bind_values(program, values)
    for name in sorted(needed - set(sizes)):
        raise ShapeError(
            f"the size {name} follows from no input",
            hint="Declare a symbol that has it as an axis of its own.",
        )
    for array, value in arrays.items():
        expected = tuple(size.at(sizes) for size in array.shape)
        if value.shape != expected:
            raise ShapeError(
                f"'{array.name}' has shape {value.shape}; declared {shape_text(array.shape)}, "
                f"which is {expected} here"
            )
    for array, value in arrays.items():
        _check_domain(array.name, domains.get(array.name, "real"), value)
    return arrays, sizes


def _check_domain(name: str, domain: str, value: np.ndarray) -> None:
    fault = _fault(domain, value)
    if fault:
        raise DomainError(
            f"the value of '{name}' is not in its domain ({domain}): {fault}",
            hint="Give another value, or leave the domain out.",
        )


def _fault(domain: str, value: np.ndarray) -> str:
    """Why a value is not in a domain; empty if it is."""
    if domain == "positive":
        return "" if np.all(value > 0) else "an entry is not positive"
    if domain == "pm1":
        return "" if np.all(np.abs(value) == 1) else "an entry is neither 1 nor -1"
    if domain == "binary":
        return "" if np.all((value == 0) | (value == 1)) else "an entry is neither 0 nor 1"
    if domain == "unit":
        return "" if np.all((value > 0) & (value < 1)) else "an entry is not between 0 and 1"
    if domain in ("prob", "sum1", "onehot"):
        if not np.all(np.abs(value.sum(axis=-1) - 1) <= _TOLERANCE):
            return "a row does not sum to 1"
        if domain == "prob":
            return "" if np.all(value >= 0) else "an entry is negative"
        good = domain == "sum1" or np.all((value == 0) | (value == 1))
        return "" if good else "an entry is neither 0 nor 1"
    if domain in ("symmetric", "spd"):
        if not np.array_equal(value, value.T):
            return "it is not symmetric"
        lowest = np.linalg.eigvalsh(value).min() if domain == "spd" and value.size else 1.0
        return "" if lowest > 0 else "an eigenvalue is not positive"
    if domain == "nonsingular":
        return "" if np.linalg.matrix_rank(value) == len(value) else "it is singular"
    return ""
