"""Sizes at which two tensors are compared that agree at the usual ones.

At a single choice of sizes ``1/5`` is as good as ``1/n``, ``[j==4]`` as good as ``[j==n-1]``, and
``(n+1)/2`` as good as the number of even positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from backprove.calculus import numeric
from backprove.notation.axes import Floor, Index
from backprove.notation.expressions import Bind, Bracket, Expr, Ref, Tensor
from backprove.notation.operations import Program
from backprove.notation.traversal import subexpressions

MOST_ENTRIES = 20_000
_CHOICES = ((2, 4, 3, 6, 5), (6, 7, 2, 3, 4), (11, 4, 5, 3, 2))
"""Small and large, odd and even, the first one greater and smaller than the second."""


def other_sizes(program: Program, *tensors: Tensor) -> Iterator[dict[str, int]]:
    """Values for the named sizes, other than the usual ones.

    All are greater than every position that one of the tensors names, so that no entry is looked
    for outside of an array and none is left out of sight.

    Args:
        program: what the tensors refer to; its assumptions are kept.
        tensors: of one shape.

    Returns:
        Choices at which the tensors have at most :data:`MOST_ENTRIES` entries.

    >>> from backprove.notation import declare, lower
    >>> program = lower("mean(x)", declare({"x": "n"}))
    >>> list(other_sizes(program, program.tensor()))
    [{'n': 2}, {'n': 6}, {'n': 11}]
    """
    names = numeric.size_names(program.symbols)
    if not names:
        return
    beyond = max(0, largest_position(*(tensor.body for tensor in tensors)) - 1)
    for values in _CHOICES:
        sizes = {
            name: values[k % len(values)] + 10 * (k // len(values)) + beyond
            for k, name in enumerate(names)
        }
        fits = all(condition.at(sizes) >= 0 for condition, _ in program.assumptions)
        if fits and numeric.total_entries(tensors[0].shape, sizes) <= MOST_ENTRIES:
            yield sizes


def largest_position(*exprs: Expr) -> int:
    """The largest whole number in the indices, conditions and sizes of some expressions."""
    found = 0
    for expr in subexpressions(*exprs):
        if isinstance(expr, (Ref, Bind)):
            found = max(found, *map(_largest, expr.at), 0)
        elif isinstance(expr, Bracket):
            found = max(found, _largest(expr.index))
    return found


def _largest(index: Index) -> int:
    inner = (_largest(atom.index) for atom, _ in index.terms if isinstance(atom, Floor))
    sizes = [index.offset, *(coefficient for _, coefficient in index.terms)]
    numbers = (abs(number) for size in sizes for _, number in size.terms)
    return max(chain(inner, numbers), default=0)
