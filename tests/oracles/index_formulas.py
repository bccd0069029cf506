"""Index formulas to numbers, by plain Python loops over every index.

A third reader that shares no code with the package and none with NumPy's einsum: formulas such as
``J[i,j,k,l] = X[i,l]*[j==k]``, ``sum(m, X[i,m]*W[m,l])`` or
``softmax(z)[i]*(delta[i,j] - softmax(z)[j])`` are evaluated entry by entry with :mod:`math`.

The language
    indices           declared on the left-hand side, by ``output``, by a sum or a vector;
                      they count from 0 and mean numbers: ``X[i+1, 2*j]``, ``i*z[i]``
    brackets          ``[j==k]``, ``[j=k]``, ``[i<=j]``, ``[x[i]>0]``: 1 or 0
    deltas            ``delta[i,j]``, ``δ[i,j]``, ``δ_ij``
    subscripts        ``X[i,l]``, ``X_il``, ``softmax(z)[i]``, ``(X @ w)[i]``
    sums              ``sum(m, body)``, ``sum(m, n, body)``, ``Σ_m product``, ``Σ_{m,n} product``
    vectors           ``softmax_{k}(X[i,k])[j]``, ``softmax(X, axis=0)[i,j]``
    operations        ``+ - * / // ** ^ @ .T``, comparisons, ``· × ⋅ − ² ᵀ Σ σ δ``
A subscript outside of its array has no value; a zero factor makes it 0, as Iverson's convention
says, and anything else is an error. Nothing wraps around.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import pi
from typing import Any

import numpy as np

from oracles.index_formula_text import (
    FormulaError,
    Tree,
    bound_by,
    names_in,
    parse,
    parts_of,
    subscript_of,
)
from oracles.nested_numbers import (
    ARITHMETIC,
    COMPARE,
    ELEMENTWISE,
    OF_ARRAYS,
    UNDEFINED,
    Nested,
    along_axis,
    each,
    matmul,
    nested,
    shape_of,
)

__all__ = ["FormulaError", "evaluate"]


def evaluate(
    formula: str,
    values: Mapping[str, Any],
    *,
    shape: Sequence[int] | None = None,
    output: Sequence[str] | str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> np.ndarray:
    """The array that an index formula describes.

    Args:
        formula: ``NAME[i,j] = ...`` or the right-hand side alone.
        values: arrays and numbers by name, named sizes included.
        shape: shape of the result; gives the sizes of the output indices, which are otherwise
            read off the subscripts.
        output: the output indices, if the formula has no left-hand side.
        sizes: sizes of indices, bound ones above all, that no subscript tells.

    Returns:
        float64 array with one axis for each output index.

    Raises:
        FormulaError: see the class.
    """
    name, indices, tree = parse(formula)
    del name
    if output is not None:
        if indices:
            raise FormulaError("output indices are given twice")
        indices = tuple(output.replace(",", " ").split() if isinstance(output, str) else output)
    if len(set(indices)) != len(indices):
        raise FormulaError(f"an output index is repeated: {indices}")
    if shape is not None and len(shape) != len(indices):
        raise FormulaError(f"{len(indices)} indices {indices} for the shape {tuple(shape)}")
    reader = _Reader({key: nested(value) for key, value in values.items()}, sizes or {})
    extents = (
        list(shape)
        if shape is not None
        else [reader.extent(index, tree, set(indices)) for index in indices]
    )
    result = np.zeros(extents)
    for entry in product(*map(range, extents)):
        value = reader.value(tree, dict(zip(indices, entry, strict=True)))
        if isinstance(value, list):
            raise FormulaError(f"{formula!r} is an array at {entry}: an index is missing")
        if value is UNDEFINED:
            raise FormulaError(f"{formula!r} reads outside of an array at {entry}")
        result[entry] = value
    return result


class _Reader:
    """Evaluates trees; holds the values and the sizes of indices."""

    def __init__(self, values: dict[str, Nested], sizes: Mapping[str, int]) -> None:
        self.values = values
        self.sizes = sizes

    # --- sizes of indices -------------------------------------------------------------------

    def extent(self, index: str, tree: Tree, declared: set[str]) -> int:
        """The size of an index: given, or the length of an axis that it alone subscripts."""
        if index in self.sizes:
            return self.sizes[index]
        found = set(self._lengths(index, tree, declared))
        if len(found) != 1:
            raise FormulaError(f"the size of index {index!r} is {sorted(found) or 'not known'}")
        return found.pop()

    def _lengths(self, index: str, tree: Tree, declared: set[str]) -> Iterator[int]:
        if index in bound_by(tree):
            return
        subscript = subscript_of(tree, self.values)
        if subscript and subscript[0] != ("name", "delta"):
            base, places = subscript
            if places and ("name", index) in places and not names_in(base) & declared:
                shape = shape_of(self.value(base, {}))
                if len(shape) < len(places):
                    raise FormulaError(f"{len(places)} subscripts on an array of shape {shape}")
                for place, length in zip(places, shape, strict=False):
                    if place == ("name", index):
                        yield length
        for part in parts_of(tree):
            yield from self._lengths(index, part, declared | set(bound_by(tree)))

    # --- values -----------------------------------------------------------------------------

    def value(self, tree: Tree, at: Mapping[str, int]) -> Nested:
        subscript = subscript_of(tree, {**self.values, **at})
        if subscript:
            return self._entry(*subscript, at)
        match tree:
            case ("number", number):
                return number
            case ("name", name):
                return self._named(name, at)
            case ("compare", relation, left, right):
                return each(
                    lambda a, b: float(COMPARE[relation](a, b)),
                    self.value(left, at),
                    self.value(right, at),
                )
            case ("transpose", inner):
                array = self.value(inner, at)
                return [list(row) for row in zip(*array, strict=True)]
            case ("@", left, right):
                return matmul(self.value(left, at), self.value(right, at))
            case ("bind", kind, _):
                return OF_ARRAYS[kind](self._bound_array(tree, at))
            case ("call", name, arguments):
                return self._call(name, arguments, at)
            case (operation, left, right):
                return each(ARITHMETIC[operation], self.value(left, at), self.value(right, at))
        raise FormulaError(f"cannot evaluate {tree}")

    def _named(self, name: str, at: Mapping[str, int]) -> Nested:
        if name in at:
            return float(at[name])
        if name in self.values:
            return self.values[name]
        if name == "pi":
            return pi
        raise FormulaError(f"{name!r} is neither an index in scope nor a given value")

    def _entry(self, base: Tree, places: tuple[Tree, ...], at: Mapping[str, int]) -> Nested:
        numbers = [self.value(place, at) for place in places]
        if any(number is UNDEFINED or number != int(number) for number in numbers):
            raise FormulaError(f"subscripts must be integers, got {numbers}")
        if base == ("name", "delta") and "delta" not in self.values:
            return float(all(number == numbers[0] for number in numbers))
        array = self.value(base, at)
        for number in numbers:
            if not isinstance(array, list):
                raise FormulaError("more subscripts than axes")
            if not 0 <= number < len(array):
                return UNDEFINED
            array = array[int(number)]
        return array

    def _call(self, name: str, arguments: tuple[Tree, ...], at: Mapping[str, int]) -> Nested:
        if name == "sum" and len(arguments) > 1:
            return self._sum(("call", name, arguments), at)
        if name == "where":
            condition = self.value(arguments[0], at)
            if isinstance(condition, list):
                raise FormulaError("where takes one condition, not an array of them")
            return self.value(arguments[1 if condition else 2], at)
        axis = None
        if arguments and arguments[-1][:3] == ("compare", "=", ("name", "axis")):
            axis = self.value(arguments[-1][3], at)
            arguments = arguments[:-1]
        given = [self.value(argument, at) for argument in arguments]
        if axis is not None:
            return along_axis(name, given[0], int(axis))
        if name in ELEMENTWISE:
            return each(ELEMENTWISE[name], *given)
        if name in OF_ARRAYS:
            return OF_ARRAYS[name](*given)
        raise FormulaError(f"unknown function {name!r}")

    def _bound_array(self, tree: Tree, at: Mapping[str, int]) -> Nested:
        """The body of a binder as an array over the bound indices."""
        *_, body = tree[2]
        bound = bound_by(tree)
        extents = [self.extent(index, body, set(at) | set(bound)) for index in bound]
        array = np.empty(extents)
        for entry in product(*map(range, extents)):
            array[entry] = self.value(body, {**at, **dict(zip(bound, entry, strict=True))})
        return nested(array)

    def _sum(self, tree: Tree, at: Mapping[str, int]) -> Nested:
        *_, body = tree[2]
        bound = bound_by(tree)
        extents = [self.extent(index, body, set(at) | set(bound)) for index in bound]
        total = 0.0
        for entry in product(*map(range, extents)):
            value = self.value(body, {**at, **dict(zip(bound, entry, strict=True))})
            if value is UNDEFINED:
                return UNDEFINED
            if isinstance(value, list):
                raise FormulaError("a sum runs over numbers; an index is missing")
            total += value
        return total
