"""Conditions on sizes that an expression assumes already: they need not be written again.

``z[2]`` assumes that ``z`` has at least 3 entries. Derivatives of what is indexed meet the same
condition as ``[3<=n]``; it is 1 wherever the expression has a value at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from backprove.notation import building as b
from backprove.notation.axes import Size, nonnegative
from backprove.notation.expressions import ONE, Bind, Bracket, Expr, Sum
from backprove.notation.traversal import subexpressions


def assumed(expr: Expr, assumptions: Sequence[tuple[Size, str]]) -> Expr:
    """The expression without the conditions on sizes that the assumptions imply.

    Args:
        expr: an expression over any axes.
        assumptions: sizes that are at least 0, with the reason.
    """
    known = [size for size, _ in assumptions]
    if not known or not any(_follows(node, known) for node in subexpressions(expr)):
        return expr
    memo: dict[Expr, Expr] = {}

    def visit(node: Expr) -> Expr:
        if node not in memo:
            if _follows(node, known):
                memo[node] = ONE
            elif isinstance(node, Sum | Bind):  # what depends on no index stands outside of sums
                memo[node] = node
            else:
                memo[node] = b.rebuild(node, visit, lambda index: index)
        return memo[node]

    return visit(expr)


def _follows(node: Expr, known: Sequence[Size]) -> bool:
    """True for ``[size <= 0]`` if an assumption is at least as strong."""
    if not isinstance(node, Bracket) or node.relation != "<=" or node.index.terms:
        return False
    return any(nonnegative(-node.index.offset - size) for size in known)
