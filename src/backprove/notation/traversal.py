"""What stands inside of an expression, each part once however often it occurs."""

from __future__ import annotations

from collections.abc import Iterator

from backprove.notation.axes import Axis, Floor, Index
from backprove.notation.expressions import Array, Expr, Ref


def subexpressions(*exprs: Expr, along: Axis | None = None) -> Iterator[Expr]:
    """Some expressions and all that they are made of, outer ones before inner ones.

    Nodes are interned, so the cost grows with the number of different nodes.

    Args:
        exprs: where to begin.
        along: leave out what does not depend on this axis.

    Returns:
        Each expression once.

    >>> from backprove.notation import lower, declare
    >>> program = lower("tanh(x) + tanh(x)**2", declare({"x": ""}))
    >>> len(list(subexpressions(program.tensor().body)))
    4
    """
    stack, seen = list(exprs), set[Expr]()
    while stack:
        expr = stack.pop()
        if expr not in seen and (along is None or along in expr.axes):
            seen.add(expr)
            yield expr
            stack.extend(expr.children())


def arrays_in(*exprs: Expr) -> set[Array]:
    """The arrays that some expressions refer to.

    >>> from backprove.notation import lower, declare
    >>> program = lower("A @ x", declare({"A": "n d", "x": "d"}))
    >>> sorted(array.name for array in arrays_in(program.tensor().body))
    ['A', 'x']
    """
    return {expr.array for expr in subexpressions(*exprs) if isinstance(expr, Ref)}


def names_in_index(index: Index) -> set[str]:
    """The named sizes in an index, those in its floors included.

    >>> from backprove.notation.axes import Size
    >>> sorted(names_in_index(Index.of(Size.of("n") - 1)))
    ['n']
    """
    found = set(index.offset.names())
    for atom, coefficient in index.terms:
        found |= coefficient.names()
        if isinstance(atom, Floor):
            found |= names_in_index(atom.index) | atom.divisor.names()
    return found
